/* SPDX-License-Identifier: MPL-2.0
 * linear.c - y = x W^T + bias + add, one dot product an element.
 *
 * Shapes   x (n_rows, n_in), w (n_out, n_in), y and add (n_rows, n_out); any counts and strides.
 * Numbers  factors f32, or rounded to bf16; the sum in f64, rounded once.
 * Limit    one processor's f64 arithmetic; factors are converted again for every block of y.
 * Aliases  add may equal y: an element is read before it is written.
 */
#include "ref.h"

enum
{
  BLOCK = 16, /* rows, and columns, of y that share one conversion of their factors */
  CHUNK = 128 /* factors converted at a time */
};

/* A block of y; n_rows and n_outs are less than BLOCK at the edges. */
typedef struct
{
  int64_t first_row, n_rows, first_out, n_outs;
  double sums[BLOCK][BLOCK];
} Block;

/* Factors @k to @k + @n of a row of x or of w. */
static void
load_x (double *out, const LinearArgs *a, int64_t row, int64_t k, int64_t n)
{
  ref_factors (out, a->x + row * a->x_stride + k, n, a->compute);
}

static void
load_w (double *out, const LinearArgs *a, int64_t row, int64_t k, int64_t n)
{
  float w[CHUNK];
  param_to_f32 (w, &a->w, row * a->n_in + k, n);
  ref_factors (out, w, n, a->compute);
}

static void
add_products (Block *b, const LinearArgs *a, int64_t k, int64_t n)
{
  double x[BLOCK][CHUNK], w[CHUNK];
  for (int64_t r = 0; r < b->n_rows; r++)
    load_x (x[r], a, b->first_row + r, k, n);
  for (int64_t o = 0; o < b->n_outs; o++)
    {
      load_w (w, a, b->first_out + o, k, n);
      for (int64_t r = 0; r < b->n_rows; r++)
        b->sums[r][o] += ref_dot (x[r], w, n);
    }
}

static void
store (const Block *b, const LinearArgs *a)
{
  for (int64_t o = 0; o < b->n_outs; o++)
    {
      int64_t out = b->first_out + o;
      double bias = ref_param (&a->bias, out, 0);
      for (int64_t r = 0; r < b->n_rows; r++)
        {
          int64_t i = (b->first_row + r) * a->y_stride + out;
          a->y[i] = (float) (b->sums[r][o] + bias + (a->add ? a->add[i] : 0));
        }
    }
}

void
ref_linear (const LinearArgs *a)
{
  for (int64_t row = 0; row < a->n_rows; row += BLOCK)
    for (int64_t out = 0; out < a->n_out; out += BLOCK)
      {
        Block b = { .first_row = row,
                    .n_rows = ref_least (BLOCK, a->n_rows - row),
                    .first_out = out,
                    .n_outs = ref_least (BLOCK, a->n_out - out) };
        for (int64_t k = 0; k < a->n_in; k += CHUNK)
          add_products (&b, a, k, ref_least (CHUNK, a->n_in - k));
        store (&b, a);
      }
}
