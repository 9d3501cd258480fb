/* SPDX-License-Identifier: MPL-2.0
 * gesso-welcome.c - the first run's card.
 */
#include "app/gesso-welcome.h"

#include <glib/gi18n.h>

#include "app/gesso-name.h"

struct _GessoWelcome
{
  AdwBin parent_instance;
  GessoLibrary *library;
  GSettings *settings;
  GCancellable *cancellable;
  GtkWidget *found;
};

G_DEFINE_FINAL_TYPE (GessoWelcome, gesso_welcome, ADW_TYPE_BIN)

static void
dismiss (GessoWelcome *self)
{
  g_settings_set_boolean (self->settings, "welcome-dismissed", TRUE);
}

static void
use_cb (GtkButton *button, gpointer user_data)
{
  GessoWelcome *self = user_data;
  gesso_library_add_folder (self->library, g_object_get_data (G_OBJECT (button), "path"));
  dismiss (self);
}

static void
library_changed_cb (GessoWelcome *self)
{
  g_auto (GStrv) folders = gesso_library_dup_folders (self->library);
  if (folders && folders[0])
    dismiss (self);
}

static void
append_installation (GessoWelcome *self, const char *path)
{
  GtkWidget *row = adw_action_row_new ();
  g_autofree char *shown = g_filename_display_name (path);
  g_autofree char *escaped = g_markup_escape_text (shown, -1);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), _ ("Models found"));
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), escaped);
  GtkWidget *button = gesso_name_new_button (_ ("_Use"));
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  g_object_set_data_full (G_OBJECT (button), "path", g_strdup (path), g_free);
  g_signal_connect (button, "clicked", G_CALLBACK (use_cb), self);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), button);
  gtk_list_box_append (GTK_LIST_BOX (self->found), row);
}

static void
found_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_auto (GStrv) paths = gesso_library_find_others_finish (GESSO_LIBRARY (source), result, NULL);
  if (!paths)
    return; /* the card is gone */
  GessoWelcome *self = user_data;
  for (int i = 0; paths[i]; i++)
    append_installation (self, paths[i]);
  gtk_widget_set_visible (self->found, paths[0] != NULL);
}

static void
gesso_welcome_dispose (GObject *object)
{
  GessoWelcome *self = GESSO_WELCOME (object);
  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  gtk_widget_dispose_template (GTK_WIDGET (self), GESSO_TYPE_WELCOME);
  g_clear_object (&self->library);
  g_clear_object (&self->settings);
  G_OBJECT_CLASS (gesso_welcome_parent_class)->dispose (object);
}

static void
gesso_welcome_class_init (GessoWelcomeClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = gesso_welcome_dispose;
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/gesso_studio/Gesso/ui/gesso-welcome.ui");
  gtk_widget_class_bind_template_child (widget_class, GessoWelcome, found);
  gtk_widget_class_bind_template_callback (widget_class, dismiss);
}

static void
gesso_welcome_init (GessoWelcome *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  gesso_name_buttons (GTK_WIDGET (self));
}

GtkWidget *
gesso_welcome_new (GessoLibrary *library, GSettings *settings)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (library) && G_IS_SETTINGS (settings), NULL);
  GessoWelcome *self = g_object_new (GESSO_TYPE_WELCOME, NULL);
  self->library = g_object_ref (library);
  self->settings = g_object_ref (settings);
  self->cancellable = g_cancellable_new ();
  g_settings_bind (settings, "welcome-dismissed", self, "visible",
                   G_SETTINGS_BIND_GET | G_SETTINGS_BIND_INVERT_BOOLEAN);
  g_signal_connect_object (library, "changed", G_CALLBACK (library_changed_cb), self,
                           G_CONNECT_SWAPPED);
  if (gtk_widget_get_visible (GTK_WIDGET (self)))
    {
      gesso_library_find_others_async (library, self->cancellable, found_cb, self);
      library_changed_cb (self);
    }
  return GTK_WIDGET (self);
}
