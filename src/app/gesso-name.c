/* SPDX-License-Identifier: MPL-2.0
 * gesso-name.c - what a screen reader calls a widget.
 */
#include "app/gesso-name.h"

void
gesso_name (GtkWidget *widget, const char *name)
{
  g_return_if_fail (GTK_IS_ACCESSIBLE (widget) && name);
  gtk_accessible_update_property (GTK_ACCESSIBLE (widget), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
}

/* Without a name of its own the button is called by what it shows. */
void
gesso_name_by_label (GtkWidget *button)
{
  g_return_if_fail (GTK_IS_BUTTON (button));
  gtk_accessible_reset_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL);
}

GtkWidget *
gesso_name_new_button (const char *label)
{
  g_return_val_if_fail (label != NULL, NULL);
  GtkWidget *button = gtk_button_new_with_mnemonic (label);
  gesso_name_by_label (button);
  return button;
}

void
gesso_name_buttons (GtkWidget *widget)
{
  g_return_if_fail (GTK_IS_WIDGET (widget));
  if (GTK_IS_BUTTON (widget) && gtk_button_get_use_underline (GTK_BUTTON (widget)))
    gesso_name_by_label (widget);
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child;
       child = gtk_widget_get_next_sibling (child))
    gesso_name_buttons (child);
}

/* Later GTK binds an item before the list has its widget, which is the topmost then. */
void
gesso_name_list_item (GtkWidget *child, const char *name)
{
  g_return_if_fail (GTK_IS_WIDGET (child) && name);
  GtkWidget *item = child, *list = gtk_widget_get_parent (child);
  while (list && !GTK_IS_LIST_VIEW (list) && !GTK_IS_GRID_VIEW (list))
    {
      item = list;
      list = gtk_widget_get_parent (list);
    }
  if (list || (item != child && !GTK_IS_ROOT (item)))
    gesso_name (item, name);
}

void
gesso_name_drop_down (GtkWidget *drop_down, const char *name)
{
  g_return_if_fail (GTK_IS_DROP_DOWN (drop_down) && name);
  gesso_name (drop_down, name);
  GtkWidget *button = gtk_widget_get_first_child (drop_down);
  if (GTK_IS_BUTTON (button))
    gesso_name (button, name);
}

/* Later libadwaita calls a group's list by its title, also where that is empty. */
void
gesso_name_lists (GtkWidget *group, const char *name)
{
  g_return_if_fail (GTK_IS_WIDGET (group) && name);
  if (GTK_IS_LIST_BOX (group))
    {
      gtk_accessible_reset_relation (GTK_ACCESSIBLE (group), GTK_ACCESSIBLE_RELATION_LABELLED_BY);
      gesso_name (group, name);
    }
  for (GtkWidget *child = gtk_widget_get_first_child (group); child;
       child = gtk_widget_get_next_sibling (child))
    if (!GTK_IS_LIST_BOX (group))
      gesso_name_lists (child, name);
}
