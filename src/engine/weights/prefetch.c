/* SPDX-License-Identifier: MPL-2.0 */
#include "weights/prefetch.h"

#include <ctype.h>
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
  PIECE_BYTES =
      4 << 20, /* read before anybody may stop it: 2 ms of a fast disk, 40 of a slow one */
  /* One waits for the disk while the other makes pages.  tests/bench/bench-loading.c compares this
   * with reading past the system's cache, which was slower there, and would read the file again for
   * each pass of a network that does not fit. */
  N_THREADS = 2
};

static const size_t RESERVE_BYTES = (size_t) 1 << 30;

typedef struct
{
  int rank; /* of its prefix */
  const char *name;
  const uint8_t *data;
  size_t size;
} Range;

struct Prefetch
{
  Range *ranges;
  size_t n_ranges, most_bytes;
  pthread_t threads[N_THREADS];
  int n_threads;
  bool is_joined;
  atomic_bool stop;
  atomic_size_t n_bytes;
  pthread_mutex_t mutex; /* of what follows: the next piece */
  size_t range, at, n_given;
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
    if (busy && is_under (set->items[i], busy))
      taken += (size_t) weight_bytes (set->items[i]);
  return available > taken ? available - taken : 0;
}

/* ---- what, in which order ---- */

/* Embeddings and the like, which come first; and FLUX's single blocks, which come last. */
static int
part_of (const char *name)
{
  if (strstr (name, ".single_"))
    return 2;
  return strstr (name, "block") || strstr (name, ".layers.");
}

/* As strcmp, but numbers count: layer 2 is before layer 10. */
static int
compare_names (const char *a, const char *b)
{
  while (*a && *b)
    {
      if (isdigit ((unsigned char) *a) && isdigit ((unsigned char) *b))
        {
          char *end_a, *end_b;
          unsigned long x = strtoul (a, &end_a, 10), y = strtoul (b, &end_b, 10);
          if (x != y)
            return x < y ? -1 : 1;
          a = end_a;
          b = end_b;
          continue;
        }
      if (*a != *b)
        break;
      a++;
      b++;
    }
  return (unsigned char) *a - (unsigned char) *b;
}

/* About the order in which a pass needs them. */
static int
by_use (const void *a, const void *b)
{
  const Range *x = a, *y = b;
  int parts = part_of (x->name) - part_of (y->name);
  if (x->rank != y->rank)
    return x->rank - y->rank;
  return parts ? parts : compare_names (x->name, y->name);
}

/* Returns: -1 when it has none of @prefixes */
static int
rank_of (const Weight *w, const char *const *prefixes)
{
  for (int i = 0; prefixes[i]; i++)
    if (is_under (w, prefixes[i]))
      return i;
  return -1;
}

static void
collect (Prefetch *p, const WeightSet *set, const char *const *prefixes)
{
  for (size_t i = 0; i < set->n_items; i++)
    {
      const Weight *w = set->items[i];
      Param param = weight_param (w);
      int rank = rank_of (w, prefixes);
      if (rank >= 0)
        p->ranges[p->n_ranges++] = (Range){ rank, w->name, (const uint8_t *) param_at (&param, 0),
                                            (size_t) weight_bytes (w) };
    }
  qsort (p->ranges, p->n_ranges, sizeof *p->ranges, by_use);
}

/* ---- reading ---- */

/* Returns: false when there is no more to be read, or no use in it */
static bool
next_piece (Prefetch *p, const uint8_t **data, size_t *n)
{
  bool found = false;
  pthread_mutex_lock (&p->mutex);
  if (p->range < p->n_ranges && !atomic_load (&p->stop))
    {
      const Range *r = &p->ranges[p->range];
      *data = r->data + p->at;
      *n = r->size - p->at < PIECE_BYTES ? r->size - p->at : PIECE_BYTES;
      found = *n <= p->most_bytes - p->n_given;
      p->n_given += found ? *n : 0;
      p->at += *n;
      if (!found)
        p->range = p->n_ranges;
      else if (p->at == r->size)
        {
          p->range++;
          p->at = 0;
        }
    }
  pthread_mutex_unlock (&p->mutex);
  return found;
}

static void *
run (void *data)
{
  Prefetch *p = data;
  const uint8_t *piece;
  size_t n;
  while (next_piece (p, &piece, &n))
    if (mapped_read (piece, n))
      atomic_fetch_add (&p->n_bytes, n);
    else
      atomic_store (&p->stop, true);
  return NULL;
}

static void
destroy (Prefetch *p)
{
  pthread_mutex_destroy (&p->mutex);
  mem_free (p->ranges);
  mem_free (p);
}

Prefetch *
prefetch_start (const WeightSet *set, const char *const *prefixes, size_t most_bytes)
{
  Prefetch *p = most_bytes > 0 ? mem_calloc (1, sizeof *p) : NULL;
  if (!p)
    return NULL;
  pthread_mutex_init (&p->mutex, NULL);
  p->most_bytes = most_bytes;
  p->ranges = mem_calloc (set->n_items, sizeof *p->ranges);
  if (p->ranges)
    collect (p, set, prefixes);
  while (p->n_ranges > 0 && p->n_threads < N_THREADS &&
         pthread_create (&p->threads[p->n_threads], NULL, run, p) == 0)
    p->n_threads++;
  if (p->n_threads > 0)
    return p;
  destroy (p);
  return NULL;
}

void
prefetch_wait (Prefetch *p)
{
  for (int i = 0; i < p->n_threads && !p->is_joined; i++)
    pthread_join (p->threads[i], NULL);
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
  destroy (p);
  return n_bytes;
}
