/* SPDX-License-Identifier: MPL-2.0
 * pace.c - how far the program runs ahead of the card.
 *
 * Launches are queued long before they are done, and what is queued cannot be taken back: so a
 * cancelled job ends when the queue is empty.  Marks in it keep the program at most three stretches
 * of STRETCH_SECONDS or STRETCH_LAUNCHES ahead, which a card does not notice, and attention over
 * long clips, the one operator that takes longer by itself, is done in parts.
 *
 * Seconds are guessed from the card's kind, at half of its published rate: a fast kernel ends
 * earlier.  GESSO_CUDA_LEAD_MS is a stretch's length instead of 15.
 */
#include <stdlib.h>

#include "cuda.h"

enum
{
  STRETCH_LAUNCHES = 32,
  PARTS_IN_STRETCH = 3, /* an operator may take as long as three stretches */
  QUERIES = 128,        /* parts are a multiple of what any attention kernel gives a block */
  MULTIPROCESSORS = 16  /* CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT */
};

static const double STRETCH_SECONDS = 0.015;

/* Operations in a second of a multiprocessor: half of what its 16-bit tensor cores are said to do,
 * summing in f32. */
static double
rate_of (int capability)
{
  switch (capability)
    {
    case 80:
      return 1.4e12;
    case 86:
      return 0.4e12;
    case 90:
    case 100:
    case 103:
      return 3.5e12;
    default:
      return 0.6e12;
    }
}

bool
cuda_pace_open (CudaBackend *b, Status *status)
{
  const char *lead = getenv ("GESSO_CUDA_LEAD_MS");
  CudaPace *p = &b->pace;
  int n = 0, error = b->driver->attribute (&n, MULTIPROCESSORS, b->device);
  for (int i = 0; i < CUDA_MARKS; i++)
    error = error ? error : b->driver->event_new (&p->marks[i], DRIVER_EVENT_NO_TIMING);
  if (error)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "The NVIDIA card cannot be used (%s, error %d): close other programs that "
                        "use it, or let the CPU compute.",
                        driver_error (b->driver, error), error);
  p->n_multiprocessors = n > 0 ? n : 1;
  p->rate = rate_of (b->capability) * p->n_multiprocessors;
  p->stretch = lead && *lead ? strtod (lead, NULL) * 1e-3 : STRETCH_SECONDS;
  return true;
}

void
cuda_pace_close (CudaBackend *b)
{
  for (int i = 0; i < CUDA_MARKS; i++)
    if (b->pace.marks[i])
      b->driver->event_free (b->pace.marks[i]);
}

void
cuda_pace (CudaBackend *b, double operations)
{
  CudaPace *p = &b->pace;
  p->seconds += operations / p->rate;
  if (++p->n_launches < STRETCH_LAUNCHES && p->seconds < p->stretch)
    return;
  DriverEvent mark = p->marks[p->next];
  int error = p->is_set[p->next] ? b->driver->event_wait (mark) : DRIVER_OK;
  error = error ? error : b->driver->event_record (mark, b->compute);
  cuda_works (b, error, STATUS_MARK ("it computed"));
  p->is_set[p->next] = true;
  p->next = (p->next + 1) % CUDA_MARKS;
  p->n_launches = 0;
  p->seconds = 0;
}

/* As many tiles of queries as fit @most, and fill the multiprocessors best. */
static int64_t
choose_tiles (const CudaPace *p, int64_t n_heads, int64_t most)
{
  int64_t best = most, n = p->n_multiprocessors;
  double best_share = 0;
  for (int64_t tiles = most; tiles > most / 2; tiles--)
    {
      int64_t blocks = tiles * n_heads, waves = (blocks + n - 1) / n;
      double share = (double) blocks / (double) (waves * n);
      if (share > best_share)
        {
          best = tiles;
          best_share = share;
        }
    }
  return best;
}

int64_t
cuda_pace_queries (const CudaBackend *b, const GkAttention *a)
{
  const CudaPace *p = &b->pace;
  double tile = 4.0 * QUERIES * (double) (a->n_heads * a->len_k * a->head_dim) / p->rate;
  double most = PARTS_IN_STRETCH * p->stretch / tile;
  int64_t n_tiles = (a->len_q + QUERIES - 1) / QUERIES;
  if (a->causal || a->relative_bias || (double) n_tiles * (double) a->n <= most)
    return a->len_q;
  int64_t tiles = most < 1 ? 1 : most > (double) n_tiles ? n_tiles : (int64_t) most;
  return choose_tiles (p, a->n_heads, tiles) * QUERIES;
}
