/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-recipe.h - a recipe as texts to be read.
 */
#pragma once

#include "library/gesso-library.h"

G_BEGIN_DECLS

typedef struct
{
  char *label, *value;
} GessoRecipeRow;

typedef struct
{
  char *prompt, *negative, *seed;
  GPtrArray *rows; /* GessoRecipeRow: all other values that are not left to the program */
} GessoRecipeText;

void gesso_recipe_text_free (GessoRecipeText *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoRecipeText, gesso_recipe_text_free)

/* gesso_recipe_text_new:
 * @json: of recipe.h
 * @library: says whether the model is there; NULL when that does not matter
 *
 * Fails: G_IO_ERROR_INVALID_DATA with a sentence for the user
 */
GessoRecipeText *gesso_recipe_text_new (const char *json, GessoLibrary *library, GError **error);

G_END_DECLS
