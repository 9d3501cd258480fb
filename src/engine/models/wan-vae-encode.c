/* SPDX-License-Identifier: MPL-2.0
 * wan-vae-encode.c - one frame or four to one latent.
 */
#include "models/wan-vae-private.h"

/* 2.2: the level's input, brought to its output's size, is added. */
static Tensor *
shortcut (WanWalk *w, const WanLevel *l, const Tensor *const x[2], Tensor *h)
{
  if (!w->vae->config.is_residual)
    return h;
  AvgDown a = { .n_frames = l->time.conv.weight ? 2 : 1, .factor = l->resample.weight ? 2 : 1 };
  return op_avg_down (w->ctx, a.n_frames == 2 ? x : x + 1, a, h);
}

static void
finish_latent (WanWalk *w, const WanVaeHalf *e, Tensor *x)
{
  Tensor *h = wan_norm (w, e->norm_out, wan_mid_block (w, &e->mid, x));
  h = wan_time_conv (w, &e->conv_out, h, NULL);
  w->out[w->n_out++] = op_linear (w->ctx, h, e->quant, NULL);
}

/* A frame at the entrance of @level.  Where frames are joined the clip's first goes on alone; of
 * the others the first of each pair waits for the second, which sees both and the one before. */
static void
walk (WanWalk *w, int level, Tensor *x)
{
  const WanVaeHalf *e = &w->vae->encoder;
  const WanLevel *l = &e->levels[level];
  const Tensor *pair[2] = { NULL, x };
  Tensor *h = x;
  for (int i = 0; i < l->n_blocks; i++)
    h = wan_res_block (w, &l->blocks[i], h);
  if (!l->resample.weight)
    {
      finish_latent (w, e, shortcut (w, l, pair, h));
      return;
    }
  h = op_conv2d (w->ctx, h, l->resample, (ConvOptions){ .stride = 2, .pad_after = true });
  if (l->time.conv.weight && w->is_first)
    wan_remember (w, &l->time, h);
  else if (l->time.conv.weight && !w->waiting[level])
    {
      w->waiting[level] = x;
      wan_remember (w, &l->time, h);
      return;
    }
  else if (l->time.conv.weight)
    {
      pair[0] = w->waiting[level];
      w->waiting[level] = NULL;
      h = wan_time_conv (w, &l->time, h, NULL);
    }
  walk (w, level + 1, shortcut (w, l, pair, h));
}

Tensor *
wan_vae_encode_chunk (Ctx *ctx,
                      const WanVae *vae,
                      WanVaeMemory *memory,
                      const Tensor *const frames[WAN_VAE_CHUNK],
                      bool is_first)
{
  WanWalk w = { .ctx = ctx, .vae = vae, .memory = memory, .is_first = is_first };
  for (int i = 0; i < (is_first ? 1 : WAN_VAE_CHUNK) && !ctx_failed (ctx); i++)
    walk (&w, 0, wan_time_conv (&w, &vae->encoder.conv_in, frames[i], NULL));
  return ctx_failed (ctx) ? NULL : w.out[0];
}
