/* SPDX-License-Identifier: MPL-2.0
 * clip-layer.h - the layer that CLIP's text and vision encoders are made of.
 */
#pragma once

#include "models/common.h"
#include "weights/config.h"

typedef struct
{
  Layer norm1, q, k, v, out, norm2, fc1, fc2;
} ClipLayer;

/* NAME.layer_norm1, NAME.self_attn.q_proj, ... */
ClipLayer clip_layer_bind (const Binder *b, int64_t dim, int64_t mlp_dim, const char *name);

typedef struct
{
  int n_heads;
  ClipActivation activation;
  bool causal;
} ClipLayerOptions;

/* @x: (N, L, dim).  Norms stand in front.  Returns: the same shape */
Tensor *clip_layer_forward (Ctx *ctx, const ClipLayer *l, ClipLayerOptions options, Tensor *x);
