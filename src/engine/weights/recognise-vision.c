/* SPDX-License-Identifier: MPL-2.0
 * recognise-vision.c - CLIP's image encoders, from their weights' shapes.
 */
#include <math.h>

#include "weights/recognise-private.h"

enum
{
  COLOURS = 3,
  BASE_DIM = 768, /* ViT-B */
  BASE_HEADS = 12,
  OPENAI_DIM = 1024, /* ViT-L, which OpenAI trained with its own activation */
  USUAL_HEADS = 16   /* ViT-L, H and bigG, of 64, 80 and 104 columns */
};

static int
root_of (int n)
{
  int root = (int) lround (sqrt (n));
  return root * root == n ? root : 0;
}

bool
recognise_vision (ClipVisionConfig *c, const WeightSet *set, const char *label, Status *status)
{
#define MODEL "image_encoder.vision_model."
  const Weight *patch = find_weight (set, MODEL "embeddings.patch_embedding.weight");
  c->dim = weight_dim (patch, 0);
  c->patch = root_of (weight_dim (patch, 1) / COLOURS);
  c->n_positions = weight_dim (find_weight (set, MODEL "embeddings.position_embedding.weight"), 0);
  c->image_size = c->patch * root_of (c->n_positions - 1);
  c->n_layers = count_blocks (set, MODEL "encoder.layers", "self_attn.q_proj.weight");
  c->mlp_dim = weight_dim (find_weight (set, MODEL "encoder.layers.0.mlp.fc1.weight"), 0);
  c->projection_dim = weight_dim (find_weight (set, "image_encoder.visual_projection.weight"), 0);
  c->n_heads = c->dim == BASE_DIM ? BASE_HEADS : c->dim > BASE_DIM ? USUAL_HEADS : 1;
  c->activation = c->dim == BASE_DIM || c->dim == OPENAI_DIM ? CLIP_QUICK_GELU : CLIP_GELU;
  if (!c->dim || !c->image_size || c->n_layers < 2 || !c->mlp_dim || c->dim % c->n_heads)
    return damaged (status, label, "its image encoder lacks layers");
  return true;
}
