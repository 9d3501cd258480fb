/* SPDX-License-Identifier: MPL-2.0
 * shortcut.c - the ways around levels of a network that halve or double frames, rows and columns.
 */
#include "backend/backend.h"
#include "ops/ops.h"
#include "ops/private.h"

/* @big: (n, h factor, w factor, C); @small: (n, h, w, c); C n_frames factor^2 and c divide. */
static bool
fits (const Tensor *big, const Tensor *small, int n_frames, int factor)
{
  if (big->rank != 4 || small->rank != 4 || n_frames < 1 || n_frames > 2 || factor < 1 ||
      factor > 2)
    return false;
  return big->ne[0] == small->ne[0] && big->ne[1] == small->ne[1] * factor &&
         big->ne[2] == small->ne[2] * factor &&
         big->ne[3] * n_frames * factor * factor % small->ne[3] == 0;
}

Tensor *
op_avg_down (Ctx *ctx, const Tensor *const x[2], AvgDown o, const Tensor *add)
{
  const Tensor *newest = x[o.n_frames - 1];
  if (ctx_failed (ctx) || !newest || !add)
    return op_operand_missing (ctx);
  if (!fits (newest, add, o.n_frames, o.factor) || (x[0] && !op_same_shape (x[0], newest)))
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: a shortcut does not fit its level.");
  OpRecord record = { .kind = OP_AVG_DOWN, .source = { add, newest, x[0] }, .inplace = 0 };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), 4, add->ne);
  if (!y || !y->data)
    return y;
  AvgDownArgs args = { .n = add->ne[0],
                       .h = add->ne[1],
                       .w = add->ne[2],
                       .c_in = newest->ne[3],
                       .c_out = add->ne[3],
                       .n_frames = o.n_frames,
                       .factor = o.factor,
                       .add = add->data,
                       .y = y->data };
  for (int i = 0; i < o.n_frames; i++)
    args.x[i] = x[i] ? x[i]->data : NULL;
  ctx_backend (ctx)->ops.avg_down (ctx_backend (ctx), &args);
  return y;
}

Tensor *
op_dup_up (Ctx *ctx, const Tensor *x, DupUp o, const Tensor *add)
{
  if (ctx_failed (ctx) || !x || !add)
    return op_operand_missing (ctx);
  if (!fits (add, x, o.n_frames, o.factor) || o.frame < 0 || o.frame >= o.n_frames)
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: a shortcut does not fit its level.");
  OpRecord record = { .kind = OP_DUP_UP, .source = { add, x }, .inplace = 0 };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), 4, add->ne);
  if (!y || !y->data)
    return y;
  DupUpArgs args = { .n = x->ne[0],
                     .h = x->ne[1],
                     .w = x->ne[2],
                     .c_in = x->ne[3],
                     .c_out = add->ne[3],
                     .n_frames = o.n_frames,
                     .frame = o.frame,
                     .factor = o.factor,
                     .x = x->data,
                     .add = add->data,
                     .y = y->data };
  ctx_backend (ctx)->ops.dup_up (ctx_backend (ctx), &args);
  return y;
}
