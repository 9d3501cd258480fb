/* SPDX-License-Identifier: MPL-2.0
 * adapter-map.h - every name under which trainers know a model's layers.
 *
 * Module names hold underscores, so a trainer's "to_out_0" cannot be split back into "to_out.0".
 * Instead the names are made forwards, from the model's own list of layers, and looked up.
 */
#pragma once

#include "weights/config.h"
#include "weights/weights.h"

enum
{
  ADAPTER_MAX_TARGETS = 4 /* q, k, v and the MLP of a fused layer */
};

/* Where the block numbers of A1111's block weights lie; BLOCK_BASE is the text encoders and all
 * that stands outside of the blocks. */
enum
{
  ADAPTER_BLOCK_BASE = 0,
  ADAPTER_BLOCK_IN = 1, /* + 0 .. 11 */
  ADAPTER_BLOCK_MIDDLE = 13,
  ADAPTER_BLOCK_OUT = 14,    /* + 0 .. 11 */
  ADAPTER_BLOCK_DOUBLE = 26, /* FLUX: + 0 .. 18 */
  ADAPTER_BLOCK_SINGLE = 45, /* FLUX: + 0 .. 37 */
  ADAPTER_BLOCK_COUNT = 83
};

/* A run of rows of a layer's weight and, alike, of its bias. */
typedef struct
{
  const char *layer; /* canonical, without ".weight" */
  int64_t row;       /* first one */
  int64_t n_rows;    /* 0: all */
} AdapterTarget;

/* A layer as an adapter knows it: one layer of the model, a part of one, or several below each
 * other. */
typedef struct
{
  AdapterTarget targets[ADAPTER_MAX_TARGETS];
  int n_targets;
  bool is_text; /* of a text encoder: the text weight applies */
  int block;    /* ADAPTER_BLOCK_... */
} AdapterPlace;

typedef struct AdapterMap AdapterMap;

/* Names and shapes of @set and @config are read, no data.  Fails: NO_MEMORY */
AdapterMap *adapter_map_new (const WeightSet *set, const ModelConfig *config, Status *status);
/* The same with Wan's low-noise expert as the network. */
AdapterMap *
adapter_map_new_expert (const WeightSet *set, const ModelConfig *config, Status *status);
void adapter_map_free (AdapterMap *map);

/* @layer: as an adapter file calls it.  Returns: NULL when the model has no such layer */
const AdapterPlace *adapter_map_find (const AdapterMap *map, const char *layer);

/* For tests: the names are unique but for those that mean the same place. */
int adapter_map_count (const AdapterMap *map);
int adapter_map_collisions (const AdapterMap *map);
