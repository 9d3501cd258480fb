/* SPDX-License-Identifier: MPL-2.0 */
#include "models/unet.h"

#include <string.h>

static const float RES_EPS = 1e-5f;

enum
{
  MAX_RES_BLOCKS = 8,
  MAX_SKIPS = MAX_LEVELS * (MAX_RES_BLOCKS + 1) + 1,
  MAX_ATTENTIONS = 2 * MAX_LEVELS * (MAX_RES_BLOCKS + 1) + 1
};

typedef struct
{
  Layer norm1, conv1, time, norm2, conv2, shortcut; /* shortcut.weight NULL: channels stay */
} ResBlock;

typedef struct
{
  ResBlock res;
  Transformer2d *attention; /* NULL: none */
} UnetBlock;

typedef struct
{
  UnetBlock blocks[MAX_RES_BLOCKS + 1];
  int n_blocks;
  Layer resample; /* down- or upsampler; weight NULL on the last level */
} UnetLevel;

struct Unet
{
  UnetConfig config;
  Layer time1, time2, vector1, vector2;
  Layer conv_in, norm_out, conv_out;
  UnetLevel down[MAX_LEVELS], up[MAX_LEVELS];
  ResBlock mid1, mid2;
  Transformer2d *mid_attention;
};

/* ---- binding ---- */

static ResBlock
bind_res (const Binder *b, int64_t n_in, int64_t n_out, int64_t time_dim, Name name)
{
  const char *n = name.text;
  ResBlock r = {
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

static Transformer2d *
bind_attention (const Binder *b, const UnetConfig *c, int level, int depth, Name name)
{
  Transformer2dShape shape = { .channels = c->channels[level],
                               .context_dim = c->context_dim,
                               .n_heads = c->heads[level],
                               .depth = depth,
                               .norm_groups = c->norm_groups };
  return transformer2d_bind (b, &shape, name.text);
}

static void
bind_down (const Binder *b, Unet *u, int64_t *skips, int *n_skips)
{
  const UnetConfig *c = &u->config;
  int64_t channels = c->channels[0];
  skips[(*n_skips)++] = channels;
  for (int level = 0; level < c->n_levels; level++)
    {
      UnetLevel *l = &u->down[level];
      l->n_blocks = c->res_blocks[level];
      for (int i = 0; i < l->n_blocks; i++)
        {
          l->blocks[i].res = bind_res (b, channels, c->channels[level], c->time_dim,
                                       name_of ("unet.down_blocks.%d.resnets.%d", level, i));
          channels = c->channels[level];
          if (c->depth_down[level] > 0)
            l->blocks[i].attention =
                bind_attention (b, c, level, c->depth_down[level],
                                name_of ("unet.down_blocks.%d.attentions.%d", level, i));
          skips[(*n_skips)++] = channels;
        }
      if (level + 1 == c->n_levels)
        break;
      l->resample = bind_conv (b, channels, channels, 3,
                               name_of ("unet.down_blocks.%d.downsamplers.0.conv", level).text);
      skips[(*n_skips)++] = channels;
    }
}

static void
bind_mid (const Binder *b, Unet *u)
{
  const UnetConfig *c = &u->config;
  int last = c->n_levels - 1;
  int64_t d = c->channels[last];
  if (c->depth_mid < -1)
    return;
  u->mid1 = bind_res (b, d, d, c->time_dim, name_of ("unet.mid_block.resnets.0"));
  if (c->depth_mid < 0)
    return;
  u->mid_attention =
      bind_attention (b, c, last, c->depth_mid, name_of ("unet.mid_block.attentions.0"));
  u->mid2 = bind_res (b, d, d, c->time_dim, name_of ("unet.mid_block.resnets.1"));
}

static void
bind_up (const Binder *b, Unet *u, const int64_t *skips, int n_skips)
{
  const UnetConfig *c = &u->config;
  int64_t channels = c->channels[c->n_levels - 1];
  for (int k = 0; k < c->n_levels; k++)
    {
      int level = c->n_levels - 1 - k;
      UnetLevel *l = &u->up[k];
      l->n_blocks = c->res_blocks[level] + 1;
      for (int i = 0; i < l->n_blocks; i++)
        {
          l->blocks[i].res = bind_res (b, channels + skips[--n_skips], c->channels[level],
                                       c->time_dim, name_of ("unet.up_blocks.%d.resnets.%d", k, i));
          channels = c->channels[level];
          if (c->depth_up[k] > 0)
            l->blocks[i].attention = bind_attention (
                b, c, level, c->depth_up[k], name_of ("unet.up_blocks.%d.attentions.%d", k, i));
        }
      if (level > 0)
        l->resample = bind_conv (b, channels, channels, 3,
                                 name_of ("unet.up_blocks.%d.upsamplers.0.conv", k).text);
    }
}

static void
bind_embeddings (const Binder *b, Unet *u)
{
  const UnetConfig *c = &u->config;
  u->time1 = bind_linear (b, c->time_dim, c->channels[0], true, "unet.time_embedding.linear_1");
  u->time2 = bind_linear (b, c->time_dim, c->time_dim, true, "unet.time_embedding.linear_2");
  if (c->adm_dim == 0)
    return;
  u->vector1 = bind_linear (b, c->time_dim, c->adm_dim, true, "unet.add_embedding.linear_1");
  u->vector2 = bind_linear (b, c->time_dim, c->time_dim, true, "unet.add_embedding.linear_2");
}

static bool
config_fits (const UnetConfig *c, Status *status)
{
  bool fits = c->n_levels >= 1 && c->n_levels <= MAX_LEVELS && c->norm_groups >= 1;
  for (int i = 0; fits && i < c->n_levels; i++)
    fits = c->res_blocks[i] >= 1 && c->res_blocks[i] <= MAX_RES_BLOCKS && c->channels[i] >= 1 &&
           c->heads[i] >= 1;
  return fits || status_fail (status, STATUS_UNSUPPORTED,
                              "This U-Net's configuration is not one of SD 1.5's or SDXL's kind.");
}

Unet *
unet_bind (const Binder *b, const UnetConfig *config)
{
  Unet *u = config_fits (config, b->status) ? arena_alloc (b->arena, sizeof *u, b->status) : NULL;
  if (!u)
    return NULL;
  u->config = *config;
  int64_t skips[MAX_SKIPS];
  int n_skips = 0;
  bind_embeddings (b, u);
  u->conv_in = bind_conv (b, config->channels[0], config->in_channels, 3, "unet.conv_in");
  bind_down (b, u, skips, &n_skips);
  bind_mid (b, u);
  bind_up (b, u, skips, n_skips);
  u->norm_out = bind_norm (b, config->channels[0], "unet.conv_norm_out");
  u->conv_out = bind_conv (b, config->out_channels, config->channels[0], 3, "unet.conv_out");
  return status_ok (b->status) ? u : NULL;
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

static Tensor *
precise_conv (Ctx *ctx, const Tensor *x, Layer layer)
{
  Compute before = ctx_set_compute (ctx, COMPUTE_F32);
  Tensor *y = op_conv2d (ctx, x, layer, (ConvOptions){ 0 });
  ctx_set_compute (ctx, before);
  return y;
}

/* @emb: (N, time_dim), already through silu. */
static Tensor *
res_block (Ctx *ctx, const Unet *u, const ResBlock *r, Tensor *x, const Tensor *emb)
{
  int groups = u->config.norm_groups;
  Tensor *time = precise_linear (ctx, emb, r->time, NULL);
  Tensor *h = op_group_norm (ctx, x, r->norm1, groups, RES_EPS, true);
  h = op_conv2d (ctx, h, r->conv1, (ConvOptions){ .channel_add = time });
  h = op_group_norm (ctx, h, r->norm2, groups, RES_EPS, true);
  if (r->shortcut.weight)
    x = op_conv2d (ctx, x, r->shortcut, (ConvOptions){ 0 });
  return op_conv2d (ctx, h, r->conv2, (ConvOptions){ .add = x });
}

/* What blocks take besides their input. */
typedef struct
{
  const Tensor *emb; /* (N, time_dim), already through silu */
  const Tensor *context;
  const PromptKeys *keys; /* NULL, or of the next attention's blocks */
} Conditions;

static Tensor *
attention (Ctx *ctx, const Transformer2d *t, Tensor *x, Conditions *c)
{
  x = transformer2d_forward (ctx, t, x, c->context, c->keys);
  if (c->keys)
    c->keys += transformer2d_depth (t);
  return x;
}

static Tensor *
block (Ctx *ctx, const Unet *u, const UnetBlock *b, Tensor *x, Conditions *c)
{
  x = res_block (ctx, u, &b->res, x, c->emb);
  return b->attention ? attention (ctx, b->attention, x, c) : x;
}

/* The silu that every res block applies to the embedding is applied here, once. */
static Tensor *
embedding (Ctx *ctx, const Unet *u, const Tensor *t, const Tensor *vector)
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

/* Doubles, unless the next skip has an odd size: then the nearest-neighbour resize follows the
 * skip. */
static Tensor *
upsample (Ctx *ctx, const Layer conv, Tensor *x, const Tensor *skip)
{
  if (ctx_failed (ctx))
    return NULL;
  if (skip->ne[1] == 2 * x->ne[1] && skip->ne[2] == 2 * x->ne[2])
    return op_conv2d (ctx, x, conv, (ConvOptions){ .upsample2 = true });
  x = op_resize (ctx, x, skip->ne[1], skip->ne[2]);
  return op_conv2d (ctx, x, conv, (ConvOptions){ 0 });
}

static Tensor *
forward (Ctx *ctx, const Unet *u, const Tensor *x, Conditions conditions)
{
  const UnetConfig *c = &u->config;
  Tensor *skips[MAX_SKIPS];
  int n = 0;
  Tensor *h = skips[n++] = precise_conv (ctx, x, u->conv_in);
  for (int level = 0; level < c->n_levels; level++)
    {
      const UnetLevel *l = &u->down[level];
      for (int i = 0; i < l->n_blocks; i++)
        skips[n++] = h = block (ctx, u, &l->blocks[i], h, &conditions);
      if (l->resample.weight)
        skips[n++] = h = op_conv2d (ctx, h, l->resample, (ConvOptions){ .stride = 2 });
    }
  if (u->mid1.conv1.weight)
    h = res_block (ctx, u, &u->mid1, h, conditions.emb);
  if (u->mid_attention)
    h = res_block (ctx, u, &u->mid2, attention (ctx, u->mid_attention, h, &conditions),
                   conditions.emb);
  for (int k = 0; k < c->n_levels; k++)
    {
      const UnetLevel *l = &u->up[k];
      for (int i = 0; i < l->n_blocks; i++)
        h = block (ctx, u, &l->blocks[i], op_concat (ctx, h, skips[--n]), &conditions);
      if (l->resample.weight)
        h = upsample (ctx, l->resample, h, skips[n - 1]);
    }
  h = op_group_norm (ctx, h, u->norm_out, c->norm_groups, RES_EPS, true);
  return precise_conv (ctx, h, u->conv_out);
}

Tensor *
unet_forward (Ctx *ctx,
              const Unet *u,
              const Tensor *x,
              const Tensor *t,
              const Tensor *context,
              const Tensor *vector)
{
  return forward (ctx, u, x, (Conditions){ embedding (ctx, u, t, vector), context, NULL });
}

Tensor *
unet_forward_with_keys (Ctx *ctx,
                        const Unet *u,
                        const Tensor *x,
                        const Tensor *t,
                        const PromptKeys *keys,
                        const Tensor *vector)
{
  return forward (ctx, u, x, (Conditions){ embedding (ctx, u, t, vector), NULL, keys });
}

/* ---- keys and values of the prompt ---- */

/* As the forward pass comes to them.  Returns: how many */
static int
list_attentions (const Unet *u, const Transformer2d *out[static MAX_ATTENTIONS])
{
  int n = 0;
  for (int level = 0; level < u->config.n_levels; level++)
    for (int i = 0; i < u->down[level].n_blocks; i++)
      out[n++] = u->down[level].blocks[i].attention;
  out[n++] = u->mid_attention;
  for (int k = 0; k < u->config.n_levels; k++)
    for (int i = 0; i < u->up[k].n_blocks; i++)
      out[n++] = u->up[k].blocks[i].attention;
  return n;
}

int
unet_n_keys (const Unet *u)
{
  const Transformer2d *all[MAX_ATTENTIONS];
  int n = list_attentions (u, all), n_keys = 0;
  for (int i = 0; i < n; i++)
    n_keys += all[i] ? transformer2d_depth (all[i]) : 0;
  return n_keys;
}

void
unet_keys (Ctx *ctx, const Unet *u, const Tensor *context, PromptKeys *out)
{
  const Transformer2d *all[MAX_ATTENTIONS];
  int n = list_attentions (u, all);
  for (int i = 0; i < n; i++)
    if (all[i])
      {
        transformer2d_keys (ctx, all[i], context, out);
        out += transformer2d_depth (all[i]);
      }
}

bool
unet_is_key_weight (const char *name)
{
  return strncmp (name, "unet.", strlen ("unet.")) == 0 &&
         (strstr (name, ".attn2.to_k.") || strstr (name, ".attn2.to_v."));
}
