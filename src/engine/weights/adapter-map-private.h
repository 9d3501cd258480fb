/* SPDX-License-Identifier: MPL-2.0
 * adapter-map-private.h - how the families' files fill the dictionary.
 */
#pragma once

#include "weights/adapter-map.h"
#include "weights/name-index.h"
#include "weights/pool.h"

/* Parts of a model whose layers have names of their own. */
enum
{
  PART_NETWORK = 'n', /* U-Net or transformer */
  PART_CLIP_L = 'l',
  PART_CLIP_G = 'g',
  PART_T5 = 't'
};

struct AdapterMap
{
  Pool pool; /* names */
  NameIndex index;
  AdapterPlace *places;
  size_t n_places, capacity;
  int n_collisions;
  Family family;
  bool expert; /* the network is Wan's low-noise transformer */
};

/* adapter_map_add:
 * @name: the layer's name in @part, with dots or underscores
 *
 * A name that is there already keeps its place.  Fails: NO_MEMORY
 */
bool adapter_map_add (
    AdapterMap *map, char part, const char *name, const AdapterPlace *place, Status *status);

/* @layer: canonical, in the map's pool; @name: without the part's prefix.  Adds all its names. */
typedef bool (*AdapterMapPart) (AdapterMap *map,
                                const ModelConfig *config,
                                const char *layer,
                                const char *name,
                                Status *status);

bool adapter_map_unet (AdapterMap *map,
                       const ModelConfig *config,
                       const char *layer,
                       const char *name,
                       Status *status);
bool adapter_map_clip_l (AdapterMap *map,
                         const ModelConfig *config,
                         const char *layer,
                         const char *name,
                         Status *status);
bool adapter_map_clip_g (AdapterMap *map,
                         const ModelConfig *config,
                         const char *layer,
                         const char *name,
                         Status *status);
bool adapter_map_flux (AdapterMap *map,
                       const ModelConfig *config,
                       const char *layer,
                       const char *name,
                       Status *status);
bool adapter_map_wan (AdapterMap *map,
                      const ModelConfig *config,
                      const char *layer,
                      const char *name,
                      Status *status);
bool adapter_map_t5 (AdapterMap *map,
                     const ModelConfig *config,
                     const char *layer,
                     const char *name,
                     Status *status);
