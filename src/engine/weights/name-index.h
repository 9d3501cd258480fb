/* SPDX-License-Identifier: MPL-2.0
 * name-index.h - finds an item by its name: a hash table from strings to positions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* Zero-initialise.  Names are borrowed and must outlive the index. */
typedef struct
{
  struct NameSlot
  {
    const char *name;
    int32_t item;
  } * slots;
  size_t n_slots, n_used; /* n_slots is a power of two */
} NameIndex;

void name_index_clear (NameIndex *index);

/* Returns: the item stored under @name, or -1 */
int32_t name_index_find (const NameIndex *index, const char *name);

/* Replaces an item of the same name.  Fails: NO_MEMORY, index unchanged */
bool name_index_set (NameIndex *index, const char *name, int32_t item, Status *status);
