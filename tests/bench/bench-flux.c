/* SPDX-License-Identifier: MPL-2.0
 * bench-flux.c - blocks of FLUX.1 at their real width: CPU seconds of a step, worked out from one
 * double and one single block.
 *
 *   bench-flux [--size PX] [--text TOKENS] [--precision f32|bf16] [--level NAME] [--threads N]
 *
 * A whole dev has 19 double and 38 single blocks and 17 GB of weights that a step reads; one of
 * each has 0.7 GB, is made here of random bf16 numbers, and takes the same time a block.  Prints
 * one JSON object.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/backend.h"
#include "core/arena.h"
#include "core/mem.h"
#include "models/flux.h"
#include "weights/weight-set.h"

enum
{
  N_DOUBLE = 19,
  N_SINGLE = 38,
  RUNS = 3,
  PIXELS_PER_TOKEN = 16
};

typedef struct
{
  const char *level;
  Compute compute;
  int size_px, n_text, n_threads;
} Options;

/* dev, with as many blocks as wanted. */
static FluxConfig
config_of (int n_double, int n_single)
{
  return (FluxConfig){ .in_channels = 64,
                       .out_channels = 64,
                       .latent_channels = 16,
                       .dim = 3072,
                       .n_heads = 24,
                       .head_dim = 128,
                       .mlp_dim = 12288,
                       .context_dim = 4096,
                       .pooled_dim = 768,
                       .time_dim = 256,
                       .n_double = n_double,
                       .n_single = n_single,
                       .axes = { 16, 56, 56 },
                       .has_guidance = true };
}

static uint32_t seed = 1;

static float
random_float (void)
{
  seed = seed * 1664525u + 1013904223u;
  return (float) (seed >> 8) * 0x1p-24f - 0.5f;
}

static float *
random_floats (int64_t n)
{
  float *x = mem_calloc ((size_t) n, sizeof *x);
  for (int64_t i = 0; x && i < n; i++)
    x[i] = random_float ();
  return x;
}

/* Gives the declared weights that a step reads random values: bf16, small. */
static bool
fill_weights (WeightSet *set)
{
  for (size_t k = 0; k < set->n_items; k++)
    {
      Weight *w = set->items[k];
      int64_t n = 1;
      for (int i = 0; i < w->rank; i++)
        n *= w->ne[i];
      uint16_t *data = flux_is_modulation_weight (w->name) ? NULL : mem_calloc ((size_t) n, 2);
      if (!data && !flux_is_modulation_weight (w->name))
        return false;
      for (int64_t i = 0; data && i < n; i++)
        {
          float v = random_float () * 0.05f;
          uint32_t bits;
          memcpy (&bits, &v, sizeof bits);
          data[i] = (uint16_t) (bits >> 16);
        }
      w->dtype = DTYPE_BF16;
      w->data = data;
    }
  return true;
}

typedef struct
{
  double cpu, flops;
  size_t plan_bytes;
} Pass;

static double
cpu_seconds (void)
{
  struct timespec t;
  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static void
forward (Ctx *ctx, const Flux *flux, const FluxConfig *c, const Options *o, float *const *data)
{
  int64_t side = o->size_px / PIXELS_PER_TOKEN, n = side * side;
  const FluxInputs in = {
    .img = ctx_input (ctx, DTYPE_F32, 3, (int64_t[]){ 1, n, c->in_channels }, data[0]),
    .txt = ctx_input (ctx, DTYPE_F32, 3, (int64_t[]){ 1, o->n_text, c->context_dim }, data[1]),
    .modulation =
        ctx_input (ctx, DTYPE_F32, 2, (int64_t[]){ 1, flux_modulation_size (c) }, data[2]),
    .positions = ctx_input (ctx, DTYPE_F32, 2, (int64_t[]){ o->n_text + n, c->head_dim }, data[3]),
    .n_target = n,
  };
  flux_forward (ctx, flux, &in);
}

/* The best of a few passes of a model with so many blocks. */
static bool
measure (Backend *backend, const Options *o, int n_double, int n_single, Pass *pass, Status *status)
{
  const FluxConfig c = config_of (n_double, n_single);
  int64_t side = o->size_px / PIXELS_PER_TOKEN, n = side * side;
  const FluxGrid grid = { 0, 0, 0, side, side };
  Arena arena = { 0 };
  WeightSet *set = weights_new_declared (status);
  Ctx *ctx = ctx_new (backend, o->compute, NULL, status);
  float *data[] = { random_floats (n * c.in_channels), random_floats (o->n_text * c.context_dim),
                    random_floats (flux_modulation_size (&c)),
                    random_floats ((o->n_text + n) * c.head_dim) };
  const Flux *flux = set ? flux_bind (&(Binder){ set, &arena, status }, &c) : NULL;
  bool ok = ctx && flux && data[0] && data[1] && data[2] && data[3] && fill_weights (set);
  if (ok)
    {
      flux_positions (data[3], &c, o->n_text, &grid, 1);
      forward (ctx, flux, &c, o, data);
      ok = ctx_plan (ctx);
    }
  *pass = (Pass){ .cpu = 1e30 };
  for (int i = 0; ok && i < RUNS; i++)
    {
      double t0 = cpu_seconds ();
      if ((ok = ctx_begin_run (ctx)))
        forward (ctx, flux, &c, o, data);
      ok = ctx_end_run (ctx) && ok;
      double took = cpu_seconds () - t0;
      pass->cpu = took < pass->cpu ? took : pass->cpu;
    }
  for (int i = 0; ok && i < ctx_op_count (ctx); i++)
    pass->flops += ctx_op (ctx, i)->flops;
  pass->plan_bytes = ok ? ctx_peak_bytes (ctx) : 0;
  ctx_free (ctx);
  for (int i = 0; i < 4; i++)
    mem_free (data[i]);
  for (size_t i = 0; set && i < set->n_items; i++)
    mem_free ((void *) set->items[i]->data);
  weights_free (set);
  arena_clear (&arena);
  return ok || status_fail (status, STATUS_NO_MEMORY, "Out of memory, or a pass failed.");
}

static bool
parse (Options *o, int argc, char **argv)
{
  *o = (Options){ .compute = COMPUTE_BF16, .size_px = 512, .n_text = 512, .n_threads = 1 };
  for (int i = 1; i + 1 < argc; i += 2)
    {
      const char *value = argv[i + 1];
      if (!strcmp (argv[i], "--level"))
        o->level = value;
      else if (!strcmp (argv[i], "--precision"))
        o->compute = strcmp (value, "f32") ? COMPUTE_BF16 : COMPUTE_F32;
      else if (!strcmp (argv[i], "--size"))
        o->size_px = atoi (value);
      else if (!strcmp (argv[i], "--text"))
        o->n_text = atoi (value);
      else if (!strcmp (argv[i], "--threads"))
        o->n_threads = atoi (value);
      else
        return false;
    }
  return argc % 2 == 1 && o->size_px >= PIXELS_PER_TOKEN && o->n_text > 0;
}

int
main (int argc, char **argv)
{
  Options o;
  Pass one = { 0 }, two = { 0 }, three = { 0 };
  Status status = { 0 };
  if (!parse (&o, argc, argv))
    {
      fprintf (stderr, "bench-flux: see the head of bench-flux.c for its options\n");
      return 2;
    }
  Backend *backend = backend_cpu_new (o.level, o.n_threads, &status);
  bool ok = backend && measure (backend, &o, 1, 1, &one, &status) &&
            measure (backend, &o, 1, 2, &two, &status) &&
            measure (backend, &o, 2, 1, &three, &status);
  if (ok)
    {
      double single = two.cpu - one.cpu, twin = three.cpu - one.cpu;
      double step = one.cpu + (N_DOUBLE - 1) * twin + (N_SINGLE - 1) * single;
      double flops = one.flops + (N_DOUBLE - 1) * (three.flops - one.flops) +
                     (N_SINGLE - 1) * (two.flops - one.flops);
      printf (
          "{\"bench\":\"flux-step\",\"size_px\":%d,\"text\":%d,\"precision\":\"%s\","
          "\"level\":\"%s\",\"threads\":%d,\"double_cpu_s\":%.3f,\"single_cpu_s\":%.3f,"
          "\"step_cpu_s\":%.1f,\"step_tflop\":%.2f,\"gflops_per_cpu_s\":%.1f,\"plan_mib\":%.1f}\n",
          o.size_px, o.n_text, o.compute == COMPUTE_F32 ? "f32" : "bf16", backend->level,
          o.n_threads, twin, single, step, flops * 1e-12, flops / step * 1e-9,
          (double) one.plan_bytes / 0x1p20);
    }
  else
    fprintf (stderr, "bench-flux: %s\n", status.message);
  if (backend)
    backend_free (backend);
  return ok ? 0 : 1;
}
