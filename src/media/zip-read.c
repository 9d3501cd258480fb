/* SPDX-License-Identifier: MPL-2.0
 * zip-read.c - the directory at the end, checked before anything is believed.
 */
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "core/mem.h"
#include "media/zip.h"

enum
{
  LOCAL_BYTES = 30,
  CENTRAL_BYTES = 46,
  END_BYTES = 22,
  COMMENT_MAX_BYTES = 65535,
  DIRECTORY_MAX_BYTES = 16 << 20,
  FLAG_ENCRYPTED = 1
};

typedef struct
{
  ZipReader *zip;
  const uint8_t *directory;
  size_t n_bytes, at;
  Status *status;
} Directory;

static uint32_t
le (const uint8_t *p, int n_bytes)
{
  uint32_t v = 0;
  for (int i = n_bytes - 1; i >= 0; i--)
    v = v << 8 | p[i];
  return v;
}

static bool
damaged (const MediaSource *source, Status *status)
{
  return status_fail (status, STATUS_FORMAT,
                      "Cannot read \"%.300s\": the archive is damaged or cut off.", source->name);
}

/* The end record is the last one; only a comment may stand behind it. */
static bool
find_end (const MediaSource *source, uint8_t end[END_BYTES])
{
  uint8_t tail[END_BYTES + COMMENT_MAX_BYTES];
  size_t n = source->size_bytes < sizeof tail ? (size_t) source->size_bytes : sizeof tail;
  if (!media_source_read (source, source->size_bytes - n, tail, n))
    return false;
  for (size_t at = n; at-- > 0;)
    if (n - at >= END_BYTES && le (tail + at, 4) == 0x06054b50 &&
        le (tail + at + 20, 2) == n - at - END_BYTES)
      {
        memcpy (end, tail + at, END_BYTES);
        return true;
      }
  return false;
}

/* The bytes begin behind the local header, whose name and extra field may be of another length. */
static bool
locate (const MediaSource *source, ZipEntry *e, uint32_t header_at)
{
  uint8_t local[LOCAL_BYTES];
  if (!media_source_read (source, header_at, local, sizeof local) || le (local, 4) != 0x04034b50)
    return false;
  e->offset = (uint64_t) header_at + LOCAL_BYTES + le (local + 26, 2) + le (local + 28, 2);
  return e->offset <= source->size_bytes && e->size_bytes <= source->size_bytes - e->offset;
}

static bool
read_entry (Directory *d, ZipEntry *e)
{
  const uint8_t *p = d->directory + d->at;
  if (d->n_bytes - d->at < CENTRAL_BYTES || le (p, 4) != 0x02014b50)
    return damaged (d->zip->source, d->status);
  size_t n_name = le (p + 28, 2), n_all = CENTRAL_BYTES + n_name + le (p + 30, 2) + le (p + 32, 2);
  if (n_all > d->n_bytes - d->at || n_name >= ZIP_NAME_SIZE)
    return damaged (d->zip->source, d->status);
  if (le (p + 8, 2) & FLAG_ENCRYPTED || le (p + 10, 2) != 0)
    return status_fail (d->status, STATUS_UNSUPPORTED,
                        "\"%.300s\" was packed again by another program: store its members "
                        "without compression (zip -0).",
                        d->zip->source->name);
  *e = (ZipEntry){ .crc = le (p + 16, 4), .size_bytes = le (p + 24, 4) };
  memcpy (e->name, p + CENTRAL_BYTES, n_name);
  d->at += n_all;
  return (le (p + 20, 4) == e->size_bytes && strlen (e->name) == n_name &&
          locate (d->zip->source, e, le (p + 42, 4))) ||
         damaged (d->zip->source, d->status);
}

static int
compare_cb (const void *a, const void *b)
{
  return strcmp (((const ZipEntry *) a)->name, ((const ZipEntry *) b)->name);
}

static bool
read_entries (Directory *d, size_t n_entries)
{
  ZipReader *zip = d->zip;
  zip->entries = mem_calloc (n_entries, sizeof *zip->entries);
  if (!zip->entries)
    return status_fail (d->status, STATUS_NO_MEMORY,
                        "Out of memory: close other programs and retry.");
  for (; zip->n_entries < n_entries; zip->n_entries++)
    if (!read_entry (d, &zip->entries[zip->n_entries]))
      return false;
  qsort (zip->entries, n_entries, sizeof *zip->entries, compare_cb);
  for (size_t i = 1; i < n_entries; i++)
    if (compare_cb (&zip->entries[i - 1], &zip->entries[i]) == 0)
      return damaged (zip->source, d->status);
  return true;
}

bool
zip_reader_open (ZipReader *zip, const MediaSource *source, Status *status)
{
  uint8_t end[END_BYTES];
  *zip = (ZipReader){ .source = source };
  if (!find_end (source, end))
    return damaged (source, status);
  size_t n_entries = le (end + 10, 2), n_bytes = le (end + 12, 4);
  if (n_bytes > DIRECTORY_MAX_BYTES || n_entries * CENTRAL_BYTES > n_bytes)
    return damaged (source, status);
  uint8_t *directory = mem_calloc (n_bytes + 1, 1);
  if (!directory)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  Directory d = { zip, directory, n_bytes, 0, status };
  bool ok = (media_source_read (source, le (end + 16, 4), directory, n_bytes) ||
             damaged (source, status)) &&
            read_entries (&d, n_entries);
  mem_free (directory);
  if (!ok)
    zip_reader_close (zip);
  return ok;
}

void
zip_reader_close (ZipReader *zip)
{
  mem_free (zip->entries);
  *zip = (ZipReader){ 0 };
}

const ZipEntry *
zip_reader_find (const ZipReader *zip, const char *name)
{
  ZipEntry key = { .offset = 0 };
  if (strlen (name) >= sizeof key.name || zip->n_entries == 0)
    return NULL;
  memcpy (key.name, name, strlen (name) + 1);
  return bsearch (&key, zip->entries, zip->n_entries, sizeof key, compare_cb);
}

uint8_t *
zip_reader_read (const ZipReader *zip, const ZipEntry *entry, Status *status)
{
  uint8_t *data = mem_calloc ((size_t) entry->size_bytes + 1, 1);
  if (!data)
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  else if (!media_source_read (zip->source, entry->offset, data, entry->size_bytes) ||
           crc32_z (0, data, entry->size_bytes) != entry->crc)
    {
      damaged (zip->source, status);
      mem_free (data);
      data = NULL;
    }
  return data;
}
