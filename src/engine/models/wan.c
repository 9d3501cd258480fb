/* SPDX-License-Identifier: MPL-2.0 */
#include "models/wan.h"

static const float WAN_EPS = 1e-6f;
static const float IMAGE_EPS = 1e-5f; /* of the norms around the picture's embedding */

enum
{
  N_VECTORS = 6,       /* shift, scale and gate of attention, then of the MLP */
  N_FINAL_VECTORS = 2, /* shift and scale */
  N_SHARES = 16,       /* of a clip's tokens: what a block computes at a time */
  SMALLEST_SHARE = 256 /* tokens: fewer make products slow */
};

typedef struct
{
  Layer q, k, v, out;
  const Weight *norm_q, *norm_k;
} WanHeads;

typedef struct
{
  const Weight *table; /* (1, 6 dim): what is added to the time's vectors */
  WanHeads self, cross;
  Layer image_k, image_v; /* of cross-attention, where the model looks at pictures */
  const Weight *image_norm_k;
  Layer cross_norm, mlp_in, mlp_out;
} WanBlock;

/* Two linear layers with an activation between. */
typedef struct
{
  Layer in, out;
} WanEmbedder;

struct Wan
{
  WanConfig config;
  Layer patch_in, time_vectors, proj_out;
  WanEmbedder time, text, image;
  Layer image_norm_in, image_norm_out;
  const Weight *image_positions; /* NULL: none */
  const Weight *table;           /* (1, 2 dim) of the last norm */
  WanBlock *blocks;
};

/* ---- binding ---- */

static bool
is_sound (const WanConfig *c)
{
  int axes = 0;
  for (int i = 0; i < WAN_N_AXES; i++)
    axes += c->axes[i];
  return c->dim > 0 && c->n_heads > 0 && c->head_dim * c->n_heads == c->dim &&
         axes == c->head_dim && c->head_dim % 2 == 0 && c->n_layers > 0 && c->in_channels > 0 &&
         c->out_channels > 0 && c->mlp_dim > 0 && c->text_dim > 0 && c->time_dim > 0;
}

static WanEmbedder
bind_embedder (const Binder *b, int64_t dim, int64_t n_in, const char *name)
{
  return (WanEmbedder){
    .in = bind_linear (b, dim, n_in, true, name_of ("%s.linear_1", name).text),
    .out = bind_linear (b, dim, dim, true, name_of ("%s.linear_2", name).text),
  };
}

static WanHeads
bind_heads (const Binder *b, int64_t d, const char *name)
{
  return (WanHeads){
    .q = bind_linear (b, d, d, true, name_of ("%s.to_q", name).text),
    .k = bind_linear (b, d, d, true, name_of ("%s.to_k", name).text),
    .v = bind_linear (b, d, d, true, name_of ("%s.to_v", name).text),
    .out = bind_linear (b, d, d, true, name_of ("%s.to_out.0", name).text),
    .norm_q = bind_scale (b, d, name_of ("%s.norm_q", name).text),
    .norm_k = bind_scale (b, d, name_of ("%s.norm_k", name).text),
  };
}

static const Weight *
bind_table (const Binder *b, int64_t n, const char *name)
{
  return weights_bind (b->weights, 2, (int64_t[]){ 1, n }, "%s.scale_shift_table", name);
}

static WanBlock
bind_block (const Binder *b, const WanConfig *c, const char *name)
{
  int64_t d = c->dim, m = c->mlp_dim;
  WanBlock block = {
    .table = bind_table (b, N_VECTORS * d, name),
    .self = bind_heads (b, d, name_of ("%s.attn1", name).text),
    .cross = bind_heads (b, d, name_of ("%s.attn2", name).text),
    .cross_norm = bind_norm (b, d, name_of ("%s.norm2", name).text),
    .mlp_in = bind_linear (b, m, d, true, name_of ("%s.ffn.net.0.proj", name).text),
    .mlp_out = bind_linear (b, d, m, true, name_of ("%s.ffn.net.2", name).text),
  };
  if (c->image_dim == 0)
    return block;
  block.image_k = bind_linear (b, d, d, true, name_of ("%s.attn2.add_k_proj", name).text);
  block.image_v = bind_linear (b, d, d, true, name_of ("%s.attn2.add_v_proj", name).text);
  block.image_norm_k = bind_scale (b, d, name_of ("%s.attn2.norm_added_k", name).text);
  return block;
}

static void
bind_image (const Binder *b, Wan *wan, const char *name)
{
  int64_t d = wan->config.dim, n_in = wan->config.image_dim;
  Name image = name_of ("%s.condition_embedder.image_embedder", name);
  const char *n = image.text;
  wan->image_norm_in = bind_norm (b, n_in, name_of ("%s.norm1", n).text);
  wan->image.in = bind_linear (b, n_in, n_in, true, name_of ("%s.ff.net.0.proj", n).text);
  wan->image.out = bind_linear (b, d, n_in, true, name_of ("%s.ff.net.2", n).text);
  wan->image_norm_out = bind_norm (b, d, name_of ("%s.norm2", n).text);
  if (wan->config.image_positions > 0)
    wan->image_positions = weights_bind (
        b->weights, 2, (int64_t[]){ 1, wan->config.image_positions * n_in }, "%s.pos_embed", n);
}

static void
bind_all (const Binder *b, Wan *wan, const char *name)
{
  const WanConfig *c = &wan->config;
  int64_t d = c->dim, patch = WAN_PATCH * WAN_PATCH;
  wan->patch_in =
      bind_linear (b, d, patch * c->in_channels, true, name_of ("%s.patch_embedding", name).text);
  Name condition = name_of ("%s.condition_embedder", name);
  const char *n = condition.text;
  wan->time = bind_embedder (b, d, c->time_dim, name_of ("%s.time_embedder", n).text);
  wan->time_vectors = bind_linear (b, N_VECTORS * d, d, true, name_of ("%s.time_proj", n).text);
  wan->text = bind_embedder (b, d, c->text_dim, name_of ("%s.text_embedder", n).text);
  if (c->image_dim > 0)
    bind_image (b, wan, name);
  for (int i = 0; i < c->n_layers; i++)
    wan->blocks[i] = bind_block (b, c, name_of ("%s.blocks.%d", name, i).text);
  wan->table = bind_table (b, N_FINAL_VECTORS * d, name);
  wan->proj_out =
      bind_linear (b, patch * c->out_channels, d, true, name_of ("%s.proj_out", name).text);
}

Wan *
wan_bind (const Binder *b, const WanConfig *config, const char *name)
{
  if (!is_sound (config))
    {
      status_fail (b->status, STATUS_UNSUPPORTED, "This transformer's configuration is not Wan's.");
      return NULL;
    }
  Wan *wan = arena_alloc (b->arena, sizeof *wan, b->status);
  if (!wan)
    return NULL;
  wan->config = *config;
  wan->blocks = arena_alloc (b->arena, (size_t) config->n_layers * sizeof *wan->blocks, b->status);
  if (!wan->blocks)
    return NULL;
  bind_all (b, wan, name);
  return wan;
}

/* ---- conditions ---- */

/* What every block takes. */
typedef struct
{
  Ctx *ctx;
  const WanConfig *config;
  const Tensor *vectors;   /* (R, 6 dim): of time, before a block's table is added */
  const Tensor *text;      /* (1, L, dim) */
  const Tensor *image;     /* NULL, or (1, 257 or 514, dim) */
  const Tensor *positions; /* (tokens, head_dim) */
  int64_t n_tokens, share; /* tokens a share; a share's last may be fewer */
} Step;

/* @base: (R, n); @table: (1, n).  Returns: (R, n), the table added to each row */
static Tensor *
with_table (Ctx *ctx, const Tensor *base, const Weight *table)
{
  static const int32_t first = 0;
  Tensor *row = op_embed (ctx, &first, 1, 1, table, NULL);
  if (!row)
    return NULL;
  return op_add (ctx, base, op_view (ctx, row, 1, &row->ne[2]));
}

static Tensor *
embed (Ctx *ctx, const WanEmbedder *e, UnaryKind kind, const Tensor *x)
{
  return op_linear (ctx, op_linear_unary (ctx, x, e->in, kind), e->out, NULL);
}

/* In f32: few rows, on which everything depends. */
static Tensor *
embed_time (Ctx *ctx, const Wan *wan, const Tensor *times)
{
  return embed (ctx, &wan->time, UNARY_SILU, op_sinusoid (ctx, times, 0, wan->config.time_dim));
}

/* First-last-frame models have seen two pictures, whose places are told apart. */
static Tensor *
embed_image (Ctx *ctx, const Wan *wan, const Tensor *image)
{
  Tensor *x = op_view (ctx, image, image->rank, image->ne);
  if (wan->image_positions)
    {
      const int64_t n = tensor_elements (image);
      x = op_view (ctx, x, 2, (int64_t[]){ 1, n });
      x = with_table (ctx, x, wan->image_positions);
      x = op_view (ctx, x, image->rank, image->ne);
    }
  x = op_layer_norm (ctx, x, wan->image_norm_in, IMAGE_EPS);
  x = embed (ctx, &wan->image, UNARY_GELU, x);
  return op_layer_norm (ctx, x, wan->image_norm_out, IMAGE_EPS);
}

/* ---- a block ---- */

/* Tokens @first .. of @x, and the rows of a modulation that serve them. */
static int64_t
share_length (const Step *s, int64_t first)
{
  return first + s->share < s->n_tokens ? s->share : s->n_tokens - first;
}

/* Of a modulation with a row for each latent frame: those of a share, which holds whole frames. */
static Tensor *
share_rows (const Step *s, const Tensor *modulation, int64_t first, int64_t n)
{
  int64_t rows = modulation->ne[0], width = modulation->ne[1];
  if (rows == 1)
    return op_view (s->ctx, modulation, 2, modulation->ne);
  int64_t tokens_a_row = s->n_tokens / rows;
  return ctx_view (s->ctx, modulation, 2, (int64_t[]){ n / tokens_a_row, width },
                   (size_t) (first / tokens_a_row * width) * dtype_size (modulation->dtype));
}

static Tensor *
share_positions (const Step *s, int64_t first, int64_t n)
{
  int64_t dim = s->config->head_dim;
  return ctx_view (s->ctx, s->positions, 2, (int64_t[]){ n, dim },
                   (size_t) (first * dim) * sizeof (float));
}

/* The share, normed and modulated by the vectors from @vector on. */
static Tensor *
modulated (const Step *s, const Tensor *x, const Tensor *rows, int vector)
{
  int64_t d = s->config->dim;
  return op_norm_modulate (s->ctx, x, rows, vector * d, (vector + 1) * d, WAN_EPS);
}

/* RMS over all heads together, then the heads turn. */
static Tensor *
turned (const Step *s, Tensor *x, const Weight *norm, const Tensor *positions)
{
  x = op_rms_norm (s->ctx, x, norm, WAN_EPS);
  return op_rope (s->ctx, (Heads){ x, NULL }, (Heads){ NULL, NULL }, s->config->n_heads, 0,
                  positions);
}

typedef struct
{
  Tensor *k, *v;
} KeysValues;

/* Of all tokens; in the 16 bits that the products would round them to where they do. */
static KeysValues
self_keys (const Step *s, const WanBlock *w, const Tensor *x, const Tensor *modulation)
{
  Ctx *ctx = s->ctx;
  KeysValues kv = { op_room (ctx, true, s->n_tokens, s->config->dim),
                    op_room (ctx, true, s->n_tokens, s->config->dim) };
  for (int64_t first = 0; first < s->n_tokens && !ctx_failed (ctx); first += s->share)
    {
      int64_t n = share_length (s, first);
      Tensor *rows = share_rows (s, modulation, first, n);
      Tensor *h = modulated (s, op_tokens (ctx, x, first, n), rows, 0);
      Tensor *k = turned (s, op_linear (ctx, h, w->self.k, NULL), w->self.norm_k,
                          share_positions (s, first, n));
      kv.k = op_put (ctx, kv.k, k, first);
      kv.v = op_put (ctx, kv.v, op_linear (ctx, h, w->self.v, NULL), first);
    }
  return kv;
}

/* Made again in every step, though words and picture stay: of the 14 B model's operations 0.13 % at
 * 480p and 81 frames, 0.03 % at 720p, of the 1.3 B model's 0.05 %, while to keep them takes 800 MiB
 * a text (400 in 16 bits), half as much again as all activations of 480p.  Only clips of a few
 * hundred tokens would gain: 2 ms a step, a quarter of it, at 64 x 64 with the model that ships. */
static KeysValues
cross_keys (const Step *s, const Tensor *x, Layer k, const Weight *norm, Layer v)
{
  return (KeysValues){ op_rms_norm (s->ctx, op_linear (s->ctx, x, k, NULL), norm, WAN_EPS),
                       op_linear (s->ctx, x, v, NULL) };
}

/* @x: a share.  Returns: what it takes from words and picture added */
static Tensor *
cross_attend (
    const Step *s, const WanBlock *w, Tensor *x, const KeysValues *text, const KeysValues *image)
{
  Ctx *ctx = s->ctx;
  int n_heads = s->config->n_heads;
  Tensor *n = op_layer_norm (ctx, x, w->cross_norm, WAN_EPS);
  Tensor *q = op_rms_norm (ctx, op_linear (ctx, n, w->cross.q, NULL), w->cross.norm_q, WAN_EPS);
  Tensor *a = op_attention (ctx, q, text->k, text->v, n_heads, false);
  if (image->k)
    a = op_add (ctx, a, op_attention (ctx, q, image->k, image->v, n_heads, false));
  return op_linear (ctx, a, w->cross.out, x);
}

static Tensor *
share_of_block (const Step *s,
                const WanBlock *w,
                const Tensor *x,
                const Tensor *modulation,
                const KeysValues *keys, /* own, of the words, of the picture */
                int64_t first)
{
  Ctx *ctx = s->ctx;
  int64_t n = share_length (s, first), d = s->config->dim;
  Tensor *rows = share_rows (s, modulation, first, n), *part = op_tokens (ctx, x, first, n);
  Tensor *q = op_linear (ctx, modulated (s, part, rows, 0), w->self.q, NULL);
  q = turned (s, q, w->self.norm_q, share_positions (s, first, n));
  Tensor *a = op_attention (ctx, q, keys[0].k, keys[0].v, s->config->n_heads, false);
  part = op_linear_gated (ctx, a, w->self.out, part, rows, 2 * d);
  part = cross_attend (s, w, part, &keys[1], &keys[2]);
  Tensor *h = op_linear_unary (ctx, modulated (s, part, rows, 3), w->mlp_in, UNARY_GELU_TANH);
  return op_linear_gated (ctx, h, w->mlp_out, part, rows, 5 * d);
}

static Tensor *
block (const Step *s, const WanBlock *w, Tensor *x)
{
  Ctx *ctx = s->ctx;
  Tensor *modulation = with_table (ctx, s->vectors, w->table);
  KeysValues keys[3] = { { 0 } };
  keys[1] = cross_keys (s, s->text, w->cross.k, w->cross.norm_k, w->cross.v);
  if (s->image)
    keys[2] = cross_keys (s, s->image, w->image_k, w->image_norm_k, w->image_v);
  keys[0] = self_keys (s, w, x, modulation);
  for (int64_t first = 0; first < s->n_tokens && !ctx_failed (ctx); first += s->share)
    x = op_put (ctx, x, share_of_block (s, w, x, modulation, keys, first), first);
  return x;
}

/* ---- the whole ---- */

static bool
inputs_fit (const WanConfig *c, const WanInputs *in)
{
  int64_t n = in->tokens->ne[1], rows = tensor_elements (in->times);
  bool image_fits = !in->image == !c->image_dim;
  if (in->image && c->image_positions > 0)
    image_fits = in->image->ne[1] == c->image_positions;
  return image_fits && in->tokens->rank == 3 && in->tokens->ne[0] == 1 && in->text->rank == 3 &&
         in->text->ne[0] == 1 && rows > 0 && n % rows == 0 &&
         tensor_last (in->tokens) == (int64_t) WAN_PATCH * WAN_PATCH * c->in_channels &&
         tensor_last (in->text) == c->text_dim && in->positions->ne[0] == n &&
         (!in->image || tensor_last (in->image) == c->image_dim);
}

/* Whole frames where each has a row of modulation of its own. */
static int64_t
share_of (int64_t n_tokens, int64_t n_rows)
{
  int64_t share = (n_tokens + N_SHARES - 1) / N_SHARES, frame = n_tokens / n_rows;
  if (share < SMALLEST_SHARE)
    share = SMALLEST_SHARE;
  return n_rows > 1 ? (share + frame - 1) / frame * frame : share;
}

/* The answer's tokens, share by share. */
static Tensor *
project (const Step *s, const Wan *wan, const Tensor *x, const Tensor *time)
{
  Ctx *ctx = s->ctx;
  Tensor *modulation = with_table (ctx, op_concat (ctx, time, time), wan->table);
  Tensor *out = op_room (ctx, false, s->n_tokens, wan->proj_out.weight->ne[0]);
  for (int64_t first = 0; first < s->n_tokens && !ctx_failed (ctx); first += s->share)
    {
      int64_t n = share_length (s, first);
      Tensor *rows = share_rows (s, modulation, first, n);
      Tensor *h = modulated (s, op_tokens (ctx, x, first, n), rows, 0);
      out = op_put (ctx, out, op_linear (ctx, h, wan->proj_out, NULL), first);
    }
  return out;
}

Tensor *
wan_forward (Ctx *ctx, const Wan *wan, const WanInputs *in)
{
  const WanConfig *c = &wan->config;
  bool is_whole = in->tokens && in->times && in->text && in->positions;
  if (ctx_failed (ctx) || !is_whole || !inputs_fit (c, in) || !wan->proj_out.weight)
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: inputs do not fit this Wan model.");
  int64_t n = in->tokens->ne[1];
  Compute compute = ctx_set_compute (ctx, COMPUTE_F32);
  Tensor *time = embed_time (ctx, wan, in->times);
  Tensor *vectors = op_linear (ctx, op_unary (ctx, UNARY_SILU, time), wan->time_vectors, NULL);
  ctx_set_compute (ctx, compute);
  Step s = { .ctx = ctx,
             .config = c,
             .vectors = vectors,
             .text = embed (ctx, &wan->text, UNARY_GELU_TANH, in->text),
             .image = in->image ? embed_image (ctx, wan, in->image) : NULL,
             .positions = in->positions,
             .n_tokens = n,
             .share = share_of (n, tensor_elements (in->times)) };
  Tensor *x = op_linear (ctx, in->tokens, wan->patch_in, NULL);
  for (int i = 0; i < c->n_layers; i++)
    x = block (&s, &wan->blocks[i], x);
  return project (&s, wan, x, time);
}
