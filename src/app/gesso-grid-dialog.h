/* SPDX-License-Identifier: MPL-2.0
 * gesso-grid-dialog.h - an X/Y/Z grid: up to three parameters, each with its values.
 */
#pragma once

#include <adwaita.h>

#include "app/gesso-create-page.h"

G_BEGIN_DECLS

#define GESSO_TYPE_GRID_DIALOG (gesso_grid_dialog_get_type ())
G_DECLARE_FINAL_TYPE (GessoGridDialog, gesso_grid_dialog, GESSO, GRID_DIALOG, AdwWindow)

GtkWidget *gesso_grid_dialog_new (GtkWindow *parent, GessoCreatePage *page);
/* As if typed.  @axis: 0 to 2; @key: of the recipe table, "prompt-replace", or "" for none */
void
gesso_grid_dialog_set_axis (GessoGridDialog *self, int axis, const char *key, const char *values);
/* Pictures that Add makes; 0 while something is wrong. */
int gesso_grid_dialog_get_n_pictures (GessoGridDialog *self);
void gesso_grid_dialog_add (GessoGridDialog *self);             /* adds the jobs and closes */
const char *gesso_grid_dialog_get_line (GessoGridDialog *self); /* count or error */

G_END_DECLS
