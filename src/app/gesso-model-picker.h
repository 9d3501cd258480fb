/* SPDX-License-Identifier: MPL-2.0
 * gesso-model-picker.h - a button with the chosen model's name; its popover lists the library's.
 */
#pragma once

#include <adwaita.h>

#include "app/gesso-form.h"
#include "library/gesso-library.h"

G_BEGIN_DECLS

#define GESSO_TYPE_MODEL_PICKER (gesso_model_picker_get_type ())
G_DECLARE_FINAL_TYPE (GessoModelPicker, gesso_model_picker, GESSO, MODEL_PICKER, AdwBin)

/* Shows and sets the path under @key of @form.  Keys that may be empty offer "Model's own". */
GtkWidget *gesso_model_picker_new (GessoForm *form,
                                   const char *key,
                                   GessoLibrary *library,
                                   GessoFileKind kind);
/* Files for models of another family than the form's are listed on demand only.
 *
 * A button that adds: no key, the signal "chosen" (string: the path) in its place.
 * @label: what it does */
GtkWidget *gesso_model_picker_new_chooser (GessoForm *form,
                                           GessoLibrary *library,
                                           GessoFileKind kind,
                                           const char *label);
/* The models as listed now, searched; for tests. */
GListModel *gesso_model_picker_get_list (GessoModelPicker *self);
void gesso_model_picker_set_search (GessoModelPicker *self, const char *text);
/* Those for other models, too. */
void gesso_model_picker_set_show_others (GessoModelPicker *self, gboolean show_others);

G_END_DECLS
