/* SPDX-License-Identifier: MPL-2.0
 * import.h - a recipe from the metadata that a picture carries, whoever made it.
 *
 * Read: Gesso, A1111 and Forge, ComfyUI (both forms of a graph), InvokeAI (three generations),
 * SwarmUI, NovelAI.
 */
#pragma once

#include "recipe/recipe.h"

/* One text of a picture or film, as media_texts_read() names it.  Borrowed. */
typedef struct
{
  const char *key, *value;
} ImportText;

typedef enum
{
  IMPORT_GESSO,
  IMPORT_A1111,
  IMPORT_COMFYUI,
  IMPORT_INVOKEAI,
  IMPORT_SWARMUI,
  IMPORT_NOVELAI
} ImportSource;

enum
{
  IMPORT_MAX_JSON_BYTES = 20 << 20,
  IMPORT_MAX_JSON_DEPTH = 64
};

/* import_recipe:
 * @texts: @n_texts, in the order of the file; a "UserComment" counts more than "parameters"
 * @recipe: initialised; replaced on success, unchanged on failure
 * @source: receives who wrote it
 * @notes: receives a sentence for everything the picture says that the recipe cannot hold (LoRAs,
 * ControlNet, a second pass, ...)
 *
 * The model and VAE are what the other program called them: find the file by model_hash or by name.
 * Settings by which programs differ (noise, weighting, convention) are set to that program's.
 *
 * Fails: NOT_FOUND when no text is one of a known program, FORMAT when it is damaged, NO_MEMORY
 */
bool import_recipe (Recipe *recipe,
                    const ImportText *texts,
                    size_t n_texts,
                    ImportSource *source,
                    Notes *notes,
                    Status *status);

const char *import_source_name (ImportSource source); /* "ComfyUI", for the user */
