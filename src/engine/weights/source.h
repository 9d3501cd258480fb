/* SPDX-License-Identifier: MPL-2.0
 * source.h - reads the tensor table of a file in any container, or of a set of shards.
 */
#pragma once

#include "weights/tensor-table.h"
#include "weights/weight-set.h"

typedef struct
{
  TensorTable table;     /* in the set's pool */
  const char *container; /* "safetensors", "GGUF", "pickle", "pickle (legacy)" */
  int64_t file_bytes;
} Source;

/* source_read:
 * @path: a model file, or NAME.index.json beside its shards, or one shard of those
 * @set: gets the mapped files
 *
 * The content decides on the container, never the extension.  Quantised weights have their scales
 * and logical shapes (quantised.h).
 *
 * Fails: NOT_FOUND, IO, FORMAT, UNSUPPORTED, NO_MEMORY; call source_clear in any case
 */
bool
source_read (Source *source, WeightSet *set, const char *path, bool header_only, Status *status);
void source_clear (Source *source);
