/* SPDX-License-Identifier: MPL-2.0
 * conv3d.c - cross-correlation of three channels-last frames in a row, one dot product an element.
 *
 * Shapes   frames 3 x (n, h, w, c_in), w (c_out, c_in, 3, kernel, kernel), y (n, h, w, c_out).
 * Numbers  factors f32, or rounded to bf16; the sum in f64, rounded once.
 * Limit    one multiply-add at a time; a weight is converted again for every block of pixels.
 * Aliases  add may equal y: an element is read before it is written.
 */
#include "ref.h"

enum
{
  FRAMES = 3,
  MAX_TAPS = 27,
  BLOCK_PIXELS = 32, /* that share one conversion of the weights */
  CHUNK = 64         /* input channels whose weights are converted at a time */
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

/* sums[i] = what lies under the kernel at output pixel @first + i . w[out] */
static void
dot_products (double *sums, const Conv3dArgs *a, int64_t first, int64_t n_pixels, int64_t out)
{
  int taps = FRAMES * a->kernel * a->kernel;
  float w[CHUNK * MAX_TAPS];
  for (int64_t i = 0; i < n_pixels; i++)
    sums[i] = 0;
  for (int64_t c0 = 0; c0 < a->c_in; c0 += CHUNK)
    {
      int64_t n = a->c_in - c0 < CHUNK ? a->c_in - c0 : CHUNK;
      param_to_f32 (w, &a->weight, (out * a->c_in + c0) * taps, n * taps);
      for (int64_t i = 0; i < n_pixels; i++)
        for (int tap = 0; tap < taps; tap++)
          {
            const float *p = pixel_under (a, first + i, tap);
            for (int64_t c = 0; p && c < n; c++)
              sums[i] += (double) ref_factor (p[c0 + c], a->compute) *
                         ref_factor (w[c * taps + tap], a->compute);
          }
    }
}

static void
conv_pixels (const Conv3dArgs *a, int64_t first, int64_t n, int64_t out)
{
  double sums[BLOCK_PIXELS];
  dot_products (sums, a, first, n, out);
  for (int64_t i = 0; i < n; i++)
    {
      int64_t at = (first + i) * a->c_out + out;
      double sum = sums[i] + ref_param (&a->bias, out, 0);
      a->y[at] = (float) (a->add ? sum + a->add[at] : sum);
    }
}

void
ref_conv3d (const Conv3dArgs *a)
{
  int64_t n_pixels = a->n * a->h * a->w;
  for (int64_t first = 0; first < n_pixels; first += BLOCK_PIXELS)
    for (int64_t out = 0; out < a->c_out; out++)
      conv_pixels (a, first, n_pixels - first < BLOCK_PIXELS ? n_pixels - first : BLOCK_PIXELS,
                   out);
}
