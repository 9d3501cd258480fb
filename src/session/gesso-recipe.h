/* SPDX-License-Identifier: MPL-2.0
 * gesso-recipe.h - recipes as JSON text on one side, recipe.h's struct on the other, errors as
 * GError.
 *
 * Any thread.
 */
#pragma once

#include <gio/gio.h>

#include "recipe/recipe.h"

G_BEGIN_DECLS

/* g_auto (Recipe) r; recipe_init (&r); is cleared on every way out of its block. */
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Recipe, recipe_clear)

/* The user's sentence as a GError: G_IO_ERROR_NO_SPACE, NOT_FOUND, INVALID_DATA, ... by @status'
 * code. */
gboolean gesso_status_propagate (const Status *status, GError **error);

/* gesso_recipe_parse:
 * @recipe: uninitialised; initialised and filled on success, initialised and empty on failure
 */
gboolean gesso_recipe_parse (Recipe *recipe, const char *json, GError **error);
/* Returns: JSON, freed with g_free() */
char *gesso_recipe_dup_json (const Recipe *recipe, GError **error);
/* Returns: the prompt's first words on one line, at most 80 characters; freed with g_free() */
char *gesso_recipe_dup_title (const Recipe *recipe);
/* The beginning of a file name out of the prompt: letters and digits joined by dashes, or
 * "picture". */
char *gesso_recipe_dup_stem (const char *prompt);

/* gesso_recipe_for_batch:
 * @batch: from 0 on, of a recipe with batch_count batches
 *
 * Returns: JSON of a recipe with one batch and the seed of its first picture
 */
char *gesso_recipe_for_batch (const char *json, int batch, GError **error);

G_END_DECLS
