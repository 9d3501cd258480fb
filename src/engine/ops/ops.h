/* SPDX-License-Identifier: MPL-2.0
 * ops.h - the operators models are written in.
 *
 * Each checks shapes, passes through ctx_emit and, when running, hands raw pointers to the backend.
 * All return a tensor owned by the Ctx, f32; NULL once the Ctx has failed, so that model code needs
 * no `if` after every line; a NULL operand means the same.  Failures: SHAPE, CANCELLED, NO_MEMORY,
 * PLAN.
 */
#pragma once

#include "core/ctx.h"
#include "kernels/args.h"
#include "weights/weights.h"

/* Parameters of a layer: weight, and bias or NULL.  For norms: scale and shift. */
typedef struct
{
  const Weight *weight, *bias;
} Layer;

/* op_linear:
 * @x: (..., K)
 * @layer: weight (N, K) or (N, K, 1, 1)
 * @add: NULL, or a residual shaped as the result, which may overwrite it
 *
 * y = x W^T + b + add.  Returns: (..., N)
 */
Tensor *op_linear (Ctx *ctx, const Tensor *x, Layer layer, const Tensor *add);

typedef struct
{
  int stride;                /* 0 counts as 1 */
  bool pad_after;            /* pad bottom and right only: the VAE's downsampling */
  bool upsample2;            /* the kernel sees x doubled by nearest neighbour */
  const Tensor *channel_add; /* NULL, or (N, c_out): added to every pixel */
  const Tensor *add;         /* NULL, or shaped as the result, which may overwrite it */
} ConvOptions;

/* op_conv2d:
 * @x: (N, H, W, c_in)
 * @layer: weight (c_out, c_in, k, k), k = 1 or 3, padded by k / 2 unless @options say otherwise
 *
 * Returns: (N, H', W', c_out)
 */
Tensor *op_conv2d (Ctx *ctx, const Tensor *x, Layer layer, ConvOptions options);

/* op_attention:
 * @q: (N, Lq, D); @k, @v: (N, Lk, D); D = n_heads * head size
 *
 * softmax (q k^T / sqrt (head size)) v, a head at a time; @causal: query i sees keys 0 .. i.
 * Returns: (N, Lq, D)
 */
Tensor *op_attention (
    Ctx *ctx, const Tensor *q, const Tensor *k, const Tensor *v, int n_heads, bool causal);

/* @x: (N, ..., C).  GroupNorm over all inner positions, affine, then silu when asked for. */
Tensor *op_group_norm (Ctx *ctx, const Tensor *x, Layer norm, int n_groups, float eps, bool silu);

/* @x: (..., C). */
Tensor *op_layer_norm (Ctx *ctx, const Tensor *x, Layer norm, float eps);

Tensor *op_unary (Ctx *ctx, UnaryKind kind, const Tensor *x);

/* @b: shaped as @x, or as its trailing dimensions. */
Tensor *op_add (Ctx *ctx, const Tensor *x, const Tensor *b);

/* @x: (..., 2 D) = [a | g].  Returns: (..., D) = a * gelu (g), gelu by erf */
Tensor *op_geglu (Ctx *ctx, const Tensor *x);

/* op_embed:
 * @ids: n_rows * length token ids, borrowed until the run ends; each below the table's rows
 * @table: (vocabulary, D); @positions: (at least length, D) or NULL
 *
 * Returns: (n_rows, length, D)
 */
Tensor *op_embed (Ctx *ctx,
                  const int32_t *ids,
                  int64_t n_rows,
                  int64_t length,
                  const Weight *table,
                  const Weight *positions);

/* Rows of @x (..., D), counted over all leading dimensions.  Returns: (n, D) */
Tensor *op_rows (Ctx *ctx, const Tensor *x, const int32_t *rows, int64_t n);

/* Joins the last dimension: (..., A) and (..., B) to (..., A + B). */
Tensor *op_concat (Ctx *ctx, const Tensor *a, const Tensor *b);

/* Nearest-neighbour resize of (N, H, W, C). */
Tensor *op_resize (Ctx *ctx, const Tensor *x, int64_t h, int64_t w);

/* @t: (N).  Returns: (N, dim), cosines first */
Tensor *op_sinusoid (Ctx *ctx, const Tensor *t, int64_t dim);

/* The same elements under another shape. */
Tensor *op_view (Ctx *ctx, const Tensor *x, int rank, const int64_t *ne);
