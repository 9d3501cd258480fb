/* SPDX-License-Identifier: MPL-2.0
 * gesso-compat.c - what newer GTK and libadwaita do better, each with its form on the floor
 * version.
 */
#undef GDK_VERSION_MAX_ALLOWED
#include "app/gesso-compat.h"

#include <glib/gi18n.h>

typedef struct
{
  GessoChosen callback;
  gpointer user_data;
  GessoChooseMode mode;
} Choice;

#if GTK_CHECK_VERSION(4, 10, 0)
static void
chosen_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Choice *choice = user_data;
  GtkFileDialog *dialog = GTK_FILE_DIALOG (source);
  g_autoptr (GFile) file = NULL;
  switch (choice->mode)
    {
    case GESSO_CHOOSE_FILE:
      file = gtk_file_dialog_open_finish (dialog, result, NULL);
      break;
    case GESSO_CHOOSE_FOLDER:
      file = gtk_file_dialog_select_folder_finish (dialog, result, NULL);
      break;
    case GESSO_CHOOSE_SAVE:
      file = gtk_file_dialog_save_finish (dialog, result, NULL);
      break;
    }
  choice->callback (file, choice->user_data);
}

static void
choose (
    Choice *choice, GtkWindow *parent, const char *title, GtkFileFilter *filter, const char *name)
{
  g_autoptr (GtkFileDialog) dialog = gtk_file_dialog_new ();
  gtk_file_dialog_set_title (dialog, title);
  gtk_file_dialog_set_default_filter (dialog, filter);
  if (name)
    gtk_file_dialog_set_initial_name (dialog, name);
  if (choice->mode == GESSO_CHOOSE_FILE)
    gtk_file_dialog_open (dialog, parent, NULL, chosen_cb, choice);
  else if (choice->mode == GESSO_CHOOSE_FOLDER)
    gtk_file_dialog_select_folder (dialog, parent, NULL, chosen_cb, choice);
  else
    gtk_file_dialog_save (dialog, parent, NULL, chosen_cb, choice);
}
#else
static void
response_cb (GtkNativeDialog *dialog, int response, gpointer user_data)
{
  g_autofree Choice *choice = user_data;
  g_autoptr (GFile) file = response == GTK_RESPONSE_ACCEPT
                               ? gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog))
                               : NULL;
  choice->callback (file, choice->user_data);
  g_object_unref (dialog);
}

static void
choose (
    Choice *choice, GtkWindow *parent, const char *title, GtkFileFilter *filter, const char *name)
{
  static const GtkFileChooserAction actions[] = { GTK_FILE_CHOOSER_ACTION_OPEN,
                                                  GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER,
                                                  GTK_FILE_CHOOSER_ACTION_SAVE };
  GtkFileChooserNative *dialog =
      gtk_file_chooser_native_new (title, parent, actions[choice->mode], NULL, NULL);
  if (filter)
    gtk_file_chooser_add_filter (GTK_FILE_CHOOSER (dialog), filter);
  if (name)
    gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), name);
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (dialog), TRUE);
  g_signal_connect (dialog, "response", G_CALLBACK (response_cb), choice);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}
#endif

void
gesso_compat_choose (GtkWindow *parent,
                     GessoChooseMode mode,
                     const char *title,
                     GtkFileFilter *filter,
                     const char *name,
                     GessoChosen callback,
                     gpointer user_data)
{
  g_return_if_fail (callback != NULL);
  Choice *choice = g_new (Choice, 1);
  *choice = (Choice){ callback, user_data, mode };
  choose (choice, parent, title, filter, name);
}

void
gesso_compat_announce (GtkWidget *widget, const char *text)
{
#if GTK_CHECK_VERSION(4, 14, 0)
  gtk_accessible_announce (GTK_ACCESSIBLE (widget), text,
                           GTK_ACCESSIBLE_ANNOUNCEMENT_PRIORITY_MEDIUM);
#else
  (void) widget, (void) text;
#endif
}

void
gesso_compat_get_color (GtkWidget *widget, GdkRGBA *color)
{
#if GTK_CHECK_VERSION(4, 10, 0)
  gtk_widget_get_color (widget, color);
#else
  gtk_style_context_get_color (gtk_widget_get_style_context (widget), color);
#endif
}

/* AdwAboutWindow and AdwAboutDialog have the same properties. */
static GObject *
new_about (const char *version, const char *comments, const char *debug_info)
{
#if ADW_CHECK_VERSION(1, 5, 0)
  GType type = ADW_TYPE_ABOUT_DIALOG;
#else
  GType type = ADW_TYPE_ABOUT_WINDOW;
#endif
  return g_object_new (type, "application-name", "Gesso", "application-icon",
                       "io.github.gesso_studio.Gesso", "developer-name", _ ("The Gesso founders"),
                       "version", version, "comments", comments, "license-type",
                       GTK_LICENSE_MPL_2_0, "website", "https://github.com/gesso-studio/gesso",
                       "debug-info", debug_info, NULL);
}

void
gesso_compat_show_about (GtkWindow *parent,
                         const char *version,
                         const char *comments,
                         const char *debug_info)
{
  GObject *about = new_about (version, comments, debug_info);
#if ADW_CHECK_VERSION(1, 5, 0)
  adw_dialog_present (ADW_DIALOG (about), GTK_WIDGET (parent));
#else
  gtk_window_set_transient_for (GTK_WINDOW (about), parent);
  gtk_window_set_modal (GTK_WINDOW (about), TRUE);
  gtk_window_present (GTK_WINDOW (about));
#endif
}
