/* SPDX-License-Identifier: MPL-2.0
 * gesso-recipe-offer.h - a picture or its settings came from outside: use them?
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

/* Reads the recipe on a thread.  A picture without one becomes the start picture at once. */
void gesso_recipe_offer (GessoWindow *window, GFile *file);
/* The same for text that was pasted into the prompt; what is no recipe stays there as it is. */
void gesso_recipe_offer_text (GessoWindow *window, const char *text);

/* The first of @notes, which may be NULL, one on a line, and how many more there are. */
void gesso_recipe_offer_append_notes (GString *text, char **notes);

G_END_DECLS
