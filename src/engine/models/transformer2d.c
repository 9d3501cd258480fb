/* SPDX-License-Identifier: MPL-2.0 */
#include "models/transformer2d.h"

static const float GROUP_EPS = 1e-6f; /* not the res blocks' 1e-5 */
static const float LAYER_EPS = 1e-5f;

typedef struct
{
  Layer q, k, v, out;
} Attention;

typedef struct
{
  Layer norm1, norm2, norm3, ff_in, ff_out;
  Attention self, cross;
} TransformerBlock;

struct Transformer2d
{
  Transformer2dShape shape;
  Layer norm, proj_in, proj_out;
  TransformerBlock *blocks;
};

static Attention
bind_attention (const Binder *b, int64_t d, int64_t context_dim, const char *name)
{
  return (Attention){
    .q = bind_linear (b, d, d, false, name_of ("%s.to_q", name).text),
    .k = bind_linear (b, d, context_dim, false, name_of ("%s.to_k", name).text),
    .v = bind_linear (b, d, context_dim, false, name_of ("%s.to_v", name).text),
    .out = bind_linear (b, d, d, true, name_of ("%s.to_out.0", name).text),
  };
}

static TransformerBlock
bind_block (const Binder *b, int64_t d, int64_t context_dim, const char *name)
{
  return (TransformerBlock){
    .norm1 = bind_norm (b, d, name_of ("%s.norm1", name).text),
    .self = bind_attention (b, d, d, name_of ("%s.attn1", name).text),
    .norm2 = bind_norm (b, d, name_of ("%s.norm2", name).text),
    .cross = bind_attention (b, d, context_dim, name_of ("%s.attn2", name).text),
    .norm3 = bind_norm (b, d, name_of ("%s.norm3", name).text),
    .ff_in = bind_linear (b, 8 * d, d, true, name_of ("%s.ff.net.0.proj", name).text),
    .ff_out = bind_linear (b, d, 4 * d, true, name_of ("%s.ff.net.2", name).text),
  };
}

Transformer2d *
transformer2d_bind (const Binder *b, const Transformer2dShape *shape, const char *name)
{
  Transformer2d *t = arena_alloc (b->arena, sizeof *t, b->status);
  if (!t)
    return NULL;
  t->shape = *shape;
  t->blocks = arena_alloc (b->arena, (size_t) shape->depth * sizeof *t->blocks, b->status);
  if (!t->blocks)
    return NULL;
  int64_t d = shape->channels;
  t->norm = bind_norm (b, d, name_of ("%s.norm", name).text);
  t->proj_in = bind_linear (b, d, d, true, name_of ("%s.proj_in", name).text);
  t->proj_out = bind_linear (b, d, d, true, name_of ("%s.proj_out", name).text);
  for (int i = 0; i < shape->depth; i++)
    t->blocks[i] =
        bind_block (b, d, shape->context_dim, name_of ("%s.transformer_blocks.%d", name, i).text);
  return t;
}

int
transformer2d_depth (const Transformer2d *t)
{
  return t->shape.depth;
}

static Tensor *
kept (Ctx *ctx, Tensor *x)
{
  x = op_narrow (ctx, x);
  ctx_keep (ctx, x);
  return x;
}

void
transformer2d_keys (Ctx *ctx, const Transformer2d *t, const Tensor *context, PromptKeys *out)
{
  for (int i = 0; i < t->shape.depth; i++)
    {
      const Attention *a = &t->blocks[i].cross;
      out[i].k = kept (ctx, op_linear (ctx, context, a->k, NULL));
      out[i].v = kept (ctx, op_linear (ctx, context, a->v, NULL));
    }
}

/* Rows that follow each other share a row of @k and @v, so their queries are as of one. */
static Tensor *
cross_attention (Ctx *ctx, const Tensor *q, const Tensor *k, const Tensor *v, int n_heads)
{
  if (ctx_failed (ctx) || k->ne[0] == q->ne[0] || q->ne[0] % k->ne[0] != 0)
    return op_attention (ctx, q, k, v, n_heads, false);
  const int64_t joined[3] = { k->ne[0], q->ne[0] / k->ne[0] * q->ne[1], q->ne[2] };
  Tensor *y = op_attention (ctx, op_view (ctx, q, 3, joined), k, v, n_heads, false);
  return op_view (ctx, y, 3, q->ne);
}

/* @n: the normed queries; keys and values from @context, unless there are @keys.  Returns: @x plus
 * the attended. */
static Tensor *
attend (Ctx *ctx,
        const Attention *a,
        int n_heads,
        Tensor *x,
        const Tensor *n,
        const Tensor *context,
        const PromptKeys *keys)
{
  Tensor *q = op_linear (ctx, n, a->q, NULL);
  Tensor *k = keys ? ctx_borrow (ctx, keys->k) : op_linear (ctx, context, a->k, NULL);
  Tensor *v = keys ? ctx_borrow (ctx, keys->v) : op_linear (ctx, context, a->v, NULL);
  return op_linear (ctx, cross_attention (ctx, q, k, v, n_heads), a->out, x);
}

static Tensor *
transformer_block (Ctx *ctx,
                   const TransformerBlock *b,
                   int n_heads,
                   Tensor *x,
                   const Tensor *context,
                   const PromptKeys *keys)
{
  Tensor *n = op_layer_norm (ctx, x, b->norm1, LAYER_EPS);
  x = attend (ctx, &b->self, n_heads, x, n, n, NULL);
  n = op_layer_norm (ctx, x, b->norm2, LAYER_EPS);
  x = attend (ctx, &b->cross, n_heads, x, n, context, keys);
  n = op_layer_norm (ctx, x, b->norm3, LAYER_EPS);
  return op_linear (ctx, op_linear_geglu (ctx, n, b->ff_in), b->ff_out, x);
}

/* proj_in and proj_out are linear layers or 1x1 convolutions: over channels-last tokens, the same.
 */
Tensor *
transformer2d_forward (
    Ctx *ctx, const Transformer2d *t, Tensor *x, const Tensor *context, const PromptKeys *keys)
{
  if (ctx_failed (ctx))
    return NULL;
  int64_t tokens[3] = { x->ne[0], x->ne[1] * x->ne[2], x->ne[3] }, image[4];
  for (int i = 0; i < 4; i++)
    image[i] = x->ne[i];
  Tensor *residual = op_view (ctx, x, 3, tokens);
  Tensor *h = op_group_norm (ctx, residual, t->norm, t->shape.norm_groups, GROUP_EPS, false);
  h = op_linear (ctx, h, t->proj_in, NULL);
  for (int i = 0; i < t->shape.depth; i++)
    h = transformer_block (ctx, &t->blocks[i], t->shape.n_heads, h, context,
                           keys ? &keys[i] : NULL);
  h = op_linear (ctx, h, t->proj_out, residual);
  return op_view (ctx, h, 4, image);
}
