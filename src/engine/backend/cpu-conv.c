/* SPDX-License-Identifier: MPL-2.0
 * cpu-conv.c - convolutions as products whose rows of A are looked up in the picture.
 *
 * Row m is an output pixel; its taps are pointers to input pixels (channels last), NULL outside the
 * picture.  Doubling by nearest neighbour only halves the coordinates, so neither a column buffer
 * nor the doubled picture ever exists.
 */
#include "backend/cpu-gemm.h"

const float *
conv_pixel (const ConvArgs *a, int64_t picture, int64_t y, int64_t x)
{
  int doubled = a->upsample2 ? 1 : 0;
  if (y < 0 || x < 0 || y >= a->h_in << doubled || x >= a->w_in << doubled)
    return NULL;
  return a->x + ((picture * a->h_in + (y >> doubled)) * a->w_in + (x >> doubled)) * a->c_in;
}

/* Where the taps of an output pixel lie whose first tap is at (y, x) of the (doubled) picture. */
static const float **
pixel_taps (const ConvArgs *a, int64_t picture, int64_t y, int64_t x, const float **table)
{
  int doubled = a->upsample2 ? 1 : 0;
  int64_t h = a->h_in << doubled, w = a->w_in << doubled;
  for (int ky = 0; ky < a->kernel; ky++)
    {
      bool inside = y + ky >= 0 && y + ky < h;
      int64_t row = inside ? picture * a->h_in + ((y + ky) >> doubled) : 0;
      const float *start = a->x + row * a->w_in * a->c_in;
      for (int64_t ix = x; ix < x + a->kernel; ix++)
        *table++ = inside && ix >= 0 && ix < w ? start + (ix >> doubled) * a->c_in : NULL;
    }
  return table;
}

static void
conv_rows (const GemmJob *job, int64_t row0, int n, const float **table)
{
  const ConvArgs *a = job->source;
  int64_t pixels = a->h_out * a->w_out;
  int64_t picture = row0 / pixels, oy = row0 % pixels / a->w_out, ox = row0 % a->w_out;
  for (int i = 0; i < n; i++)
    {
      table =
          pixel_taps (a, picture, oy * a->stride - a->pad_top, ox * a->stride - a->pad_left, table);
      if (++ox == a->w_out)
        {
          ox = 0;
          if (++oy == a->h_out)
            {
              oy = 0;
              picture++;
            }
        }
    }
}

static void
convolve (CpuBackend *b, const ConvArgs *a)
{
  int taps = a->kernel * a->kernel;
  int64_t pixels = a->h_out * a->w_out;
  GemmJob job = { .cpu = b,
                  .kernels = gemm_kernels (b, a->compute),
                  .row_pointers = conv_rows,
                  .source = a,
                  .w = { a->w, a->c_in * taps, taps },
                  .bias = a->bias,
                  .n_rows = a->n * pixels,
                  .n_out = a->c_out,
                  .n_channels = a->c_in,
                  .rows_per_picture = a->channel_add ? pixels : a->n * pixels,
                  .channel_add = a->channel_add,
                  .add = a->add,
                  .c = a->y,
                  .c_stride = a->c_out };
  gemm_fold_init (&job, &a->fold);
  gemm_run (&job);
}

void
cpu_conv2d (Backend *base, const ConvArgs *a)
{
  enum
  {
    MOST_PICTURES = 1024 /* whose channel_add fits the scratch for biases */
  };
  CpuBackend *b = (CpuBackend *) base;
  int64_t in = a->h_in * a->w_in * a->c_in, out = a->h_out * a->w_out * a->c_out;
  for (int64_t p = 0; p < a->n; p += MOST_PICTURES)
    {
      ConvArgs part = *a;
      part.n = min_i64 (MOST_PICTURES, a->n - p);
      part.x = a->x + p * in;
      part.y = a->y + p * out;
      part.add = a->add ? a->add + p * out : NULL;
      part.channel_add = a->channel_add ? a->channel_add + p * a->c_out : NULL;
      if (winograd_applies (gemm_kernels (b, a->compute), a))
        winograd_convolve (b, &part);
      else
        convolve (b, &part);
    }
}
