/* SPDX-License-Identifier: MPL-2.0
 * transformer2d.h - attention over the pixels of a feature map and over the prompt.
 */
#pragma once

#include "models/common.h"

typedef struct Transformer2d Transformer2d;

typedef struct
{
  int64_t channels, context_dim;
  int n_heads, depth, norm_groups;
} Transformer2dShape;

Transformer2d *
transformer2d_bind (const Binder *b, const Transformer2dShape *shape, const char *name);

/* @x: (N, H, W, C); @context: (N, L, context_dim).  Returns: (N, H, W, C) */
Tensor *transformer2d_forward (Ctx *ctx, const Transformer2d *t, Tensor *x, const Tensor *context);
