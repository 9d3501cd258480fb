/* SPDX-License-Identifier: MPL-2.0 */
#include "models/clip.h"

static const float CLIP_EPS = 1e-5f;

typedef struct
{
  Layer norm1, q, k, v, out, norm2, fc1, fc2;
} ClipLayer;

struct Clip
{
  ClipConfig config;
  const Weight *tokens, *positions;
  ClipLayer *layers;
  Layer final_norm, projection;
};

static ClipLayer
bind_layer (const Binder *b, const ClipConfig *c, const char *name)
{
  int64_t d = c->dim, m = c->mlp_dim;
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

Clip *
clip_bind (const Binder *b, const ClipConfig *config, const char *prefix)
{
  Clip *clip = arena_alloc (b->arena, sizeof *clip, b->status);
  if (!clip)
    return NULL;
  clip->config = *config;
  clip->layers =
      arena_alloc (b->arena, (size_t) config->n_layers * sizeof *clip->layers, b->status);
  if (!clip->layers)
    return NULL;
  int64_t d = config->dim;
  clip->tokens = weights_bind (b->weights, 2, (int64_t[]){ config->vocab, d },
                               "%s.text_model.embeddings.token_embedding.weight", prefix);
  clip->positions = weights_bind (b->weights, 2, (int64_t[]){ config->n_positions, d },
                                  "%s.text_model.embeddings.position_embedding.weight", prefix);
  for (int i = 0; i < config->n_layers; i++)
    clip->layers[i] =
        bind_layer (b, config, name_of ("%s.text_model.encoder.layers.%d", prefix, i).text);
  clip->final_norm = bind_norm (b, d, name_of ("%s.text_model.final_layer_norm", prefix).text);
  if (config->projection_dim > 0)
    clip->projection.weight =
        weights_bind_optional (b->weights, 2, (int64_t[]){ config->projection_dim, d },
                               "%s.text_projection.weight", prefix);
  return clip;
}

static Tensor *
clip_layer (Ctx *ctx, const ClipLayer *l, const ClipConfig *c, Tensor *x)
{
  UnaryKind act = c->activation == CLIP_GELU ? UNARY_GELU : UNARY_QUICK_GELU;
  Tensor *n = op_layer_norm (ctx, x, l->norm1, CLIP_EPS);
  Tensor *q = op_linear (ctx, n, l->q, NULL);
  Tensor *k = op_linear (ctx, n, l->k, NULL);
  Tensor *v = op_linear (ctx, n, l->v, NULL);
  x = op_linear (ctx, op_attention (ctx, q, k, v, c->n_heads, true), l->out, x);
  n = op_layer_norm (ctx, x, l->norm2, CLIP_EPS);
  return op_linear (ctx, op_unary (ctx, act, op_linear (ctx, n, l->fc1, NULL)), l->fc2, x);
}

ClipOutput
clip_forward (Ctx *ctx,
              const Clip *clip,
              const int32_t *ids,
              int64_t n_chunks,
              int64_t length,
              ClipOptions options)
{
  const ClipConfig *c = &clip->config;
  ClipOutput out = { 0 };
  int stop = c->n_layers - options.skip_layers; /* `hidden` is what enters layer `stop` */
  if (stop < 1)
    {
      ctx_fail (ctx, STATUS_ARGUMENT, "Clip skip is too large: this text encoder has %d layers.",
                c->n_layers);
      return out;
    }
  int n_run = options.eos ? c->n_layers : stop;
  Tensor *x = options.embedded
                  ? op_view (ctx, options.embedded, options.embedded->rank, options.embedded->ne)
                  : op_embed (ctx, ids, n_chunks, length, clip->tokens, clip->positions);
  for (int i = 0; i < n_run; i++)
    {
      if (i == stop)
        out.hidden = x;
      x = clip_layer (ctx, &clip->layers[i], c, x);
    }
  if (!out.hidden)
    out.hidden = x;
  if (options.final_norm)
    out.hidden = op_layer_norm (ctx, out.hidden, clip->final_norm, CLIP_EPS);
  ctx_keep (ctx, out.hidden);
  if (!options.eos)
    return out;
  Tensor *eos = op_rows (ctx, x, options.eos, n_chunks);
  out.pooled = op_layer_norm (ctx, eos, clip->final_norm, CLIP_EPS);
  if (clip->projection.weight && !options.plain_pooled)
    out.pooled = op_linear (ctx, out.pooled, clip->projection, NULL);
  ctx_keep (ctx, out.pooled);
  return out;
}
