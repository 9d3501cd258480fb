/* SPDX-License-Identifier: MPL-2.0
 * mapped.h - files mapped into memory, private and read-only: weights are never copied to the heap.
 *
 * A file that another program shortens while it is mapped is noticed between operators: see
 * core/guard.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

typedef struct
{
  const uint8_t *data; /* NULL when nothing is mapped */
  size_t size;
  int guard; /* its slot in core/guard.h */
} MappedFile;

/* Fails: NOT_FOUND, IO (with the system's reason), FORMAT when the file is empty */
bool mapped_open (MappedFile *file, const char *path, Status *status);
void mapped_close (MappedFile *file);

/* Asks the system to read these bytes ahead; a hint, never fails. */
void mapped_will_need (const void *data, size_t size);

/* Reads these bytes from disk; they are there when it returns.  Returns: false when they cannot be
 * had, as when the file was cut short */
bool mapped_read (const void *data, size_t size);

/* Whether touching a page reads those around it, too: at first it does.  Without, single numbers
 * here and there cost no megabytes each. */
void mapped_read_around (const MappedFile *file, bool does);

/* Gives memory of these bytes back; they are read again when they are touched.  A hint, too. */
void mapped_wont_need (const void *data, size_t size);

/* The last component of a path, for messages. */
const char *path_base (const char *path);

/* STATUS_NOT_FOUND or STATUS_IO for errno @error, naming @path.  Returns: false */
bool fail_errno (Status *status, int error, const char *verb, const char *path);
