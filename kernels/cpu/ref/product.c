/* SPDX-License-Identifier: MPL-2.0
 * product.c - y = x W^T for whatever x is: the loops that linear layers and convolutions share.
 *
 * Shapes   x (n_rows, n_units * unit) as load gives it, w (n_outs, n_units * unit).
 * Numbers  factors f32, or rounded to bf16; the sum in f64.
 * Limit    one processor's f64 arithmetic; factors are converted again for every block of y.
 */
#include "ref.h"

enum
{
  BLOCK = 16, /* rows, and columns, of y that share one conversion of their factors */
  CHUNK = 144 /* factors converted at a time: 16 channels under a kernel of 3 x 3 */
};

/* A block of y; n_rows and n_outs are less than BLOCK at the edges. */
typedef struct
{
  int64_t first_row, n_rows, first_out, n_outs;
  double sums[BLOCK][BLOCK];
} Block;

static void
load_w (double *out, const RefProduct *p, int64_t row, int64_t first, int64_t n)
{
  float w[CHUNK];
  param_to_f32 (w, p->w, (row * p->n_units + first) * p->unit, n * p->unit);
  ref_factors (out, w, n * p->unit, p->compute);
}

static void
add_products (Block *b, const RefProduct *p, int64_t first, int64_t n)
{
  double x[BLOCK][CHUNK], w[CHUNK];
  for (int64_t r = 0; r < b->n_rows; r++)
    p->load (x[r], p->args, b->first_row + r, first, n);
  for (int64_t o = 0; o < b->n_outs; o++)
    {
      load_w (w, p, b->first_out + o, first, n);
      for (int64_t r = 0; r < b->n_rows; r++)
        b->sums[r][o] += ref_dot (x[r], w, n * p->unit);
    }
}

static void
store (const Block *b, const RefProduct *p)
{
  for (int64_t o = 0; o < b->n_outs; o++)
    {
      double bias = ref_param (p->bias, b->first_out + o, 0);
      for (int64_t r = 0; r < b->n_rows; r++)
        p->store (p->args, b->first_row + r, b->first_out + o, b->sums[r][o] + bias);
    }
}

void
ref_product (const RefProduct *p)
{
  int64_t chunk = CHUNK / p->unit;
  for (int64_t row = 0; row < p->n_rows; row += BLOCK)
    for (int64_t out = 0; out < p->n_outs; out += BLOCK)
      {
        Block b = { .first_row = row,
                    .n_rows = ref_least (BLOCK, p->n_rows - row),
                    .first_out = out,
                    .n_outs = ref_least (BLOCK, p->n_outs - out) };
        for (int64_t first = 0; first < p->n_units; first += chunk)
          add_products (&b, p, first, ref_least (chunk, p->n_units - first));
        store (&b, p);
      }
}
