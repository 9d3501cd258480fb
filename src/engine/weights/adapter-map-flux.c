/* SPDX-License-Identifier: MPL-2.0
 * adapter-map-flux.c - the layers of FLUX.1 and T5: canonical (diffusers) names and the original
 * fused ones, and those of XLabs and OMI.
 *
 * Source of the correspondences: Black Forest Labs' module tree and diffusers' as their checkpoints
 * name them; XLabs' attention processors; OneTrainer's OMI names, which number a fused layer's
 * parts.
 */
#include <stdio.h>
#include <string.h>

#include "weights/adapter-map-private.h"

enum
{
  NAME_SIZE = 256,
  N_ALIASES = 3
};

typedef struct
{
  const char *from;
  const char *to[N_ALIASES]; /* behind the block's name */
} AliasRow;

static const AliasRow ends[] = {
  { "x_embedder", { "img_in", "img_in.proj" } },
  { "context_embedder", { "txt_in" } },
  { "time_text_embed.timestep_embedder.linear_1", { "time_in.in_layer" } },
  { "time_text_embed.timestep_embedder.linear_2", { "time_in.out_layer" } },
  { "time_text_embed.guidance_embedder.linear_1", { "guidance_in.in_layer" } },
  { "time_text_embed.guidance_embedder.linear_2", { "guidance_in.out_layer" } },
  { "time_text_embed.text_embedder.linear_1", { "vector_in.in_layer" } },
  { "time_text_embed.text_embedder.linear_2", { "vector_in.out_layer" } },
  { "proj_out", { "final_layer.linear" } },
};

static const AliasRow doubles[] = {
  { "norm1.linear", { "img_mod.lin" } },
  { "norm1_context.linear", { "txt_mod.lin" } },
  { "attn.to_q", { "img_attn.qkv.0" } },
  { "attn.to_k", { "img_attn.qkv.1" } },
  { "attn.to_v", { "img_attn.qkv.2" } },
  { "attn.add_q_proj", { "txt_attn.qkv.0" } },
  { "attn.add_k_proj", { "txt_attn.qkv.1" } },
  { "attn.add_v_proj", { "txt_attn.qkv.2" } },
  { "attn.to_out.0", { "img_attn.proj", "processor.proj1" } },
  { "attn.to_add_out", { "txt_attn.proj", "processor.proj2" } },
  { "attn.norm_q", { "img_attn.norm.query_norm" } },
  { "attn.norm_k", { "img_attn.norm.key_norm" } },
  { "attn.norm_added_q", { "txt_attn.norm.query_norm" } },
  { "attn.norm_added_k", { "txt_attn.norm.key_norm" } },
  { "ff.net.0.proj", { "img_mlp.0" } },
  { "ff.net.2", { "img_mlp.2" } },
  { "ff_context.net.0.proj", { "txt_mlp.0" } },
  { "ff_context.net.2", { "txt_mlp.2" } },
};

static const AliasRow singles[] = {
  { "norm.linear", { "modulation.lin" } },  { "attn.to_q", { "linear1.0" } },
  { "attn.to_k", { "linear1.1" } },         { "attn.to_v", { "linear1.2" } },
  { "proj_mlp", { "linear1.3" } },          { "proj_out", { "linear2", "processor.proj" } },
  { "attn.norm_q", { "norm.query_norm" } }, { "attn.norm_k", { "norm.key_norm" } },
};

/* Fused layers: when the first of their parts is seen, all are known. */
typedef struct
{
  const char *first, *parts[ADAPTER_MAX_TARGETS], *to[N_ALIASES];
} FusedRow;

static const FusedRow fused_doubles[] = {
  { "attn.to_q", { "attn.to_q", "attn.to_k", "attn.to_v" }, { "img_attn.qkv", "processor.qkv1" } },
  { "attn.add_q_proj",
    { "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj" },
    { "txt_attn.qkv", "processor.qkv2" } },
};

static const FusedRow fused_singles[] = {
  { "attn.to_q", { "attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp" }, { "linear1" } },
  { "attn.to_q", { "attn.to_q", "attn.to_k", "attn.to_v" }, { "linear1_qkv", "processor.qkv" } },
};

static bool
add_aliases (AdapterMap *map,
             const char *const to[N_ALIASES],
             const char *block,
             const AdapterPlace *place,
             Status *status)
{
  char name[NAME_SIZE];
  for (int i = 0; i < N_ALIASES && to[i]; i++)
    {
      snprintf (name, sizeof name, "%s%s", block, to[i]);
      if (!adapter_map_add (map, PART_NETWORK, name, place, status))
        return false;
    }
  return true;
}

static const AliasRow *
find_row (const AliasRow *rows, size_t n, const char *name)
{
  for (size_t i = 0; i < n; i++)
    if (strcmp (rows[i].from, name) == 0)
      return &rows[i];
  return NULL;
}

/* @n_rest: characters of @layer's end that name it inside of its block */
static bool
add_fused (AdapterMap *map,
           const FusedRow *row,
           const FluxConfig *c,
           const char *layer,
           size_t n_rest,
           const char *block,
           int number,
           Status *status)
{
  AdapterPlace place = { .block = number };
  int n_head = (int) (strlen (layer) - n_rest);
  for (int i = 0; i < ADAPTER_MAX_TARGETS && row->parts[i]; i++)
    {
      bool is_mlp = strcmp (row->parts[i], "proj_mlp") == 0;
      char *part = pool_printf (&map->pool, status, "%.*s%s", n_head, layer, row->parts[i]);
      if (!part)
        return false;
      place.targets[place.n_targets++] =
          (AdapterTarget){ .layer = part, .n_rows = is_mlp ? c->mlp_dim : c->dim };
    }
  return add_aliases (map, row->to, block, &place, status);
}

/* The last modulation's two halves: shift first in the original, scale first in diffusers. */
static bool
add_final (AdapterMap *map, const FluxConfig *c, const char *shift, Status *status)
{
  static const char tail[] = "shift";
  int n_head = (int) (strlen (shift) - sizeof tail + 1);
  char *scale = pool_printf (&map->pool, status, "%.*sscale", n_head, shift);
  if (!scale)
    return false;
  AdapterTarget a = { .layer = shift, .n_rows = c->dim }, b = { .layer = scale, .n_rows = c->dim };
  AdapterPlace original = { .targets = { a, b }, .n_targets = 2 };
  AdapterPlace diffusers = { .targets = { b, a }, .n_targets = 2 };
  return adapter_map_add (map, PART_NETWORK, "final_layer.adaLN_modulation.1", &original, status) &&
         adapter_map_add (map, PART_NETWORK, "norm_out.linear", &diffusers, status);
}

/* The inside of a block: "transformer_blocks.3.attn.to_q" with @rest "attn.to_q". */
static bool
add_inner (AdapterMap *map,
           const FluxConfig *c,
           const char *layer,
           const char *rest,
           bool is_single,
           int i,
           Status *status)
{
  char block[64];
  const AliasRow *rows = is_single ? singles : doubles;
  size_t n_rows = is_single ? sizeof singles / sizeof *singles : sizeof doubles / sizeof *doubles;
  const FusedRow *fused = is_single ? fused_singles : fused_doubles;
  size_t n_fused = is_single ? sizeof fused_singles / sizeof *fused_singles
                             : sizeof fused_doubles / sizeof *fused_doubles;
  int first = is_single ? ADAPTER_BLOCK_SINGLE : ADAPTER_BLOCK_DOUBLE;
  int most = is_single ? ADAPTER_BLOCK_COUNT : ADAPTER_BLOCK_SINGLE;
  int number = first + i < most ? first + i : ADAPTER_BLOCK_BASE;
  AdapterPlace place = { .targets = { { .layer = layer } }, .n_targets = 1, .block = number };
  snprintf (block, sizeof block, is_single ? "single_blocks.%d." : "double_blocks.%d.", i);
  const AliasRow *row = find_row (rows, n_rows, rest);
  if (row && !add_aliases (map, row->to, block, &place, status))
    return false;
  for (size_t k = 0; k < n_fused; k++)
    if (strcmp (fused[k].first, rest) == 0 &&
        !add_fused (map, &fused[k], c, layer, strlen (rest), block, number, status))
      return false;
  return adapter_map_add (map, PART_NETWORK, layer + sizeof "transformer." - 1, &place, status);
}

bool
adapter_map_flux (
    AdapterMap *map, const ModelConfig *config, const char *layer, const char *name, Status *status)
{
  int i, n = 0;
  if (sscanf (name, "transformer_blocks.%3d.%n", &i, &n) == 1 && n > 0 && i >= 0)
    return add_inner (map, &config->flux, layer, name + n, false, i, status);
  n = 0;
  if (sscanf (name, "single_transformer_blocks.%3d.%n", &i, &n) == 1 && n > 0 && i >= 0)
    return add_inner (map, &config->flux, layer, name + n, true, i, status);
  AdapterPlace place = { .targets = { { .layer = layer } }, .n_targets = 1 };
  const AliasRow *row = find_row (ends, sizeof ends / sizeof *ends, name);
  if (row && !add_aliases (map, row->to, "", &place, status))
    return false;
  if (strcmp (name, "norm_out.shift") == 0 && !add_final (map, &config->flux, layer, status))
    return false;
  return adapter_map_add (map, PART_NETWORK, name, &place, status);
}

bool
adapter_map_t5 (
    AdapterMap *map, const ModelConfig *config, const char *layer, const char *name, Status *status)
{
  AdapterPlace place = { .targets = { { .layer = layer } }, .n_targets = 1, .is_text = true };
  return adapter_map_add (map, PART_T5, name, &place, status);
}
