/* SPDX-License-Identifier: MPL-2.0
 * name-index.c - open addressing with linear probing; never more than half full.
 */
#include "weights/name-index.h"

#include <string.h>

#include "core/mem.h"
#include "weights/pool.h"

enum
{
  FIRST_SIZE = 64
};

/* FNV-1a */
static uint64_t
hash_name (const char *name)
{
  uint64_t h = 0xcbf29ce484222325u;
  for (const unsigned char *p = (const unsigned char *) name; *p; p++)
    h = (h ^ *p) * 0x100000001b3u;
  return h ^ h >> 32;
}

static struct NameSlot *
probe (const NameIndex *index, const char *name)
{
  size_t mask = index->n_slots - 1;
  size_t i = hash_name (name) & mask;
  while (index->slots[i].name && strcmp (index->slots[i].name, name) != 0)
    i = (i + 1) & mask;
  return &index->slots[i];
}

static bool
enlarge (NameIndex *index, Status *status)
{
  NameIndex larger = { .n_slots = index->n_slots ? index->n_slots * 2 : FIRST_SIZE,
                       .n_used = index->n_used };
  larger.slots = mem_calloc (larger.n_slots, sizeof *larger.slots);
  if (!larger.slots)
    return out_of_memory (status);
  for (size_t i = 0; i < index->n_slots; i++)
    if (index->slots[i].name)
      *probe (&larger, index->slots[i].name) = index->slots[i];
  mem_free (index->slots);
  *index = larger;
  return true;
}

void
name_index_clear (NameIndex *index)
{
  mem_free (index->slots);
  *index = (NameIndex){ 0 };
}

int32_t
name_index_find (const NameIndex *index, const char *name)
{
  if (!index->n_slots)
    return -1;
  const struct NameSlot *slot = probe (index, name);
  return slot->name ? slot->item : -1;
}

bool
name_index_set (NameIndex *index, const char *name, int32_t item, Status *status)
{
  if ((index->n_used + 1) * 2 > index->n_slots && !enlarge (index, status))
    return false;
  struct NameSlot *slot = probe (index, name);
  if (!slot->name)
    index->n_used++;
  *slot = (struct NameSlot){ name, item };
  return true;
}
