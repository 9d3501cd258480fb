/* SPDX-License-Identifier: MPL-2.0
 * gesso-parameter-row.h - one declared parameter as a row: its editor follows from its type.
 */
#pragma once

#include <adwaita.h>

#include "app/gesso-form.h"
#include "library/gesso-library.h"

G_BEGIN_DECLS

#define GESSO_TYPE_PARAMETER_ROW (gesso_parameter_row_get_type ())
G_DECLARE_FINAL_TYPE (GessoParameterRow, gesso_parameter_row, GESSO, PARAMETER_ROW, AdwActionRow)

GtkWidget *gesso_parameter_row_new (GessoForm *form, const char *key, GessoLibrary *library);
/* A row for several parameters at once (the shape): @editor shows them, the dot stands for all
 * @keys.
 * @keys: NULL at the end */
GtkWidget *gesso_parameter_row_new_with_editor (GessoForm *form,
                                                const char *label,
                                                const char *help,
                                                const char *const *keys,
                                                GtkWidget *editor);
GtkWidget *gesso_parameter_row_get_editor (GessoParameterRow *self);
gboolean gesso_parameter_row_get_marked (GessoParameterRow *self); /* not the default */
void gesso_parameter_row_reset (GessoParameterRow *self);

G_END_DECLS
