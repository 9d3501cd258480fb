/* SPDX-License-Identifier: MPL-2.0
 * shape.c - operators that move or look up values without computing with them.
 */
#include "backend/backend.h"
#include "ops/ops.h"
#include "ops/private.h"

static Tensor *
emit_embed (Ctx *ctx,
            DType dtype,
            const int32_t *ids,
            int64_t n_rows,
            int64_t length,
            const Weight *table,
            const Weight *positions)
{
  if (ctx_failed (ctx) || !table)
    return op_operand_missing (ctx);
  if (positions && (positions->ne[0] < length || positions->ne[1] != table->ne[1]))
    return ctx_fail (ctx, STATUS_SHAPE, "%s has places for %lld tokens, not %lld.", positions->name,
                     (long long) positions->ne[0], (long long) length);
  for (int64_t i = 0; ids && i < n_rows * length; i++)
    if (ids[i] < 0 || ids[i] >= table->ne[0])
      return ctx_fail (ctx, STATUS_SHAPE,
                       "Token %d is outside the vocabulary of %s (%lld entries).", ids[i],
                       table->name, (long long) table->ne[0]);
  int64_t ne[3] = { n_rows, length, table->ne[1] };
  OpRecord record = { .kind = OP_EMBED, .inplace = -1 };
  op_record_weight (&record, table);
  Tensor *y = ctx_emit (ctx, record, dtype, 3, ne);
  if (!y || !y->data)
    return y;
  EmbedArgs args = { .n_rows = n_rows * length,
                     .dim = table->ne[1],
                     .n_positions = length,
                     .ids = ids,
                     .table = weight_param (table),
                     .positions = weight_param (positions),
                     .in_f32 = dtype == DTYPE_F32,
                     .y = y->data };
  ctx_backend (ctx)->ops.embed (ctx_backend (ctx), &args);
  return y;
}

Tensor *
op_embed (Ctx *ctx,
          const int32_t *ids,
          int64_t n_rows,
          int64_t length,
          const Weight *table,
          const Weight *positions)
{
  return emit_embed (ctx, ctx_activation (ctx), ids, n_rows, length, table, positions);
}

Tensor *
op_lookup (Ctx *ctx, const int32_t *ids, int64_t n, const Weight *table)
{
  Tensor *y = emit_embed (ctx, DTYPE_F32, ids, 1, n, table, NULL);
  return y ? ctx_view (ctx, y, 2, (int64_t[]){ n, tensor_last (y) }, 0) : NULL;
}

Tensor *
op_rows (Ctx *ctx, const Tensor *x, const int32_t *rows, int64_t n)
{
  if (ctx_failed (ctx) || !x)
    return op_operand_missing (ctx);
  for (int64_t i = 0; rows && i < n; i++)
    if (rows[i] < 0 || rows[i] >= tensor_rows (x))
      return ctx_fail (ctx, STATUS_SHAPE, "Internal error: row %d of %lld was asked for.", rows[i],
                       (long long) tensor_rows (x));
  int64_t ne[2] = { n, tensor_last (x) };
  OpRecord record = { .kind = OP_EMBED, .source = { x }, .inplace = -1 };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), 2, ne);
  if (!y || !y->data)
    return y;
  EmbedArgs args = { .n_rows = n,
                     .dim = ne[1],
                     .n_positions = 1,
                     .ids = rows,
                     .table = { .data = x->data, .dtype = (int) x->dtype },
                     .of_activations = true,
                     .y = y->data };
  ctx_backend (ctx)->ops.embed (ctx_backend (ctx), &args);
  return y;
}

Tensor *
op_concat (Ctx *ctx, const Tensor *a, const Tensor *b)
{
  if (ctx_failed (ctx) || !a || !b)
    return op_operand_missing (ctx);
  if (a->rank != b->rank || tensor_rows (a) != tensor_rows (b))
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: joined tensors differ in rows.");
  int64_t ne[TENSOR_MAX_RANK];
  op_copy_shape (ne, a);
  ne[a->rank - 1] += tensor_last (b);
  OpRecord record = { .kind = OP_CONCAT, .source = { a, b }, .inplace = -1 };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), a->rank, ne);
  if (!y || !y->data)
    return y;
  ConcatArgs args = { .n_rows = tensor_rows (a),
                      .dim_a = tensor_last (a),
                      .dim_b = tensor_last (b),
                      .a = a->data,
                      .b = b->data,
                      .y = y->data };
  ctx_backend (ctx)->ops.concat (ctx_backend (ctx), &args);
  return y;
}

/* Rows of whole tensors: what lies behind each other in an entry is joined like columns. */
Tensor *
op_join (Ctx *ctx, const Tensor *a, const Tensor *b)
{
  if (ctx_failed (ctx) || !a || !b)
    return op_operand_missing (ctx);
  if (a->rank != 3 || b->rank != 3 || a->ne[0] != b->ne[0] || a->ne[2] != b->ne[2])
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: joined tokens differ in width.");
  int64_t ne[3] = { a->ne[0], a->ne[1] + b->ne[1], a->ne[2] };
  OpRecord record = { .kind = OP_CONCAT, .source = { a, b }, .inplace = -1 };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), 3, ne);
  if (!y || !y->data)
    return y;
  ConcatArgs args = { .n_rows = ne[0],
                      .dim_a = a->ne[1] * ne[2],
                      .dim_b = b->ne[1] * ne[2],
                      .a = a->data,
                      .b = b->data,
                      .y = y->data };
  ctx_backend (ctx)->ops.concat (ctx_backend (ctx), &args);
  return y;
}

/* @n_rows pieces of @width elements, the first at element @first of @x, @stride apart. */
static Tensor *
emit_copy (Ctx *ctx, const Tensor *x, int64_t first, int64_t stride, CopyArgs args, int64_t *ne)
{
  OpRecord record = { .kind = OP_COPY, .source = { x }, .inplace = -1 };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), x->rank, ne);
  if (!y || !y->data)
    return y;
  args.x = tensor_at (x, first);
  args.x_stride = stride;
  args.y = y->data;
  args.y_stride = args.width;
  ctx_backend (ctx)->ops.copy (ctx_backend (ctx), &args);
  return y;
}

Tensor *
op_tokens (Ctx *ctx, const Tensor *x, int64_t first, int64_t n)
{
  if (ctx_failed (ctx) || !x)
    return op_operand_missing (ctx);
  if (x->rank != 3 || first < 0 || n < 1 || first + n > x->ne[1])
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: tokens %lld to %lld of %lld.",
                     (long long) first, (long long) (first + n), (long long) x->ne[1]);
  int64_t dim = x->ne[2], ne[3] = { x->ne[0], n, dim };
  if (ne[0] == 1)
    return ctx_view (ctx, x, 3, ne, (size_t) (first * dim) * dtype_size (x->dtype));
  return emit_copy (ctx, x, first * dim, x->ne[1] * dim,
                    (CopyArgs){ .n_rows = ne[0], .width = n * dim }, ne);
}

Tensor *
op_room (Ctx *ctx, bool narrow, int64_t length, int64_t dim)
{
  if (ctx_failed (ctx))
    return NULL;
  DType dtype = ctx_activation (ctx);
  if (dtype == DTYPE_F32 && narrow && ctx_compute (ctx) == COMPUTE_BF16)
    dtype = DTYPE_BF16;
  OpRecord record = { .kind = OP_ROOM, .inplace = -1 };
  return ctx_emit (ctx, record, dtype, 3, (int64_t[]){ 1, length, dim });
}

static void
copy_tokens (Ctx *ctx, const Tensor *from, Tensor *to, int64_t first)
{
  int64_t n = from->ne[1], dim = from->ne[2];
  Backend *b = ctx_backend (ctx);
  if (to->dtype == from->dtype)
    b->ops.copy (b, &(CopyArgs){ n, dim, from->data, dim, tensor_at (to, first * dim), dim });
  else
    b->ops.round (b, &(RoundArgs){ n, dim, from->data, tensor_at (to, first * dim) });
}

/* Where the plan did not let the whole stay, its tokens move first. */
static void
move_whole (Ctx *ctx, const Tensor *from, Tensor *to)
{
  if (from->data == to->data)
    return;
  if (to->dtype == ctx_activation (ctx))
    copy_tokens (ctx, from, to, 0);
  else /* rounded ones exist only in the program's own memory */
    memcpy (to->data, from->data, tensor_bytes (to));
}

Tensor *
op_put (Ctx *ctx, const Tensor *whole, const Tensor *part, int64_t first)
{
  if (ctx_failed (ctx) || !whole || !part)
    return op_operand_missing (ctx);
  if (whole->rank != 3 || part->rank != 3 || whole->ne[0] != 1 || part->ne[0] != 1 ||
      whole->ne[2] != part->ne[2] || first < 0 || first + part->ne[1] > whole->ne[1])
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: tokens that do not fit where they go.");
  OpRecord record = { .kind = OP_PUT, .source = { whole, part }, .inplace = 0 };
  Tensor *y = ctx_emit (ctx, record, whole->dtype, 3, whole->ne);
  if (!y || !y->data)
    return y;
  move_whole (ctx, whole, y);
  copy_tokens (ctx, part, y, first);
  return y;
}

Tensor *
op_narrow (Ctx *ctx, Tensor *x)
{
  if (ctx_failed (ctx) || !x)
    return op_operand_missing (ctx);
  if (ctx_activation (ctx) != DTYPE_F32 || ctx_compute (ctx) != COMPUTE_BF16)
    return x;
  const int64_t rows[3] = { 1, tensor_rows (x), tensor_last (x) };
  Tensor *whole = op_room (ctx, true, rows[1], rows[2]);
  return op_view (ctx, op_put (ctx, whole, op_view (ctx, x, 3, rows), 0), x->rank, x->ne);
}

Tensor *
op_columns (Ctx *ctx, const Tensor *x, int64_t first, int64_t n)
{
  if (ctx_failed (ctx) || !x)
    return op_operand_missing (ctx);
  if (first < 0 || n < 1 || first + n > tensor_last (x))
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: columns %lld to %lld of %lld.",
                     (long long) first, (long long) (first + n), (long long) tensor_last (x));
  int64_t ne[TENSOR_MAX_RANK];
  op_copy_shape (ne, x);
  ne[x->rank - 1] = n;
  return emit_copy (ctx, x, first, tensor_last (x),
                    (CopyArgs){ .n_rows = tensor_rows (x), .width = n }, ne);
}

void
op_store (Ctx *ctx, const Tensor *x, Tensor *to)
{
  if (ctx_failed (ctx) || !x || !to)
    {
      op_operand_missing (ctx);
      return;
    }
  if (!op_same_shape (x, to))
    {
      ctx_fail (ctx, STATUS_SHAPE, "Internal error: a tensor is stored under another shape.");
      return;
    }
  /* A line of the trace has an output: here a token one. */
  OpRecord record = { .kind = OP_COPY, .source = { x, to }, .inplace = -1 };
  Tensor *token = ctx_emit (ctx, record, DTYPE_F32, 1, (int64_t[]){ 1 });
  if (!token || !token->data)
    return;
  CopyArgs args = { .n_rows = tensor_rows (x),
                    .width = tensor_last (x),
                    .x = x->data,
                    .x_stride = tensor_last (x),
                    .y = to->data,
                    .y_stride = tensor_last (x) };
  ctx_backend (ctx)->ops.copy (ctx_backend (ctx), &args);
}

Tensor *
op_resize (Ctx *ctx, const Tensor *x, int64_t h, int64_t w)
{
  if (ctx_failed (ctx) || !x)
    return op_operand_missing (ctx);
  if (x->rank != 4 || h < 1 || w < 1)
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: resize to %lld x %lld.", (long long) w,
                     (long long) h);
  int64_t ne[4] = { x->ne[0], h, w, x->ne[3] };
  OpRecord record = { .kind = OP_RESIZE, .source = { x }, .inplace = -1 };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), 4, ne);
  if (!y || !y->data)
    return y;
  ResizeArgs args = { .n = x->ne[0],
                      .h_in = x->ne[1],
                      .w_in = x->ne[2],
                      .h_out = h,
                      .w_out = w,
                      .n_channels = x->ne[3],
                      .x = x->data,
                      .y = y->data };
  ctx_backend (ctx)->ops.resize (ctx_backend (ctx), &args);
  return y;
}

Tensor *
op_sinusoid (Ctx *ctx, const Tensor *t, float times, int64_t dim)
{
  if (ctx_failed (ctx) || !t)
    return op_operand_missing (ctx);
  int64_t ne[2] = { tensor_elements (t), dim };
  OpRecord record = { .kind = OP_SINUSOID, .source = { t }, .inplace = -1 };
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), 2, ne);
  if (!y || !y->data)
    return y;
  SinusoidArgs args = { .n = ne[0], .dim = dim, .t = t->data, .times = times, .y = y->data };
  ctx_backend (ctx)->ops.sinusoid (ctx_backend (ctx), &args);
  return y;
}

Tensor *
op_view (Ctx *ctx, const Tensor *x, int rank, const int64_t *ne)
{
  if (ctx_failed (ctx) || !x)
    return op_operand_missing (ctx);
  return ctx_view (ctx, x, rank, ne, 0);
}
