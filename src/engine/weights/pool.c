/* SPDX-License-Identifier: MPL-2.0
 * pool.c - a bump allocator over blocks from core/mem.h.
 */
#include "weights/pool.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"

enum
{
  BLOCK_SIZE = 64 << 10,
  OWN_BLOCK_SIZE = BLOCK_SIZE / 4, /* larger requests get a block of their own */
  ALIGNMENT = 16
};

struct PoolBlock
{
  PoolBlock *next;
  size_t used, size;
  _Alignas(ALIGNMENT) unsigned char bytes[];
};

bool
out_of_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY,
                      "Out of memory while reading a model: close other programs and retry.");
}

void
pool_clear (Pool *pool)
{
  while (pool->blocks)
    {
      PoolBlock *next = pool->blocks->next;
      mem_free (pool->blocks);
      pool->blocks = next;
    }
}

static PoolBlock *
new_block (size_t size)
{
  PoolBlock *block = mem_calloc (1, sizeof (PoolBlock) + size);
  if (block)
    block->size = size;
  return block;
}

/* A block of its own goes behind the current one, which keeps serving small requests. */
static void *
alloc_large (Pool *pool, size_t size)
{
  PoolBlock *block = new_block (size);
  if (!block)
    return NULL;
  block->used = size;
  PoolBlock **slot = pool->blocks ? &pool->blocks->next : &pool->blocks;
  block->next = *slot;
  *slot = block;
  return block->bytes;
}

static void *
alloc_small (Pool *pool, size_t size)
{
  PoolBlock *block = pool->blocks;
  if (!block || block->size - block->used < size)
    {
      block = new_block (BLOCK_SIZE);
      if (!block)
        return NULL;
      block->next = pool->blocks;
      pool->blocks = block;
    }
  void *p = block->bytes + block->used;
  block->used += size;
  return p;
}

void *
pool_alloc (Pool *pool, size_t count, size_t item_size, Status *status)
{
  size_t size;
  void *p = NULL;
  if (!__builtin_mul_overflow (count, item_size, &size) && size < SIZE_MAX / 2)
    {
      size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
      p = size > OWN_BLOCK_SIZE ? alloc_large (pool, size) : alloc_small (pool, size);
    }
  if (!p)
    out_of_memory (status);
  return p;
}

char *
pool_strndup (Pool *pool, const char *text, size_t n, Status *status)
{
  char *copy = pool_alloc (pool, n + 1, 1, status);
  if (copy && n)
    memcpy (copy, text, n);
  return copy;
}

char *
pool_strdup (Pool *pool, const char *text, Status *status)
{
  return pool_strndup (pool, text, strlen (text), status);
}

char *
pool_printf (Pool *pool, Status *status, const char *format, ...)
{
  va_list args, again;
  va_start (args, format);
  va_copy (again, args);
  int n = vsnprintf (NULL, 0, format, args);
  char *text = n < 0 ? NULL : pool_alloc (pool, (size_t) n + 1, 1, status);
  if (text)
    vsnprintf (text, (size_t) n + 1, format, again);
  va_end (again);
  va_end (args);
  return text;
}

bool
pool_grow (
    Pool *pool, void *items, size_t *capacity, size_t needed, size_t item_size, Status *status)
{
  if (needed <= *capacity)
    return true;
  size_t cap = *capacity ? *capacity * 2 : 8;
  if (cap < needed)
    cap = needed;
  void **slot = items;
  void *p = pool_alloc (pool, cap, item_size, status);
  if (!p)
    return false;
  if (*slot)
    memcpy (p, *slot, *capacity * item_size);
  *slot = p;
  *capacity = cap;
  return true;
}
