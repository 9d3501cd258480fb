/* SPDX-License-Identifier: MPL-2.0
 * names-transformers.c - rules for FLUX.1's transformer and T5's encoder.
 *
 * Source of the correspondences: Black Forest Labs' and diffusers' module trees; transformers',
 * Wan's and llama.cpp's names of T5, as their files have them.
 */
#include "weights/names-private.h"

/* ---- FLUX.1 as Black Forest Labs publish it: queries, keys and values in one ---- */

static const NameRule embedder_rules[] = {
  { "in_layer.*", "linear_1." },
  { "out_layer.*", "linear_2." },
  { 0 },
};

/* Norms of heads are called "scale", or "weight" where a converter thought so. */
static const NameRule double_rules[] = {
  { "img_mod.lin.*", "norm1.linear." },
  { "txt_mod.lin.*", "norm1_context.linear." },
  { "img_attn.qkv.*", "attn.{to_q|to_k|to_v}.", NULL, NAME_SPLIT },
  { "txt_attn.qkv.*", "attn.{add_q_proj|add_k_proj|add_v_proj}.", NULL, NAME_SPLIT },
  { "img_attn.norm.query_norm.scale", "attn.norm_q.weight" },
  { "img_attn.norm.key_norm.scale", "attn.norm_k.weight" },
  { "txt_attn.norm.query_norm.scale", "attn.norm_added_q.weight" },
  { "txt_attn.norm.key_norm.scale", "attn.norm_added_k.weight" },
  { "img_attn.norm.query_norm.weight", "attn.norm_q.weight" },
  { "img_attn.norm.key_norm.weight", "attn.norm_k.weight" },
  { "txt_attn.norm.query_norm.weight", "attn.norm_added_q.weight" },
  { "txt_attn.norm.key_norm.weight", "attn.norm_added_k.weight" },
  { "img_attn.proj.*", "attn.to_out.0." },
  { "txt_attn.proj.*", "attn.to_add_out." },
  { "img_mlp.0.*", "ff.net.0.proj." },
  { "img_mlp.2.*", "ff.net.2." },
  { "txt_mlp.0.*", "ff_context.net.0.proj." },
  { "txt_mlp.2.*", "ff_context.net.2." },
  { 0 },
};

static const NameRule single_rules[] = {
  { "modulation.lin.*", "norm.linear." },
  { "linear1.*", "{attn.to_q|attn.to_k|attn.to_v|proj_mlp}.", NULL, NAME_SPLIT_WIDTHS },
  { "linear2.*", "proj_out." },
  { "norm.query_norm.scale", "attn.norm_q.weight" },
  { "norm.key_norm.scale", "attn.norm_k.weight" },
  { "norm.query_norm.weight", "attn.norm_q.weight" },
  { "norm.key_norm.weight", "attn.norm_k.weight" },
  { 0 },
};

const NameRule names_flux_bfl[] = {
  { "img_in.*", "x_embedder." },
  { "txt_in.*", "context_embedder." },
  { "time_in.*", "time_text_embed.timestep_embedder.", embedder_rules },
  { "vector_in.*", "time_text_embed.text_embedder.", embedder_rules },
  { "guidance_in.*", "time_text_embed.guidance_embedder.", embedder_rules },
  { "double_blocks.#.*", "transformer_blocks.{1}.", double_rules },
  { "single_blocks.#.*", "single_transformer_blocks.{1}.", single_rules },
  { "final_layer.linear.*", "proj_out." },
  { "final_layer.adaLN_modulation.1.*", "norm_out.{shift|scale}.", NULL, NAME_SPLIT },
  { 0 },
};

/* The last norm's halves lie the other way round than in the layout above. */
const NameRule names_flux_diffusers[] = {
  { "x_embedder.*", "x_embedder." },
  { "context_embedder.*", "context_embedder." },
  { "time_text_embed.*", "time_text_embed." },
  { "transformer_blocks.#.*", "transformer_blocks.{1}." },
  { "single_transformer_blocks.#.*", "single_transformer_blocks.{1}." },
  { "norm_out.linear.*", "norm_out.{scale|shift}.", NULL, NAME_SPLIT },
  { "proj_out.*", "proj_out." },
  { 0 },
};

/* ---- T5 ---- */

const NameRule names_t5_hf[] = {
  { "shared.*", "shared." },
  { "encoder.embed_tokens.weight", "shared.weight", NULL, NAME_ALIAS },
  { "encoder.*", "encoder." },
  { 0 },
};

static const NameRule wan_block_rules[] = {
  { "norm1.*", "layer.0.layer_norm." },
  { "attn.*", "layer.0.SelfAttention." },
  { "pos_embedding.embedding.*", "layer.0.SelfAttention.relative_attention_bias." },
  { "norm2.*", "layer.1.layer_norm." },
  { "ffn.gate.0.*", "layer.1.DenseReluDense.wi_0." },
  { "ffn.fc1.*", "layer.1.DenseReluDense.wi_1." },
  { "ffn.fc2.*", "layer.1.DenseReluDense.wo." },
  { 0 },
};

const NameRule names_t5_wan[] = {
  { "token_embedding.*", "shared." },
  { "blocks.#.*", "encoder.block.{1}.", wan_block_rules },
  { "norm.weight", "encoder.final_layer_norm.weight" },
  { 0 },
};

static const NameRule gguf_block_rules[] = {
  { "attn_norm.*", "layer.0.layer_norm." },
  { "attn_q.*", "layer.0.SelfAttention.q." },
  { "attn_k.*", "layer.0.SelfAttention.k." },
  { "attn_v.*", "layer.0.SelfAttention.v." },
  { "attn_o.*", "layer.0.SelfAttention.o." },
  { "attn_rel_b.*", "layer.0.SelfAttention.relative_attention_bias." },
  { "ffn_norm.*", "layer.1.layer_norm." },
  { "ffn_gate.*", "layer.1.DenseReluDense.wi_0." },
  { "ffn_up.*", "layer.1.DenseReluDense.wi_1." },
  { "ffn_down.*", "layer.1.DenseReluDense.wo." },
  { 0 },
};

const NameRule names_t5_gguf[] = {
  { "token_embd.*", "shared." },
  { "enc.blk.#.*", "encoder.block.{1}.", gguf_block_rules },
  { "enc.output_norm.*", "encoder.final_layer_norm." },
  { 0 },
};
