/* SPDX-License-Identifier: MPL-2.0
 * gesso-folder-row.c - a row of Preferences: a folder that the user named, what is in it, and a
 * button that leaves it out.
 */
#include "app/gesso-folder-row.h"

#include <glib/gi18n.h>

struct _GessoFolderRow
{
  AdwActionRow parent_instance;
  GessoLibrary *library;
  char *path;
  gboolean pictures;
  gboolean looking; /* on a thread, whether the folder is there */
  gboolean away;    /* it was not */
};

G_DEFINE_FINAL_TYPE (GessoFolderRow, gesso_folder_row, ADW_TYPE_ACTION_ROW)

static int
count_below (GessoLibrary *library, GessoFileKind kind, const char *folder)
{
  GListModel *files = gesso_library_get_models (library, kind);
  g_autofree char *prefix = g_strconcat (folder, G_DIR_SEPARATOR_S, NULL);
  int n = 0;
  for (guint i = 0; i < g_list_model_get_n_items (files); i++)
    {
      g_autoptr (GessoModelFile) file = g_list_model_get_item (files, i);
      n += g_str_has_prefix (gesso_model_file_get_path (file), prefix);
    }
  return n;
}

char *
gesso_folder_row_dup_contents (GessoLibrary *library, const char *path)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (library) && path, NULL);
  int n = count_below (library, GESSO_FILE_CHECKPOINT, path);
  int n_loras = count_below (library, GESSO_FILE_LORA, path);
  g_autofree char *models =
      g_strdup_printf (g_dngettext (NULL, "%d model", "%d models", (gulong) n), n);
  g_autofree char *loras =
      g_strdup_printf (g_dngettext (NULL, "%d LoRA", "%d LoRAs", (gulong) n_loras), n_loras);
  return g_strdup_printf ("%s · %s", models, loras);
}

/* Of pictures the gallery tells. */
static char *
dup_state (GessoFolderRow *self)
{
  if (gesso_library_is_silent (self->library, self->path))
    return g_strdup (_ ("Its disk does not answer: what was known of it stays."));
  if (self->away)
    return g_strdup (_ ("Not there now: its disk may not be connected."));
  return self->pictures ? g_strdup ("") : gesso_folder_row_dup_contents (self->library, self->path);
}

static void
show_state (GessoFolderRow *self)
{
  g_autofree char *state = dup_state (self);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (self), state);
}

static void
look_thread (GTask *task, gpointer source, gpointer path, GCancellable *cancellable)
{
  g_task_return_boolean (task, g_file_test (path, G_FILE_TEST_IS_DIR));
}

static void
looked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoFolderRow) self = user_data;
  self->looking = FALSE;
  self->away = !g_task_propagate_boolean (G_TASK (result), NULL);
  if (self->library)
    show_state (self);
}

/* On a thread: a network disk that does not answer would stop the window. */
static void
follow (GessoFolderRow *self)
{
  show_state (self);
  if (self->looking)
    return;
  self->looking = TRUE;
  g_autoptr (GTask) task = g_task_new (NULL, NULL, looked_cb, g_object_ref (self));
  g_task_set_task_data (task, g_strdup (self->path), g_free);
  g_task_run_in_thread (task, look_thread);
}

static void
leave_out_cb (GtkButton *button, gpointer user_data)
{
  GessoFolderRow *self = user_data;
  g_autofree char *path = g_strdup (self->path); /* the row may go with it */
  gesso_library_remove_folder (self->library, path);
}

static void
gesso_folder_row_dispose (GObject *object)
{
  GessoFolderRow *self = GESSO_FOLDER_ROW (object);
  g_clear_object (&self->library);
  G_OBJECT_CLASS (gesso_folder_row_parent_class)->dispose (object);
}

static void
gesso_folder_row_finalize (GObject *object)
{
  g_free (GESSO_FOLDER_ROW (object)->path);
  G_OBJECT_CLASS (gesso_folder_row_parent_class)->finalize (object);
}

static void
gesso_folder_row_class_init (GessoFolderRowClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_folder_row_dispose;
  G_OBJECT_CLASS (klass)->finalize = gesso_folder_row_finalize;
}

static void
gesso_folder_row_init (GessoFolderRow *self)
{
}

static GtkWidget *
new_leave_out_button (const char *shown)
{
  g_autofree char *tip = g_strdup_printf (_ ("Leave out %s"), shown);
  GtkWidget *button = gtk_button_new_from_icon_name ("list-remove-symbolic");
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_tooltip_text (button, tip);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, tip, -1);
  return button;
}

GtkWidget *
gesso_folder_row_new (GessoLibrary *library, const char *path, gboolean pictures)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (library) && path, NULL);
  GessoFolderRow *self = g_object_new (GESSO_TYPE_FOLDER_ROW, "title-lines", 2, NULL);
  self->library = g_object_ref (library);
  self->path = g_strdup (path);
  self->pictures = pictures;
  g_autofree char *shown = g_filename_display_name (path);
  g_autofree char *escaped = g_markup_escape_text (shown, -1);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self), escaped);
  GtkWidget *button = new_leave_out_button (shown);
  g_signal_connect (button, "clicked", G_CALLBACK (leave_out_cb), self);
  adw_action_row_add_suffix (ADW_ACTION_ROW (self), button);
  g_signal_connect_object (library, "changed", G_CALLBACK (follow), self, G_CONNECT_SWAPPED);
  follow (self);
  return GTK_WIDGET (self);
}
