/* SPDX-License-Identifier: MPL-2.0
 * bench-steps.c - single passes of a checkpoint's networks: CPU seconds, wall seconds, memory
 * against the plan, and the share of the processor's peak, measured in the same run.
 *
 *   bench-steps --model PATH [--part unet|vae-decode|vae-encode] [--size PX] [--batch N]
 *               [--precision f32|bf16] [--level NAME] [--threads N] [--runs N]
 *
 * Prints one JSON object.  The first pass reads the weights from the disk and is told apart; of the
 * others the median counts.  CPU time is that of all threads: on a machine with other work it is
 * the figure to compare.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "backend/backend.h"
#include "bench/peak.h"
#include "core/arena.h"
#include "core/trace.h"
#include "models/unet.h"
#include "models/vae.h"
#include "weights/checkpoint.h"

enum
{
  MOST_RUNS = 64,
  TEXT_LENGTH = 77
};

typedef struct
{
  const char *model, *part, *level;
  Compute compute;
  int size_px, batch, n_threads, n_runs;
} Options;

typedef struct
{
  const Options *options;
  Backend *backend;
  Checkpoint *checkpoint;
  Arena arena;
  Unet *unet;
  Vae *vae;
  Ctx *ctx;
  float *x, *t, *context, *vector;
  double wall[MOST_RUNS], cpu[MOST_RUNS];
  double load_wall, load_cpu; /* open and bind */
  const Tensor *out;
} Bench;

static double
now (clockid_t clock)
{
  struct timespec t;
  clock_gettime (clock, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* About normal; the values of a network's input do not change its time, but zeros might. */
static float *
random_floats (int64_t n)
{
  static uint32_t seed = 1;
  float *x = calloc ((size_t) n + 1, sizeof *x);
  for (int64_t i = 0; x && i < n; i++)
    for (int k = 0; k < 4; k++)
      {
        seed = seed * 1664525u + 1013904223u;
        x[i] += ((float) (seed >> 8) * 0x1p-24f - 0.5f) * 1.7320508f;
      }
  return x;
}

static bool
is_part (const Bench *b, const char *name)
{
  return strcmp (b->options->part, name) == 0;
}

static bool
bind (Bench *b, Status *status)
{
  const ModelConfig *c = &b->checkpoint->config;
  Binder binder = { b->checkpoint->weights, &b->arena, status };
  if (is_part (b, "unet"))
    b->unet = unet_bind (&binder, &c->unet);
  else
    b->vae = vae_bind (&binder, &c->vae, is_part (b, "vae-decode") ? VAE_DECODER : VAE_ENCODER);
  return (b->unet || b->vae) && weights_check (b->checkpoint->weights, status);
}

static const Tensor *
forward_unet (Bench *b, int64_t n, int64_t side)
{
  const UnetConfig *c = &b->checkpoint->config.unet;
  Tensor *x = ctx_input (b->ctx, DTYPE_F32, 4, (int64_t[]){ n, side, side, c->in_channels }, b->x);
  Tensor *t = ctx_input (b->ctx, DTYPE_F32, 1, &n, b->t);
  Tensor *context =
      ctx_input (b->ctx, DTYPE_F32, 3, (int64_t[]){ n, TEXT_LENGTH, c->context_dim }, b->context);
  Tensor *vector = NULL;
  if (c->adm_dim)
    vector = ctx_input (b->ctx, DTYPE_F32, 2, (int64_t[]){ n, c->adm_dim }, b->vector);
  return unet_forward (b->ctx, b->unet, x, t, context, vector);
}

static const Tensor *
forward (Bench *b)
{
  const VaeConfig *c = &b->checkpoint->config.vae;
  int64_t n = b->options->batch, px = b->options->size_px, side = px / vae_factor (c);
  if (b->unet)
    return forward_unet (b, n, side);
  if (is_part (b, "vae-decode"))
    return vae_decode (
        b->ctx, b->vae,
        ctx_input (b->ctx, DTYPE_F32, 4, (int64_t[]){ n, side, side, c->latent_channels }, b->x));
  return vae_encode (
      b->ctx, b->vae,
      ctx_input (b->ctx, DTYPE_F32, 4, (int64_t[]){ n, px, px, c->in_channels }, b->x));
}

static bool
prepare (Bench *b, Status *status)
{
  const UnetConfig *u = &b->checkpoint->config.unet;
  int64_t n = b->options->batch, px = b->options->size_px;
  b->x = random_floats (n * px * px * 4);
  b->t = random_floats (n);
  b->context = random_floats (n * TEXT_LENGTH * u->context_dim);
  b->vector = random_floats (n * u->adm_dim);
  if (!b->x || !b->t || !b->context || !b->vector)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory.");
  for (int64_t i = 0; i < n; i++)
    b->t[i] = 500;
  b->ctx = ctx_new (b->backend, b->options->compute, NULL, status);
  if (!b->ctx)
    return false;
  forward (b);
  return ctx_plan (b->ctx);
}

static bool
run (Bench *b)
{
  for (int i = 0; i < b->options->n_runs; i++)
    {
      double wall = now (CLOCK_MONOTONIC), cpu = now (CLOCK_PROCESS_CPUTIME_ID);
      b->out = ctx_begin_run (b->ctx) ? forward (b) : NULL;
      if (!ctx_end_run (b->ctx))
        return false;
      b->wall[i] = now (CLOCK_MONOTONIC) - wall;
      b->cpu[i] = now (CLOCK_PROCESS_CPUTIME_ID) - cpu;
    }
  return true;
}

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

/* What the level's best instruction reaches in registers, 0 when there is none to measure.  Some
 * processors run the bf16 dot product slower than f32 FMA; the level then does not use it. */
static double
peak_of (const Bench *b)
{
  const char *level = b->backend->level;
  bool bf16 = b->options->compute == COMPUTE_BF16;
  if (!strcmp (level, "sse2"))
    return peak_flops (PEAK_SSE2);
  if (!strcmp (level, "avx2"))
    return peak_flops (PEAK_AVX2);
  if (bf16 && !strcmp (level, "amx"))
    return peak_flops (PEAK_AMX);
  if (bf16 && !strcmp (level, "avx512bf16"))
    return fmax (peak_flops (PEAK_AVX512), peak_flops (PEAK_AVX512BF16));
  return strncmp (level, "avx512", strlen ("avx512")) && strcmp (level, "amx")
             ? 0
             : peak_flops (PEAK_AVX512);
}

static double
deviation (const Tensor *t)
{
  double sum = 0, squares = 0;
  int64_t n = tensor_elements (t);
  for (int64_t i = 0; i < n; i++)
    {
      double v = ((const float *) t->data)[i];
      sum += v;
      squares += v * v;
    }
  return sqrt (squares / (double) n - sum / (double) n * (sum / (double) n));
}

static void
report (Bench *b)
{
  const Options *o = b->options;
  double flops = 0, first_cpu = b->cpu[0], first_wall = b->wall[0], peak = peak_of (b);
  int n = o->n_runs, skip = n > 1 ? 1 : 0;
  struct rusage usage;
  for (int i = 0; i < ctx_op_count (b->ctx); i++)
    flops += ctx_op (b->ctx, i)->flops;
  qsort (b->cpu + skip, (size_t) (n - skip), sizeof *b->cpu, compare_doubles);
  qsort (b->wall + skip, (size_t) (n - skip), sizeof *b->wall, compare_doubles);
  double cpu = b->cpu[skip + (n - skip) / 2], wall = b->wall[skip + (n - skip) / 2];
  getrusage (RUSAGE_SELF, &usage);
  printf ("{\"bench\":\"step\",\"family\":\"%s\",\"part\":\"%s\",\"size_px\":%d,\"batch\":%d,"
          "\"precision\":\"%s\",\"level\":\"%s\",\"threads\":%d,\"tflop\":%.4f,"
          "\"cpu_s\":%.3f,\"wall_s\":%.3f,\"best_cpu_s\":%.3f,\"best_wall_s\":%.3f,"
          "\"first_cpu_s\":%.3f,\"first_wall_s\":%.3f,\"load_cpu_s\":%.3f,\"load_wall_s\":%.3f,"
          "\"runs\":%d,\"gflops_per_cpu_s\":%.1f,\"peak_gflops_per_s\":%.1f,\"share\":%.3f,"
          "\"operators\":%d,\"plan_mib\":%.1f,\"scratch_mib\":%.1f,\"max_rss_mib\":%.1f,"
          "\"out_deviation\":%.4f}\n",
          family_name (b->checkpoint->config.family), o->part, o->size_px, o->batch,
          o->compute == COMPUTE_F32 ? "f32" : "bf16", b->backend->level, o->n_threads,
          flops * 1e-12, cpu, wall, b->cpu[skip], b->wall[skip], first_cpu, first_wall, b->load_cpu,
          b->load_wall, n, flops / cpu * 1e-9, peak * 1e-9, peak > 0 ? flops / cpu / peak : 0,
          ctx_op_count (b->ctx), (double) ctx_peak_bytes (b->ctx) / 0x1p20,
          (double) b->backend->scratch_bytes / 0x1p20, (double) usage.ru_maxrss / 0x1p10,
          deviation (b->out));
}

static bool
bench (Bench *b, Status *status)
{
  const Options *o = b->options;
  b->backend = backend_cpu_new (o->level, o->n_threads, status);
  if (!b->backend)
    return false;
  double wall = now (CLOCK_MONOTONIC), cpu = now (CLOCK_PROCESS_CPUTIME_ID);
  b->checkpoint = checkpoint_open (o->model, false, status);
  if (!b->checkpoint || !bind (b, status) || !prepare (b, status))
    return false;
  b->load_wall = now (CLOCK_MONOTONIC) - wall;
  b->load_cpu = now (CLOCK_PROCESS_CPUTIME_ID) - cpu;
  if (!run (b))
    return status_fail (status, ctx_status (b->ctx)->code, "%s", ctx_status (b->ctx)->message);
  trace_write (b->ctx, o->part);
  report (b);
  return true;
}

static bool
parse (Options *o, int argc, char **argv)
{
  *o = (Options){
    .part = "unet", .compute = COMPUTE_BF16, .size_px = 512, .batch = 1, .n_threads = 1, .n_runs = 2
  };
  for (int i = 1; i + 1 < argc; i += 2)
    {
      const char *value = argv[i + 1];
      if (!strcmp (argv[i], "--model"))
        o->model = value;
      else if (!strcmp (argv[i], "--part"))
        o->part = value;
      else if (!strcmp (argv[i], "--level"))
        o->level = value;
      else if (!strcmp (argv[i], "--precision"))
        o->compute = strcmp (value, "f32") ? COMPUTE_BF16 : COMPUTE_F32;
      else if (!strcmp (argv[i], "--size"))
        o->size_px = atoi (value);
      else if (!strcmp (argv[i], "--batch"))
        o->batch = atoi (value);
      else if (!strcmp (argv[i], "--threads"))
        o->n_threads = atoi (value);
      else if (!strcmp (argv[i], "--runs"))
        o->n_runs = atoi (value);
      else
        return false;
    }
  bool part = !strcmp (o->part, "unet") || !strcmp (o->part, "vae-decode") ||
              !strcmp (o->part, "vae-encode");
  return o->model && part && argc % 2 == 1 && o->n_runs >= 1 && o->n_runs <= MOST_RUNS &&
         o->batch >= 1 && o->size_px >= 8 && o->size_px % 8 == 0;
}

int
main (int argc, char **argv)
{
  Options options;
  Status status = { 0 };
  Bench b = { .options = &options };
  if (!parse (&options, argc, argv))
    {
      fprintf (stderr, "bench-steps: see the head of bench-steps.c for its options\n");
      return 2;
    }
  bool ok = bench (&b, &status);
  if (!ok)
    fprintf (stderr, "bench-steps: %s\n", status.message);
  ctx_free (b.ctx);
  arena_clear (&b.arena);
  checkpoint_free (b.checkpoint);
  backend_free (b.backend);
  free (b.x);
  free (b.t);
  free (b.context);
  free (b.vector);
  return ok ? 0 : 1;
}
