/* SPDX-License-Identifier: MPL-2.0
 * cpu-fold.c - adapters that are added to the weights while these are packed.
 *
 * Weights are packed on every call, so a panel that lies in the cache can take up diag (scale) down
 * before it is used: nothing else sees the sum, and the next call may have other scales.  That
 * costs 2 n_in n_out rank operations whatever the number of rows, the way beside the layer
 * (SidePath) 2 n_rows (n_in + n_out) rank: of the layer itself rank / n_rows here, and there rank
 * (n_in + n_out) / (n_in n_out).  At rank 128 that is 3.1 % of 4096 rows of 3072 x 12288 and 1.6 %
 * of 8192 rows of 640 x 640, instead of 5.2 % and 40 %.
 *
 * The same tiles make it: C is the panel, its rows are units of the weight; A is down, transposed
 * once by all threads into the end of the shared scratch; B is a panel of up, scaled.
 *
 * Panels are f32 here, also where factors are rounded to bf16: the sum stays as it is, so a small
 * delta is not lost in the rounding of a large weight as it is in a model merged into bf16.  Levels
 * whose panels hold pairs of bf16 would have to round it, and keep the way beside the layer.
 */
#include "backend/cpu-gemm.h"

enum
{
  DOWN_UNITS = GEMM_A_STRIDE / 4,
  MOST_IN = 24 << 10 /* elements of a row: transposed factors then leave 18 MiB to panels */
};

bool
cpu_folds (const Backend *base, Compute compute, int64_t n_rows, int64_t n_out, int64_t n_in)
{
  const CpuBackend *b = (const CpuBackend *) base;
  if (gemm_kernels (b, compute)->format == GEMM_PAIRS || n_in > MOST_IN)
    return false;
  /* Equal operations are at n_rows = n_in n_out / (n_in + n_out).  A guided step has twice the rows
   * of its pictures, a plain one has not: the limit is between the two. */
  return 3 * n_rows * (n_in + n_out) > 2 * n_in * n_out;
}

static char *
down_at (const GemmJob *job, int64_t unit)
{
  return job->cpu->gemm->shared + SHARED_BYTES - fold_bytes (job) + unit * GEMM_A_STRIDE;
}

static int
ranks_at_once (const Fold *f)
{
  return (int) min_i64 (FOLD_MOST_RANK, f->low_rank->rank - f->rank0);
}

/* Of a block of channels; in the order of packed weights. */
static void
transpose_down (void *data, int64_t block, int thread)
{
  const GemmJob *job = data;
  const Fold *f = &job->fold;
  int64_t c0 = block * f->block_channels;
  int nc = (int) min_i64 (f->block_channels, job->n_channels - c0);
  int n = ranks_at_once (f), units = nc * job->w.taps;
  GemmWeights down = { f->low_rank->down, job->n_channels * job->w.taps, job->w.taps };
  float *out = (float *) (void *) down_at (job, c0 * job->w.taps);
  job->cpu->gemm->f32->pack_b (out, DOWN_UNITS, &down, f->rank0, n, c0, nc, units);
  for (int r = 0; r < n; r++)
    for (int u = 0; f->low_rank->scale[f->rank0 + r] == 0 && u < units; u++)
      out[u * DOWN_UNITS + r] = 0;
}

void
gemm_fold_begin (GemmJob *job, int64_t rank0, int64_t block_channels)
{
  Fold *f = &job->fold;
  bool is_there = f->is_ready && f->rank0 == rank0;
  f->rank0 = rank0;
  f->block_channels = block_channels;
  f->is_ready = true;
  if (!is_there)
    threads_run (job->cpu->threads, ceil_div (job->n_channels, block_channels), transpose_down, job,
                 job->cpu->base.cancel);
}

int64_t
gemm_fold_next (const GemmJob *job)
{
  return job->fold.low_rank ? job->fold.rank0 + ranks_at_once (&job->fold) : 1;
}

void
gemm_fold_up (const GemmJob *job, float *up, int width, int64_t col, int n_cols)
{
  const Fold *f = &job->fold;
  int n = ranks_at_once (f);
  GemmWeights w = { f->low_rank->up, f->low_rank->rank, 1 };
  const GemmKernels *k = job->cpu->gemm->f32;
  k->pack_b (up, width, &w, job->col0 + col, n_cols, f->rank0, n, n);
  for (int r = 0; r < n; r++)
    {
      float scale = f->low_rank->scale[f->rank0 + r];
      for (int j = 0; j < width; j++) /* 0 times an infinity would be NaN */
        up[r * width + j] = scale == 0 ? 0 : up[r * width + j] * scale;
    }
}

void
gemm_fold_add (const GemmJob *job, float *panel, int width, const float *up, int64_t unit0, int n)
{
  const GemmKernels *k = job->cpu->gemm->f32;
  int mr = width == k->broad ? k->broad_mr : k->mr, units = ranks_at_once (&job->fold);
  for (int u = 0; u < n; u += mr)
    {
      int rows = n - u < mr ? n - u : mr;
      float *c = panel + (int64_t) u * width;
      const char *a = down_at (job, unit0 + u), *next = a + (int64_t) mr * GEMM_A_STRIDE;
      if (width == k->broad)
        k->tile_broad (rows, units, a, up, c, width, c, NULL, next);
      else
        k->tile (rows, width == k->nr, units, a, up, c, width, c, NULL, next);
    }
}

void
gemm_fold_init (GemmJob *job, const LowRank *low_rank)
{
  bool any = false;
  for (int64_t r = 0; r < low_rank->rank; r++)
    any |= low_rank->scale[r] != 0;
  if (any)
    job->fold.low_rank = low_rank;
  job->more_bias = low_rank->bias;
}
