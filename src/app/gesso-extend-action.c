/* SPDX-License-Identifier: MPL-2.0
 * gesso-extend-action.c - the commands that set a clip as what the next one goes on from.
 *
 * With a video model chosen the form stays as it is; else it becomes the clip's own recipe, which
 * names the model that made it.
 */
#include "app/gesso-extend-action.h"

#include <glib/gi18n.h>

#include "app/gesso-presence.h"
#include "media/texts.h"

typedef struct
{
  GessoWindow *window;
  char *path;
} Extend;

static void
extend_free (Extend *extend)
{
  g_object_unref (extend->window);
  g_free (extend->path);
  g_free (extend);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Extend, extend_free)

/* Gives the clip's recipe, "" for none. */
static void
read_thread (GTask *task, gpointer source, gpointer path, GCancellable *cancellable)
{
  MediaTexts texts = { 0 };
  Status status = { 0 };
  if (!media_texts_read (&texts, path, &status))
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_FAILED, "%s", status.message);
      return;
    }
  const char *recipe = media_texts_find (&texts, "gesso");
  g_task_return_pointer (task, g_strdup (recipe ? recipe : ""), g_free);
  media_texts_clear (&texts);
}

static void
extend_now (const Extend *extend)
{
  GessoCreatePage *page = gesso_window_get_create_page (extend->window);
  if (!page) /* closed meanwhile */
    return;
  if (!gesso_create_page_makes_clips (page))
    {
      gesso_window_say (extend->window,
                        _ ("Choose a video model first: it makes what is added to the clip."));
      return;
    }
  gesso_create_page_extend (page, extend->path);
  gesso_window_show_page (extend->window, "create");
}

static void
model_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Extend) extend = user_data;
  extend_now (extend);
}

/* A model that does not lie where the recipe says may be another by the time that this is known:
 * who asked first (gesso-resolve.h) hears it first. */
static void
wait_for_model (Extend *extend, GessoCreatePage *page)
{
  const char *model = recipe_str (gesso_form_peek (gesso_create_page_get_form (page))->model);
  if (g_path_is_absolute (model))
    gesso_presence_async (model, NULL, model_cb, extend);
  else
    {
      extend_now (extend);
      extend_free (extend);
    }
}

static void
read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Extend) extend = user_data;
  g_autoptr (GError) error = NULL;
  GessoWindow *window = extend->window;
  GessoCreatePage *page = gesso_window_get_create_page (window);
  g_autofree char *recipe = g_task_propagate_pointer (G_TASK (result), &error);
  if (!page)
    return;
  gboolean takes_recipe = recipe && *recipe && !gesso_create_page_makes_clips (page);
  if (takes_recipe)
    gesso_create_page_load_recipe (page, recipe, 0, &error);
  if (error)
    gesso_window_say (window, error->message);
  else if (takes_recipe && !gesso_create_page_makes_clips (page))
    wait_for_model (g_steal_pointer (&extend), page);
  else
    extend_now (extend);
}

static void
extend_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  Extend *extend = g_new (Extend, 1);
  *extend = (Extend){ g_object_ref (user_data), g_variant_dup_string (parameter, NULL) };
  g_autoptr (GTask) task = g_task_new (NULL, NULL, read_cb, extend);
  g_task_set_source_tag (task, extend_cb);
  g_task_set_task_data (task, g_strdup (extend->path), g_free);
  g_task_run_in_thread (task, read_thread);
}

static void
stop_extending_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_create_page_stop_extending (gesso_window_get_create_page (user_data));
}

static void
extend_again_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_create_page_extend_again (gesso_window_get_create_page (user_data));
}

static void
clip_left_cb (GessoWindow *window)
{
  gesso_window_say_with_action (window, _ ("The next clip begins anew"), _ ("_Undo"),
                                "win.extend-again");
}

void
gesso_extend_action_add (GessoWindow *window)
{
  static const GActionEntry entries[] = { { "extend", extend_cb, "s" },
                                          { "stop-extending", stop_extending_cb },
                                          { "extend-again", extend_again_cb } };
  g_return_if_fail (GESSO_IS_WINDOW (window));
  g_action_map_add_action_entries (G_ACTION_MAP (window), entries, G_N_ELEMENTS (entries), window);
  g_signal_connect_object (gesso_window_get_create_page (window), "clip-left",
                           G_CALLBACK (clip_left_cb), window, G_CONNECT_SWAPPED);
}
