/* SPDX-License-Identifier: MPL-2.0 */
#include "backend/backend.h"
#include "ops/ops.h"
#include "ops/private.h"

enum
{
  FLOPS_PER_TURNED = 10 /* the norm and the rotation; for time estimates only */
};

static bool
heads_fit (const Heads *h, const Tensor *first, int n_heads)
{
  const Tensor *x = h->x;
  if (x->rank != 3 || x->ne[0] != first->ne[0] || x->ne[2] != first->ne[2])
    return false;
  int64_t head_dim = x->ne[2] / n_heads;
  return head_dim * n_heads == x->ne[2] && head_dim % 2 == 0 &&
         (!h->norm || h->norm->ne[0] == head_dim);
}

/* @first: where @h's tokens begin in @y and in @positions */
static void
turn (Ctx *ctx,
      const Heads *h,
      int n_heads,
      float eps,
      const Tensor *positions,
      const Tensor *y,
      int64_t first)
{
  int64_t dim = h->x->ne[2], head_dim = dim / n_heads;
  RopeArgs args = { .n = h->x->ne[0],
                    .len = h->x->ne[1],
                    .n_heads = n_heads,
                    .head_dim = head_dim,
                    .x = h->x->data,
                    .x_stride = dim,
                    .norm = weight_param (h->norm),
                    .eps = eps,
                    .y = tensor_at (y, first * dim),
                    .y_entry = y->ne[1] * dim };
  if (positions)
    args.table = tensor_at (positions, first * head_dim);
  ctx_backend (ctx)->ops.rope (ctx_backend (ctx), &args);
}

Tensor *
op_rope (Ctx *ctx, Heads a, Heads b, int n_heads, float eps, const Tensor *positions)
{
  if (ctx_failed (ctx) || !a.x)
    return op_operand_missing (ctx);
  if (n_heads < 1 || !heads_fit (&a, a.x, n_heads) || (b.x && !heads_fit (&b, a.x, n_heads)))
    return ctx_fail (ctx, STATUS_SHAPE,
                     "Internal error: tokens of %lld columns do not split into %d heads that turn.",
                     (long long) tensor_last (a.x), n_heads);
  int64_t ne[3] = { a.x->ne[0], a.x->ne[1] + (b.x ? b.x->ne[1] : 0), a.x->ne[2] };
  if (positions && (positions->ne[0] != ne[1] || tensor_last (positions) != ne[2] / n_heads))
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: %lld tokens have %lld positions.",
                     (long long) ne[1], (long long) positions->ne[0]);
  OpRecord record = { .kind = OP_ROPE,
                      .source = { a.x, b.x, positions },
                      .inplace = -1,
                      .flops = FLOPS_PER_TURNED * (double) (ne[0] * ne[1] * ne[2]) };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), 3, ne);
  if (!y || !y->data)
    return y;
  turn (ctx, &a, n_heads, eps, positions, y, 0);
  if (b.x)
    turn (ctx, &b, n_heads, eps, positions, y, a.x->ne[1]);
  return y;
}
