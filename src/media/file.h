/* SPDX-License-Identifier: MPL-2.0
 * file.h - bytes of a file or of memory read by position; files written whole or not at all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/status.h"

enum
{
  MEDIA_SOURCE_MAX_BYTES = 256 << 20
};

/* Where a parser reads from: an open file, or memory when @fd is -1. */
typedef struct
{
  const char *name; /* for error sentences; borrowed */
  int fd;
  const uint8_t *data;
  uint64_t size_bytes;
} MediaSource;

bool media_source_open (MediaSource *source, const char *path, Status *status);
MediaSource media_source_from_memory (const void *data, size_t n_bytes, const char *name);
void media_source_close (MediaSource *source);
/* Returns: false without a status when fewer than @n_bytes are left at @offset or reading failed.
 */
bool media_source_read (const MediaSource *source, uint64_t offset, void *out, size_t n_bytes);
/* media_source_read_all:
 *
 * For parsers that want the whole file, at most MEDIA_SOURCE_MAX_BYTES.
 * Returns: @source->size_bytes of them, the caller's to mem_free; NULL and IO, UNSUPPORTED,
 * NO_MEMORY
 */
uint8_t *media_source_read_all (const MediaSource *source, Status *status);

/* media_spool_open:
 *
 * A nameless file in the folder of @path, gone when it is closed; for what is too much for memory.
 * Returns: its descriptor, to media_spool_close; -1 and IO, NO_MEMORY
 */
int media_spool_open (const char *path, Status *status);
/* Appends.  @path: of the file that it is for, for the sentence; fails: IO (disk full) */
bool
media_spool_write (int spool, const void *data, size_t n_bytes, const char *path, Status *status);
bool media_spool_read (
    int spool, uint64_t offset, void *out, size_t n_bytes, const char *path, Status *status);
/* -1 is fine. */
void media_spool_close (int spool);

/* A file that appears under its name only when it is complete.  Zero-initialise. */
typedef struct
{
  char *path, *temp_path; /* the temporary file lies in the same folder */
  int fd;
  bool open;
} AtomicFile;

bool atomic_file_open (AtomicFile *file, const char *path, Status *status);
bool atomic_file_write (AtomicFile *file, const void *data, size_t n_bytes, Status *status);
/* Over bytes that were written before; what is written next still goes to the end. */
bool atomic_file_write_at (
    AtomicFile *file, uint64_t offset, const void *data, size_t n_bytes, Status *status);
/* atomic_file_commit:
 * @overwrite: replace a file of that name; else it is an error that there is one
 *
 * Brings the bytes to the disk, then the name.  On failure the temporary file is removed.
 */
bool atomic_file_commit (AtomicFile *file, bool overwrite, Status *status);
/* file_move_new:
 *
 * @from takes the name @to, which no file may have; copied where that lies on another file system.
 * Fails: IO, with @from as it was
 */
bool file_move_new (const char *from, const char *to, Status *status);
/* Removes what was written, unless it was committed; does nothing on an empty file. */
void atomic_file_discard (AtomicFile *file);
