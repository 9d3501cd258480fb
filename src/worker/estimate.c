/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/estimate.h"

#include <math.h>

#include "core/dtype.h"
#include "core/mem.h"
#include "worker/eta.h"

enum
{
  WIDTH = 640,
  CHANNELS = 320, /* half of WIDTH, so that half as many rows as pixels take the same room */
  REPEATS = 4,
  SIDE = 32,           /* of the picture */
  CARD_FIRST_SIDE = 8, /* to see whether the larger one pays */
  CARD_SIDE = 128      /* enough to keep any card busy */
};

/* Whole networks run at this share of their large layers' rate: norms, softmax, small layers. */
static const double SHARE_OF_LARGE_LAYERS = 0.8;
/* A large layer reads its weights once; small batches of tokens are limited by memory instead. */
static const double WEIGHT_BYTES_PER_SECOND = 6e9;
/* A card that is done with small layers sooner waits for the program more than it computes. */
static const double SMALL_SECONDS = 2e-3;
/* A round that takes longer need not be repeated. */
static const double ENOUGH_SECONDS = 0.2;

/* Where one linear layer and one convolution work. */
typedef struct
{
  Backend *backend;
  Compute compute;
  int64_t side, n_rows;
  float *x, *y; /* on the device */
  float *w;
} Sample;

static bool
take (Sample *s, Status *status)
{
  Device *d = &s->backend->device;
  size_t n = (size_t) (s->n_rows * WIDTH);
  size_t n_bytes = n * dtype_size (device_activation (d, s->compute));
  s->w = mem_calloc (9 * CHANNELS * CHANNELS, sizeof *s->w);
  s->x = d->memory ? d->memory->take (d, n_bytes, status) : mem_calloc (n, sizeof *s->x);
  s->y = d->memory ? d->memory->take (d, n_bytes, status) : mem_calloc (n, sizeof *s->y);
  if (!s->w || !s->x || !s->y)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  if (!d->memory)
    return true;
  d->memory->begin (d, device_activation (d, s->compute), NULL);
  d->memory->clear (d, s->x, n_bytes);
  return d->memory->finish (d, status);
}

static void
give_back (Sample *s)
{
  Device *d = &s->backend->device;
  backend_forget (s->backend); /* it may hold a copy of w */
  if (d->memory && s->x)
    d->memory->give_back (d, s->x);
  if (d->memory && s->y)
    d->memory->give_back (d, s->y);
  if (!d->memory)
    {
      mem_free (s->x);
      mem_free (s->y);
    }
  mem_free (s->w);
}

static void
compute_once (const Sample *s)
{
  Backend *b = s->backend;
  b->ops.linear (b, &(LinearArgs){ .n_rows = s->n_rows,
                                   .n_out = WIDTH,
                                   .n_in = WIDTH,
                                   .x = s->x,
                                   .x_stride = WIDTH,
                                   .w = { s->w, DTYPE_F32 },
                                   .y = s->y,
                                   .y_stride = WIDTH,
                                   .compute = s->compute });
  b->ops.conv2d (b, &(ConvArgs){ .n = 1,
                                 .h_in = s->side,
                                 .w_in = s->side,
                                 .c_in = CHANNELS,
                                 .h_out = s->side,
                                 .w_out = s->side,
                                 .c_out = CHANNELS,
                                 .kernel = 3,
                                 .stride = 1,
                                 .pad_top = 1,
                                 .pad_left = 1,
                                 .x = s->x,
                                 .w = { s->w, DTYPE_F32 },
                                 .y = s->y,
                                 .compute = s->compute });
}

/* @seconds: the shortest of REPEATS rounds; on a card the first brings the weights there. */
static bool
time_rounds (const Sample *s, double *seconds, Status *status)
{
  Device *d = &s->backend->device;
  *seconds = INFINITY;
  for (int i = 0; i < REPEATS && (i == 0 || *seconds < ENOUGH_SECONDS); i++)
    {
      double start = clock_seconds ();
      compute_once (s);
      if (d->memory && !d->memory->finish (d, status))
        return false;
      *seconds = fmin (*seconds, clock_seconds () - start);
    }
  return true;
}

static bool
measure (Backend *b, Compute compute, int64_t side, double *rate, double *seconds, Status *status)
{
  Sample s = { .backend = b, .compute = compute, .side = side, .n_rows = side * side / 2 };
  double pixels = (double) (side * side);
  double flops = pixels * WIDTH * WIDTH + 2 * pixels * 9 * CHANNELS * CHANNELS;
  bool ok = take (&s, status) && time_rounds (&s, seconds, status);
  if (ok)
    *rate = flops / *seconds;
  give_back (&s);
  return ok;
}

bool
estimate_rate (Backend *backend, Compute compute, double *rate, Status *status)
{
  double seconds;
  if (!backend->device.memory)
    return measure (backend, compute, SIDE, rate, &seconds, status);
  return measure (backend, compute, CARD_FIRST_SIDE, rate, &seconds, status) &&
         (seconds > SMALL_SECONDS || measure (backend, compute, CARD_SIDE, rate, &seconds, status));
}

Estimate
estimate_from_rate (const PipelinePlan *plan, double rate)
{
  Estimate e = { .gflops = rate / 1e9 };
  for (int i = 0; i < PHASE_COUNT; i++)
    {
      const PhasePlan *p = &plan->phases[i];
      double pass = p->flops / (rate * SHARE_OF_LARGE_LAYERS) +
                    (double) p->weight_bytes / WEIGHT_BYTES_PER_SECOND;
      e.seconds[i] = pass * p->n_passes;
      e.total_seconds += e.seconds[i];
    }
  return e;
}

bool
estimate_job (
    Backend *backend, Compute compute, const PipelinePlan *plan, Estimate *e, Status *status)
{
  double rate;
  *e = (Estimate){ 0 };
  if (!estimate_rate (backend, compute, &rate, status))
    return false;
  *e = estimate_from_rate (plan, rate);
  return true;
}
