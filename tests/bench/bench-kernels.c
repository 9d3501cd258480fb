/* SPDX-License-Identifier: MPL-2.0
 * bench-kernels.c - linear, conv2d and attention of every CPU level, as shares of the peak that the
 * level's own instruction reaches in registers, measured in the same run.
 *
 *   bench-kernels [--level NAME] [--kind linear|conv|attention] [--threads N] [--seconds S]
 *                 [--dtype f32|f16|bf16] [--match TEXT] [--mode f32|rounded|dot|bf16] [--json]
 *
 * One thread: CPU time of the thread, median and best, so that a busy machine does not count.
 * More: wall time, where only the best means anything on a busy machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/cpu-gemm.h"
#include "bench/peak.h"
#include "core/dtype.h"

enum
{
  MOST_RUNS = 200,
  LEAST_RUNS = 3
};

typedef struct
{
  const char *level, *kind, *match, *mode;
  int n_threads;
  double seconds; /* for each case */
  DType dtype;
  bool json;
} Options;

typedef struct
{
  double median, best;
  int n_runs;
} Timing;

static double
now (clockid_t clock)
{
  struct timespec t;
  clock_gettime (clock, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

static Timing
measure (void (*run) (void *data), void *data, const Options *o)
{
  clockid_t clock = o->n_threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  double times[MOST_RUNS], total = 0;
  int n = 0;
  run (data); /* pages and caches */
  while (n < MOST_RUNS && (n < LEAST_RUNS || total < o->seconds))
    {
      double t = now (clock);
      run (data);
      times[n] = now (clock) - t;
      total += times[n++];
    }
  qsort (times, (size_t) n, sizeof *times, compare_doubles);
  return (Timing){ times[n / 2], times[0], n };
}

typedef struct
{
  const char *name;
  int64_t m, k, n;
} LinearShape;

static const LinearShape linear_shapes[] = {
  { "4096x1280x1280", 4096, 1280, 1280 },   { "1024x640x2560", 1024, 640, 2560 },
  { "4608x3072x12288", 4608, 3072, 12288 }, { "4096x320x320", 4096, 320, 320 },
  { "4096x320x2560", 4096, 320, 2560 },     { "1024x640x640", 1024, 640, 640 },
  { "1024x5120x1280", 1024, 5120, 1280 },   { "256x1280x1280", 256, 1280, 1280 },
  { "256x1280x10240", 256, 1280, 10240 },   { "64x1280x1280", 64, 1280, 1280 },
  { "77x2048x640", 77, 2048, 640 },         { "77x768x3072", 77, 768, 3072 },
  { "1x1280x1280", 1, 1280, 1280 },         { "2x1280x1280", 2, 1280, 1280 },
};

typedef struct
{
  const char *name;
  int64_t c_in, c_out, side;
  int kernel, stride;
  bool upsample2;
} ConvShape;

static const ConvShape conv_shapes[] = {
  { "320@128", 320, 320, 128, 3, 1, false },  { "640@64", 640, 640, 64, 3, 1, false },
  { "1280@32", 1280, 1280, 32, 3, 1, false }, { "512@128", 512, 512, 128, 3, 1, false },
  { "128@512", 128, 128, 512, 3, 1, false },  { "320@64", 320, 320, 64, 3, 1, false },
  { "640@32", 640, 640, 32, 3, 1, false },    { "1280@16", 1280, 1280, 16, 3, 1, false },
  { "1280@8", 1280, 1280, 8, 3, 1, false },   { "512@64", 512, 512, 64, 3, 1, false },
  { "256@256", 256, 256, 256, 3, 1, false },  { "2560to1280@16", 2560, 1280, 16, 3, 1, false },
  { "320@64/2", 320, 320, 64, 3, 2, false },  { "512@128up", 512, 512, 128, 3, 1, true },
  { "4to320@64", 4, 320, 64, 3, 1, false },   { "320to4@64", 320, 4, 64, 3, 1, false },
  { "128to3@512", 128, 3, 512, 3, 1, false }, { "960to320@64 1x1", 960, 320, 64, 1, 1, false },
};

typedef struct
{
  const char *name;
  int64_t n_heads, head_dim, len_q, len_k;
  bool has_bias; /* by distance */
} AttentionShape;

static const AttentionShape attention_shapes[] = {
  { "8x40 4096", 8, 40, 4096, 4096 },      { "10x64 4096", 10, 64, 4096, 4096 },
  { "8x80 1024", 8, 80, 1024, 1024 },      { "20x64 1024", 20, 64, 1024, 1024 },
  { "8x160 256", 8, 160, 256, 256 },       { "8x40 4096x77", 8, 40, 4096, 77 },
  { "8x80 1024x77", 8, 80, 1024, 77 },     { "1x512 4096", 1, 512, 4096, 4096 },
  { "1x512 16384", 1, 512, 16384, 16384 }, { "24x128 1536", 24, 128, 1536, 1536 },
  { "6x128 4608", 6, 128, 4608, 4608 },    { "1x128 32768", 1, 128, 32768, 32768 },
  { "64x64 512", 64, 64, 512, 512 },       { "64x64 512 T5", 64, 64, 512, 512, true },
};

typedef struct
{
  Backend *backend;
  const Options *options;
  const char *mode;
  double peak; /* FLOP/s of the threads together */
} Context;

typedef struct
{
  Backend *backend;
  union
  {
    LinearArgs linear;
    ConvArgs conv;
    AttentionArgs attention;
  } args;
} Case;

static uint32_t seed = 1;

static float *
random_floats (int64_t n)
{
  float *x = aligned_alloc (64, ((size_t) n * sizeof *x + 63) / 64 * 64);
  if (!x)
    exit (1);
  for (int64_t i = 0; i < n; i++)
    {
      seed = seed * 1664525u + 1013904223u;
      x[i] = (float) (seed >> 8) * 0x1p-23f - 1.0f;
    }
  return x;
}

static Param
random_param (int64_t n, DType dtype)
{
  float *x = random_floats (n);
  uint16_t *h = (uint16_t *) x;
  if (dtype != DTYPE_F32)
    for (int64_t i = 0; i < n; i++)
      h[i] = dtype == DTYPE_F16 ? f32_to_f16 (x[i]) : f32_to_bf16 (x[i]);
  return (Param){ x, dtype };
}

static void
report (const Context *c, const char *kind, const char *name, double flops, Timing t)
{
  if (c->options->json)
    printf ("{\"level\":\"%s\",\"mode\":\"%s\",\"kind\":\"%s\",\"shape\":\"%s\",\"threads\":%d,"
            "\"median_ms\":%.4f,\"best_ms\":%.4f,\"gflops\":%.1f,\"best_gflops\":%.1f,"
            "\"share\":%.3f,\"best_share\":%.3f,\"runs\":%d}\n",
            c->backend->level, c->mode, kind, name, c->options->n_threads, t.median * 1e3,
            t.best * 1e3, flops / t.median * 1e-9, flops / t.best * 1e-9,
            flops / t.median / c->peak, flops / t.best / c->peak, t.n_runs);
  else
    printf ("%-10s %-7s %-9s %-16s T=%d %9.2f ms %8.1f GF/s %5.1f %%   best %8.1f %5.1f %%  (%d)\n",
            c->backend->level, c->mode, kind, name, c->options->n_threads, t.median * 1e3,
            flops / t.median * 1e-9, 100 * flops / t.median / c->peak, flops / t.best * 1e-9,
            100 * flops / t.best / c->peak, t.n_runs);
  fflush (stdout);
}

static bool
wanted (const Options *o, const char *kind, const char *name)
{
  return (!o->kind || strcmp (o->kind, kind) == 0) && (!o->match || strstr (name, o->match));
}

static void
run_linear (void *data)
{
  Case *c = data;
  c->backend->ops.linear (c->backend, &c->args.linear);
}

static void
bench_linear (const Context *c, const LinearShape *s, Compute compute)
{
  Case run = { .backend = c->backend };
  float *x = random_floats (s->m * s->k);
  run.args.linear = (LinearArgs){ .n_rows = s->m,
                                  .n_out = s->n,
                                  .n_in = s->k,
                                  .x = x,
                                  .x_stride = s->k,
                                  .w = random_param (s->n * s->k, c->options->dtype),
                                  .bias = random_param (s->n, c->options->dtype),
                                  .y = random_floats (s->m * s->n),
                                  .y_stride = s->n,
                                  .compute = compute };
  double flops = 2.0 * (double) s->m * (double) s->k * (double) s->n;
  report (c, "linear", s->name, flops, measure (run_linear, &run, c->options));
  free (x);
  free ((void *) run.args.linear.w.data);
  free ((void *) run.args.linear.bias.data);
  free (run.args.linear.y);
}

static void
run_conv (void *data)
{
  Case *c = data;
  c->backend->ops.conv2d (c->backend, &c->args.conv);
}

static void
bench_conv (const Context *c, const ConvShape *s, Compute compute)
{
  Case run = { .backend = c->backend };
  int64_t in = s->upsample2 ? s->side / 2 : s->side, out = s->side / s->stride;
  int64_t taps = s->kernel * s->kernel;
  float *x = random_floats (in * in * s->c_in);
  run.args.conv = (ConvArgs){ .n = 1,
                              .h_in = in,
                              .w_in = in,
                              .c_in = s->c_in,
                              .h_out = out,
                              .w_out = out,
                              .c_out = s->c_out,
                              .kernel = s->kernel,
                              .stride = s->stride,
                              .pad_top = s->kernel / 2,
                              .pad_left = s->kernel / 2,
                              .upsample2 = s->upsample2,
                              .x = x,
                              .w = random_param (s->c_out * s->c_in * taps, c->options->dtype),
                              .bias = random_param (s->c_out, c->options->dtype),
                              .y = random_floats (out * out * s->c_out),
                              .compute = compute };
  double flops = 2.0 * (double) (out * out * taps) * (double) s->c_in * (double) s->c_out;
  report (c, "conv", s->name, flops, measure (run_conv, &run, c->options));
  free (x);
  free ((void *) run.args.conv.w.data);
  free ((void *) run.args.conv.bias.data);
  free (run.args.conv.y);
}

static void
run_attention (void *data)
{
  Case *c = data;
  c->backend->ops.attention (c->backend, &c->args.attention);
}

static void
bench_attention (const Context *c, const AttentionShape *s, Compute compute)
{
  Case run = { .backend = c->backend };
  int64_t dim = s->n_heads * s->head_dim;
  float *q = random_floats (s->len_q * dim), *k = random_floats (s->len_k * dim);
  float *v = random_floats (s->len_k * dim);
  float *bias = s->has_bias ? random_floats ((s->len_q + s->len_k - 1) * s->n_heads) : NULL;
  run.args.attention = (AttentionArgs){ .n = 1,
                                        .n_heads = s->n_heads,
                                        .head_dim = s->head_dim,
                                        .len_q = s->len_q,
                                        .len_k = s->len_k,
                                        .q = q,
                                        .k = k,
                                        .v = v,
                                        .q_stride = dim,
                                        .k_stride = dim,
                                        .v_stride = dim,
                                        .y = random_floats (s->len_q * dim),
                                        .scale = 0.125f,
                                        .relative_bias = bias,
                                        .compute = compute };
  double flops = 4.0 * (double) s->len_q * (double) s->len_k * (double) dim;
  report (c, "attention", s->name, flops, measure (run_attention, &run, c->options));
  free (q);
  free (k);
  free (v);
  free (bias);
  free (run.args.attention.y);
}

static void
bench_mode (const Context *c, Compute compute)
{
  for (size_t i = 0; i < sizeof linear_shapes / sizeof *linear_shapes; i++)
    if (wanted (c->options, "linear", linear_shapes[i].name))
      bench_linear (c, &linear_shapes[i], compute);
  for (size_t i = 0; i < sizeof conv_shapes / sizeof *conv_shapes; i++)
    if (wanted (c->options, "conv", conv_shapes[i].name))
      bench_conv (c, &conv_shapes[i], compute);
  for (size_t i = 0; i < sizeof attention_shapes / sizeof *attention_shapes; i++)
    if (wanted (c->options, "attention", attention_shapes[i].name))
      bench_attention (c, &attention_shapes[i], compute);
}

/* The modes of a level: what multiplies, and which instruction bounds it. */
static const struct
{
  const char *level, *mode;
  Compute compute;
  PeakKind peak;
  bool dot;
} modes[] = {
  { "sse2", "f32", COMPUTE_F32, PEAK_SSE2, false },
  { "avx2", "f32", COMPUTE_F32, PEAK_AVX2, false },
  { "avx512", "f32", COMPUTE_F32, PEAK_AVX512, false },

  { "avx512", "rounded", COMPUTE_BF16, PEAK_AVX512, false },
  { "avx512bf16", "dot", COMPUTE_BF16, PEAK_AVX512BF16, true },
  { "amx", "bf16", COMPUTE_BF16, PEAK_AMX, false },
};

static void
bench_all (const Options *o)
{
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
    {
      Status status = { 0 };
      if (o->level && strcmp (o->level, modes[i].level) != 0)
        continue;
      if (o->mode && strcmp (o->mode, modes[i].mode) != 0)
        continue;
      Backend *b = backend_cpu_new (modes[i].level, o->n_threads, &status);
      if (!b)
        {
          fprintf (stderr, "%s: %s\n", modes[i].level, status.message);
          continue;
        }
      if (modes[i].dot)
        cpu_use_dot ((CpuBackend *) b);
      double peak = peak_flops (modes[i].peak);
      fprintf (o->json ? stderr : stdout, "%s %s: peak of one thread %.1f GFLOP/s\n",
               modes[i].level, modes[i].mode, peak * 1e-9);
      Context c = { b, o, modes[i].mode, peak * o->n_threads };
      bench_mode (&c, modes[i].compute);
      backend_free (b);
    }
}

static DType
parse_dtype (const char *name)
{
  for (DType d = DTYPE_F32; d <= DTYPE_BF16; d++)
    if (strcmp (name, dtype_name (d)) == 0)
      return d;
  fprintf (stderr, "--dtype is one of f32, f16, bf16\n");
  exit (2);
}

int
main (int argc, char **argv)
{
  Options o = { .n_threads = 1, .seconds = 0.3, .dtype = DTYPE_F16 };
  for (int i = 1; i < argc; i++)
    {
      const char *value = i + 1 < argc ? argv[i + 1] : "";
      if (strcmp (argv[i], "--json") == 0)
        {
          o.json = true;
          continue;
        }
      if (strcmp (argv[i], "--level") == 0)
        o.level = value;
      else if (strcmp (argv[i], "--kind") == 0)
        o.kind = value;
      else if (strcmp (argv[i], "--match") == 0)
        o.match = value;
      else if (strcmp (argv[i], "--mode") == 0)
        o.mode = value;
      else if (strcmp (argv[i], "--threads") == 0)
        o.n_threads = atoi (value);
      else if (strcmp (argv[i], "--seconds") == 0)
        o.seconds = atof (value);
      else if (strcmp (argv[i], "--dtype") == 0)
        o.dtype = parse_dtype (value);
      else
        {
          fprintf (stderr, "unknown option %s; see the head of bench-kernels.c\n", argv[i]);
          return 2;
        }
      i++;
    }
  bench_all (&o);
  return 0;
}
