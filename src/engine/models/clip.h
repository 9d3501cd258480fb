/* SPDX-License-Identifier: MPL-2.0
 * clip.h - the CLIP text encoder: CLIP-L, OpenCLIP bigG and their small kin.
 */
#pragma once

#include "models/common.h"
#include "weights/config.h"

typedef struct Clip Clip;

/* clip_bind:
 * @prefix: "text_encoder" or "text_encoder_2"
 *
 * Returns: owned by the binder's arena; NULL when out of memory.  Missing weights are listed by the
 * set.
 */
Clip *clip_bind (const Binder *b, const ClipConfig *config, const char *prefix);

typedef struct
{
  Tensor *hidden; /* (n_chunks, length, dim) after the layer asked for */
  Tensor *pooled; /* (n_chunks, projection_dim or dim); NULL unless asked for */
} ClipOutput;

typedef struct
{
  int skip_layers; /* 0: all layers run before `hidden` is taken; 1: the penultimate; ... */
  bool final_norm; /* SD 1.5 norms `hidden`; SDXL does not */
  const Tensor
      *embedded; /* NULL, or (n_chunks, length, dim): tokens and positions, in place of ids */
  const int32_t
      *eos; /* NULL, or per chunk the row (over all chunks) of its EOS token: pooled wanted */
  bool plain_pooled; /* FLUX: without the projection, even if the file has one */
} ClipOptions;

/* clip_forward:
 * @ids: n_chunks * length token ids
 *
 * Pre-LN transformer with a causal mask; pooled = final LN of the last layer at EOS, projected
 * (OpenAI CLIP; transformers' CLIPTextModelWithProjection).
 */
ClipOutput clip_forward (Ctx *ctx,
                         const Clip *clip,
                         const int32_t *ids,
                         int64_t n_chunks,
                         int64_t length,
                         ClipOptions options);
