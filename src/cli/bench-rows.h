/* SPDX-License-Identifier: MPL-2.0
 * bench-rows.h - what `gesso-cli bench` measures: operators, their shapes, how one is called.
 */
#pragma once

#include "backend/backend.h"

typedef enum
{
  BENCH_COPY,
  BENCH_LINEAR,
  BENCH_CONV,
  BENCH_CONV3D,
  BENCH_ATTENTION,
  BENCH_GROUP_NORM,
  BENCH_RMS_SILU,
  BENCH_MODULATE,
  BENCH_GEGLU
} BenchKind;

/* Linear: rows, out, in.  Convolution: pictures x side x side, out, in.  Attention: queries, keys,
 * head size; heads in n.  Norms and copies: rows, columns. */
typedef struct
{
  const char *name;
  BenchKind kind;
  int64_t n, a, b, c;
} BenchRow;

enum
{
  BENCH_SMALL = 32 /* small rows are divided by that */
};

int bench_n_rows (void);

/* Of the first the copy rate is taken, of the second the peak that others are measured against. */
BenchRow bench_row (int i, bool small);

double bench_row_operations (const BenchRow *r);

/* Read and written at least, of what only moves bytes. */
double bench_row_elements (const BenchRow *r);

/* Elements of x or y, and of weights, that a row needs. */
void bench_row_sizes (const BenchRow *r, size_t *n_values, size_t *n_weights);

/* Random, large enough for every row; on the device, but for w. */
typedef struct
{
  const float *x, *z;
  float *y;
  Param w;
} BenchOperands;

/* Queues one call. */
void bench_row_run (Backend *k, const BenchRow *r, const BenchOperands *o);
