/* SPDX-License-Identifier: MPL-2.0
 * gesso-fit.h - what goes with the chosen model, by the families that the library knows.
 *
 * Families are interned texts.  One that is not known goes with everything: the engine decides
 * then.  Main thread only.
 */
#pragma once

#include "library/gesso-library.h"
#include "recipe/adapters.h"

G_BEGIN_DECLS

/* Of the recipe's model: "SDXL"; "" while it is not known. */
const char *gesso_fit_family (GessoLibrary *library, const Recipe *recipe);
const char *gesso_fit_adapter_family (GessoLibrary *library, const RecipeAdapter *item);
gboolean gesso_fit_is_for (const char *family, const char *model_family);

/* gesso_fit_dup_recipe:
 * @json: a recipe
 *
 * What is queued: without the adapters of the list that are for another model.  Tags of the prompt
 * are left alone.
 *
 * Returns: to be freed by the caller
 */
char *gesso_fit_dup_recipe (GessoLibrary *library, const char *json);

G_END_DECLS
