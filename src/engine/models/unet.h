/* SPDX-License-Identifier: MPL-2.0
 * unet.h - the U-Net of SD 1.5 and SDXL and of every model of that make.
 */
#pragma once

#include "models/common.h"
#include "weights/config.h"

typedef struct Unet Unet;

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
