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

/* What a block attends to of the prompt: (N, L, C) each. */
typedef struct
{
  Tensor *k, *v;
} PromptKeys;

int transformer2d_depth (const Transformer2d *t);

/* transformer2d_keys:
 * @context: (N, L, context_dim)
 * @out: one for each block; kept until the Ctx's next run
 */
void transformer2d_keys (Ctx *ctx, const Transformer2d *t, const Tensor *context, PromptKeys *out);

/* transformer2d_forward:
 * @x: (N, H, W, C)
 * @context: (N, L, context_dim); not read when there are @keys
 * @keys: NULL, or one for each block, as transformer2d_keys made them in another Ctx; of N rows,
 *   or of fewer, each for as many rows of @x that follow each other
 *
 * Returns: (N, H, W, C)
 */
Tensor *transformer2d_forward (
    Ctx *ctx, const Transformer2d *t, Tensor *x, const Tensor *context, const PromptKeys *keys);
