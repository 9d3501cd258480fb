/* SPDX-License-Identifier: MPL-2.0
 * adapter-base.c - which trainer wrote an adapter, and for which model.
 *
 * Tensors cannot lie: widths and block names decide.  Metadata is only asked where they leave it
 * open, because files are merged, converted and renamed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/adapter-private.h"

enum
{
  WIDTH_SD15 = 768,
  WIDTH_SD2 = 1024,
  WIDTH_SDXL = 2048, /* both text encoders joined */
  WIDTH_BIGG = 1280,
  FLUX_DOUBLE_BLOCKS = 19
};

typedef struct
{
  const char *part; /* of a layer's name, with underscores */
  AdapterBase base;
  const char *name; /* NULL: the base's own */
} PartRow;

/* In order: the first row of which any layer has the part decides. */
static const PartRow parts[] = {
  { "double_stream_modulation", BASE_OTHER, "FLUX.2" },
  { "to_qkv_mlp_proj", BASE_OTHER, "FLUX.2" },
  { "individual_token_refiner", BASE_OTHER, "HunyuanVideo" },
  { "double_stream_blocks", BASE_OTHER, "HiDream" },
  { "single_transformer_blocks", BASE_FLUX, NULL },
  { "double_blocks_", BASE_FLUX, NULL },
  { "single_blocks_", BASE_FLUX, NULL },
  { "joint_blocks_", BASE_OTHER, "Stable Diffusion 3" },
  { "adaln_modulation", BASE_OTHER, "Cosmos" },
  { "attn_add_q_proj", BASE_OTHER, "Qwen-Image or Stable Diffusion 3" },
  { "img_mlp_net", BASE_OTHER, "Qwen-Image" },
  { "layers_0_attention_", BASE_OTHER, "Z-Image or Lumina" },
  { "noise_refiner_", BASE_OTHER, "Z-Image or Lumina" },
  { "_cross_attn_", BASE_WAN, NULL },
  { "blocks_0_self_attn_q", BASE_WAN, NULL },
  { "_ffn_net_0_proj", BASE_WAN, NULL },
  { "lora_te2_text_model", BASE_SDXL, NULL },
  { "text_encoder_2_text_model", BASE_SDXL, NULL },
  { "label_emb", BASE_SDXL, NULL },
  { "add_embedding", BASE_SDXL, NULL },
};

static bool
is_unet (const char *flat)
{
  return strstr (flat, "down_blocks_") || strstr (flat, "up_blocks_") ||
         strstr (flat, "mid_block_") || strstr (flat, "input_blocks_") ||
         strstr (flat, "output_blocks_") || strstr (flat, "middle_block_");
}

/* Columns of the layer that @m changes; 0 when its kind does not tell. */
static int64_t
input_width (const AdapterModule *m)
{
  static const AdapterRole roles[] = { ROLE_DOWN, ROLE_HADA_W1_B, ROLE_A2, ROLE_DIFF, ROLE_SET };
  for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
    {
      const FileTensor *t = m->tensors[roles[i]];
      if (t && t->rank >= 2)
        return t->ne[1];
    }
  return 0;
}

/* Cross attention is as wide as the text, text encoders are as wide as themselves. */
static AdapterBase
base_of_width (const char *flat, int64_t width)
{
  bool is_cross = is_unet (flat) && (strstr (flat, "attn2_to_k") || strstr (flat, "attn2_to_v"));
  bool is_text = strstr (flat, "text_model_encoder_layers_") && strstr (flat, "self_attn_");
  if (is_cross && width == WIDTH_SDXL)
    return BASE_SDXL;
  if (is_cross && width == WIDTH_SD15)
    return BASE_SD15;
  if ((is_cross || is_text) && width == WIDTH_SD2)
    return BASE_SD2;
  return is_text && width == WIDTH_BIGG ? BASE_SDXL : BASE_UNKNOWN;
}

/* The number behind @word in @flat, or -1. */
static int
number_behind (const char *flat, const char *word)
{
  const char *p = strstr (flat, word);
  return p ? atoi (p + strlen (word)) : -1;
}

static void
certain (AdapterFile *a, AdapterBase base, const char *name)
{
  a->base = base;
  a->base_is_certain = true;
  a->base_name = name ? name : adapter_base_name (base);
}

static void
base_of_layers (AdapterFile *a)
{
  char flat[ADAPTER_KEY_SIZE];
  size_t best = sizeof parts / sizeof *parts;
  AdapterBase by_width = BASE_UNKNOWN;
  bool deep = false, many = false;
  for (size_t i = 0; i < a->n_modules; i++)
    {
      adapter_flatten (flat, sizeof flat, a->modules[i].layer);
      bool unet = is_unet (flat);
      a->has_text |= strstr (flat, "text_model") || strstr (flat, "lora_te") ||
                     strstr (flat, "text_encoder") || strstr (flat, "SelfAttention");
      a->has_unet |= !strstr (flat, "text_model");
      deep |= unet && number_behind (flat, "transformer_blocks_") >= 2;
      many |= number_behind (flat, "double_blocks_") >= FLUX_DOUBLE_BLOCKS;
      if (by_width == BASE_UNKNOWN)
        by_width = base_of_width (flat, input_width (&a->modules[i]));
      for (size_t r = 0; r < best; r++)
        if (strstr (flat, parts[r].part))
          best = r;
    }
  if (many)
    certain (a, BASE_OTHER, "HunyuanVideo");
  else if (best < sizeof parts / sizeof *parts)
    certain (a, parts[best].base, parts[best].name);
  else if (by_width != BASE_UNKNOWN)
    certain (a, by_width, NULL);
  else if (deep)
    certain (a, BASE_SDXL, NULL);
}

static const struct
{
  const char *head;
  AdapterBase base;
} claims[] = {
  { "sd_v1", BASE_SD15 },
  { "sd_1", BASE_SD15 },
  { "sd1", BASE_SD15 },
  { "sd_v2", BASE_SD2 },
  { "sd_2", BASE_SD2 },
  { "sdxl", BASE_SDXL },
  { "flux1", BASE_FLUX },
  { "flux-1", BASE_FLUX },
  { "flux.1", BASE_FLUX },
  { "Flux.1", BASE_FLUX },
  { "flux", BASE_FLUX },
  { "wan", BASE_WAN },
  { "stable-diffusion-v1", BASE_SD15 },
  { "stable-diffusion-v2", BASE_SD2 },
  { "stable-diffusion-xl", BASE_SDXL },
};

static void
base_of_metadata (AdapterFile *a)
{
  static const char *const keys[] = { "ss_base_model_version", "modelspec.architecture",
                                      "ss_base_model" };
  const TensorTable *table = &a->source.table;
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
    {
      const char *value = table_metadata (table, keys[k]);
      for (size_t i = 0; value && i < sizeof claims / sizeof *claims; i++)
        if (strncmp (value, claims[i].head, strlen (claims[i].head)) == 0)
          {
            a->base = claims[i].base;
            a->base_name = adapter_base_name (a->base);
            return;
          }
    }
  const char *v2 = table_metadata (table, "ss_v2");
  if (v2 && strcmp (v2, "True") == 0)
    a->base = BASE_SD2;
  a->base_name = adapter_base_name (a->base);
}

typedef struct
{
  const char *part; /* of a tensor's name */
  bool at_start;
  const char *naming;
} NamingRow;

static const NamingRow namings[] = {
  { "bundle_emb.", true, "OMI" },
  { ".qkv.0.", false, "OMI" },
  { "lora_transformer_", true, "OneTrainer" },
  { "lycoris_", true, "LyCORIS" },
  { "lora_unet_", true, "kohya" },
  { "lora_te", true, "kohya" },
  { "oft_unet_", true, "kohya" },
  { ".processor.qkv_lora", false, "XLabs" },
  { ".processor.proj_lora", false, "XLabs" },
  { ".processor.to_", false, "diffusers, old" },
  { ".lora_linear_layer.", false, "diffusers, old" },
  { "pipe.dit.", true, "DiffSynth" },
  { "base_model.model.", true, "PEFT" },
  { "diffusion_model.", true, "native" },
  { "model.diffusion_model.", true, "native" },
  { "text_encoders.", true, "native" },
  { "unet.", true, "PEFT, diffusers" },
  { "transformer.", true, "PEFT, diffusers" },
  { "text_encoder", true, "PEFT, diffusers" },
};

static const char *
naming_of (const AdapterFile *a)
{
  const TensorTable *table = &a->source.table;
  if (table_metadata (table, "ot_branch"))
    return "OneTrainer";
  const char *software = table_metadata (table, "software");
  if (software && strstr (software, "ai-toolkit"))
    return "ai-toolkit";
  for (size_t r = 0; r < sizeof namings / sizeof *namings; r++)
    for (size_t i = 0; i < table->n_items; i++)
      {
        const char *p = strstr (table->items[i].name, namings[r].part);
        if (p && (!namings[r].at_start || p == table->items[i].name))
          return namings[r].naming;
      }
  return "bare layer names";
}

void
adapter_recognise (AdapterFile *a)
{
  a->naming = naming_of (a);
  base_of_layers (a);
  if (a->base == BASE_UNKNOWN)
    base_of_metadata (a);
}
