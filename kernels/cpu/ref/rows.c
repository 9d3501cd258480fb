/* SPDX-License-Identifier: MPL-2.0
 * rows.c - operators that look up or copy whole rows, and the timestep embedding.
 *
 * Shapes   as in args.h; any counts.
 * Numbers  copies are exact; embed adds in f32; sinusoid's angles in f64, rounded once.
 * Limit    memory, except embed (a conversion an element) and sinusoid (tiny).
 * Aliases  none.
 */
#include <math.h>
#include <string.h>

#include "ref.h"

static const double MAX_PERIOD = 10000;

void
ref_embed (const EmbedArgs *a)
{
  for (int64_t r = 0; r < a->n_rows; r++)
    {
      float *y = a->y + r * a->dim;
      param_to_f32 (y, &a->table, a->ids[r] * a->dim, a->dim);
      for (int64_t i = 0; a->positions.data && i < a->dim; i++)
        y[i] += ref_param (&a->positions, r % a->n_positions * a->dim + i, 0);
    }
}

void
ref_concat (const ConcatArgs *a)
{
  for (int64_t r = 0; r < a->n_rows; r++)
    {
      float *y = a->y + r * (a->dim_a + a->dim_b);
      memcpy (y, a->a + r * a->dim_a, (size_t) a->dim_a * sizeof *y);
      memcpy (y + a->dim_a, a->b + r * a->dim_b, (size_t) a->dim_b * sizeof *y);
    }
}

void
ref_copy (const CopyArgs *a)
{
  for (int64_t r = 0; r < a->n_rows; r++)
    memcpy (a->y + r * a->y_stride, a->x + r * a->x_stride, (size_t) a->width * sizeof *a->y);
}

void
ref_round (const RoundArgs *a)
{
  for (int64_t i = 0; i < a->n_rows * a->dim; i++)
    a->y[i] = f32_to_bf16 (a->x[i]);
}

void
ref_resize (const ResizeArgs *a)
{
  float *y = a->y;
  for (int64_t image = 0; image < a->n; image++)
    for (int64_t oy = 0; oy < a->h_out; oy++)
      for (int64_t ox = 0; ox < a->w_out; ox++, y += a->n_channels)
        {
          int64_t iy = oy * a->h_in / a->h_out, ix = ox * a->w_in / a->w_out;
          const float *x = a->x + ((image * a->h_in + iy) * a->w_in + ix) * a->n_channels;
          memcpy (y, x, (size_t) a->n_channels * sizeof *y);
        }
}

/* Vaswani et al., Attention Is All You Need, section 3.5, with the cosines first as in DDPM's code
 * with flipped sine and cosine.  An odd dim ends with a zero. */
void
ref_sinusoid (const SinusoidArgs *a)
{
  int64_t half = a->dim / 2;
  float times = a->times == 0 ? 1 : a->times;
  for (int64_t r = 0; r < a->n; r++)
    {
      float *y = a->y + r * a->dim;
      for (int64_t i = 0; i < half; i++)
        {
          float t = a->t[r] * times;
          double angle = t * exp (-log (MAX_PERIOD) * (double) i / (double) half);
          y[i] = (float) cos (angle);
          y[half + i] = (float) sin (angle);
        }
      if (a->dim % 2)
        y[a->dim - 1] = 0;
    }
}
