/* SPDX-License-Identifier: MPL-2.0 */
#include "app/gesso-save-as.h"

#include <glib/gi18n.h>

#include "app/gesso-compat.h"
#include "app/gesso-dialog.h"
#include "app/gesso-presence.h"

typedef struct
{
  GessoWindow *window;
  const GessoSaveAs *what;
  char *path; /* that is asked about */
  GessoSaveAsChosen chosen;
  gpointer user_data;
  GDestroyNotify destroy;
} Asking;

static void
asking_free (gpointer data)
{
  Asking *asking = data;
  if (asking->destroy)
    asking->destroy (asking->user_data);
  g_object_unref (asking->window);
  g_free (asking->path);
  g_free (asking);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Asking, asking_free)

static gboolean
is_open (GessoWindow *window)
{
  return gesso_window_get_project (window) != NULL;
}

/* The file chooser asked about what it would replace, unless the name lacked its ending. */
static void
answered_cb (int answer, gpointer user_data)
{
  const Asking *asking = user_data;
  if (answer == 1 && is_open (asking->window))
    asking->chosen (asking->window, asking->path, asking->user_data);
}

/* Takes @asking. */
static void
ask_to_replace (Asking *asking)
{
  g_autofree char *name = g_filename_display_basename (asking->path);
  g_autofree char *body = g_strdup_printf (_ ("There is a file “%s” already."), name);
  const char *buttons[] = { _ ("_Cancel"), _ ("_Replace"), NULL };
  gesso_ask (GTK_WINDOW (asking->window), _ ("Replace It?"), body, buttons, GESSO_ASK_DESTRUCTIVE,
             answered_cb, asking, asking_free);
}

static void
looked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Asking) asking = user_data;
  gboolean there = gesso_presence_finish (result, NULL);
  if (!is_open (asking->window))
    return;
  if (there)
    ask_to_replace (g_steal_pointer (&asking));
  else
    asking->chosen (asking->window, asking->path, asking->user_data);
}

static void
chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (Asking) asking = user_data;
  const char *path = file ? g_file_peek_path (file) : NULL;
  if (!file || !is_open (asking->window))
    return;
  if (!path)
    {
      gesso_window_say (asking->window, _ (asking->what->elsewhere));
      return;
    }
  g_autofree char *folded = g_ascii_strdown (path, -1);
  gboolean named = g_str_has_suffix (folded, asking->what->suffix);
  asking->path = named ? g_strdup (path) : g_strconcat (path, asking->what->suffix, NULL);
  if (named)
    asking->chosen (asking->window, asking->path, asking->user_data);
  else
    {
      path = asking->path;
      gesso_presence_async (path, NULL, looked_cb, g_steal_pointer (&asking));
    }
}

void
gesso_save_as (GessoWindow *window,
               const GessoSaveAs *what,
               GessoSaveAsChosen chosen,
               gpointer user_data,
               GDestroyNotify destroy)
{
  g_return_if_fail (GESSO_IS_WINDOW (window) && what && chosen && is_open (window));
  Asking *asking = g_new (Asking, 1);
  *asking = (Asking){ g_object_ref (window), what, NULL, chosen, user_data, destroy };
  g_autofree char *name = gesso_project_dup_name (gesso_window_get_project (window));
  g_autofree char *proposed = g_strconcat (name ? name : _ ("Untitled"), what->suffix, NULL);
  g_autoptr (GtkFileFilter) filter = gtk_file_filter_new ();
  gtk_file_filter_add_suffix (filter, what->suffix + 1);
  gtk_file_filter_set_name (filter, _ (what->kind));
  gesso_compat_choose (GTK_WINDOW (window), GESSO_CHOOSE_SAVE, _ (what->title), filter, proposed,
                       chosen_cb, asking);
}

void
gesso_save_as_tell (GessoWindow *window, const char *format, const char *path, const char *sentence)
{
  const char *buttons[] = { _ ("_Close"), NULL };
  g_autofree char *name = g_filename_display_basename (path);
  g_autoptr (GString) text = g_string_new (format);
  g_string_replace (text, "%s", name, 1);
  const char *heading = text->str;
  if (is_open (window))
    gesso_ask (GTK_WINDOW (window), heading, sentence, buttons, GESSO_ASK_PLAIN, NULL, NULL, NULL);
}
