/* SPDX-License-Identifier: MPL-2.0
 * names-wan.c - rules for Wan's transformer.
 *
 * Source of the correspondences: Wan-Video's and diffusers' module trees.  The norm before
 * cross-attention is the third in one and the second in the other; the rest have no weights.
 */
#include "weights/names-private.h"

static const NameRule block_rules[] = {
  { "modulation", "scale_shift_table", NULL, NAME_FLATTEN },
  { "self_attn.q.*", "attn1.to_q." },
  { "self_attn.k.*", "attn1.to_k." },
  { "self_attn.v.*", "attn1.to_v." },
  { "self_attn.o.*", "attn1.to_out.0." },
  { "self_attn.norm_q.*", "attn1.norm_q." },
  { "self_attn.norm_k.*", "attn1.norm_k." },
  { "cross_attn.q.*", "attn2.to_q." },
  { "cross_attn.k.*", "attn2.to_k." },
  { "cross_attn.v.*", "attn2.to_v." },
  { "cross_attn.o.*", "attn2.to_out.0." },
  { "cross_attn.norm_q.*", "attn2.norm_q." },
  { "cross_attn.norm_k.*", "attn2.norm_k." },
  { "cross_attn.k_img.*", "attn2.add_k_proj." },
  { "cross_attn.v_img.*", "attn2.add_v_proj." },
  { "cross_attn.norm_k_img.*", "attn2.norm_added_k." },
  { "norm3.*", "norm2." },
  { "ffn.0.*", "ffn.net.0.proj." },
  { "ffn.2.*", "ffn.net.2." },
  { 0 },
};

#define IMAGE "condition_embedder.image_embedder."

const NameRule names_wan[] = {
  { "patch_embedding.weight", "patch_embedding.weight", NULL, NAME_FLATTEN },
  { "patch_embedding.bias", "patch_embedding.bias" },
  { "time_embedding.0.*", "condition_embedder.time_embedder.linear_1." },
  { "time_embedding.2.*", "condition_embedder.time_embedder.linear_2." },
  { "time_projection.1.*", "condition_embedder.time_proj." },
  { "text_embedding.0.*", "condition_embedder.text_embedder.linear_1." },
  { "text_embedding.2.*", "condition_embedder.text_embedder.linear_2." },
  { "img_emb.proj.0.*", IMAGE "norm1." },
  { "img_emb.proj.1.*", IMAGE "ff.net.0.proj." },
  { "img_emb.proj.3.*", IMAGE "ff.net.2." },
  { "img_emb.proj.4.*", IMAGE "norm2." },
  { "img_emb.emb_pos", IMAGE "pos_embed", NULL, NAME_FLATTEN },
  { "blocks.#.*", "blocks.{1}.", block_rules },
  { "head.modulation", "scale_shift_table", NULL, NAME_FLATTEN },
  { "head.head.*", "proj_out." },
  { 0 },
};

static const NameRule diffusers_block_rules[] = {
  { "scale_shift_table", "scale_shift_table", NULL, NAME_FLATTEN },
  { "*", "" },
  { 0 },
};

const NameRule names_wan_diffusers[] = {
  { "patch_embedding.weight", "patch_embedding.weight", NULL, NAME_FLATTEN },
  { "patch_embedding.bias", "patch_embedding.bias" },
  { IMAGE "pos_embed", IMAGE "pos_embed", NULL, NAME_FLATTEN },
  { "condition_embedder.*", "condition_embedder." },
  { "blocks.#.*", "blocks.{1}.", diffusers_block_rules },
  { "scale_shift_table", "scale_shift_table", NULL, NAME_FLATTEN },
  { "proj_out.*", "proj_out." },
  { 0 },
};
