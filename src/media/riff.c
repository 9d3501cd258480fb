/* SPDX-License-Identifier: MPL-2.0
 * riff.c - a bounded walk over RIFF chunks (WebP container specification).
 */
#include "media/riff.h"

#include <string.h>

enum
{
  HEADER_BYTES = 12,
  CHUNK_HEADER_BYTES = 8
};

bool
riff_is_webp (const uint8_t *data, size_t n_bytes)
{
  return n_bytes >= HEADER_BYTES && memcmp (data, "RIFF", 4) == 0 &&
         memcmp (data + 8, "WEBP", 4) == 0;
}

bool
riff_find (
    const MediaSource *source, const char *type, uint64_t *offset, size_t *n_bytes, bool *damaged)
{
  uint8_t head[HEADER_BYTES];
  uint64_t at = HEADER_BYTES;
  if (!media_source_read (source, 0, head, sizeof head) || !riff_is_webp (head, sizeof head))
    return false;
  while (media_source_read (source, at, head, CHUNK_HEADER_BYTES))
    {
      uint32_t size =
          (uint32_t) head[7] << 24 | (uint32_t) head[6] << 16 | (uint32_t) head[5] << 8 | head[4];
      if (size > source->size_bytes - at - CHUNK_HEADER_BYTES)
        break;
      if (memcmp (head, type, 4) == 0)
        {
          *offset = at + CHUNK_HEADER_BYTES;
          *n_bytes = size;
          return true;
        }
      at += CHUNK_HEADER_BYTES + (uint64_t) size + (size & 1);
    }
  *damaged |= at < source->size_bytes;
  return false;
}
