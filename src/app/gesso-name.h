/* SPDX-License-Identifier: MPL-2.0
 * gesso-name.h - what a screen reader calls a widget, where GTK itself does not say it well.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

void gesso_name (GtkWidget *widget, const char *name);
/* A button with a mnemonic: GTK says its label twice, once with the underline. */
void gesso_name_by_label (GtkWidget *button);
GtkWidget *gesso_name_new_button (const char *label);
/* The same for all buttons of a template. */
void gesso_name_buttons (GtkWidget *widget);
/* The widget that has the focus is the list's: @child lies in it. */
void gesso_name_list_item (GtkWidget *child, const char *name);
/* The button inside of it has the focus. */
void gesso_name_drop_down (GtkWidget *drop_down, const char *name);
/* Every list inside of @group that has no name. */
void gesso_name_lists (GtkWidget *group, const char *name);

G_END_DECLS
