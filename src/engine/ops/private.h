/* SPDX-License-Identifier: MPL-2.0
 * private.h - small things every operator file needs.
 */
#pragma once

#include <string.h>

#include "core/ctx.h"
#include "weights/weights.h"

/* An operand is NULL either because the Ctx has failed or because a weight was never bound; the
 * second must not pass in silence. */
static inline Tensor *
op_operand_missing (Ctx *ctx)
{
  return ctx_fail (ctx, STATUS_SHAPE,
                   "Internal error: an operator was called without its operands.");
}

/* op_side_path:
 * @h: (..., rank) the layer's input through the path's A
 * @y: (..., N) the layer's own result, which may be overwritten
 *
 * Returns: y + B (scale . h) + bias
 */
Tensor *op_side_path (Ctx *ctx, Tensor *h, const SidePath *side, Tensor *y);

/* Whether the device's products do what an adapter beside a layer needs besides. */
bool op_fuses_side (const Ctx *ctx);

/* Whether the device takes @side (NULL: there is none) into a layer's weights when it has @n_rows
 * rows a picture. */
bool op_folds (Ctx *ctx, const SidePath *side, int64_t n_rows);

static inline void
op_copy_shape (int64_t *ne, const Tensor *t)
{
  memcpy (ne, t->ne, sizeof t->ne);
}

static inline bool
op_same_shape (const Tensor *a, const Tensor *b)
{
  return a->rank == b->rank && !memcmp (a->ne, b->ne, (size_t) a->rank * sizeof *a->ne);
}

static inline int64_t
weight_elements (const Weight *w)
{
  int64_t n = 1;
  for (int i = 0; i < w->rank; i++)
    n *= w->ne[i];
  return n;
}

/* @side NULL: nothing is folded */
static inline LowRank
op_low_rank (const SidePath *side)
{
  if (!side)
    return (LowRank){ 0 };
  return (LowRank){ .rank = side->rank,
                    .down = weight_param (side->a),
                    .up = weight_param (side->b),
                    .bias = weight_param (side->bias),
                    .scale = side->scale };
}

static inline double
op_fold_flops (const SidePath *side, int64_t n_in)
{
  return side ? 2.0 * (double) side->rank * (double) side->b->ne[0] * (double) n_in : 0;
}

static inline void
op_record_weight (OpRecord *record, const Weight *w)
{
  record->weight_name = w->name;
  record->weight_bytes = dtype_bytes (w->dtype, weight_elements (w));
}

/* Whether rows of @modulation, with @n columns from @first on, serve equal shares of @x's. */
static inline bool
op_modulation_fits (const Tensor *modulation, int64_t first, int64_t n, const Tensor *x)
{
  int64_t rows = tensor_rows (modulation);
  return rows > 0 && tensor_rows (x) % rows == 0 && first >= 0 &&
         first + n <= tensor_last (modulation);
}
