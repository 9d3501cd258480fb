/* SPDX-License-Identifier: MPL-2.0
 * zip.c - central directory of a ZIP archive, every field checked against the file's size.
 *
 * Source: PKWARE APPNOTE 4.3 (layout of the records) and 4.5.3 (zip64 extra field).
 */
#include "weights/zip.h"

#include <string.h>

#include "weights/tensor-table.h"

enum
{
  END_SIZE = 22,
  LOCATOR_SIZE = 20,
  END64_SIZE = 56,
  CENTRAL_SIZE = 46,
  LOCAL_SIZE = 30,
  MAX_COMMENT = 0xffff,
  EXTRA_ZIP64 = 1,
  FLAG_ENCRYPTED = 1
};

#define LOCAL_MAGIC 0x04034b50u
#define CENTRAL_MAGIC 0x02014b50u
#define END_MAGIC 0x06054b50u
#define END64_MAGIC 0x06064b50u
#define LOCATOR_MAGIC 0x07064b50u
#define SEE_ZIP64 0xffffffffu

static uint32_t
u16 (const uint8_t *p)
{
  return (uint32_t) (p[0] | p[1] << 8);
}

static uint32_t
u32 (const uint8_t *p)
{
  return u16 (p) | u16 (p + 2) << 16;
}

static uint64_t
u64 (const uint8_t *p)
{
  return u32 (p) | (uint64_t) u32 (p + 4) << 32;
}

/* True when @n bytes at @offset lie within the archive. */
static bool
within (const Zip *zip, uint64_t offset, uint64_t n)
{
  return offset <= zip->size && n <= zip->size - offset;
}

bool
zip_sniff (const void *data, size_t size)
{
  return size >= END_SIZE && u32 (data) == LOCAL_MAGIC;
}

/* The end record stands at the end, before a comment of at most 64 KB.  SIZE_MAX: none. */
static size_t
find_end (const Zip *zip)
{
  if (zip->size < END_SIZE)
    return SIZE_MAX;
  size_t last = zip->size - END_SIZE;
  size_t first = last > MAX_COMMENT ? last - MAX_COMMENT : 0;
  for (size_t at = last + 1; at-- > first;)
    if (u32 (zip->data + at) == END_MAGIC)
      return at;
  return SIZE_MAX;
}

typedef struct
{
  uint64_t n_entries, size, offset;
} Directory;

static bool
find_directory (const Zip *zip, Directory *dir, Status *status)
{
  size_t end = find_end (zip);
  if (end == SIZE_MAX)
    return damaged (status, zip->label,
                    "the end of the archive is missing, the file was cut short");
  const uint8_t *p = zip->data + end;
  *dir = (Directory){ u16 (p + 10), u32 (p + 12), u32 (p + 16) };
  if (end >= LOCATOR_SIZE && u32 (p - LOCATOR_SIZE) == LOCATOR_MAGIC)
    {
      uint64_t at = u64 (p - LOCATOR_SIZE + 8);
      if (!within (zip, at, END64_SIZE) || u32 (zip->data + at) != END64_MAGIC)
        return damaged (status, zip->label, "its zip64 record is not where it should be");
      const uint8_t *q = zip->data + at;
      *dir = (Directory){ u64 (q + 32), u64 (q + 40), u64 (q + 48) };
    }
  if (!within (zip, dir->offset, dir->size) || dir->n_entries > dir->size / CENTRAL_SIZE)
    return damaged (status, zip->label, "its directory lies outside of the file");
  return true;
}

/* Values of 0xffffffff continue in the zip64 extra field, in this order, only those needed. */
static bool
read_zip64 (const uint8_t *extra, size_t n, uint64_t *size, uint64_t *packed, uint64_t *offset)
{
  uint64_t *wanted[] = { size, packed, offset };
  while (n >= 4)
    {
      uint32_t id = u16 (extra), length = u16 (extra + 2);
      extra += 4;
      n -= 4;
      if (length > n)
        return false;
      if (id == EXTRA_ZIP64)
        for (size_t i = 0; i < 3; i++)
          if (*wanted[i] == SEE_ZIP64)
            {
              if (length < 8)
                return false;
              *wanted[i] = u64 (extra);
              extra += 8;
              length -= 8;
              n -= 8;
            }
      extra += length;
      n -= length;
    }
  return true;
}

/* Returns: bytes of the record, 0 after a failure */
static size_t
read_entry (Zip *zip, Pool *pool, const uint8_t *p, size_t left, Status *status)
{
  if (left < CENTRAL_SIZE || u32 (p) != CENTRAL_MAGIC)
    return damaged (status, zip->label, "its directory is broken");
  size_t n_name = u16 (p + 28), n_extra = u16 (p + 30), n_comment = u16 (p + 32);
  size_t total = CENTRAL_SIZE + n_name + n_extra + n_comment;
  if (total > left)
    return damaged (status, zip->label, "its directory ends too early");
  uint64_t packed = u32 (p + 20), size = u32 (p + 24), offset = u32 (p + 42);
  if (!read_zip64 (p + CENTRAL_SIZE + n_name, n_extra, &size, &packed, &offset))
    return damaged (status, zip->label, "its directory has a broken zip64 field");
  bool is_stored = u16 (p + 10) == 0 && !(u16 (p + 8) & FLAG_ENCRYPTED) && size == packed;
  if (!within (zip, offset, LOCAL_SIZE) || (is_stored && !within (zip, offset, size)))
    return damaged (status, zip->label, "a member lies outside of the file, which was cut short");
  const char *name = pool_strndup (pool, (const char *) p + CENTRAL_SIZE, n_name, status);
  if (!name)
    return 0;
  zip->entries[zip->n_entries++] = (ZipEntry){ name, size, offset, is_stored };
  return total;
}

bool
zip_open (Zip *zip, Pool *pool, const void *data, size_t size, const char *label, Status *status)
{
  *zip = (Zip){ .data = data, .size = size, .label = label };
  Directory dir = { 0 };
  if (!find_directory (zip, &dir, status))
    return false;
  zip->entries = pool_alloc (pool, dir.n_entries, sizeof *zip->entries, status);
  if (!zip->entries)
    return false;
  const uint8_t *p = zip->data + dir.offset;
  size_t left = dir.size;
  for (uint64_t i = 0; i < dir.n_entries; i++)
    {
      size_t n = read_entry (zip, pool, p, left, status);
      if (!n)
        return false;
      p += n;
      left -= n;
    }
  return true;
}

const uint8_t *
zip_entry_data (const Zip *zip, const ZipEntry *entry, Status *status)
{
  if (!entry->is_stored)
    {
      status_fail (status, STATUS_UNSUPPORTED,
                   "\"%.100s\" is a compressed or encrypted archive; extract it first and open the "
                   "model inside.",
                   zip->label);
      return NULL;
    }
  const uint8_t *p = zip->data + entry->local_offset;
  uint64_t begin = entry->local_offset + LOCAL_SIZE + u16 (p + 26) + u16 (p + 28);
  if (u32 (p) != LOCAL_MAGIC || !within (zip, begin, entry->size))
    {
      damaged (status, zip->label, "member \"%.100s\" lies outside of the file", entry->name);
      return NULL;
    }
  return zip->data + begin;
}
