/* SPDX-License-Identifier: MPL-2.0
 * gesso-help.c - what the window can do and where to begin.
 *
 * Each row is something that one wants to do and how; keys stand in the list of shortcuts, to which
 * the last rows lead.
 */
#include "app/gesso-help.h"

#include <glib/gi18n.h>

#include "app/gesso-dialog.h"
#include "app/gesso-name.h"

enum
{
  WIDTH = 560, /* px */
  HEIGHT = 640
};

typedef struct
{
  const char *title, *text;
} Topic;

static const Topic pictures[] = {
  { N_ ("Make a picture"),
    N_ ("Write in English what you want to see, and press Generate or Ctrl+Return. The small model "
        "that comes with Gesso knows simple things, such as a red apple.") },
  { N_ ("Use your own models"),
    N_ ("Choose Add Models Folder in the main menu. Files stay where they are. Then choose one "
        "under Model, and LoRAs further below.") },
  { N_ ("Go on from a picture"),
    N_ ("Drop one on the canvas, or choose a result below it and press Enter to keep it there. "
        "Change says how much of it may differ. Paint over a part with the brush to change only "
        "that.") },
  { N_ ("Make many"),
    N_ ("The number beside Generate makes several. Its menu has grids, which try values against "
        "each other, and prompts from a file. All of it waits in the queue, and goes on after a "
        "restart.") },
};

static const Topic clips[] = {
  { N_ ("Make a clip"),
    N_ ("Choose a video model: the button becomes Animate. A picture on the canvas is what the "
        "clip begins with.") },
  { N_ ("Make a clip longer"),
    N_ ("Choose it below the canvas or in the gallery and press E. The line above the button says "
        "which clip is extended.") },
};

static const Topic afterwards[] = {
  { N_ ("Find a picture again"),
    N_ ("The gallery searches prompts, models and names of files. Use Recipe sets everything as "
        "that picture was made; so does a picture that is dropped on the window, also one of "
        "A1111, ComfyUI or InvokeAI.") },
  { N_ ("Work without the window"),
    N_ ("In a terminal, gesso-cli does all of this, too: gesso-cli --help.") },
};

static AdwPreferencesGroup *
add_group (GtkWidget *page, const char *title)
{
  AdwPreferencesGroup *group = ADW_PREFERENCES_GROUP (adw_preferences_group_new ());
  adw_preferences_group_set_title (group, title);
  adw_preferences_page_add (ADW_PREFERENCES_PAGE (page), group);
  return group;
}

static GtkWidget *
new_row (const char *title, const char *text)
{
  GtkWidget *row = adw_action_row_new ();
  g_object_set (row, "use-markup", FALSE, NULL); /* before the texts, which may hold anything */
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  if (text)
    adw_action_row_set_subtitle (ADW_ACTION_ROW (row), text);
  return row;
}

static void
add_topics (GtkWidget *page, const char *title, const Topic *topics, gsize n)
{
  AdwPreferencesGroup *group = add_group (page, title);
  for (gsize i = 0; i < n; i++)
    adw_preferences_group_add (group, new_row (_ (topics[i].title), _ (topics[i].text)));
  gesso_name_lists (GTK_WIDGET (group), title);
}

static void
leads_cb (AdwActionRow *row, gpointer user_data)
{
  GtkWindow *help = GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (row)));
  g_autoptr (GtkWindow) parent = g_object_ref (gtk_window_get_transient_for (help));
  gtk_window_close (help);
  gtk_widget_activate_action (GTK_WIDGET (parent), user_data, NULL);
}

/* @action: without a parameter */
static void
add_lead (AdwPreferencesGroup *group, const char *title, const char *action)
{
  GtkWidget *row = new_row (title, NULL);
  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), TRUE);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row),
                             gtk_image_new_from_icon_name ("go-next-symbolic"));
  g_signal_connect (row, "activated", G_CALLBACK (leads_cb), (gpointer) action);
  adw_preferences_group_add (group, row);
}

GtkWindow *
gesso_help_new (GtkWindow *parent, const char *pictures_dir)
{
  g_return_val_if_fail (GTK_IS_WINDOW (parent) && pictures_dir, NULL);
  GtkWidget *page = adw_preferences_page_new ();
  gtk_widget_set_vexpand (page, TRUE);
  add_topics (page, _ ("Pictures"), pictures, G_N_ELEMENTS (pictures));
  add_topics (page, _ ("Clips"), clips, G_N_ELEMENTS (clips));
  add_topics (page, _ ("Afterwards"), afterwards, G_N_ELEMENTS (afterwards));
  AdwPreferencesGroup *more = add_group (page, _ ("More"));
  g_autofree char *shown = g_filename_display_name (pictures_dir);
  adw_preferences_group_add (more, new_row (_ ("Where pictures and clips are"), shown));
  add_lead (more, _ ("Keyboard shortcuts"), "app.shortcuts");
  add_lead (more, _ ("About Gesso"), "app.about");
  gesso_name_lists (GTK_WIDGET (more), _ ("More"));
  GtkWindow *window = gesso_dialog_new (parent, _ ("Help"), page);
  gtk_window_set_default_size (window, WIDTH, HEIGHT);
  return window;
}
