/* SPDX-License-Identifier: MPL-2.0
 * gesso-recipe-offer.h - a picture came from outside: use the settings in it, or start from it?
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

/* Reads the recipe on a thread.  A picture without one becomes the start picture at once. */
void gesso_recipe_offer (GessoWindow *window, GFile *file);

G_END_DECLS
