/* SPDX-License-Identifier: MPL-2.0
 * arena.h - many small objects with one end of life: a bump allocator over chunks.
 */
#pragma once

#include <stddef.h>

#include "core/status.h"

typedef struct ArenaChunk ArenaChunk;

/* Zero-initialise. */
typedef struct
{
  ArenaChunk *first, *current;
} Arena;

/* Zero-filled, aligned to 16 bytes; lives until arena_reset or arena_clear.
 * Returns: NULL and STATUS_NO_MEMORY */
void *arena_alloc (Arena *arena, size_t size_bytes, Status *status);
char *arena_strdup (Arena *arena, const char *text, Status *status);

/* Forgets the objects but keeps the chunks: the next round allocates nothing. */
void arena_reset (Arena *arena);
void arena_clear (Arena *arena);
