/* SPDX-License-Identifier: MPL-2.0
 * gesso-found.h - says what is in a folder of models that was just named.
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

/* For as long as @window lives, of whatever names the folder: a card, a menu, a drop. */
void gesso_found_add (GessoWindow *window);

G_END_DECLS
