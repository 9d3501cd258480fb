/* SPDX-License-Identifier: MPL-2.0
 * sparse.c - headers of safetensors, and pickles in ZIP archives: PKWARE APPNOTE 4.3 and 4.5.3.
 */
#include "support/sparse.h"

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static int
create (const char *path)
{
  int fd = g_open (path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static void
write_all (int fd, const void *data, gsize size)
{
  g_assert_cmpint (write (fd, data, size), ==, (gssize) size);
}

char *
sparse_own_shape (const Weight *w, const void *config)
{
  g_autoptr (GString) s = g_string_new (NULL);
  for (int i = 0; i < w->rank; i++)
    g_string_append_printf (s, "%s%" G_GINT64_FORMAT, i ? "," : "", (gint64) w->ne[i]);
  return g_string_free (g_steal_pointer (&s), FALSE);
}

/* ---- safetensors ---- */

static bool
is_of_part (const WeightSet *set, int i, int part, int n_parts)
{
  return (gint64) i * n_parts / weights_count (set) == part;
}

void
sparse_safetensors (const char *path,
                    const WeightSet *set,
                    SparseName name_of,
                    SparseShape shape_of,
                    const void *config,
                    int part,
                    int n_parts)
{
  g_autoptr (GString) json = g_string_new ("{\"__metadata__\":{\"format\":\"pt\"}");
  gint64 end = 0;
  for (int i = 0; i < weights_count (set); i++)
    {
      const Weight *w = weights_at (set, i);
      if (!is_of_part (set, i, part, n_parts))
        continue;
      g_autofree char *name = name_of (w->name), *shape = shape_of (w, config);
      gint64 next = end + weight_bytes (w);
      g_string_append_printf (json,
                              ",\"%s\":{\"dtype\":\"F16\",\"shape\":[%s],\"data_offsets\":["
                              "%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT "]}",
                              name, shape, end, next);
      end = next;
    }
  g_string_append_c (json, '}');
  guint64 length = GUINT64_TO_LE (json->len);
  int fd = create (path);
  write_all (fd, &length, sizeof length);
  write_all (fd, json->str, json->len);
  g_assert_cmpint (ftruncate (fd, (off_t) (sizeof length + json->len) + end), ==, 0);
  close (fd);
}

void
sparse_shards (const char *folder,
               const char *name,
               const WeightSet *set,
               SparseName name_of,
               SparseShape shape,
               const void *config,
               int n_parts)
{
  g_autoptr (GString) json = g_string_new ("{\"weight_map\":{");
  for (int part = 0; part < n_parts; part++)
    {
      g_autofree char *file =
          g_strdup_printf ("%s-%05d-of-%05d.safetensors", name, part + 1, n_parts);
      g_autofree char *path = g_build_filename (folder, file, NULL);
      sparse_safetensors (path, set, name_of, shape, config, part, n_parts);
      for (int i = 0; i < weights_count (set); i++)
        {
          g_autofree char *key = name_of (weights_at (set, i)->name);
          if (is_of_part (set, i, part, n_parts))
            g_string_append_printf (json, "%s\"%s\":\"%s\"", i ? "," : "", key, file);
        }
    }
  g_string_append (json, "}}");
  g_autofree char *index = g_strdup_printf ("%s/%s.safetensors.index.json", folder, name);
  g_assert_true (g_file_set_contents (index, json->str, (gssize) json->len, NULL));
}

/* ---- pickles ---- */

static void
put_text (GString *p, const char *text)
{
  guint32 n = GUINT32_TO_LE ((guint32) strlen (text));
  g_string_append_c (p, 'X');
  g_string_append_len (p, (const char *) &n, sizeof n);
  g_string_append (p, text);
}

/* The whole number is written as text: those of 8 bytes have no opcode that is easier. */
static void
put_int (GString *p, gint64 v)
{
  g_string_append_printf (p, "I%" G_GINT64_FORMAT "\n", v);
}

static gint64
put_shape (GString *p, const char *shape)
{
  g_auto (GStrv) sides = g_strsplit (shape, ",", -1);
  gint64 n = 1;
  g_string_append_c (p, '(');
  for (guint i = 0; sides[i]; i++)
    {
      gint64 side = g_ascii_strtoll (sides[i], NULL, 10);
      put_int (p, side);
      n *= side;
    }
  g_string_append_c (p, 't');
  return n;
}

static void
put_strides (GString *p, const char *shape)
{
  g_auto (GStrv) sides = g_strsplit (shape, ",", -1);
  guint n = g_strv_length (sides);
  g_string_append_c (p, '(');
  for (guint i = 0; i < n; i++)
    {
      gint64 stride = 1;
      for (guint k = i + 1; k < n; k++)
        stride *= g_ascii_strtoll (sides[k], NULL, 10);
      put_int (p, stride);
    }
  g_string_append_c (p, 't');
}

/* torch._utils._rebuild_tensor_v2 (storage, 0, shape, stride, False, OrderedDict ()) */
static void
put_tensor (GString *p, const char *key, const char *shape, gint64 n_elements)
{
  g_string_append (p, "ctorch._utils\n_rebuild_tensor_v2\n((");
  put_text (p, "storage");
  g_string_append (p, "ctorch\nHalfStorage\n");
  put_text (p, key);
  put_text (p, "cpu");
  put_int (p, n_elements);
  g_string_append (p, "tQ");
  put_int (p, 0);
  put_shape (p, shape);
  put_strides (p, shape);
  g_string_append (p, "I00\nccollections\nOrderedDict\n)RtR");
}

static gint64
elements_of (const char *shape)
{
  g_autoptr (GString) ignored = g_string_new (NULL);
  return put_shape (ignored, shape);
}

/* ---- ZIP archives ---- */

typedef struct
{
  int fd;
  gint64 at;
  GByteArray *directory;
  guint64 n_entries;
} Archive;

static void
append (GByteArray *bytes, guint64 value, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      guint8 byte = i < sizeof value ? (guint8) (value >> 8 * i) : 0;
      g_byte_array_append (bytes, &byte, 1);
    }
}

enum
{
  IN_EXTRA = -1, /* sizes and offset stand in the zip64 field */
  VERSION64 = 45
};

/* @central: 0 for the record in front of the data */
static void
append_record (GByteArray *b, const char *name, guint64 size, guint64 offset, bool central)
{
  append (b, central ? 0x02014b50 : 0x04034b50, 4);
  if (central)
    append (b, VERSION64, 2);
  append (b, VERSION64, 2);
  append (b, 0, 2 + 2 + 2 + 2 + 4); /* flags, method, time, date, checksum: nobody reads it */
  append (b, (guint64) IN_EXTRA, 4);
  append (b, (guint64) IN_EXTRA, 4);
  append (b, strlen (name), 2);
  append (b, 4 + 8 + 8 + (central ? 8 : 0), 2);
  if (central)
    {
      append (b, 0, 2 + 2 + 2 + 4);
      append (b, (guint64) IN_EXTRA, 4);
    }
  g_byte_array_append (b, (const guint8 *) name, (guint) strlen (name));
  append (b, 1, 2);
  append (b, 8 + 8 + (central ? 8 : 0), 2);
  append (b, size, 8);
  append (b, size, 8);
  if (central)
    append (b, offset, 8);
}

/* @data: NULL for a hole */
static void
add_member (Archive *a, const char *name, const void *data, guint64 size)
{
  g_autoptr (GByteArray) head = g_byte_array_new ();
  append_record (head, name, size, 0, false);
  append_record (a->directory, name, size, (guint64) a->at, true);
  g_assert_cmpint (lseek (a->fd, a->at, SEEK_SET), ==, a->at);
  write_all (a->fd, head->data, head->len);
  if (data)
    write_all (a->fd, data, size);
  a->at += head->len + (gint64) size;
  a->n_entries++;
}

static void
finish (Archive *a)
{
  g_autoptr (GByteArray) end = g_byte_array_new ();
  guint64 directory = (guint64) a->at, size = a->directory->len;
  g_assert_cmpint (lseek (a->fd, a->at, SEEK_SET), ==, a->at);
  write_all (a->fd, a->directory->data, a->directory->len);
  append (end, 0x06064b50, 4);
  append (end, 44, 8);
  append (end, VERSION64, 2);
  append (end, VERSION64, 2);
  append (end, 0, 8);
  append (end, a->n_entries, 8);
  append (end, a->n_entries, 8);
  append (end, size, 8);
  append (end, directory, 8);
  append (end, 0x07064b50, 4);
  append (end, 0, 4);
  append (end, directory + size, 8);
  append (end, 1, 4);
  append (end, 0x06054b50, 4);
  append (end, 0, 4);
  append (end, 0xffff, 2);
  append (end, 0xffff, 2);
  append (end, (guint64) IN_EXTRA, 4);
  append (end, (guint64) IN_EXTRA, 4);
  append (end, 0, 2);
  write_all (a->fd, end->data, end->len);
  close (a->fd);
  g_byte_array_unref (a->directory);
}

void
sparse_pickle (const char *path,
               const WeightSet *set,
               SparseName name_of,
               SparseShape shape_of,
               const void *config)
{
  g_autoptr (GString) p = g_string_new_len ("\x80\x02}(", 4);
  Archive a = { .fd = create (path), .directory = g_byte_array_new () };
  for (int i = 0; i < weights_count (set); i++)
    {
      const Weight *w = weights_at (set, i);
      g_autofree char *name = name_of (w->name), *shape = shape_of (w, config);
      g_autofree char *key = g_strdup_printf ("%d", i);
      g_autofree char *member = g_strdup_printf ("archive/data/%d", i);
      gint64 n = elements_of (shape);
      put_text (p, name);
      put_tensor (p, key, shape, n);
      add_member (&a, member, NULL, (guint64) n * 2);
    }
  g_string_append (p, "u.");
  add_member (&a, "archive/data.pkl", p->str, p->len);
  finish (&a);
}
