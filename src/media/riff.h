/* SPDX-License-Identifier: MPL-2.0
 * riff.h - chunks of a WebP file.
 */
#pragma once

#include "media/file.h"

/* The first 12 bytes of a WebP file. */
bool riff_is_webp (const uint8_t *data, size_t n_bytes);

/* riff_find:
 * @type: four characters
 * @damaged: set when the file is cut off before such a chunk is found
 *
 * Returns: where the first chunk of that type has its *@n_bytes of payload; false when there is
 * none, or the file is no WebP
 */
bool riff_find (
    const MediaSource *source, const char *type, uint64_t *offset, size_t *n_bytes, bool *damaged);
