/* SPDX-License-Identifier: MPL-2.0
 * linear.c - y = x W^T + bias + add, one dot product an element.
 *
 * Shapes   x (n_rows, n_in), w (n_out, n_in), y and add (n_rows, n_out); any counts and strides.
 * Numbers  factors f32, or rounded to bf16; the sum in f64, rounded once.
 * Limit    one multiply-add at a time; a weight is converted again for every block of rows.
 * Aliases  add may equal y: an element is read before it is written.
 */
#include "ref.h"

enum
{
  BLOCK_ROWS = 32, /* rows that share one conversion of the weights */
  CHUNK = 256      /* weights converted at a time */
};

static void
load_weights (float *out, const LinearArgs *a, int64_t index, int64_t n)
{
  param_to_f32 (out, &a->w, index, n);
  for (int64_t i = 0; i < n; i++)
    out[i] = ref_factor (out[i], a->compute);
}

/* sums[r] = x[first_row + r] . w[out] */
static void
dot_products (double *sums, const LinearArgs *a, int64_t first_row, int64_t n_rows, int64_t out)
{
  float w[CHUNK];
  for (int64_t r = 0; r < n_rows; r++)
    sums[r] = 0;
  for (int64_t k = 0; k < a->n_in; k += CHUNK)
    {
      int64_t n = a->n_in - k < CHUNK ? a->n_in - k : CHUNK;
      load_weights (w, a, out * a->n_in + k, n);
      const float *x = a->x + first_row * a->x_stride + k;
      for (int64_t i = 0; i < n; i++)
        for (int64_t r = 0; r < n_rows; r++)
          sums[r] += (double) ref_factor (x[r * a->x_stride + i], a->compute) * w[i];
    }
}

void
ref_linear (const LinearArgs *a)
{
  double sums[BLOCK_ROWS];
  for (int64_t r0 = 0; r0 < a->n_rows; r0 += BLOCK_ROWS)
    {
      int64_t n = a->n_rows - r0 < BLOCK_ROWS ? a->n_rows - r0 : BLOCK_ROWS;
      for (int64_t out = 0; out < a->n_out; out++)
        {
          dot_products (sums, a, r0, n, out);
          for (int64_t r = 0; r < n; r++)
            {
              int64_t i = (r0 + r) * a->y_stride + out;
              double add = a->add ? a->add[i] : 0;
              a->y[i] = (float) (sums[r] + ref_param (&a->bias, out, 0) + add);
            }
        }
    }
}
