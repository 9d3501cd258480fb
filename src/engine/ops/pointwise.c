/* SPDX-License-Identifier: MPL-2.0 */
#include "backend/backend.h"
#include "ops/ops.h"
#include "ops/private.h"

Tensor *
op_unary (Ctx *ctx, UnaryKind kind, const Tensor *x)
{
  if (ctx_failed (ctx) || !x)
    return op_operand_missing (ctx);
  OpRecord record = { .kind = OP_UNARY, .source = { x }, .inplace = 0 };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), x->rank, x->ne);
  if (!y || !y->data)
    return y;
  UnaryArgs args = { .kind = kind, .n = tensor_elements (x), .x = x->data, .y = y->data };
  ctx_backend (ctx)->ops.unary (ctx_backend (ctx), &args);
  return y;
}

static bool
is_suffix (const Tensor *x, const Tensor *b)
{
  if (b->rank > x->rank)
    return false;
  for (int i = 1; i <= b->rank; i++)
    if (b->ne[b->rank - i] != x->ne[x->rank - i])
      return false;
  return true;
}

Tensor *
op_add (Ctx *ctx, const Tensor *x, const Tensor *b)
{
  if (ctx_failed (ctx) || !x || !b)
    return op_operand_missing (ctx);
  if (!is_suffix (x, b))
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: the terms of a sum differ in shape.");
  OpRecord record = { .kind = OP_ADD, .source = { x, b }, .inplace = 0 };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), x->rank, x->ne);
  if (!y || !y->data)
    return y;
  AddArgs args = {
    .n = tensor_elements (x), .n_b = tensor_elements (b), .x = x->data, .b = b->data, .y = y->data
  };
  ctx_backend (ctx)->ops.add (ctx_backend (ctx), &args);
  return y;
}

Tensor *
op_add_gated (Ctx *ctx, const Tensor *x, const Tensor *y, const Tensor *modulation, int64_t gate)
{
  if (ctx_failed (ctx) || !x || !y || !modulation)
    return op_operand_missing (ctx);
  int64_t dim = tensor_last (x), n = tensor_rows (modulation);
  if (!op_same_shape (x, y) || !op_modulation_fits (modulation, gate, dim, x))
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: the terms of a gated sum do not fit.");
  /* The second is what was just computed, and dies here; the first may live on as a residual. */
  OpRecord record = { .kind = OP_ADD_GATED, .source = { x, y, modulation }, .inplace = 1 };
  Tensor *sum = ctx_emit (ctx, record, ctx_activation (ctx), x->rank, x->ne);
  if (!sum || !sum->data)
    return sum;
  AddGatedArgs args = { .n = n,
                        .n_rows = tensor_rows (x) / n,
                        .dim = dim,
                        .x = x->data,
                        .b = y->data,
                        .gate = tensor_at (modulation, gate),
                        .gate_stride = tensor_last (modulation),
                        .y = sum->data };
  ctx_backend (ctx)->ops.add_gated (ctx_backend (ctx), &args);
  return sum;
}

Tensor *
op_gated (Ctx *ctx, UnaryKind kind, const Tensor *x, const Tensor *gate)
{
  if (ctx_failed (ctx) || !x || !gate)
    return op_operand_missing (ctx);
  if (!op_same_shape (x, gate))
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: a gate and its values differ in shape.");
  OpRecord record = { .kind = OP_GATED, .source = { x, gate }, .inplace = 0 };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), x->rank, x->ne);
  if (!y || !y->data)
    return y;
  GatedArgs args = {
    .kind = kind, .n = tensor_elements (x), .x = x->data, .gate = gate->data, .y = y->data
  };
  ctx_backend (ctx)->ops.gated (ctx_backend (ctx), &args);
  return y;
}

Tensor *
op_scale (Ctx *ctx, const Tensor *x, const Tensor *s)
{
  if (ctx_failed (ctx) || !x || !s)
    return op_operand_missing (ctx);
  if (s->rank != 1 || s->ne[0] != tensor_last (x))
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: scales of another length than a row.");
  OpRecord record = { .kind = OP_SCALE, .source = { x, s }, .inplace = 0 };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), x->rank, x->ne);
  if (!y || !y->data)
    return y;
  ScaleArgs args = {
    .n = tensor_elements (x), .n_s = s->ne[0], .x = x->data, .s = s->data, .y = y->data
  };
  ctx_backend (ctx)->ops.scale (ctx_backend (ctx), &args);
  return y;
}

Tensor *
op_geglu (Ctx *ctx, const Tensor *x)
{
  if (ctx_failed (ctx) || !x)
    return op_operand_missing (ctx);
  if (tensor_last (x) % 2 != 0)
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: a gated layer of odd width.");
  int64_t ne[TENSOR_MAX_RANK];
  op_copy_shape (ne, x);
  ne[x->rank - 1] /= 2;
  OpRecord record = { .kind = OP_GEGLU, .source = { x }, .inplace = -1 };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), x->rank, ne);
  if (!y || !y->data)
    return y;
  GegluArgs args = {
    .n_rows = tensor_rows (y), .dim = tensor_last (y), .x = x->data, .y = y->data
  };
  ctx_backend (ctx)->ops.geglu (ctx_backend (ctx), &args);
  return y;
}
