/* SPDX-License-Identifier: MPL-2.0
 * conv3d.c - cross-correlation of three channels-last frames in a row, one dot product an element.
 *
 * Shapes   frames 3 x (n, h, w, c_in), w (c_out, c_in, 3, kernel, kernel), y (n, h, w, c_out).
 * Numbers  factors f32, or rounded to bf16; the sum in f64, rounded once.
 * Limit    one processor's f64 arithmetic; factors are converted again for every block of y.
 * Aliases  add may equal y: an element is read before it is written.
 */
#include "ref.h"

enum
{
  FRAMES = 3,
  MAX_TAPS = 27,
  BLOCK = 16, /* pixels, and channels, of y that share one conversion of their factors */
  CHUNK = 8   /* input channels converted at a time */
};

/* A block of y; n_pixels and n_outs are less than BLOCK at the edges. */
typedef struct
{
  int64_t first_pixel, n_pixels, first_out, n_outs;
  double sums[BLOCK][BLOCK];
} Block;

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

/* What lies under the kernel at output pixel @pixel, @n channels from @c0 on: (channel, tap). */
static void
load_x (double *out, const Conv3dArgs *a, int64_t pixel, int64_t c0, int64_t n)
{
  int taps = FRAMES * a->kernel * a->kernel;
  for (int tap = 0; tap < taps; tap++)
    {
      const float *x = pixel_under (a, pixel, tap);
      for (int64_t c = 0; c < n; c++)
        out[c * taps + tap] = x ? ref_factor (x[c0 + c], a->compute) : 0;
    }
}

static void
load_w (double *out, const Conv3dArgs *a, int64_t row, int64_t c0, int64_t n)
{
  int taps = FRAMES * a->kernel * a->kernel;
  float w[CHUNK * MAX_TAPS];
  param_to_f32 (w, &a->weight, (row * a->c_in + c0) * taps, n * taps);
  ref_factors (out, w, n * taps, a->compute);
}

static void
add_products (Block *b, const Conv3dArgs *a, int64_t c0, int64_t n)
{
  double x[BLOCK][CHUNK * MAX_TAPS], w[CHUNK * MAX_TAPS];
  for (int64_t i = 0; i < b->n_pixels; i++)
    load_x (x[i], a, b->first_pixel + i, c0, n);
  for (int64_t o = 0; o < b->n_outs; o++)
    {
      load_w (w, a, b->first_out + o, c0, n);
      for (int64_t i = 0; i < b->n_pixels; i++)
        b->sums[i][o] += ref_dot (x[i], w, n * FRAMES * a->kernel * a->kernel);
    }
}

static void
store (const Block *b, const Conv3dArgs *a)
{
  for (int64_t o = 0; o < b->n_outs; o++)
    {
      int64_t out = b->first_out + o;
      double bias = ref_param (&a->bias, out, 0);
      for (int64_t i = 0; i < b->n_pixels; i++)
        {
          int64_t at = (b->first_pixel + i) * a->c_out + out;
          a->y[at] = (float) (b->sums[i][o] + bias + (a->add ? a->add[at] : 0));
        }
    }
}

void
ref_conv3d (const Conv3dArgs *a)
{
  int64_t n_pixels = a->n * a->h * a->w;
  for (int64_t pixel = 0; pixel < n_pixels; pixel += BLOCK)
    for (int64_t out = 0; out < a->c_out; out += BLOCK)
      {
        Block b = { .first_pixel = pixel,
                    .n_pixels = ref_least (BLOCK, n_pixels - pixel),
                    .first_out = out,
                    .n_outs = ref_least (BLOCK, a->c_out - out) };
        for (int64_t c = 0; c < a->c_in; c += CHUNK)
          add_products (&b, a, c, ref_least (CHUNK, a->c_in - c));
        store (&b, a);
      }
}
