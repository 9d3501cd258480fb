/* SPDX-License-Identifier: MPL-2.0
 * gesso-presence.c - whether a file is there, without waiting for its disk.
 */
#include "app/gesso-presence.h"

static GHashTable *asked; /* path -> GPtrArray of GTask, which wait for the answer */
/* As many threads as there are paths: one that waits for its disk holds up neither those of other
 * disks nor the tasks of the rest of the program. */
static GThreadPool *pool;

static void
look_in_thread (gpointer data, gpointer unused)
{
  g_autoptr (GTask) task = data;
  g_task_return_boolean (task, g_file_test (g_task_get_task_data (task), G_FILE_TEST_EXISTS));
}

static void
looked_cb (GObject *source, GAsyncResult *result, gpointer unused)
{
  gpointer path, waiting;
  gboolean there = g_task_propagate_boolean (G_TASK (result), NULL);
  g_hash_table_steal_extended (asked, g_task_get_task_data (G_TASK (result)), &path, &waiting);
  g_autofree char *key = path;
  g_autoptr (GPtrArray) tasks = waiting;
  for (guint i = 0; i < tasks->len; i++)
    g_task_return_boolean (g_ptr_array_index (tasks, i), there);
}

static GPtrArray *
look (const char *path)
{
  GPtrArray *waiting = g_ptr_array_new_with_free_func (g_object_unref);
  g_hash_table_insert (asked, g_strdup (path), waiting);
  /* no source: the thread may be the last to let go of the task */
  GTask *task = g_task_new (NULL, NULL, looked_cb, NULL);
  g_task_set_source_tag (task, look);
  g_task_set_task_data (task, g_strdup (path), g_free);
  g_thread_pool_push (pool, task, NULL);
  return waiting;
}

void
gesso_presence_async (const char *path,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data)
{
  g_return_if_fail (path != NULL);
  GTask *task = g_task_new (NULL, cancellable, callback, user_data);
  g_task_set_source_tag (task, gesso_presence_async);
  if (!asked)
    {
      asked = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                     (GDestroyNotify) g_ptr_array_unref);
      pool = g_thread_pool_new (look_in_thread, NULL, -1, FALSE, NULL);
    }
  GPtrArray *waiting = g_hash_table_lookup (asked, path);
  g_ptr_array_add (waiting ? waiting : look (path), task);
}

gboolean
gesso_presence_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, gesso_presence_async), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}
