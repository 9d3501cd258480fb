/* SPDX-License-Identifier: MPL-2.0
 * ops.h - the operators models are written in.
 *
 * Each checks shapes, passes through ctx_emit and, when running, hands raw pointers to the backend.
 * All return a tensor owned by the Ctx, of ctx_activation's type; NULL once the Ctx has failed, so
 * that model code needs no `if` after every line; a NULL operand means the same.  Failures: SHAPE,
 * CANCELLED, NO_MEMORY, PLAN.
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
 * y = x W^T + b + add, and what adapters beside the layer add.  Returns: (..., N)
 */
Tensor *op_linear (Ctx *ctx, const Tensor *x, Layer layer, const Tensor *add);

/* op_linear and what often follows it, in one pass where the device does that (Backend.fuses) and
 * no adapter stands beside the layer; else the parts. */

/* Returns: f (x W^T + b) */
Tensor *op_linear_unary (Ctx *ctx, const Tensor *x, Layer layer, UnaryKind kind);

/* @layer: (2 D, K).  Returns: (..., D), op_geglu of the product */
Tensor *op_linear_geglu (Ctx *ctx, const Tensor *x, Layer layer);

/* @residual: shaped as the product, may be overwritten; @modulation, @gate: as in op_add_gated.
 * Returns: residual + gate * (x W^T + b) */
Tensor *op_linear_gated (Ctx *ctx,
                         const Tensor *x,
                         Layer layer,
                         const Tensor *residual,
                         const Tensor *modulation,
                         int64_t gate);

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

/* op_conv3d:
 * @frames: three in a row, oldest first, each (N, H, W, c_in); NULL, but never the last: zeros
 * @layer: weight (c_out, c_in, 3, k, k), k = 1 or 3, padded by k / 2 in space
 * @add: NULL, or a residual shaped as the result, which may overwrite it
 *
 * One frame of a convolution over time.  Returns: (N, H, W, c_out)
 */
Tensor *op_conv3d (Ctx *ctx, const Tensor *const frames[3], Layer layer, const Tensor *add);

/* op_attention:
 * @q: (N, Lq, D); @k, @v: (N, Lk, D), both narrow (op_room) or neither; D = n_heads * head size
 *
 * softmax (q k^T / sqrt (head size)) v, a head at a time; @causal: query i sees keys 0 .. i.
 * Returns: (N, Lq, D)
 */
Tensor *op_attention (
    Ctx *ctx, const Tensor *q, const Tensor *k, const Tensor *v, int n_heads, bool causal);

typedef struct
{
  bool causal;
  float scale;                 /* of the scores; 0: 1 / sqrt (head size) */
  const Tensor *relative_bias; /* NULL, or (Lq + Lk - 1, n_heads) f32: row j - i + Lq - 1 for query
                                * i, key j */
  const Tensor *key_bias;      /* NULL, or (N, Lk) f32: added for each key; -INFINITY hides it */
} AttentionOptions;

/* The same with biases on the scores and a scale of one's own. */
Tensor *op_attention_biased (Ctx *ctx,
                             const Tensor *q,
                             const Tensor *k,
                             const Tensor *v,
                             int n_heads,
                             AttentionOptions options);

/* @x: (N, ..., C).  GroupNorm over all inner positions, affine, then silu when asked for. */
Tensor *op_group_norm (Ctx *ctx, const Tensor *x, Layer norm, int n_groups, float eps, bool silu);

/* @x: (..., C). */
Tensor *op_layer_norm (Ctx *ctx, const Tensor *x, Layer norm, float eps);

/* @x: (..., C); @weight: (C).  x / sqrt (mean (x^2) + eps) * weight */
Tensor *op_rms_norm (Ctx *ctx, const Tensor *x, const Weight *weight, float eps);

/* The same, followed by silu. */
Tensor *op_rms_norm_silu (Ctx *ctx, const Tensor *x, const Weight *weight, float eps);

/* op_norm_modulate:
 * @x: (..., C)
 * @modulation: (R, M), whose rows serve equal shares of @x's rows: R is 1, or N, or N L
 * @shift, @scale: first of the C columns of @modulation that hold them
 *
 * Returns: layer_norm (x) * (1 + scale) + shift
 */
Tensor *op_norm_modulate (
    Ctx *ctx, const Tensor *x, const Tensor *modulation, int64_t shift, int64_t scale, float eps);

/* Tokens, and what norms each of their heads; NULL: nothing. */
typedef struct
{
  const Tensor *x;    /* (N, L, D) */
  const Weight *norm; /* (D / n_heads) */
} Heads;

/* op_rope:
 * @a, @b: joined along tokens in this order; b.x may be NULL
 * @positions: (La + Lb, D / n_heads): f32; for each pair of a head's columns the cosine and sine of
 *             the angle that it turns by; NULL: nothing turns
 *
 * RMSNorm of each head, then rotary positions.  Returns: (N, La + Lb, D)
 */
Tensor *op_rope (Ctx *ctx, Heads a, Heads b, int n_heads, float eps, const Tensor *positions);

Tensor *op_unary (Ctx *ctx, UnaryKind kind, const Tensor *x);

/* @b: shaped as @x, or as its trailing dimensions. */
Tensor *op_add (Ctx *ctx, const Tensor *x, const Tensor *b);

/* @y: shaped as @x; @modulation, @gate: as in op_norm_modulate.  Returns: x + gate * y, over either
 * where it dies */
Tensor *
op_add_gated (Ctx *ctx, const Tensor *x, const Tensor *y, const Tensor *modulation, int64_t gate);

/* @gate: shaped as @x.  Returns: x * f (gate) */
Tensor *op_gated (Ctx *ctx, UnaryKind kind, const Tensor *x, const Tensor *gate);

/* @s: (C) f32, as many as @x's last dimension.  Returns: x s; 0 where s is 0 */
Tensor *op_scale (Ctx *ctx, const Tensor *x, const Tensor *s);

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

/* Rows of a small table of numbers, which stay f32.  Returns: (n, D) */
Tensor *op_lookup (Ctx *ctx, const int32_t *ids, int64_t n, const Weight *table);

/* Rows of @x (..., D), counted over all leading dimensions.  Returns: (n, D) */
Tensor *op_rows (Ctx *ctx, const Tensor *x, const int32_t *rows, int64_t n);

/* Joins the last dimension: (..., A) and (..., B) to (..., A + B). */
Tensor *op_concat (Ctx *ctx, const Tensor *a, const Tensor *b);

/* Joins tokens: (N, La, D) and (N, Lb, D) to (N, La + Lb, D). */
Tensor *op_join (Ctx *ctx, const Tensor *a, const Tensor *b);

/* Tokens @first .. @first + @n - 1 of (N, L, D): a view where they lie together. */
Tensor *op_tokens (Ctx *ctx, const Tensor *x, int64_t first, int64_t n);

/* Room for (1, L, D), to be filled by op_put; @narrow: in the 16 bits that products round their
 * factors to, where they do. */
Tensor *op_room (Ctx *ctx, bool narrow, int64_t length, int64_t dim);

/* (N, L, D) in the 16 bits that products round their factors to, where they do; else @x itself. */
Tensor *op_narrow (Ctx *ctx, Tensor *x);

/* op_put:
 * @whole: (1, L, D), op_room's or a result; must not be used again
 * @part: (1, n, D)
 *
 * Puts @part in place of tokens @first .. @first + n - 1, rounded where @whole is narrower. Nothing
 * is copied as long as the rule above is kept.
 *
 * Returns: the whole
 */
Tensor *op_put (Ctx *ctx, const Tensor *whole, const Tensor *part, int64_t first);

/* Columns @first .. @first + @n - 1 of (..., D). */
Tensor *op_columns (Ctx *ctx, const Tensor *x, int64_t first, int64_t n);

/* Nearest-neighbour resize of (N, H, W, C). */
Tensor *op_resize (Ctx *ctx, const Tensor *x, int64_t h, int64_t w);

typedef struct
{
  int n_frames, factor; /* 1 or 2: how many are joined in time, and along each side */
} AvgDown;

/* op_avg_down:
 * @x: n_frames of (N, H, W, C), the older first; NULL, but never the last: zeros
 * @add: (N, H / factor, W / factor, c), c a divisor of C n_frames factor^2; may be overwritten
 *
 * Returns: @add and the means of AvgDownArgs
 */
Tensor *op_avg_down (Ctx *ctx, const Tensor *const x[2], AvgDown options, const Tensor *add);

typedef struct
{
  int frame, n_frames, factor; /* which of the n_frames that @x becomes */
} DupUp;

/* @x: (N, H, W, C); @add: (N, H factor, W factor, c), may be overwritten.
 * Returns: @add and the values of DupUpArgs */
Tensor *op_dup_up (Ctx *ctx, const Tensor *x, DupUp options, const Tensor *add);

/* op_store:
 * @to: ctx_memory's, shaped as @x
 *
 * Copies @x there.  Operators before this one have read @to as it was.
 */
void op_store (Ctx *ctx, const Tensor *x, Tensor *to);

/* @t: (N) f32, multiplied by @times first.  Returns: (N, dim), cosines first */
Tensor *op_sinusoid (Ctx *ctx, const Tensor *t, float times, int64_t dim);

/* The same elements under another shape. */
Tensor *op_view (Ctx *ctx, const Tensor *x, int rank, const int64_t *ne);
