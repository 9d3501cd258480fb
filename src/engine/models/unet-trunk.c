/* SPDX-License-Identifier: MPL-2.0 */
#include "models/unet-trunk.h"

static const float RES_EPS = 1e-5f;

/* ---- binding ---- */

UnetResBlock
unet_res_bind (const Binder *b, int64_t n_in, int64_t n_out, int64_t time_dim, const char *n)
{
  UnetResBlock r = {
    .norm1 = bind_norm (b, n_in, name_of ("%s.norm1", n).text),
    .conv1 = bind_conv (b, n_out, n_in, 3, name_of ("%s.conv1", n).text),
    .time = bind_linear (b, n_out, time_dim, true, name_of ("%s.time_emb_proj", n).text),
    .norm2 = bind_norm (b, n_out, name_of ("%s.norm2", n).text),
    .conv2 = bind_conv (b, n_out, n_out, 3, name_of ("%s.conv2", n).text),
  };
  if (n_in != n_out)
    r.shortcut = bind_conv (b, n_out, n_in, 1, name_of ("%s.conv_shortcut", n).text);
  return r;
}

Transformer2d *
unet_attention_bind (const Binder *b, const UnetConfig *c, int level, int depth, const char *name)
{
  Transformer2dShape shape = { .channels = c->channels[level],
                               .context_dim = c->context_dim,
                               .n_heads = c->heads[level],
                               .depth = depth,
                               .norm_groups = c->norm_groups };
  return transformer2d_bind (b, &shape, name);
}

static void
bind_down (const Binder *b, UnetTrunk *u, const char *name)
{
  const UnetConfig *c = &u->config;
  int64_t channels = c->channels[0];
  u->skips[u->n_skips++] = channels;
  for (int level = 0; level < c->n_levels; level++)
    {
      UnetLevel *l = &u->down[level];
      l->n_blocks = c->res_blocks[level];
      for (int i = 0; i < l->n_blocks; i++)
        {
          l->blocks[i].res =
              unet_res_bind (b, channels, c->channels[level], c->time_dim,
                             name_of ("%s.down_blocks.%d.resnets.%d", name, level, i).text);
          channels = c->channels[level];
          if (c->depth_down[level] > 0)
            l->blocks[i].attention = unet_attention_bind (
                b, c, level, c->depth_down[level],
                name_of ("%s.down_blocks.%d.attentions.%d", name, level, i).text);
          u->skips[u->n_skips++] = channels;
        }
      if (level + 1 == c->n_levels)
        break;
      l->resample = bind_conv (b, channels, channels, 3,
                               name_of ("%s.down_blocks.%d.downsamplers.0.conv", name, level).text);
      u->skips[u->n_skips++] = channels;
    }
}

static void
bind_mid (const Binder *b, UnetTrunk *u, const char *name)
{
  const UnetConfig *c = &u->config;
  int last = c->n_levels - 1;
  int64_t d = c->channels[last];
  if (c->depth_mid < -1)
    return;
  u->mid1 = unet_res_bind (b, d, d, c->time_dim, name_of ("%s.mid_block.resnets.0", name).text);
  if (c->depth_mid < 0)
    return;
  u->mid_attention = unet_attention_bind (b, c, last, c->depth_mid,
                                          name_of ("%s.mid_block.attentions.0", name).text);
  u->mid2 = unet_res_bind (b, d, d, c->time_dim, name_of ("%s.mid_block.resnets.1", name).text);
}

static void
bind_embeddings (const Binder *b, UnetTrunk *u, const char *name)
{
  const UnetConfig *c = &u->config;
  int64_t d = c->time_dim;
  u->time1 =
      bind_linear (b, d, c->channels[0], true, name_of ("%s.time_embedding.linear_1", name).text);
  u->time2 = bind_linear (b, d, d, true, name_of ("%s.time_embedding.linear_2", name).text);
  if (c->adm_dim == 0)
    return;
  u->vector1 =
      bind_linear (b, d, c->adm_dim, true, name_of ("%s.add_embedding.linear_1", name).text);
  u->vector2 = bind_linear (b, d, d, true, name_of ("%s.add_embedding.linear_2", name).text);
}

static bool
config_fits (const UnetConfig *c, Status *status)
{
  bool fits = c->n_levels >= 1 && c->n_levels <= MAX_LEVELS && c->norm_groups >= 1;
  for (int i = 0; fits && i < c->n_levels; i++)
    fits = c->res_blocks[i] >= 1 && c->res_blocks[i] <= UNET_MAX_RES_BLOCKS &&
           c->channels[i] >= 1 && c->heads[i] >= 1;
  return fits || status_fail (status, STATUS_UNSUPPORTED,
                              "This U-Net's configuration is not one of SD 1.5's or SDXL's kind.");
}

bool
unet_trunk_bind (const Binder *b, UnetTrunk *u, const UnetConfig *config, const char *name)
{
  *u = (UnetTrunk){ .config = *config };
  if (!config_fits (config, b->status))
    return false;
  bind_embeddings (b, u, name);
  u->conv_in =
      bind_conv (b, config->channels[0], config->in_channels, 3, name_of ("%s.conv_in", name).text);
  bind_down (b, u, name);
  bind_mid (b, u, name);
  return true;
}

/* ---- forward ---- */

/* The layers below take next to no time but touch everything behind them: always f32. */
static Tensor *
precise_linear (Ctx *ctx, const Tensor *x, Layer layer, const Tensor *add)
{
  Compute before = ctx_set_compute (ctx, COMPUTE_F32);
  Tensor *y = op_linear (ctx, x, layer, add);
  ctx_set_compute (ctx, before);
  return y;
}

Tensor *
unet_precise_conv (Ctx *ctx, const Tensor *x, Layer layer)
{
  Compute before = ctx_set_compute (ctx, COMPUTE_F32);
  Tensor *y = op_conv2d (ctx, x, layer, (ConvOptions){ 0 });
  ctx_set_compute (ctx, before);
  return y;
}

/* @emb: (N, time_dim), already through silu. */
static Tensor *
res_block (Ctx *ctx, const UnetConfig *c, const UnetResBlock *r, Tensor *x, const Tensor *emb)
{
  int groups = c->norm_groups;
  Tensor *time = precise_linear (ctx, emb, r->time, NULL);
  Tensor *h = op_group_norm (ctx, x, r->norm1, groups, RES_EPS, true);
  h = op_conv2d (ctx, h, r->conv1, (ConvOptions){ .channel_add = time });
  h = op_group_norm (ctx, h, r->norm2, groups, RES_EPS, true);
  if (r->shortcut.weight)
    x = op_conv2d (ctx, x, r->shortcut, (ConvOptions){ 0 });
  return op_conv2d (ctx, h, r->conv2, (ConvOptions){ .add = x });
}

static Tensor *
attention (Ctx *ctx, const Transformer2d *t, Tensor *x, UnetConditions *c)
{
  x = transformer2d_forward (ctx, t, x, c->context, c->keys);
  if (c->keys)
    c->keys += transformer2d_depth (t);
  return x;
}

Tensor *
unet_block_forward (
    Ctx *ctx, const UnetConfig *config, const UnetBlock *b, Tensor *x, UnetConditions *c)
{
  x = res_block (ctx, config, &b->res, x, c->emb);
  return b->attention ? attention (ctx, b->attention, x, c) : x;
}

/* The silu that every res block applies to the embedding is applied here, once. */
Tensor *
unet_trunk_embedding (Ctx *ctx, const UnetTrunk *u, const Tensor *t, const Tensor *vector)
{
  Tensor *e = op_sinusoid (ctx, t, 1, u->config.channels[0]);
  e = op_unary (ctx, UNARY_SILU, precise_linear (ctx, e, u->time1, NULL));
  e = precise_linear (ctx, e, u->time2, NULL);
  if (u->config.adm_dim > 0)
    {
      Tensor *v = op_unary (ctx, UNARY_SILU, precise_linear (ctx, vector, u->vector1, NULL));
      e = precise_linear (ctx, v, u->vector2, e);
    }
  return op_unary (ctx, UNARY_SILU, e);
}

Tensor *
unet_trunk_forward (Ctx *ctx,
                    const UnetTrunk *u,
                    const Tensor *x,
                    const Tensor *hint,
                    UnetConditions *conditions,
                    Tensor *skips[static UNET_MAX_SKIPS])
{
  const UnetConfig *c = &u->config;
  int n = 0;
  Tensor *h = unet_precise_conv (ctx, x, u->conv_in);
  if (hint)
    h = op_add (ctx, h, hint);
  skips[n++] = h;
  for (int level = 0; level < c->n_levels; level++)
    {
      const UnetLevel *l = &u->down[level];
      for (int i = 0; i < l->n_blocks; i++)
        skips[n++] = h = unet_block_forward (ctx, c, &l->blocks[i], h, conditions);
      if (l->resample.weight)
        skips[n++] = h = op_conv2d (ctx, h, l->resample, (ConvOptions){ .stride = 2 });
    }
  if (u->mid1.conv1.weight)
    h = res_block (ctx, c, &u->mid1, h, conditions->emb);
  if (u->mid_attention)
    h = res_block (ctx, c, &u->mid2, attention (ctx, u->mid_attention, h, conditions),
                   conditions->emb);
  return h;
}

/* ---- keys and values of the prompt ---- */

int
unet_trunk_attentions (const UnetTrunk *u, const Transformer2d **out)
{
  int n = 0;
  for (int level = 0; level < u->config.n_levels; level++)
    for (int i = 0; i < u->down[level].n_blocks; i++)
      out[n++] = u->down[level].blocks[i].attention;
  out[n++] = u->mid_attention;
  return n;
}

int
unet_attentions_n_keys (const Transformer2d *const *all, int n)
{
  int n_keys = 0;
  for (int i = 0; i < n; i++)
    n_keys += all[i] ? transformer2d_depth (all[i]) : 0;
  return n_keys;
}

void
unet_attentions_keys (
    Ctx *ctx, const Transformer2d *const *all, int n, const Tensor *context, PromptKeys *out)
{
  for (int i = 0; i < n; i++)
    if (all[i])
      {
        transformer2d_keys (ctx, all[i], context, out);
        out += transformer2d_depth (all[i]);
      }
}
