/* SPDX-License-Identifier: MPL-2.0 */
#include "models/controlnet.h"

#include <string.h>

#include "models/unet-trunk.h"

struct ControlNet
{
  ControlConfig config;
  UnetTrunk trunk;
  Layer hint_in, hint_out;
  Layer hint_blocks[2 * CONTROL_MAX_HINTS]; /* one that keeps the size, one that halves it, ... */
  Layer zero[UNET_MAX_SKIPS], zero_mid;     /* 1 x 1; they were trained from zeros */
};

/* ---- binding ---- */

static void
bind_hint (const Binder *b, ControlNet *net)
{
  static const char name[] = "control.controlnet_cond_embedding";
  const ControlConfig *c = &net->config;
  net->hint_in = bind_conv (b, c->hints[0], c->hint_in, 3, name_of ("%s.conv_in", name).text);
  for (int i = 0; i + 1 < c->n_hints; i++)
    {
      net->hint_blocks[2 * i] =
          bind_conv (b, c->hints[i], c->hints[i], 3, name_of ("%s.blocks.%d", name, 2 * i).text);
      net->hint_blocks[2 * i + 1] = bind_conv (b, c->hints[i + 1], c->hints[i], 3,
                                               name_of ("%s.blocks.%d", name, 2 * i + 1).text);
    }
  net->hint_out = bind_conv (b, c->unet.channels[0], c->hints[c->n_hints - 1], 3,
                             name_of ("%s.conv_out", name).text);
}

static void
bind_zeros (const Binder *b, ControlNet *net)
{
  const UnetTrunk *u = &net->trunk;
  int64_t last = u->config.channels[u->config.n_levels - 1];
  for (int i = 0; i < u->n_skips; i++)
    net->zero[i] = bind_conv (b, u->skips[i], u->skips[i], 1,
                              name_of ("control.controlnet_down_blocks.%d", i).text);
  net->zero_mid = bind_conv (b, last, last, 1, "control.controlnet_mid_block");
}

ControlNet *
controlnet_bind (const Binder *b, const ControlConfig *config)
{
  ControlNet *net = arena_alloc (b->arena, sizeof *net, b->status);
  if (!net)
    return NULL;
  net->config = *config;
  if (!unet_trunk_bind (b, &net->trunk, &config->unet, "control"))
    return NULL;
  bind_hint (b, net);
  bind_zeros (b, net);
  return status_ok (b->status) ? net : NULL;
}

int
controlnet_factor (const ControlConfig *config)
{
  return 1 << (config->n_hints - 1);
}

int64_t
controlnet_width (const ControlConfig *config)
{
  int64_t most = 0;
  for (int i = 0; i < config->unet.n_levels; i++)
    most = config->unet.channels[i] > most ? config->unet.channels[i] : most;
  return most;
}

bool
controlnet_fits (const ControlConfig *control, const UnetConfig *u)
{
  const UnetConfig *c = &control->unet;
  size_t n = (size_t) u->n_levels;
  return c->n_levels == u->n_levels && c->context_dim == u->context_dim &&
         c->adm_dim == u->adm_dim && c->in_channels == u->out_channels &&
         memcmp (c->channels, u->channels, n * sizeof *u->channels) == 0 &&
         memcmp (c->res_blocks, u->res_blocks, n * sizeof *u->res_blocks) == 0;
}

/* ---- forward ---- */

Tensor *
controlnet_hint (Ctx *ctx, const ControlNet *net, const Tensor *picture)
{
  int n = 2 * (net->config.n_hints - 1);
  Tensor *h = op_conv2d (ctx, picture, net->hint_in, (ConvOptions){ 0 });
  for (int i = 0; i < n; i++)
    h = op_conv2d (ctx, op_unary (ctx, UNARY_SILU, h), net->hint_blocks[i],
                   (ConvOptions){ .stride = 1 + i % 2 });
  h = op_conv2d (ctx, op_unary (ctx, UNARY_SILU, h), net->hint_out, (ConvOptions){ 0 });
  return h ? op_view (ctx, h, 3, h->ne + 1) : NULL;
}

/* zero (x) * weight, added to @sum where there is one. */
static Tensor *
residual (Ctx *ctx, Layer zero, const Tensor *x, const Tensor *scales, Tensor *sum)
{
  Tensor *y = op_conv2d (ctx, x, zero, (ConvOptions){ 0 });
  if (!y)
    return NULL;
  y = op_scale (ctx, y, ctx_view (ctx, scales, 1, (int64_t[]){ tensor_last (y) }, 0));
  return sum ? op_add (ctx, sum, y) : y;
}

void
controlnet_forward (Ctx *ctx,
                    const ControlNet *net,
                    const Tensor *x,
                    const Tensor *t,
                    const PromptKeys *keys,
                    const Tensor *vector,
                    const Tensor *hint,
                    const Tensor *scales,
                    UnetControl *control)
{
  const UnetTrunk *u = &net->trunk;
  Tensor *skips[UNET_MAX_SKIPS];
  UnetConditions conditions = { unet_trunk_embedding (ctx, u, t, vector), NULL, keys };
  if (x && tensor_last (x) > u->config.in_channels)
    x = op_columns (ctx, x, 0, u->config.in_channels); /* of an inpainting checkpoint */
  Tensor *mid = unet_trunk_forward (ctx, u, x, hint, &conditions, skips);
  for (int i = 0; i < u->n_skips; i++)
    control->skips[i] = residual (ctx, net->zero[i], skips[i], scales, control->skips[i]);
  control->mid = residual (ctx, net->zero_mid, mid, scales, control->mid);
}

/* ---- keys and values of the prompt ---- */

int
controlnet_n_keys (const ControlNet *net)
{
  const Transformer2d *all[UNET_MAX_ATTENTIONS];
  return unet_attentions_n_keys (all, unet_trunk_attentions (&net->trunk, all));
}

void
controlnet_keys (Ctx *ctx, const ControlNet *net, const Tensor *context, PromptKeys *out)
{
  const Transformer2d *all[UNET_MAX_ATTENTIONS];
  unet_attentions_keys (ctx, all, unet_trunk_attentions (&net->trunk, all), context, out);
}
