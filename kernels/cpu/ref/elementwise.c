/* SPDX-License-Identifier: MPL-2.0
 * elementwise.c - activations, sums, gated products: an element of y from the same element of x.
 *
 * Shapes   any count.
 * Numbers  f64, rounded once.
 * Limit    the mathematical library's calls.
 * Aliases  y may equal an input, but not geglu's.
 */
#include <math.h>

#include "ref.h"

static double
gelu (double x)
{
  return 0.5 * x * erfc (-x * M_SQRT1_2);
}

/* Hendrycks and Gimpel, Gaussian Error Linear Units, 2016. */
static double
gelu_tanh (double x)
{
  return 0.5 * x * (1 + tanh (M_SQRT2 * M_2_SQRTPI * 0.5 * (x + 0.044715 * x * x * x)));
}

static double
activation (UnaryKind kind, double x)
{
  switch (kind)
    {
    case UNARY_SILU:
      return x / (1 + exp (-x));
    case UNARY_GELU:
      return gelu (x);
    case UNARY_GELU_TANH:
      return gelu_tanh (x);
    case UNARY_QUICK_GELU:
      return x / (1 + exp (-1.702 * x));
    case UNARY_RELU:
      return x < 0 ? 0 : x; /* NaN stays */
    case UNARY_TANH3:
      return 3 * tanh (x / 3);
    case UNARY_COUNT:
      break;
    }
  return NAN;
}

void
ref_unary (const UnaryArgs *a)
{
  for (int64_t i = 0; i < a->n; i++)
    a->y[i] = (float) activation (a->kind, a->x[i]);
}

void
ref_add (const AddArgs *a)
{
  for (int64_t i = 0; i < a->n; i++)
    a->y[i] = a->x[i] + a->b[i % a->n_b];
}

void
ref_scale (const ScaleArgs *a)
{
  for (int64_t i = 0; i < a->n; i++)
    {
      float s = a->s[i % a->n_s];
      a->y[i] = s == 0 ? 0 : a->x[i] * s;
    }
}

void
ref_geglu (const GegluArgs *a)
{
  for (int64_t r = 0; r < a->n_rows; r++)
    {
      const float *x = a->x + r * 2 * a->dim, *gate = x + a->dim;
      for (int64_t i = 0; i < a->dim; i++)
        a->y[r * a->dim + i] = (float) (x[i] * gelu (gate[i]));
    }
}

void
ref_gated (const GatedArgs *a)
{
  for (int64_t i = 0; i < a->n; i++)
    a->y[i] = (float) (a->x[i] * activation (a->kind, a->gate[i]));
}

void
ref_add_gated (const AddGatedArgs *a)
{
  for (int64_t r = 0; r < a->n * a->n_rows; r++)
    {
      const float *gate = a->gate + r / a->n_rows * a->gate_stride;
      for (int64_t i = r * a->dim; i < (r + 1) * a->dim; i++)
        a->y[i] = (float) (a->x[i] + (double) gate[i - r * a->dim] * a->b[i]);
    }
}
