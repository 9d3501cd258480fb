/* SPDX-License-Identifier: MPL-2.0 */
#include "models/clip-vision.h"

#include "models/clip-layer.h"

static const float CLIP_VISION_EPS = 1e-5f;

enum
{
  COLOURS = 3
};

struct ClipVision
{
  ClipVisionConfig config;
  const Weight *class, *positions;
  Layer patch_in, norm_in;
  int32_t *rows; /* 0 .. n_positions - 1 */
  ClipLayer *layers;
};

static bool
is_sound (const ClipVisionConfig *c)
{
  int side = c->patch > 0 ? c->image_size / c->patch : 0;
  return c->dim > 0 && c->n_heads > 0 && c->dim % c->n_heads == 0 && c->mlp_dim > 0 &&
         c->n_layers > 1 && side > 0 && c->n_positions == side * side + 1;
}

static bool
allocate (const Binder *b, ClipVision *v)
{
  size_t n = (size_t) v->config.n_positions;
  v->layers = arena_alloc (b->arena, (size_t) v->config.n_layers * sizeof *v->layers, b->status);
  v->rows = v->layers ? arena_alloc (b->arena, n * sizeof *v->rows, b->status) : NULL;
  for (size_t i = 0; v->rows && i < n; i++)
    v->rows[i] = (int32_t) i;
  return v->rows != NULL;
}

static void
bind_all (const Binder *b, ClipVision *v)
{
#define MODEL "image_encoder.vision_model."
  const ClipVisionConfig *c = &v->config;
  int64_t d = c->dim;
  v->class = weights_bind (b->weights, 2, (int64_t[]){ 1, d }, MODEL "embeddings.class_embedding");
  v->positions = weights_bind (b->weights, 2, (int64_t[]){ c->n_positions, d },
                               MODEL "embeddings.position_embedding.weight");
  v->patch_in =
      bind_linear (b, d, clip_vision_patch_size (c), false, MODEL "embeddings.patch_embedding");
  v->norm_in = bind_norm (b, d, MODEL "pre_layrnorm"); /* as transformers spell it */
  for (int i = 0; i < c->n_layers; i++)
    v->layers[i] = clip_layer_bind (b, d, c->mlp_dim, name_of (MODEL "encoder.layers.%d", i).text);
  weights_bind_optional (b->weights, 1, &d, MODEL "post_layernorm.weight");
  weights_bind_optional (b->weights, 1, &d, MODEL "post_layernorm.bias");
  if (c->projection_dim > 0)
    weights_bind_optional (b->weights, 2, (int64_t[]){ c->projection_dim, d },
                           "image_encoder.visual_projection.weight");
}

ClipVision *
clip_vision_bind (const Binder *b, const ClipVisionConfig *config)
{
  if (!is_sound (config))
    {
      status_fail (b->status, STATUS_UNSUPPORTED,
                   "This image encoder's configuration is not CLIP's.");
      return NULL;
    }
  ClipVision *v = arena_alloc (b->arena, sizeof *v, b->status);
  if (!v)
    return NULL;
  v->config = *config;
  if (!allocate (b, v))
    return NULL;
  bind_all (b, v);
  return v;
}

int64_t
clip_vision_patch_size (const ClipVisionConfig *c)
{
  return COLOURS * (int64_t) c->patch * c->patch;
}

void
clip_vision_patchify (float *patches, const float *pixels, const ClipVisionConfig *c)
{
  int p = c->patch, across = c->image_size / p;
  for (int i = 0; i + 1 < c->n_positions; i++)
    for (int colour = 0; colour < COLOURS; colour++)
      for (int k = 0; k < p * p; k++)
        {
          int64_t y = i / across * p + k / p, x = i % across * p + k % p;
          *patches++ = pixels[(y * c->image_size + x) * COLOURS + colour];
        }
}

Tensor *
clip_vision_forward (Ctx *ctx, const ClipVision *v, const Tensor *patches)
{
  const ClipVisionConfig *c = &v->config;
  const ClipLayerOptions layer = { c->n_heads, c->activation, .causal = false };
  if (!ctx_failed (ctx) && (!patches || patches->rank != 3 || patches->ne[0] != 1 ||
                            patches->ne[1] != c->n_positions - 1))
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: patches do not fit this image encoder.");
  Tensor *x = op_linear (ctx, patches, v->patch_in, NULL);
  x = op_join (ctx, op_embed (ctx, v->rows, 1, 1, v->class, NULL), x);
  x = op_add (ctx, x, op_embed (ctx, v->rows, 1, c->n_positions, v->positions, NULL));
  x = op_layer_norm (ctx, x, v->norm_in, CLIP_VISION_EPS);
  for (int i = 0; i + 1 < c->n_layers; i++)
    x = clip_layer_forward (ctx, &v->layers[i], layer, x);
  ctx_keep (ctx, x);
  return x;
}
