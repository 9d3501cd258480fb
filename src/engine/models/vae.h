/* SPDX-License-Identifier: MPL-2.0
 * vae.h - AutoencoderKL: pictures to latents and back; and the tiny decoder for previews.
 */
#pragma once

#include "models/common.h"
#include "weights/config.h"

typedef struct Vae Vae;

typedef enum
{
  VAE_DECODER = 1,
  VAE_ENCODER = 2
} VaeParts;

Vae *vae_bind (const Binder *b, const VaeConfig *config, VaeParts parts);

/* @z: (N, h, w, latent_channels), unscaled.  Returns: (N, 8 h, 8 w, 3), about -1 .. 1 */
Tensor *vae_decode (Ctx *ctx, const Vae *vae, const Tensor *z);

/* @x: (N, H, W, 3) in -1 .. 1.  Returns: (N, H/8, W/8, 2 latent_channels): mean, then log variance
 */
Tensor *vae_encode (Ctx *ctx, const Vae *vae, const Tensor *x);

/* Pixels per latent pixel: 2 for each level but the first. */
int vae_factor (const VaeConfig *config);

typedef struct TinyDecoder TinyDecoder;

/* TAESD and its kin, from tensors "tiny.decoder.layers.N...".  Returns NULL and @status when there
 * is none. */
TinyDecoder *tiny_decoder_bind (const Binder *b);

/* @z: (N, h, w, C) as the U-Net sees it (scaled).  Returns: (N, f h, f w, 3) in 0 .. 1 */
Tensor *tiny_decode (Ctx *ctx, const TinyDecoder *tiny, const Tensor *z);
int tiny_decoder_channels (const TinyDecoder *tiny);
int tiny_decoder_factor (const TinyDecoder *tiny);
