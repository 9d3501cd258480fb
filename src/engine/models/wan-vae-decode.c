/* SPDX-License-Identifier: MPL-2.0
 * wan-vae-decode.c - one latent to one frame or four.
 */
#include "models/wan-vae-private.h"

enum
{
  REMEMBERED = 2, /* frames, by a convolution over time */
  RES_REACH = 2 * REMEMBERED,
  MID_REACH = 2 * RES_REACH
};

int
wan_vae_decode_levels (const WanVaeConfig *c, int64_t n_before)
{
  int n = c->n_levels;
  int64_t rate = WAN_VAE_CHUNK, reach = REMEMBERED; /* frames a chunk; and before the wanted ones */
  for (int level = n - 1; level >= 0; level--)
    {
      if (level + 1 < n && c->halves_time[n - 2 - level])
        {
          rate /= 2;
          reach = (reach + 1) / 2 + REMEMBERED;
        }
      reach += (c->res_blocks + 1) * RES_REACH;
      if (level == 0)
        reach += MID_REACH + REMEMBERED;
      if (n_before * rate < reach + rate)
        return level + 1;
    }
  return 0;
}

/* The frame's way back to the picture: @x of the level, @i of its @n_frames. */
static Tensor *
upsample (WanWalk *w, const WanLevel *l, const Tensor *h, const Tensor *x, int i, int n_frames)
{
  Tensor *y = op_conv2d (w->ctx, h, l->resample, (ConvOptions){ .upsample2 = true });
  if (!w->vae->config.is_residual)
    return y;
  return op_dup_up (w->ctx, x, (DupUp){ .frame = i, .n_frames = n_frames, .factor = 2 }, y);
}

static void
finish_frame (WanWalk *w, const WanVaeHalf *d, Tensor *x)
{
  Tensor *y = wan_time_conv (w, &d->conv_out, wan_norm (w, d->norm_out, x), NULL);
  if (!y)
    return;
  ctx_keep (w->ctx, y);
  w->out[w->n_out++] = y;
}

/* @h ends here: but the doubling in time sees it again with later frames. */
static void
remember_only (WanWalk *w, const WanLevel *l, const Tensor *h)
{
  if (l->time.conv.weight && !w->is_first)
    wan_remember (w, &l->time, h);
}

/* A frame at the entrance of @level, and all that comes of it.  The first frame of a clip is never
 * doubled, and the frames behind it do not see it there: so it is not remembered either. */
static void
walk (WanWalk *w, int level, Tensor *x)
{
  const WanVaeHalf *d = &w->vae->decoder;
  const WanLevel *l = &d->levels[level];
  Tensor *h = x;
  for (int i = 0; i < l->n_blocks; i++)
    h = wan_res_block (w, &l->blocks[i], h);
  if (!l->resample.weight)
    finish_frame (w, d, h);
  else if (level + 1 == w->n_levels)
    remember_only (w, l, h);
  else if (!l->time.conv.weight)
    walk (w, level + 1, upsample (w, l, h, x, 0, 1));
  else if (w->is_first)
    walk (w, level + 1, upsample (w, l, h, x, 1, 2));
  else
    {
      Tensor *pair = wan_time_conv (w, &l->time, h, NULL);
      for (int i = 0; i < 2; i++)
        {
          Tensor *half = op_columns (w->ctx, pair, i * l->n_out, l->n_out);
          walk (w, level + 1, upsample (w, l, half, x, i, 2));
        }
    }
}

bool
wan_vae_decode_chunk (Ctx *ctx,
                      const WanVae *vae,
                      WanVaeMemory *memory,
                      const Tensor *z,
                      bool is_first,
                      int n_levels,
                      Tensor *frames[WAN_VAE_CHUNK])
{
  const WanVaeHalf *d = &vae->decoder;
  WanWalk w = {
    .ctx = ctx, .vae = vae, .memory = memory, .is_first = is_first, .n_levels = n_levels
  };
  Tensor *h = op_linear (ctx, z, d->quant, NULL);
  h = wan_mid_block (&w, &d->mid, wan_time_conv (&w, &d->conv_in, h, NULL));
  walk (&w, 0, h);
  memcpy (frames, w.out, sizeof w.out);
  return !ctx_failed (ctx);
}
