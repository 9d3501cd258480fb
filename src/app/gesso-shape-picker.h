/* SPDX-License-Identifier: MPL-2.0
 * gesso-shape-picker.h - a button with the picture's shape; its popover has ratios and exact sizes.
 */
#pragma once

#include <adwaita.h>

#include "app/gesso-form.h"

G_BEGIN_DECLS

#define GESSO_TYPE_SHAPE_PICKER (gesso_shape_picker_get_type ())
G_DECLARE_FINAL_TYPE (GessoShapePicker, gesso_shape_picker, GESSO, SHAPE_PICKER, AdwBin)

GtkWidget *gesso_shape_picker_new (GessoForm *form);
/* @side: of the square the model was trained on, px; 0 while not known */
void gesso_shape_picker_set_native (GessoShapePicker *self, int side, int step);
void gesso_shape_picker_choose (GessoShapePicker *self, double ratio);

G_END_DECLS
