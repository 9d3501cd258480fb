/* SPDX-License-Identifier: MPL-2.0
 * conv2d.c - cross-correlation of channels-last images, one dot product an element.
 *
 * Shapes   x (n, h_in, w_in, c_in), w (c_out, c_in, kernel, kernel), y (n, h_out, w_out, c_out).
 * Numbers  factors f32, or rounded to bf16; the sum in f64, rounded once.
 * Limit    one multiply-add at a time.
 * Aliases  add may equal y: an element is read before it is written.
 */
#include "ref.h"

enum
{
  MAX_TAPS = 9,
  CHUNK = 128 /* input channels whose weights are converted at a time */
};

/* The pixel of x under tap (@ky, @kx) of output pixel (@oy, @ox); NULL outside the picture. */
static const float *
pixel_under (const ConvArgs *a, int64_t image, int64_t oy, int64_t ox, int ky, int kx)
{
  int scale = a->upsample2 ? 2 : 1;
  int64_t iy = oy * a->stride - a->pad_top + ky, ix = ox * a->stride - a->pad_left + kx;
  if (iy < 0 || iy >= a->h_in * scale || ix < 0 || ix >= a->w_in * scale)
    return NULL;
  return a->x + ((image * a->h_in + iy / scale) * a->w_in + ix / scale) * a->c_in;
}

static double
dot_product (const ConvArgs *a, int64_t image, int64_t oy, int64_t ox, int64_t out)
{
  int taps = a->kernel * a->kernel;
  float w[CHUNK * MAX_TAPS];
  double sum = 0;
  for (int64_t c0 = 0; c0 < a->c_in; c0 += CHUNK)
    {
      int64_t n = a->c_in - c0 < CHUNK ? a->c_in - c0 : CHUNK;
      param_to_f32 (w, &a->w, (out * a->c_in + c0) * taps, n * taps);
      for (int tap = 0; tap < taps; tap++)
        {
          const float *x = pixel_under (a, image, oy, ox, tap / a->kernel, tap % a->kernel);
          for (int64_t c = 0; x && c < n; c++)
            sum += (double) ref_factor (x[c0 + c], a->compute) *
                   ref_factor (w[c * taps + tap], a->compute);
        }
    }
  return sum;
}

static void
conv_pixel (const ConvArgs *a, int64_t image, int64_t oy, int64_t ox)
{
  int64_t first = ((image * a->h_out + oy) * a->w_out + ox) * a->c_out;
  for (int64_t out = 0; out < a->c_out; out++)
    {
      double sum = dot_product (a, image, oy, ox, out) + ref_param (&a->bias, out, 0);
      if (a->channel_add)
        sum += a->channel_add[image * a->c_out + out];
      if (a->add)
        sum += a->add[first + out];
      a->y[first + out] = (float) sum;
    }
}

void
ref_conv2d (const ConvArgs *a)
{
  for (int64_t image = 0; image < a->n; image++)
    for (int64_t oy = 0; oy < a->h_out; oy++)
      for (int64_t ox = 0; ox < a->w_out; ox++)
        conv_pixel (a, image, oy, ox);
}
