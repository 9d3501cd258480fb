/* SPDX-License-Identifier: MPL-2.0
 * wan-vae.h - Wan's causal video VAEs, 2.1 and 2.2: frames to latents and back, a chunk at a time.
 *
 * A clip of 1 + 4 n frames has 1 + n latents: the first frame stands alone, then four frames share
 * one.  A convolution over time sees its frame and the two before it, never one behind; what it
 * must know of earlier chunks lies in a WanVaeMemory, so that a chunk's cost does not depend on
 * the clip's length.  pipelines/clip-vae.h runs whole clips.
 *
 * Source: Wan-Video, wan/modules/vae2_1.py and vae2_2.py; names as in diffusers'
 * AutoencoderKLWan.
 */
#pragma once

#include "models/vae.h"

enum
{
  WAN_VAE_CHUNK = 4,       /* frames of every latent but the first */
  WAN_VAE_MAX_LAYERS = 128 /* of one direction that remember frames */
};

typedef struct WanVae WanVae;

/* @parts: a decoder alone serves text to video */
WanVae *wan_vae_bind (const Binder *b, const WanVaeConfig *config, VaeParts parts);

/* Pixels per latent pixel, the patch included: 8, or 16 for 2.2. */
int wan_vae_factor (const WanVaeConfig *config);

int64_t wan_vae_frames (int64_t n_latents);
/* Fewest latents that hold so many frames. */
int64_t wan_vae_latents (int64_t n_frames);

/* The last two inputs of a layer over time, each (1, h, w, c). */
typedef struct
{
  int64_t ne[4];  /* what the measurement asked for */
  void *frame[2]; /* older, newer; NULL while measuring.  They change places as frames come */
} WanVaeLayerMemory;

/* wan_vae_memory_place:
 *
 * Zeroed for a measurement, which fills in the shapes; wan_vae_memory_bytes then says how much of
 * the device's memory the layers need for frames of @dtype, wan_vae_memory_place deals it out.  All
 * zeros is the start of a clip.
 */
typedef struct
{
  WanVaeLayerMemory layers[WAN_VAE_MAX_LAYERS];
} WanVaeMemory;

size_t wan_vae_memory_bytes (const WanVaeMemory *memory, DType dtype);
void wan_vae_memory_place (WanVaeMemory *memory, DType dtype, void *bytes);

/* wan_vae_decode_levels:
 * @n_before: how many chunks later the first one comes whose frames are wanted; 0 or less: this
 *            one's are
 *
 * Frames that nobody wants are decoded for what layers remember of them.  Fine levels, which are
 * nearly all of the work, reach back over a few of their many frames, coarse ones over as many, but
 * of a latent each.
 *
 * Returns: of how many levels, from the coarsest, a chunk is needed for later frames to be to the
 * bit what they are after all chunks; 0: of none
 */
int wan_vae_decode_levels (const WanVaeConfig *config, int64_t n_before);

/* wan_vae_decode_chunk:
 * @z: (1, h, w, C) one latent as the VAE has it, not normalised
 * @is_first: the clip's first latent; the two kinds of chunk need a Ctx each
 * @n_levels: as wan_vae_decode_levels says, 1 or more; each number needs a Ctx of its own
 * @frames: receives 1 frame of the first chunk, else WAN_VAE_CHUNK: (1, H, W, 3 patch^2), about
 *          -1 .. 1; a patch's pixels are channels (colour, column, row).  None with fewer levels
 *          than there are
 *
 * Returns: false once @ctx has failed
 */
bool wan_vae_decode_chunk (Ctx *ctx,
                           const WanVae *vae,
                           WanVaeMemory *memory,
                           const Tensor *z,
                           bool is_first,
                           int n_levels,
                           Tensor *frames[WAN_VAE_CHUNK]);

/* wan_vae_encode_chunk:
 * @frames: 1 of the first chunk, else WAN_VAE_CHUNK, as above
 *
 * Returns: (1, h, w, 2 C): mean, then log variance, not normalised; NULL once @ctx has failed
 */
Tensor *wan_vae_encode_chunk (Ctx *ctx,
                              const WanVae *vae,
                              WanVaeMemory *memory,
                              const Tensor *const frames[WAN_VAE_CHUNK],
                              bool is_first);
