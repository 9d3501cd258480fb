/* SPDX-License-Identifier: MPL-2.0
 * wan.h - the transformer of Wan 2.1 and 2.2: from noisy latents to their velocity.
 *
 * Source: Wan-Video's reference implementation, 2025; tensors as diffusers' WanTransformer3DModel
 * names them.
 */
#pragma once

#include "models/common.h"
#include "weights/config.h"

typedef struct Wan Wan;

/* wan_bind:
 * @name: "transformer", or "expert" for the low-noise one
 *
 * Returns: owned by the binder's arena; NULL and the binder's status when out of memory or when the
 * configuration is outside what such a transformer can be.  Missing weights are listed by the set.
 */
Wan *wan_bind (const Binder *b, const WanConfig *config, const char *name);

/* Size of a clip in tokens; its latents are twice as high and wide. */
typedef struct
{
  int64_t t, h, w;
} WanGrid;

typedef struct
{
  const Tensor *tokens; /* (1, t h w, 4 in_channels): wan_patchify's */
  const Tensor *times;  /* (R) f32, 0 .. 1000: one, or one for each latent frame (TI2V) */
  const Tensor *text;   /* (1, L, text_dim): umT5's states, zeros behind the words */
  const Tensor *image;  /* NULL, or (1, 257 or 514, image_dim): CLIP's vision, where it is read */
  const Tensor *positions; /* (t h w, head_dim) f32: wan_positions' table */
} WanInputs;

/* wan_forward:
 *
 * One clip.  Attention's keys and values are made for all tokens, the rest of a block share by
 * share, so that memory is little more than the tokens, their keys and their values.
 *
 * Returns: (1, t h w, 4 out_channels): the velocity, noise - data, for wan_unpatchify
 * Fails: SHAPE
 */
Tensor *wan_forward (Ctx *ctx, const Wan *wan, const WanInputs *in);

/* @table: (t h w, head_dim): a cosine and a sine for each pair of columns.  Angles in f64. */
void wan_positions (float *table, const WanConfig *config, WanGrid grid);

/* wan_patchify:
 * @latent: (channels, t, 2 h, 2 w)
 * @tokens: row (t, y, x) is @stride floats behind the one before; 4 * channels of each are written
 *
 * On the host, in the order of the patch embedding's kernel: channel, row, column of the patch.
 */
void
wan_patchify (float *tokens, int64_t stride, const float *latent, WanGrid grid, int64_t channels);

/* @tokens: (t h w, 4 channels) as the network answers: row, column of the patch, channel */
void wan_unpatchify (float *latent, const float *tokens, WanGrid grid, int64_t channels);
