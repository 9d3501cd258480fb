/* SPDX-License-Identifier: MPL-2.0
 * names.h - from the names that files use to the canonical ones (those of diffusers folders).
 */
#pragma once

#include "weights/tensor-table.h"

typedef enum
{
  NAMES_UNET_LDM,
  NAMES_UNET_DIFFUSERS,
  NAMES_VAE_LDM,
  NAMES_VAE_DIFFUSERS,
  NAMES_WAN_VAE, /* "decoder.middle.0.residual.0.gamma" */
  NAMES_WAN_VAE_DIFFUSERS,
  NAMES_CLIP_HF,
  NAMES_CLIP_OPENCLIP,
  NAMES_TINY_FLAT_DECODER, /* "1.weight", "3.conv.0.weight": TAESD's separate files */
  NAMES_TINY_FLAT_ENCODER,
  NAMES_TINY_NUMBERED, /* "decoder.1.weight", "taesd_decoder.1.weight" */
  NAMES_TINY_DIFFUSERS,
  NAMES_FLUX_BFL, /* Black Forest Labs': fused, as most single files are */
  NAMES_FLUX_DIFFUSERS,
  NAMES_WAN,
  NAMES_WAN_DIFFUSERS,
  NAMES_VISION_HF, /* "vision_model.encoder.layers.0.mlp.fc1.weight" */
  NAMES_VISION_OPENCLIP,
  NAMES_VISION_WAN, /* "transformer.0.attn.to_qkv.weight", under "visual." */
  NAMES_T5_HF,
  NAMES_T5_WAN,
  NAMES_T5_GGUF,
  NAMES_CONTROL_LDM, /* those of a U-Net, and a ControlNet's own */
  NAMES_CONTROL_DIFFUSERS
} NameScheme;

typedef enum
{
  NAME_KEEP,
  NAME_SPLIT,        /* equal row blocks, one for each of "{q|k|v}" in the name */
  NAME_SPLIT_WIDTHS, /* the same, but of BlockMap's width; the last is what remains */
  NAME_ALIAS,        /* a copy of another tensor: only where that one is missing */
  NAME_TRANSPOSE,    /* (in, out) to (out, in) */
  NAME_FLATTEN,      /* (n, ...) to (n, the rest); n is BlockMap's width where that divides it */
  NAME_ROWS,         /* (..., n, m), but for leading ones, to (n, m); a vector becomes one row */
  NAME_SQUEEZE       /* a 1x1 convolution that is a linear layer: trailing ones are dropped */
} NameAction;

enum
{
  NAME_SIZE = 256,
  BLOCKS_MAX = 64
};

/* LDM numbers a UNet's blocks in one row and a VAE's decoder levels from the finest; Wan the blocks
 * of its 2.1 VAE's decoder (out). */
typedef struct
{
  int level[BLOCKS_MAX], block[BLOCKS_MAX]; /* -1: there is no such block */
} BlockRow;

typedef struct
{
  BlockRow in, out;
  int n_vae_levels;
  int64_t width; /* of a FLUX or Wan transformer's tokens; 0: unknown */
} BlockMap;

typedef struct
{
  char name[NAME_SIZE];
  NameAction action;
  int64_t width; /* for NAME_SPLIT_WIDTHS and NAME_FLATTEN: of the part's BlockMap */
} NameMatch;

/* Where the running numbers of @table's tensors under @prefix lie. */
void names_block_map (BlockMap *map, const TensorTable *table, const char *prefix);

/* names_map:
 * @key: a file's name without the part's prefix
 *
 * Returns: false when the scheme has no rule for @key
 */
bool names_map (NameScheme scheme, const BlockMap *map, const char *key, NameMatch *match);

/* Schedules, EMA copies, position ids: tensors that no model asks for.  @name: with its prefix */
bool names_ignorable (const char *name);
