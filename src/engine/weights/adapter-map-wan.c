/* SPDX-License-Identifier: MPL-2.0
 * adapter-map-wan.c - the layers of Wan's transformers: canonical (diffusers) names and the
 * original ones.
 *
 * Source of the correspondences: Wan-Video's and diffusers' module trees, see names-wan.c.
 */
#include <stdio.h>
#include <string.h>

#include "weights/adapter-map-private.h"

enum
{
  NAME_SIZE = 256
};

typedef struct
{
  const char *from, *to; /* behind the block's name */
} AliasRow;

#define CONDITION "condition_embedder."

static const AliasRow ends[] = {
  { CONDITION "time_embedder.linear_1", "time_embedding.0" },
  { CONDITION "time_embedder.linear_2", "time_embedding.2" },
  { CONDITION "time_proj", "time_projection.1" },
  { CONDITION "text_embedder.linear_1", "text_embedding.0" },
  { CONDITION "text_embedder.linear_2", "text_embedding.2" },
  { CONDITION "image_embedder.norm1", "img_emb.proj.0" },
  { CONDITION "image_embedder.ff.net.0.proj", "img_emb.proj.1" },
  { CONDITION "image_embedder.ff.net.2", "img_emb.proj.3" },
  { CONDITION "image_embedder.norm2", "img_emb.proj.4" },
  { CONDITION "image_embedder.pos_embed", "img_emb.emb_pos" },
  { "scale_shift_table", "head.modulation" },
  { "proj_out", "head.head" },
};

/* The affine norm before cross-attention is the third of the original's. */
static const AliasRow inner[] = {
  { "scale_shift_table", "modulation" },
  { "attn1.to_q", "self_attn.q" },
  { "attn1.to_k", "self_attn.k" },
  { "attn1.to_v", "self_attn.v" },
  { "attn1.to_out.0", "self_attn.o" },
  { "attn1.norm_q", "self_attn.norm_q" },
  { "attn1.norm_k", "self_attn.norm_k" },
  { "attn2.to_q", "cross_attn.q" },
  { "attn2.to_k", "cross_attn.k" },
  { "attn2.to_v", "cross_attn.v" },
  { "attn2.to_out.0", "cross_attn.o" },
  { "attn2.norm_q", "cross_attn.norm_q" },
  { "attn2.norm_k", "cross_attn.norm_k" },
  { "attn2.add_k_proj", "cross_attn.k_img" },
  { "attn2.add_v_proj", "cross_attn.v_img" },
  { "attn2.norm_added_k", "cross_attn.norm_k_img" },
  { "norm2", "norm3" },
  { "ffn.net.0.proj", "ffn.0" },
  { "ffn.net.2", "ffn.2" },
};

static const char *
alias_of (const AliasRow *rows, size_t n, const char *name)
{
  for (size_t i = 0; i < n; i++)
    if (strcmp (rows[i].from, name) == 0)
      return rows[i].to;
  return NULL;
}

/* @head: "" or the block's name with its dot */
static bool
add_both (AdapterMap *map,
          const char *head,
          const char *alias,
          const char *name,
          const AdapterPlace *place,
          Status *status)
{
  char original[NAME_SIZE];
  snprintf (original, sizeof original, "%s%s", head, alias ? alias : "");
  return (!alias || adapter_map_add (map, PART_NETWORK, original, place, status)) &&
         adapter_map_add (map, PART_NETWORK, name, place, status);
}

bool
adapter_map_wan (
    AdapterMap *map, const ModelConfig *config, const char *layer, const char *name, Status *status)
{
  char head[NAME_SIZE] = "";
  int i, n = 0;
  AdapterPlace place = { .targets = { { .layer = layer } }, .n_targets = 1 };
  if (sscanf (name, "blocks.%3d.%n", &i, &n) != 1 || n == 0 || i < 0)
    return add_both (map, head, alias_of (ends, sizeof ends / sizeof *ends, name), name, &place,
                     status);
  snprintf (head, sizeof head, "blocks.%d.", i);
  return add_both (map, head, alias_of (inner, sizeof inner / sizeof *inner, name + n), name,
                   &place, status);
}
