/* SPDX-License-Identifier: MPL-2.0
 * gesso-tooltip.h - a tooltip of the widget itself, not of the popovers that hang from it.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* @text: NULL for none */
void gesso_tooltip_set (GtkWidget *widget, const char *text);

G_END_DECLS
