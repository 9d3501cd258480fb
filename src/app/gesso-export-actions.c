/* SPDX-License-Identifier: MPL-2.0
 * gesso-export-actions.c - the commands that open the export dialog.
 */
#include "app/gesso-export-actions.h"

#include <glib/gi18n.h>

#include "app/gesso-compat.h"
#include "app/gesso-export-dialog.h"
#include "library/gesso-trash.h"

static void
export_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  const char *path = g_variant_get_string (parameter, NULL);
  gtk_window_present (GTK_WINDOW (gesso_export_dialog_new (user_data, path)));
}

static void
chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (GessoWindow) window = user_data;
  const char *path = file ? g_file_peek_path (file) : NULL;
  if (path)
    gtk_window_present (GTK_WINDOW (gesso_export_dialog_new (window, path)));
}

static GtkFileFilter *
new_filter (void)
{
  static const char *const patterns[] = { "*.gclip", "*.mp4", "*.mov",  "*.mkv",
                                          "*.webm",  "*.avi", "*.webp", "*.gif" };
  GtkFileFilter *filter = gtk_file_filter_new ();
  gtk_file_filter_set_name (filter, _ ("Clips and films"));
  for (gsize i = 0; i < G_N_ELEMENTS (patterns); i++)
    gtk_file_filter_add_pattern (filter, patterns[i]);
  return filter;
}

static void
export_film_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  g_autoptr (GtkFileFilter) filter = new_filter ();
  gesso_compat_choose (GTK_WINDOW (user_data), GESSO_CHOOSE_FILE, _ ("Choose a Clip or Film"),
                       filter, NULL, chosen_cb, g_object_ref (user_data));
}

static GessoFilmstrip *
filmstrip_of (GessoWindow *window)
{
  return gesso_stage_get_filmstrip (
      gesso_create_page_get_stage (gesso_window_get_create_page (window)));
}

/* Returns: NULL when it is a picture, or nothing */
static const char *
selected_clip (GessoFilmstrip *strip)
{
  GessoResult *result = gesso_filmstrip_get_selected (strip);
  const char *path = result ? gesso_result_get_path (result) : NULL;
  return path && g_str_has_suffix (path, GESSO_CLIP_EXTENSION) ? path : NULL;
}

static void
export_result_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  const char *path = selected_clip (filmstrip_of (user_data));
  if (path)
    gtk_window_present (GTK_WINDOW (gesso_export_dialog_new (user_data, path)));
}

static void
selected_cb (GessoFilmstrip *strip, GParamSpec *pspec, gpointer user_data)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (user_data), "export-result");
  g_simple_action_set_enabled (G_SIMPLE_ACTION (action), selected_clip (strip) != NULL);
}

void
gesso_export_actions_add (GessoWindow *window)
{
  static const GActionEntry entries[] = { { "export", export_cb, "s" },
                                          { "export-film", export_film_cb },
                                          { "export-result", export_result_cb } };
  g_return_if_fail (GESSO_IS_WINDOW (window));
  g_action_map_add_action_entries (G_ACTION_MAP (window), entries, G_N_ELEMENTS (entries), window);
  g_signal_connect_object (filmstrip_of (window), "notify::selected", G_CALLBACK (selected_cb),
                           window, 0);
  selected_cb (filmstrip_of (window), NULL, window);
}
