/* SPDX-License-Identifier: MPL-2.0 */
#include "weights/prefetch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/available.h"
#include "core/blocks.h"
#include "core/mem.h"
#include "weights/mapped.h"
#include "weights/weight-set.h"

enum
{
  PIECE_BYTES = 4 << 20 /* read before anybody may stop it: 2 ms of a fast disk, 40 of a slow one */
};

static const size_t RESERVE_BYTES = (size_t) 1 << 30;

typedef struct
{
  int block; /* -1 outside of blocks: before them */
  const uint8_t *data;
  size_t size;
} Range;

struct Prefetch
{
  Range *ranges;
  size_t n_ranges, most_bytes;
  pthread_t thread;
  bool is_joined;
  atomic_bool stop;
  atomic_size_t n_bytes;
};

/* ---- how much ---- */

static bool
is_under (const Weight *w, const char *prefix)
{
  return w->data && strncmp (w->name, prefix, strlen (prefix)) == 0;
}

size_t
prefetch_room (const WeightSet *set, const char *busy)
{
  size_t available = available_bytes (), taken = RESERVE_BYTES;
  for (size_t i = 0; i < set->n_items; i++)
    if (is_under (set->items[i], busy))
      taken += (size_t) weight_bytes (set->items[i]);
  return available > taken ? available - taken : 0;
}

/* ---- what, in which order ---- */

static int
block_of (const char *name)
{
  static const char word[] = ".blocks.";
  const char *p = strstr (name, word);
  return p ? atoi (p + sizeof word - 1) : -1;
}

static int
by_block (const void *a, const void *b)
{
  const Range *x = a, *y = b;
  if (x->block != y->block)
    return x->block < y->block ? -1 : 1;
  return x->data < y->data ? -1 : x->data > y->data;
}

static void
collect (Prefetch *p, const WeightSet *set, const char *prefix)
{
  for (size_t i = 0; i < set->n_items; i++)
    {
      const Weight *w = set->items[i];
      Param param = weight_param (w);
      if (!is_under (w, prefix))
        continue;
      p->ranges[p->n_ranges++] =
          (Range){ block_of (w->name), (const uint8_t *) param_at (&param, 0),
                   (size_t) weight_bytes (w) };
    }
  qsort (p->ranges, p->n_ranges, sizeof *p->ranges, by_block);
}

/* ---- reading ---- */

/* Returns: false when there is no more to be read, or no use in it */
static bool
read_range (Prefetch *p, const Range *r)
{
  for (size_t at = 0, n; at < r->size; at += n)
    {
      size_t done = atomic_load (&p->n_bytes);
      n = r->size - at < PIECE_BYTES ? r->size - at : PIECE_BYTES;
      if (atomic_load (&p->stop) || done + n > p->most_bytes || !mapped_read (r->data + at, n))
        return false;
      atomic_store (&p->n_bytes, done + n);
    }
  return true;
}

static void *
run (void *data)
{
  Prefetch *p = data;
  for (size_t i = 0; i < p->n_ranges && read_range (p, &p->ranges[i]); i++)
    ;
  return NULL;
}

Prefetch *
prefetch_start (const WeightSet *set, const char *prefix, size_t most_bytes)
{
  Prefetch *p = most_bytes > 0 ? mem_calloc (1, sizeof *p) : NULL;
  if (!p)
    return NULL;
  p->most_bytes = most_bytes;
  p->ranges = mem_calloc (set->n_items, sizeof *p->ranges);
  if (p->ranges)
    collect (p, set, prefix);
  if (p->n_ranges > 0 && pthread_create (&p->thread, NULL, run, p) == 0)
    return p;
  mem_free (p->ranges);
  mem_free (p);
  return NULL;
}

void
prefetch_wait (Prefetch *p)
{
  if (!p->is_joined)
    pthread_join (p->thread, NULL);
  p->is_joined = true;
}

size_t
prefetch_stop (Prefetch *p)
{
  if (!p)
    return 0;
  atomic_store (&p->stop, true);
  prefetch_wait (p);
  size_t n_bytes = atomic_load (&p->n_bytes);
  mem_free (p->ranges);
  mem_free (p);
  return n_bytes;
}
