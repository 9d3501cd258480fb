/* SPDX-License-Identifier: MPL-2.0
 * shortcut.c - the ways around levels that halve or double frames, rows and columns.
 *
 * Shapes   as in args.h; any channels that divide.
 * Numbers  avg_down's mean in f64; dup_up copies; what is added enters before the rounding.
 * Limit    memory.
 * Aliases  add may equal y: an element is read before it is written.
 */
#include "ref.h"

/* Value @j of the block under output pixel (@y, @x), numbered (channel, frame, row, column). */
static float
block_value (const AvgDownArgs *a, int64_t image, int64_t y, int64_t x, int64_t j)
{
  int64_t f = a->factor, cell = j % (a->n_frames * f * f), channel = j / (a->n_frames * f * f);
  const float *frame = a->x[cell / (f * f)];
  int64_t iy = y * f + cell / f % f, ix = x * f + cell % f;
  return frame ? frame[((image * a->h * f + iy) * a->w * f + ix) * a->c_in + channel] : 0;
}

void
ref_avg_down (const AvgDownArgs *a)
{
  int64_t run = a->c_in * a->n_frames * a->factor * a->factor / a->c_out;
  for (int64_t i = 0; i < a->n * a->h * a->w * a->c_out; i++)
    {
      int64_t out = i % a->c_out, x = i / a->c_out % a->w, y = i / a->c_out / a->w % a->h;
      double sum = 0;
      for (int64_t k = 0; k < run; k++)
        sum += block_value (a, i / a->c_out / a->w / a->h, y, x, out * run + k);
      a->y[i] = (float) (sum / (double) run + (a->add ? a->add[i] : 0));
    }
}

void
ref_dup_up (const DupUpArgs *a)
{
  int64_t f = a->factor, h = a->h * f, w = a->w * f, cells = a->n_frames * f * f;
  int64_t run = a->c_out * cells / a->c_in;
  for (int64_t i = 0; i < a->n * h * w * a->c_out; i++)
    {
      int64_t out = i % a->c_out, x = i / a->c_out % w, y = i / a->c_out / w % h;
      int64_t image = i / a->c_out / w / h, cell = (a->frame * f + y % f) * f + x % f;
      int64_t pixel = (image * a->h + y / f) * a->w + x / f;
      float value = a->x[pixel * a->c_in + (out * cells + cell) / run];
      a->y[i] = a->add ? value + a->add[i] : value;
    }
}
