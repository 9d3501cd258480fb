/* SPDX-License-Identifier: MPL-2.0
 * gesso-control-list.h - the ControlNets of the recipe: which, what they see, how strong, when.
 */
#pragma once

#include <adwaita.h>

#include "app/gesso-form.h"
#include "library/gesso-library.h"

G_BEGIN_DECLS

#define GESSO_TYPE_CONTROL_LIST (gesso_control_list_get_type ())
G_DECLARE_FINAL_TYPE (GessoControlList, gesso_control_list, GESSO, CONTROL_LIST, AdwBin)

/* Shows and sets the list under the key "controls" of @form.  Signal: "message" (string for a
 * toast). */
GtkWidget *gesso_control_list_new (GessoForm *form, GessoLibrary *library);
/* Adds the network at @path, at full weight in all steps. */
void gesso_control_list_add (GessoControlList *self, const char *path);
/* What the @index-th network sees, or will: a picture file. */
void gesso_control_list_set_image (GessoControlList *self, guint index, const char *path);

G_END_DECLS
