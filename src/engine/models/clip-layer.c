/* SPDX-License-Identifier: MPL-2.0 */
#include "models/clip-layer.h"

static const float CLIP_EPS = 1e-5f;

ClipLayer
clip_layer_bind (const Binder *b, int64_t d, int64_t m, const char *name)
{
  return (ClipLayer){
    .norm1 = bind_norm (b, d, name_of ("%s.layer_norm1", name).text),
    .q = bind_linear (b, d, d, true, name_of ("%s.self_attn.q_proj", name).text),
    .k = bind_linear (b, d, d, true, name_of ("%s.self_attn.k_proj", name).text),
    .v = bind_linear (b, d, d, true, name_of ("%s.self_attn.v_proj", name).text),
    .out = bind_linear (b, d, d, true, name_of ("%s.self_attn.out_proj", name).text),
    .norm2 = bind_norm (b, d, name_of ("%s.layer_norm2", name).text),
    .fc1 = bind_linear (b, m, d, true, name_of ("%s.mlp.fc1", name).text),
    .fc2 = bind_linear (b, d, m, true, name_of ("%s.mlp.fc2", name).text),
  };
}

Tensor *
clip_layer_forward (Ctx *ctx, const ClipLayer *l, ClipLayerOptions o, Tensor *x)
{
  UnaryKind act = o.activation == CLIP_GELU ? UNARY_GELU : UNARY_QUICK_GELU;
  Tensor *n = op_layer_norm (ctx, x, l->norm1, CLIP_EPS);
  Tensor *q = op_linear (ctx, n, l->q, NULL);
  Tensor *k = op_linear (ctx, n, l->k, NULL);
  Tensor *v = op_linear (ctx, n, l->v, NULL);
  x = op_linear (ctx, op_attention (ctx, q, k, v, o.n_heads, o.causal), l->out, x);
  n = op_layer_norm (ctx, x, l->norm2, CLIP_EPS);
  return op_linear (ctx, op_linear_unary (ctx, n, l->fc1, act), l->fc2, x);
}
