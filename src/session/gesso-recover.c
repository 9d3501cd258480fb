/* SPDX-License-Identifier: MPL-2.0
 * gesso-recover.c - what a crash or a power cut left of pictures on their way to the disk.
 */
#include "session/gesso-recover.h"

#include <glib/gstdio.h>

#include "session/gesso-queue-store.h"
#include "session/gesso-result.h"
#include "session/gesso-sql.h"
#include "session/gesso-store-private.h"

/* A picture whose name is reserved, or a folder with temporary files of the process @pid. */
typedef struct
{
  char *path, *recipe;
  gint64 job, pid;
  int index;
  GPtrArray *rows; /* borrowed from Work */
} Left;

typedef struct
{
  GessoDatabase *database;
  GPtrArray *pictures, *folders; /* of Left */
  GPtrArray *rows;               /* of GessoJobRow */
} Work;

static void
left_free (gpointer data)
{
  Left *left = data;
  g_free (left->path);
  g_free (left->recipe);
  g_free (left);
}

static void
work_free (gpointer data)
{
  Work *work = data;
  g_object_unref (work->database);
  g_ptr_array_unref (work->pictures);
  g_ptr_array_unref (work->folders);
  g_clear_pointer (&work->rows, g_ptr_array_unref);
  g_free (work);
}

/* ---- in the database ---- */

static gboolean
read_pictures (sqlite3 *db, Work *work, GError **error)
{
  sqlite3_stmt *s = gesso_sql_bind (
      db, error, "SELECT job, picture, path, recipe FROM pictures WHERE done = 0", "");
  gboolean row;
  while (s && gesso_sql_step (s, &row, error))
    {
      if (!row)
        return TRUE;
      Left *left = g_new0 (Left, 1);
      *left = (Left){ .job = sqlite3_column_int64 (s, 0),
                      .index = sqlite3_column_int (s, 1),
                      .path = gesso_sql_dup_text (s, 2),
                      .recipe = gesso_sql_dup_text (s, 3),
                      .rows = work->rows };
      g_ptr_array_add (work->pictures, left);
    }
  return FALSE;
}

static gboolean
read_folders (sqlite3 *db, Work *work, GError **error)
{
  sqlite3_stmt *s = gesso_sql_bind (db, error, "SELECT path, pid FROM temp_folders", "");
  gboolean row;
  while (s && gesso_sql_step (s, &row, error))
    {
      if (!row)
        return TRUE;
      Left *left = g_new0 (Left, 1);
      *left = (Left){ .path = gesso_sql_dup_text (s, 0), .pid = sqlite3_column_int64 (s, 1) };
      g_ptr_array_add (work->folders, left);
    }
  return FALSE;
}

static gboolean
read_left (sqlite3 *db, gpointer data, GError **error)
{
  return read_pictures (db, data, error) && read_folders (db, data, error);
}

static gboolean
mark_picture (sqlite3 *db, gpointer data, GError **error)
{
  const Left *left = data;
  int n_done;
  if (!gesso_store_mark_done (db, left->job, left->index, g_get_real_time (), &n_done, error))
    return FALSE;
  GessoJobRow *row = gesso_store_get (db, left->job, NULL);
  if (row) /* else the job was removed meanwhile */
    g_ptr_array_add (left->rows, row);
  return TRUE;
}

static gboolean
forget_folder (sqlite3 *db, gpointer data, GError **error)
{
  const Left *left = data;
  return gesso_sql_run (db, error, "DELETE FROM temp_folders WHERE path = ? AND pid = ?", "si",
                        left->path, left->pid);
}

/* ---- on the disk ---- */

/* The name is core to media/file.c: ".gesso-PID-N.part". */
static void
remove_temp_files (const char *folder, gint64 pid)
{
  g_autofree char *prefix = g_strdup_printf (".gesso-%" G_GINT64_FORMAT "-", pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    if (g_str_has_prefix (name, prefix) && g_str_has_suffix (name, ".part"))
      {
        g_autofree char *path = g_build_filename (folder, name, NULL);
        g_unlink (path);
      }
}

static gboolean
recover (Work *work, GError **error)
{
  if (!gesso_database_run (work->database, FALSE, read_left, work, error))
    return FALSE;
  for (guint i = 0; i < work->pictures->len; i++)
    {
      Left *left = g_ptr_array_index (work->pictures, i);
      if (gesso_result_file_is_of (left->path, left->recipe) &&
          !gesso_database_run (work->database, TRUE, mark_picture, left, error))
        return FALSE;
    }
  for (guint i = 0; i < work->folders->len; i++)
    {
      Left *left = g_ptr_array_index (work->folders, i);
      remove_temp_files (left->path, left->pid);
      if (!gesso_database_run (work->database, TRUE, forget_folder, left, error))
        return FALSE;
    }
  return TRUE;
}

static void
recover_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *work = data;
  GError *error = NULL;
  if (recover (work, &error))
    g_task_return_pointer (task, g_steal_pointer (&work->rows), (GDestroyNotify) g_ptr_array_unref);
  else
    g_task_return_error (task, error);
}

void
gesso_recover_async (GessoDatabase *database, GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (GESSO_IS_DATABASE (database));
  Work *work = g_new (Work, 1);
  *work = (Work){ g_object_ref (database), g_ptr_array_new_with_free_func (left_free),
                  g_ptr_array_new_with_free_func (left_free),
                  g_ptr_array_new_with_free_func ((GDestroyNotify) gesso_job_row_free) };
  g_autoptr (GTask) task = g_task_new (NULL, NULL, callback, user_data);
  g_task_set_source_tag (task, gesso_recover_async);
  g_task_set_task_data (task, work, work_free);
  g_task_run_in_thread (task, recover_thread);
}

GPtrArray *
gesso_recover_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, gesso_recover_async), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}
