/* SPDX-License-Identifier: MPL-2.0
 * gesso-canvas-style.h - style sheet and icons of the canvas's widgets.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* Puts them into the default display, once. */
void gesso_canvas_style_ensure (void);

G_END_DECLS
