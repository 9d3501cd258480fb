/* SPDX-License-Identifier: MPL-2.0
 * clip-vision.h - the CLIP image encoder: a picture as tokens.
 *
 * Source: Radford et al. 2021, section 2.4; tensors as transformers' CLIPVisionModel names them.
 */
#pragma once

#include "models/common.h"
#include "weights/config.h"

typedef struct ClipVision ClipVision;

/* clip_vision_bind:
 *
 * Names begin with "image_encoder.".  The last norm and the projection are bound where the file has
 * them; what is asked for here does without.
 *
 * Returns: owned by the binder's arena; NULL when out of memory or when the configuration is none.
 * Missing weights are listed by the set.
 */
ClipVision *clip_vision_bind (const Binder *b, const ClipVisionConfig *config);

/* Columns of a patch: three colours of patch * patch pixels. */
int64_t clip_vision_patch_size (const ClipVisionConfig *config);

/* clip_vision_patchify:
 * @pixels: (image_size, image_size, 3), normalised
 * @patches: receives (n_positions - 1, clip_vision_patch_size): colour, row, column
 */
void clip_vision_patchify (float *patches, const float *pixels, const ClipVisionConfig *config);

/* clip_vision_forward:
 * @patches: (1, n_positions - 1, clip_vision_patch_size)
 *
 * Returns: (1, n_positions, dim), class token first: what enters the last layer (transformers'
 * hidden_states[-2]), which is what Wan 2.1 and the IP-Adapters of the better kind read
 * Fails: SHAPE
 */
Tensor *clip_vision_forward (Ctx *ctx, const ClipVision *vision, const Tensor *patches);
