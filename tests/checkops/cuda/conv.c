/* SPDX-License-Identifier: MPL-2.0
 * conv.c - cases of kernels/cuda/conv.cu, conv-wgmma.cu and of product-f32.cu.
 */
#include <stdlib.h>

#include "check.h"

typedef struct
{
  int64_t n, h_in, w_in, c_in, c_out;
  int kernel, stride, pad;
  bool upsample2, norm, bias, entry_add, add, in_place;
} Shape;

static const Shape shapes[] = {
  { 2, 6, 5, 16, 24, 3, 1, 1, false, false, true, true, false, false },
  { 1, 9, 7, 40, 33, 3, 1, 1, false, true, true, true, true, false },
  { 2, 8, 8, 8, 16, 3, 2, 1, false, false, true, false, false, false },
  { 1, 9, 6, 24, 8, 3, 2, 0, false, false, false, false, false,
    false }, /* the VAE's: right, bottom */
  { 1, 5, 4, 16, 16, 3, 1, 1, true, false, true, false, false, false },
  { 1, 11, 7, 48, 72, 1, 1, 0, false, false, true, false, true, true },
  { 3, 4, 4, 32, 16, 1, 1, 0, false, true, true, false, false, false },
  { 1, 7, 9, 4, 20, 3, 1, 1, false, false, true, false, false, false }, /* conv_in */
  { 1, 7, 9, 24, 3, 3, 1, 1, false, true, true, false, false, false },  /* conv_out */
  { 1, 3, 5, 9, 5, 3, 1, 1, false, false, true, false, true, false },
};

/* Blocks with the end of a picture in them, channels that end in a tile, all slots twice. */
static const Shape wgmma_shapes[] = {
  { 2, 9, 8, 72, 24, 3, 1, 1, false, false, true, true, true, false },
  { 1, 13, 11, 16, 136, 3, 2, 1, false, false, true, false, false, false },
  { 3, 6, 10, 8, 16, 3, 2, 0, false, false, false, false, false, false },
  { 1, 12, 11, 80, 40, 1, 1, 0, false, false, true, false, true, true },
};

static int
run_conv (const void *args, void *stream)
{
  return gk_conv (args, stream);
}

static int
run_conv_f32 (const void *args, void *stream)
{
  return gk_conv_f32 (args, stream);
}

static int
run_conv_wgmma (const void *args, void *stream)
{
  return gk_conv_wgmma (args, stream);
}

/* With the maps that launch.h asks for. */
static void
end_wgmma (Check *c, const GkConv *g, const Output *y)
{
  static _Alignas(64) unsigned char frame_maps[3][DEVICE_MAP_BYTES], w_map[DEVICE_MAP_BYTES];
  int64_t n_k = g->kernel * g->kernel * (g->over_time ? 3 : 1) * g->c_in;
  const void *frames[] = { g->older[0], g->older[1], g->x };
  GkConvWgmma args = { .conv = *g };
  DevicePixels pixels = {
    .lower = { -g->pad_left, -g->pad_top },
    .upper = { (int) ((g->w_out - 1) * g->stride - g->pad_left - (g->w_in - 1)),
               (int) ((g->h_out - 1) * g->stride - g->pad_top - (g->h_in - 1)) },
    .step = { g->stride, g->stride },
    .n_channels = GK_WGMMA_K,
    .n_pixels = GK_WGMMA_M,
  };
  for (int i = 0; i < 3; i++)
    if (frames[i] && device_pixel_map (frame_maps[i], g->type, frames[i],
                                       (int64_t[]){ g->c_in, g->w_in, g->h_in, g->n }, &pixels))
      args.frame_maps[i] = frame_maps[i];
  if (device_tensor_map (w_map, 2, g->w, 2, (int64_t[]){ n_k, g->c_out }, (int64_t[]){ n_k },
                         (int[]){ GK_WGMMA_K, GK_WGMMA_N }))
    args.w_map = w_map;
  check_end (c, run_conv_wgmma, &args, y);
}

void
check_conv_end (Check *c, bool wgmma, const GkConv *args, const Output *y)
{
  if (wgmma)
    end_wgmma (c, args, y);
  else
    check_end (c, args->type == GK_TYPE_F32 ? run_conv_f32 : run_conv, args, y);
}

static int64_t
out_size (const Shape *s, int64_t in)
{
  int64_t seen = s->upsample2 ? 2 * in : in;
  /* Without padding before, one pixel is padded behind. */
  int64_t padding = s->kernel == 1 ? 0 : s->pad ? 2 * s->pad : 1;
  return (seen + padding - s->kernel) / s->stride + 1;
}

void *
check_conv_weights (
    Check *c, GkType type, int64_t c_out, int64_t c_in, int64_t taps, const float *w)
{
  int64_t padded = (c_in + 7) / 8 * 8;
  size_t n = (size_t) (c_out * taps * padded);
  void *packed = calloc (n, sizeof (float));
  for (int64_t out = 0; out < c_out; out++)
    for (int64_t i = 0; i < c_in; i++)
      for (int64_t tap = 0; tap < taps; tap++)
        {
          float f = w[(out * c_in + i) * taps + tap];
          int64_t at = (out * taps + tap) * padded + i;
          if (type == GK_TYPE_F32)
            ((float *) packed)[at] = f;
          else
            ((uint16_t *) packed)[at] = type == GK_TYPE_F16 ? f32_to_f16 (f) : f32_to_bf16 (f);
        }
  void *device = check_upload (c, packed, n * (type == GK_TYPE_F32 ? 4 : 2), "the weights");
  free (packed);
  return device;
}

/* What the convolution sees: normed values rounded as the kernel rounds them. */
static float *
norm_exactly (Check *c, GkType type, const Shape *s, const float *x, const float *affine)
{
  int64_t n = s->n * s->h_in * s->w_in * s->c_in, per_image = s->h_in * s->w_in * s->c_in;
  float *y = check_host (c, n);
  for (int64_t i = 0; i < n; i++)
    {
      const float *a = affine + (i / per_image * s->c_in + i % s->c_in) * 2;
      float v = x[i] * a[0] + a[1];
      v = (float) (v / (1 + exp (-(double) v)));
      y[i] = type == GK_TYPE_F16 ? f16_to_f32 (f32_to_f16 (v)) : bf16_to_f32 (f32_to_bf16 (v));
    }
  return y;
}

/* The sum of the sizes of what each output is summed from: what its rounding is measured by. */
static void
fill_magnitudes (Check *c,
                 const ConvArgs *exact,
                 int64_t n_x,
                 int64_t n_w,
                 int64_t n_y,
                 const float *w,
                 const Output *y)
{
  float *sizes_x = check_host (c, n_x), *sizes_w = check_host (c, n_w);
  for (int64_t i = 0; i < n_x; i++)
    sizes_x[i] = fabsf (exact->x[i]);
  for (int64_t i = 0; i < n_w; i++)
    sizes_w[i] = fabsf (w[i]);
  ConvArgs sizes = *exact;
  sizes.x = sizes_x;
  sizes.w.data = sizes_w;
  sizes.bias = (Param){ 0 };
  sizes.channel_add = sizes.add = NULL;
  sizes.y = y->magnitude;
  ref_conv2d (&sizes);
  for (int64_t i = 0; i < n_y; i++)
    y->magnitude[i] += fabsf (y->exact[i]) + 1e-6f;
}

static void
check_case (Check *c, bool wgmma, GkType type, const Shape *s)
{
  int64_t h_out = out_size (s, s->h_in), w_out = out_size (s, s->w_in);
  int64_t n_y = s->n * h_out * w_out * s->c_out, taps = s->kernel * s->kernel;
  int64_t n_x = s->n * s->h_in * s->w_in * s->c_in, n_w = s->c_out * s->c_in * taps;
  if (!check_begin (c, "conv%s/%s/%lldx%lldx%lldx%lld-%lld/k%ds%d%s%s", wgmma ? "-wgmma" : "",
                    check_type_name (type), (long long) s->n, (long long) s->h_in,
                    (long long) s->w_in, (long long) s->c_in, (long long) s->c_out, s->kernel,
                    s->stride, s->upsample2 ? "/up" : "", s->norm ? "/norm" : ""))
    return;
  Values x = check_values (c, type, n_x, 1, 0), add = check_values (c, type, n_y, 1, 0);
  Values bias = check_floats (c, s->c_out, 1, 0);
  Values entry_add = check_values (c, type, s->n * s->c_out, 1, 0);
  Values affine = check_floats (c, s->n * s->c_in * 2, 1, 0);
  Values w = check_values (c, type, n_w, 1 / sqrtf ((float) (s->c_in * taps)), 0);
  Output y = check_output (c, (OutType) type, n_y, s->in_place ? add.device : NULL);
  const float *seen = s->norm ? norm_exactly (c, type, s, x.host, affine.host) : x.host;
  ConvArgs exact = { .n = s->n,
                     .h_in = s->h_in,
                     .w_in = s->w_in,
                     .c_in = s->c_in,
                     .h_out = h_out,
                     .w_out = w_out,
                     .c_out = s->c_out,
                     .kernel = s->kernel,
                     .stride = s->stride,
                     .pad_top = s->pad,
                     .pad_left = s->pad,
                     .upsample2 = s->upsample2,
                     .x = seen,
                     .w = check_param (&w),
                     .bias = s->bias ? check_param (&bias) : (Param){ 0 },
                     .channel_add = s->entry_add ? entry_add.host : NULL,
                     .add = s->add ? add.host : NULL,
                     .y = y.exact };
  ref_conv2d (&exact);
  fill_magnitudes (c, &exact, n_x, n_w, n_y, w.host, &y);
  GkConv args = { .type = type,
                  .n = s->n,
                  .h_in = s->h_in,
                  .w_in = s->w_in,
                  .c_in = s->c_in,
                  .h_out = h_out,
                  .w_out = w_out,
                  .c_out = s->c_out,
                  .kernel = s->kernel,
                  .stride = s->stride,
                  .pad_top = s->pad,
                  .pad_left = s->pad,
                  .upsample2 = s->upsample2,
                  .x = x.device,
                  .affine = s->norm ? affine.device : NULL,
                  .w = check_conv_weights (c, type, s->c_out, s->c_in, taps, w.host),
                  .epilogue = { .bias = s->bias ? bias.device : NULL,
                                .entry_add = s->entry_add ? entry_add.device : NULL,
                                .add = s->add ? add.device : NULL,
                                .rows_per_entry = h_out * w_out,
                                .y = y.device,
                                .y_stride = s->c_out } };
  check_conv_end (c, wgmma, &args, &y);
}

static void
check_one (Check *c, GkType type, const Shape *s)
{
  check_case (c, false, type, s);
}

void
check_conv_wgmma (Check *c)
{
  for (int type = 0; type <= GK_TYPE_F16 && device_has_capability (90); type++)
    for (int i = 0; i < COUNT (wgmma_shapes); i++)
      check_case (c, true, (GkType) type, &wgmma_shapes[i]);
}

void
check_conv (Check *c)
{
  for (int type = 0; type <= GK_TYPE_F16; type++)
    for (int i = 0; i < COUNT (shapes); i++)
      check_one (c, (GkType) type, &shapes[i]);
  for (int i = 0; i < COUNT (shapes); i++)
    if (!shapes[i].norm)
      check_one (c, GK_TYPE_F32, &shapes[i]);
  if (!check_is_full (c))
    return;
  static const Shape large[] = {
    { 1, 40, 41, 8, 1060, 3, 1, 1, false, true, true, true, true, false },
    { 1, 40, 39, 8, 1060, 3, 1, 1, false, false, true, false, false, false },
  };
  for (int type = 0; type <= GK_TYPE_F16; type++)
    for (int i = 0; i < COUNT (large); i++)
      check_one (c, (GkType) type, &large[i]);
}
