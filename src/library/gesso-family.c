/* SPDX-License-Identifier: MPL-2.0
 * gesso-family.c - the family of what the engine does not say it of: adapters, embeddings, models
 * of other kinds.
 */
#include "library/gesso-family.h"

#include <glib.h>
#include <string.h>

enum
{
  WIDTH_SD15 = 768, /* of text embeddings */
  WIDTH_SD2 = 1024,
  WIDTH_BIG_G = 1280,
  WIDTH_SDXL = 2048,
  WIDTH_T5 = 4096,
  EMBEDDING_MAX_TENSORS = 4
};

/* The last dimension of the first tensor whose name holds @part; 0: none */
static int64_t
width_of (const TensorTable *table, const char *part, const char *tail)
{
  for (size_t i = 0; i < table->n_items; i++)
    {
      const FileTensor *t = &table->items[i];
      if (t->rank >= 2 && strstr (t->name, part) && g_str_has_suffix (t->name, tail))
        return t->ne[1];
    }
  return 0;
}

static gboolean
has_part (const TensorTable *table, const char *part)
{
  for (size_t i = 0; i < table->n_items; i++)
    if (strstr (table->items[i].name, part))
      return TRUE;
  return FALSE;
}

static const char *
family_of_width (int64_t width)
{
  switch (width)
    {
    case WIDTH_SD15:
      return "SD 1.5";
    case WIDTH_SD2:
      return "SD 2";
    case WIDTH_BIG_G:
    case WIDTH_SDXL:
      return "SDXL";
    default:
      return "";
    }
}

static const char *
family_of_metadata (const TensorTable *table)
{
  static const char *const keys[] = { "modelspec.architecture", "ss_base_model_version",
                                      "ss_base_model" };
  static const char *const names[][2] = {
    { "stable-diffusion-xl", "SDXL" },
    { "sdxl", "SDXL" },
    { "stable-diffusion-v1", "SD 1.5" },
    { "sd_v1", "SD 1.5" },
    { "sd_1.5", "SD 1.5" },
    { "stable-diffusion-v2", "SD 2" },
    { "sd_v2", "SD 2" },
    { "sd_2", "SD 2" },
    { "flux2", "FLUX.2" },
    { "flux-2", "FLUX.2" },
    { "flux.2", "FLUX.2" },
    { "flux", "FLUX.1" },
    { "wan", "Wan" },
  };
  for (guint k = 0; k < G_N_ELEMENTS (keys); k++)
    {
      const char *value = table_metadata (table, keys[k]);
      for (guint n = 0; value && n < G_N_ELEMENTS (names); n++)
        if (strstr (value, names[n][0]))
          return names[n][1];
    }
  return "";
}

/* Relatives first: their keys contain those of the family that they come from. */
static const char *
family_of_names (const TensorTable *table)
{
  static const char *const rows[][2] = {
    { "double_stream_modulation_", "FLUX.2" },
    { "to_qkv_mlp_proj", "FLUX.2" }, /* of its single blocks, in diffusers' names */
    { "distilled_guidance_layer", "Chroma" },
    { "individual_token_refiner", "HunyuanVideo" },
    { "img_attn_qkv", "HunyuanVideo" },
    { "joint_blocks.", "SD 3" },
    { "double_blocks", "FLUX.1" },
    { "single_transformer_blocks", "FLUX.1" },
    { "head.modulation", "Wan" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    if (has_part (table, rows[i][0]))
      return rows[i][1];
  gboolean is_wan =
      (has_part (table, "blocks.0.self_attn") || has_part (table, "blocks_0_self_attn")) &&
      (has_part (table, ".ffn") || has_part (table, "_ffn"));
  return is_wan ? "Wan" : "";
}

/* By its own word, then by the widths of the text that its cross attention reads, then by names. */
const char *
gesso_family_of_adapter (const TensorTable *table)
{
  static const char *const downs[] = { "lora_down.weight", "lora_A.weight", "lora.down.weight",
                                       "hada_w1_b", "attn2.to_k.weight" };
  const char *family = family_of_metadata (table);
  if (!*family)
    family = family_of_names (table);
  for (guint i = 0; i < G_N_ELEMENTS (downs) && !*family; i++)
    {
      family = family_of_width (width_of (table, "attn2_to_k", downs[i]));
      if (!*family)
        family = family_of_width (width_of (table, "attn2.to_k", downs[i]));
    }
  if (!*family && (has_part (table, "lora_te2_") || has_part (table, "transformer_blocks_2_") ||
                   has_part (table, "transformer_blocks.2.")))
    family = "SDXL";
  return *family || !has_part (table, "lora_te_text_model") ? family : "SD 1.5";
}

const char *
gesso_family_of_keys (const TensorTable *table)
{
  const char *family = family_of_names (table);
  return *family ? family : family_of_width (width_of (table, "attn2.to_k", "weight"));
}

/* Vectors are (n, width), or one vector (width). */
gboolean
gesso_family_is_embedding (const TensorTable *table)
{
  for (size_t i = 0; i < table->n_items; i++)
    {
      const FileTensor *t = &table->items[i];
      if (t->rank < 1 || t->rank > 2)
        return FALSE;
      int64_t w = t->ne[t->rank - 1];
      if (w != WIDTH_SD15 && w != WIDTH_SD2 && w != WIDTH_BIG_G && w != WIDTH_T5)
        return FALSE;
    }
  return table->n_items > 0 && table->n_items <= EMBEDDING_MAX_TENSORS;
}

const char *
gesso_family_of_embedding (const TensorTable *table)
{
  if (table_find (table, "clip_g"))
    return "SDXL";
  int64_t width = 0;
  for (size_t i = 0; i < table->n_items; i++)
    if (table->items[i].rank > 0)
      width = MAX (width, table->items[i].ne[table->items[i].rank - 1]);
  return family_of_width (width);
}
