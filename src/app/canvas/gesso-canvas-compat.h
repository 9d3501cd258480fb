/* SPDX-License-Identifier: MPL-2.0
 * gesso-canvas-compat.h - drawing that newer GTK does better; the canvas's only version checks.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* The widget is drawn by cairo, without a GPU. */
gboolean gesso_canvas_compat_is_software (GtkWidget *widget);

/* gesso_canvas_compat_append:
 * @bounds: where the whole texture goes
 * @visible: what of it can be seen
 * @zoom: device pixels a pixel of the document
 * @software: gesso_canvas_compat_is_software
 *
 * Squares from 2:1 upwards, smooth below.
 */
void gesso_canvas_compat_append (GtkSnapshot *snapshot,
                                 GdkTexture *texture,
                                 const graphene_rect_t *bounds,
                                 const graphene_rect_t *visible,
                                 double zoom,
                                 gboolean software);

G_END_DECLS
