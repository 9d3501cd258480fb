/* SPDX-License-Identifier: MPL-2.0
 * cpu-conv.c - convolutions as products whose rows of A are looked up in the picture.
 *
 * Row m is an output pixel; its taps are pointers to input pixels (channels last), NULL outside the
 * picture.  Doubling by nearest neighbour only halves the coordinates, so neither a column buffer
 * nor the doubled picture ever exists.  A convolution over time is the same with the taps of three
 * frames, which may lie anywhere.
 */
#include "backend/cpu-gemm.h"

#include <string.h>

const float *
conv_pixel (const ConvArgs *a, const float *frame, int64_t picture, int64_t y, int64_t x)
{
  int doubled = a->upsample2 ? 1 : 0;
  if (!frame || y < 0 || x < 0 || y >= a->h_in << doubled || x >= a->w_in << doubled)
    return NULL;
  return frame + ((picture * a->h_in + (y >> doubled)) * a->w_in + (x >> doubled)) * a->c_in;
}

/* Where the taps of an output pixel lie whose first tap is at (y, x) of the (doubled) picture. */
static const float **
pixel_taps (const ConvArgs *a,
            const float *frame,
            int64_t picture,
            int64_t y,
            int64_t x,
            const float **table)
{
  int doubled = a->upsample2 ? 1 : 0;
  int64_t h = a->h_in << doubled, w = a->w_in << doubled;
  for (int ky = 0; ky < a->kernel; ky++)
    {
      bool inside = frame && y + ky >= 0 && y + ky < h;
      int64_t row = inside ? picture * a->h_in + ((y + ky) >> doubled) : 0;
      const float *start = inside ? frame + row * a->w_in * a->c_in : NULL;
      for (int64_t ix = x; ix < x + a->kernel; ix++)
        *table++ = inside && ix >= 0 && ix < w ? start + (ix >> doubled) * a->c_in : NULL;
    }
  return table;
}

static void
conv_rows (const GemmJob *job, int64_t row0, int n, const float **table)
{
  const ConvSum *s = job->source;
  const ConvArgs *a = &s->args;
  int64_t pixels = a->h_out * a->w_out;
  int64_t picture = row0 / pixels, oy = row0 % pixels / a->w_out, ox = row0 % a->w_out;
  for (int i = 0; i < n; i++)
    {
      for (int f = 0; f < s->n_frames; f++)
        table = pixel_taps (a, s->frames[f], picture, oy * a->stride - a->pad_top,
                            ox * a->stride - a->pad_left, table);
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
convolve (CpuBackend *b, const ConvSum *s)
{
  const ConvArgs *a = &s->args;
  int taps = s->n_frames * a->kernel * a->kernel;
  int64_t pixels = a->h_out * a->w_out;
  GemmJob job = { .cpu = b,
                  .kernels = gemm_kernels (b, a->compute),
                  .row_pointers = conv_rows,
                  .source = s,
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

static void
sum_frames (CpuBackend *b, const ConvSum *s)
{
  if (winograd_applies (gemm_kernels (b, s->args.compute), s))
    winograd_convolve (b, s);
  else
    convolve (b, s);
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
      ConvSum part = { .args = *a, .n_frames = 1, .frames = { a->x + p * in } };
      part.args.n = min_i64 (MOST_PICTURES, a->n - p);
      part.args.y = a->y + p * out;
      part.args.add = a->add ? a->add + p * out : NULL;
      part.args.channel_add = a->channel_add ? a->channel_add + p * a->c_out : NULL;
      sum_frames (b, &part);
    }
}

void
cpu_conv3d (Backend *base, const Conv3dArgs *a)
{
  ConvSum sum = { .args = { .n = a->n,
                            .h_in = a->h,
                            .w_in = a->w,
                            .c_in = a->c_in,
                            .h_out = a->h,
                            .w_out = a->w,
                            .c_out = a->c_out,
                            .kernel = a->kernel,
                            .stride = 1,
                            .pad_top = a->kernel / 2,
                            .pad_left = a->kernel / 2,
                            .w = a->weight,
                            .bias = a->bias,
                            .add = a->add,
                            .y = a->y,
                            .compute = a->compute },
                  .n_frames = MAX_FRAMES };
  memcpy (sum.frames, a->frames, sizeof sum.frames);
  sum_frames ((CpuBackend *) base, &sum);
}
