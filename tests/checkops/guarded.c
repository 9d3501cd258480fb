/* SPDX-License-Identifier: MPL-2.0
 * guarded.c - memory that ends right before a page nobody may touch, as a mapped file may.
 *
 * What a case frees stays mapped for the next ones: fresh pages cost more than filling old ones.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "checkops.h"
#include "core/mem.h"

enum
{
  N_CLASSES = 48 /* of class k: 2^k pages */
};

struct Guarded
{
  Guarded *next;
  char *map;
  size_t usable_bytes; /* behind them the guard page */
  int size_class;
};

static Guarded *spare[N_CLASSES];

static size_t
page_size (void)
{
  return (size_t) sysconf (_SC_PAGESIZE);
}

static int
class_of (size_t size_bytes)
{
  int size_class = 0;
  while (page_size () << size_class < size_bytes)
    size_class++;
  return size_class;
}

/* Returns: NULL when there is no memory */
static Guarded *
map_before_guard (int size_class)
{
  Guarded *g = mem_calloc (1, sizeof *g);
  if (!g)
    return NULL;
  g->size_class = size_class;
  g->usable_bytes = page_size () << size_class;
  g->map = mmap (NULL, g->usable_bytes + page_size (), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (g->map == MAP_FAILED || mprotect (g->map + g->usable_bytes, page_size (), PROT_NONE) != 0)
    return NULL;
  return g;
}

static Guarded *
take_spare (int size_class)
{
  Guarded *g = spare[size_class];
  if (g)
    spare[size_class] = g->next;
  return g;
}

/* Returns: @size_bytes of zeros that end at the guard page, freed with @list */
void *
guarded_new (Guarded **list, size_t size_bytes)
{
  int size_class = class_of (size_bytes);
  Guarded *g = take_spare (size_class);
  if (!g)
    g = map_before_guard (size_class);
  if (!g)
    {
      fprintf (stderr, "checkops: out of memory\n");
      exit (EXIT_FAILURE);
    }
  g->next = *list;
  *list = g;
  return memset (g->map + g->usable_bytes - size_bytes, 0, size_bytes);
}

void
guarded_free_all (Guarded **list)
{
  while (*list)
    {
      Guarded *g = *list;
      *list = g->next;
      g->next = spare[g->size_class];
      spare[g->size_class] = g;
    }
}

/* Gives back what is kept for the next case. */
void
guarded_unmap (void)
{
  for (int size_class = 0; size_class < N_CLASSES; size_class++)
    while (spare[size_class])
      {
        Guarded *g = take_spare (size_class);
        munmap (g->map, g->usable_bytes + page_size ());
        mem_free (g);
      }
}
