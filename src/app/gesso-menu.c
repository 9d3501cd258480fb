/* SPDX-License-Identifier: MPL-2.0 */
#include "app/gesso-menu.h"

#include <glib/gi18n.h>

void
gesso_menu_add_section (GMenu *menu, const GessoMenuEntry *entries, gsize n)
{
  g_return_if_fail (G_IS_MENU (menu));
  g_autoptr (GMenu) section = g_menu_new ();
  for (gsize i = 0; i < n; i++)
    g_menu_append (section, _ (entries[i].label), entries[i].action);
  g_menu_append_section (menu, NULL, G_MENU_MODEL (section));
}

void
gesso_menu_add_keys (GtkShortcutController *controller,
                     GtkShortcutFunc callback,
                     gpointer user_data)
{
  g_return_if_fail (GTK_IS_SHORTCUT_CONTROLLER (controller));
  GtkShortcutTrigger *keys =
      gtk_alternative_trigger_new (gtk_keyval_trigger_new (GDK_KEY_Menu, 0),
                                   gtk_keyval_trigger_new (GDK_KEY_F10, GDK_SHIFT_MASK));
  gtk_shortcut_controller_add_shortcut (
      controller, gtk_shortcut_new (keys, gtk_callback_action_new (callback, user_data, NULL)));
}
