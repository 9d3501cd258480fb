/* SPDX-License-Identifier: MPL-2.0
 * bench.c - times the shapes of SD 1.5 and its VAE on every level.
 *
 * Element-wise operators are judged by bytes a second against a plain copy of the same size.
 */
#include <string.h>
#include <time.h>

#include "checkops.h"
#include "core/mem.h"

enum
{
  MIN_RUNS = 5
};

static const double MIN_SECONDS = 0.3;

typedef struct
{
  const char *name;
  double bytes, flops; /* moved and computed by one run */
  void (*run) (Backend *b, const float *x, float *y, const void *args);
  const void *args;
} Bench;

static double
now (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static double
best_seconds (const Bench *bench, Backend *b, const float *x, float *y)
{
  double best = INFINITY, start = now ();
  for (int i = 0; i < MIN_RUNS || now () - start < MIN_SECONDS; i++)
    {
      double t = now ();
      bench->run (b, x, y, bench->args);
      best = fmin (best, now () - t);
    }
  return best;
}

static void
run_group_norm (Backend *b, const float *x, float *y, const void *args)
{
  GroupNormArgs a = *(const GroupNormArgs *) args;
  a.x = x;
  a.y = y;
  b->ops.group_norm (b, &a);
}

static void
run_layer_norm (Backend *b, const float *x, float *y, const void *args)
{
  LayerNormArgs a = *(const LayerNormArgs *) args;
  a.x = x;
  a.y = y;
  b->ops.layer_norm (b, &a);
}

static void
run_geglu (Backend *b, const float *x, float *y, const void *args)
{
  GegluArgs a = *(const GegluArgs *) args;
  a.x = x;
  a.y = y;
  b->ops.geglu (b, &a);
}

static void
run_unary (Backend *b, const float *x, float *y, const void *args)
{
  UnaryArgs a = *(const UnaryArgs *) args;
  a.x = x;
  a.y = y;
  b->ops.unary (b, &a);
}

static void
run_concat (Backend *b, const float *x, float *y, const void *args)
{
  ConcatArgs a = *(const ConcatArgs *) args;
  a.a = x;
  a.b = x + a.n_rows * a.dim_a;
  a.y = y;
  b->ops.concat (b, &a);
}

static void
run_linear (Backend *b, const float *x, float *y, const void *args)
{
  LinearArgs a = *(const LinearArgs *) args;
  a.x = x;
  a.w.data = x; /* any numbers will do */
  a.y = y;
  b->ops.linear (b, &a);
}

static void
run_conv2d (Backend *b, const float *x, float *y, const void *args)
{
  ConvArgs a = *(const ConvArgs *) args;
  a.x = x;
  a.w.data = x;
  a.y = y;
  b->ops.conv2d (b, &a);
}

/* All three frames are one, which costs the same. */
static void
run_conv3d (Backend *b, const float *x, float *y, const void *args)
{
  Conv3dArgs a = *(const Conv3dArgs *) args;
  a.frames[0] = a.frames[1] = a.frames[2] = x;
  a.weight.data = x;
  a.y = y;
  b->ops.conv3d (b, &a);
}

static void
run_attention (Backend *b, const float *x, float *y, const void *args)
{
  AttentionArgs a = *(const AttentionArgs *) args;
  a.q = a.k = a.v = x;
  a.y = y;
  b->ops.attention (b, &a);
}

/* The largest tensor: 512 x 512 x 128. */
static const int64_t N_FLOATS = 512 * 512 * 128;

static const GroupNormArgs norm_64 = { 1, 4096, 320, 32, 1e-5f, true, NULL, { 0 }, { 0 }, NULL };
static const GroupNormArgs norm_512 = {
  1, 512 * 512, 128, 32, 1e-6f, true, NULL, { 0 }, { 0 }, NULL
};
static const LayerNormArgs layer_320 = { 4096, 320, 1e-5f, NULL, { 0 }, { 0 }, NULL };
static const GegluArgs geglu_1280 = { 4096, 1280, NULL, NULL };
static const UnaryArgs silu = { UNARY_SILU, 4096 * 1280, NULL, NULL };
static const UnaryArgs relu = { UNARY_RELU, 4096 * 1280, NULL, NULL };
static const ConcatArgs concat = { 4096, 320, 320, NULL, NULL, NULL };
static const LinearArgs linear_f32 = {
  .n_rows = 4096, .n_out = 1280, .n_in = 320, .x_stride = 320, .y_stride = 1280
};
static const LinearArgs linear_bf16 = { .n_rows = 4096,
                                        .n_out = 1280,
                                        .n_in = 320,
                                        .x_stride = 320,
                                        .y_stride = 1280,
                                        .w = { .dtype = DTYPE_BF16 },
                                        .compute = COMPUTE_BF16 };
static const ConvArgs conv_f32 = { .n = 1,
                                   .h_in = 64,
                                   .w_in = 64,
                                   .c_in = 320,
                                   .h_out = 64,
                                   .w_out = 64,
                                   .c_out = 320,
                                   .kernel = 3,
                                   .stride = 1,
                                   .pad_top = 1,
                                   .pad_left = 1 };
static const ConvArgs conv_bf16 = { .n = 1,
                                    .h_in = 64,
                                    .w_in = 64,
                                    .c_in = 320,
                                    .h_out = 64,
                                    .w_out = 64,
                                    .c_out = 320,
                                    .kernel = 3,
                                    .stride = 1,
                                    .pad_top = 1,
                                    .pad_left = 1,
                                    .w = { .dtype = DTYPE_BF16 },
                                    .compute = COMPUTE_BF16 };
/* Of Wan's VAE at 832 x 480: a strip of the finest level, and the coarsest. */
static const Conv3dArgs video_96 = {
  .n = 1, .h = 96, .w = 96, .c_in = 96, .c_out = 96, .kernel = 3
};
static const Conv3dArgs video_96_bf16 = {
  .n = 1, .h = 96, .w = 96, .c_in = 96, .c_out = 96, .kernel = 3, .compute = COMPUTE_BF16
};
static const Conv3dArgs video_384 = {
  .n = 1, .h = 60, .w = 104, .c_in = 384, .c_out = 384, .kernel = 3
};
static const Conv3dArgs video_384_bf16 = {
  .n = 1, .h = 60, .w = 104, .c_in = 384, .c_out = 384, .kernel = 3, .compute = COMPUTE_BF16
};
static const AttentionArgs attention_f32 = { .n = 1,
                                             .n_heads = 8,
                                             .head_dim = 40,
                                             .len_q = 4096,
                                             .len_k = 4096,
                                             .q_stride = 320,
                                             .k_stride = 320,
                                             .v_stride = 320,
                                             .scale = 0.158f };

static const Bench benches[] = {
  { "group_norm/64x64x320+silu", 3 * 4.0 * 4096 * 320, 0, run_group_norm, &norm_64 },
  { "group_norm/512x512x128+silu", 3 * 4.0 * 512 * 512 * 128, 0, run_group_norm, &norm_512 },
  { "layer_norm/4096x320", 2 * 4.0 * 4096 * 320, 0, run_layer_norm, &layer_320 },
  { "geglu/4096x1280", 3 * 4.0 * 4096 * 1280, 0, run_geglu, &geglu_1280 },
  { "unary/silu/4096x1280", 2 * 4.0 * 4096 * 1280, 0, run_unary, &silu },
  { "unary/relu/4096x1280", 2 * 4.0 * 4096 * 1280, 0, run_unary, &relu },
  { "concat/4096x320+320", 4 * 4.0 * 4096 * 320, 0, run_concat, &concat },
  { "linear/f32/4096x1280x320", 0, 2.0 * 4096 * 1280 * 320, run_linear, &linear_f32 },
  { "linear/bf16/4096x1280x320", 0, 2.0 * 4096 * 1280 * 320, run_linear, &linear_bf16 },
  { "conv2d/f32/64x64x320", 0, 2.0 * 4096 * 320 * 320 * 9, run_conv2d, &conv_f32 },
  { "conv2d/bf16/64x64x320", 0, 2.0 * 4096 * 320 * 320 * 9, run_conv2d, &conv_bf16 },
  { "conv3d/f32/96x96x96", 0, 2.0 * 9216 * 96 * 96 * 27, run_conv3d, &video_96 },
  { "conv3d/bf16/96x96x96", 0, 2.0 * 9216 * 96 * 96 * 27, run_conv3d, &video_96_bf16 },
  { "conv3d/f32/60x104x384", 0, 2.0 * 6240 * 384 * 384 * 27, run_conv3d, &video_384 },
  { "conv3d/bf16/60x104x384", 0, 2.0 * 6240 * 384 * 384 * 27, run_conv3d, &video_384_bf16 },
  { "attention/f32/4096x8x40", 0, 4.0 * 4096 * 4096 * 320, run_attention, &attention_f32 },
};

static void
bench_one (const Bench *bench, Backend *b, const float *x, float *y)
{
  double seconds = best_seconds (bench, b, x, y);
  printf ("%-30s %-10s %8.3f ms", bench->name, b->level, 1e3 * seconds);
  if (bench->bytes > 0)
    printf (" %8.2f GB/s\n", 1e-9 * bench->bytes / seconds);
  else
    printf (" %8.1f GFLOP/s\n", 1e-9 * bench->flops / seconds);
}

/* One layer in every storage format, best of turns taken in the same minutes: the ratio says what
 * decoding costs. */
static void
bench_formats (Backend *b, const float *x, float *y)
{
  enum
  {
    SIDE = 3072,
    N_TURNS = 3
  };
  static const int64_t rows[] = { 1, 77, 1024 };
  ParamQuant scaled = { .scales = x }, codes = { .scales = x, .scale_run = 64, .code_book = x };
  for (int r = 0; r < COUNT (rows); r++)
    {
      double best[DTYPE_COUNT];
      for (int i = 0; i < DTYPE_COUNT; i++)
        best[i] = INFINITY;
      for (int i = 0; i < N_TURNS * DTYPE_COUNT; i++)
        {
          DType dtype = (DType) (i % DTYPE_COUNT);
          LinearArgs a = { rows[r], SIDE, SIDE, .x_stride = SIDE, .y_stride = SIDE };
          bool is_code = dtype == DTYPE_NF4 || dtype == DTYPE_FP4;
          a.w.dtype = dtype;
          a.w.quant = is_code ? &codes : dtype_size (dtype) == 1 ? &scaled : NULL;
          a.compute = b->fastest;
          Bench bench = { .run = run_linear, .args = &a };
          if (dtype_is_weight (dtype))
            best[dtype] = fmin (best[dtype], best_seconds (&bench, b, x, y));
        }
      for (DType dtype = 0; dtype < DTYPE_COUNT; dtype++)
        if (dtype_is_weight (dtype))
          printf ("formats/%lldx%dx%d/%-8s %-10s %8.3f ms %8.3f of bf16\n", (long long) rows[r],
                  SIDE, SIDE, dtype_name (dtype), b->level, 1e3 * best[dtype],
                  best[dtype] / best[DTYPE_BF16]);
    }
}

static size_t
min_size (size_t a, size_t b)
{
  return a < b ? a : b;
}

static void
bench_copy (const float *x, float *y, size_t size_bytes)
{
  double best = INFINITY;
  for (int i = 0; i < MIN_RUNS; i++)
    {
      double t = now ();
      memcpy (y, x, size_bytes);
      best = fmin (best, now () - t);
    }
  printf ("%-30s %-10s %8.3f ms %8.2f GB/s\n", "memcpy, one thread", "", 1e3 * best,
          2e-9 * (double) size_bytes / best);
}

void
bench_all (Backend *const *backends, int n_backends, const char *op)
{
  size_t size_bytes = (size_t) N_FLOATS * sizeof (float);
  float *x = mem_map (size_bytes), *y = mem_map (size_bytes);
  for (int64_t i = 0; x && i < N_FLOATS; i++)
    x[i] = (float) (i * 7919 % 2003) / 1000 - 1;
  for (int i = 0; x && y && i < COUNT (benches); i++)
    {
      if (op && !strstr (benches[i].name, op))
        continue;
      if (benches[i].bytes > 0)
        bench_copy (x, y, min_size ((size_t) benches[i].bytes / 2, size_bytes));
      for (int k = 0; k < n_backends; k++)
        /* The reference would take minutes for a product. */
        if (benches[i].flops == 0 || strcmp (backends[k]->level, "ref") != 0)
          bench_one (&benches[i], backends[k], x, y);
    }
  for (int k = 0; x && y && k < n_backends; k++)
    if ((!op || strstr ("formats", op)) && strcmp (backends[k]->level, "ref") != 0)
      bench_formats (backends[k], x, y);
  mem_unmap (x, size_bytes);
  mem_unmap (y, size_bytes);
}
