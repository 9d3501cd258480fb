/* SPDX-License-Identifier: MPL-2.0
 * gesso-export-dialog.c - a clip, a film or pictures as a film of another format.
 *
 * A form and a page with the progress in one window.  The window stays until the file is there or
 * the user gives up; what went wrong is said above the form, which keeps what was chosen.
 */
#include "app/gesso-export-dialog.h"

#include <glib/gi18n.h>

#include "app/gesso-compat.h"
#include "app/gesso-export-choices.h"
#include "app/gesso-exporter.h"
#include "app/gesso-name.h"

enum
{
  LONGEST_ENDING = 6 /* ".gclip"; what is longer belongs to the name */
};

struct _GessoExportDialog
{
  AdwWindow parent_instance;
  GessoWindow *window;
  char *source, *target;
  gboolean may_replace; /* the file chooser asked */
  gboolean target_chosen;
  int n_done;
  FilmInfo info;            /* n_frames 0 until the source was looked at */
  GCancellable *look, *run; /* @run: NULL while nothing is written */
  GCancellable *naming;     /* NULL once @target is known to be free, or was chosen */
  GtkWidget *stack, *export, *cancel, *form, *problem, *facts;
  GessoExportChoices *choices;
  FilmFormat format; /* that @target was named for */
  GtkWidget *file, *bar, *count;
};

G_DEFINE_FINAL_TYPE (GessoExportDialog, gesso_export_dialog, ADW_TYPE_WINDOW)

/* @base with another ending. */
static char *
propose_target (const char *base, FilmFormat format)
{
  g_autofree char *stem = g_strdup (base);
  char *slash = strrchr (stem, G_DIR_SEPARATOR), *dot = strrchr (stem, '.');
  if (dot && dot > slash + 1 && strlen (dot) <= LONGEST_ENDING)
    *dot = '\0';
  return g_strconcat (stem, film_format_info (format)->extension, NULL);
}

/* Gives the name, where it is taken with a number before the ending. */
static void
free_name_thread (GTask *task, gpointer source, gpointer target, GCancellable *cancellable)
{
  const char *ending = strrchr (target, '.');
  g_autofree char *stem = g_strndup (target, (gsize) (ending - (const char *) target));
  char *path = g_strdup (target);
  for (int i = 2; g_file_test (path, G_FILE_TEST_EXISTS); i++)
    {
      g_free (path);
      path = g_strdup_printf ("%s %d%s", stem, i, ending);
    }
  g_task_return_pointer (task, path, g_free);
}

/* ---- what is shown ---- */

static void
say_problem (GessoExportDialog *self, const char *text)
{
  gtk_label_set_label (GTK_LABEL (self->problem), text);
  gtk_widget_set_visible (self->problem, *text != '\0');
  if (*text)
    gesso_compat_announce (self->problem, text);
}

static void
show_target (GessoExportDialog *self)
{
  g_autofree char *shown = g_filename_display_name (self->target);
  g_autofree char *escaped = g_markup_escape_text (shown, -1);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (self->file), escaped);
}

static void
update (GessoExportDialog *self)
{
  FilmCopyOptions options = { 0 };
  if (self->info.n_frames == 0)
    return;
  g_autofree char *problem = gesso_export_choices_read (self->choices, &options);
  say_problem (self, problem ? problem : "");
  gtk_widget_set_sensitive (self->export, !problem && !self->naming);
}

static void
stop_naming (GessoExportDialog *self)
{
  g_cancellable_cancel (self->naming);
  g_clear_object (&self->naming);
}

static void
named_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoExportDialog) self = user_data;
  g_autofree char *path = g_task_propagate_pointer (G_TASK (result), NULL);
  if (!path) /* it was cancelled */
    return;
  g_free (self->target);
  self->target = g_steal_pointer (&path);
  g_clear_object (&self->naming);
  show_target (self);
  update (self);
}

/* A file that was chosen keeps its folder and name, but for the ending. */
static void
name_target (GessoExportDialog *self)
{
  g_autofree char *before = g_steal_pointer (&self->target);
  self->format = gesso_export_choices_get_format (self->choices);
  self->target = propose_target (self->target_chosen ? before : self->source, self->format);
  self->may_replace = FALSE;
  show_target (self);
  stop_naming (self);
  self->naming = g_cancellable_new ();
  g_autoptr (GTask) task = g_task_new (NULL, self->naming, named_cb, g_object_ref (self));
  g_task_set_task_data (task, g_strdup (self->target), g_free);
  g_task_run_in_thread (task, free_name_thread);
}

static void
choices_changed_cb (GessoExportDialog *self)
{
  if (gesso_export_choices_get_format (self->choices) != self->format)
    name_target (self);
  update (self);
}

static void
show_facts (GessoExportDialog *self, const char *text)
{
  gtk_label_set_label (GTK_LABEL (self->facts), text);
}

static void
show_info (GessoExportDialog *self)
{
  const FilmInfo *info = &self->info;
  g_autofree char *name = g_path_get_basename (self->source);
  g_autofree char *shown = g_filename_display_name (name);
  g_autofree char *frames =
      g_strdup_printf (ngettext ("%d frame", "%d frames", (gulong) info->n_frames), info->n_frames);
  g_autoptr (GString) text = g_string_new (shown);
  g_string_append_printf (text, "\n%s · %d × %d", frames, info->width, info->height);
  if (frame_rate_is_valid (info->rate))
    g_string_append_printf (text, _ (" · %.1f s"),
                            (double) info->n_frames * info->rate.den / info->rate.num);
  show_facts (self, text->str);
}

static void
looked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoExportDialog) self = user_data;
  g_autoptr (GError) error = NULL;
  FilmInfo info;
  gboolean ok = gesso_exporter_read_info_finish (result, &info, &error);
  if (!self->window || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  if (!ok)
    {
      show_facts (self, "");
      say_problem (self, error->message);
      return;
    }
  self->info = info;
  self->info.n_frames = MAX (info.n_frames, 1);
  show_info (self);
  gesso_export_choices_propose_rate (self->choices, info.rate);
  update (self);
}

/* ---- writing ---- */

static void
set_running (GessoExportDialog *self, gboolean running)
{
  gtk_stack_set_visible_child_name (GTK_STACK (self->stack), running ? "progress" : "form");
  gtk_widget_set_visible (self->export, !running);
  gtk_widget_grab_focus (running ? self->cancel : self->export);
}

static void
progress_cb (int n_done, int n_expected, gpointer user_data)
{
  GessoExportDialog *self = user_data;
  if (!self->run)
    return;
  self->n_done = n_done;
  g_autofree char *text = g_strdup_printf (_ ("Frame %d of %d"), n_done, n_expected);
  gtk_label_set_label (GTK_LABEL (self->count), text);
  gtk_progress_bar_set_fraction (GTK_PROGRESS_BAR (self->bar), (double) n_done / n_expected);
}

static void
say_done (GessoExportDialog *self, const FilmCopied *film)
{
  g_autofree char *name = g_path_get_basename (self->target);
  g_autofree char *shown = g_filename_display_name (name);
  g_autofree char *text = g_strdup_printf (_ ("%s is written."), shown);
  g_autofree char *all =
      *film->note ? g_strdup_printf ("%s %s", text, film->note) : g_strdup (text);
  gesso_window_say (self->window, all);
}

static void
done_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoExportDialog) self = user_data;
  g_autoptr (GError) error = NULL;
  FilmCopied film;
  gboolean ok = gesso_exporter_run_finish (result, &film, &error);
  g_clear_object (&self->run);
  if (!self->window) /* closed meanwhile, which cancelled it */
    return;
  if (ok)
    {
      say_done (self, &film);
      gtk_window_close (GTK_WINDOW (self));
      return;
    }
  set_running (self, FALSE);
  update (self);
  if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    say_problem (self, error->message);
}

void
gesso_export_dialog_export (GessoExportDialog *self)
{
  g_return_if_fail (GESSO_IS_EXPORT_DIALOG (self));
  if (self->run || !gesso_export_dialog_is_ready (self))
    return;
  FilmCopyOptions options = { .film = { .overwrite = self->may_replace } };
  g_autofree char *problem = gesso_export_choices_read (self->choices, &options);
  if (problem)
    return;
  gesso_export_choices_keep (self->choices);
  self->run = g_cancellable_new ();
  self->n_done = 0;
  gtk_label_set_label (GTK_LABEL (self->count), _ ("Starting…"));
  gtk_progress_bar_set_fraction (GTK_PROGRESS_BAR (self->bar), 0);
  set_running (self, TRUE);
  gesso_exporter_run_async (self->source, self->target, &options, progress_cb, self->run, done_cb,
                            g_object_ref (self));
}

void
gesso_export_dialog_cancel (GessoExportDialog *self)
{
  g_return_if_fail (GESSO_IS_EXPORT_DIALOG (self));
  if (self->run)
    g_cancellable_cancel (self->run);
  else
    gtk_window_close (GTK_WINDOW (self));
}

static gboolean
cancel_key_cb (GtkWidget *widget, GVariant *args, gpointer user_data)
{
  gesso_export_dialog_cancel (GESSO_EXPORT_DIALOG (widget));
  return TRUE;
}

/* ---- the file ---- */

static void
target_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (GessoExportDialog) self = user_data;
  const char *path = file ? g_file_peek_path (file) : NULL;
  if (path && self->window)
    gesso_export_dialog_set_target (self, path, TRUE);
}

static void
choose_cb (GessoExportDialog *self)
{
  g_autofree char *name = g_path_get_basename (self->target);
  gesso_compat_choose (GTK_WINDOW (self), GESSO_CHOOSE_SAVE, _ ("Export To"), NULL, name,
                       target_chosen_cb, g_object_ref (self));
}

/* A name without the format's ending gets it, and then may be another file than was asked about. */
void
gesso_export_dialog_set_target (GessoExportDialog *self, const char *path, gboolean replace)
{
  g_return_if_fail (GESSO_IS_EXPORT_DIALOG (self) && path != NULL);
  const char *ending = film_format_info (self->format)->extension;
  gboolean whole = g_str_has_suffix (path, ending);
  stop_naming (self);
  g_free (self->target);
  self->target = whole ? g_strdup (path) : g_strconcat (path, ending, NULL);
  self->may_replace = replace && whole;
  self->target_chosen = TRUE;
  show_target (self);
  update (self);
}

/* ---- building ---- */

static GtkWidget *
new_label (const char *css_class)
{
  GtkWidget *label = gtk_label_new (NULL);
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_wrap_mode (GTK_LABEL (label), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_widget_add_css_class (label, css_class);
  return label;
}

static GtkWidget *
new_file_group (GessoExportDialog *self)
{
  GtkWidget *group = adw_preferences_group_new ();
  GtkWidget *choose = gesso_name_new_button (_ ("C_hoose…"));
  self->file = adw_action_row_new ();
  gtk_widget_set_valign (choose, GTK_ALIGN_CENTER);
  gesso_name (choose, _ ("Choose the file"));
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->file), _ ("File"));
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (self->file), 3);
  adw_action_row_add_suffix (ADW_ACTION_ROW (self->file), choose);
  adw_action_row_set_activatable_widget (ADW_ACTION_ROW (self->file), choose);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), self->file);
  g_signal_connect_swapped (choose, "clicked", G_CALLBACK (choose_cb), self);
  return group;
}

static GtkWidget *
new_form (GessoExportDialog *self)
{
  self->form = gtk_box_new (GTK_ORIENTATION_VERTICAL, 12);
  gtk_widget_add_css_class (self->form, "dialog-body");
  self->facts = new_label ("dim-label");
  self->problem = new_label ("error");
  gtk_widget_set_visible (self->problem, FALSE);
  gtk_box_append (GTK_BOX (self->form), self->facts);
  gtk_box_append (GTK_BOX (self->form), self->problem);
  gtk_box_append (GTK_BOX (self->form), new_file_group (self));
  return self->form;
}

/* Above the file. */
static void
add_choices (GessoExportDialog *self)
{
  GtkWidget *choices = gesso_export_choices_new (gesso_window_get_settings (self->window));
  self->choices = GESSO_EXPORT_CHOICES (choices);
  gtk_box_insert_child_after (GTK_BOX (self->form), choices, self->problem);
  g_signal_connect_swapped (choices, "changed", G_CALLBACK (choices_changed_cb), self);
}

/* The form grows when it has something to say. */
static GtkWidget *
new_scroll (GtkWidget *child)
{
  GtkWidget *scroll = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scroll), child);
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroll), GTK_POLICY_NEVER,
                                  GTK_POLICY_AUTOMATIC);
  gtk_widget_set_vexpand (scroll, TRUE);
  return scroll;
}

static GtkWidget *
new_progress (GessoExportDialog *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 12);
  gtk_widget_add_css_class (box, "dialog-body");
  gtk_widget_set_valign (box, GTK_ALIGN_CENTER);
  self->bar = gtk_progress_bar_new ();
  gesso_name (self->bar, _ ("Export"));
  self->count = new_label ("numeric");
  gtk_box_append (GTK_BOX (box), self->bar);
  gtk_box_append (GTK_BOX (box), self->count);
  return box;
}

static GtkWidget *
new_header (GessoExportDialog *self)
{
  GtkWidget *bar = adw_header_bar_new ();
  adw_header_bar_set_show_start_title_buttons (ADW_HEADER_BAR (bar), FALSE);
  adw_header_bar_set_show_end_title_buttons (ADW_HEADER_BAR (bar), FALSE);
  self->cancel = gesso_name_new_button (_ ("_Cancel"));
  self->export = gesso_name_new_button (_ ("_Export"));
  gtk_widget_add_css_class (self->export, "suggested-action");
  gtk_widget_set_sensitive (self->export, FALSE);
  adw_header_bar_pack_start (ADW_HEADER_BAR (bar), self->cancel);
  adw_header_bar_pack_end (ADW_HEADER_BAR (bar), self->export);
  g_signal_connect_swapped (self->cancel, "clicked", G_CALLBACK (gesso_export_dialog_cancel), self);
  g_signal_connect_swapped (self->export, "clicked", G_CALLBACK (gesso_export_dialog_export), self);
  return bar;
}

/* Closed, by whomever: not in dispose, since what runs holds a reference. */
static void
gesso_export_dialog_unrealize (GtkWidget *widget)
{
  GessoExportDialog *self = GESSO_EXPORT_DIALOG (widget);
  if (self->run)
    g_cancellable_cancel (self->run);
  g_cancellable_cancel (self->look);
  stop_naming (self);
  g_clear_object (&self->window);
  GTK_WIDGET_CLASS (gesso_export_dialog_parent_class)->unrealize (widget);
}

static void
gesso_export_dialog_finalize (GObject *object)
{
  GessoExportDialog *self = GESSO_EXPORT_DIALOG (object);
  g_clear_object (&self->window);
  g_clear_object (&self->look);
  g_clear_object (&self->run);
  g_clear_object (&self->naming);
  g_free (self->source);
  g_free (self->target);
  G_OBJECT_CLASS (gesso_export_dialog_parent_class)->finalize (object);
}

static void
gesso_export_dialog_class_init (GessoExportDialogClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gesso_export_dialog_finalize;
  GTK_WIDGET_CLASS (klass)->unrealize = gesso_export_dialog_unrealize;
  gtk_widget_class_add_binding (GTK_WIDGET_CLASS (klass), GDK_KEY_Escape, 0, cancel_key_cb, NULL);
}

static void
gesso_export_dialog_init (GessoExportDialog *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  self->stack = gtk_stack_new ();
  gtk_stack_add_named (GTK_STACK (self->stack), new_scroll (new_form (self)), "form");
  gtk_stack_add_named (GTK_STACK (self->stack), new_progress (self), "progress");
  gtk_box_append (GTK_BOX (box), new_header (self));
  gtk_box_append (GTK_BOX (box), self->stack);
  adw_window_set_content (ADW_WINDOW (self), box);
  gtk_window_set_title (GTK_WINDOW (self), _ ("Export Film"));
  gtk_window_set_modal (GTK_WINDOW (self), TRUE);
  gtk_window_set_default_size (GTK_WINDOW (self), 500, 480);
}

GtkWidget *
gesso_export_dialog_new (GessoWindow *parent, const char *path)
{
  g_return_val_if_fail (GESSO_IS_WINDOW (parent) && path != NULL, NULL);
  GessoExportDialog *self = g_object_new (GESSO_TYPE_EXPORT_DIALOG, "transient-for", parent, NULL);
  self->window = g_object_ref (parent);
  self->source = g_canonicalize_filename (path, NULL);
  self->look = g_cancellable_new ();
  add_choices (self);
  name_target (self);
  gtk_window_set_default_widget (GTK_WINDOW (self), self->export);
  show_facts (self, _ ("Looking at the film…"));
  gesso_exporter_read_info_async (self->source, self->look, looked_cb, g_object_ref (self));
  return GTK_WIDGET (self);
}

/* ---- for whoever drives it ---- */

void
gesso_export_dialog_set_format (GessoExportDialog *self, FilmFormat format)
{
  g_return_if_fail (GESSO_IS_EXPORT_DIALOG (self));
  gesso_export_choices_set_format (self->choices, format);
}

void
gesso_export_dialog_set_rate (GessoExportDialog *self, const char *text)
{
  g_return_if_fail (GESSO_IS_EXPORT_DIALOG (self));
  gesso_export_choices_set_rate (self->choices, text);
}

const char *
gesso_export_dialog_get_target (GessoExportDialog *self)
{
  g_return_val_if_fail (GESSO_IS_EXPORT_DIALOG (self), NULL);
  return self->target;
}

const char *
gesso_export_dialog_get_problem (GessoExportDialog *self)
{
  g_return_val_if_fail (GESSO_IS_EXPORT_DIALOG (self), NULL);
  return gtk_label_get_label (GTK_LABEL (self->problem));
}

gboolean
gesso_export_dialog_is_ready (GessoExportDialog *self)
{
  g_return_val_if_fail (GESSO_IS_EXPORT_DIALOG (self), FALSE);
  return gtk_widget_get_sensitive (self->export);
}

gboolean
gesso_export_dialog_is_running (GessoExportDialog *self)
{
  g_return_val_if_fail (GESSO_IS_EXPORT_DIALOG (self), FALSE);
  return self->run != NULL;
}

int
gesso_export_dialog_get_n_done (GessoExportDialog *self)
{
  g_return_val_if_fail (GESSO_IS_EXPORT_DIALOG (self), 0);
  return self->n_done;
}
