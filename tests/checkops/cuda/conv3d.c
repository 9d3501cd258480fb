/* SPDX-License-Identifier: MPL-2.0
 * conv3d.c - cases of kernels/cuda/conv.cu and conv-wgmma.cu over three frames.
 */
#include "check.h"

enum
{
  FRAMES = 3
};

typedef struct
{
  int64_t n, h, w, c_in, c_out;
  int kernel;
  bool older[2], bias, add, in_place;
} Shape;

static const Shape shapes[] = {
  { 1, 6, 5, 16, 24, 3, { true, true }, true, false, false },
  { 2, 5, 4, 24, 17, 3, { true, true }, true, true, true },
  { 1, 7, 6, 12, 16, 3, { true, true }, true, true, false },  /* padded channels */
  { 1, 7, 5, 8, 9, 3, { false, false }, true, false, false }, /* a clip's first frame */
  { 1, 4, 9, 16, 16, 3, { false, true }, false, true, false },
  { 1, 4, 9, 16, 16, 3, { true, false }, false, false, false },
  { 1, 9, 8, 32, 64, 1, { true, true }, true, false, false }, /* time alone */
  { 1, 3, 7, 3, 8, 3, { true, true }, true, false, false },   /* conv_in */
};

static const Shape wgmma_shapes[] = {
  { 1, 6, 5, 72, 24, 3, { true, true }, true, false, false },
  { 2, 9, 8, 16, 40, 3, { false, true }, true, true, true },
  { 1, 4, 3, 8, 16, 3, { false, false }, true, false, false },
  { 1, 9, 8, 32, 64, 1, { true, true }, true, false, false },
};

/* The sums of absolute products that results are judged by. */
static void
measure (Check *c, const Conv3dArgs *exact, const Values *frames, const float *w, Output *y)
{
  int64_t n_x = exact->n * exact->h * exact->w * exact->c_in;
  int64_t n_w = exact->c_out * exact->c_in * FRAMES * exact->kernel * exact->kernel;
  Conv3dArgs sizes = *exact;
  float *sizes_w = check_host (c, n_w);
  for (int64_t i = 0; i < n_w; i++)
    sizes_w[i] = fabsf (w[i]);
  for (int k = 0; k < FRAMES; k++)
    if (exact->frames[k])
      {
        float *sizes_x = check_host (c, n_x);
        for (int64_t i = 0; i < n_x; i++)
          sizes_x[i] = fabsf (frames[k].host[i]);
        sizes.frames[k] = sizes_x;
      }
  sizes.weight.data = sizes_w;
  sizes.bias = (Param){ 0 };
  sizes.add = NULL;
  sizes.y = y->magnitude;
  ref_conv3d (&sizes);
  for (int64_t i = 0; i < y->n; i++)
    y->magnitude[i] += fabsf (y->exact[i]) + 1e-6f;
}

static void
check_case (Check *c, bool wgmma, GkType type, const Shape *s)
{
  int64_t taps = FRAMES * s->kernel * s->kernel, n_x = s->n * s->h * s->w * s->c_in;
  int64_t n_y = s->n * s->h * s->w * s->c_out;
  if (!check_begin (c, "conv3d%s/%s/%lldx%lldx%lldx%lld-%lld/k%d/f%d%d1", wgmma ? "-wgmma" : "",
                    check_type_name (type), (long long) s->n, (long long) s->h, (long long) s->w,
                    (long long) s->c_in, (long long) s->c_out, s->kernel, s->older[0], s->older[1]))
    return;
  Values frames[FRAMES], bias = check_floats (c, s->c_out, 1, 0);
  Values add = check_values (c, type, n_y, 1, 0);
  Values w =
      check_values (c, type, s->c_out * s->c_in * taps, 1 / sqrtf ((float) (s->c_in * taps)), 0);
  Output y = check_output (c, (OutType) type, n_y, s->in_place ? add.device : NULL);
  Conv3dArgs exact = { .n = s->n,
                       .h = s->h,
                       .w = s->w,
                       .c_in = s->c_in,
                       .c_out = s->c_out,
                       .kernel = s->kernel,
                       .weight = check_param (&w),
                       .bias = s->bias ? check_param (&bias) : (Param){ 0 },
                       .add = s->add ? add.host : NULL,
                       .y = y.exact };
  for (int k = 0; k < FRAMES; k++)
    {
      frames[k] = check_values (c, type, n_x, 1, 0);
      exact.frames[k] = k == 2 || s->older[k] ? frames[k].host : NULL;
    }
  ref_conv3d (&exact);
  measure (c, &exact, frames, w.host, &y);
  GkConv args = { .type = type,
                  .n = s->n,
                  .h_in = s->h,
                  .w_in = s->w,
                  .c_in = s->c_in,
                  .h_out = s->h,
                  .w_out = s->w,
                  .c_out = s->c_out,
                  .kernel = s->kernel,
                  .stride = 1,
                  .pad_top = s->kernel / 2,
                  .pad_left = s->kernel / 2,
                  .over_time = true,
                  .older = { s->older[0] ? frames[0].device : NULL,
                             s->older[1] ? frames[1].device : NULL },
                  .x = frames[2].device,
                  .w = check_conv_weights (c, type, s->c_out, s->c_in, taps, w.host),
                  .epilogue = { .bias = s->bias ? bias.device : NULL,
                                .add = s->add ? add.device : NULL,
                                .rows_per_entry = s->h * s->w,
                                .y = y.device,
                                .y_stride = s->c_out } };
  check_conv_end (c, wgmma, &args, &y);
}

void
check_conv3d (Check *c)
{
  for (int type = 0; type <= GK_TYPE_F32; type++)
    for (int i = 0; i < COUNT (shapes); i++)
      check_case (c, false, (GkType) type, &shapes[i]);
  for (int type = 0; type <= GK_TYPE_F16 && device_has_capability (90); type++)
    for (int i = 0; i < COUNT (wgmma_shapes); i++)
      check_case (c, true, (GkType) type, &wgmma_shapes[i]);
  static const Shape large = { 1, 40, 39, 8, 1060, 3, { true, true }, true, true, false };
  if (check_is_full (c))
    check_case (c, false, GK_TYPE_BF16, &large);
}
