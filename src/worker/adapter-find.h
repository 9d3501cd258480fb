/* SPDX-License-Identifier: MPL-2.0
 * adapter-find.h - finding LoRAs, embeddings and ControlNets by name or hash.
 *
 * They are looked for beside the folders that models are: ComfyUI's loras, embeddings and
 * controlnet, Forge's models/Lora, models/LyCORIS and models/ControlNet, and in those folders
 * themselves.
 */
#pragma once

#include <stdbool.h>

#include "worker/paths.h"

typedef enum
{
  FIND_ADAPTER,
  FIND_EMBEDDING,
  FIND_CONTROLNET
} FindKind;

/* adapter_find:
 * @name: a path; a file's stem, with or without folders before it; or, of an adapter, what its
 *   trainer called it (ss_output_name)
 * @hash: "", or the beginning of the hash that is in an adapter's metadata, for files that have
 *   been renamed
 *
 * Returns: false when there is none; @out is empty then
 */
bool adapter_find (FindKind kind, const char *name, const char *hash, char out[GESSO_PATH_SIZE]);

/* Calls @func for each file, until it returns false.  @stem: its name without extension */
typedef bool (*AdapterFunc) (void *data, const char *path, const char *stem);
void adapters_walk (FindKind kind, AdapterFunc func, void *data);
/* Only what lies in folders of embeddings: a name alone brings these into a picture. */
void embeddings_walk (AdapterFunc func, void *data);
