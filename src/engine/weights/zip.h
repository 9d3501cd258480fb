/* SPDX-License-Identifier: MPL-2.0
 * zip.h - the directory of a ZIP archive whose members are stored, not compressed (torch.save).
 */
#pragma once

#include "weights/pool.h"

#include <stdint.h>

typedef struct
{
  const char *name;
  uint64_t size;         /* bytes of the member */
  uint64_t local_offset; /* of its local header */
  bool is_stored;
} ZipEntry;

typedef struct
{
  const uint8_t *data;
  size_t size;
  const char *label;
  ZipEntry *entries; /* in the pool */
  size_t n_entries;
} Zip;

bool zip_sniff (const void *data, size_t size);

/* zip_open:
 * @data, @size: the whole archive; must outlive @zip
 * @label: the file's name, for messages; borrowed
 *
 * Reads the central directory (zip64 as well) and nothing else.
 *
 * Fails: FORMAT, NO_MEMORY
 */
bool
zip_open (Zip *zip, Pool *pool, const void *data, size_t size, const char *label, Status *status);

/* Where a member's bytes lie.  Touches its local header.  NULL: FORMAT (out of bounds), UNSUPPORTED
 * (compressed). */
const uint8_t *zip_entry_data (const Zip *zip, const ZipEntry *entry, Status *status);
