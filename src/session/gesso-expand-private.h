/* SPDX-License-Identifier: MPL-2.0
 * gesso-expand-private.h - what the gesso-expand files share.
 */
#pragma once

#include "recipe/recipe.h"
#include "session/gesso-expand.h"

G_BEGIN_DECLS

/* A prompt that is being written out. */
typedef struct
{
  const char *folder; /* of wildcards; NULL */
  guint64 state;      /* of the random numbers */
  GString *out;
} GessoExpansion;

/* Appends @text with its wildcards and choices replaced. */
gboolean gesso_expansion_append (GessoExpansion *e, const char *text, int depth, GError **error);
/* Does @prompt say different things for different seeds? */
gboolean gesso_prompt_varies (const char *prompt);

/* Sets the prompt of @recipe from one line of a file, and what "--key value" at its end says. */
gboolean gesso_recipe_apply_line (Recipe *recipe, const char *line, GError **error);

G_END_DECLS
