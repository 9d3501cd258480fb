/* SPDX-License-Identifier: MPL-2.0 */
#include <math.h>

#include "backend/backend.h"
#include "ops/ops.h"
#include "ops/private.h"

static bool
biases_fit (const Tensor *q, const Tensor *k, int n_heads, const AttentionOptions *o)
{
  const Tensor *r = o->relative_bias, *m = o->key_bias;
  bool relative_fits =
      !r || (r->rank == 2 && r->ne[0] == q->ne[1] + k->ne[1] - 1 && r->ne[1] == n_heads);
  return relative_fits && (!m || (m->rank == 2 && m->ne[0] == q->ne[0] && m->ne[1] == k->ne[1]));
}

Tensor *
op_attention_biased (Ctx *ctx,
                     const Tensor *q,
                     const Tensor *k,
                     const Tensor *v,
                     int n_heads,
                     AttentionOptions options)
{
  if (ctx_failed (ctx) || !q || !k || !v)
    return op_operand_missing (ctx);
  int64_t dim = q->ne[2];
  bool in_16_bits = k->dtype != ctx_activation (ctx);
  if (q->rank != 3 || !op_same_shape (k, v) || k->dtype != v->dtype || k->ne[0] != q->ne[0] ||
      k->ne[2] != dim || n_heads < 1 || dim % n_heads != 0)
    return ctx_fail (ctx, STATUS_SHAPE,
                     "Attention over %lld channels does not split into %d heads.", (long long) dim,
                     n_heads);
  if (!biases_fit (q, k, n_heads, &options))
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: attention's biases have another shape.");
  OpRecord record = { .kind = OP_ATTENTION,
                      .source = { q, k, v, options.relative_bias, options.key_bias },
                      .inplace = -1,
                      .flops = 4.0 * (double) (q->ne[0] * q->ne[1]) * (double) (k->ne[1] * dim) };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), 3, q->ne);
  if (!y || !y->data)
    return y;
  AttentionArgs args = {
    .n = q->ne[0],
    .n_heads = n_heads,
    .head_dim = dim / n_heads,
    .len_q = q->ne[1],
    .len_k = k->ne[1],
    .q = q->data,
    .k = in_16_bits ? NULL : k->data,
    .v = in_16_bits ? NULL : v->data,
    .k_bf16 = in_16_bits ? k->data : NULL,
    .v_bf16 = in_16_bits ? v->data : NULL,
    .q_stride = dim,
    .k_stride = dim,
    .v_stride = dim,
    .y = y->data,
    .scale = options.scale != 0 ? options.scale : 1.0f / sqrtf ((float) (dim / n_heads)),
    .causal = options.causal,
    .relative_bias = options.relative_bias ? options.relative_bias->data : NULL,
    .key_bias = options.key_bias ? options.key_bias->data : NULL,
    .compute = ctx_compute (ctx)
  };
  ctx_backend (ctx)->ops.attention (ctx_backend (ctx), &args);
  return y;
}

Tensor *
op_attention (Ctx *ctx, const Tensor *q, const Tensor *k, const Tensor *v, int n_heads, bool causal)
{
  return op_attention_biased (ctx, q, k, v, n_heads, (AttentionOptions){ .causal = causal });
}
