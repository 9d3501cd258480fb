/* SPDX-License-Identifier: MPL-2.0
 * gesso-parameter-list.h - a row for each key of the recipe table, the common ones on top.
 */
#pragma once

#include <adwaita.h>

#include "app/gesso-form.h"
#include "library/gesso-library.h"

G_BEGIN_DECLS

#define GESSO_TYPE_PARAMETER_LIST (gesso_parameter_list_get_type ())
G_DECLARE_FINAL_TYPE (GessoParameterList, gesso_parameter_list, GESSO, PARAMETER_LIST, AdwBin)

GtkWidget *gesso_parameter_list_new (GessoForm *form, GessoLibrary *library);
/* Returns: the row that edits @key, NULL for keys that stand elsewhere (prompts, start picture,
 * batches) */
GtkWidget *gesso_parameter_list_get_row (GessoParameterList *self, const char *key);
gboolean gesso_parameter_list_is_elsewhere (const char *key);
/* Whether there are pixels to change: shows the strength. */
void gesso_parameter_list_set_has_pixels (GessoParameterList *self, gboolean has_pixels);
void gesso_parameter_list_set_has_mask (GessoParameterList *self, gboolean has_mask);
/* The chosen model makes clips.  Signal "families-changed": perhaps it does now. */
gboolean gesso_parameter_list_makes_clips (GessoParameterList *self);
void gesso_parameter_list_set_native (GessoParameterList *self, int side, int step);

G_END_DECLS
