/* SPDX-License-Identifier: MPL-2.0
 * hasher.h - a model's hash, computed beside the work that does not need it yet.
 */
#pragma once

#include "worker/control.h"
#include "worker/model-hash.h"

typedef struct Hasher Hasher;

/* Begins at once, at a low priority.  Returns: NULL and @status (NO_MEMORY) */
Hasher *hasher_new (const char *path, Status *status);
/* Gives up a hash that is not ready. */
void hasher_free (Hasher *hasher);

/* hasher_wait:
 *
 * Returns: the hash, "" for a folder, valid as long as @hasher; NULL and @status: CANCELLED as soon
 * as @control has a wish, IO when the file could not be read
 */
const char *hasher_wait (Hasher *hasher, const BatchControl *control, Status *status);
