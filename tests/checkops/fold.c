/* SPDX-License-Identifier: MPL-2.0
 * fold.c - cases of the linear and conv2d slots with adapters folded into the weights.
 *
 * Expected are products of a weight that was summed in f64; its parts' magnitudes count in the
 * scale of an element's errors.  One rank is switched off and holds infinities, which must not
 * matter.
 */
#include <string.h>

#include "checkops.h"

typedef struct
{
  int64_t n, h, w; /* pixels; a linear layer has h rows of one */
  int64_t n_in, n_out, rank;
  int kernel, stride; /* kernel 0: a linear layer */
  bool has_bias;
  Compute compute;
  DType weight, factor;
} FoldCase;

/* The weight with what is folded in, and the sum of its parts' magnitudes: each (size, n_out). */
typedef struct
{
  const double *w, *size;
  const float *plain; /* w in f32 */
  const float *bias, *more_bias;
} Folded;

static bool
takes (const Backend *b, const void *args)
{
  Compute compute = *(const Compute *) args;
  return b->folds && b->folds (b, compute, INT32_MAX, 1, 1);
}

typedef struct
{
  Compute compute; /* first, for takes () */
  LinearArgs linear;
  ConvArgs conv;
} FoldArgs;

static void
run_linear (Backend *b, const void *args, float *y)
{
  LinearArgs a = ((const FoldArgs *) args)->linear;
  a.y = y;
  b->ops.linear (b, &a);
}

static void
run_conv (Backend *b, const void *args, float *y)
{
  ConvArgs a = ((const FoldArgs *) args)->conv;
  a.y = y;
  b->ops.conv2d (b, &a);
}

/* Makes *@folded of the weight @w and its factors, a row of @size elements at a time. */
static void
fold_in (Checker *c,
         const FoldCase *t,
         int64_t size,
         Folded *folded,
         const float *w,
         const float *up,
         const float *down,
         const float *scale)
{
  double *sum = check_doubles (c, t->n_out * size), *parts = check_doubles (c, t->n_out * size);
  double *row_sum = check_doubles (c, size), *row_parts = check_doubles (c, size);
  float *plain = check_floats (c, t->n_out * size);
  for (int64_t out = 0; out < t->n_out; out++)
    {
      for (int64_t k = 0; k < size; k++)
        {
          row_sum[k] = w[out * size + k];
          row_parts[k] = fabs (w[out * size + k]);
        }
      for (int64_t r = 0; r < t->rank; r++)
        for (int64_t k = 0; scale[r] != 0 && k < size; k++)
          {
            double d = (double) scale[r] * up[out * t->rank + r] * down[r * size + k];
            row_sum[k] += d;
            row_parts[k] += fabs (d);
          }
      for (int64_t k = 0, i = out; k < size; k++, i += t->n_out)
        {
          sum[i] = row_sum[k];
          parts[i] = row_parts[k];
          plain[i] = (float) row_sum[k];
        }
    }
  folded->w = sum;
  folded->size = parts;
  folded->plain = plain;
}

/* @size: elements of a row.  Returns: the factors; @folded receives the sums */
static LowRank
make_factors (Checker *c, const FoldCase *t, int64_t size, Folded *folded, const float *w)
{
  const float *down, *up;
  LowRank fold = { .rank = t->rank };
  fold.down = check_param (c, t->factor, t->rank * size, VALUES_NORMAL, &down);
  fold.up = check_param (c, t->factor, t->n_out * t->rank, VALUES_NORMAL, &up);
  if (t->has_bias)
    fold.bias = check_param (c, DTYPE_F32, t->n_out, VALUES_NORMAL, &folded->more_bias);
  float *scale = check_floats (c, t->rank);
  for (int64_t r = 0; r < t->rank; r++)
    scale[r] = (float) (check_uniform (c) / 8);
  if (t->rank > 2 && t->factor == DTYPE_F32)
    {
      scale[1] = 0;
      const float infinity = INFINITY;
      char *row = (char *) (uintptr_t) fold.down.data + (size_t) size * sizeof infinity;
      memcpy (row, &infinity, sizeof infinity);
    }
  fold.scale = scale;
  fold_in (c, t, size, folded, w, up, down, scale);
  return fold;
}

/* Adds the products of @x and element @k of every row of the weight to a pixel's elements of y. */
static void
add_products (const Outputs *o, const Folded *f, int64_t first, int64_t n_out, float x, int64_t k)
{
  double *exact = o->exact + first, *scale = o->scale + first, x_size = fabs (x);
  const double *w = f->w + k * n_out, *size = f->size + k * n_out;
  float *plain = o->plain + first;
  const float *plain_w = f->plain + k * n_out;
  for (int64_t out = 0; out < n_out; out++)
    exact[out] += x * w[out];
  for (int64_t out = 0; out < n_out; out++)
    scale[out] += x_size * size[out];
  for (int64_t out = 0; out < n_out; out++)
    plain[out] += x * plain_w[out];
}

static void
add_biases (const Outputs *o, const Folded *f, int64_t first, int64_t n_out)
{
  for (int64_t out = 0, i = first; f->bias && out < n_out; out++, i++)
    {
      double b = (double) f->bias[out] + f->more_bias[out];
      o->exact[i] += b;
      o->scale[i] += fabs (f->bias[out]) + fabs (f->more_bias[out]);
      o->plain[i] += (float) b;
    }
}

static void
expect_linear (const Outputs *o, const LinearArgs *a, const Folded *f)
{
  for (int64_t row = 0, i = 0; row < a->n_rows; row++, i += a->n_out)
    {
      const float *x = a->x + row * a->n_in;
      for (int64_t k = 0; k < a->n_in; k++)
        add_products (o, f, i, a->n_out, check_factor (x[k], a->compute), k);
      add_biases (o, f, i, a->n_out);
    }
}

static void
expect_conv (const Outputs *o, const ConvArgs *a, const Folded *f)
{
  int taps = a->kernel * a->kernel;
  for (int64_t pixel = 0, i = 0; pixel < a->n * a->h_out * a->w_out; pixel++, i += a->c_out)
    {
      int64_t x0 = pixel % a->w_out * a->stride - a->pad_left;
      int64_t y0 = pixel / a->w_out % a->h_out * a->stride - a->pad_top;
      int64_t image = pixel / a->w_out / a->h_out;
      for (int t = 0; t < taps; t++)
        {
          int64_t y = y0 + t / a->kernel, x = x0 + t % a->kernel;
          if (y < 0 || y >= a->h_in || x < 0 || x >= a->w_in)
            continue;
          const float *in = a->x + ((image * a->h_in + y) * a->w_in + x) * a->c_in;
          for (int64_t k = 0; k < a->c_in; k++)
            add_products (o, f, i, a->c_out, check_factor (in[k], a->compute), k * taps + t);
        }
      add_biases (o, f, i, a->c_out);
    }
}

static void
check_one (Checker *c, const FoldCase *t)
{
  if (!check_begin (c, "fold/%s/%s/%lldx%lldx%lldx%lld-%lld+k%ds%d+rank=%lld+w=%s+factors=%s%s",
                    t->kernel ? "conv2d" : "linear", check_compute_name (t->compute),
                    (long long) t->n, (long long) t->h, (long long) t->w, (long long) t->n_in,
                    (long long) t->n_out, t->kernel, t->stride, (long long) t->rank,
                    dtype_name (t->weight), dtype_name (t->factor), t->has_bias ? "+bias" : ""))
    return;
  int64_t size = t->n_in * (t->kernel ? t->kernel * t->kernel : 1);
  int stride = t->stride ? t->stride : 1, pad = t->kernel / 2;
  int64_t h_out = t->kernel ? (t->h + 2 * pad - t->kernel) / stride + 1 : t->h;
  int64_t w_out = t->kernel ? (t->w + 2 * pad - t->kernel) / stride + 1 : t->w;
  Folded folded = { 0 };
  const float *w;
  Param weight = check_param (c, t->weight, t->n_out * size, VALUES_NORMAL, &w), bias = { 0 };
  LowRank fold = make_factors (c, t, size, &folded, w);
  const float *x = check_input (c, t->n * t->h * t->w * t->n_in, VALUES_NORMAL);
  if (t->has_bias)
    bias = check_param (c, DTYPE_F32, t->n_out, VALUES_NORMAL, &folded.bias);
  FoldArgs a = { .compute = t->compute };
  a.linear = (LinearArgs){ .n_rows = t->n * t->h * t->w,
                           .n_out = t->n_out,
                           .n_in = t->n_in,
                           .x = x,
                           .x_stride = t->n_in,
                           .w = weight,
                           .bias = bias,
                           .fold = fold,
                           .y_stride = t->n_out,
                           .compute = t->compute };
  a.conv = (ConvArgs){ .n = t->n,
                       .h_in = t->h,
                       .w_in = t->w,
                       .c_in = t->n_in,
                       .h_out = h_out,
                       .w_out = w_out,
                       .c_out = t->n_out,
                       .kernel = t->kernel,
                       .stride = stride,
                       .pad_top = pad,
                       .pad_left = pad,
                       .x = x,
                       .w = weight,
                       .bias = bias,
                       .fold = fold,
                       .compute = t->compute };
  Outputs o = check_outputs (c, t->n * h_out * w_out * t->n_out);
  if (t->kernel)
    expect_conv (&o, &a.conv, &folded);
  else
    expect_linear (&o, &a.linear, &folded);
  check_end (
      c, &(Case){
             .outputs = o, .args = &a, .takes = takes, .run = t->kernel ? run_conv : run_linear });
}

void
check_fold (Checker *c)
{
  static const FoldCase cases[] = {
    /* few and many rows, one and several blocks, panels that are cut off */
    { 1, 1, 1, 1, 1, 1 },
    { 1, 5, 1, 31, 17, 3, .has_bias = true },
    { 1, 33, 1, 320, 96, 8 },
    { 2, 151, 1, 640, 131, 32, .has_bias = true },
    { 1, 301, 1, 100, 65, 128 },
    { 1, 9, 1, 96, 48, 300 }, /* more than are folded at a time */
    /* taps: plain, Winograd's way, more ranks than that takes, 1 x 1, two strides */
    { 2, 5, 7, 19, 21, 4, .kernel = 3, .has_bias = true },
    { 1, 32, 33, 48, 80, 16, .kernel = 3, .has_bias = true },
    { 1, 32, 32, 32, 32, 300, .kernel = 3 },
    { 1, 9, 8, 67, 40, 8, .kernel = 1 },
    { 1, 9, 8, 33, 34, 5, .kernel = 3, .stride = 2 },
  };
  static const DType weights[] = { DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_Q8_0 };
  for (int i = 0; i < COUNT (cases); i++)
    for (int k = 0; k < COUNT (weights) * 2; k++)
      {
        FoldCase t = cases[i];
        t.weight = weights[k / 2];
        t.compute = (Compute) (k % 2);
        t.factor = (DType) ((i + k) % 3);
        check_one (c, &t);
      }
}
