/* SPDX-License-Identifier: MPL-2.0
 * controlnet.h - ControlNets of SD 1.5 and SDXL: a copy of the U-Net's way down that sees a
 * picture.
 */
#pragma once

#include "models/unet.h"

typedef struct ControlNet ControlNet;

/* Returns: owned by the binder's arena; NULL when out of memory or when the configuration is
 * outside what a ControlNet of this kind can be.  Missing weights are listed by the set. */
ControlNet *controlnet_bind (const Binder *b, const ControlConfig *config);

/* Pixels of the picture to a pixel of the latents, on each side: 8. */
int controlnet_factor (const ControlConfig *config);

/* Whether the results of @control's network have the shapes that @unet's skips have. */
bool controlnet_fits (const ControlConfig *control, const UnetConfig *unet);

/* controlnet_hint:
 * @picture: (1, H, W, 3), 0 .. 1
 *
 * What depends on the picture alone.  Returns: (h, w, channels), H = h * controlnet_factor
 */
Tensor *controlnet_hint (Ctx *ctx, const ControlNet *net, const Tensor *picture);

/* controlnet_forward:
 * @x: (N, h, w, C), scaled for the U-Net, whose first channels are the latent's
 * @t, @vector: as in unet_forward
 * @keys: of the prompt, made by controlnet_keys in another Ctx
 * @hint: (h, w, channels)
 * @scales: (channels of the widest level) f32, all of them this network's weight
 * @control: receives the results times the weight, or has them added to what it holds
 *
 * Source: Zhang et al. 2023, "Adding Conditional Control to Text-to-Image Diffusion Models"; layout
 * as in diffusers' ControlNetModel
 */
void controlnet_forward (Ctx *ctx,
                         const ControlNet *net,
                         const Tensor *x,
                         const Tensor *t,
                         const PromptKeys *keys,
                         const Tensor *vector,
                         const Tensor *hint,
                         const Tensor *scales,
                         UnetControl *control);

/* As unet_n_keys and unet_keys. */
int controlnet_n_keys (const ControlNet *net);
void controlnet_keys (Ctx *ctx, const ControlNet *net, const Tensor *context, PromptKeys *out);

/* Channels of the widest level. */
int64_t controlnet_width (const ControlConfig *config);
