/* SPDX-License-Identifier: MPL-2.0
 * sd-cache.c - the last few encodings of texts and pictures, so that the next job need not encode
 * them again.
 *
 * What is cached never changes a result: it is what the encoder returned for the same input.  That
 * an entry could not be kept for want of memory is therefore no failure.
 */
#include <string.h>

#include "core/mem.h"
#include "pipelines/sd-private.h"

bool
sd_cache_get (SdCache *cache, uint64_t key, float *values, size_t n)
{
  for (int i = 0; i < SD_CACHE_ENTRIES; i++)
    {
      SdCacheEntry *e = &cache->entries[i];
      if (!e->values || e->key != key || e->n != n)
        continue;
      memcpy (values, e->values, n * sizeof *values);
      e->last_use = ++cache->clock;
      return true;
    }
  return false;
}

void
sd_cache_put (SdCache *cache, uint64_t key, const float *values, size_t n)
{
  SdCacheEntry *oldest = &cache->entries[0];
  for (int i = 1; i < SD_CACHE_ENTRIES; i++)
    if (cache->entries[i].last_use < oldest->last_use)
      oldest = &cache->entries[i];
  float *copy = n <= SD_CACHE_MAX_BYTES / sizeof *copy ? mem_calloc (n, sizeof *copy) : NULL;
  if (!copy)
    return;
  memcpy (copy, values, n * sizeof *copy);
  mem_free (oldest->values);
  *oldest = (SdCacheEntry){ .key = key, .values = copy, .n = n, .last_use = ++cache->clock };
}

void
sd_cache_clear (SdCache *cache)
{
  for (int i = 0; i < SD_CACHE_ENTRIES; i++)
    mem_free (cache->entries[i].values);
  *cache = (SdCache){ 0 };
}
