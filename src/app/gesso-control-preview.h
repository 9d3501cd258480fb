/* SPDX-License-Identifier: MPL-2.0
 * gesso-control-preview.h - what a preprocessor makes of a picture, small.
 */
#pragma once

#include <gtk/gtk.h>

#include "recipe/controls.h"

G_BEGIN_DECLS

/* gesso_control_preview_show:
 * @control: its picture and preprocessor; no picture empties @picture
 *
 * Reads and computes on a thread; a later call for the same widget takes an earlier one's place.
 */
void gesso_control_preview_show (GtkPicture *picture, const RecipeControl *control);

G_END_DECLS
