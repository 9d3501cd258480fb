/* SPDX-License-Identifier: MPL-2.0
 * conv2d.c - cross-correlation of channels-last images, one dot product an element.
 *
 * Shapes   x (n, h_in, w_in, c_in), w (c_out, c_in, kernel, kernel), y (n, h_out, w_out, c_out).
 * Numbers  factors f32, or rounded to bf16; the sum in f64, rounded once.
 * Limit    one multiply-add at a time; a weight is converted again for every block of pixels.
 * Aliases  add may equal y: an element is read before it is written.
 */
#include "ref.h"

enum
{
  MAX_TAPS = 9,
  BLOCK_PIXELS = 32, /* that share one conversion of the weights */
  CHUNK = 128        /* input channels whose weights are converted at a time */
};

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

/* sums[i] = what lies under the kernel at output pixel @first + i . w[out] */
static void
dot_products (double *sums, const ConvArgs *a, int64_t first, int64_t n_pixels, int64_t out)
{
  int taps = a->kernel * a->kernel;
  float w[CHUNK * MAX_TAPS];
  for (int64_t i = 0; i < n_pixels; i++)
    sums[i] = 0;
  for (int64_t c0 = 0; c0 < a->c_in; c0 += CHUNK)
    {
      int64_t n = a->c_in - c0 < CHUNK ? a->c_in - c0 : CHUNK;
      param_to_f32 (w, &a->w, (out * a->c_in + c0) * taps, n * taps);
      for (int64_t i = 0; i < n_pixels; i++)
        for (int tap = 0; tap < taps; tap++)
          {
            const float *x = pixel_under (a, first + i, tap);
            for (int64_t c = 0; x && c < n; c++)
              sums[i] += (double) ref_factor (x[c0 + c], a->compute) *
                         ref_factor (w[c * taps + tap], a->compute);
          }
    }
}

static void
conv_pixels (const ConvArgs *a, int64_t first, int64_t n, int64_t out)
{
  double sums[BLOCK_PIXELS];
  dot_products (sums, a, first, n, out);
  for (int64_t i = 0; i < n; i++)
    {
      int64_t image = (first + i) / a->w_out / a->h_out, at = (first + i) * a->c_out + out;
      double sum = sums[i] + ref_param (&a->bias, out, 0);
      if (a->channel_add)
        sum += a->channel_add[image * a->c_out + out];
      if (a->add)
        sum += a->add[at];
      a->y[at] = (float) sum;
    }
}

void
ref_conv2d (const ConvArgs *a)
{
  int64_t n_pixels = a->n * a->h_out * a->w_out;
  for (int64_t first = 0; first < n_pixels; first += BLOCK_PIXELS)
    for (int64_t out = 0; out < a->c_out; out++)
      conv_pixels (a, first, n_pixels - first < BLOCK_PIXELS ? n_pixels - first : BLOCK_PIXELS,
                   out);
}
