/* SPDX-License-Identifier: MPL-2.0
 * cache.c - the last few encodings of texts and pictures, so that the next job need not encode
 * them again.
 *
 * What is cached never changes a result: it is what the encoder returned for the same input.  That
 * an entry could not be kept for want of memory is therefore no failure.
 */
#include <string.h>

#include "core/mem.h"
#include "pipelines/pipeline-private.h"

bool
encoding_cache_get (EncodingCache *cache, uint64_t key, float *values, size_t n)
{
  for (int i = 0; i < CACHE_ENTRIES; i++)
    {
      CacheEntry *e = &cache->entries[i];
      if (!e->values || e->key != key || e->n != n)
        continue;
      memcpy (values, e->values, n * sizeof *values);
      e->last_use = ++cache->clock;
      return true;
    }
  return false;
}

void
encoding_cache_put (EncodingCache *cache, uint64_t key, const float *values, size_t n)
{
  CacheEntry *oldest = &cache->entries[0];
  for (int i = 1; i < CACHE_ENTRIES; i++)
    if (cache->entries[i].last_use < oldest->last_use)
      oldest = &cache->entries[i];
  float *copy = n <= CACHE_MAX_BYTES / sizeof *copy ? mem_calloc (n, sizeof *copy) : NULL;
  if (!copy)
    return;
  memcpy (copy, values, n * sizeof *copy);
  mem_free (oldest->values);
  *oldest = (CacheEntry){ .key = key, .values = copy, .n = n, .last_use = ++cache->clock };
}

void
encoding_cache_clear (EncodingCache *cache)
{
  for (int i = 0; i < CACHE_ENTRIES; i++)
    mem_free (cache->entries[i].values);
  *cache = (EncodingCache){ 0 };
}
