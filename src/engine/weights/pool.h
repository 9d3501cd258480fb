/* SPDX-License-Identifier: MPL-2.0
 * pool.h - memory of one opened model: many small strings and tables that are freed together.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

typedef struct PoolBlock PoolBlock;

/* Zero-initialise. */
typedef struct
{
  PoolBlock *blocks;
} Pool;

void pool_clear (Pool *pool);

/* All return zero-filled or copied memory owned by @pool, aligned to 16 bytes; NULL and
 * STATUS_NO_MEMORY when there is none. */
void *pool_alloc (Pool *pool, size_t count, size_t item_size, Status *status);
char *pool_strndup (Pool *pool, const char *text, size_t n, Status *status);
char *pool_strdup (Pool *pool, const char *text, Status *status);
char *pool_printf (Pool *pool, Status *status, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* Like mem_grow, for an array that lives in the pool (the old one stays until the pool goes). */
bool pool_grow (
    Pool *pool, void *items, size_t *capacity, size_t needed, size_t item_size, Status *status);

/* Sets STATUS_NO_MEMORY.  Returns: false */
bool out_of_memory (Status *status);
