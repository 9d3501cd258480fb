/* SPDX-License-Identifier: MPL-2.0
 * gesso-menu.h - context menus: their sections, and the keys that open them.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef struct
{
  const char *label; /* marked for translation */
  const char *action;
} GessoMenuEntry;

void gesso_menu_add_section (GMenu *menu, const GessoMenuEntry *entries, gsize n);

/* The menu key, and Shift+F10. */
void gesso_menu_add_keys (GtkShortcutController *controller,
                          GtkShortcutFunc callback,
                          gpointer user_data);

G_END_DECLS
