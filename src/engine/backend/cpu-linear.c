/* SPDX-License-Identifier: MPL-2.0
 * cpu-linear.c - linear layers as products, whatever the number of rows: a row's sums are made in
 * the same order in a batch and alone, so a picture does not depend on its company.
 */
#include "backend/cpu-gemm.h"

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
  GemmJob job = { .cpu = b,
                  .kernels = gemm_kernels (b, a->compute),
                  .row_pointers = linear_rows,
                  .source = a,
                  .dense_rows = a->x_stride == a->n_in ? a->x : NULL,
                  .w = { a->w, a->n_in, 1 },
                  .bias = a->bias,
                  .n_rows = a->n_rows,
                  .n_out = a->n_out,
                  .n_channels = a->n_in,
                  .rows_per_picture = a->n_rows,
                  .add = a->add,
                  .c = a->y,
                  .c_stride = a->y_stride };
  gemm_fold_init (&job, &a->fold);
  gemm_run (&job);
}
