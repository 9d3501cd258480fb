/* SPDX-License-Identifier: MPL-2.0 */
#include "models/unet.h"

#include <string.h>

#include "models/unet-trunk.h"

static const float OUT_EPS = 1e-5f;

struct Unet
{
  UnetTrunk trunk;
  Layer norm_out, conv_out;
  UnetLevel up[MAX_LEVELS];
};

/* ---- binding ---- */

static void
bind_up (const Binder *b, Unet *u)
{
  const UnetConfig *c = &u->trunk.config;
  const int64_t *skips = u->trunk.skips;
  int n_skips = u->trunk.n_skips;
  int64_t channels = c->channels[c->n_levels - 1];
  for (int k = 0; k < c->n_levels; k++)
    {
      int level = c->n_levels - 1 - k;
      UnetLevel *l = &u->up[k];
      l->n_blocks = c->res_blocks[level] + 1;
      for (int i = 0; i < l->n_blocks; i++)
        {
          l->blocks[i].res =
              unet_res_bind (b, channels + skips[--n_skips], c->channels[level], c->time_dim,
                             name_of ("unet.up_blocks.%d.resnets.%d", k, i).text);
          channels = c->channels[level];
          if (c->depth_up[k] > 0)
            l->blocks[i].attention =
                unet_attention_bind (b, c, level, c->depth_up[k],
                                     name_of ("unet.up_blocks.%d.attentions.%d", k, i).text);
        }
      if (level > 0)
        l->resample = bind_conv (b, channels, channels, 3,
                                 name_of ("unet.up_blocks.%d.upsamplers.0.conv", k).text);
    }
}

Unet *
unet_bind (const Binder *b, const UnetConfig *config)
{
  Unet *u = arena_alloc (b->arena, sizeof *u, b->status);
  if (!u || !unet_trunk_bind (b, &u->trunk, config, "unet"))
    return NULL;
  bind_up (b, u);
  u->norm_out = bind_norm (b, config->channels[0], "unet.conv_norm_out");
  u->conv_out = bind_conv (b, config->out_channels, config->channels[0], 3, "unet.conv_out");
  return status_ok (b->status) ? u : NULL;
}

/* ---- forward ---- */

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

/* What ControlNets have for the skips and for @h, over which the sum goes. */
static Tensor *
add_control (Ctx *ctx, const Unet *u, const UnetControl *control, Tensor **skips, Tensor *h)
{
  for (int i = 0; i < u->trunk.n_skips; i++)
    skips[i] = op_add (ctx, control->skips[i], skips[i]);
  return op_add (ctx, control->mid, h);
}

static Tensor *
forward (
    Ctx *ctx, const Unet *u, const Tensor *x, UnetConditions conditions, const UnetControl *control)
{
  const UnetConfig *c = &u->trunk.config;
  Tensor *skips[UNET_MAX_SKIPS];
  int n = u->trunk.n_skips;
  Tensor *h = unet_trunk_forward (ctx, &u->trunk, x, NULL, &conditions, skips);
  if (control && control->mid)
    h = add_control (ctx, u, control, skips, h);
  for (int k = 0; k < c->n_levels; k++)
    {
      const UnetLevel *l = &u->up[k];
      for (int i = 0; i < l->n_blocks; i++)
        h = unet_block_forward (ctx, c, &l->blocks[i], op_concat (ctx, h, skips[--n]), &conditions);
      if (l->resample.weight)
        h = upsample (ctx, l->resample, h, skips[n - 1]);
    }
  h = op_group_norm (ctx, h, u->norm_out, c->norm_groups, OUT_EPS, true);
  return unet_precise_conv (ctx, h, u->conv_out);
}

Tensor *
unet_forward (Ctx *ctx,
              const Unet *u,
              const Tensor *x,
              const Tensor *t,
              const Tensor *context,
              const Tensor *vector)
{
  Tensor *emb = unet_trunk_embedding (ctx, &u->trunk, t, vector);
  return forward (ctx, u, x, (UnetConditions){ emb, context, NULL }, NULL);
}

Tensor *
unet_forward_with_keys (Ctx *ctx,
                        const Unet *u,
                        const Tensor *x,
                        const Tensor *t,
                        const PromptKeys *keys,
                        const Tensor *vector,
                        const UnetControl *control)
{
  Tensor *emb = unet_trunk_embedding (ctx, &u->trunk, t, vector);
  return forward (ctx, u, x, (UnetConditions){ emb, NULL, keys }, control);
}

/* ---- keys and values of the prompt ---- */

/* As the forward pass comes to them.  Returns: how many */
static int
list_attentions (const Unet *u, const Transformer2d *out[static UNET_MAX_ATTENTIONS])
{
  int n = unet_trunk_attentions (&u->trunk, out);
  for (int k = 0; k < u->trunk.config.n_levels; k++)
    for (int i = 0; i < u->up[k].n_blocks; i++)
      out[n++] = u->up[k].blocks[i].attention;
  return n;
}

int
unet_n_keys (const Unet *u)
{
  const Transformer2d *all[UNET_MAX_ATTENTIONS];
  return unet_attentions_n_keys (all, list_attentions (u, all));
}

void
unet_keys (Ctx *ctx, const Unet *u, const Tensor *context, PromptKeys *out)
{
  const Transformer2d *all[UNET_MAX_ATTENTIONS];
  unet_attentions_keys (ctx, all, list_attentions (u, all), context, out);
}

bool
unet_is_key_weight (const char *name)
{
  return strncmp (name, "unet.", strlen ("unet.")) == 0 &&
         (strstr (name, ".attn2.to_k.") || strstr (name, ".attn2.to_v."));
}
