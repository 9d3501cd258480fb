/* SPDX-License-Identifier: MPL-2.0
 * wan-vae.c - the layers of Wan's VAEs, bound, and what both ways through them share.
 */
#include "models/wan-vae-private.h"

static WanTimeConv
bind_time_conv (
    const Binder *b, WanVaeHalf *h, int64_t n_out, int64_t n_in, int k, const char *name)
{
  assert (h->n_memories < WAN_VAE_MAX_LAYERS);
  return (WanTimeConv){ .conv = bind_conv3d (b, n_out, n_in, k, name), .memory = h->n_memories++ };
}

static const Weight *
bind_gamma (const Binder *b, int64_t n, const char *name)
{
  return weights_bind (b->weights, 1, &n, "%s.gamma", name);
}

static WanRes
bind_res (const Binder *b, WanVaeHalf *h, int64_t n_in, int64_t n_out, Name name)
{
  const char *n = name.text;
  WanRes r = {
    .norm1 = bind_gamma (b, n_in, name_of ("%s.norm1", n).text),
    .conv1 = bind_time_conv (b, h, n_out, n_in, 3, name_of ("%s.conv1", n).text),
    .norm2 = bind_gamma (b, n_out, name_of ("%s.norm2", n).text),
    .conv2 = bind_time_conv (b, h, n_out, n_out, 3, name_of ("%s.conv2", n).text),
  };
  if (n_in != n_out)
    r.shortcut = bind_linear (b, n_out, n_in, true, name_of ("%s.conv_shortcut", n).text);
  return r;
}

static WanMid
bind_mid (const Binder *b, WanVaeHalf *h, int64_t d, Name name)
{
  Name attention = name_of ("%s.attentions.0", name.text);
  const char *n = attention.text;
  return (WanMid){
    .res1 = bind_res (b, h, d, d, name_of ("%s.resnets.0", name.text)),
    .norm = bind_gamma (b, d, name_of ("%s.norm", n).text),
    .q = bind_linear (b, d, d, true, name_of ("%s.to_q", n).text),
    .k = bind_linear (b, d, d, true, name_of ("%s.to_k", n).text),
    .v = bind_linear (b, d, d, true, name_of ("%s.to_v", n).text),
    .out = bind_linear (b, d, d, true, name_of ("%s.proj", n).text),
    .res2 = bind_res (b, h, d, d, name_of ("%s.resnets.1", name.text)),
  };
}

/* diffusers' names: 2.2 has blocks of blocks, 2.1's encoder one row of them. */
static Name
encoder_block (const WanVaeConfig *c, int level, int block)
{
  if (!c->is_residual)
    return name_of ("vae.encoder.down_blocks.%d", level * (c->res_blocks + 1) + block);
  if (block < c->res_blocks)
    return name_of ("vae.encoder.down_blocks.%d.resnets.%d", level, block);
  return name_of ("vae.encoder.down_blocks.%d.downsampler", level);
}

static Name
decoder_upsampler (const WanVaeConfig *c, int level)
{
  return name_of (c->is_residual ? "vae.decoder.up_blocks.%d.upsampler"
                                 : "vae.decoder.up_blocks.%d.upsamplers.0",
                  level);
}

static void
bind_encoder_level (const Binder *b, const WanVaeConfig *c, WanVaeHalf *h, int level)
{
  WanLevel *l = &h->levels[level];
  int64_t dim = c->encoder_dim, channels = dim * (level ? c->mult[level - 1] : 1);
  l->n_in = channels;
  l->n_out = dim * c->mult[level];
  l->n_blocks = c->res_blocks;
  for (int i = 0; i < l->n_blocks; i++, channels = l->n_out)
    l->blocks[i] = bind_res (b, h, channels, l->n_out, encoder_block (c, level, i));
  if (level + 1 == c->n_levels)
    return;
  Name sampler = encoder_block (c, level, c->res_blocks);
  l->resample = bind_conv (b, l->n_out, l->n_out, 3, name_of ("%s.resample.1", sampler.text).text);
  if (c->halves_time[level])
    l->time =
        bind_time_conv (b, h, l->n_out, l->n_out, 1, name_of ("%s.time_conv", sampler.text).text);
}

/* Levels of the decoder count from the coarsest. */
static void
bind_decoder_level (const Binder *b, const WanVaeConfig *c, WanVaeHalf *h, int level)
{
  WanLevel *l = &h->levels[level];
  int n = c->n_levels;
  int64_t dim = c->decoder_dim, channels = dim * c->mult[level ? n - level : n - 1];
  l->n_in = level && !c->is_residual ? channels / 2 : channels;
  l->n_out = dim * c->mult[n - 1 - level];
  l->n_blocks = c->res_blocks + 1;
  channels = l->n_in;
  for (int i = 0; i < l->n_blocks; i++, channels = l->n_out)
    l->blocks[i] = bind_res (b, h, channels, l->n_out,
                             name_of ("vae.decoder.up_blocks.%d.resnets.%d", level, i));
  if (level + 1 == n)
    return;
  Name sampler = decoder_upsampler (c, level);
  l->resample = bind_conv (b, c->is_residual ? l->n_out : l->n_out / 2, l->n_out, 3,
                           name_of ("%s.resample.1", sampler.text).text);
  if (c->halves_time[n - 2 - level])
    l->time = bind_time_conv (b, h, 2 * l->n_out, l->n_out, 1,
                              name_of ("%s.time_conv", sampler.text).text);
}

static int64_t
image_channels (const WanVaeConfig *c)
{
  return WAN_VAE_COLOURS * c->patch * c->patch;
}

static void
bind_encoder (const Binder *b, const WanVaeConfig *c, WanVaeHalf *h)
{
  int64_t z = 2 * c->latent_channels, top = c->encoder_dim * c->mult[c->n_levels - 1];
  h->conv_in = bind_time_conv (b, h, c->encoder_dim, image_channels (c), 3, "vae.encoder.conv_in");
  for (int k = 0; k < c->n_levels; k++)
    bind_encoder_level (b, c, h, k);
  h->mid = bind_mid (b, h, top, name_of ("vae.encoder.mid_block"));
  h->norm_out = bind_gamma (b, top, "vae.encoder.norm_out");
  h->conv_out = bind_time_conv (b, h, z, top, 3, "vae.encoder.conv_out");
  h->quant = bind_linear (b, z, z, true, "vae.quant_conv");
}

static void
bind_decoder (const Binder *b, const WanVaeConfig *c, WanVaeHalf *h)
{
  int64_t z = c->latent_channels, top = c->decoder_dim * c->mult[c->n_levels - 1];
  int64_t finest = c->decoder_dim * c->mult[0];
  h->quant = bind_linear (b, z, z, true, "vae.post_quant_conv");
  h->conv_in = bind_time_conv (b, h, top, z, 3, "vae.decoder.conv_in");
  h->mid = bind_mid (b, h, top, name_of ("vae.decoder.mid_block"));
  for (int k = 0; k < c->n_levels; k++)
    bind_decoder_level (b, c, h, k);
  h->norm_out = bind_gamma (b, finest, "vae.decoder.norm_out");
  h->conv_out = bind_time_conv (b, h, image_channels (c), finest, 3, "vae.decoder.conv_out");
}

WanVae *
wan_vae_bind (const Binder *b, const WanVaeConfig *c, VaeParts parts)
{
  int n_memories = c->n_levels * (2 * (c->res_blocks + 1) + 1) + 6, n_halvings = 0;
  for (int i = 0; i + 1 < c->n_levels && i < MAX_LEVELS; i++)
    n_halvings += c->halves_time[i];
  if (c->n_levels < 2 || n_halvings != 2 || c->n_levels > MAX_LEVELS || c->res_blocks < 1 ||
      c->res_blocks + 1 > WAN_VAE_MAX_BLOCKS || n_memories > WAN_VAE_MAX_LAYERS)
    {
      status_fail (b->status, STATUS_UNSUPPORTED, "This VAE's configuration is not Wan's.");
      return NULL;
    }
  WanVae *vae = arena_alloc (b->arena, sizeof *vae, b->status);
  if (!vae)
    return NULL;
  vae->config = *c;
  if (parts & VAE_DECODER)
    bind_decoder (b, c, &vae->decoder);
  if (parts & VAE_ENCODER)
    bind_encoder (b, c, &vae->encoder);
  return vae;
}

int
wan_vae_factor (const WanVaeConfig *config)
{
  return config->patch << (config->n_levels - 1);
}

int64_t
wan_vae_frames (int64_t n_latents)
{
  return 1 + WAN_VAE_CHUNK * (n_latents - 1);
}

int64_t
wan_vae_latents (int64_t n_frames)
{
  return 1 + (n_frames - 1 + WAN_VAE_CHUNK - 1) / WAN_VAE_CHUNK;
}

/* ---- memory ---- */

/* Of a frame; the next one begins where kernels like tensors to begin. */
static size_t
layer_bytes (const WanVaeLayerMemory *m, DType dtype)
{
  enum
  {
    ALIGNMENT = 64
  };
  size_t n = (size_t) (m->ne[0] * m->ne[1] * m->ne[2] * m->ne[3]) * dtype_size (dtype);
  return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

size_t
wan_vae_memory_bytes (const WanVaeMemory *memory, DType dtype)
{
  size_t n = 0;
  for (int i = 0; i < WAN_VAE_MAX_LAYERS; i++)
    n += 2 * layer_bytes (&memory->layers[i], dtype);
  return n;
}

void
wan_vae_memory_place (WanVaeMemory *memory, DType dtype, void *bytes)
{
  char *at = bytes;
  for (int i = 0; i < WAN_VAE_MAX_LAYERS; i++)
    for (int k = 0; k < 2; k++)
      {
        WanVaeLayerMemory *m = &memory->layers[i];
        m->frame[k] = at;
        at += layer_bytes (m, dtype);
      }
}

/* ---- layers ---- */

void
wan_remember (WanWalk *w, const WanTimeConv *c, const Tensor *x)
{
  if (ctx_failed (w->ctx) || !x)
    return;
  WanVaeLayerMemory *m = &w->memory->layers[c->memory];
  void *oldest = m->frame[0];
  memcpy (m->ne, x->ne, sizeof m->ne);
  op_store (w->ctx, x, ctx_memory (w->ctx, x->rank, x->ne, oldest));
  m->frame[0] = m->frame[1];
  m->frame[1] = oldest;
}

Tensor *
wan_time_conv (WanWalk *w, const WanTimeConv *c, const Tensor *x, const Tensor *add)
{
  if (ctx_failed (w->ctx) || !x)
    return NULL;
  const WanVaeLayerMemory *m = &w->memory->layers[c->memory];
  const Tensor *frames[3] = { NULL, NULL, x };
  for (int k = 0; k < 2 && !w->is_first; k++)
    frames[k] = ctx_memory (w->ctx, x->rank, x->ne, m->frame[k]);
  Tensor *y = op_conv3d (w->ctx, frames, c->conv, add);
  wan_remember (w, c, x);
  return y;
}

Tensor *
wan_norm (WanWalk *w, const Weight *gamma, const Tensor *x)
{
  return op_rms_norm_silu (w->ctx, x, gamma, WAN_VAE_EPS);
}

Tensor *
wan_res_block (WanWalk *w, const WanRes *r, Tensor *x)
{
  Tensor *h = wan_time_conv (w, &r->conv1, wan_norm (w, r->norm1, x), NULL);
  if (r->shortcut.weight)
    x = op_linear (w->ctx, x, r->shortcut, NULL);
  return wan_time_conv (w, &r->conv2, wan_norm (w, r->norm2, h), x);
}

/* Attention within the frame. */
Tensor *
wan_mid_block (WanWalk *w, const WanMid *m, Tensor *x)
{
  Ctx *ctx = w->ctx;
  x = wan_res_block (w, &m->res1, x);
  if (ctx_failed (ctx))
    return NULL;
  int64_t tokens[3] = { x->ne[0], x->ne[1] * x->ne[2], x->ne[3] };
  Tensor *residual = op_view (ctx, x, 3, tokens);
  Tensor *n = op_rms_norm (ctx, residual, m->norm, WAN_VAE_EPS);
  Tensor *q = op_linear (ctx, n, m->q, NULL);
  Tensor *k = op_linear (ctx, n, m->k, NULL);
  Tensor *v = op_linear (ctx, n, m->v, NULL);
  Tensor *h = op_linear (ctx, op_attention (ctx, q, k, v, 1, false), m->out, residual);
  return wan_res_block (w, &m->res2, op_view (ctx, h, 4, x->ne));
}
