/* SPDX-License-Identifier: MPL-2.0
 * gesso-project-actions.c - new, open, recent, save: the commands about .gesso files.
 */
#include "app/gesso-project-actions.h"

#include <glib/gi18n.h>

#include "app/gesso-compat.h"
#include "app/gesso-dialog.h"
#include "app/gesso-open.h"
#include "app/gesso-recent.h"
#include "app/gesso-save-as.h"
#include "session/gesso-project-file.h"

/* What is to be done once the changes are saved or declined. */
typedef struct Errand Errand;
struct Errand
{
  GessoWindow *window;
  char *path; /* to be opened, or to be written to */
  void (*then) (Errand *errand);
};

static Errand *
errand_new (GessoWindow *window, const char *path, void (*then) (Errand *errand))
{
  Errand *errand = g_new (Errand, 1);
  *errand = (Errand){ g_object_ref (window), g_strdup (path), then };
  return errand;
}

static void
errand_free (gpointer data)
{
  Errand *errand = data;
  g_object_unref (errand->window);
  g_free (errand->path);
  g_free (errand);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Errand, errand_free)

/* Returns: NULL when the window was closed meanwhile */
static GessoProject *
project_of (const Errand *errand)
{
  return gesso_window_get_project (errand->window);
}

/* ---- opening ---- */

static void
opened_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Errand) errand = user_data;
  g_autoptr (GError) error = NULL;
  gboolean ok = gesso_project_open_finish (GESSO_PROJECT (source), result, &error);
  if (!project_of (errand) || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  if (!ok)
    {
      gesso_save_as_tell (errand->window, _ ("“%s” Cannot Be Opened"), errand->path,
                          error->message);
      return;
    }
  gesso_recent_add (errand->path);
  gesso_window_show_page (errand->window, "create");
}

static void
open_path (GessoWindow *window, const char *path)
{
  gesso_project_open_async (gesso_window_get_project (window), path, opened_cb,
                            errand_new (window, path, NULL));
}

static void
open_now (Errand *errand)
{
  open_path (errand->window, errand->path);
}

static void
begin_new (Errand *errand)
{
  gesso_project_begin_new (project_of (errand));
  gesso_window_show_page (errand->window, "create");
}

/* ---- saving ---- */

static void
saved_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Errand) errand = user_data;
  GessoProject *project = GESSO_PROJECT (source);
  g_autoptr (GError) error = NULL;
  gboolean ok = gesso_project_save_finish (project, result, &error);
  if (!project_of (errand))
    return;
  if (!ok)
    {
      gesso_save_as_tell (errand->window, _ ("“%s” Was Not Saved"), errand->path, error->message);
      return;
    }
  gesso_recent_add (errand->path);
  g_autofree char *name = gesso_project_dup_name (project);
  g_autofree char *text = g_strdup_printf (_ ("“%s” is saved"), name);
  gesso_window_say (errand->window, text);
  if (errand->then)
    errand->then (errand);
}

/* Takes @errand. */
static void
save_to (Errand *errand, const char *path)
{
  g_free (errand->path);
  errand->path = g_strdup (path);
  gesso_project_save_async (project_of (errand), path, saved_cb, errand);
}

static GtkFileFilter *
new_filter (void)
{
  GtkFileFilter *filter = gtk_file_filter_new ();
  gtk_file_filter_add_suffix (filter, GESSO_PROJECT_SUFFIX + 1);
  gtk_file_filter_set_name (filter, _ ("Gesso projects"));
  return filter;
}

static void
chosen_cb (GessoWindow *window, const char *path, gpointer user_data)
{
  const Errand *errand = user_data;
  save_to (errand_new (window, NULL, errand->then), path);
}

/* Takes @errand. */
static void
choose_and_save (Errand *errand)
{
  static const GessoSaveAs project = {
    N_ ("Save the Project"),
    N_ ("Gesso projects"),
    GESSO_PROJECT_SUFFIX,
    N_ ("Projects are saved on this computer: choose a folder of it."),
  };
  gesso_save_as (errand->window, &project, chosen_cb, errand, errand_free);
}

/* Takes @errand. */
static void
save (Errand *errand)
{
  const char *path = gesso_project_get_path (project_of (errand));
  if (path)
    save_to (errand, path);
  else
    choose_and_save (errand);
}

/* ---- asking ---- */

enum
{
  ANSWER_DECLINE = 1,
  ANSWER_SAVE
};

typedef struct
{
  Errand *errand;
} Question;

static void
question_free (gpointer data)
{
  Question *question = data;
  g_clear_pointer (&question->errand, errand_free);
  g_free (question);
}

static void
close_now (Errand *errand)
{
  gesso_project_decline (project_of (errand));
  gtk_window_close (GTK_WINDOW (errand->window));
}

static void
close_saved (Errand *errand)
{
  gtk_window_close (GTK_WINDOW (errand->window));
}

static void
answered_cb (int answer, gpointer user_data)
{
  Question *question = user_data;
  if (!project_of (question->errand))
    return;
  if (answer == ANSWER_DECLINE)
    question->errand->then (question->errand);
  else if (answer == ANSWER_SAVE)
    {
      Errand *errand = g_steal_pointer (&question->errand);
      if (errand->then == close_now)
        errand->then = close_saved;
      save (errand);
    }
}

/* Takes @errand. */
static void
ask (Errand *errand)
{
  g_autofree char *name = gesso_project_dup_name (project_of (errand));
  g_autofree char *body = name ? g_strdup_printf (_ ("“%s” has changes that are not saved."), name)
                               : g_strdup (_ ("The picture on the canvas is in no project yet."));
  const char *buttons[] = { _ ("_Cancel"), _ ("_Don’t Save"), _ ("_Save"), NULL };
  Question *question = g_new (Question, 1);
  question->errand = errand;
  gesso_ask (GTK_WINDOW (errand->window), _ ("Save Changes?"), body, buttons, GESSO_ASK_SUGGESTED,
             answered_cb, question, question_free);
}

/* Takes @errand. */
static void
settle (Errand *taken)
{
  g_autoptr (Errand) errand = taken;
  if (gesso_project_has_unsaved (project_of (errand)))
    ask (g_steal_pointer (&errand));
  else
    errand->then (errand);
}

gboolean
gesso_project_actions_ask_close (GessoWindow *window)
{
  g_return_val_if_fail (GESSO_IS_WINDOW (window), FALSE);
  GessoProject *project = gesso_window_get_project (window);
  /* a canvas without a name is kept for the next start */
  if (!gesso_project_get_path (project) || !gesso_project_has_unsaved (project))
    return FALSE;
  ask (errand_new (window, NULL, close_now));
  return TRUE;
}

void
gesso_project_actions_open (GessoWindow *window, const char *path)
{
  g_return_if_fail (GESSO_IS_WINDOW (window) && path);
  settle (errand_new (window, path, open_now));
}

/* ---- commands ---- */

static void
new_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  settle (errand_new (user_data, NULL, begin_new));
}

static void
file_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (GessoWindow) window = user_data;
  g_autoptr (GSList) files = file ? g_slist_prepend (NULL, file) : NULL;
  if (files && gesso_window_get_project (window))
    gesso_open_files (window, files);
}

static void
open_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  g_autoptr (GtkFileFilter) filter = new_filter ();
  gtk_file_filter_add_mime_type (filter, "image/png");
  gtk_file_filter_add_mime_type (filter, "image/jpeg");
  gtk_file_filter_add_mime_type (filter, "image/webp");
  gtk_file_filter_add_mime_type (filter, "image/gif");
  gtk_file_filter_add_mime_type (filter, "video/*");
  gtk_file_filter_add_pattern (filter, "*.gclip");
  gtk_file_filter_set_name (filter, _ ("Projects, pictures and clips"));
  gesso_compat_choose (GTK_WINDOW (user_data), GESSO_CHOOSE_FILE, _ ("Open"), filter, NULL,
                       file_chosen_cb, g_object_ref (user_data));
}

static void
open_project_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_project_actions_open (user_data, g_variant_get_string (parameter, NULL));
}

static void
open_uris_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  g_autofree const char **uris = g_variant_get_strv (parameter, NULL);
  g_autoslist (GFile) files = NULL;
  for (int i = 0; uris[i]; i++)
    files = g_slist_prepend (files, g_file_new_for_uri (uris[i]));
  files = g_slist_reverse (files);
  gesso_open_files (user_data, files);
}

static void
save_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  save (errand_new (user_data, NULL, NULL));
}

static void
save_as_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  choose_and_save (errand_new (user_data, NULL, NULL));
}

/* For tests and scripts: the file chooser is the desktop's and cannot be driven. */
static void
save_to_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  save_to (errand_new (user_data, NULL, NULL), g_variant_get_bytestring (parameter));
}

static const GActionEntry entries[] = {
  { "new", new_cb },
  { "open", open_cb },
  { "open-project", open_project_cb, "s" },
  { "open-uris", open_uris_cb, "as" },
  { "save", save_cb },
  { "save-as", save_as_cb },
  { "save-to", save_to_cb, "ay" },
};

static void
resume (GessoWindow *window)
{
  GessoProject *project = gesso_window_get_project (window);
  if (project && gesso_project_is_declined (project))
    open_path (window, gesso_project_get_path (project));
}

void
gesso_project_actions_add (GessoWindow *window, GMenu *recent)
{
  g_return_if_fail (GESSO_IS_WINDOW (window) && G_IS_MENU (recent));
  g_action_map_add_action_entries (G_ACTION_MAP (window), entries, G_N_ELEMENTS (entries), window);
  gesso_recent_fill (recent, G_OBJECT (window), "win.open-project");
  GessoCreatePage *page = gesso_window_get_create_page (window);
  /* after what the drafts hold, or that would come on top */
  if (gesso_create_page_is_restoring (page))
    g_signal_connect_object (page, "restored", G_CALLBACK (resume), window, G_CONNECT_SWAPPED);
  else
    resume (window);
}
