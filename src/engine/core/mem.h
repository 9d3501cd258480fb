/* SPDX-License-Identifier: MPL-2.0
 * mem.h - the one door to the heap, so that tests can make the n-th allocation fail.
 *
 * All engine code allocates here; lint forbids malloc elsewhere.  Every function returns NULL when
 * out of memory and never aborts; callers turn that into STATUS_NO_MEMORY.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* Zero-filled; NULL when out of memory or when @count * @size overflows. */
void *mem_calloc (size_t count, size_t size);

/* Like realloc: on failure NULL, and @p is untouched. */
void *mem_realloc (void *p, size_t size_bytes);

void mem_free (void *p);
char *mem_strdup (const char *text);

/* Anonymous pages aligned to 64 bytes or better, for buffers of megabytes; zero-filled.  Pages are
 * taken from the system on first touch. */
void *mem_map (size_t size_bytes);
void mem_unmap (void *p, size_t size_bytes);

/* Pages that hold @pattern again and again, and take no more memory than once; to be read only.
 * @pattern_bytes: a multiple of the page size.  Give back with mem_unmap. */
void *mem_map_repeated (size_t size_bytes, const void *pattern, size_t pattern_bytes);

/* mem_grow:
 * @items: address of the pointer to an array, NULL at first
 * @capacity: address of its capacity in items
 * @needed: items it has to hold
 *
 * Makes room, at least doubling.  Returns: false and STATUS_NO_MEMORY with the array untouched.
 */
bool mem_grow (void *items, size_t *capacity, size_t needed, size_t item_size, Status *status);

/* For tests: the @nth allocation from now (1 = the next) fails once; 0 switches it off. */
void mem_fail_at (int64_t nth);
/* For tests: allocations asked for since the last mem_fail_at. */
int64_t mem_count (void);
/* For tests: allocations that have not been freed. */
int64_t mem_live (void);
