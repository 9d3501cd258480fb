/* SPDX-License-Identifier: MPL-2.0
 * linear.c - y = x W^T + bias + add, one dot product an element.
 *
 * Shapes   x (n_rows, n_in), w (n_out, n_in), y and add (n_rows, n_out); any counts and strides.
 * Numbers  factors f32, or rounded to bf16; the sum in f64, rounded once.
 * Limit    see product.c.
 * Aliases  add may equal y: an element is read before it is written.
 */
#include "ref.h"

static void
load (double *out, const void *args, int64_t row, int64_t first, int64_t n)
{
  const LinearArgs *a = args;
  ref_factors (out, a->x + row * a->x_stride + first, n, a->compute);
}

static void
store (const void *args, int64_t row, int64_t out, double sum)
{
  const LinearArgs *a = args;
  int64_t i = row * a->y_stride + out;
  a->y[i] = (float) (a->add ? sum + a->add[i] : sum);
}

void
ref_linear (const LinearArgs *a)
{
  RefProduct p = { a, load, store, &a->w, &a->bias, a->compute, a->n_rows, a->n_out, a->n_in, 1 };
  ref_product (&p);
}
