/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-style.h - style sheet and icons of the gallery's widgets.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* Puts them into the default display, once. */
void gesso_gallery_style_ensure (void);

/* gesso_gallery_icon_button:
 * @action: detailed name, or NULL
 * @label: tooltip, and what a screen reader says
 */
GtkWidget *gesso_gallery_icon_button (const char *icon, const char *action, const char *label);

G_END_DECLS
