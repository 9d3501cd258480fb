/* SPDX-License-Identifier: MPL-2.0
 * bench-adapters.c - what adapters cost: a step with them, and moving a weight.
 *
 *   bench-adapters [--level NAME] [--threads N] [--rounds N] [--precision f32|bf16]
 *
 * Step: the linear layers and the attention of one transformer block of SDXL at 1024 x 1024 with
 * guidance (2 x 1024 tokens, 1280 wide: where 60 of its 70 blocks are) and of one double block of
 * FLUX.1 at 1024 x 1024 (4096 + 512 tokens, 3072 wide), without adapters and with eight of them at
 * a total rank of 128 and 256, in turns; the least CPU time of each counts, so that neighbours
 * disturb the ratio little.
 *
 * Weight: from eight LoRAs of rank 32 on all 722 layers that kohya's trainer adapts in SDXL's U-Net
 * to adapter_stack_set's return, after which the next step runs.
 *
 * Prints one JSON object.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backend/backend.h"
#include "bench/lora.h"
#include "core/mem.h"
#include "models/unet.h"
#include "ops/ops.h"
#include "weights/adapter-stack.h"

enum
{
  N_ADAPTERS = 8,
  RANK_EACH = 32,
  MAX_LAYERS = 16,
  N_RANKS = 3
};

static const int64_t ranks[N_RANKS] = { 0, 128, 256 };

typedef struct
{
  int64_t n_rows, n_in, n_out;
} Shape;

typedef struct
{
  const char *name;
  int64_t n_pictures, n_tokens, dim;
  int n_heads, n_layers;
  Shape layers[MAX_LAYERS];
  bool has_attention[2]; /* self, over the text's 77 tokens */
} Block;

static const Block blocks[] = {
  { "sdxl-block-1280",
    2,
    1024,
    1280,
    20,
    10,
    { { 1024, 1280, 1280 },
      { 1024, 1280, 1280 },
      { 1024, 1280, 1280 },
      { 1024, 1280, 1280 },
      { 1024, 1280, 1280 },
      { 77, 2048, 1280 },
      { 77, 2048, 1280 },
      { 1024, 1280, 1280 },
      { 1024, 1280, 10240 },
      { 1024, 5120, 1280 } },
    { true, true } },
  { "flux-double-3072",
    1,
    4608,
    3072,
    24,
    12,
    { { 4096, 3072, 3072 },
      { 4096, 3072, 3072 },
      { 4096, 3072, 3072 },
      { 4096, 3072, 3072 },
      { 4096, 3072, 12288 },
      { 4096, 12288, 3072 },
      { 512, 3072, 3072 },
      { 512, 3072, 3072 },
      { 512, 3072, 3072 },
      { 512, 3072, 3072 },
      { 512, 3072, 12288 },
      { 512, 12288, 3072 } },
    { true, false } },
};

static double
seconds (clockid_t clock)
{
  struct timespec t;
  clock_gettime (clock, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static void *
filled (int64_t n)
{
  float *x = mem_map ((size_t) n * sizeof *x);
  for (int64_t i = 0; x && i < n; i++)
    x[i] = (float) (i % 251 - 125) / 1000;
  if (!x)
    {
      fprintf (stderr, "out of memory\n");
      exit (EXIT_FAILURE);
    }
  return x;
}

/* ---- a step ---- */

typedef struct
{
  Weight w[MAX_LAYERS], a[MAX_LAYERS], b[MAX_LAYERS];
  SidePath side[MAX_LAYERS];
  const Block *block;
  float *x, *scale;
} Setup;

static Weight
weight (int64_t n_out, int64_t n_in, const void *data)
{
  return (Weight){
    .name = "bench", .dtype = DTYPE_F32, .rank = 2, .ne = { n_out, n_in }, .data = data
  };
}

/* All layers share one weight's bytes: the largest; time does not depend on values. */
static void
set_up (Setup *s, const Block *block, const float *data, float *x, float *scale)
{
  *s = (Setup){ .block = block, .x = x, .scale = scale };
  for (int i = 0; i < block->n_layers; i++)
    s->w[i] = weight (block->layers[i].n_out, block->layers[i].n_in, data);
}

static void
set_rank (Setup *s, int64_t rank, const float *data)
{
  for (int i = 0; i < s->block->n_layers; i++)
    {
      s->a[i] = weight (rank, s->block->layers[i].n_in, data);
      s->b[i] = weight (s->block->layers[i].n_out, rank, data);
      s->side[i] = (SidePath){ &s->a[i], &s->b[i], NULL, s->scale, rank };
      s->w[i].side = rank ? &s->side[i] : NULL;
    }
}

static void
forward (Ctx *ctx, const Setup *s)
{
  const Block *b = s->block;
  for (int i = 0; i < b->n_layers; i++)
    {
      int64_t ne[3] = { b->n_pictures, b->layers[i].n_rows, b->layers[i].n_in };
      op_linear (ctx, ctx_input (ctx, DTYPE_F32, 3, ne, s->x), (Layer){ &s->w[i], NULL }, NULL);
    }
  int64_t n = b->n_pictures, q[3] = { n, b->n_tokens, b->dim }, text[3] = { n, 77, b->dim };
  Tensor *x = ctx_input (ctx, DTYPE_F32, 3, q, s->x),
         *k = ctx_input (ctx, DTYPE_F32, 3, text, s->x);
  if (b->has_attention[0])
    op_attention (ctx, x, x, x, b->n_heads, false);
  if (b->has_attention[1])
    op_attention (ctx, x, k, k, b->n_heads, false);
}

/* CPU seconds of one pass */
static double
pass (Backend *backend, Compute compute, const Setup *s)
{
  Status status = { 0 };
  Ctx *ctx = ctx_new (backend, compute, NULL, &status);
  forward (ctx, s);
  if (!ctx_plan (ctx) || !ctx_begin_run (ctx))
    exit (EXIT_FAILURE);
  double t0 = seconds (CLOCK_PROCESS_CPUTIME_ID);
  forward (ctx, s);
  if (!ctx_end_run (ctx))
    exit (EXIT_FAILURE);
  double t = seconds (CLOCK_PROCESS_CPUTIME_ID) - t0;
  ctx_free (ctx);
  return t;
}

static void
bench_block (Backend *backend, Compute compute, const Block *block, int rounds)
{
  int64_t most = 0, rows = 0;
  for (int i = 0; i < block->n_layers; i++)
    {
      const Shape *l = &block->layers[i];
      most = l->n_in * l->n_out > most ? l->n_in * l->n_out : most;
      rows = l->n_rows * l->n_in > rows ? l->n_rows * l->n_in : rows;
    }
  rows = block->n_tokens * block->dim > rows ? block->n_tokens * block->dim : rows;
  rows *= block->n_pictures;
  float *data = filled (most), *x = filled (rows), *scale = filled (ranks[N_RANKS - 1]);
  double best[N_RANKS] = { 1e9, 1e9, 1e9 };
  Setup s;
  set_up (&s, block, data, x, scale);
  for (int round = 0; round < rounds; round++)
    for (int r = 0; r < N_RANKS; r++)
      {
        set_rank (&s, ranks[r], data);
        double t = pass (backend, compute, &s);
        best[r] = t < best[r] ? t : best[r];
      }
  printf ("\"%s\": {\"cpu_seconds\": %.4f, \"rank_128\": %.3f, \"rank_256\": %.3f}, ", block->name,
          best[0], best[1] / best[0], best[2] / best[0]);
  mem_unmap (data, (size_t) most * sizeof *data);
  mem_unmap (x, (size_t) rows * sizeof *x);
  mem_unmap (scale, (size_t) ranks[N_RANKS - 1] * sizeof *scale);
}

/* ---- moving a weight ---- */

static void
bench_weight (int rounds)
{
  char path[] = "/tmp/gesso-bench-XXXXXX";
  Status status = { 0 };
  Arena arena = { 0 };
  WeightSet *set = weights_new_declared (&status);
  Binder binder = { set, &arena, &status };
  ModelConfig config = { .family = FAMILY_SDXL, .unet = bench_sdxl };
  unet_bind (&binder, &bench_sdxl);
  close (mkstemp (path));
  int n_layers = bench_write_lora (set, path, RANK_EACH);
  AdapterMap *map = adapter_map_new (set, &config, &status);
  AdapterFile *file = map ? adapter_open (path, &status) : NULL;
  AdapterFit fit = { 0 };
  const AdapterFit *fits[N_ADAPTERS];
  AdapterStrength strengths[N_ADAPTERS];
  for (int i = 0; i < N_ADAPTERS; i++)
    {
      fits[i] = &fit;
      strengths[i] = (AdapterStrength){ 1, 1, NULL };
    }
  double t0 = seconds (CLOCK_MONOTONIC), best = 1e9;
  bool ok = file && adapter_fit_init (&fit, file, set, map, &config, &status);
  AdapterStack *stack = ok ? adapter_stack_new (fits, N_ADAPTERS, false, &status) : NULL;
  double made = seconds (CLOCK_MONOTONIC) - t0;
  ok = stack && adapter_stack_set (stack, strengths, &status);
  if (ok)
    adapter_stack_mount (stack);
  for (int i = 0; ok && i < rounds; i++)
    {
      strengths[3].network = 0.1 * i;
      t0 = seconds (CLOCK_MONOTONIC);
      ok = adapter_stack_set (stack, strengths, &status);
      double t = seconds (CLOCK_MONOTONIC) - t0;
      best = t < best ? t : best;
    }
  if (!ok)
    fprintf (stderr, "%s\n", status.message);
  printf ("\"weight\": {\"layers\": %d, \"total_rank\": %d, \"moved_ms\": %.3f, \"made_seconds\": "
          "%.2f, \"side_mib\": %.0f}",
          n_layers, N_ADAPTERS * RANK_EACH, 1e3 * best, made,
          stack ? (double) adapter_stack_side_bytes (stack) / (1 << 20) : 0);
  adapter_stack_free (stack);
  adapter_fit_clear (&fit);
  adapter_close (file);
  adapter_map_free (map);
  arena_clear (&arena);
  weights_free (set);
  unlink (path);
}

int
main (int argc, char **argv)
{
  const char *level = NULL;
  int n_threads = 1, rounds = 5;
  Compute compute = COMPUTE_F32;
  for (int i = 1; i + 1 < argc; i += 2)
    if (!strcmp (argv[i], "--level"))
      level = argv[i + 1];
    else if (!strcmp (argv[i], "--threads"))
      n_threads = atoi (argv[i + 1]);
    else if (!strcmp (argv[i], "--rounds"))
      rounds = atoi (argv[i + 1]);
    else if (!strcmp (argv[i], "--precision"))
      compute = strcmp (argv[i + 1], "bf16") ? COMPUTE_F32 : COMPUTE_BF16;
  Status status = { 0 };
  Backend *backend = backend_cpu_new (level, n_threads, &status);
  if (!backend)
    {
      fprintf (stderr, "%s\n", status.message);
      return EXIT_FAILURE;
    }
  printf ("{\"level\": \"%s\", ", backend->level);
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
    bench_block (backend, compute, &blocks[i], rounds);
  bench_weight (rounds);
  printf ("}\n");
  backend_free (backend);
  return EXIT_SUCCESS;
}
