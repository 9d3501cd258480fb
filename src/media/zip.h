/* SPDX-License-Identifier: MPL-2.0
 * zip.h - archives whose members are stored as they are (PKWARE APPNOTE 6.3.3, without ZIP64).
 *
 * So every program that opens ZIP files can look into what is kept this way.
 */
#pragma once

#include "media/file.h"

enum
{
  ZIP_NAME_SIZE = 64,
  ZIP_MAX_ENTRIES = 65535
};

typedef struct
{
  char name[ZIP_NAME_SIZE];
  uint64_t offset; /* writing: of the local header; reading: of the bytes */
  uint32_t size_bytes, crc;
} ZipEntry;

/* An archive that appears under its name when it is complete.  Zero-initialise. */
typedef struct
{
  AtomicFile file;
  uint64_t at;
  ZipEntry *entries;
  size_t n_entries, capacity;
} ZipWriter;

bool zip_writer_open (ZipWriter *zip, const char *path, Status *status);
/* zip_writer_add:
 * @name: shorter than ZIP_NAME_SIZE, ASCII
 *
 * Fails: IO; UNSUPPORTED where the archive would grow beyond 4 GiB or ZIP_MAX_ENTRIES; NO_MEMORY
 */
bool
zip_writer_add (ZipWriter *zip, const char *name, const void *data, size_t n_bytes, Status *status);
bool zip_writer_commit (ZipWriter *zip, bool overwrite, Status *status);
void zip_writer_discard (ZipWriter *zip);

/* Zero-initialise. */
typedef struct
{
  const MediaSource *source; /* borrowed */
  ZipEntry *entries;         /* sorted by name */
  size_t n_entries;
} ZipReader;

/* zip_reader_open:
 *
 * Fails: FORMAT for what is no archive, cut off, or has members that lie outside; UNSUPPORTED for
 * packed or encrypted members; NO_MEMORY.  @zip is empty then
 */
bool zip_reader_open (ZipReader *zip, const MediaSource *source, Status *status);
void zip_reader_close (ZipReader *zip);
/* Returns: NULL when there is no such member */
const ZipEntry *zip_reader_find (const ZipReader *zip, const char *name);
/* zip_reader_read:
 *
 * Returns: @entry->size_bytes and a NUL behind them, the caller's to mem_free; NULL and FORMAT when
 * they are not those that were stored, NO_MEMORY
 */
uint8_t *zip_reader_read (const ZipReader *zip, const ZipEntry *entry, Status *status);
