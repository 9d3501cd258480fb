/* SPDX-License-Identifier: MPL-2.0
 * conv2d.c - cross-correlation of channels-last images, one dot product an element.
 *
 * Shapes   x (n, h_in, w_in, c_in), w (c_out, c_in, kernel, kernel), y (n, h_out, w_out, c_out).
 * Numbers  factors f32, or rounded to bf16; the sum in f64, rounded once.
 * Limit    see product.c.
 * Aliases  add may equal y: an element is read before it is written.
 */
#include "ref.h"

/* The pixel of x under @tap of the output's @pixel-th; NULL outside the picture. */
static const float *
pixel_under (const ConvArgs *a, int64_t pixel, int tap)
{
  int scale = a->upsample2 ? 2 : 1;
  int64_t image = pixel / a->w_out / a->h_out;
  int64_t iy = pixel / a->w_out % a->h_out * a->stride - a->pad_top + tap / a->kernel;
  int64_t ix = pixel % a->w_out * a->stride - a->pad_left + tap % a->kernel;
  if (iy < 0 || iy >= a->h_in * scale || ix < 0 || ix >= a->w_in * scale)
    return NULL;
  return a->x + ((image * a->h_in + iy / scale) * a->w_in + ix / scale) * a->c_in;
}

/* What lies under the kernel at output pixel @pixel, @n channels from @first on: (channel, tap). */
static void
load (double *out, const void *args, int64_t pixel, int64_t first, int64_t n)
{
  const ConvArgs *a = args;
  int taps = a->kernel * a->kernel;
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
  const ConvArgs *a = args;
  int64_t at = pixel * a->c_out + out;
  if (a->channel_add)
    sum += a->channel_add[pixel / a->w_out / a->h_out * a->c_out + out];
  a->y[at] = (float) (a->add ? sum + a->add[at] : sum);
}

void
ref_conv2d (const ConvArgs *a)
{
  RefProduct p = { a,
                   load,
                   store,
                   &a->w,
                   &a->bias,
                   a->compute,
                   a->n * a->h_out * a->w_out,
                   a->c_out,
                   a->c_in,
                   a->kernel * a->kernel };
  ref_product (&p);
}
