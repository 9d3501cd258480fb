/* SPDX-License-Identifier: MPL-2.0
 * gesso-header.c - reads the first bytes of a file into address space as large as the file.
 */
#include "library/gesso-header.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weights/quantised.h"
#include "weights/safetensors.h"

enum
{
  BEGIN_BYTES = 64,
  LENGTH_BYTES = 8,
  MAX_HEADER_BYTES = 100 << 20,
  MAX_DESCRIPTION_BYTES = 4096
};

typedef struct
{
  const char *path, *label;
  int fd;
  size_t size;
  uint8_t begin[BEGIN_BYTES];
  size_t n_begin;
} File;

static gboolean
read_at (int fd, void *out, size_t n_bytes, off_t offset, size_t *n_read)
{
  for (*n_read = 0; *n_read < n_bytes;)
    {
      ssize_t n =
          pread (fd, (uint8_t *) out + *n_read, n_bytes - *n_read, offset + (off_t) *n_read);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return n == 0; /* shorter than fstat said */
      *n_read += (size_t) n;
    }
  return TRUE;
}

static bool
open_file (File *file, const char *path, Status *status)
{
  struct stat info;
  file->path = path;
  file->label = path_base (path);
  file->fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file->fd < 0)
    return fail_errno (status, errno, "open", path);
  if (fstat (file->fd, &info) != 0 ||
      !read_at (file->fd, file->begin, sizeof file->begin, 0, &file->n_begin))
    return fail_errno (status, errno, "read", path);
  file->size = (size_t) info.st_size;
  return true;
}

static size_t
header_bytes (const File *file)
{
  guint64 n = 0;
  for (int i = LENGTH_BYTES - 1; i >= 0; i--)
    n = n << 8 | file->begin[i];
  return n > MAX_HEADER_BYTES ? LENGTH_BYTES : (size_t) n + LENGTH_BYTES;
}

/* bitsandbytes' shapes of 4-bit weights are a tensor each, of a few hundred bytes. */
static gboolean
is_description (const FileTensor *t)
{
  return t->n_bytes <= MAX_DESCRIPTION_BYTES &&
         (g_str_has_suffix (t->name, ".quant_state.bitsandbytes__nf4") ||
          g_str_has_suffix (t->name, ".quant_state.bitsandbytes__fp4"));
}

/* Leaves the table with the data that shapes depend on, and no other. */
static bool
read_descriptions (GessoHeader *header, const File *file, Status *status)
{
  for (size_t i = 0; i < header->source.table.n_items; i++)
    {
      FileTensor *t = &header->source.table.items[i];
      off_t at = t->data - (const uint8_t *) header->area;
      size_t n_read = 0;
      t->data = NULL;
      if (!is_description (t))
        continue;
      uint8_t *bytes = pool_alloc (&header->set->pool, MAX (t->n_bytes, 1), 1, status);
      if (!bytes)
        return false;
      if (!read_at (file->fd, bytes, t->n_bytes, at, &n_read))
        return fail_errno (status, errno, "read", file->path);
      if (n_read < t->n_bytes)
        return damaged (status, file->label, "the file was cut short");
      t->data = bytes;
    }
  return true;
}

/* The parser computes where each tensor lies in the file but looks at the header only; so the rest
 * is address space without memory. */
static bool
read_safetensors (GessoHeader *header, const File *file, Status *status)
{
  size_t page = (size_t) sysconf (_SC_PAGESIZE), n_read = 0;
  size_t n_header = MIN (header_bytes (file), file->size);
  header->area_bytes = file->size;
  header->area =
      mmap (NULL, file->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (header->area == MAP_FAILED ||
      mprotect (header->area, (n_header + page - 1) / page * page, PROT_READ | PROT_WRITE) != 0)
    return out_of_memory (status);
  if (!read_at (file->fd, header->area, n_header, 0, &n_read))
    return fail_errno (status, errno, "read", file->path);
  header->source.container = "safetensors";
  header->source.file_bytes = (int64_t) file->size;
  return safetensors_parse (&header->source.table, header->area, file->size, file->label, status) &&
         read_descriptions (header, file, status) &&
         quantised_resolve (&header->source.table, file->label, status);
}

static gboolean
is_whole_safetensors (const File *file)
{
  return file->size > LENGTH_BYTES && safetensors_sniff (file->begin, file->n_begin) &&
         !strstr (file->label, "-of-") && file->n_begin >= LENGTH_BYTES;
}

bool
gesso_header_read (GessoHeader *header, const char *path, Status *status)
{
  File file = { .fd = -1 };
  header->area = MAP_FAILED;
  header->set = weights_new (status);
  if (!header->set)
    return false;
  table_init (&header->source.table, &header->set->pool);
  bool ok = open_file (&file, path, status);
  if (ok)
    ok = is_whole_safetensors (&file)
             ? read_safetensors (header, &file, status)
             : source_read (&header->source, header->set, path, true, status);
  if (file.fd >= 0)
    close (file.fd);
  return ok;
}

void
gesso_header_clear (GessoHeader *header)
{
  if (!header->set)
    return;
  source_clear (&header->source);
  weights_free (header->set);
  if (header->area != MAP_FAILED)
    munmap (header->area, header->area_bytes);
  memset (header, 0, sizeof *header);
}
