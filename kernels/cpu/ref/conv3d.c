/* SPDX-License-Identifier: MPL-2.0
 * conv3d.c - cross-correlation of three channels-last frames in a row, one dot product an element.
 *
 * Shapes   frames 3 x (n, h, w, c_in), w (c_out, c_in, 3, kernel, kernel), y (n, h, w, c_out).
 * Numbers  factors f32, or rounded to bf16; the sum in f64, rounded once.
 * Limit    one multiply-add at a time.
 * Aliases  add may equal y: an element is read before it is written.
 */
#include "ref.h"

enum
{
  FRAMES = 3,
  MAX_TAPS = 27,
  CHUNK = 64 /* input channels whose weights are converted at a time */
};

/* The pixel under @tap (frame, row, column) of output pixel (@y, @x); NULL where it reads zeros. */
static const float *
pixel_under (const Conv3dArgs *a, int64_t image, int64_t y, int64_t x, int tap)
{
  int k = a->kernel;
  const float *frame = a->frames[tap / (k * k)];
  int64_t iy = y + tap / k % k - k / 2, ix = x + tap % k - k / 2;
  if (!frame || iy < 0 || iy >= a->h || ix < 0 || ix >= a->w)
    return NULL;
  return frame + ((image * a->h + iy) * a->w + ix) * a->c_in;
}

static double
dot_product (const Conv3dArgs *a, int64_t image, int64_t y, int64_t x, int64_t out)
{
  int taps = FRAMES * a->kernel * a->kernel;
  float w[CHUNK * MAX_TAPS];
  double sum = 0;
  for (int64_t c0 = 0; c0 < a->c_in; c0 += CHUNK)
    {
      int64_t n = a->c_in - c0 < CHUNK ? a->c_in - c0 : CHUNK;
      param_to_f32 (w, &a->weight, (out * a->c_in + c0) * taps, n * taps);
      for (int tap = 0; tap < taps; tap++)
        {
          const float *p = pixel_under (a, image, y, x, tap);
          for (int64_t c = 0; p && c < n; c++)
            sum += (double) ref_factor (p[c0 + c], a->compute) *
                   ref_factor (w[c * taps + tap], a->compute);
        }
    }
  return sum;
}

void
ref_conv3d (const Conv3dArgs *a)
{
  for (int64_t pixel = 0; pixel < a->n * a->h * a->w; pixel++)
    for (int64_t out = 0; out < a->c_out; out++)
      {
        int64_t i = pixel * a->c_out + out;
        double sum = dot_product (a, pixel / a->w / a->h, pixel / a->w % a->h, pixel % a->w, out) +
                     ref_param (&a->bias, out, 0);
        a->y[i] = (float) (a->add ? sum + a->add[i] : sum);
      }
}
