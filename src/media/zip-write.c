/* SPDX-License-Identifier: MPL-2.0
 * zip-write.c - local headers, bytes, and the directory at the end.
 */
#include <assert.h>
#include <string.h>

#include <zlib.h>

#include "core/mem.h"
#include "media/zip.h"

enum
{
  LOCAL_BYTES = 30,
  CENTRAL_BYTES = 46,
  END_BYTES = 22,
  VERSION = 10,           /* 1.0: nothing packed */
  DOS_DATE = (1 << 5) | 1 /* 1 January 1980: the same members give the same file */
};

typedef struct
{
  uint8_t data[CENTRAL_BYTES];
  size_t n;
} Record;

static void
put (Record *r, uint64_t value, int n_bytes)
{
  for (int i = 0; i < n_bytes; i++)
    r->data[r->n++] = (uint8_t) (value >> (8 * i));
}

/* The fields that local and central headers share. */
static void
put_common (Record *r, const ZipEntry *e)
{
  put (r, VERSION, 2);
  put (r, 0, 2); /* flags */
  put (r, 0, 2); /* stored */
  put (r, 0, 2); /* time */
  put (r, DOS_DATE, 2);
  put (r, e->crc, 4);
  put (r, e->size_bytes, 4);
  put (r, e->size_bytes, 4);
  put (r, strlen (e->name), 2);
  put (r, 0, 2); /* extra field */
}

static bool
write_record (ZipWriter *zip, const Record *r, const char *name, Status *status)
{
  zip->at += r->n + strlen (name);
  return atomic_file_write (&zip->file, r->data, r->n, status) &&
         atomic_file_write (&zip->file, name, strlen (name), status);
}

bool
zip_writer_open (ZipWriter *zip, const char *path, Status *status)
{
  *zip = (ZipWriter){ 0 };
  return atomic_file_open (&zip->file, path, status);
}

static bool
check_room (const ZipWriter *zip, size_t n_bytes, Status *status)
{
  uint64_t behind = zip->at + n_bytes + (zip->n_entries + 1) * 2 * (CENTRAL_BYTES + ZIP_NAME_SIZE);
  if (behind < UINT32_MAX && zip->n_entries < ZIP_MAX_ENTRIES)
    return true;
  return status_fail (status, STATUS_UNSUPPORTED,
                      "Cannot write \"%.300s\": it would grow beyond 4 GiB; make it shorter.",
                      zip->file.path);
}

bool
zip_writer_add (ZipWriter *zip, const char *name, const void *data, size_t n_bytes, Status *status)
{
  assert (strlen (name) < ZIP_NAME_SIZE);
  if (!check_room (zip, n_bytes, status) ||
      !mem_grow (&zip->entries, &zip->capacity, zip->n_entries + 1, sizeof *zip->entries, status))
    return false;
  ZipEntry *e = &zip->entries[zip->n_entries++];
  *e = (ZipEntry){ .offset = zip->at,
                   .size_bytes = (uint32_t) n_bytes,
                   .crc = (uint32_t) crc32_z (0, data, n_bytes) };
  memcpy (e->name, name, strlen (name) + 1);
  Record local = { .n = 0 };
  put (&local, 0x04034b50, 4);
  put_common (&local, e);
  if (!write_record (zip, &local, name, status))
    return false;
  zip->at += n_bytes;
  return atomic_file_write (&zip->file, data, n_bytes, status);
}

static bool
write_directory (ZipWriter *zip, Status *status)
{
  uint64_t start = zip->at;
  for (size_t i = 0; i < zip->n_entries; i++)
    {
      const ZipEntry *e = &zip->entries[i];
      Record central = { .n = 0 };
      put (&central, 0x02014b50, 4);
      put (&central, VERSION, 2);
      put_common (&central, e);
      put (&central, 0, 4); /* comment, disk */
      put (&central, 0, 6); /* attributes */
      put (&central, e->offset, 4);
      if (!write_record (zip, &central, e->name, status))
        return false;
    }
  Record end = { .n = 0 };
  put (&end, 0x06054b50, 4);
  put (&end, 0, 4); /* this disk, the directory's disk */
  put (&end, zip->n_entries, 2);
  put (&end, zip->n_entries, 2);
  put (&end, zip->at - start, 4);
  put (&end, start, 4);
  put (&end, 0, 2);
  static_assert (END_BYTES <= CENTRAL_BYTES && LOCAL_BYTES <= CENTRAL_BYTES, "Record is too small");
  return write_record (zip, &end, "", status);
}

bool
zip_writer_commit (ZipWriter *zip, bool overwrite, Status *status)
{
  bool ok = write_directory (zip, status) && atomic_file_commit (&zip->file, overwrite, status);
  zip_writer_discard (zip);
  return ok;
}

void
zip_writer_discard (ZipWriter *zip)
{
  atomic_file_discard (&zip->file);
  mem_free (zip->entries);
  *zip = (ZipWriter){ 0 };
}
