/* SPDX-License-Identifier: MPL-2.0 */
#include "one-file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weights/mapped.h"
#include "weights/safetensors.h"

static const char rows_tail[] = ".rows";

static bool
is_rows (const char *name)
{
  size_t n = strlen (name), m = sizeof rows_tail - 1;
  return n > m && strcmp (name + n - m, rows_tail) == 0;
}

static int32_t
row_number (const FileTensor *rows, int64_t i)
{
  int32_t row;
  memcpy (&row, rows->data + (size_t) i * sizeof row, sizeof row);
  return row;
}

static const FileTensor *
rows_of (const TensorTable *table, const FileTensor *t)
{
  char name[256];
  snprintf (name, sizeof name, "%s%s", t->name, rows_tail);
  return table_find (table, name);
}

/* How many rows the tensor has in the whole file. */
static int64_t
all_rows (const TensorTable *table, const FileTensor *t)
{
  const FileTensor *rows = rows_of (table, t);
  return rows ? row_number (rows, 0) : t->ne[0];
}

/* Returns: the header's text, to be freed; @at: bytes of data */
static char *
make_header (const TensorTable *table, uint64_t *at)
{
  char *text = NULL, *comma = "{";
  size_t size;
  FILE *out = open_memstream (&text, &size);
  *at = 0;
  for (size_t i = 0; out && i < table->n_items; i++)
    {
      const FileTensor *t = &table->items[i];
      if (is_rows (t->name))
        continue;
      uint64_t n_bytes = t->n_bytes / (uint64_t) t->ne[0] * (uint64_t) all_rows (table, t);
      fprintf (out, "%s\"%s\":{\"dtype\":\"F16\",\"shape\":[%" PRId64, comma, t->name,
               all_rows (table, t));
      for (int d = 1; d < t->rank; d++)
        fprintf (out, ",%" PRId64, t->ne[d]);
      fprintf (out, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", *at, *at + n_bytes);
      *at += n_bytes;
      comma = ",";
    }
  if (out)
    {
      fputc ('}', out);
      fclose (out);
    }
  return text;
}

/* @t's bytes from @at on.  Returns: false when the disk is full */
static bool
write_tensor (FILE *file, const TensorTable *table, const FileTensor *t, long at)
{
  const FileTensor *rows = rows_of (table, t);
  size_t row_bytes = t->n_bytes / (size_t) t->ne[0];
  bool ok = true;
  if (!rows)
    return fseek (file, at, SEEK_SET) == 0 && fwrite (t->data, 1, t->n_bytes, file) == t->n_bytes;
  for (int64_t i = 1; ok && i < rows->ne[0]; i++)
    ok = fseek (file, at + (long) row_number (rows, i) * (long) row_bytes, SEEK_SET) == 0 &&
         fwrite (t->data + (size_t) (i - 1) * row_bytes, 1, row_bytes, file) == row_bytes;
  return ok;
}

static bool
write_all (FILE *file, const TensorTable *table)
{
  uint64_t n_data, length;
  char *header = make_header (table, &n_data);
  bool ok = header != NULL;
  length = ok ? strlen (header) : 0;
  ok = ok && fwrite (&length, sizeof length, 1, file) == 1 &&
       fwrite (header, 1, length, file) == length;
  long at = (long) (sizeof length + length);
  ok = ok && fflush (file) == 0 && ftruncate (fileno (file), at + (long) n_data) == 0;
  for (size_t i = 0; ok && i < table->n_items; i++)
    {
      const FileTensor *t = &table->items[i];
      if (is_rows (t->name))
        continue;
      ok = write_tensor (file, table, t, at);
      at += (long) (t->n_bytes / (uint64_t) t->ne[0] * (uint64_t) all_rows (table, t));
    }
  free (header);
  return ok;
}

bool
one_file_write (const char *fixture, const char *path, Status *status)
{
  Pool pool = { 0 };
  TensorTable table;
  MappedFile source = { 0 };
  table_init (&table, &pool);
  bool ok = mapped_open (&source, fixture, status) &&
            safetensors_parse (&table, source.data, source.size, fixture, status);
  FILE *file = ok ? fopen (path, "wb") : NULL;
  if (ok && (!file || !write_all (file, &table)))
    ok = status_fail (status, STATUS_IO, "The file %s cannot be written.", path);
  if (file && fclose (file) != 0 && ok)
    ok = status_fail (status, STATUS_IO, "The file %s cannot be written.", path);
  table_clear (&table);
  pool_clear (&pool);
  mapped_close (&source);
  return ok;
}
