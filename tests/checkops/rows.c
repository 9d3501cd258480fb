/* SPDX-License-Identifier: MPL-2.0
 * rows.c - cases of the embed, concat, copy, round, resize and sinusoid slots.
 *
 * All but sinusoid are exact: scale and slack stay zero.
 */
#include "checkops.h"

#include <stdlib.h>

static void
run_embed (Backend *b, const void *args, float *y)
{
  EmbedArgs a = *(const EmbedArgs *) args;
  a.y = y;
  b->ops.embed (b, &a);
}

static void
run_concat (Backend *b, const void *args, float *y)
{
  ConcatArgs a = *(const ConcatArgs *) args;
  a.y = y;
  b->ops.concat (b, &a);
}

static void
run_copy (Backend *b, const void *args, float *y)
{
  CopyArgs a = *(const CopyArgs *) args;
  a.y = y;
  b->ops.copy (b, &a);
}

/* Values of 16 bits are checked as the f32 that they are; none is written behind the last. */
static void
run_round (Backend *b, const void *args, float *y)
{
  enum
  {
    GUARD = 0x5aa5
  };
  RoundArgs a = *(const RoundArgs *) args;
  size_t n = (size_t) (a.n_rows * a.dim);
  a.y = malloc ((n + 1) * sizeof *a.y);
  a.y[n] = GUARD;
  b->ops.round (b, &a);
  for (size_t i = 0; i < n; i++)
    y[i] = a.y[n] == GUARD ? bf16_to_f32 (a.y[i]) : NAN;
  free (a.y);
}

static void
run_resize (Backend *b, const void *args, float *y)
{
  ResizeArgs a = *(const ResizeArgs *) args;
  a.y = y;
  b->ops.resize (b, &a);
}

static void
run_sinusoid (Backend *b, const void *args, float *y)
{
  SinusoidArgs a = *(const SinusoidArgs *) args;
  a.y = y;
  b->ops.sinusoid (b, &a);
}

static void
expect_exactly (const Outputs *o, int64_t i, float value)
{
  o->plain[i] = value;
  o->exact[i] = value;
}

static void
check_embed (
    Checker *c, int64_t n_rows, int64_t dim, int64_t n_positions, DType dtype, DType positions)
{
  enum
  {
    N_TABLE = 50
  };
  if (!check_begin (c, "embed/%lldx%lld-%lld+table=%s+positions=%s", (long long) n_rows,
                    (long long) dim, (long long) n_positions, dtype_name (dtype),
                    n_positions ? dtype_name (positions) : "none"))
    return;
  const float *table, *position = NULL;
  EmbedArgs a = { .n_rows = n_rows, .dim = dim, .n_positions = n_positions };
  a.ids = check_ids (c, n_rows, N_TABLE);
  a.table = check_param (c, dtype, N_TABLE * dim, VALUES_NORMAL, &table);
  if (n_positions)
    a.positions = check_param (c, positions, n_positions * dim, VALUES_NORMAL, &position);
  Outputs o = check_outputs (c, n_rows * dim);
  for (int64_t i = 0; i < n_rows * dim; i++)
    {
      int64_t row = i / dim, column = i % dim;
      float y = table[a.ids[row] * dim + column];
      expect_exactly (&o, i, position ? y + position[row % n_positions * dim + column] : y);
    }
  check_end (c, &(Case){ .outputs = o, .args = &a, .run = run_embed });
}

static void
check_concat (Checker *c, int64_t n_rows, int64_t dim_a, int64_t dim_b)
{
  if (!check_begin (c, "concat/%lldx%lld+%lld", (long long) n_rows, (long long) dim_a,
                    (long long) dim_b))
    return;
  ConcatArgs a = { .n_rows = n_rows, .dim_a = dim_a, .dim_b = dim_b };
  int64_t width = dim_a + dim_b;
  a.a = check_input (c, n_rows * dim_a, VALUES_NORMAL);
  a.b = check_input (c, n_rows * dim_b, VALUES_NORMAL);
  Outputs o = check_outputs (c, n_rows * width);
  for (int64_t i = 0; i < n_rows * width; i++)
    {
      int64_t row = i / width, column = i % width;
      expect_exactly (
          &o, i, column < dim_a ? a.a[row * dim_a + column] : a.b[row * dim_b + column - dim_a]);
    }
  check_end (c, &(Case){ .outputs = o, .args = &a, .run = run_concat });
}

static void
check_copy (Checker *c, int64_t n_rows, int64_t width, int64_t gap_x, int64_t gap_y)
{
  if (!check_begin (c, "copy/%lldx%lld+%lld-%lld", (long long) n_rows, (long long) width,
                    (long long) gap_x, (long long) gap_y))
    return;
  CopyArgs a = {
    .n_rows = n_rows, .width = width, .x_stride = width + gap_x, .y_stride = width + gap_y
  };
  a.x = check_rows (c, n_rows, width, a.x_stride, VALUES_NORMAL);
  Outputs o = check_outputs (c, (n_rows - 1) * a.y_stride + width);
  for (int64_t i = 0; i < o.n; i++)
    {
      int64_t row = i / a.y_stride, column = i % a.y_stride;
      if (column < width)
        expect_exactly (&o, i, a.x[row * a.x_stride + column]);
      else
        o.exact[i] = GAP;
    }
  check_end (c, &(Case){ .outputs = o, .args = &a, .run = run_copy });
}

/* Nearest, and of two that are equally near the even one: in steps of 1 / 128 of a power of 2. */
static float
nearest_bf16 (float x)
{
  int exponent;
  frexp (x, &exponent);
  double step = ldexp (1, exponent - 8);
  return (float) (nearbyint (x / step) * step);
}

static void
check_round (Checker *c, int64_t n_rows, int64_t dim)
{
  if (!check_begin (c, "round/%lldx%lld", (long long) n_rows, (long long) dim))
    return;
  RoundArgs a = { .n_rows = n_rows, .dim = dim };
  float *x = check_input (c, n_rows * dim, VALUES_NORMAL);
  for (int64_t i = 0; i < n_rows * dim; i += 5) /* halfway between two */
    x[i] = 1 + (float) (2 * (i % 64) + 1) / 256;
  a.x = x;
  Outputs o = check_outputs (c, n_rows * dim);
  for (int64_t i = 0; i < o.n; i++)
    expect_exactly (&o, i, nearest_bf16 (x[i]));
  check_end (c, &(Case){ .outputs = o, .args = &a, .run = run_round });
}

static void
check_resize (
    Checker *c, int64_t n, int64_t h, int64_t w, int64_t h_out, int64_t w_out, int64_t n_channels)
{
  if (!check_begin (c, "resize/%lldx%lldx%lldx%lld-%lldx%lld", (long long) n, (long long) h,
                    (long long) w, (long long) n_channels, (long long) h_out, (long long) w_out))
    return;
  ResizeArgs a = {
    .n = n, .h_in = h, .w_in = w, .h_out = h_out, .w_out = w_out, .n_channels = n_channels
  };
  a.x = check_input (c, n * h * w * n_channels, VALUES_NORMAL);
  Outputs o = check_outputs (c, n * h_out * w_out * n_channels);
  for (int64_t i = 0; i < o.n; i++)
    {
      int64_t channel = i % n_channels, x = i / n_channels % w_out;
      int64_t y = i / n_channels / w_out % h_out, image = i / n_channels / w_out / h_out;
      int64_t from_y = (int64_t) floor ((double) (y * h) / (double) h_out);
      int64_t from_x = (int64_t) floor ((double) (x * w) / (double) w_out);
      expect_exactly (&o, i, a.x[((image * h + from_y) * w + from_x) * n_channels + channel]);
    }
  check_end (c, &(Case){ .outputs = o, .args = &a, .run = run_resize });
}

static void
check_sinusoid (Checker *c, int64_t n, int64_t dim, float times)
{
  if (!check_begin (c, "sinusoid/%lldx%lld+times=%g", (long long) n, (long long) dim,
                    (double) times))
    return;
  float *t = check_floats (c, n);
  SinusoidArgs a = { .n = n, .dim = dim, .t = t, .times = times };
  Outputs o = check_outputs (c, n * dim);
  for (int64_t i = 0; i < n; i++)
    t[i] = (float) (1000 * check_uniform (c)) / (times == 0 ? 1 : times);
  for (int64_t i = 0; i < n * dim; i++)
    {
      int64_t column = i % dim, half = dim / 2;
      double frequency = pow (10000, -(double) (column % half) / (double) half);
      float scaled = times == 0 ? t[i / dim] : t[i / dim] * times;
      double angle = scaled * frequency;
      o.exact[i] = column < half ? cos (angle) : sin (angle);
      o.plain[i] = (float) o.exact[i];
      o.scale[i] = fabs (o.exact[i]);
      o.slack[i] = DBL_EPSILON * 2 * fabs (angle); /* pow and exp round differently */
    }
  check_end (c, &(Case){ .outputs = o, .args = &a, .run = run_sinusoid });
}

void
check_rows_ops (Checker *c)
{
  static const int64_t sizes[] = { 1, 2, 3, 5, 7, 17, 33, 65, 127, 768 };
  for (int i = 0; i < COUNT (sizes); i++)
    {
      for (int d = 0; d < 9; d++)
        {
          check_embed (c, 77, sizes[i], 77, (DType) (d / 3), (DType) (d % 3));
          check_embed (c, 21, sizes[i], d % 3 ? 7 : 0, (DType) (d / 3), (DType) (d % 3));
        }
      for (int j = 0; j < COUNT (sizes); j++)
        {
          check_concat (c, 1 + i * j, sizes[i], sizes[j]);
          check_copy (c, 1 + i, sizes[j], i % 4, i % 3);
          check_round (c, 1 + i, sizes[j]);
        }
      for (int h = 0; h < 5; h++)
        check_resize (c, 1 + i % 2, sizes[h], sizes[(h + i) % 6], 2 * sizes[h], 9, sizes[i]);
      check_sinusoid (c, 1 + i, 2 * sizes[i], i % 3 ? 0 : 1000);
    }
  check_embed (c, 2 * 77, 768, 77, DTYPE_F16, DTYPE_F16);
  for (DType dtype = DTYPE_F8_E4M3; dtype < DTYPE_COUNT; dtype++)
    {
      check_embed (c, 21, 320, 7, dtype, dtype);
      check_embed (c, 21, 37, 0, dtype, dtype);
    }
  check_concat (c, 4096, 320, 640);
  check_copy (c, 300, 3072, 12288, 0);
  check_copy (c, 3, 70000, 1, 5);
  check_resize (c, 1, 64, 64, 128, 128, 64);
  check_resize (c, 2, 33, 31, 64, 20, 5);
}
