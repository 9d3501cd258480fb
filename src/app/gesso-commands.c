/* SPDX-License-Identifier: MPL-2.0
 * gesso-commands.c - every key in one table.
 *
 * Accelerators of actions are seen before the focused widget sees the key: single letters, arrows
 * and the keys of text fields therefore belong to widgets, and stand here without an action.
 */
#include "app/gesso-commands.h"

#include <glib/gi18n.h>

#include "app/canvas/gesso-canvas.h"
#include "app/gesso-dialog.h"

static const GessoCommand commands[] = {
  { N_ ("General"),
    "win.generate-by-key",
    N_ ("Generate"),
    { "<Control>Return", "<Control>KP_Enter" } },
  { N_ ("General"),
    "win.generate-now-by-key",
    N_ ("Generate before everything else"),
    { "<Control><Shift>Return" } },
  { N_ ("General"), "win.stop", N_ ("Stop the running job"), { "<Control>period" } },
  { N_ ("General"), "win.page::create", N_ ("Create"), { "<Alt>1" } },
  { N_ ("General"), "win.page::gallery", N_ ("Gallery"), { "<Alt>2" } },
  { N_ ("General"), "win.search", N_ ("Search the gallery"), { "<Control>f" } },
  { N_ ("General"), "win.show-parameters", N_ ("Parameters"), { "F9" } },
  { N_ ("General"), "win.show-queue", N_ ("Queue"), { "F8", "<Control>j" } },
  { N_ ("General"), "win.next-region", N_ ("Next part of the window"), { "F6" } },
  { N_ ("General"), "win.fullscreen", N_ ("Full screen"), { "F11" } },
  { N_ ("General"), "win.open", N_ ("Open a project or a picture"), { "<Control>o" } },
  { N_ ("General"), "win.save", N_ ("Save the project"), { "<Control>s" } },
  { N_ ("General"), "win.save-as", N_ ("Save the project as"), { "<Control><Shift>s" } },
  { N_ ("General"), "win.save-picture", N_ ("Save the canvas as a picture"), { "<Control>e" } },
  { N_ ("General"), "win.new", N_ ("New project"), { "<Control>n" } },
  { N_ ("General"), "app.preferences", N_ ("Preferences"), { "<Control>comma" } },
  { N_ ("General"), "app.help", N_ ("Help"), { "F1" } },
  { N_ ("General"), "app.shortcuts", N_ ("Keyboard shortcuts"), { "<Control>question" } },
  { N_ ("General"), "win.menu", N_ ("Main menu"), { "F10" } },
  { N_ ("General"), "app.quit", N_ ("Quit"), { "<Control>q" } },

  { N_ ("Prompt"), "win.focus-prompt", N_ ("Go to the prompt"), { "<Control>l" } },
  { N_ ("Prompt"), NULL, N_ ("More weight for the word or selection"), { "<Control>Up" } },
  { N_ ("Prompt"), NULL, N_ ("Less weight for the word or selection"), { "<Control>Down" } },
  { N_ ("Prompt"), NULL, N_ ("Earlier prompt"), { "<Alt>Up" } },
  { N_ ("Prompt"), NULL, N_ ("Later prompt"), { "<Alt>Down" } },

  { N_ ("Parameters"), "win.new-seed", N_ ("New seed"), { "<Control><Shift>n" } },
  { N_ ("Parameters"), "win.grid", N_ ("X/Y/Z grid"), { "<Control>g" } },
  { N_ ("Parameters"),
    "win.reset-parameters",
    N_ ("Reset all parameters"),
    { "<Control><Shift>r" } },

  { N_ ("Queue"), "win.pause", N_ ("Pause or go on"), { "<Control><Shift>p" } },
  { N_ ("Queue"), NULL, N_ ("Move the job up"), { "<Alt>Up" } },
  { N_ ("Queue"), NULL, N_ ("Move the job down"), { "<Alt>Down" } },
  { N_ ("Queue"), NULL, N_ ("Do the job first"), { "<Alt>Home" } },
  { N_ ("Queue"), NULL, N_ ("Edit the job"), { "Return" } },
  { N_ ("Queue"), NULL, N_ ("Duplicate the job"), { "<Control>d" } },
  { N_ ("Queue"), NULL, N_ ("Try again"), { "<Control>r" } },
  { N_ ("Queue"), NULL, N_ ("Cancel or remove the job"), { "Delete" } },
  { N_ ("Queue"), NULL, N_ ("All actions"), { "<Shift>F10", "Menu" } },

  { N_ ("Results below the canvas"), NULL, N_ ("Keep on the canvas"), { "Return" } },
  { N_ ("Results below the canvas"), NULL, N_ ("Star"), { "s" } },
  { N_ ("Results below the canvas"), NULL, N_ ("Extend the clip"), { "e" } },
  { N_ ("Results below the canvas"), NULL, N_ ("Copy"), { "<Control>c" } },
  { N_ ("Results below the canvas"), NULL, N_ ("Move to the trash"), { "Delete" } },
  { N_ ("Results below the canvas"), NULL, N_ ("All actions"), { "<Shift>F10", "Menu" } },

  { N_ ("Gallery"), NULL, N_ ("Open"), { "Return" } },
  { N_ ("Gallery"), NULL, N_ ("Quick look"), { "space" } },
  { N_ ("Gallery"), NULL, N_ ("Previous picture"), { "Left", "Page_Up" } },
  { N_ ("Gallery"), NULL, N_ ("Next picture"), { "Right", "Page_Down" } },
  { N_ ("Gallery"), NULL, N_ ("Back to all pictures"), { "Escape", "BackSpace" } },
  { N_ ("Gallery"), NULL, N_ ("Search"), { "slash" } },
  { N_ ("Gallery"), NULL, N_ ("Larger"), { "plus" } },
  { N_ ("Gallery"), NULL, N_ ("Smaller"), { "minus" } },
  { N_ ("Gallery"), NULL, N_ ("Fit"), { "0" } },
  { N_ ("Gallery"), NULL, N_ ("100 %"), { "1" } },
  { N_ ("Gallery"), NULL, N_ ("Compare two, or swap the two that are compared"), { "x" } },
  { N_ ("Gallery"), NULL, N_ ("Compared side by side, or with a divider"), { "m" } },
  { N_ ("Gallery"), NULL, N_ ("Move the divider"), { "Left", "Right" } },
  { N_ ("Gallery"), NULL, N_ ("Star"), { "s" } },
  { N_ ("Gallery"), NULL, N_ ("Use the recipe"), { "u" } },
  { N_ ("Gallery"), NULL, N_ ("Copy the prompt"), { "<Control>c" } },
  { N_ ("Gallery"), NULL, N_ ("Details"), { "i" } },
  { N_ ("Gallery"), NULL, N_ ("Play or pause the clip"), { "p" } },
  { N_ ("Gallery"), NULL, N_ ("One frame back"), { "comma" } },
  { N_ ("Gallery"), NULL, N_ ("One frame on"), { "period" } },
  { N_ ("Gallery"), NULL, N_ ("Extend the clip"), { "e" } },
  { N_ ("Gallery"), NULL, N_ ("Move to the trash"), { "Delete" } },
  { N_ ("Gallery"), NULL, N_ ("Bring back what went to the trash last"), { "<Control>z" } },
  { N_ ("Gallery"), NULL, N_ ("All actions"), { "<Shift>F10", "Menu" } },
};

const GessoCommand *
gesso_commands (guint *n)
{
  *n = G_N_ELEMENTS (commands);
  return commands;
}

void
gesso_commands_set_accels (GtkApplication *app)
{
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    if (commands[i].action)
      {
        const char *accels[] = { commands[i].accels[0], commands[i].accels[1], NULL };
        gtk_application_set_accels_for_action (app, commands[i].action, accels);
      }
}

static GtkWidget *
new_keycap (const char *accel)
{
  guint key = 0;
  GdkModifierType modifiers = 0;
  gtk_accelerator_parse (accel, &key, &modifiers);
  g_autofree char *text = gtk_accelerator_get_label (key, modifiers);
  GtkWidget *label = gtk_label_new (text);
  gtk_widget_add_css_class (label, "keycap");
  gtk_widget_set_valign (label, GTK_ALIGN_CENTER);
  return label;
}

static GtkWidget *
new_row (const char *title, const char *const *accels)
{
  GtkWidget *row = adw_action_row_new ();
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  for (int i = 0; accels[i]; i++)
    adw_action_row_add_suffix (ADW_ACTION_ROW (row), new_keycap (accels[i]));
  return row;
}

static AdwPreferencesGroup *
add_group (GtkWidget *page, const char *title)
{
  AdwPreferencesGroup *group = ADW_PREFERENCES_GROUP (adw_preferences_group_new ());
  adw_preferences_group_set_title (group, title);
  adw_preferences_page_add (ADW_PREFERENCES_PAGE (page), group);
  return group;
}

static void
add_canvas_keys (GtkWidget *page)
{
  guint n;
  const GessoCanvasKey *keys = gesso_canvas_keys (&n);
  AdwPreferencesGroup *group = add_group (page, _ ("Canvas"));
  for (guint i = 0; i < n; i++)
    {
      g_auto (GStrv) accels = g_strsplit (keys[i].accel, " ", 0);
      adw_preferences_group_add (group, new_row (_ (keys[i].title), (const char *const *) accels));
    }
}

GtkWindow *
gesso_commands_new_window (GtkWindow *parent)
{
  GtkWidget *page = adw_preferences_page_new ();
  AdwPreferencesGroup *group = NULL;
  gtk_widget_set_vexpand (page, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      if (i == 0 || g_strcmp0 (commands[i].group, commands[i - 1].group) != 0)
        group = add_group (page, _ (commands[i].group));
      const char *accels[] = { commands[i].accels[0], commands[i].accels[1], NULL };
      adw_preferences_group_add (group, new_row (_ (commands[i].title), accels));
    }
  add_canvas_keys (page);
  GtkWindow *window = gesso_dialog_new (parent, _ ("Keyboard Shortcuts"), page);
  gtk_window_set_default_size (window, 520, 640);
  return window;
}
