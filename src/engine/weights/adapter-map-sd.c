/* SPDX-License-Identifier: MPL-2.0
 * adapter-map-sd.c - the layers of SD's U-Net and CLIP encoders: canonical (diffusers), LDM and
 * OpenCLIP names.
 *
 * Source of the correspondences: as names.c, here in the other direction.
 */
#include <stdio.h>
#include <string.h>

#include "weights/adapter-map-private.h"

enum
{
  NAME_SIZE = 256,
  MAX_NUMBER = 99 /* of a block: names with more are no U-Net's */
};

typedef struct
{
  const char *from, *to; /* heads; a head that ends without a dot is a whole name */
} HeadRow;

static const HeadRow ends[] = {
  { "time_embedding.linear_1", "time_embed.0" },
  { "time_embedding.linear_2", "time_embed.2" },
  { "add_embedding.linear_1", "label_emb.0.0" },
  { "add_embedding.linear_2", "label_emb.0.2" },
  { "conv_norm_out", "out.0" },
  { "conv_out", "out.2" },
};

static const HeadRow resnet[] = {
  { "norm1", "in_layers.0" },  { "conv1", "in_layers.2" },  { "time_emb_proj", "emb_layers.1" },
  { "norm2", "out_layers.0" }, { "conv2", "out_layers.3" }, { "conv_shortcut", "skip_connection" },
};

static const char *
whole_name (const HeadRow *rows, size_t n, const char *name)
{
  for (size_t i = 0; i < n; i++)
    if (strcmp (rows[i].from, name) == 0)
      return rows[i].to;
  return NULL;
}

/* A layer of a block, LDM's name written behind @head; false when it has none */
static bool
write_inner (char *out, const char *head, const char *kind, const char *rest)
{
  const char *inner = rest;
  if (strcmp (kind, "resnets") == 0)
    inner = whole_name (resnet, sizeof resnet / sizeof *resnet, rest);
  return inner && snprintf (out, NAME_SIZE, "%s.%s", head, inner) < NAME_SIZE;
}

/* Blocks of the levels before @level; each level has @more of them than res blocks. */
static int
blocks_before (const UnetConfig *c, int level, bool up)
{
  int n = 0;
  for (int l = 0; l < level && l < c->n_levels; l++)
    n += up ? c->res_blocks[c->n_levels - 1 - l] + 1 : c->res_blocks[l] + 1;
  return n;
}

/* "1.attentions.0.proj_in": @n characters stand before the layer's name. */
static bool
read_block (const UnetConfig *c, const char *rest, int *level, char kind[16], int *i, int *n)
{
  *n = 0;
  return sscanf (rest, "%2d.%15[a-z].%2d.%n", level, kind, i, n) == 3 && *n > 0 && *level >= 0 &&
         *level < c->n_levels && *i >= 0 && *i <= MAX_NUMBER;
}

/* "down_blocks.1.attentions.0.proj_in": @rest is behind "down_blocks." */
static bool
down_name (const UnetConfig *c, const char *rest, char *out, int *block)
{
  int level, i, n;
  char kind[16], head[64];
  if (!read_block (c, rest, &level, kind, &i, &n))
    return false;
  bool resamples = strcmp (kind, "downsamplers") == 0;
  *block = 1 + blocks_before (c, level, false) + (resamples ? c->res_blocks[level] : i);
  if (resamples)
    return snprintf (out, NAME_SIZE, "input_blocks.%d.0.op", *block) < NAME_SIZE;
  snprintf (head, sizeof head, "input_blocks.%d.%d", *block, strcmp (kind, "attentions") == 0);
  return write_inner (out, head, kind, rest + n);
}

static bool
up_name (const UnetConfig *c, const char *rest, char *out, int *block)
{
  int level, i, n;
  char kind[16], head[64];
  if (!read_block (c, rest, &level, kind, &i, &n))
    return false;
  bool resamples = strcmp (kind, "upsamplers") == 0, attends = c->depth_up[level] > 0;
  int last = c->res_blocks[c->n_levels - 1 - level];
  *block = blocks_before (c, level, true) + (resamples ? last : i);
  if (resamples)
    return snprintf (out, NAME_SIZE, "output_blocks.%d.%d.conv", *block, attends ? 2 : 1) <
           NAME_SIZE;
  snprintf (head, sizeof head, "output_blocks.%d.%d", *block, strcmp (kind, "attentions") == 0);
  return write_inner (out, head, kind, rest + n);
}

static bool
middle_name (const char *rest, char *out)
{
  int i, n = 0;
  char kind[16], head[64];
  if (sscanf (rest, "%15[a-z].%2d.%n", kind, &i, &n) != 2 || n == 0 || i < 0)
    return false;
  bool attends = strcmp (kind, "attentions") == 0;
  snprintf (head, sizeof head, "middle_block.%d", attends ? 1 : 2 * i);
  return write_inner (out, head, kind, rest + n);
}

/* SD's U-Nets have blocks 0 to 11; weights for more cannot be named. */
static int
block_code (int first, int number)
{
  return number < ADAPTER_BLOCK_MIDDLE - ADAPTER_BLOCK_IN ? first + number : ADAPTER_BLOCK_BASE;
}

/* LDM's name of a U-Net's layer, and its block. */
static bool
ldm_name (const UnetConfig *c, const char *name, char *out, int *block)
{
  const char *whole = whole_name (ends, sizeof ends / sizeof *ends, name);
  int number = 0;
  *block = ADAPTER_BLOCK_BASE;
  if (whole)
    return snprintf (out, NAME_SIZE, "%s", whole) < NAME_SIZE;
  if (strcmp (name, "conv_in") == 0)
    {
      *block = ADAPTER_BLOCK_IN;
      return snprintf (out, NAME_SIZE, "input_blocks.0.0") < NAME_SIZE;
    }
  if (strncmp (name, "mid_block.", 10) == 0)
    {
      *block = ADAPTER_BLOCK_MIDDLE;
      return middle_name (name + 10, out);
    }
  bool ok = false;
  if (strncmp (name, "down_blocks.", 12) == 0 && (ok = down_name (c, name + 12, out, &number)))
    *block = block_code (ADAPTER_BLOCK_IN, number);
  else if (strncmp (name, "up_blocks.", 10) == 0 && (ok = up_name (c, name + 10, out, &number)))
    *block = block_code (ADAPTER_BLOCK_OUT, number);
  return ok;
}

bool
adapter_map_unet (
    AdapterMap *map, const ModelConfig *config, const char *layer, const char *name, Status *status)
{
  char ldm[NAME_SIZE];
  AdapterPlace place = { .targets = { { .layer = layer } }, .n_targets = 1 };
  bool has_ldm = ldm_name (&config->unet, name, ldm, &place.block);
  return adapter_map_add (map, PART_NETWORK, name, &place, status) &&
         (!has_ldm || adapter_map_add (map, PART_NETWORK, ldm, &place, status));
}

/* Files leave "text_model." out now and then. */
static bool
add_clip (AdapterMap *map, char part, const char *layer, const char *name, Status *status)
{
  static const char head[] = "text_model.";
  AdapterPlace place = { .targets = { { .layer = layer } }, .n_targets = 1, .is_text = true };
  size_t n = sizeof head - 1;
  return adapter_map_add (map, part, name, &place, status) &&
         (strncmp (name, head, n) != 0 || adapter_map_add (map, part, name + n, &place, status));
}

bool
adapter_map_clip_l (
    AdapterMap *map, const ModelConfig *config, const char *layer, const char *name, Status *status)
{
  return add_clip (map, PART_CLIP_L, layer, name, status);
}

static const HeadRow openclip[] = {
  { "layer_norm1", "ln_1" }, { "layer_norm2", "ln_2" },   { "self_attn.out_proj", "attn.out_proj" },
  { "mlp.fc1", "mlp.c_fc" }, { "mlp.fc2", "mlp.c_proj" },
};

/* OpenCLIP's fused projection: three layers of the model below each other. */
static bool
add_fused (AdapterMap *map, const ModelConfig *config, const char *layer, int i, Status *status)
{
  static const char tail[] = "q_proj";
  AdapterPlace place = { .n_targets = 3, .is_text = true };
  char name[NAME_SIZE];
  int n_head = (int) (strlen (layer) - sizeof tail + 1);
  for (int k = 0; k < 3; k++)
    {
      char *part = pool_printf (&map->pool, status, "%.*s%c_proj", n_head, layer, "qkv"[k]);
      if (!part)
        return false;
      place.targets[k] = (AdapterTarget){ .layer = part, .n_rows = config->clip[1].dim };
    }
  snprintf (name, sizeof name, "transformer.resblocks.%d.attn.in_proj", i);
  return adapter_map_add (map, PART_CLIP_G, name, &place, status);
}

bool
adapter_map_clip_g (
    AdapterMap *map, const ModelConfig *config, const char *layer, const char *name, Status *status)
{
  int i, n = 0;
  char other[NAME_SIZE];
  if (!add_clip (map, PART_CLIP_G, layer, name, status))
    return false;
  if (sscanf (name, "text_model.encoder.layers.%3d.%n", &i, &n) != 1 || n == 0)
    return true;
  if (strcmp (name + n, "self_attn.q_proj") == 0)
    return add_fused (map, config, layer, i, status);
  const char *to = whole_name (openclip, sizeof openclip / sizeof *openclip, name + n);
  if (!to)
    return true;
  AdapterPlace place = { .targets = { { .layer = layer } }, .n_targets = 1, .is_text = true };
  snprintf (other, sizeof other, "transformer.resblocks.%d.%s", i, to);
  return adapter_map_add (map, PART_CLIP_G, other, &place, status);
}
