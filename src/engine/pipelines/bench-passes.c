/* SPDX-License-Identifier: MPL-2.0
 * bench-passes.c - the networks that `gesso-cli bench` runs whole: SDXL, FLUX.1 dev, Wan 2.2.
 *
 * Configurations are the published ones (tests/plan counts their parameters).
 */
#include "pipelines/bench-passes.h"

#include "core/arena.h"
#include "core/mem.h"
#include "models/flux.h"
#include "models/unet.h"
#include "models/vae.h"
#include "models/wan.h"
#include "pipelines/clip-vae.h"
#include "weights/weight-set.h"

enum
{
  N_INPUTS = 5,
  PATTERN_BYTES = 16 << 20, /* a multiple of every page size */
  SMALL_PATTERN_BYTES = 1 << 20,
  WEIGHT_ALIGNMENT = 4096,
  TEXT_LENGTH = 77,
  FLUX_TEXT = 512,
  SMALL_FLUX_TEXT = 8
};

typedef enum
{
  PASS_UNET,
  PASS_VAE,
  PASS_FLUX,
  PASS_WAN,
  PASS_CLIP
} PassKind;

typedef struct
{
  const char *name;
  PassKind kind;
  Compute compute;    /* as pipelines/precision.c has it for a card */
  int64_t n, t, h, w; /* pictures, latent frames, latent pixels or tokens */
  int64_t n_text;     /* FLUX's tokens of the prompt */
  UnetConfig unet;
  VaeConfig vae;
  FluxConfig flux;
  WanConfig wan;
  WanVaeConfig clip;
} Pass;

/* clang-format off */
#define SDXL                                                                                       \
  { .in_channels = 4, .out_channels = 4, .n_levels = 3, .channels = { 320, 640, 1280 },            \
    .res_blocks = { 2, 2, 2 }, .depth_down = { 0, 2, 10 }, .depth_up = { 10, 2, 0 },               \
    .depth_mid = 10, .heads = { 5, 10, 20 }, .context_dim = 2048, .time_dim = 1280,                \
    .norm_groups = 32, .adm_dim = 2816, .adm_time_dim = 256, .linear_projection = true }
#define SDXL_SMALL                                                                                 \
  { .in_channels = 4, .out_channels = 4, .n_levels = 3, .channels = { 32, 64, 64 },                \
    .res_blocks = { 1, 1, 1 }, .depth_down = { 0, 1, 1 }, .depth_up = { 1, 1, 0 },                 \
    .depth_mid = 1, .heads = { 1, 1, 1 }, .context_dim = 64, .time_dim = 64,                       \
    .norm_groups = 32, .adm_dim = 160, .adm_time_dim = 16, .linear_projection = true }
#define KL_VAE                                                                                     \
  { .in_channels = 3, .latent_channels = 4, .n_levels = 4, .channels = { 128, 256, 512, 512 },     \
    .res_blocks = 2, .norm_groups = 32, .scaling_factor = 0.13025f, .has_quant_conv = true,        \
    .has_post_quant_conv = true }
#define KL_VAE_SMALL                                                                               \
  { .in_channels = 3, .latent_channels = 4, .n_levels = 4, .channels = { 32, 32, 32, 32 },         \
    .res_blocks = 1, .norm_groups = 32, .scaling_factor = 0.13025f, .has_quant_conv = true,        \
    .has_post_quant_conv = true }
#define FLUX_MODEL(width, heads, mlp, text, pooled, n_two, n_one)                                  \
  { .variant = FLUX_DEV, .in_channels = 64, .out_channels = 64, .latent_channels = 16,             \
    .dim = width, .n_heads = heads, .head_dim = 128, .mlp_dim = mlp, .context_dim = text,          \
    .pooled_dim = pooled, .time_dim = 256, .n_double = n_two, .n_single = n_one,                   \
    .axes = { 16, 56, 56 }, .has_guidance = true }
#define WAN_MODEL(kind, n_in, width, heads, mlp, layers, text)                                     \
  { .variant = kind, .in_channels = n_in, .out_channels = n_in, .dim = width, .n_heads = heads,    \
    .head_dim = 128, .mlp_dim = mlp, .n_layers = layers, .text_dim = text, .time_dim = 256,        \
    .axes = { 44, 42, 42 } }
#define WAN_VAE(size, channels, encoder, decoder, blocks, residual, ...)                           \
  { .patch = size, .latent_channels = channels, .encoder_dim = encoder, .decoder_dim = decoder,    \
    .n_levels = 4, .mult = __VA_ARGS__, .halves_time = { false, true, true },                      \
    .res_blocks = blocks, .is_residual = residual }

/* Those that take least first: what is left of the time decides how far one gets. */
static const Pass passes[] = {
  { "sdxl step, guided, 1024x1024", PASS_UNET, COMPUTE_F16, 2, 1, 128, 128, .unet = SDXL },
  { "sdxl vae decode, 1024x1024", PASS_VAE, COMPUTE_BF16, 1, 1, 128, 128, .vae = KL_VAE },
  { "flux dev step, 1024x1024", PASS_FLUX, COMPUTE_BF16, 1, 1, 64, 64,
    .flux = FLUX_MODEL (3072, 24, 12288, 4096, 768, 19, 38) },
  { "wan 2.1 vae decode, 832x480, 81", PASS_CLIP, COMPUTE_BF16, 1, 21, 60, 104,
    .clip = WAN_VAE (1, 16, 96, 96, 2, false, { 1, 2, 4, 4 }) },
  { "wan 5b step, 1280x704, 121", PASS_WAN, COMPUTE_BF16, 1, 31, 22, 40,
    .wan = WAN_MODEL (WAN_TI2V, 48, 3072, 24, 14336, 30, 4096) },
  { "wan 2.2 vae decode, 1280x704, 121", PASS_CLIP, COMPUTE_BF16, 1, 31, 44, 80,
    .clip = WAN_VAE (2, 48, 160, 256, 2, true, { 1, 2, 4, 4 }) },
  { "wan a14b step, 832x480, 81", PASS_WAN, COMPUTE_BF16, 1, 21, 30, 52,
    .wan = WAN_MODEL (WAN_T2V, 16, 5120, 40, 13824, 40, 4096) },
};

static const Pass small_passes[] = {
  { .n = 2, .t = 1, .h = 4, .w = 4, .unet = SDXL_SMALL },
  { .n = 1, .t = 1, .h = 1, .w = 1, .vae = KL_VAE_SMALL },
  { .n = 1, .t = 1, .h = 2, .w = 2, .flux = FLUX_MODEL (128, 1, 128, 32, 32, 1, 1) },
  { .n = 1, .t = 2, .h = 1, .w = 1, .clip = WAN_VAE (1, 16, 8, 8, 1, false, { 1, 1, 1, 1 }) },
  { .n = 1, .t = 2, .h = 1, .w = 2, .wan = WAN_MODEL (WAN_TI2V, 48, 128, 1, 128, 1, 32) },
  { .n = 1, .t = 2, .h = 1, .w = 1, .clip = WAN_VAE (2, 48, 8, 8, 1, true, { 1, 1, 1, 1 }) },
  { .n = 1, .t = 2, .h = 1, .w = 2, .wan = WAN_MODEL (WAN_T2V, 16, 128, 1, 128, 1, 32) },
};
/* clang-format on */

struct BenchPass
{
  Pass p;
  Backend *backend;
  const atomic_bool *cancel;
  WeightSet *set;
  Arena arena;
  void *weights;
  size_t weights_bytes;
  float *input[N_INPUTS];
  Ctx *ctx, *before; /* before: what is made once a prompt */
  PromptKeys *keys;
  Unet *unet;
  Vae *vae;
  Flux *flux;
  Wan *wan;
  WanVae *clip;
  bool is_begun;
  BenchPassCosts costs;
};

int
bench_n_passes (void)
{
  return (int) (sizeof passes / sizeof *passes);
}

const char *
bench_pass_name (int i)
{
  return passes[i].name;
}

/* ---- made-up numbers ---- */

static float
next_random (uint32_t *seed)
{
  *seed = *seed * 1664525u + 1013904223u;
  return (float) (*seed >> 8) * 0x1p-23f - 1;
}

/* Room for @n floats in -1 .. 1 as input @i. */
static bool
make_input (BenchPass *b, int i, int64_t n, Status *status)
{
  uint32_t seed = (uint32_t) i + 1;
  b->input[i] = mem_calloc ((size_t) n + 1, sizeof *b->input[i]);
  for (int64_t k = 0; b->input[i] && k < n; k++)
    b->input[i][k] = next_random (&seed);
  return b->input[i] ||
         status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs.");
}

static uint16_t *
make_pattern (size_t size_bytes, DType dtype)
{
  uint32_t seed = 7;
  uint16_t *values = mem_calloc (size_bytes, 1);
  for (size_t i = 0; values && i < size_bytes / sizeof *values; i++)
    {
      float v = next_random (&seed) / 16;
      values[i] = dtype == DTYPE_F16 ? f32_to_f16 (v) : f32_to_bf16 (v);
    }
  return values;
}

static size_t
place_weights (BenchPass *b, DType dtype, char *from)
{
  size_t at = 0;
  for (size_t i = 0; i < b->set->n_items; i++)
    {
      Weight *w = b->set->items[i];
      w->dtype = dtype;
      w->data = from ? from + at : NULL;
      at +=
          ((size_t) weight_bytes (w) + WEIGHT_ALIGNMENT - 1) / WEIGHT_ALIGNMENT * WEIGHT_ALIGNMENT;
    }
  return at;
}

/* What every pass reads: not what is read once a prompt or schedule. */
static int64_t
read_bytes (const BenchPass *b)
{
  int64_t n_bytes = 0;
  for (int i = 0; i < weights_count (b->set); i++)
    {
      const Weight *w = weights_at (b->set, i);
      bool is_once =
          b->unet ? unet_is_key_weight (w->name) : b->flux && flux_is_modulation_weight (w->name);
      n_bytes += is_once ? 0 : weight_bytes (w);
    }
  return n_bytes;
}

static bool
make_weights (BenchPass *b, bool small, Status *status)
{
  DType dtype = b->p.compute == COMPUTE_F16 ? DTYPE_F16 : DTYPE_BF16;
  size_t pattern_bytes = small ? SMALL_PATTERN_BYTES : PATTERN_BYTES;
  uint16_t *pattern = make_pattern (pattern_bytes, dtype);
  b->weights_bytes = place_weights (b, dtype, NULL);
  b->weights = pattern ? mem_map_repeated (b->weights_bytes, pattern, pattern_bytes) : NULL;
  mem_free (pattern);
  if (!b->weights)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs.");
  place_weights (b, dtype, b->weights);
  return true;
}

/* ---- networks ---- */

static bool
bind (BenchPass *b, Status *status)
{
  const Binder binder = { b->set, &b->arena, status };
  switch (b->p.kind)
    {
    case PASS_UNET:
      return (b->unet = unet_bind (&binder, &b->p.unet)) != NULL;
    case PASS_VAE:
      return (b->vae = vae_bind (&binder, &b->p.vae, VAE_DECODER)) != NULL;
    case PASS_FLUX:
      return (b->flux = flux_bind (&binder, &b->p.flux)) != NULL;
    case PASS_WAN:
      return (b->wan = wan_bind (&binder, &b->p.wan, "transformer")) != NULL;
    case PASS_CLIP:
      return (b->clip = wan_vae_bind (&binder, &b->p.clip, VAE_DECODER)) != NULL;
    }
  return false;
}

static bool
make_inputs (BenchPass *b, Status *status)
{
  const Pass *p = &b->p;
  int64_t n_tokens = p->t * p->h * p->w;
  switch (p->kind)
    {
    case PASS_UNET:
      return make_input (b, 0, p->n * n_tokens * p->unet.in_channels, status) &&
             make_input (b, 1, p->n, status) && make_input (b, 2, p->n * p->unet.adm_dim, status) &&
             make_input (b, 3, p->n * TEXT_LENGTH * p->unet.context_dim, status);
    case PASS_VAE:
      return make_input (b, 0, n_tokens * p->vae.latent_channels, status);
    case PASS_FLUX:
      return make_input (b, 0, n_tokens * p->flux.in_channels, status) &&
             make_input (b, 1, p->n_text * p->flux.context_dim, status) &&
             make_input (b, 2, flux_modulation_size (&p->flux), status) &&
             make_input (b, 3, (p->n_text + n_tokens) * p->flux.head_dim, status);
    case PASS_WAN:
      return make_input (b, 0, n_tokens * WAN_PATCH * WAN_PATCH * p->wan.in_channels, status) &&
             make_input (b, 1, 1, status) &&
             make_input (b, 2, WAN_TOKENS * p->wan.text_dim, status) &&
             make_input (b, 3, n_tokens * p->wan.head_dim, status);
    case PASS_CLIP:
      return make_input (b, 0, n_tokens * p->clip.latent_channels, status);
    }
  return false;
}

static Tensor *
forward_unet (Ctx *ctx, const BenchPass *b)
{
  const Pass *p = &b->p;
  DType type = ctx_activation (ctx);
  const int64_t x[] = { p->n, p->h, p->w, p->unet.in_channels },
                vector[] = { p->n, p->unet.adm_dim };
  return unet_forward_with_keys (ctx, b->unet, ctx_input (ctx, type, 4, x, b->input[0]),
                                 ctx_input (ctx, DTYPE_F32, 1, &p->n, b->input[1]), b->keys,
                                 ctx_input (ctx, type, 2, vector, b->input[2]), NULL);
}

static void
make_keys (Ctx *ctx, const BenchPass *b)
{
  const int64_t ne[] = { b->p.n, TEXT_LENGTH, b->p.unet.context_dim };
  unet_keys (ctx, b->unet, ctx_input (ctx, ctx_activation (ctx), 3, ne, b->input[3]), b->keys);
}

static Tensor *
forward_flux (Ctx *ctx, const BenchPass *b)
{
  const FluxConfig *c = &b->p.flux;
  DType type = ctx_activation (ctx);
  int64_t n = b->p.h * b->p.w;
  const int64_t img[] = { 1, n, c->in_channels }, txt[] = { 1, b->p.n_text, c->context_dim },
                modulation[] = { 1, flux_modulation_size (c) },
                positions[] = { b->p.n_text + n, c->head_dim };
  const FluxInputs in = { .img = ctx_input (ctx, type, 3, img, b->input[0]),
                          .txt = ctx_input (ctx, type, 3, txt, b->input[1]),
                          .modulation = ctx_input (ctx, type, 2, modulation, b->input[2]),
                          .positions = ctx_input (ctx, DTYPE_F32, 2, positions, b->input[3]),
                          .n_target = n };
  return flux_forward (ctx, b->flux, &in);
}

static Tensor *
forward_wan (Ctx *ctx, const BenchPass *b)
{
  const WanConfig *c = &b->p.wan;
  DType type = ctx_activation (ctx);
  int64_t n = b->p.t * b->p.h * b->p.w;
  const int64_t tokens[] = { 1, n, WAN_PATCH * WAN_PATCH * c->in_channels }, one[] = { 1 },
                text[] = { 1, WAN_TOKENS, c->text_dim }, positions[] = { n, c->head_dim };
  const WanInputs in = { .tokens = ctx_input (ctx, type, 3, tokens, b->input[0]),
                         .times = ctx_input (ctx, DTYPE_F32, 1, one, b->input[1]),
                         .text = ctx_input (ctx, type, 3, text, b->input[2]),
                         .positions = ctx_input (ctx, DTYPE_F32, 2, positions, b->input[3]) };
  return wan_forward (ctx, b->wan, &in);
}

static Tensor *
forward_vae (Ctx *ctx, const BenchPass *b)
{
  const int64_t z[] = { 1, b->p.h, b->p.w, b->p.vae.latent_channels };
  return vae_decode (ctx, b->vae, ctx_input (ctx, ctx_activation (ctx), 4, z, b->input[0]));
}

static Tensor *
forward (Ctx *ctx, const BenchPass *b)
{
  return b->unet   ? forward_unet (ctx, b)
         : b->flux ? forward_flux (ctx, b)
         : b->wan  ? forward_wan (ctx, b)
                   : forward_vae (ctx, b);
}

/* ---- clips decode themselves, chunk by chunk ---- */

static ClipSize
clip_size (const BenchPass *b)
{
  return (ClipSize){ b->p.t, b->p.h, b->p.w };
}

static ClipVae
clip_vae (const BenchPass *b)
{
  return (ClipVae){ .vae = b->clip,
                    .config = &b->p.clip,
                    .backend = b->backend,
                    .compute = b->p.compute,
                    .cancel = b->cancel };
}

static bool
plan_clip (BenchPass *b, Status *status)
{
  ClipVae v = clip_vae (b);
  PhasePlan plan = { 0 };
  v.tile_px = clip_vae_tile (&v, clip_size (b), CLIP_DECODE, status);
  if (v.tile_px < 0 || !clip_vae_plan (&v, clip_size (b), CLIP_DECODE, &plan, status))
    return false;
  b->costs.flops = plan.flops * plan.n_passes;
  b->costs.activation_bytes = plan.activation_bytes;
  return true;
}

static bool
drop_frame (void *data, int64_t index, const uint8_t *rgb, Status *status)
{
  return true;
}

static bool
run_clip (const BenchPass *b, Status *status)
{
  ClipVae v = clip_vae (b);
  v.tile_px = clip_vae_tile (&v, clip_size (b), CLIP_DECODE, status);
  return v.tile_px >= 0 &&
         clip_vae_decode (&v, clip_size (b), b->input[0], drop_frame, NULL, status);
}

/* ---- a pass ---- */

static bool
plan_ctx (Ctx *ctx, BenchPassCosts *costs, Status *status)
{
  if (!ctx_plan (ctx))
    return status_fail (status, ctx_status (ctx)->code, "%s", ctx_status (ctx)->message);
  costs->activation_bytes += ctx_peak_bytes (ctx);
  costs->flops = 0;
  for (int i = 0; i < ctx_op_count (ctx); i++)
    costs->flops += ctx_op (ctx, i)->flops;
  return true;
}

static bool
run_ctx (Ctx *ctx, const BenchPass *b, bool is_before, Status *status)
{
  bool ok = ctx_begin_run (ctx);
  if (ok && is_before)
    make_keys (ctx, b);
  else if (ok)
    forward (ctx, b);
  return (ctx_end_run (ctx) && ok) ||
         status_fail (status, ctx_status (ctx)->code, "%s", ctx_status (ctx)->message);
}

/* The keys of the prompt are made once, as a job does it. */
static bool
plan (BenchPass *b, Status *status)
{
  if (b->clip)
    return plan_clip (b, status);
  b->ctx = ctx_new (b->backend, b->p.compute, b->cancel, status);
  b->before = b->unet ? ctx_new (b->backend, b->p.compute, b->cancel, status) : NULL;
  b->keys = b->unet ? mem_calloc ((size_t) unet_n_keys (b->unet) + 1, sizeof *b->keys) : NULL;
  if (!b->ctx || (b->unet && (!b->before || !b->keys)))
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs.");
  if (b->unet)
    make_keys (b->before, b);
  if (b->unet && !plan_ctx (b->before, &b->costs, status))
    return false;
  forward (b->ctx, b);
  return plan_ctx (b->ctx, &b->costs, status);
}

BenchPass *
bench_pass_new (int i, bool small, Backend *backend, const atomic_bool *cancel, Status *status)
{
  BenchPass *b = mem_calloc (1, sizeof *b);
  if (!b)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs.");
      return NULL;
    }
  b->p = small ? small_passes[i] : passes[i];
  b->p.kind = passes[i].kind;
  b->p.n_text = small ? SMALL_FLUX_TEXT : FLUX_TEXT;
  b->p.compute = backend->device.memory ? passes[i].compute : backend->fastest;
  b->backend = backend;
  b->cancel = cancel;
  b->set = weights_new_declared (status);
  bool ok = b->set && bind (b, status) && weights_check (b->set, status) &&
            make_weights (b, small, status) && make_inputs (b, status) && plan (b, status);
  if (ok)
    {
      b->costs.n_parameters = weights_parameters (b->set, "");
      b->costs.weight_bytes = read_bytes (b);
      return b;
    }
  bench_pass_free (b);
  return NULL;
}

void
bench_pass_free (BenchPass *b)
{
  if (!b)
    return;
  backend_forget (b->backend);
  ctx_free (b->ctx);
  ctx_free (b->before);
  mem_free (b->keys);
  for (int i = 0; i < N_INPUTS; i++)
    mem_free (b->input[i]);
  if (b->weights)
    mem_unmap (b->weights, b->weights_bytes);
  arena_clear (&b->arena);
  weights_free (b->set);
  mem_free (b);
}

BenchPassCosts
bench_pass_costs (const BenchPass *pass)
{
  return pass->costs;
}

bool
bench_pass_run (BenchPass *b, Status *status)
{
  if (b->clip)
    return run_clip (b, status);
  if (b->before && !b->is_begun && !run_ctx (b->before, b, true, status))
    return false;
  b->is_begun = true;
  return run_ctx (b->ctx, b, false, status);
}
