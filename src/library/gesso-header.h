/* SPDX-License-Identifier: MPL-2.0
 * gesso-header.h - the table of tensors of a model file, without mapping the file where possible.
 */
#pragma once

#include "weights/source.h"

/* Zero-initialise. */
typedef struct
{
  WeightSet *set; /* its pool owns the table's texts */
  Source source;
  void *area; /* address space for a file's bytes, of which only the header is there */
  size_t area_bytes;
} GessoHeader;

/* gesso_header_read:
 * @path: a model file or one shard of several; any thread
 *
 * A mapped file that another program shortens ends the process that looks at it.  This one is the
 * window, and downloads are shortened and begun again, so the header of a safetensors file is read
 * with read(); its tensors' data may not be touched.  Pickles and shards are mapped for a moment.
 *
 * Fails: NOT_FOUND, IO, FORMAT, UNSUPPORTED, NO_MEMORY; call gesso_header_clear in any case
 */
bool gesso_header_read (GessoHeader *header, const char *path, Status *status);
void gesso_header_clear (GessoHeader *header);
