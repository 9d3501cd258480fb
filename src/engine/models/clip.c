/* SPDX-License-Identifier: MPL-2.0 */
#include "models/clip.h"

#include "models/clip-layer.h"

static const float CLIP_EPS = 1e-5f;

struct Clip
{
  ClipConfig config;
  const Weight *tokens, *positions;
  ClipLayer *layers;
  Layer final_norm, projection;
};

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
    clip->layers[i] = clip_layer_bind (b, d, config->mlp_dim,
                                       name_of ("%s.text_model.encoder.layers.%d", prefix, i).text);
  clip->final_norm = bind_norm (b, d, name_of ("%s.text_model.final_layer_norm", prefix).text);
  if (config->projection_dim > 0)
    clip->projection.weight =
        weights_bind_optional (b->weights, 2, (int64_t[]){ config->projection_dim, d },
                               "%s.text_projection.weight", prefix);
  return clip;
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
  const ClipLayerOptions layer = { c->n_heads, c->activation, .causal = true };
  int n_run = options.eos ? c->n_layers : stop;
  Tensor *x = options.embedded
                  ? op_view (ctx, options.embedded, options.embedded->rank, options.embedded->ne)
                  : op_embed (ctx, ids, n_chunks, length, clip->tokens, clip->positions);
  for (int i = 0; i < n_run; i++)
    {
      if (i == stop)
        out.hidden = x;
      x = clip_layer_forward (ctx, &clip->layers[i], layer, x);
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
