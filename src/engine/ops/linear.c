/* SPDX-License-Identifier: MPL-2.0 */
#include "backend/backend.h"
#include "ops/ops.h"
#include "ops/private.h"

static Tensor *
base_linear (Ctx *ctx, const Tensor *x, Layer layer, const Tensor *add, const SidePath *fold)
{
  if (ctx_failed (ctx) || !x || !layer.weight)
    return op_operand_missing (ctx);
  const Weight *w = layer.weight;
  int64_t n_in = tensor_last (x), n_out = w->ne[0], n_rows = tensor_rows (x);
  if (w->rank < 2 || w->ne[1] != n_in)
    return ctx_fail (ctx, STATUS_SHAPE, "Layer %s takes rows of %lld values but was given %lld.",
                     w->name, (long long) w->ne[1], (long long) n_in);
  if (add && (tensor_rows (add) != n_rows || tensor_last (add) != n_out))
    return ctx_fail (ctx, STATUS_SHAPE, "The residual of %s has another shape than its result.",
                     w->name);
  int64_t ne[TENSOR_MAX_RANK];
  op_copy_shape (ne, x);
  ne[x->rank - 1] = n_out;
  OpRecord record = { .kind = OP_LINEAR,
                      .source = { x, add },
                      .inplace = add ? 1 : -1,
                      .flops = 2.0 * (double) n_rows * (double) n_out * (double) n_in +
                               op_fold_flops (fold, n_in) };
  op_record_weight (&record, w);
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), x->rank, ne);
  if (!y || !y->data)
    return y;
  LinearArgs args = { .n_rows = n_rows,
                      .n_out = n_out,
                      .n_in = n_in,
                      .x = x->data,
                      .x_stride = n_in,
                      .w = weight_param (w),
                      .bias = weight_param (layer.bias),
                      .fold = op_low_rank (fold),
                      .add = add ? add->data : NULL,
                      .y = y->data,
                      .y_stride = n_out,
                      .compute = ctx_compute (ctx) };
  ctx_backend (ctx)->ops.linear (ctx_backend (ctx), &args);
  return y;
}

/* ---- adapters ---- */

bool
op_folds (Ctx *ctx, const SidePath *side, int64_t n_rows)
{
  const Backend *b = ctx_backend (ctx);
  if (!side || !b->folds)
    return false;
  int64_t n_in = weight_elements (side->a) / side->rank;
  return b->folds (b, ctx_compute (ctx), n_rows, side->b->ne[0], n_in);
}

Tensor *
op_side_path (Ctx *ctx, Tensor *h, const SidePath *side, Tensor *y)
{
  if (ctx_failed (ctx))
    return NULL;
  /* never written to: the Ctx has one kind of tensor for what it reads and what it makes */
  Tensor *scale = ctx_input (ctx, DTYPE_F32, 1, &side->rank, (void *) side->scale);
  return base_linear (ctx, op_scale (ctx, h, scale), (Layer){ side->b, side->bias }, y, NULL);
}

Tensor *
op_linear (Ctx *ctx, const Tensor *x, Layer layer, const Tensor *add)
{
  const SidePath *side = layer.weight ? layer.weight->side : NULL;
  int64_t n_rows = x && x->rank > 2 ? tensor_rows (x) / x->ne[0] : 1;
  bool folds = op_folds (ctx, side, n_rows);
  Tensor *y = base_linear (ctx, x, layer, add, folds ? side : NULL);
  if (!side || folds)
    return y;
  Tensor *h = base_linear (ctx, x, (Layer){ side->a, NULL }, NULL, NULL);
  return op_side_path (ctx, h, side, y);
}
