/* SPDX-License-Identifier: MPL-2.0 */
#include "core/arena.h"

#include <string.h>

#include "core/mem.h"

enum
{
  CHUNK_BYTES = 64 * 1024,
  ALIGNMENT = 16
};

struct ArenaChunk
{
  ArenaChunk *next;
  size_t used, size;
  _Alignas(ALIGNMENT) char data[];
};

static ArenaChunk *
chunk_new (size_t size)
{
  size = size > CHUNK_BYTES ? size : CHUNK_BYTES;
  ArenaChunk *c = mem_calloc (1, sizeof *c + size);
  if (c)
    c->size = size;
  return c;
}

/* The chunk with room for @size, walking on through chunks kept by arena_reset. */
static ArenaChunk *
chunk_with_room (Arena *arena, size_t size)
{
  ArenaChunk *c = arena->current;
  while (c && c->size - c->used < size && c->next)
    c = c->next;
  if (!c || c->size - c->used < size)
    {
      ArenaChunk *added = chunk_new (size);
      if (!added)
        return NULL;
      if (c)
        c->next = added;
      else
        arena->first = added;
      c = added;
    }
  return arena->current = c;
}

void *
arena_alloc (Arena *arena, size_t size, Status *status)
{
  size = (size + ALIGNMENT - 1) & ~(size_t) (ALIGNMENT - 1);
  ArenaChunk *c = chunk_with_room (arena, size);
  if (!c)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  void *p = c->data + c->used;
  c->used += size;
  return memset (p, 0, size);
}

char *
arena_strdup (Arena *arena, const char *text, Status *status)
{
  size_t size = strlen (text) + 1;
  char *copy = arena_alloc (arena, size, status);
  return copy ? memcpy (copy, text, size) : NULL;
}

void
arena_reset (Arena *arena)
{
  for (ArenaChunk *c = arena->first; c; c = c->next)
    c->used = 0;
  arena->current = arena->first;
}

void
arena_clear (Arena *arena)
{
  for (ArenaChunk *c = arena->first, *next; c; c = next)
    {
      next = c->next;
      mem_free (c);
    }
  *arena = (Arena){ 0 };
}
