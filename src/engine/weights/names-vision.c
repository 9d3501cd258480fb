/* SPDX-License-Identifier: MPL-2.0
 * names-vision.c - rules for CLIP's image encoders.
 *
 * Source of the correspondences: transformers', OpenCLIP's and Wan-Video's module trees, as their
 * files have them.
 */
#include "weights/names-private.h"

static const NameRule embedding_rules[] = {
  { "class_embedding", "class_embedding", NULL, NAME_ROWS },
  { "patch_embedding.weight", "patch_embedding.weight", NULL, NAME_FLATTEN },
  { "position_embedding.*", "position_embedding." },
  { 0 },
};

const NameRule names_vision_hf[] = {
  { "vision_model.embeddings.*", "vision_model.embeddings.", embedding_rules },
  { "vision_model.*", "vision_model." },
  { "visual_projection.*", "visual_projection." },
  { 0 },
};

#define EMBEDDINGS "vision_model.embeddings."

static const NameRule openclip_layer_rules[] = {
  { "ln_1.*", "layer_norm1." },
  { "ln_2.*", "layer_norm2." },
  { "attn.in_proj_weight", "self_attn.{q_proj|k_proj|v_proj}.weight", NULL, NAME_SPLIT },
  { "attn.in_proj_bias", "self_attn.{q_proj|k_proj|v_proj}.bias", NULL, NAME_SPLIT },
  { "attn.out_proj.*", "self_attn.out_proj." },
  { "mlp.c_fc.*", "mlp.fc1." },
  { "mlp.c_proj.*", "mlp.fc2." },
  { 0 },
};

const NameRule names_vision_openclip[] = {
  { "class_embedding", EMBEDDINGS "class_embedding", NULL, NAME_ROWS },
  { "conv1.weight", EMBEDDINGS "patch_embedding.weight", NULL, NAME_FLATTEN },
  { "positional_embedding", EMBEDDINGS "position_embedding.weight" },
  { "ln_pre.*", "vision_model.pre_layrnorm." },
  { "transformer.resblocks.#.*", "vision_model.encoder.layers.{1}.", openclip_layer_rules },
  { "ln_post.*", "vision_model.post_layernorm." },
  { "proj", "visual_projection.weight", NULL, NAME_TRANSPOSE },
  { 0 },
};

static const NameRule wan_layer_rules[] = {
  { "norm1.*", "layer_norm1." },
  { "norm2.*", "layer_norm2." },
  { "attn.to_qkv.*", "self_attn.{q_proj|k_proj|v_proj}.", NULL, NAME_SPLIT },
  { "attn.proj.*", "self_attn.out_proj." },
  { "mlp.0.*", "mlp.fc1." },
  { "mlp.2.*", "mlp.fc2." },
  { 0 },
};

const NameRule names_vision_wan[] = {
  { "cls_embedding", EMBEDDINGS "class_embedding", NULL, NAME_ROWS },
  { "patch_embedding.weight", EMBEDDINGS "patch_embedding.weight", NULL, NAME_FLATTEN },
  { "pos_embedding", EMBEDDINGS "position_embedding.weight", NULL, NAME_ROWS },
  { "pre_norm.*", "vision_model.pre_layrnorm." },
  { "transformer.#.*", "vision_model.encoder.layers.{1}.", wan_layer_rules },
  { "post_norm.*", "vision_model.post_layernorm." },
  { "head", "visual_projection.weight", NULL, NAME_TRANSPOSE },
  { 0 },
};
