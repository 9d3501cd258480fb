/* SPDX-License-Identifier: MPL-2.0
 * products.c - what sums of products must be, of a row with eight columns at a time: one sum after
 * the other would spend its time waiting for the last addition.
 */
#include "checkops.h"

#include <string.h>

enum
{
  COLUMNS = 8
};

Products
check_products (Checker *c, int64_t n_in, int64_t n_out, Compute compute)
{
  int64_t n_columns = (n_out + COLUMNS - 1) / COLUMNS * COLUMNS;
  return (Products){ .n_in = n_in,
                     .n_out = n_out,
                     .compute = compute,
                     .x = check_floats (c, n_in),
                     .weights = check_floats (c, n_in * n_columns),
                     .sizes = check_doubles (c, n_columns),
                     .exact = check_doubles (c, n_columns),
                     .scale = check_doubles (c, n_columns),
                     .plain = check_floats (c, n_columns) };
}

void
check_products_weight (Products *p, int64_t out, int64_t in, float w)
{
  w = check_factor (w, p->compute);
  p->weights[(out / COLUMNS * p->n_in + in) * COLUMNS + out % COLUMNS] = w;
  p->sizes[out] += fabs (w);
}

static void
sum_columns (const float *x, const float *w, int64_t n, double *exact, double *scale, float *plain)
{
  double sums[COLUMNS] = { 0 }, sizes[COLUMNS] = { 0 };
  float floats[COLUMNS] = { 0 };
  for (int64_t i = 0; i < n; i++)
    for (int k = 0; k < COLUMNS; k++)
      {
        double product = (double) x[i] * w[i * COLUMNS + k];
        sums[k] += product;
        sizes[k] += fabs (product);
        floats[k] += x[i] * w[i * COLUMNS + k];
      }
  memcpy (exact, sums, sizeof sums);
  memcpy (scale, sizes, sizeof sizes);
  memcpy (plain, floats, sizeof floats);
}

void
check_products_row (Products *p)
{
  double x_size = 0;
  for (int64_t i = 0; i < p->n_in; i++)
    {
      p->x[i] = check_factor (p->x[i], p->compute);
      x_size += fabs (p->x[i]);
    }
  p->x_size = x_size;
  for (int64_t k = 0; k < p->n_out; k += COLUMNS)
    sum_columns (p->x, p->weights + k * p->n_in, p->n_in, p->exact + k, p->scale + k, p->plain + k);
}

void
check_products_expect (
    const Outputs *o, const Products *p, int64_t i, int64_t out, const float *added, int n)
{
  o->exact[i] = p->exact[out];
  o->scale[i] = p->scale[out];
  o->plain[i] = p->plain[out];
  for (int k = 0; k < n; k++)
    {
      o->exact[i] += added[k];
      o->scale[i] += fabs (added[k]);
      o->plain[i] += added[k];
    }
  /* VDPBF16PS and TDPBF16PS take denormal factors and products for zero. */
  if (p->compute == COMPUTE_BF16)
    o->slack[i] = FLT_MIN * (p->x_size + p->sizes[out] + (double) p->n_in);
}
