/* SPDX-License-Identifier: MPL-2.0
 * model-hash.h - the SHA-256 of a model file, remembered between runs.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "core/status.h"

enum
{
  MODEL_HASH_SIZE = 65 /* 64 hexadecimal digits and a NUL */
};

/* model_hash:
 * @path: a file; folders have no hash of their own and give ""
 * @cancel: NULL, or a flag that any thread may set
 *
 * Reads the file only when its size or time of change differs from what is remembered in
 * $XDG_CACHE_HOME/gesso/hashes.  A cache that cannot be read or written is no error.
 *
 * Fails: IO, CANCELLED
 */
bool
model_hash (const char *path, char out[MODEL_HASH_SIZE], const atomic_bool *cancel, Status *status);

/* That of a safetensors file without its header (AutoV3: the name survives a change of metadata);
 * of other files the whole one's. */
bool model_tensors_hash (const char *path,
                         char out[MODEL_HASH_SIZE],
                         const atomic_bool *cancel,
                         Status *status);
