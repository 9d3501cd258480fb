/* SPDX-License-Identifier: MPL-2.0
 * gesso-seed-editor.h - the seed: a number, a dice, and a lock that keeps it over several pictures.
 */
#pragma once

#include <gtk/gtk.h>

#include "app/gesso-form.h"

G_BEGIN_DECLS

/* The lock is the action "win.seed-locked", the dice "win.new-seed". */
GtkWidget *gesso_seed_editor_new (GessoForm *form, const char *key);
/* Draws a seed of 32 bits: what other programs take, too. */
void gesso_seed_editor_draw (GessoForm *form);

G_END_DECLS
