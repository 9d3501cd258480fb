/* SPDX-License-Identifier: MPL-2.0
 * gesso-parameter-editor.h - the widget that edits one recipe key: spin, switch, choice, text,
 * file.
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

G_END_DECLS
