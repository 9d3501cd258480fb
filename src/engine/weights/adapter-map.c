/* SPDX-License-Identifier: MPL-2.0
 * adapter-map.c - the dictionary from trainers' names to a model's layers.
 *
 * Keys are a part's letter and the layer's name there, with underscores: "u:mid_block_...".  What
 * trainers put in front of it is taken off by the prefix table first.
 */
#include "weights/adapter-map.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "weights/adapter-map-private.h"
#include "weights/adapter-private.h"

typedef struct
{
  const char *prefix; /* of a layer's name, with underscores */
  char part;
  unsigned families; /* bits of Family; 0: all */
} PrefixRow;

#define SD15 (1u << FAMILY_SD15)
#define SDXL (1u << FAMILY_SDXL)
#define FLUX (1u << FAMILY_FLUX)
#define WAN (1u << FAMILY_WAN)

/* Every row that fits is tried, in order. */
static const PrefixRow prefixes[] = {
  { "lora_unet__", PART_NETWORK, 0 },
  { "lora_unet_", PART_NETWORK, 0 },
  { "oft_unet_", PART_NETWORK, 0 },
  { "lora_transformer_", PART_NETWORK, 0 },
  { "lycoris_unet_", PART_NETWORK, 0 },
  { "lycoris_", PART_NETWORK, 0 },
  { "model_diffusion_model_", PART_NETWORK, 0 },
  { "diffusion_model_", PART_NETWORK, 0 },
  { "base_model_model_unet_", PART_NETWORK, 0 },
  { "base_model_model_", PART_NETWORK, 0 },
  { "pipe_dit_", PART_NETWORK, 0 },
  { "unet_", PART_NETWORK, 0 },
  { "transformer_", PART_NETWORK, 0 },
  { "", PART_NETWORK, 0 },
  { "lora_te_", PART_CLIP_L, SD15 },
  { "lora_te1_", PART_CLIP_L, 0 },
  { "lora_te2_", PART_CLIP_G, SDXL },
  { "oft_te_", PART_CLIP_L, SD15 },
  { "text_encoders_clip_l_transformer_", PART_CLIP_L, 0 },
  { "text_encoders_clip_g_transformer_", PART_CLIP_G, SDXL },
  { "clip_l_transformer_", PART_CLIP_L, 0 },
  { "clip_g_transformer_", PART_CLIP_G, SDXL },
  { "clip_l_", PART_CLIP_L, 0 },
  { "clip_g_", PART_CLIP_G, SDXL },
  { "lycoris_text_encoder_2_", PART_CLIP_G, SDXL },
  { "lycoris_text_encoder_", PART_CLIP_L, 0 },
  { "text_encoder_2_", PART_CLIP_G, SDXL },
  { "text_encoder_", PART_CLIP_L, 0 },
  { "lora_te2_", PART_T5, FLUX },
  { "lora_te3_", PART_T5, FLUX },
  { "text_encoders_t5xxl_transformer_", PART_T5, FLUX },
  { "t5xxl_transformer_", PART_T5, FLUX },
  { "t5_", PART_T5, FLUX },
  { "text_encoders_umt5xxl_transformer_", PART_T5, WAN },
  { "text_encoder_2_", PART_T5, FLUX },
  { "base_model_model_", PART_CLIP_L, SD15 },
  { "", PART_CLIP_L, SD15 },
};

/* ---- filling ---- */

static bool
same_place (const AdapterPlace *a, const AdapterPlace *b)
{
  if (a->n_targets != b->n_targets)
    return false;
  for (int i = 0; i < a->n_targets; i++)
    if (strcmp (a->targets[i].layer, b->targets[i].layer) != 0 ||
        a->targets[i].row != b->targets[i].row || a->targets[i].n_rows != b->targets[i].n_rows)
      return false;
  return true;
}

/* @name: with dots or underscores */
bool
adapter_map_add (
    AdapterMap *map, char part, const char *name, const AdapterPlace *place, Status *status)
{
  char flat[ADAPTER_KEY_SIZE];
  adapter_flatten (flat, sizeof flat, name);
  char *key = pool_printf (&map->pool, status, "%c:%s", part, flat);
  if (!key)
    return false;
  int32_t i = name_index_find (&map->index, key);
  if (i >= 0)
    {
      map->n_collisions += !same_place (&map->places[i], place);
      return true; /* the first one stays */
    }
  if (!mem_grow (&map->places, &map->capacity, map->n_places + 1, sizeof *map->places, status) ||
      !name_index_set (&map->index, key, (int32_t) map->n_places, status))
    return false;
  map->places[map->n_places++] = *place;
  return true;
}

static bool
ends_in (const char *text, const char *tail)
{
  size_t n = strlen (text), m = strlen (tail);
  return n >= m && strcmp (text + n - m, tail) == 0;
}

/* "unet.conv_in.weight" to "unet.conv_in"; Wan's tables, which belong to no layer, as they are.
 * Returns: false for what is neither */
static bool
layer_of (char *out, size_t size, const char *weight)
{
  static const char tail[] = ".weight";
  size_t n = strlen (weight), m = sizeof tail - 1;
  if (ends_in (weight, ".scale_shift_table") || ends_in (weight, ".pos_embed"))
    return (size_t) snprintf (out, size, "%s", weight) < size;
  if (n <= m || n - m >= size || strcmp (weight + n - m, tail) != 0)
    return false;
  memcpy (out, weight, n - m);
  out[n - m] = 0;
  return true;
}

static bool
add_layer (AdapterMap *map, const ModelConfig *config, const char *layer, Status *status)
{
  const bool wan = map->family == FAMILY_WAN;
  const struct
  {
    const char *prefix;
    AdapterMapPart add;
  } rows[] = {
    { "unet.", adapter_map_unet },
    { "text_encoder.", adapter_map_clip_l },
    { "text_encoder_2.", adapter_map_clip_g },
    { map->expert ? "expert." : "transformer.", wan ? adapter_map_wan : adapter_map_flux },
    { "t5.", adapter_map_t5 },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    {
      size_t n = strlen (rows[i].prefix);
      if (strncmp (layer, rows[i].prefix, n) == 0)
        return rows[i].add (map, config, layer, layer + n, status);
    }
  return true; /* VAE and previews: nobody adapts them */
}

static AdapterMap *
map_new (const WeightSet *set, const ModelConfig *config, bool expert, Status *status)
{
  AdapterMap *map = mem_calloc (1, sizeof *map);
  if (!map)
    {
      out_of_memory (status);
      return NULL;
    }
  map->family = config->family;
  map->expert = expert;
  char layer[ADAPTER_KEY_SIZE];
  for (int i = 0; i < weights_count (set); i++)
    {
      if (!layer_of (layer, sizeof layer, weights_at (set, i)->name))
        continue;
      const char *name = pool_strdup (&map->pool, layer, status);
      if (!name || !add_layer (map, config, name, status))
        {
          adapter_map_free (map);
          return NULL;
        }
    }
  return map;
}

AdapterMap *
adapter_map_new (const WeightSet *set, const ModelConfig *config, Status *status)
{
  return map_new (set, config, false, status);
}

AdapterMap *
adapter_map_new_expert (const WeightSet *set, const ModelConfig *config, Status *status)
{
  return map_new (set, config, true, status);
}

void
adapter_map_free (AdapterMap *map)
{
  if (!map)
    return;
  name_index_clear (&map->index);
  pool_clear (&map->pool);
  mem_free (map->places);
  mem_free (map);
}

/* ---- looking up ---- */

static const AdapterPlace *
find_in_part (const AdapterMap *map, char part, const char *flat)
{
  char key[ADAPTER_KEY_SIZE + 2];
  snprintf (key, sizeof key, "%c:%s", part, flat);
  int32_t i = name_index_find (&map->index, key);
  return i < 0 ? NULL : &map->places[i];
}

static const AdapterPlace *
find_flat (const AdapterMap *map, const char *flat)
{
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
    {
      const PrefixRow *row = &prefixes[i];
      size_t n = strlen (row->prefix);
      if ((row->families && !(row->families & 1u << map->family)) ||
          strncmp (flat, row->prefix, n) != 0)
        continue;
      const AdapterPlace *place = find_in_part (map, row->part, flat + n);
      if (place)
        return place;
    }
  return NULL;
}

/* Diffusers once kept its LoRA layers in attention processors: "attn1.processor.to_out" was
 * "attn1.to_out.0". */
static bool
without_processor (char *flat, size_t size)
{
  static const char word[] = "_processor_", out[] = "_to_out";
  char *p = strstr (flat, word);
  if (!p)
    return false;
  memmove (p + 1, p + sizeof word - 1, strlen (p + sizeof word - 1) + 1);
  size_t n = strlen (flat), m = sizeof out - 1;
  if (n >= m && strcmp (flat + n - m, out) == 0 && n + 2 < size)
    strcat (flat, "_0");
  return true;
}

const AdapterPlace *
adapter_map_find (const AdapterMap *map, const char *layer)
{
  char flat[ADAPTER_KEY_SIZE];
  adapter_flatten (flat, sizeof flat, layer);
  const AdapterPlace *place = find_flat (map, flat);
  if (!place && without_processor (flat, sizeof flat))
    place = find_flat (map, flat);
  return place;
}

int
adapter_map_count (const AdapterMap *map)
{
  return (int) map->n_places;
}

int
adapter_map_collisions (const AdapterMap *map)
{
  return map->n_collisions;
}
