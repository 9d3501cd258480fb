/* SPDX-License-Identifier: MPL-2.0
 * drag-source.c - a little file manager for tests: a window whose label drags the files that are
 * given on the command line.  Prints "ready" when it is shown, "over ACTION" when what is under the
 * pointer says what it would do with them, and "done ACTION" when a drag ended.
 */
#include <gtk/gtk.h>

static GSList *files;

static GdkContentProvider *
prepare_cb (GtkDragSource *source, double x, double y, gpointer user_data)
{
  GdkFileList *list = gdk_file_list_new_from_list (files);
  GdkContentProvider *content = gdk_content_provider_new_typed (GDK_TYPE_FILE_LIST, list);
  g_boxed_free (GDK_TYPE_FILE_LIST, list);
  return content;
}

static void
action_cb (GdkDrag *drag, GParamSpec *pspec, gpointer user_data)
{
  g_print ("over %d\n", (int) gdk_drag_get_selected_action (drag));
}

static void
begin_cb (GtkDragSource *source, GdkDrag *drag, gpointer user_data)
{
  g_signal_connect (drag, "notify::selected-action", G_CALLBACK (action_cb), NULL);
}

static void
end_cb (GtkDragSource *source, GdkDrag *drag, gboolean delete_data, gpointer user_data)
{
  g_print ("done %d\n", (int) gdk_drag_get_selected_action (drag));
}

static void
activate_cb (GtkApplication *app, gpointer user_data)
{
  GtkWidget *window = gtk_application_window_new (app), *label = gtk_label_new ("file");
  GtkDragSource *drag = gtk_drag_source_new ();
  gtk_window_set_title (GTK_WINDOW (window), "DragSource");
  gtk_window_set_default_size (GTK_WINDOW (window), 200, 120);
  gtk_window_set_decorated (GTK_WINDOW (window), FALSE);
  gtk_window_set_child (GTK_WINDOW (window), label);
  g_signal_connect (drag, "prepare", G_CALLBACK (prepare_cb), NULL);
  g_signal_connect (drag, "drag-begin", G_CALLBACK (begin_cb), NULL);
  g_signal_connect (drag, "drag-end", G_CALLBACK (end_cb), NULL);
  gtk_widget_add_controller (label, GTK_EVENT_CONTROLLER (drag));
  gtk_window_present (GTK_WINDOW (window));
  g_print ("ready\n");
}

int
main (int argc, char **argv)
{
  for (int i = 1; i < argc; i++)
    files = g_slist_append (files, g_file_new_for_commandline_arg (argv[i]));
  g_autoptr (GtkApplication) app = gtk_application_new (NULL, G_APPLICATION_NON_UNIQUE);
  g_signal_connect (app, "activate", G_CALLBACK (activate_cb), NULL);
  int rc = g_application_run (G_APPLICATION (app), 1, argv);
  g_slist_free_full (files, g_object_unref);
  return rc;
}
