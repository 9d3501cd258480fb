/* SPDX-License-Identifier: MPL-2.0
 * conv3d.c - cross-correlation of three channels-last frames in a row, one dot product an element.
 *
 * Shapes   frames 3 x (n, h, w, c_in), w (c_out, c_in, 3, kernel, kernel), y (n, h, w, c_out).
 * Numbers  factors f32, or rounded to bf16; the sum in f64, rounded once.
 * Limit    see product.c.
 * Aliases  add may equal y: an element is read before it is written.
 */
#include "ref.h"

enum
{
  FRAMES = 3
};

/* The pixel under @tap (frame, row, column) of the output's @pixel-th; NULL where it reads zeros.
 */
static const float *
pixel_under (const Conv3dArgs *a, int64_t pixel, int tap)
{
  int k = a->kernel;
  const float *frame = a->frames[tap / (k * k)];
  int64_t image = pixel / a->w / a->h;
  int64_t iy = pixel / a->w % a->h + tap / k % k - k / 2, ix = pixel % a->w + tap % k - k / 2;
  if (!frame || iy < 0 || iy >= a->h || ix < 0 || ix >= a->w)
    return NULL;
  return frame + ((image * a->h + iy) * a->w + ix) * a->c_in;
}

/* What lies under the kernel at output pixel @pixel, @n channels from @first on: (channel, tap). */
static void
load (double *out, const void *args, int64_t pixel, int64_t first, int64_t n)
{
  const Conv3dArgs *a = args;
  int taps = FRAMES * a->kernel * a->kernel;
  for (int tap = 0; tap < taps; tap++)
    {
      const float *x = pixel_under (a, pixel, tap);
      for (int64_t c = 0; c < n; c++)
        out[c * taps + tap] = x ? ref_factor (x[first + c], a->compute) : 0;
    }
}

static void
store (const void *args, int64_t pixel, int64_t out, double sum)
{
  const Conv3dArgs *a = args;
  int64_t at = pixel * a->c_out + out;
  a->y[at] = (float) (a->add ? sum + a->add[at] : sum);
}

void
ref_conv3d (const Conv3dArgs *a)
{
  RefProduct p = { a,
                   load,
                   store,
                   &a->weight,
                   &a->bias,
                   a->compute,
                   a->n * a->h * a->w,
                   a->c_out,
                   a->c_in,
                   FRAMES * a->kernel * a->kernel };
  ref_product (&p);
}
