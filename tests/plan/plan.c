/* SPDX-License-Identifier: MPL-2.0
 * plan.c - parameters, operators and planned memory of the full-size models, against plans.txt.
 *
 * No checkpoint is needed: weights are declared.  A change of any figure has to be explained in the
 * commit that changes the file:  plan plans.txt --update
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "core/arena.h"
#include "models/clip-vision.h"
#include "models/clip.h"
#include "models/controlnet.h"
#include "models/flux.h"
#include "models/t5.h"
#include "models/unet.h"
#include "models/vae.h"
#include "models/wan.h"
#include "pipelines/bench-passes.h"
#include "pipelines/clip-vae.h"
#include "tools/full-size.h"

typedef struct
{
  WeightSet *set;
  Arena arena;
  Status status;
  Ctx *ctx;
} Bench;

static Binder
begin (Bench *b, Backend *null)
{
  *b = (Bench){ 0 };
  b->set = weights_new_declared (&b->status);
  b->ctx = ctx_new (null, COMPUTE_F32, NULL, &b->status);
  return (Binder){ b->set, &b->arena, &b->status };
}

/* With a LoRA of rank 32 on each of a network's layers. */
static bool adapts;

static void
adapt (Bench *b, const Binder *binder)
{
  enum
  {
    RANK = 32
  };
  static const float scale[RANK];
  int n = adapts ? weights_count (b->set) : 0;
  for (int i = 0; i < n; i++)
    {
      Weight *w = (Weight *) (uintptr_t) weights_at (b->set, i); /* the set is ours */
      SidePath *side = arena_alloc (&b->arena, sizeof *side, &b->status);
      const int64_t a[2] = { RANK, w->ne[1] }, up[2] = { w->ne[0], RANK };
      if (w->rank != 2 || !side)
        continue;
      *side = (SidePath){ .a = weights_bind (binder->weights, 2, a, "%s.down", w->name),
                          .b = weights_bind (binder->weights, 2, up, "%s.up", w->name),
                          .scale = scale,
                          .rank = RANK };
      w->side = side;
    }
}

static int64_t
moved_elements (const OpRecord *op)
{
  if (op->kind == OP_ROOM)
    return 0;
  if (op->kind == OP_PUT) /* the rest stays where it is */
    return 2 * tensor_elements (op->source[1]);
  int64_t n = tensor_elements (op->out);
  for (int i = 0; i < OP_MAX_SOURCES; i++)
    n += op->source[i] ? tensor_elements (op->source[i]) : 0;
  return n;
}

/* Activations that operators read and write in 16 bits. */
static void
end_moved (Bench *b, const char *name, FILE *out)
{
  double n_bytes = 0;
  ctx_plan (b->ctx);
  for (int i = 0; i < ctx_op_count (b->ctx); i++)
    n_bytes += 2.0 * (double) moved_elements (ctx_op (b->ctx, i));
  fprintf (out, "%-28s %5d operators move %8.3f GB of activations\n", name, ctx_op_count (b->ctx),
           n_bytes * 1e-9);
  ctx_free (b->ctx);
  arena_clear (&b->arena);
  weights_free (b->set);
}

static bool shows_moved;

static void
end (Bench *b, const char *name, FILE *out)
{
  if (shows_moved)
    {
      end_moved (b, name, out);
      return;
    }
  ctx_plan (b->ctx);
  double flops = 0;
  for (int i = 0; i < ctx_op_count (b->ctx); i++)
    flops += ctx_op (b->ctx, i)->flops;
  if (ctx_failed (b->ctx) || b->status.code)
    fprintf (out, "%-28s failed: %s%s\n", name, ctx_status (b->ctx)->message, b->status.message);
  else
    fprintf (out, "%-28s %10lld parameters %5d operators %11zu bytes (bound %11zu) %8.4f TFLOP\n",
             name, (long long) weights_parameters (b->set, ""), ctx_op_count (b->ctx),
             ctx_peak_bytes (b->ctx), ctx_bound_bytes (b->ctx), flops / 1e12);
  ctx_free (b->ctx);
  arena_clear (&b->arena);
  weights_free (b->set);
}

static void
plan_unet (Backend *null, const char *name, const UnetConfig *c, int64_t n, int64_t side, FILE *out)
{
  Bench b;
  Binder binder = begin (&b, null);
  Unet *u = unet_bind (&binder, c);
  Tensor *x = ctx_input (b.ctx, DTYPE_F32, 4, (int64_t[]){ n, side, side, c->in_channels }, NULL);
  Tensor *t = ctx_input (b.ctx, DTYPE_F32, 1, &n, NULL);
  Tensor *context = ctx_input (b.ctx, DTYPE_F32, 3, (int64_t[]){ n, 77, c->context_dim }, NULL);
  Tensor *vector = ctx_input (b.ctx, DTYPE_F32, 2, (int64_t[]){ n, c->adm_dim }, NULL);
  if (u)
    unet_forward (b.ctx, u, x, t, context, vector);
  end (&b, name, out);
}

/* As a job runs it: keys and values of the prompt once, then the steps without them. */
static void
plan_unet_with_keys (
    Backend *null, const char *name, const UnetConfig *c, int64_t n, int64_t side, FILE *out)
{
  Bench once, step;
  Binder binder = begin (&once, null), same = begin (&step, null);
  Unet *u = unet_bind (&binder, c), *v = unet_bind (&same, c);
  if (u && v)
    {
      adapt (&once, &binder);
      adapt (&step, &same);
      PromptKeys *keys = calloc ((size_t) unet_n_keys (u), sizeof *keys);
      const int64_t ne[3] = { n, 77, c->context_dim };
      unet_keys (once.ctx, u, ctx_input (once.ctx, DTYPE_F32, 3, ne, NULL), keys);
      Tensor *x =
          ctx_input (step.ctx, DTYPE_F32, 4, (int64_t[]){ n, side, side, c->in_channels }, NULL);
      Tensor *t = ctx_input (step.ctx, DTYPE_F32, 1, &n, NULL);
      Tensor *vector = ctx_input (step.ctx, DTYPE_F32, 2, (int64_t[]){ n, c->adm_dim }, NULL);
      unet_forward_with_keys (step.ctx, v, x, t, keys, vector, NULL);
      free (keys);
    }
  end (&step, name_of ("%s-step", name).text, out);
  end (&once, name_of ("%s-keys", name).text, out);
}

/* The ControlNet that belongs to a U-Net of SD 1.5 or SDXL. */
static ControlConfig
control_for (const UnetConfig *unet)
{
  return (ControlConfig){ .unet = *unet, .hint_in = 3, .n_hints = 4, .hints = { 16, 32, 96, 256 } };
}

/* What is made of the picture before the first step. */
static void
plan_hint (Backend *null, const char *name, const UnetConfig *unet, int64_t side, FILE *out)
{
  Bench b;
  Binder binder = begin (&b, null);
  const ControlConfig c = control_for (unet);
  int64_t pixels = side * controlnet_factor (&c), ne[] = { 1, pixels, pixels, 3 };
  ControlNet *net = controlnet_bind (&binder, &c);
  if (net)
    controlnet_hint (b.ctx, net, ctx_input (b.ctx, DTYPE_F32, 4, ne, NULL));
  end (&b, name, out);
}

/* A step of the U-Net with a ControlNet beside it; @keys: of both, already there. */
static void
controlled_step (Bench *b,
                 const Binder *binder,
                 const ControlConfig *c,
                 int64_t n,
                 int64_t side,
                 PromptKeys *keys)
{
  const UnetConfig *u = &c->unet;
  int64_t width = controlnet_width (c), hint[] = { side, side, u->channels[0] };
  Unet *unet = unet_bind (binder, u);
  ControlNet *net = controlnet_bind (binder, c);
  Tensor *x = ctx_input (b->ctx, DTYPE_F32, 4, (int64_t[]){ n, side, side, u->in_channels }, NULL);
  Tensor *t = ctx_input (b->ctx, DTYPE_F32, 1, &n, NULL);
  Tensor *vector = ctx_input (b->ctx, DTYPE_F32, 2, (int64_t[]){ n, u->adm_dim }, NULL);
  Tensor *features = ctx_input (b->ctx, DTYPE_F32, 3, hint, NULL);
  Tensor *scales = ctx_input (b->ctx, DTYPE_F32, 1, &width, NULL);
  UnetControl control = { .mid = NULL };
  if (!unet || !net)
    return;
  controlnet_forward (b->ctx, net, x, t, keys + unet_n_keys (unet), vector, features, scales,
                      &control);
  unet_forward_with_keys (b->ctx, unet, x, t, keys, vector, &control);
}

static void
plan_controlled (
    Backend *null, const char *name, const UnetConfig *unet, int64_t n, int64_t side, FILE *out)
{
  Bench once, step;
  Binder binder = begin (&once, null), same = begin (&step, null);
  const ControlConfig c = control_for (unet);
  Unet *u = unet_bind (&binder, unet);
  ControlNet *net = controlnet_bind (&binder, &c);
  const int64_t ne[3] = { n, 77, unet->context_dim };
  Tensor *context = ctx_input (once.ctx, DTYPE_F32, 3, ne, NULL);
  if (u && net)
    {
      int n_keys = unet_n_keys (u);
      PromptKeys *keys = calloc ((size_t) (n_keys + controlnet_n_keys (net)), sizeof *keys);
      unet_keys (once.ctx, u, context, keys);
      controlnet_keys (once.ctx, net, context, keys + n_keys);
      controlled_step (&step, &same, &c, n, side, keys);
      free (keys);
    }
  end (&step, name_of ("%s-step", name).text, out);
  end (&once, name_of ("%s-keys", name).text, out);
}

static void
plan_vae (
    Backend *null, const char *name, const VaeConfig *c, VaeParts parts, int64_t side, FILE *out)
{
  Bench b;
  Binder binder = begin (&b, null);
  Vae *vae = vae_bind (&binder, c, parts);
  int64_t channels = parts == VAE_DECODER ? c->latent_channels : 3;
  Tensor *x = ctx_input (b.ctx, DTYPE_F32, 4, (int64_t[]){ 1, side, side, channels }, NULL);
  if (parts == VAE_DECODER)
    vae_decode (b.ctx, vae, x);
  else
    vae_encode (b.ctx, vae, x);
  end (&b, name, out);
}

static void
plan_clip (Backend *null, const char *name, const ClipConfig *c, bool pooled, FILE *out)
{
  Bench b;
  Binder binder = begin (&b, null);
  static const int32_t eos[1] = { 76 };
  Clip *clip = clip_bind (&binder, c, "text_encoder");
  clip_forward (b.ctx, clip, NULL, 1, 77,
                (ClipOptions){ .skip_layers = 1, .eos = pooled ? eos : NULL });
  end (&b, name, out);
}

/* @side: latent pixels; @n_reference: tokens of Kontext's reference picture */
static void
plan_flux (Backend *null,
           const char *name,
           const FluxConfig *c,
           int64_t n_text,
           int64_t side,
           int64_t n_reference,
           FILE *out)
{
  Bench b;
  Binder binder = begin (&b, null);
  Flux *flux = flux_bind (&binder, c);
  adapt (&b, &binder);
  int64_t n_target = side / 2 * (side / 2), n_image = n_target + n_reference;
  int64_t img[] = { 1, n_image, c->in_channels }, txt[] = { 1, n_text, c->context_dim };
  int64_t modulation[] = { 1, flux_modulation_size (c) };
  int64_t positions[] = { n_text + n_image, c->head_dim };
  FluxInputs in = { .img = ctx_input (b.ctx, DTYPE_F32, 3, img, NULL),
                    .txt = ctx_input (b.ctx, DTYPE_F32, 3, txt, NULL),
                    .modulation = ctx_input (b.ctx, DTYPE_F32, 2, modulation, NULL),
                    .positions = ctx_input (b.ctx, DTYPE_F32, 2, positions, NULL),
                    .n_target = n_target };
  if (flux)
    flux_forward (b.ctx, flux, &in);
  end (&b, name, out);
}

/* The modulation of a whole schedule. */
static void
plan_modulation (Backend *null, const char *name, const FluxConfig *c, int64_t n_steps, FILE *out)
{
  Bench b;
  Binder binder = begin (&b, null);
  Flux *flux = flux_bind (&binder, c);
  Tensor *t = ctx_input (b.ctx, DTYPE_F32, 1, &n_steps, NULL);
  Tensor *pooled = ctx_input (b.ctx, DTYPE_F32, 2, (int64_t[]){ n_steps, c->pooled_dim }, NULL);
  if (flux)
    flux_modulation (b.ctx, flux, t, c->has_guidance ? t : NULL, pooled);
  end (&b, name, out);
}

/* Weights in 16 bits: what a step needs once modulation is known. */
static void
weigh_flux (Backend *null, const char *name, const FluxConfig *c, FILE *out)
{
  Bench b;
  Binder binder = begin (&b, null);
  flux_bind (&binder, c);
  fprintf (out, "%-28s %10lld parameters %11lld bytes in 16 bits, %11lld after modulation\n", name,
           (long long) weights_parameters (b.set, ""), (long long) flux_weight_bytes (b.set, false),
           (long long) flux_weight_bytes (b.set, true));
  ctx_free (b.ctx);
  arena_clear (&b.arena);
  weights_free (b.set);
}

static void
plan_t5 (Backend *null, const char *name, const T5Config *c, int64_t length, FILE *out)
{
  Bench b;
  Binder binder = begin (&b, null);
  T5 *t5 = t5_bind (&binder, c);
  if (t5)
    t5_forward (b.ctx, t5, NULL, 1, length, NULL);
  end (&b, name, out);
}

static void
plan_all_flux (Backend *null, FILE *out)
{
  const FullSize *dev = full_size_find ("flux-dev"), *schnell = full_size_find ("flux-schnell");
  const FullSize *fill = full_size_find ("flux-fill");
  T5Config umt5 = dev->t5;
  umt5.vocab = 256384;
  umt5.has_layer_bias = true;
  weigh_flux (null, "flux-dev-weights", &dev->flux, out);
  plan_flux (null, "flux-dev-1024", &dev->flux, 512, 128, 0, out);
  plan_flux (null, "flux-dev-512", &dev->flux, 512, 64, 0, out);
  plan_flux (null, "flux-kontext-1024", &dev->flux, 512, 128, 4096, out);
  plan_flux (null, "flux-fill-1024", &fill->flux, 512, 128, 0, out);
  plan_modulation (null, "flux-dev-modulation-28", &dev->flux, 28, out);
  weigh_flux (null, "flux-schnell-weights", &schnell->flux, out);
  plan_flux (null, "flux-schnell-1024", &schnell->flux, 256, 128, 0, out);
  plan_modulation (null, "flux-schnell-modulation-4", &schnell->flux, 4, out);
  plan_t5 (null, "t5-xxl-512", &dev->t5, 512, out);
  plan_t5 (null, "umt5-xxl-512", &umt5, 512, out);
  plan_vae (null, "flux-vae-decode-1024", &dev->vae, VAE_DECODER, 128, out);
  plan_vae (null, "flux-vae-encode-1024", &dev->vae, VAE_ENCODER, 1024, out);
}

/* A clip of @n_frames through Wan's VAE, in the tiles that are chosen for it: all the memory that
 * takes, its own share of what layers remember and of frames that wait included. */
static void
plan_clip_vae (Backend *null,
               const char *name,
               const WanVaeConfig *c,
               ClipDirection direction,
               int64_t width,
               int64_t height,
               int64_t n_frames,
               FILE *out)
{
  Bench b;
  Binder binder = begin (&b, null);
  int f = wan_vae_factor (c);
  ClipSize size = { wan_vae_latents (n_frames), height / f, width / f };
  ClipVae v = { .config = c, .backend = null };
  PhasePlan plan = { 0 };
  v.vae = wan_vae_bind (&binder, c, direction == CLIP_DECODE ? VAE_DECODER : VAE_ENCODER);
  if (v.vae)
    v.tile_px = clip_vae_tile (&v, size, direction, &b.status);
  if (v.vae && v.tile_px >= 0)
    clip_vae_plan (&v, size, direction, &plan, &b.status);
  fprintf (out, "%-28s %10lld parameters, tiles of %d, %12zu bytes, %d chunks, %8.2f TFLOP%s\n",
           name, (long long) weights_parameters (b.set, ""), v.tile_px, plan.activation_bytes,
           plan.n_passes, plan.flops * plan.n_passes / 1e12, b.status.message);
  ctx_free (b.ctx);
  arena_clear (&b.arena);
  weights_free (b.set);
}

/* Without tiles a clip's memory does not depend on its length: 17 frames and 81 differ in work. */
static void
plan_all_clip_vaes (Backend *null, FILE *out)
{
  const WanVaeConfig *v21 = &full_size_wan21_vae, *v22 = &full_size_wan22_vae;
  plan_clip_vae (null, "wan21-decode-480p-17", v21, CLIP_DECODE, 832, 480, 17, out);
  plan_clip_vae (null, "wan21-decode-480p-81", v21, CLIP_DECODE, 832, 480, 81, out);
  plan_clip_vae (null, "wan21-decode-720p-81", v21, CLIP_DECODE, 1280, 720, 81, out);
  plan_clip_vae (null, "wan21-encode-480p-81", v21, CLIP_ENCODE, 832, 480, 81, out);
  plan_clip_vae (null, "wan22-decode-704p-121", v22, CLIP_DECODE, 1280, 704, 121, out);
  plan_clip_vae (null, "wan22-encode-704p-1", v22, CLIP_ENCODE, 1280, 704, 1, out);
}

/* The Wan transformers that were published, and the clips that people make with them. */
#define WAN(kind, n_in, n_out, width, heads, mlp, layers)                                          \
  {                                                                                                \
    .variant = kind, .in_channels = n_in, .out_channels = n_out, .dim = width, .n_heads = heads,   \
    .head_dim = 128, .mlp_dim = mlp, .n_layers = layers, .text_dim = 4096, .time_dim = 256,        \
    .axes = {                                                                                      \
      44,                                                                                          \
      42,                                                                                          \
      42                                                                                           \
    }                                                                                              \
  }

/* In 16 bits, as a clip of this size is made: in f32 keys and values take twice as much. */
static void
plan_wan (Backend *null, const char *name, const WanConfig *c, WanGrid grid, bool frames, FILE *out)
{
  Bench b;
  Binder binder = begin (&b, null);
  Wan *wan = wan_bind (&binder, c, "transformer");
  adapt (&b, &binder);
  int64_t n = grid.t * grid.h * grid.w, n_in = WAN_PATCH * WAN_PATCH * c->in_channels;
  int64_t tokens[] = { 1, n, n_in }, text[] = { 1, WAN_TOKENS, c->text_dim };
  int64_t n_image = c->image_positions > 0 ? c->image_positions : WAN_VISION_TOKENS;
  int64_t image[] = { 1, n_image, c->image_dim }, rows = frames ? grid.t : 1;
  WanInputs in = { .tokens = ctx_input (b.ctx, DTYPE_F32, 3, tokens, NULL),
                   .times = ctx_input (b.ctx, DTYPE_F32, 1, &rows, NULL),
                   .text = ctx_input (b.ctx, DTYPE_F32, 3, text, NULL),
                   .positions =
                       ctx_input (b.ctx, DTYPE_F32, 2, (int64_t[]){ n, c->head_dim }, NULL) };
  if (c->image_dim > 0)
    in.image = ctx_input (b.ctx, DTYPE_F32, 3, image, NULL);
  ctx_set_compute (b.ctx, COMPUTE_BF16);
  if (wan)
    wan_forward (b.ctx, wan, &in);
  end (&b, name, out);
}

/* In f32, as every encoder that is run once. */
static void
plan_vision (Backend *null, const char *name, const ClipVisionConfig *c, FILE *out)
{
  Bench b;
  Binder binder = begin (&b, null);
  ClipVision *vision = clip_vision_bind (&binder, c);
  int64_t ne[] = { 1, c->n_positions - 1, clip_vision_patch_size (c) };
  if (vision)
    clip_vision_forward (b.ctx, vision, ctx_input (b.ctx, DTYPE_F32, 3, ne, NULL));
  end (&b, name, out);
}

static void
plan_all_wan (Backend *null, FILE *out)
{
  static const WanConfig t2v = WAN (WAN_T2V, 16, 16, 5120, 40, 13824, 40),
                         i2v = WAN (WAN_I2V, 36, 16, 5120, 40, 13824, 40),
                         ti2v = WAN (WAN_TI2V, 48, 48, 3072, 24, 14336, 30),
                         small = WAN (WAN_T2V, 16, 16, 1536, 12, 8960, 30);
  WanConfig i2v_21 = i2v;
  i2v_21.image_dim = 1280;
  WanConfig flf_21 = i2v_21;
  flf_21.image_positions = 2 * WAN_VISION_TOKENS;
  plan_wan (null, "wan-a14b-480p-81", &t2v, (WanGrid){ 21, 30, 52 }, false, out);
  plan_wan (null, "wan-a14b-720p-81", &t2v, (WanGrid){ 21, 45, 80 }, false, out);
  plan_wan (null, "wan-a14b-i2v-480p-81", &i2v, (WanGrid){ 21, 30, 52 }, false, out);
  plan_wan (null, "wan-5b-704p-121", &ti2v, (WanGrid){ 31, 22, 40 }, false, out);
  plan_wan (null, "wan-5b-704p-121-first", &ti2v, (WanGrid){ 31, 22, 40 }, true, out);
  plan_wan (null, "wan-2.1-1.3b-480p-81", &small, (WanGrid){ 21, 30, 52 }, false, out);
  plan_wan (null, "wan-2.1-i2v-480p-81", &i2v_21, (WanGrid){ 21, 30, 52 }, false, out);
  plan_wan (null, "wan-2.1-flf2v-720p-81", &flf_21, (WanGrid){ 21, 45, 80 }, false, out);
  plan_vision (null, "clip-h-vision", &full_size_clip_h, out);
}

/* What fused products save on a card (Backend.fuses). */
static void
plan_moved (Backend *null, FILE *out)
{
  static const WanConfig wan = WAN (WAN_T2V, 16, 16, 1536, 12, 8960, 30);
  static const char *const how[] = { "parts", "fused", "lora-parts", "lora-fused" };
  shows_moved = true;
  for (int i = 0; i < 4; i++)
    {
      null->fuses = i % 2;
      adapts = i >= 2;
      plan_unet_with_keys (null, name_of ("sdxl-%s", how[i]).text, &full_size_find ("sdxl")->unet,
                           2, 128, out);
      plan_flux (null, name_of ("flux-dev-%s", how[i]).text, &full_size_find ("flux-dev")->flux,
                 512, 128, 0, out);
      plan_wan (null, name_of ("wan-1.3b-%s", how[i]).text, &wan, (WanGrid){ 21, 30, 52 }, false,
                out);
    }
  null->fuses = shows_moved = adapts = false;
}

/* The passes of `gesso-cli bench`: they are the models above. */
static void
plan_bench (Backend *null, FILE *out)
{
  for (int i = 0; i < bench_n_passes (); i++)
    {
      Status status = { 0 };
      BenchPass *pass = bench_pass_new (i, false, null, NULL, &status);
      BenchPassCosts c = pass ? bench_pass_costs (pass) : (BenchPassCosts){ 0 };
      fprintf (out, "bench %-36s %10lld parameters %11lld bytes %9.4f TFLOP%s\n",
               bench_pass_name (i), (long long) c.n_parameters, (long long) c.weight_bytes,
               c.flops / 1e12, status.message);
      bench_pass_free (pass);
    }
}

static void
plan_all (Backend *null, FILE *out)
{
  const FullSize *sd15 = full_size_find ("sd15"), *sdxl = full_size_find ("sdxl");
  plan_unet (null, "sd15-unet-512", &sd15->unet, 1, 64, out);
  plan_unet (null, "sd15-unet-512-cfg", &sd15->unet, 2, 64, out);
  plan_unet (null, "sdxl-unet-512-cfg", &sdxl->unet, 2, 64, out);
  plan_unet (null, "sdxl-unet-1024", &sdxl->unet, 1, 128, out);
  plan_unet (null, "sdxl-unet-1024-cfg", &sdxl->unet, 2, 128, out);
  plan_unet_with_keys (null, "sdxl-unet-1024-cfg", &sdxl->unet, 2, 128, out);
  plan_unet_with_keys (null, "sd15-unet-512-cfg", &sd15->unet, 2, 64, out);
  plan_controlled (null, "sd15-control-512-cfg", &sd15->unet, 2, 64, out);
  plan_hint (null, "sd15-control-512-hint", &sd15->unet, 64, out);
  plan_controlled (null, "sdxl-control-1024-cfg", &sdxl->unet, 2, 128, out);
  plan_hint (null, "sdxl-control-1024-hint", &sdxl->unet, 128, out);
  plan_vae (null, "vae-decode-512", &sdxl->vae, VAE_DECODER, 64, out);
  plan_vae (null, "vae-decode-1024", &sdxl->vae, VAE_DECODER, 128, out);
  plan_vae (null, "vae-encode-512", &sdxl->vae, VAE_ENCODER, 512, out);
  plan_clip (null, "clip-l", &sdxl->clip[0], false, out);
  plan_clip (null, "clip-bigg", &sdxl->clip[1], true, out);
  plan_all_flux (null, out);
  plan_all_clip_vaes (null, out);
  plan_all_wan (null, out);
  plan_bench (null, out);
  plan_moved (null, out);
}

static int
compare (FILE *expected, FILE *got)
{
  char a[256], b[256];
  int n_passed = 0, n_failed = 0;
  rewind (got);
  while (fgets (b, sizeof b, got))
    {
      bool same = fgets (a, sizeof a, expected) && !strcmp (a, b);
      printf ("%s %d - %.28s\n", same ? "ok" : "not ok", n_passed + n_failed + 1, b);
      if (!same)
        printf ("# expected %s# but is   %s", a, b);
      *(same ? &n_passed : &n_failed) += 1;
    }
  printf ("1..%d\n", n_passed + n_failed);
  return n_failed > 0 || n_passed == 0 || fgets (a, sizeof a, expected) != NULL;
}

int
main (int argc, char **argv)
{
  Status status = { 0 };
  Backend *null = backend_null_new (&status);
  bool update = argc > 2 && !strcmp (argv[2], "--update");
  FILE *file = argc > 1 ? fopen (argv[1], update ? "w" : "r") : NULL;
  FILE *got = tmpfile ();
  if (!null || !file || !got)
    {
      fprintf (stderr, "usage: plan FILE [--update]\n");
      return 2;
    }
  plan_all (null, update ? file : got);
  int failed = update ? 0 : compare (file, got);
  fclose (file);
  fclose (got);
  backend_free (null);
  return failed;
}
