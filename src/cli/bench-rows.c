/* SPDX-License-Identifier: MPL-2.0
 * bench-rows.c - the rows of `gesso-cli bench`.
 *
 * Shapes are those of SDXL (1024 x 1024, guidance as a batch of two), FLUX.1 (1024 x 1024) and Wan
 * (832 x 480, 81 frames; two of its 40 heads).
 */
#include "cli/bench-rows.h"

/* The first two are what the others are measured against. */
static const BenchRow rows[] = {
  { "copy", BENCH_COPY, 1, 65536, 4096, 0 },
  { "product 8192x8192x8192", BENCH_LINEAR, 1, 8192, 8192, 8192 },
  { "sdxl linear 8192x1280x1280", BENCH_LINEAR, 1, 8192, 1280, 1280 },
  { "sdxl linear 2048x10240x1280", BENCH_LINEAR, 1, 2048, 10240, 1280 },
  { "sdxl linear 154x1280x2048", BENCH_LINEAR, 1, 154, 1280, 2048 },
  { "flux linear 4608x9216x3072", BENCH_LINEAR, 1, 4608, 9216, 3072 },
  { "flux linear 4608x12288x3072", BENCH_LINEAR, 1, 4608, 12288, 3072 },
  { "sdxl conv 2x128x128x320-320", BENCH_CONV, 2, 128, 320, 320 },
  { "sdxl conv 2x64x64x640-640", BENCH_CONV, 2, 64, 640, 640 },
  { "sdxl conv 2x32x32x1280-1280", BENCH_CONV, 2, 32, 1280, 1280 },
  { "vae conv 1x512x512x256-256", BENCH_CONV, 1, 512, 256, 256 },
  { "wan linear 32760x5120x5120", BENCH_LINEAR, 1, 32760, 5120, 5120 },
  { "wan vae conv3d 1x640x640x96-96", BENCH_CONV3D, 1, 640, 96, 96 },
  { "wan vae conv3d 1x160x160x384-384", BENCH_CONV3D, 1, 160, 384, 384 },
  { "flux attention 24x4608x4608x128", BENCH_ATTENTION, 24, 4608, 4608, 128 },
  { "sdxl attention 20x4096x4096x64", BENCH_ATTENTION, 20, 4096, 4096, 64 },
  { "sdxl attention 40x1024x1024x64", BENCH_ATTENTION, 40, 1024, 1024, 64 },
  { "sdxl attention 20x4096x77x64", BENCH_ATTENTION, 20, 4096, 77, 64 },
  { "wan attention 2x32760x32760x128", BENCH_ATTENTION, 2, 32760, 32760, 128 },
  { "vae attention 1x4096x4096x512", BENCH_ATTENTION, 1, 4096, 4096, 512 },
  { "sdxl group norm + silu 2x16384x320", BENCH_GROUP_NORM, 2, 16384, 320, 0 },
  { "wan vae rms norm + silu 409600x96", BENCH_RMS_SILU, 1, 409600, 96, 0 },
  { "flux norm + modulate 4608x3072", BENCH_MODULATE, 1, 4608, 3072, 0 },
  { "sdxl geglu 2048x5120", BENCH_GEGLU, 1, 2048, 5120, 0 },
};

int
bench_n_rows (void)
{
  return (int) (sizeof rows / sizeof *rows);
}

BenchRow
bench_row (int i, bool small)
{
  BenchRow r = rows[i];
  if (!small)
    return r;
  r.a = (r.a + BENCH_SMALL - 1) / BENCH_SMALL;
  if (r.kind == BENCH_LINEAR || r.kind == BENCH_COPY)
    {
      r.b = (r.b + BENCH_SMALL - 1) / BENCH_SMALL;
      r.c = (r.c + BENCH_SMALL - 1) / BENCH_SMALL;
    }
  if (r.kind == BENCH_CONV || r.kind == BENCH_CONV3D)
    {
      r.b = (r.b / BENCH_SMALL + 31) / 32 * 32;
      r.c = (r.c / BENCH_SMALL + 31) / 32 * 32;
    }
  if (r.kind == BENCH_ATTENTION)
    {
      r.n = 1;
      r.b = (r.b + BENCH_SMALL - 1) / BENCH_SMALL;
    }
  return r;
}

double
bench_row_operations (const BenchRow *r)
{
  switch (r->kind)
    {
    case BENCH_LINEAR:
      return 2.0 * (double) r->a * (double) r->b * (double) r->c;
    case BENCH_CONV:
      return 2.0 * 9 * (double) (r->n * r->a * r->a) * (double) r->b * (double) r->c;
    case BENCH_CONV3D:
      return 2.0 * 27 * (double) (r->n * r->a * r->a) * (double) r->b * (double) r->c;
    case BENCH_ATTENTION:
      return 4.0 * (double) r->n * (double) r->a * (double) r->b * (double) r->c;
    default:
      return 0;
    }
}

double
bench_row_elements (const BenchRow *r)
{
  double n = (double) r->n * (double) r->a * (double) r->b;
  return r->kind == BENCH_GEGLU ? 3 * n : 2 * n;
}

void
bench_row_sizes (const BenchRow *r, size_t *n_values, size_t *n_weights)
{
  int64_t x = r->n * r->a * r->b, y = x, w = r->b;
  if (r->kind == BENCH_LINEAR)
    {
      x = r->a * r->c;
      y = r->a * r->b;
      w = r->b * r->c;
    }
  else if (r->kind == BENCH_CONV || r->kind == BENCH_CONV3D)
    {
      x = r->n * r->a * r->a * r->c;
      y = r->n * r->a * r->a * r->b;
      w = r->b * r->c * (r->kind == BENCH_CONV ? 9 : 27);
    }
  else if (r->kind == BENCH_ATTENTION)
    {
      x = r->n * (r->b > r->a ? r->b : r->a) * r->c;
      y = x;
    }
  else if (r->kind == BENCH_GEGLU)
    x *= 2;
  *n_values = (size_t) (x > y ? x : y);
  *n_weights = (size_t) w;
}

static void
run_linear (Backend *k, const BenchRow *r, const BenchOperands *o)
{
  k->ops.linear (k, &(LinearArgs){ .n_rows = r->a,
                                   .n_out = r->b,
                                   .n_in = r->c,
                                   .x = o->x,
                                   .x_stride = r->c,
                                   .w = o->w,
                                   .y = o->y,
                                   .y_stride = r->b,
                                   .compute = k->fastest });
}

static void
run_conv (Backend *k, const BenchRow *r, const BenchOperands *o)
{
  k->ops.conv2d (k, &(ConvArgs){ .n = r->n,
                                 .h_in = r->a,
                                 .w_in = r->a,
                                 .c_in = r->c,
                                 .h_out = r->a,
                                 .w_out = r->a,
                                 .c_out = r->b,
                                 .kernel = 3,
                                 .stride = 1,
                                 .pad_top = 1,
                                 .pad_left = 1,
                                 .x = o->x,
                                 .w = o->w,
                                 .y = o->y,
                                 .compute = k->fastest });
}

static void
run_conv3d (Backend *k, const BenchRow *r, const BenchOperands *o)
{
  k->ops.conv3d (k, &(Conv3dArgs){ .n = r->n,
                                   .h = r->a,
                                   .w = r->a,
                                   .c_in = r->c,
                                   .c_out = r->b,
                                   .kernel = 3,
                                   .frames = { o->z, o->x, o->z },
                                   .weight = o->w,
                                   .y = o->y,
                                   .compute = k->fastest });
}

static void
run_attention (Backend *k, const BenchRow *r, const BenchOperands *o)
{
  k->ops.attention (k, &(AttentionArgs){ .n = 1,
                                         .n_heads = r->n,
                                         .head_dim = r->c,
                                         .len_q = r->a,
                                         .len_k = r->b,
                                         .q = o->x,
                                         .k = o->z,
                                         .v = o->z,
                                         .q_stride = r->n * r->c,
                                         .k_stride = r->n * r->c,
                                         .v_stride = r->n * r->c,
                                         .y = o->y,
                                         .scale = 0.1f,
                                         .compute = k->fastest });
}

static void
run_group_norm (Backend *k, const BenchRow *r, const BenchOperands *o)
{
  k->ops.group_norm (k, &(GroupNormArgs){ .n = r->n,
                                          .n_pixels = r->a,
                                          .n_channels = r->b,
                                          .n_groups = 32,
                                          .eps = 1e-5f,
                                          .silu = true,
                                          .x = o->x,
                                          .weight = o->w,
                                          .bias = o->w,
                                          .y = o->y });
}

static void
run_rms_silu (Backend *k, const BenchRow *r, const BenchOperands *o)
{
  k->ops.rms_norm (k, &(RmsNormArgs){ .n_rows = r->a,
                                      .dim = r->b,
                                      .eps = 1e-6f,
                                      .silu = true,
                                      .x = o->x,
                                      .weight = o->w,
                                      .y = o->y });
}

static void
run_modulate (Backend *k, const BenchRow *r, const BenchOperands *o)
{
  k->ops.norm_modulate (k, &(NormModulateArgs){ .n = 1,
                                                .n_rows = r->a,
                                                .dim = r->b,
                                                .eps = 1e-6f,
                                                .x = o->x,
                                                .scale = o->z,
                                                .shift = o->z,
                                                .modulation_stride = r->b,
                                                .y = o->y });
}

void
bench_row_run (Backend *k, const BenchRow *r, const BenchOperands *o)
{
  switch (r->kind)
    {
    case BENCH_COPY:
      k->ops.copy (k, &(CopyArgs){ r->a, r->b, o->x, r->b, o->y, r->b });
      break;
    case BENCH_LINEAR:
      run_linear (k, r, o);
      break;
    case BENCH_CONV:
      run_conv (k, r, o);
      break;
    case BENCH_CONV3D:
      run_conv3d (k, r, o);
      break;
    case BENCH_ATTENTION:
      run_attention (k, r, o);
      break;
    case BENCH_GROUP_NORM:
      run_group_norm (k, r, o);
      break;
    case BENCH_RMS_SILU:
      run_rms_silu (k, r, o);
      break;
    case BENCH_MODULATE:
      run_modulate (k, r, o);
      break;
    case BENCH_GEGLU:
      k->ops.geglu (k, &(GegluArgs){ r->a, r->b, o->x, o->y });
      break;
    }
}
