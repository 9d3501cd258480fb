/* SPDX-License-Identifier: MPL-2.0
 * gesso-job-actions.c - actions about one job.
 */
#include "app/gesso-job-actions.h"

#include "app/gesso-job-text.h"

typedef void (*JobFunc) (GessoQueue *queue, GessoJob *job);

static guint
position_of (GessoQueue *queue, GessoJob *job)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (queue));
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GessoJob) other = g_list_model_get_item (G_LIST_MODEL (queue), i);
      if (other == job)
        return i;
    }
  return GTK_INVALID_LIST_POSITION;
}

/* Returns: the job there, NULL when there is none that the order matters to */
static GessoJob *
movable_at (GessoQueue *queue, guint position)
{
  g_autoptr (GessoJob) job = g_list_model_get_item (G_LIST_MODEL (queue), position);
  if (!job || !gesso_job_text_is_active (job) || gesso_job_get_state (job) == GESSO_JOB_RUNNING)
    return NULL;
  return g_steal_pointer (&job);
}

static void
move_up (GessoQueue *queue, GessoJob *job)
{
  guint position = position_of (queue, job);
  g_autoptr (GessoJob) before = position > 0 ? movable_at (queue, position - 1) : NULL;
  if (before)
    gesso_queue_move (queue, job, before);
}

static void
move_down (GessoQueue *queue, GessoJob *job)
{
  guint position = position_of (queue, job);
  g_autoptr (GessoJob) next = movable_at (queue, position + 1);
  if (!next)
    return;
  g_autoptr (GessoJob) before = movable_at (queue, position + 2);
  gesso_queue_move (queue, job, before);
}

void
gesso_job_actions_show_file (const char *path)
{
  g_return_if_fail (path != NULL);
  GApplication *app = g_application_get_default ();
  GDBusConnection *bus = app ? g_application_get_dbus_connection (app) : NULL;
  g_autofree char *uri = g_filename_to_uri (path, NULL, NULL);
  if (bus && uri)
    {
      const char *uris[] = { uri, NULL };
      g_dbus_connection_call (bus, "org.freedesktop.FileManager1", "/org/freedesktop/FileManager1",
                              "org.freedesktop.FileManager1", "ShowItems",
                              g_variant_new ("(^ass)", uris, ""), NULL, G_DBUS_CALL_FLAGS_NONE, -1,
                              NULL, NULL, NULL);
      return;
    }
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *folder_uri = g_filename_to_uri (folder, NULL, NULL);
  g_app_info_launch_default_for_uri_async (folder_uri, NULL, NULL, NULL, NULL);
}

static void
show (GessoQueue *queue, GessoJob *job)
{
  const char *path = gesso_job_get_last_picture (job);
  if (path && *path)
    gesso_job_actions_show_file (path);
}

static const struct
{
  const char *name;
  JobFunc func;
} actions[] = {
  { "job-cancel", gesso_queue_cancel },
  { "job-remove", gesso_queue_remove },
  { "job-retry", gesso_queue_retry },
  { "job-duplicate", gesso_queue_duplicate },
  { "job-first", gesso_queue_put_first },
  { "job-up", move_up },
  { "job-down", move_down },
  { "job-show", show },
};

static void
activate_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoQueue *queue = user_data;
  GessoJob *job = gesso_queue_find (queue, g_variant_get_int64 (parameter));
  const char *name = g_action_get_name (G_ACTION (action));
  for (gsize i = 0; job && i < G_N_ELEMENTS (actions); i++)
    if (g_str_equal (actions[i].name, name))
      actions[i].func (queue, job);
}

void
gesso_job_actions_add (GActionMap *map, GessoQueue *queue)
{
  g_return_if_fail (G_IS_ACTION_MAP (map) && GESSO_IS_QUEUE (queue));
  for (gsize i = 0; i < G_N_ELEMENTS (actions); i++)
    {
      g_autoptr (GSimpleAction) action =
          g_simple_action_new (actions[i].name, G_VARIANT_TYPE_INT64);
      g_signal_connect_object (action, "activate", G_CALLBACK (activate_cb), queue, 0);
      g_action_map_add_action (map, G_ACTION (action));
    }
}
