/* SPDX-License-Identifier: MPL-2.0
 * gesso-seed-editor.c - the seed: a number, a dice, and a lock.
 *
 * An edit by hand locks: who types a seed wants that seed.
 */
#include "app/gesso-seed-editor.h"

#include <glib/gi18n.h>
#include <string.h>

static void
update (GtkEditable *entry, const char *key, GessoForm *form)
{
  g_autofree char *text = gesso_form_dup_text (form, key);
  if (strcmp (text, gtk_editable_get_text (entry)) != 0)
    gtk_editable_set_text (entry, text);
}

static void
set_locked (GtkWidget *widget)
{
  g_autoptr (GVariant) state = NULL;
  GtkRoot *root = gtk_widget_get_root (widget);
  if (G_IS_ACTION_GROUP (root))
    state = g_action_group_get_action_state (G_ACTION_GROUP (root), "seed-locked");
  if (state && !g_variant_get_boolean (state))
    gtk_widget_activate_action (widget, "win.seed-locked", NULL);
}

static void
changed_cb (GtkEditable *entry, gpointer user_data)
{
  GessoForm *form = user_data;
  const char *text = gtk_editable_get_text (entry);
  g_autofree char *before = gesso_form_dup_text (form, "seed");
  if (strcmp (text, before) == 0)
    return;
  gboolean ok = *text && gesso_form_set_text (form, "seed", text, NULL);
  if (ok)
    set_locked (GTK_WIDGET (entry));
  if (ok || !*text)
    gtk_widget_remove_css_class (GTK_WIDGET (entry), "error");
  else
    gtk_widget_add_css_class (GTK_WIDGET (entry), "error");
}

/* What is no seed does not stay in sight. */
static void
focus_left_cb (GtkEventControllerFocus *focus, gpointer user_data)
{
  GtkWidget *entry = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (focus));
  update (GTK_EDITABLE (entry), "seed", user_data);
  gtk_widget_remove_css_class (entry, "error");
}

static void
add_button (
    GtkWidget *box, GtkWidget *button, const char *icon, const char *action, const char *tip)
{
  gtk_button_set_icon_name (GTK_BUTTON (button), icon);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (button), action);
  gtk_widget_set_tooltip_text (button, tip);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, tip, -1);
  gtk_box_append (GTK_BOX (box), button);
}

/* Pressed or not is hard to tell of a small button. */
static void
lock_cb (GtkToggleButton *lock)
{
  gtk_button_set_icon_name (GTK_BUTTON (lock), gtk_toggle_button_get_active (lock)
                                                   ? "gesso-lock-symbolic"
                                                   : "gesso-unlock-symbolic");
}

GtkWidget *
gesso_seed_editor_new (GessoForm *form, const char *key)
{
  g_return_val_if_fail (GESSO_IS_FORM (form) && key, NULL);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0);
  gtk_widget_add_css_class (box, "linked");
  GtkWidget *entry = gtk_entry_new ();
  gtk_editable_set_width_chars (GTK_EDITABLE (entry), 10);
  gtk_editable_set_max_width_chars (GTK_EDITABLE (entry), 10);
  gtk_entry_set_input_purpose (GTK_ENTRY (entry), GTK_INPUT_PURPOSE_DIGITS);
  gtk_accessible_update_property (GTK_ACCESSIBLE (entry), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Seed"),
                                  -1);
  gtk_box_append (GTK_BOX (box), entry);
  GtkWidget *lock = gtk_toggle_button_new ();
  g_signal_connect (lock, "notify::active", G_CALLBACK (lock_cb), NULL);
  add_button (box, lock, "gesso-unlock-symbolic", "win.seed-locked",
              _ ("Keep this seed for the next pictures"));
  add_button (box, gtk_button_new (), "gesso-dice-symbolic", "win.new-seed", _ ("New seed"));

  update (GTK_EDITABLE (entry), key, form);
  g_signal_connect_object (entry, "changed", G_CALLBACK (changed_cb), form, 0);
  GtkEventController *focus = gtk_event_controller_focus_new ();
  g_signal_connect_object (focus, "leave", G_CALLBACK (focus_left_cb), form, 0);
  gtk_widget_add_controller (entry, focus);
  g_signal_connect_object (form, "changed::seed", G_CALLBACK (update), entry, G_CONNECT_SWAPPED);
  return box;
}

void
gesso_seed_editor_draw (GessoForm *form)
{
  g_autofree char *text = g_strdup_printf ("%u", g_random_int ());
  gesso_form_set_text (form, "seed", text, NULL);
}
