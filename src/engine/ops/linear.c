/* SPDX-License-Identifier: MPL-2.0 */
#include "backend/backend.h"
#include "core/blocks.h"
#include "ops/ops.h"
#include "ops/private.h"

/* What enters a product beside its factors; zeros: nothing. */
typedef struct
{
  const Tensor *add;
  const SidePath *fold;
  LinearNext next;
  UnaryKind unary;
  const Tensor *modulation;
  int64_t gate;
  const float *scale;   /* of an adapter: see LinearArgs */
  const Tensor *before; /* shaped as the product */
} Beside;

static LinearArgs
linear_args (const Ctx *ctx, const Tensor *x, Layer layer, const Beside *b, const Tensor *y)
{
  const Tensor *m = b->modulation;
  return (LinearArgs){ .n_rows = tensor_rows (x),
                       .n_out = layer.weight->ne[0],
                       .n_in = tensor_last (x),
                       .x = x->data,
                       .x_stride = tensor_last (x),
                       .w = weight_param (layer.weight),
                       .bias = weight_param (layer.bias),
                       .fold = op_low_rank (b->fold),
                       .add = b->add ? b->add->data : NULL,
                       .y = y->data,
                       .y_stride = tensor_last (y),
                       .compute = ctx_compute (ctx),
                       .next = b->next,
                       .unary = b->unary,
                       .gate = m ? tensor_at (m, b->gate) : NULL,
                       .gate_stride = m ? tensor_last (m) : 0,
                       .rows_per_gate = m ? tensor_rows (x) / tensor_rows (m) : 1,
                       .scale = b->scale,
                       .before = b->before ? b->before->data : NULL };
}

/* A device's copy of @x in 8 bits, with a scale for each row. */
static int64_t
narrow_bytes (const Ctx *ctx, const Tensor *x, const Weight *w)
{
  Param p = weight_param (w);
  bool is_narrow = compute_is_fp8 (ctx_compute (ctx)) && param_is_e4m3 (&p, tensor_last (x));
  return is_narrow ? tensor_rows (x) * (tensor_last (x) + (int64_t) sizeof (float)) : 0;
}

static Tensor *
base_linear (Ctx *ctx, const Tensor *x, Layer layer, Beside beside)
{
  const Tensor *add = beside.add;
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
  ne[x->rank - 1] = beside.next == LINEAR_GEGLU ? n_out / 2 : n_out;
  OpRecord record = { .kind = OP_LINEAR,
                      .source = { x, add, beside.modulation, beside.before },
                      .inplace = add                                            ? 1
                                 : beside.before && beside.next != LINEAR_GEGLU ? 3
                                                                                : -1,
                      .beside_bytes = narrow_bytes (ctx, x, w),
                      .flops = 2.0 * (double) n_rows * (double) n_out * (double) n_in +
                               op_fold_flops (beside.fold, n_in) };
  op_record_weight (&record, w);
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), x->rank, ne);
  if (!y || !y->data)
    return y;
  LinearArgs args = linear_args (ctx, x, layer, &beside, y);
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

/* f32 on a card is for comparing with other programs. */
bool
op_fuses_side (const Ctx *ctx)
{
  const Backend *b = ctx_backend (ctx);
  return b && b->fuses && (!b->device.memory || ctx_activation (ctx) != DTYPE_F32);
}

/* What the adapters of a layer do, in two products beside its own.  All follow the same order: the
 * layer's product, then B (scale . A x) on top of it, before or after what else follows. */
static Tensor *
with_side_path (Ctx *ctx, const Tensor *x, Layer layer, Beside last)
{
  const SidePath *side = layer.weight->side;
  const Layer a = { side->a, NULL }, b = { side->b, side->bias };
  Tensor *h = base_linear (ctx, x, a, (Beside){ .scale = side->scale }), *y;
  switch (last.next)
    {
    case LINEAR_PLAIN:
      y = base_linear (ctx, x, layer, last);
      return base_linear (ctx, h, b, (Beside){ .add = y });
    case LINEAR_UNARY:
    case LINEAR_GEGLU:
      last.before = base_linear (ctx, x, layer, (Beside){ 0 });
      return base_linear (ctx, h, b, last);
    case LINEAR_GATED: /* r + g (W x + u) = (r + g W x) + g u */
      last.add = base_linear (ctx, x, layer, last);
      return base_linear (ctx, h, b, last);
    }
  return NULL;
}

Tensor *
op_side_path (Ctx *ctx, Tensor *h, const SidePath *side, Tensor *y)
{
  if (ctx_failed (ctx))
    return NULL;
  /* never written to: the Ctx has one kind of tensor for what it reads and what it makes */
  Tensor *scale = ctx_input (ctx, DTYPE_F32, 1, &side->rank, (void *) side->scale);
  return base_linear (ctx, op_scale (ctx, h, scale), (Layer){ side->b, side->bias },
                      (Beside){ .add = y });
}

Tensor *
op_linear (Ctx *ctx, const Tensor *x, Layer layer, const Tensor *add)
{
  const SidePath *side = layer.weight ? layer.weight->side : NULL;
  int64_t n_rows = x && x->rank > 2 ? tensor_rows (x) / x->ne[0] : 1;
  bool folds = op_folds (ctx, side, n_rows);
  if (side && !folds && x && op_fuses_side (ctx))
    return with_side_path (ctx, x, layer, (Beside){ .add = add });
  Tensor *y = base_linear (ctx, x, layer, (Beside){ .add = add, .fold = folds ? side : NULL });
  if (!side || folds)
    return y;
  Tensor *h = base_linear (ctx, x, (Layer){ side->a, NULL }, (Beside){ 0 });
  return op_side_path (ctx, h, side, y);
}

/* ---- what follows ---- */

static bool
fuses (const Ctx *ctx, Layer layer)
{
  return layer.weight && op_fuses_side (ctx);
}

static Tensor *
fused_linear (Ctx *ctx, const Tensor *x, Layer layer, Beside beside)
{
  if (layer.weight->side && x && !ctx_failed (ctx))
    return with_side_path (ctx, x, layer, beside);
  return base_linear (ctx, x, layer, beside);
}

Tensor *
op_linear_unary (Ctx *ctx, const Tensor *x, Layer layer, UnaryKind kind)
{
  bool can = kind != UNARY_RELU && kind != UNARY_TANH3; /* no product is followed by these */
  if (can && fuses (ctx, layer))
    return fused_linear (ctx, x, layer, (Beside){ .next = LINEAR_UNARY, .unary = kind });
  return op_unary (ctx, kind, op_linear (ctx, x, layer, NULL));
}

Tensor *
op_linear_geglu (Ctx *ctx, const Tensor *x, Layer layer)
{
  enum
  {
    COLUMNS = 16 /* of a and g that a tile of a product takes together */
  };
  if (fuses (ctx, layer) && layer.weight->ne[0] % COLUMNS == 0)
    return fused_linear (ctx, x, layer, (Beside){ .next = LINEAR_GEGLU });
  return op_geglu (ctx, op_linear (ctx, x, layer, NULL));
}

Tensor *
op_linear_gated (Ctx *ctx,
                 const Tensor *x,
                 Layer layer,
                 const Tensor *residual,
                 const Tensor *modulation,
                 int64_t gate)
{
  if (!fuses (ctx, layer))
    return op_add_gated (ctx, residual, op_linear (ctx, x, layer, NULL), modulation, gate);
  if (ctx_failed (ctx) || !residual || !modulation)
    return op_operand_missing (ctx);
  if (!op_modulation_fits (modulation, gate, layer.weight->ne[0], residual))
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: the terms of a gated sum do not fit.");
  return fused_linear (
      ctx, x, layer,
      (Beside){ .add = residual, .next = LINEAR_GATED, .modulation = modulation, .gate = gate });
}
