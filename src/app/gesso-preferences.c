/* SPDX-License-Identifier: MPL-2.0
 * gesso-preferences.c - folders of models, where pictures go, light or dark, what computes.
 */
#include "app/gesso-preferences.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "app/gesso-compat.h"
#include "app/gesso-device-group.h"
#include "app/gesso-dialog.h"
#include "app/gesso-folder-row.h"
#include "app/gesso-name.h"
#include "media/film.h"

/* Lives as long as its window. */
typedef struct
{
  GessoWindow *window;
  AdwPreferencesGroup *folders, *others; /* of models, of other programs' pictures */
  GPtrArray *rows, *picture_rows;        /* theirs */
  char *listed;                          /* what the rows were made of */
  GtkWidget *pictures;
  char **found, **outputs;   /* of other programs, as of the opening; NULL until they are found */
  GCancellable *cancellable; /* of the search for them */
} Preferences;

static void
preferences_free (gpointer data)
{
  Preferences *p = data;
  g_cancellable_cancel (p->cancellable);
  g_object_unref (p->cancellable);
  g_object_unref (p->window);
  g_ptr_array_unref (p->rows);
  g_ptr_array_unref (p->picture_rows);
  g_strfreev (p->found);
  g_strfreev (p->outputs);
  g_free (p->listed);
  g_free (p);
}

static GtkWidget *
new_button (const char *icon, const char *tip)
{
  GtkWidget *button = gtk_button_new_from_icon_name (icon);
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_tooltip_text (button, tip);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, tip, -1);
  return button;
}

/* @problem: NULL when the folder was taken */
static void
tell (GtkWidget *window, const char *problem)
{
  const char *const buttons[] = { _ ("_Close"), NULL };
  if (problem)
    gesso_ask (GTK_WINDOW (window), _ ("The folder was not added"), problem, buttons,
               GESSO_ASK_PLAIN, NULL, NULL, NULL);
}

static void
use_cb (GtkButton *button, gpointer user_data)
{
  Preferences *p = user_data;
  g_autofree char *path = g_strdup (g_object_get_data (G_OBJECT (button), "path"));
  GtkWidget *window = GTK_WIDGET (gtk_widget_get_root (GTK_WIDGET (button)));
  tell (window, gesso_library_add_folder (gesso_window_get_library (p->window), path));
}

static void
shown_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GtkWidget) window = user_data;
  const char *problem = gesso_library_add_pictures_finish (GESSO_LIBRARY (source), result);
  if (gtk_widget_get_realized (window)) /* not closed meanwhile */
    tell (window, problem);
}

static void
show_cb (GtkButton *button, gpointer user_data)
{
  Preferences *p = user_data;
  gesso_library_add_pictures_async (gesso_window_get_library (p->window),
                                    g_object_get_data (G_OBJECT (button), "path"), shown_cb,
                                    g_object_ref (gtk_widget_get_root (GTK_WIDGET (button))));
}

/* Of another program, found in one of the usual places and not named yet. */
static GtkWidget *
new_found_row (Preferences *p, const char *path, const char *title, GCallback callback)
{
  GtkWidget *row = adw_action_row_new (), *button = gesso_name_new_button (_ ("_Use"));
  g_autofree char *shown = g_filename_display_name (path);
  g_autofree char *escaped = g_markup_escape_text (shown, -1);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), escaped);
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  g_object_set_data_full (G_OBJECT (button), "path", g_strdup (path), g_free);
  g_signal_connect (button, "clicked", callback, p);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), button);
  return row;
}

static GtkWidget *
new_no_folder_row (void)
{
  GtkWidget *row = adw_action_row_new ();
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), _ ("No folders yet"));
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), _ ("Add one here, or drop it on the window."));
  return row;
}

static void
add_row (Preferences *p, GtkWidget *row)
{
  adw_preferences_group_add (p->folders, row);
  g_ptr_array_add (p->rows, row);
}

static void
add_picture_row (Preferences *p, GtkWidget *row)
{
  adw_preferences_group_add (p->others, row);
  g_ptr_array_add (p->picture_rows, row);
}

/* The folder that Gesso writes to has a row of its own. */
static void
list_picture_folders (Preferences *p)
{
  GessoLibrary *library = gesso_window_get_library (p->window);
  const char *own = gesso_session_get_pictures_dir (gesso_window_get_session (p->window));
  g_auto (GStrv) folders = gesso_library_dup_picture_folders (library);
  for (guint i = 0; i < p->picture_rows->len; i++)
    adw_preferences_group_remove (p->others, g_ptr_array_index (p->picture_rows, i));
  g_ptr_array_set_size (p->picture_rows, 0);
  for (int i = 0; folders && folders[i]; i++)
    if (!g_str_equal (folders[i], own))
      add_picture_row (p, gesso_folder_row_new (library, folders[i], TRUE));
  for (int i = 0; p->outputs && p->outputs[i]; i++)
    if (!folders || !g_strv_contains ((const char *const *) folders, p->outputs[i]))
      add_picture_row (
          p, new_found_row (p, p->outputs[i], _ ("Pictures found"), G_CALLBACK (show_cb)));
}

/* A scan tells of every picture; rows under somebody's hand stay.  Returns: whether the folders are
 * others than before */
static gboolean
take_changes (Preferences *p)
{
  GessoLibrary *library = gesso_window_get_library (p->window);
  g_auto (GStrv) models = gesso_library_dup_folders (library);
  g_auto (GStrv) pictures = gesso_library_dup_picture_folders (library);
  g_autofree char *first = g_strjoinv ("\n", models), *second = g_strjoinv ("\n", pictures);
  g_autofree char *listed =
      g_strdup_printf ("%s\n\n%s\n\n%s", first, second,
                       gesso_session_get_pictures_dir (gesso_window_get_session (p->window)));
  if (g_strcmp0 (listed, p->listed) == 0)
    return FALSE;
  g_free (p->listed);
  p->listed = g_steal_pointer (&listed);
  return TRUE;
}

/* GtkWidget * first: connected swapped to the window, so that it ends with it. */
static void
list_folders (GtkWidget *window)
{
  Preferences *p = g_object_get_data (G_OBJECT (window), "preferences");
  if (!take_changes (p))
    return;
  for (guint i = 0; i < p->rows->len; i++)
    adw_preferences_group_remove (p->folders, g_ptr_array_index (p->rows, i));
  g_ptr_array_set_size (p->rows, 0);
  GessoLibrary *library = gesso_window_get_library (p->window);
  g_auto (GStrv) folders = gesso_library_dup_folders (library);
  for (int i = 0; folders && folders[i]; i++)
    add_row (p, gesso_folder_row_new (library, folders[i], FALSE));
  if (!p->rows->len)
    add_row (p, new_no_folder_row ());
  for (int i = 0; p->found && p->found[i]; i++)
    if (!folders || !g_strv_contains ((const char *const *) folders, p->found[i]))
      add_row (p, new_found_row (p, p->found[i], _ ("Models found"), G_CALLBACK (use_cb)));
  list_picture_folders (p);
}

static void
found_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  char **outputs = NULL;
  char **found = gesso_library_find_others_finish (GESSO_LIBRARY (source), result, &outputs);
  if (!found)
    return; /* the window is closed */
  Preferences *p = user_data;
  p->found = found;
  p->outputs = outputs;
  g_clear_pointer (&p->listed, g_free);
  list_folders (GTK_WIDGET (gtk_widget_get_root (GTK_WIDGET (p->folders))));
}

static void
folder_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (GtkWidget) window = user_data;
  Preferences *p = g_object_get_data (G_OBJECT (window), "preferences");
  if (file && g_file_peek_path (file))
    tell (window,
          gesso_library_add_folder (gesso_window_get_library (p->window), g_file_peek_path (file)));
  list_folders (window);
}

static void
add_folder_cb (GtkButton *button, gpointer user_data)
{
  GtkWidget *window = GTK_WIDGET (gtk_widget_get_root (GTK_WIDGET (button)));
  gesso_compat_choose (GTK_WINDOW (window), GESSO_CHOOSE_FOLDER, _ ("Choose a Models Folder"), NULL,
                       NULL, folder_chosen_cb, g_object_ref (window));
}

static void
others_added_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GtkWidget) window = g_object_ref (user_data);
  shown_cb (source, result, user_data);
  if (gtk_widget_get_realized (window))
    list_folders (window);
}

static void
others_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (GtkWidget) window = user_data;
  Preferences *p = g_object_get_data (G_OBJECT (window), "preferences");
  if (file && g_file_peek_path (file))
    gesso_library_add_pictures_async (gesso_window_get_library (p->window), g_file_peek_path (file),
                                      others_added_cb, g_object_ref (window));
}

static void
add_others_cb (GtkButton *button, gpointer user_data)
{
  GtkWidget *window = GTK_WIDGET (gtk_widget_get_root (GTK_WIDGET (button)));
  gesso_compat_choose (GTK_WINDOW (window), GESSO_CHOOSE_FOLDER, _ ("Choose a Pictures Folder"),
                       NULL, NULL, others_chosen_cb, g_object_ref (window));
}

static void
rescan_cb (GtkButton *button, gpointer user_data)
{
  Preferences *p = user_data;
  gesso_library_rescan (gesso_window_get_library (p->window));
}

static GtkWidget *
new_folders_group (Preferences *p)
{
  GtkWidget *group = adw_preferences_group_new ();
  p->folders = ADW_PREFERENCES_GROUP (group);
  adw_preferences_group_set_title (p->folders, _ ("Models"));
  adw_preferences_group_set_description (
      p->folders, _ ("Files stay where they are. Folders of ComfyUI, Forge, A1111 and SwarmUI are "
                     "recognised."));
  GtkWidget *add = gesso_name_new_button (_ ("_Add Folder…"));
  gtk_widget_add_css_class (add, "flat");
  gtk_widget_set_valign (add, GTK_ALIGN_CENTER);
  g_signal_connect (add, "clicked", G_CALLBACK (add_folder_cb), p);
  GtkWidget *again = new_button ("view-refresh-symbolic", _ ("Look through the folders again"));
  g_signal_connect (again, "clicked", G_CALLBACK (rescan_cb), p);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  gtk_box_append (GTK_BOX (box), again);
  gtk_box_append (GTK_BOX (box), add);
  adw_preferences_group_set_header_suffix (p->folders, box);
  return group;
}

static void
show_pictures_folder (Preferences *p)
{
  g_autofree char *shown = g_filename_display_name (
      gesso_session_get_pictures_dir (gesso_window_get_session (p->window)));
  g_autofree char *escaped = g_markup_escape_text (shown, -1);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (p->pictures), escaped);
}

static void
writable_thread (GTask *task, gpointer source, gpointer path, GCancellable *cancellable)
{
  g_task_return_boolean (task, g_utf8_validate (path, -1, NULL) && g_access (path, W_OK) == 0);
}

static void
writable_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoWindow) window = user_data;
  GessoLibrary *library = gesso_window_get_library (window);
  const char *path = g_task_get_task_data (G_TASK (result));
  if (!library) /* closed meanwhile */
    return;
  const char *problem = g_task_propagate_boolean (G_TASK (result), NULL)
                            ? gesso_library_add_own_folder (library, path)
                            : _ ("Pictures cannot be written there: choose another folder.");
  if (problem)
    gesso_window_say (window, problem);
  else
    g_settings_set_string (gesso_window_get_settings (window), "pictures-folder", path);
}

static void
pictures_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (GtkWidget) window = user_data;
  Preferences *p = g_object_get_data (G_OBJECT (window), "preferences");
  const char *path = file ? g_file_peek_path (file) : NULL;
  if (!path)
    return;
  g_autoptr (GTask) task = g_task_new (NULL, NULL, writable_cb, g_object_ref (p->window));
  g_task_set_task_data (task, g_strdup (path), g_free);
  g_task_run_in_thread (task, writable_thread);
}

/* GtkWidget * first: see list_folders. */
static void
pictures_changed (GtkWidget *window)
{
  show_pictures_folder (g_object_get_data (G_OBJECT (window), "preferences"));
  list_folders (window);
}

static void
choose_pictures_cb (GtkButton *button, gpointer user_data)
{
  GtkWidget *window = GTK_WIDGET (gtk_widget_get_root (GTK_WIDGET (button)));
  gesso_compat_choose (GTK_WINDOW (window), GESSO_CHOOSE_FOLDER, _ ("Choose a Pictures Folder"),
                       NULL, NULL, pictures_chosen_cb, g_object_ref (window));
}

static GtkWidget *
new_switch_row (GSettings *settings, const char *key, const char *title)
{
  GtkWidget *row = adw_action_row_new (), *widget = gtk_switch_new ();
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  gtk_widget_set_valign (widget, GTK_ALIGN_CENTER);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), widget);
  adw_action_row_set_activatable_widget (ADW_ACTION_ROW (row), widget);
  g_settings_bind (settings, key, widget, "active", G_SETTINGS_BIND_DEFAULT);
  return row;
}

#if GESSO_VIDEO

/* The formats that the gallery does not show as pictures of their own; first none. */
static const FilmFormat *
film_formats (guint *n)
{
  static FilmFormat formats[FILM_N_FORMATS];
  *n = 0;
  for (int i = 0; i < FILM_N_FORMATS; i++)
    if (film_format_info ((FilmFormat) i)->needs_gstreamer)
      formats[(*n)++] = (FilmFormat) i;
  return formats;
}

static void
film_cb (AdwComboRow *row, GParamSpec *pspec, gpointer settings)
{
  guint n, selected = adw_combo_row_get_selected (row);
  const FilmFormat *formats = film_formats (&n);
  g_settings_set_string (
      settings, "film-format",
      selected == 0 || selected > n ? "none" : film_format_info (formats[selected - 1])->name);
}

static GtkWidget *
new_film_row (GSettings *settings)
{
  guint n, selected = 0;
  const FilmFormat *formats = film_formats (&n);
  GtkWidget *row = adw_combo_row_new ();
  g_autoptr (GtkStringList) model = gtk_string_list_new (NULL);
  g_autofree char *chosen = g_settings_get_string (settings, "film-format");
  gtk_string_list_append (model, _ ("None"));
  for (guint i = 0; i < n; i++)
    {
      gtk_string_list_append (model, film_format_info (formats[i])->title);
      if (g_str_equal (film_format_info (formats[i])->name, chosen))
        selected = i + 1;
    }
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), _ ("Film beside each clip"));
  adw_combo_row_set_model (ADW_COMBO_ROW (row), G_LIST_MODEL (model));
  adw_combo_row_set_selected (ADW_COMBO_ROW (row), selected);
  g_signal_connect_object (row, "notify::selected", G_CALLBACK (film_cb), settings, 0);
  return row;
}

#endif

static GtkWidget *
new_pictures_group (Preferences *p)
{
  GtkWidget *group = adw_preferences_group_new ();
  adw_preferences_group_set_title (ADW_PREFERENCES_GROUP (group), _ ("Pictures"));
  p->pictures = adw_action_row_new ();
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (p->pictures), _ ("Folder"));
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (p->pictures), 2);
  GtkWidget *choose = new_button ("folder-open-symbolic", _ ("Choose a pictures folder"));
  g_signal_connect (choose, "clicked", G_CALLBACK (choose_pictures_cb), p);
  adw_action_row_add_suffix (ADW_ACTION_ROW (p->pictures), choose);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), p->pictures);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group),
                             new_switch_row (gesso_window_get_settings (p->window), "notify",
                                             _ ("Notify when the queue is done")));
#if GESSO_VIDEO
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group),
                             new_film_row (gesso_window_get_settings (p->window)));
#endif
  show_pictures_folder (p);
  return group;
}

static GtkWidget *
new_others_group (Preferences *p)
{
  GtkWidget *group = adw_preferences_group_new ();
  p->others = ADW_PREFERENCES_GROUP (group);
  adw_preferences_group_set_title (p->others, _ ("Pictures of Other Programs"));
  adw_preferences_group_set_description (
      p->others, _ ("The gallery shows them with their settings, and changes none of them."));
  GtkWidget *add = gesso_name_new_button (_ ("Add _Pictures Folder…"));
  gtk_widget_add_css_class (add, "flat");
  gtk_widget_set_valign (add, GTK_ALIGN_CENTER);
  g_signal_connect (add, "clicked", G_CALLBACK (add_others_cb), p);
  adw_preferences_group_set_header_suffix (p->others, add);
  return group;
}

static void
look_cb (AdwComboRow *row, GParamSpec *pspec, gpointer user_data)
{
  g_settings_set_enum (user_data, "look", (int) adw_combo_row_get_selected (row));
}

static GtkWidget *
new_look_group (Preferences *p)
{
  const char *labels[] = { _ ("As the desktop"), _ ("Light"), _ ("Dark"), NULL };
  GSettings *settings = gesso_window_get_settings (p->window);
  GtkWidget *group = adw_preferences_group_new (), *row = adw_combo_row_new ();
  g_autoptr (GtkStringList) model = gtk_string_list_new (labels);
  adw_preferences_group_set_title (ADW_PREFERENCES_GROUP (group), _ ("Appearance"));
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), _ ("Look"));
  adw_combo_row_set_model (ADW_COMBO_ROW (row), G_LIST_MODEL (model));
  adw_combo_row_set_selected (ADW_COMBO_ROW (row), (guint) g_settings_get_enum (settings, "look"));
  g_signal_connect_object (row, "notify::selected", G_CALLBACK (look_cb), settings, 0);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), row);
  return group;
}

GtkWindow *
gesso_preferences_new (GessoWindow *window)
{
  g_return_val_if_fail (GESSO_IS_WINDOW (window), NULL);
  Preferences *p = g_new0 (Preferences, 1);
  p->window = g_object_ref (window);
  p->rows = g_ptr_array_new ();
  p->picture_rows = g_ptr_array_new ();
  p->cancellable = g_cancellable_new ();
  GtkWidget *page = adw_preferences_page_new ();
  gtk_widget_set_vexpand (page, TRUE);
  AdwPreferencesPage *pages = ADW_PREFERENCES_PAGE (page);
  adw_preferences_page_add (pages, ADW_PREFERENCES_GROUP (new_folders_group (p)));
  adw_preferences_page_add (pages, ADW_PREFERENCES_GROUP (new_pictures_group (p)));
  adw_preferences_page_add (pages, ADW_PREFERENCES_GROUP (new_others_group (p)));
  adw_preferences_page_add (pages, ADW_PREFERENCES_GROUP (new_look_group (p)));
  adw_preferences_page_add (pages, ADW_PREFERENCES_GROUP (gesso_device_group_new (window)));
  GtkWindow *dialog = gesso_dialog_new (GTK_WINDOW (window), _ ("Preferences"), page);
  gtk_window_set_default_size (dialog, 560, 600);
  g_object_set_data_full (G_OBJECT (dialog), "preferences", p, preferences_free);
  g_signal_connect_object (gesso_window_get_library (window), "changed", G_CALLBACK (list_folders),
                           dialog, G_CONNECT_SWAPPED);
  /* after the application, which hands it to the session */
  g_signal_connect_object (gesso_window_get_settings (window), "changed::pictures-folder",
                           G_CALLBACK (pictures_changed), dialog, G_CONNECT_SWAPPED);
  list_folders (GTK_WIDGET (dialog));
  gesso_library_find_others_async (gesso_window_get_library (window), p->cancellable, found_cb, p);
  return dialog;
}
