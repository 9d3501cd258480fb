/* SPDX-License-Identifier: MPL-2.0
 * gesso-control-preview.h - what a preprocessor makes of a picture, small.
 */
#pragma once

#include <gtk/gtk.h>

#include "recipe/controls.h"

G_BEGIN_DECLS

/* gesso_control_preview_show:
 * @warning: of gesso-list-row.h; says why a picture cannot be read
 * @control: its picture and preprocessor; no picture empties @picture
 *
 * Reads and computes on a thread, unless that is what @picture shows already.  A later call for the
 * same widget cancels an earlier one, and so does the widget's end.
 */
void
gesso_control_preview_show (GtkPicture *picture, GtkWidget *warning, const RecipeControl *control);

G_END_DECLS
