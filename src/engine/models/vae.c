/* SPDX-License-Identifier: MPL-2.0 */
#include "models/vae.h"

static const float VAE_EPS = 1e-6f;

enum
{
  MAX_VAE_BLOCKS = 8
};

typedef struct
{
  Layer norm1, conv1, norm2, conv2, shortcut;
} VaeRes;

typedef struct
{
  VaeRes blocks[MAX_VAE_BLOCKS];
  int n_blocks;
  Layer resample;
} VaeLevel;

typedef struct
{
  VaeRes res1, res2;
  Layer norm, q, k, v, out;
} VaeMid;

typedef struct
{
  Layer conv_in, norm_out, conv_out;
  VaeMid mid;
  VaeLevel levels[MAX_LEVELS];
} VaeHalf;

struct Vae
{
  VaeConfig config;
  VaeHalf encoder, decoder;
  Layer quant, post_quant;
};

int
vae_factor (const VaeConfig *config)
{
  return 1 << (config->n_levels - 1);
}

static VaeRes
bind_res (const Binder *b, int64_t n_in, int64_t n_out, Name name)
{
  const char *n = name.text;
  VaeRes r = {
    .norm1 = bind_norm (b, n_in, name_of ("%s.norm1", n).text),
    .conv1 = bind_conv (b, n_out, n_in, 3, name_of ("%s.conv1", n).text),
    .norm2 = bind_norm (b, n_out, name_of ("%s.norm2", n).text),
    .conv2 = bind_conv (b, n_out, n_out, 3, name_of ("%s.conv2", n).text),
  };
  if (n_in != n_out)
    r.shortcut = bind_conv (b, n_out, n_in, 1, name_of ("%s.conv_shortcut", n).text);
  return r;
}

static VaeMid
bind_mid (const Binder *b, int64_t d, Name name)
{
  const char *n = name.text;
  return (VaeMid){
    .res1 = bind_res (b, d, d, name_of ("%s.resnets.0", n)),
    .norm = bind_norm (b, d, name_of ("%s.attentions.0.group_norm", n).text),
    .q = bind_linear (b, d, d, true, name_of ("%s.attentions.0.to_q", n).text),
    .k = bind_linear (b, d, d, true, name_of ("%s.attentions.0.to_k", n).text),
    .v = bind_linear (b, d, d, true, name_of ("%s.attentions.0.to_v", n).text),
    .out = bind_linear (b, d, d, true, name_of ("%s.attentions.0.to_out.0", n).text),
    .res2 = bind_res (b, d, d, name_of ("%s.resnets.1", n)),
  };
}

static void
bind_decoder (const Binder *b, const VaeConfig *c, VaeHalf *h)
{
  int64_t channels = c->channels[c->n_levels - 1];
  h->conv_in = bind_conv (b, channels, c->latent_channels, 3, "vae.decoder.conv_in");
  h->mid = bind_mid (b, channels, name_of ("vae.decoder.mid_block"));
  for (int k = 0; k < c->n_levels; k++)
    {
      VaeLevel *l = &h->levels[k];
      int64_t out = c->channels[c->n_levels - 1 - k];
      l->n_blocks = c->res_blocks + 1;
      for (int i = 0; i < l->n_blocks; i++, channels = out)
        l->blocks[i] =
            bind_res (b, channels, out, name_of ("vae.decoder.up_blocks.%d.resnets.%d", k, i));
      if (k + 1 < c->n_levels)
        l->resample = bind_conv (b, out, out, 3,
                                 name_of ("vae.decoder.up_blocks.%d.upsamplers.0.conv", k).text);
    }
  h->norm_out = bind_norm (b, channels, "vae.decoder.conv_norm_out");
  h->conv_out = bind_conv (b, c->in_channels, channels, 3, "vae.decoder.conv_out");
}

static void
bind_encoder (const Binder *b, const VaeConfig *c, VaeHalf *h)
{
  int64_t channels = c->channels[0];
  h->conv_in = bind_conv (b, channels, c->in_channels, 3, "vae.encoder.conv_in");
  for (int k = 0; k < c->n_levels; k++)
    {
      VaeLevel *l = &h->levels[k];
      int64_t out = c->channels[k];
      l->n_blocks = c->res_blocks;
      for (int i = 0; i < l->n_blocks; i++, channels = out)
        l->blocks[i] =
            bind_res (b, channels, out, name_of ("vae.encoder.down_blocks.%d.resnets.%d", k, i));
      if (k + 1 < c->n_levels)
        l->resample = bind_conv (
            b, out, out, 3, name_of ("vae.encoder.down_blocks.%d.downsamplers.0.conv", k).text);
    }
  h->mid = bind_mid (b, channels, name_of ("vae.encoder.mid_block"));
  h->norm_out = bind_norm (b, channels, "vae.encoder.conv_norm_out");
  h->conv_out = bind_conv (b, 2 * c->latent_channels, channels, 3, "vae.encoder.conv_out");
}

Vae *
vae_bind (const Binder *b, const VaeConfig *c, VaeParts parts)
{
  if (c->n_levels < 1 || c->n_levels > MAX_LEVELS || c->res_blocks < 1 ||
      c->res_blocks + 1 > MAX_VAE_BLOCKS)
    {
      status_fail (b->status, STATUS_UNSUPPORTED,
                   "This VAE's configuration is not AutoencoderKL's.");
      return NULL;
    }
  Vae *vae = arena_alloc (b->arena, sizeof *vae, b->status);
  if (!vae)
    return NULL;
  vae->config = *c;
  int64_t z = c->latent_channels;
  if (parts & VAE_DECODER)
    bind_decoder (b, c, &vae->decoder);
  if ((parts & VAE_DECODER) && c->has_post_quant_conv)
    vae->post_quant = bind_linear (b, z, z, true, "vae.post_quant_conv");
  if (parts & VAE_ENCODER)
    bind_encoder (b, c, &vae->encoder);
  if ((parts & VAE_ENCODER) && c->has_quant_conv)
    vae->quant = bind_linear (b, 2 * z, 2 * z, true, "vae.quant_conv");
  return vae;
}

static Tensor *
res_block (Ctx *ctx, const Vae *vae, const VaeRes *r, Tensor *x)
{
  int groups = vae->config.norm_groups;
  Tensor *h = op_group_norm (ctx, x, r->norm1, groups, VAE_EPS, true);
  h = op_conv2d (ctx, h, r->conv1, (ConvOptions){ 0 });
  h = op_group_norm (ctx, h, r->norm2, groups, VAE_EPS, true);
  if (r->shortcut.weight)
    x = op_conv2d (ctx, x, r->shortcut, (ConvOptions){ 0 });
  return op_conv2d (ctx, h, r->conv2, (ConvOptions){ .add = x });
}

static Tensor *
mid_block (Ctx *ctx, const Vae *vae, const VaeMid *m, Tensor *x)
{
  x = res_block (ctx, vae, &m->res1, x);
  if (ctx_failed (ctx))
    return NULL;
  int64_t tokens[3] = { x->ne[0], x->ne[1] * x->ne[2], x->ne[3] };
  Tensor *residual = op_view (ctx, x, 3, tokens);
  Tensor *n = op_group_norm (ctx, residual, m->norm, vae->config.norm_groups, VAE_EPS, false);
  Tensor *q = op_linear (ctx, n, m->q, NULL);
  Tensor *k = op_linear (ctx, n, m->k, NULL);
  Tensor *v = op_linear (ctx, n, m->v, NULL);
  Tensor *h = op_linear (ctx, op_attention (ctx, q, k, v, 1, false), m->out, residual);
  return res_block (ctx, vae, &m->res2, op_view (ctx, h, 4, x->ne));
}

Tensor *
vae_decode (Ctx *ctx, const Vae *vae, const Tensor *z)
{
  const VaeHalf *d = &vae->decoder;
  Tensor *h = (Tensor *) z;
  if (vae->post_quant.weight)
    h = op_linear (ctx, z, vae->post_quant, NULL);
  h = op_conv2d (ctx, h, d->conv_in, (ConvOptions){ 0 });
  h = mid_block (ctx, vae, &d->mid, h);
  for (int k = 0; k < vae->config.n_levels; k++)
    {
      const VaeLevel *l = &d->levels[k];
      for (int i = 0; i < l->n_blocks; i++)
        h = res_block (ctx, vae, &l->blocks[i], h);
      if (l->resample.weight)
        h = op_conv2d (ctx, h, l->resample, (ConvOptions){ .upsample2 = true });
    }
  h = op_group_norm (ctx, h, d->norm_out, vae->config.norm_groups, VAE_EPS, true);
  return op_conv2d (ctx, h, d->conv_out, (ConvOptions){ 0 });
}

Tensor *
vae_encode (Ctx *ctx, const Vae *vae, const Tensor *x)
{
  const VaeHalf *e = &vae->encoder;
  Tensor *h = op_conv2d (ctx, x, e->conv_in, (ConvOptions){ 0 });
  for (int k = 0; k < vae->config.n_levels; k++)
    {
      const VaeLevel *l = &e->levels[k];
      for (int i = 0; i < l->n_blocks; i++)
        h = res_block (ctx, vae, &l->blocks[i], h);
      if (l->resample.weight)
        h = op_conv2d (ctx, h, l->resample, (ConvOptions){ .stride = 2, .pad_after = true });
    }
  h = mid_block (ctx, vae, &e->mid, h);
  h = op_group_norm (ctx, h, e->norm_out, vae->config.norm_groups, VAE_EPS, true);
  h = op_conv2d (ctx, h, e->conv_out, (ConvOptions){ 0 });
  return vae->quant.weight ? op_linear (ctx, h, vae->quant, NULL) : h;
}
