/* SPDX-License-Identifier: MPL-2.0
 * bench-adapter-steps.c - whole steps with eight adapters at a total rank of 128 and 256, against
 * none; and, of SDXL, with keys and values of the prompt made in every step against made once.
 *
 *   bench-adapter-steps [--model sdxl|flux] [--size PX] [--batch N] [--double N] [--single N]
 *                       [--level NAME] [--threads N] [--rounds N]
 *
 * SDXL's U-Net is whole, for a batch of two as guidance makes it.  FLUX.1 has as many blocks of
 * each kind as are asked for (19 and 38 in the model: 1 and 2 have their proportion).  Weights are
 * f16; they lie one behind the other in a gigabyte that is gone through again and again, so that no
 * cache keeps them.  The LoRAs are on every layer of the blocks.  Least CPU seconds of the rounds,
 * which go through the variants in turns.  Prints one JSON object.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backend/backend.h"
#include "bench/lora.h"
#include "core/mem.h"
#include "models/flux.h"
#include "models/unet.h"
#include "weights/adapter-stack.h"
#include "weights/weight-set.h"

enum
{
  N_ADAPTERS = 8,
  POOL_BYTES = 1 << 30,
  TEXT_SDXL = 77,
  TEXT_FLUX = 512,
  PIXELS_PER_LATENT = 8,
  PIXELS_PER_TOKEN = 16,
  F16_SMALL = 0x211f /* 0.01 */
};

typedef enum
{
  PLAIN,
  RANK_128,
  RANK_256,
  KEYS_IN_STEP, /* SDXL only */
  N_VARIANTS
} Variant;

static const int ranks[N_VARIANTS] = { [RANK_128] = 128, [RANK_256] = 256 };

typedef struct
{
  const char *model, *level;
  int size_px, batch, n_double, n_single, n_threads, n_rounds;
} Options;

typedef struct
{
  Options o;
  Status status;
  Backend *backend;
  WeightSet *set;
  Arena arena;
  ModelConfig config;
  Unet *unet;
  Flux *flux;
  float *zeros; /* as many as the largest input has */
  int n_layers;
  Ctx *keys_ctx;
  PromptKeys *keys; /* of zeros, of the plain model; NULL: each step makes its own */
  double keys_seconds;
} Bench;

static double
cpu_seconds (void)
{
  struct timespec t;
  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static _Noreturn void
give_up (const Status *status)
{
  fprintf (stderr, "%s\n", status_ok (status) ? "out of memory" : status->message);
  exit (EXIT_FAILURE);
}

static FluxConfig
flux_config (const Options *o)
{
  return (FluxConfig){ .variant = FLUX_DEV,
                       .in_channels = 64,
                       .out_channels = 64,
                       .latent_channels = 16,
                       .dim = 3072,
                       .n_heads = 24,
                       .head_dim = 128,
                       .mlp_dim = 12288,
                       .context_dim = 4096,
                       .pooled_dim = 768,
                       .time_dim = 256,
                       .n_double = o->n_double,
                       .n_single = o->n_single,
                       .axes = { 16, 56, 56 },
                       .has_guidance = true };
}

static void
give_weights (WeightSet *set)
{
  uint16_t *pool = mem_map (POOL_BYTES);
  size_t at = 0;
  for (size_t i = 0; pool && i < POOL_BYTES / sizeof *pool; i++)
    pool[i] = F16_SMALL;
  for (size_t i = 0; i < set->n_items; i++)
    {
      Weight *w = set->items[i];
      size_t n_bytes = (size_t) weight_bytes (w);
      at = at + n_bytes > POOL_BYTES ? 0 : at;
      w->data = pool ? (const char *) pool + at : NULL;
      at += n_bytes;
    }
  if (!pool)
    give_up (&(Status){ 0 });
}

static void
open_model (Bench *b)
{
  Binder binder = { b->set = weights_new_declared (&b->status), &b->arena, &b->status };
  bool is_flux = strcmp (b->o.model, "flux") == 0;
  b->config = (ModelConfig){ .family = is_flux ? FAMILY_FLUX : FAMILY_SDXL };
  b->config.has_flux = is_flux;
  b->config.has_unet = !is_flux;
  b->config.unet = bench_sdxl;
  b->config.flux = flux_config (&b->o);
  if (is_flux)
    b->flux = flux_bind (&binder, &b->config.flux);
  else
    b->unet = unet_bind (&binder, &bench_sdxl);
  if (!b->flux && !b->unet)
    give_up (&b->status);
  give_weights (b->set);
}

static Tensor *
zeros (const Bench *b, Ctx *ctx, int rank, const int64_t *ne)
{
  return ctx_input (ctx, DTYPE_F32, rank, ne, b->zeros);
}

static Tensor *
context (const Bench *b, Ctx *ctx)
{
  return zeros (b, ctx, 3, (int64_t[]){ b->o.batch, TEXT_SDXL, bench_sdxl.context_dim });
}

static void
forward_unet (const Bench *b, Ctx *ctx)
{
  int64_t n = b->o.batch, side = b->o.size_px / PIXELS_PER_LATENT;
  Tensor *x = zeros (b, ctx, 4, (int64_t[]){ n, side, side, 4 }), *t = zeros (b, ctx, 1, &n);
  Tensor *vector = zeros (b, ctx, 2, (int64_t[]){ n, bench_sdxl.adm_dim });
  if (b->keys)
    unet_forward_with_keys (ctx, b->unet, x, t, b->keys, vector, NULL);
  else
    unet_forward (ctx, b->unet, x, t, context (b, ctx), vector);
}

static void
forward (const Bench *b, Ctx *ctx)
{
  int64_t side = b->o.size_px / PIXELS_PER_LATENT;
  if (b->unet)
    {
      forward_unet (b, ctx);
      return;
    }
  const FluxConfig *c = &b->config.flux;
  int64_t length = (side / 2) * (side / 2);
  const FluxInputs in = {
    .img = zeros (b, ctx, 3, (int64_t[]){ 1, length, c->in_channels }),
    .txt = zeros (b, ctx, 3, (int64_t[]){ 1, TEXT_FLUX, c->context_dim }),
    .modulation = zeros (b, ctx, 2, (int64_t[]){ 1, flux_modulation_size (c) }),
    .positions = zeros (b, ctx, 2, (int64_t[]){ TEXT_FLUX + length, c->head_dim }),
    .n_target = length,
  };
  flux_forward (ctx, b->flux, &in);
}

static AdapterStack *
make_stack (Bench *b, int total_rank, AdapterFile **file, AdapterFit *fit)
{
  char path[] = "/tmp/gesso-bench-XXXXXX";
  const AdapterFit *fits[N_ADAPTERS];
  AdapterStrength strengths[N_ADAPTERS];
  close (mkstemp (path));
  b->n_layers = bench_write_lora (b->set, path, total_rank / N_ADAPTERS);
  AdapterMap *map = adapter_map_new (b->set, &b->config, &b->status);
  *file = map ? adapter_open (path, &b->status) : NULL;
  for (int i = 0; i < N_ADAPTERS; i++)
    {
      fits[i] = fit;
      strengths[i] = (AdapterStrength){ 0.5, 0.5, NULL };
    }
  AdapterStack *stack = *file && adapter_fit_init (fit, *file, b->set, map, &b->config, &b->status)
                            ? adapter_stack_new (fits, N_ADAPTERS, false, &b->status)
                            : NULL;
  if (!stack || !adapter_stack_set (stack, strengths, &b->status))
    give_up (&b->status);
  adapter_map_free (map);
  unlink (path);
  return stack;
}

/* CPU seconds of one step */
static double
step (Bench *b)
{
  Ctx *ctx = ctx_new (b->backend, COMPUTE_F32, NULL, &b->status);
  if (!ctx)
    give_up (&b->status);
  forward (b, ctx);
  if (!ctx_plan (ctx) || !ctx_begin_run (ctx))
    give_up (&b->status);
  double t0 = cpu_seconds ();
  forward (b, ctx);
  if (!ctx_end_run (ctx))
    give_up (&b->status);
  double took = cpu_seconds () - t0;
  ctx_free (ctx);
  return took;
}

static void
make_keys (Bench *b)
{
  b->keys = mem_calloc ((size_t) unet_n_keys (b->unet), sizeof *b->keys);
  b->keys_ctx = ctx_new (b->backend, COMPUTE_F32, NULL, &b->status);
  if (!b->keys || !b->keys_ctx)
    give_up (&b->status);
  unet_keys (b->keys_ctx, b->unet, context (b, b->keys_ctx), b->keys);
  if (!ctx_plan (b->keys_ctx) || !ctx_begin_run (b->keys_ctx))
    give_up (ctx_status (b->keys_ctx));
  double t0 = cpu_seconds ();
  unet_keys (b->keys_ctx, b->unet, context (b, b->keys_ctx), b->keys);
  if (!ctx_end_run (b->keys_ctx))
    give_up (ctx_status (b->keys_ctx));
  b->keys_seconds = cpu_seconds () - t0;
}

static void
print_keys (const Bench *b, double in_step)
{
  printf (", \"keys_in_step\": %.4f, \"keys_cpu_seconds\": %.3f, \"keys_mib\": %.1f", in_step,
          b->keys_seconds, (double) ctx_peak_bytes (b->keys_ctx) / (1 << 20));
}

static void
measure (Bench *b)
{
  double best[N_VARIANTS] = { 1e30, 1e30, 1e30, 1e30 };
  PromptKeys *keys = b->keys;
  for (int i = 0; i < b->o.n_rounds * N_VARIANTS; i++)
    {
      Variant v = i % N_VARIANTS;
      int rank = ranks[v];
      if (v == KEYS_IN_STEP && !keys)
        continue;
      b->keys = v == KEYS_IN_STEP ? NULL : keys;
      AdapterFit fit = { 0 };
      AdapterFile *file = NULL;
      AdapterStack *stack = rank ? make_stack (b, rank, &file, &fit) : NULL;
      if (stack)
        adapter_stack_mount (stack);
      double took = step (b);
      best[v] = took < best[v] ? took : best[v];
      fprintf (stderr, "rank %d%s: %.2f CPU-s\n", rank, v == KEYS_IN_STEP ? ", own keys" : "",
               took);
      adapter_stack_free (stack);
      adapter_fit_clear (&fit);
      adapter_close (file);
    }
  printf ("{\"model\": \"%s\", \"level\": \"%s\", \"size_px\": %d, \"batch\": %d, \"double\": %d, "
          "\"single\": %d, \"layers\": %d, \"cpu_seconds\": %.2f, \"rank_128\": %.3f, "
          "\"rank_256\": %.3f",
          b->o.model, b->backend->level, b->o.size_px, b->o.batch, b->o.n_double, b->o.n_single,
          b->n_layers, best[PLAIN], best[RANK_128] / best[PLAIN], best[RANK_256] / best[PLAIN]);
  if (keys)
    print_keys (b, best[KEYS_IN_STEP] / best[PLAIN]);
  printf ("}\n");
  b->keys = keys;
}

static void
parse (Options *o, int argc, char **argv)
{
  const struct
  {
    const char *name;
    int *value;
  } numbers[] = { { "--size", &o->size_px },      { "--batch", &o->batch },
                  { "--double", &o->n_double },   { "--single", &o->n_single },
                  { "--threads", &o->n_threads }, { "--rounds", &o->n_rounds } };
  for (int i = 1; i + 1 < argc; i += 2)
    {
      if (!strcmp (argv[i], "--model"))
        o->model = argv[i + 1];
      if (!strcmp (argv[i], "--level"))
        o->level = argv[i + 1];
      for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        if (!strcmp (argv[i], numbers[k].name))
          *numbers[k].value = atoi (argv[i + 1]);
    }
}

int
main (int argc, char **argv)
{
  Bench b = { .o = { .model = "sdxl",
                     .size_px = 1024,
                     .batch = 2,
                     .n_double = 1,
                     .n_single = 2,
                     .n_threads = 1,
                     .n_rounds = 1 } };
  parse (&b.o, argc, argv);
  int64_t side = b.o.size_px / PIXELS_PER_TOKEN, n = TEXT_FLUX + side * side, most = 0;
  b.backend = backend_cpu_new (b.o.level, b.o.n_threads, &b.status);
  if (!b.backend)
    give_up (&b.status);
  open_model (&b);
  const FluxConfig *c = &b.config.flux;
  int64_t batch = b.o.batch;
  const int64_t sizes[] = { flux_modulation_size (c),
                            n * c->head_dim,
                            (int64_t) TEXT_FLUX * c->context_dim,
                            n * c->in_channels,
                            batch * 4 * 4 * side * side,
                            batch * TEXT_SDXL * bench_sdxl.context_dim,
                            batch * bench_sdxl.adm_dim };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    most = sizes[i] > most ? sizes[i] : most;
  if (!(b.zeros = mem_calloc ((size_t) most, sizeof *b.zeros)))
    give_up (&b.status);
  if (b.unet)
    make_keys (&b);
  measure (&b);
  ctx_free (b.keys_ctx);
  mem_free (b.keys);
  mem_free (b.zeros);
  arena_clear (&b.arena);
  weights_free (b.set);
  backend_free (b.backend);
  return EXIT_SUCCESS;
}
