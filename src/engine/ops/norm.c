/* SPDX-License-Identifier: MPL-2.0 */
#include "backend/backend.h"
#include "ops/ops.h"
#include "ops/private.h"

enum
{
  FLOPS_PER_NORMED = 8 /* two passes and the affine map; for time estimates only */
};

Tensor *
op_group_norm (Ctx *ctx, const Tensor *x, Layer norm, int n_groups, float eps, bool silu)
{
  if (ctx_failed (ctx) || !x || !norm.weight)
    return op_operand_missing (ctx);
  int64_t channels = tensor_last (x);
  if (x->rank < 2 || norm.weight->ne[0] != channels || n_groups < 1 || channels % n_groups != 0)
    return ctx_fail (ctx, STATUS_SHAPE, "Norm %s: %lld channels do not split into %d groups.",
                     norm.weight->name, (long long) channels, n_groups);
  OpRecord record = { .kind = OP_GROUP_NORM,
                      .source = { x },
                      .inplace = 0,
                      .flops = FLOPS_PER_NORMED * (double) tensor_elements (x) };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), x->rank, x->ne);
  if (!y || !y->data)
    return y;
  GroupNormArgs args = { .n = x->ne[0],
                         .n_pixels = tensor_rows (x) / x->ne[0],
                         .n_channels = channels,
                         .n_groups = n_groups,
                         .eps = eps,
                         .silu = silu,
                         .x = x->data,
                         .weight = weight_param (norm.weight),
                         .bias = weight_param (norm.bias),
                         .y = y->data };
  ctx_backend (ctx)->ops.group_norm (ctx_backend (ctx), &args);
  return y;
}

Tensor *
op_layer_norm (Ctx *ctx, const Tensor *x, Layer norm, float eps)
{
  if (ctx_failed (ctx) || !x || !norm.weight)
    return op_operand_missing (ctx);
  if (norm.weight->ne[0] != tensor_last (x))
    return ctx_fail (ctx, STATUS_SHAPE, "Norm %s is %lld wide but its input is %lld.",
                     norm.weight->name, (long long) norm.weight->ne[0],
                     (long long) tensor_last (x));
  OpRecord record = { .kind = OP_LAYER_NORM,
                      .source = { x },
                      .inplace = 0,
                      .flops = FLOPS_PER_NORMED * (double) tensor_elements (x) };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), x->rank, x->ne);
  if (!y || !y->data)
    return y;
  LayerNormArgs args = { .n_rows = tensor_rows (x),
                         .dim = tensor_last (x),
                         .eps = eps,
                         .x = x->data,
                         .weight = weight_param (norm.weight),
                         .bias = weight_param (norm.bias),
                         .y = y->data };
  ctx_backend (ctx)->ops.layer_norm (ctx_backend (ctx), &args);
  return y;
}

static Tensor *
rms_norm (Ctx *ctx, const Tensor *x, const Weight *weight, float eps, bool silu)
{
  if (ctx_failed (ctx) || !x || !weight)
    return op_operand_missing (ctx);
  if (weight->ne[0] != tensor_last (x))
    return ctx_fail (ctx, STATUS_SHAPE, "Norm %s is %lld wide but its input is %lld.", weight->name,
                     (long long) weight->ne[0], (long long) tensor_last (x));
  OpRecord record = { .kind = OP_RMS_NORM,
                      .source = { x },
                      .inplace = 0,
                      .flops = FLOPS_PER_NORMED * (double) tensor_elements (x) };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), x->rank, x->ne);
  if (!y || !y->data)
    return y;
  RmsNormArgs args = { .n_rows = tensor_rows (x),
                       .dim = tensor_last (x),
                       .eps = eps,
                       .silu = silu,
                       .x = x->data,
                       .weight = weight_param (weight),
                       .y = y->data };
  ctx_backend (ctx)->ops.rms_norm (ctx_backend (ctx), &args);
  return y;
}

Tensor *
op_rms_norm (Ctx *ctx, const Tensor *x, const Weight *weight, float eps)
{
  return rms_norm (ctx, x, weight, eps, false);
}

Tensor *
op_rms_norm_silu (Ctx *ctx, const Tensor *x, const Weight *weight, float eps)
{
  return rms_norm (ctx, x, weight, eps, true);
}

Tensor *
op_norm_modulate (
    Ctx *ctx, const Tensor *x, const Tensor *modulation, int64_t shift, int64_t scale, float eps)
{
  if (ctx_failed (ctx) || !x || !modulation)
    return op_operand_missing (ctx);
  int64_t dim = tensor_last (x), n = tensor_rows (modulation);
  if (!op_modulation_fits (modulation, shift, dim, x) ||
      !op_modulation_fits (modulation, scale, dim, x))
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: a modulation that does not fit its norm.");
  OpRecord record = { .kind = OP_NORM_MODULATE,
                      .source = { x, modulation },
                      .inplace = 0,
                      .flops = FLOPS_PER_NORMED * (double) tensor_elements (x) };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), x->rank, x->ne);
  if (!y || !y->data)
    return y;
  NormModulateArgs args = { .n = n,
                            .n_rows = tensor_rows (x) / n,
                            .dim = dim,
                            .eps = eps,
                            .x = x->data,
                            .scale = tensor_at (modulation, scale),
                            .shift = tensor_at (modulation, shift),
                            .modulation_stride = tensor_last (modulation),
                            .y = y->data };
  ctx_backend (ctx)->ops.norm_modulate (ctx_backend (ctx), &args);
  return y;
}
