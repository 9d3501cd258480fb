/* SPDX-License-Identifier: MPL-2.0
 * cpu-conv.c - convolutions as products whose rows of A are looked up in the picture.
 *
 * Row m is an output pixel; its taps are pointers to input pixels (channels last), NULL outside the
 * picture.  Doubling by nearest neighbour only halves the coordinates, so neither a column buffer
 * nor the doubled picture ever exists.
 */
#include "backend/cpu-gemm.h"

static const float *
input_pixel (const ConvArgs *a, int64_t picture, int64_t y, int64_t x)
{
  int64_t scale = a->upsample2 ? 2 : 1;
  if (y < 0 || x < 0 || y >= a->h_in * scale || x >= a->w_in * scale)
    return NULL;
  return a->x + ((picture * a->h_in + y / scale) * a->w_in + x / scale) * a->c_in;
}

static void
conv_rows (const GemmJob *job, int64_t row0, int n, const float **table)
{
  const ConvArgs *a = job->source;
  int64_t pixels = a->h_out * a->w_out;
  int64_t picture = row0 / pixels, oy = row0 % pixels / a->w_out, ox = row0 % a->w_out;
  for (int i = 0; i < n; i++)
    {
      int64_t y = oy * a->stride - a->pad_top, x = ox * a->stride - a->pad_left;
      for (int ky = 0; ky < a->kernel; ky++)
        for (int kx = 0; kx < a->kernel; kx++)
          *table++ = input_pixel (a, picture, y + ky, x + kx);
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
                  .w = { a->w.data, a->w.dtype, a->c_in * taps, taps },
                  .bias = a->bias,
                  .n_rows = a->n * pixels,
                  .n_out = a->c_out,
                  .n_channels = a->c_in,
                  .rows_per_picture = a->channel_add ? pixels : a->n * pixels,
                  .channel_add = a->channel_add,
                  .add = a->add,
                  .c = a->y,
                  .c_stride = a->c_out };
  gemm_run (&job);
}

void
cpu_conv2d (Backend *base, const ConvArgs *a)
{
  enum
  {
    MOST_PICTURES = 1024 /* whose channel_add fits the scratch for biases */
  };
  int64_t in = a->h_in * a->w_in * a->c_in, out = a->h_out * a->w_out * a->c_out;
  for (int64_t p = 0; p < a->n; p += MOST_PICTURES)
    {
      ConvArgs part = *a;
      part.n = min_i64 (MOST_PICTURES, a->n - p);
      part.x = a->x + p * in;
      part.y = a->y + p * out;
      part.add = a->add ? a->add + p * out : NULL;
      part.channel_add = a->channel_add ? a->channel_add + p * a->c_out : NULL;
      convolve ((CpuBackend *) base, &part);
    }
}
