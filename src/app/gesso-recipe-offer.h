/* SPDX-License-Identifier: MPL-2.0
 * gesso-recipe-offer.h - a picture came from outside: use the settings in it, or start from it?
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

/* Reads the recipe on a thread.  A picture without one becomes the start picture at once. */
void gesso_recipe_offer (GessoWindow *window, GFile *file);

/* The first of @notes, which may be NULL, one on a line, and how many more there are. */
void gesso_recipe_offer_append_notes (GString *text, char **notes);

G_END_DECLS
