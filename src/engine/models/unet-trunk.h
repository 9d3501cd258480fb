/* SPDX-License-Identifier: MPL-2.0
 * unet-trunk.h - a U-Net's way down and its middle, which a ControlNet has a copy of; its blocks.
 */
#pragma once

#include "models/unet.h"

enum
{
  UNET_MAX_RES_BLOCKS = 8,
  UNET_MAX_ATTENTIONS = 2 * MAX_LEVELS * (UNET_MAX_RES_BLOCKS + 1) + 1
};

typedef struct
{
  Layer norm1, conv1, time, norm2, conv2, shortcut; /* shortcut.weight NULL: channels stay */
} UnetResBlock;

typedef struct
{
  UnetResBlock res;
  Transformer2d *attention; /* NULL: none */
} UnetBlock;

typedef struct
{
  UnetBlock blocks[UNET_MAX_RES_BLOCKS + 1];
  int n_blocks;
  Layer resample; /* down- or upsampler; weight NULL on the last level */
} UnetLevel;

typedef struct
{
  UnetConfig config;
  Layer time1, time2, vector1, vector2;
  Layer conv_in;
  UnetLevel down[MAX_LEVELS];
  UnetResBlock mid1, mid2;
  Transformer2d *mid_attention;
  int n_skips;
  int64_t skips[UNET_MAX_SKIPS]; /* channels of what the way down leaves for the way up */
} UnetTrunk;

/* What blocks take besides their input. */
typedef struct
{
  const Tensor *emb; /* (N, time_dim), already through silu */
  const Tensor *context;
  const PromptKeys *keys; /* NULL, or of the next attention's blocks */
} UnetConditions;

/* @name: what its weights' names begin with, "unet".  Fails: UNSUPPORTED */
bool
unet_trunk_bind (const Binder *b, UnetTrunk *trunk, const UnetConfig *config, const char *name);

UnetResBlock
unet_res_bind (const Binder *b, int64_t n_in, int64_t n_out, int64_t time_dim, const char *name);
Transformer2d *
unet_attention_bind (const Binder *b, const UnetConfig *c, int level, int depth, const char *name);

/* Of timesteps (N) and, for SDXL, @vector: see unet_forward.  Returns: (N, time_dim), through silu
 */
Tensor *
unet_trunk_embedding (Ctx *ctx, const UnetTrunk *trunk, const Tensor *t, const Tensor *vector);

/* unet_trunk_forward:
 * @hint: NULL, or (h, w, channels[0]), added behind the first convolution of every row
 * @conditions: its keys are moved on
 * @skips: receives n_skips results, for the way up
 *
 * Returns: what leaves the middle
 */
Tensor *unet_trunk_forward (Ctx *ctx,
                            const UnetTrunk *trunk,
                            const Tensor *x,
                            const Tensor *hint,
                            UnetConditions *conditions,
                            Tensor *skips[static UNET_MAX_SKIPS]);

Tensor *unet_block_forward (
    Ctx *ctx, const UnetConfig *config, const UnetBlock *block, Tensor *x, UnetConditions *c);

/* In f32 always: for layers that take next to no time but touch everything behind them. */
Tensor *unet_precise_conv (Ctx *ctx, const Tensor *x, Layer layer);

/* As the forward pass comes to them; some are NULL.  Returns: how many */
int unet_trunk_attentions (const UnetTrunk *trunk, const Transformer2d **out);

/* How many pairs the attentions' blocks take, and those of @context one after the other. */
int unet_attentions_n_keys (const Transformer2d *const *all, int n);
void unet_attentions_keys (
    Ctx *ctx, const Transformer2d *const *all, int n, const Tensor *context, PromptKeys *out);
