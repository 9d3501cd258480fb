/* SPDX-License-Identifier: MPL-2.0
 * cpu-linear.c - linear layers: a few rows as GEMV at the speed of memory, more as a product.
 */
#include "backend/cpu-gemm.h"
#include "core/dtype.h"

enum
{
  GEMV_TASK_COLUMNS = 64
};

typedef struct
{
  CpuBackend *cpu;
  const GemmKernels *kernels;
  const LinearArgs *args;
  GemmWeights w;
  int64_t row0;
  int n_rows;
  const float *x; /* rounded copies where the format asks for it */
  int64_t x_stride;
} GemvJob;

static void
gemv_task (void *data, int64_t index, int thread)
{
  const GemvJob *job = data;
  const LinearArgs *a = job->args;
  int64_t n0 = index * GEMV_TASK_COLUMNS, n1 = min_i64 (n0 + GEMV_TASK_COLUMNS, a->n_out);
  float bias[GEMV_TASK_COLUMNS];
  if (a->bias.data)
    dtype_to_f32 (bias,
                  (const char *) a->bias.data + (size_t) n0 * dtype_size ((DType) a->bias.dtype),
                  (DType) a->bias.dtype, n1 - n0);
  GemmWeights w = job->w;
  w.data = (const char *) w.data + (size_t) (n0 * a->n_in) * dtype_size ((DType) w.dtype);
  int64_t offset = job->row0 * a->y_stride + n0;
  job->kernels->gemv (&w, 0, n1 - n0, a->n_in, job->x, job->x_stride, job->n_rows, a->y + offset,
                      a->y_stride, a->add ? a->add + offset : NULL, a->bias.data ? bias : NULL);
}

static void
run_gemv (CpuBackend *b, const LinearArgs *a, const GemmKernels *k)
{
  GemvJob job = { .cpu = b,
                  .kernels = k,
                  .args = a,
                  .w = { a->w.data, a->w.dtype, a->n_in, 1 },
                  .n_rows = (int) a->n_rows,
                  .x = a->x,
                  .x_stride = a->x_stride };
  if (k->format != GEMM_F32)
    {
      float *rounded = (float *) b->gemm->shared;
      for (int r = 0; r < job.n_rows; r++)
        k->round (rounded + r * a->n_in, a->x + r * a->x_stride, a->n_in);
      job.x = rounded;
      job.x_stride = a->n_in;
    }
  threads_run (b->threads, ceil_div (a->n_out, GEMV_TASK_COLUMNS), gemv_task, &job, b->base.cancel);
}

static void
linear_rows (const GemmJob *job, int64_t row0, int n, const float **table)
{
  const LinearArgs *a = job->source;
  for (int i = 0; i < n; i++)
    table[i] = a->x + (row0 + i) * a->x_stride;
}

void
cpu_linear (Backend *base, const LinearArgs *a)
{
  CpuBackend *b = (CpuBackend *) base;
  const GemmKernels *k = gemm_kernels (b, a->compute);
  bool fits = a->n_in <= SHARED_BYTES / (int64_t) sizeof (float) / GEMV_MAX_ROWS;
  if (a->n_rows <= GEMV_MAX_ROWS && fits)
    {
      run_gemv (b, a, k);
      return;
    }
  GemmJob job = { .cpu = b,
                  .kernels = k,
                  .row_pointers = linear_rows,
                  .source = a,
                  .w = { a->w.data, a->w.dtype, a->n_in, 1 },
                  .bias = a->bias,
                  .n_rows = a->n_rows,
                  .n_out = a->n_out,
                  .n_channels = a->n_in,
                  .rows_per_picture = a->n_rows,
                  .add = a->add,
                  .c = a->y,
                  .c_stride = a->y_stride };
  gemm_run (&job);
}
