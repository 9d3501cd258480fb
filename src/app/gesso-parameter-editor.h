/* SPDX-License-Identifier: MPL-2.0
 * gesso-parameter-editor.h - the widget that edits one recipe key: spin, slider, switch, choice,
 * text, file.
 */
#pragma once

#include <gtk/gtk.h>

#include "app/gesso-form.h"
#include "library/gesso-library.h"

G_BEGIN_DECLS

/* Follows @form and writes to it.  Keys whose default leaves the choice to the model show "Auto"
 * and, once a plan said it, what that is. */
GtkWidget *
gesso_parameter_editor_new (GessoForm *form, const RecipeParam *param, GessoLibrary *library);

/* What the window calls @param; static and translated. */
const char *gesso_parameter_editor_get_label (const RecipeParam *param);

G_END_DECLS
