/* SPDX-License-Identifier: MPL-2.0
 * unet.h - the U-Net of SD 1.5 and SDXL and of every model of that make.
 */
#pragma once

#include "models/transformer2d.h"
#include "weights/config.h"

typedef struct Unet Unet;

enum
{
  UNET_MAX_SKIPS = MAX_LEVELS * 9 + 1 /* a level's blocks, at most 8, and its downsampler */
};

/* What ControlNets add to the results that the way down leaves for the way up, each shaped like
 * one, and to the middle's; mid NULL: nothing. */
typedef struct
{
  Tensor *skips[UNET_MAX_SKIPS];
  Tensor *mid;
} UnetControl;

/* Returns: owned by the binder's arena; NULL when out of memory or when the configuration is
 * outside what a U-Net of this kind can be.  Missing weights are listed by the set. */
Unet *unet_bind (const Binder *b, const UnetConfig *config);

/* unet_forward:
 * @x: (N, H, W, in_channels), scaled for the model
 * @t: (N) timesteps, fractions allowed
 * @context: (N, L, context_dim)
 * @vector: (N, adm_dim) for SDXL, else NULL
 *
 * Returns: (N, H, W, out_channels): epsilon or v
 * Source: Rombach et al. 2022, Podell et al. 2023; layout as in diffusers' UNet2DConditionModel
 */
Tensor *unet_forward (Ctx *ctx,
                      const Unet *unet,
                      const Tensor *x,
                      const Tensor *t,
                      const Tensor *context,
                      const Tensor *vector);

/* How many blocks attend to the prompt: SD 1.5's 16, SDXL's 70. */
int unet_n_keys (const Unet *unet);

/* unet_keys:
 * @context: (N, L, context_dim)
 * @out: unet_n_keys() pairs, kept until the Ctx's next run
 *
 * What depends on the prompt alone, for all steps.
 */
void unet_keys (Ctx *ctx, const Unet *unet, const Tensor *context, PromptKeys *out);

/* unet_forward with the @keys of its context, made by unet_keys in another Ctx; as
 * transformer2d_forward they may have fewer rows.
 * @control: NULL, or what ControlNets add */
Tensor *unet_forward_with_keys (Ctx *ctx,
                                const Unet *unet,
                                const Tensor *x,
                                const Tensor *t,
                                const PromptKeys *keys,
                                const Tensor *vector,
                                const UnetControl *control);

/* Whether only unet_keys reads the weight. */
bool unet_is_key_weight (const char *name);
