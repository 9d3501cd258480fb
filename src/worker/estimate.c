/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/estimate.h"

#include "core/dtype.h"
#include "core/mem.h"
#include "worker/eta.h"

enum
{
  ROWS = 512,
  WIDTH = 640,
  REPEATS = 4,
  SIDE = 32,
  CHANNELS = 320
};

/* Whole networks run at this share of their large layers' rate: norms, softmax, small layers. */
static const double SHARE_OF_LARGE_LAYERS = 0.8;
/* A large layer reads its weights once; small batches of tokens are limited by memory instead. */
static const double WEIGHT_BYTES_PER_SECOND = 6e9;

/* Returns FLOP/s of the faster of REPEATS rounds of one linear layer and one convolution. */
static double
measure (Backend *b, Compute compute, const float *x, const float *w, float *y)
{
  LinearArgs linear = { .n_rows = ROWS,
                        .n_out = WIDTH,
                        .n_in = WIDTH,
                        .x = x,
                        .x_stride = WIDTH,
                        .w = { w, DTYPE_F32 },
                        .y = y,
                        .y_stride = WIDTH,
                        .compute = compute };
  ConvArgs conv = { .n = 1,
                    .h_in = SIDE,
                    .w_in = SIDE,
                    .c_in = CHANNELS,
                    .h_out = SIDE,
                    .w_out = SIDE,
                    .c_out = CHANNELS,
                    .kernel = 3,
                    .stride = 1,
                    .pad_top = 1,
                    .pad_left = 1,
                    .x = x,
                    .w = { w, DTYPE_F32 },
                    .y = y,
                    .compute = compute };
  double flops = 2.0 * ROWS * WIDTH * WIDTH + 2.0 * SIDE * SIDE * 9 * CHANNELS * CHANNELS, best = 0;
  for (int i = 0; i < REPEATS; i++)
    {
      double t0 = clock_seconds ();
      b->ops.linear (b, &linear);
      b->ops.conv2d (b, &conv);
      double rate = flops / (clock_seconds () - t0);
      best = rate > best ? rate : best;
    }
  return best;
}

bool
estimate_rate (Backend *backend, Compute compute, double *rate, Status *status)
{
  float *x = mem_calloc (ROWS * WIDTH, sizeof *x), *y = mem_calloc (ROWS * WIDTH, sizeof *y);
  float *w = mem_calloc (9 * CHANNELS * CHANNELS, sizeof *w);
  bool ok = x && y && w;
  if (ok)
    *rate = measure (backend, compute, x, w, y);
  else
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  mem_free (x);
  mem_free (y);
  mem_free (w);
  return ok;
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
