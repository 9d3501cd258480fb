/* SPDX-License-Identifier: MPL-2.0
 * guarded.c - memory that ends right before a page nobody may touch, as a mapped file may.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "checkops.h"
#include "core/mem.h"

struct Guarded
{
  Guarded *next;
  void *map;
  size_t size_bytes; /* the guard page included */
};

static void *
map_before_guard (size_t size_bytes, size_t *mapped)
{
  size_t page = (size_t) sysconf (_SC_PAGESIZE);
  size_t usable = (size_bytes + page - 1) / page * page;
  *mapped = usable + page;
  char *map = mmap (NULL, *mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED || mprotect (map + usable, page, PROT_NONE) != 0)
    return NULL;
  return map;
}

/* Returns: @size_bytes of zeros that end at the guard page, freed with @list */
void *
guarded_new (Guarded **list, size_t size_bytes)
{
  Guarded *g = mem_calloc (1, sizeof *g);
  char *map = g ? map_before_guard (size_bytes, &g->size_bytes) : NULL;
  if (!map)
    {
      fprintf (stderr, "checkops: out of memory\n");
      exit (EXIT_FAILURE);
    }
  g->map = map;
  g->next = *list;
  *list = g;
  return map + g->size_bytes - (size_t) sysconf (_SC_PAGESIZE) - size_bytes;
}

void
guarded_free_all (Guarded **list)
{
  while (*list)
    {
      Guarded *g = *list;
      *list = g->next;
      munmap (g->map, g->size_bytes);
      mem_free (g);
    }
}
