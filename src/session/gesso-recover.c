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
  GPtrArray *rows; /* borrowed from GessoRecovery */
} Left;

struct _GessoRecovery
{
  GThread *thread;
  GessoDatabase *database;
  GPtrArray *pictures, *folders; /* of Left */
  GPtrArray *rows;               /* of GessoJobRow */
  GError *error;
  GessoRecovered done;
  gpointer user_data;
};

static void
left_free (gpointer data)
{
  Left *left = data;
  g_free (left->path);
  g_free (left->recipe);
  g_free (left);
}

/* ---- in the database ---- */

static gboolean
read_pictures (sqlite3 *db, GessoRecovery *self, GError **error)
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
                      .rows = self->rows };
      g_ptr_array_add (self->pictures, left);
    }
  return FALSE;
}

static gboolean
read_folders (sqlite3 *db, GessoRecovery *self, GError **error)
{
  sqlite3_stmt *s = gesso_sql_bind (db, error, "SELECT path, pid FROM temp_folders", "");
  gboolean row;
  while (s && gesso_sql_step (s, &row, error))
    {
      if (!row)
        return TRUE;
      Left *left = g_new0 (Left, 1);
      *left = (Left){ .path = gesso_sql_dup_text (s, 0), .pid = sqlite3_column_int64 (s, 1) };
      g_ptr_array_add (self->folders, left);
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
recover (GessoRecovery *self, GError **error)
{
  if (!gesso_database_run (self->database, FALSE, read_left, self, error))
    return FALSE;
  for (guint i = 0; i < self->pictures->len; i++)
    {
      Left *left = g_ptr_array_index (self->pictures, i);
      if (gesso_result_file_is_of (left->path, left->recipe) &&
          !gesso_database_run (self->database, TRUE, mark_picture, left, error))
        return FALSE;
    }
  for (guint i = 0; i < self->folders->len; i++)
    {
      Left *left = g_ptr_array_index (self->folders, i);
      remove_temp_files (left->path, left->pid);
      if (!gesso_database_run (self->database, TRUE, forget_folder, left, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
done_cb (gpointer data)
{
  GessoRecovery *self = data;
  self->done (self->rows, self->error, self->user_data);
  return G_SOURCE_REMOVE;
}

static gpointer
recover_thread (gpointer data)
{
  GessoRecovery *self = data;
  recover (self, &self->error);
  g_idle_add_full (G_PRIORITY_DEFAULT, done_cb, self, NULL);
  return NULL;
}

GessoRecovery *
gesso_recovery_new (GessoDatabase *database, GessoRecovered done, gpointer user_data)
{
  g_return_val_if_fail (GESSO_IS_DATABASE (database) && done, NULL);
  GessoRecovery *self = g_new0 (GessoRecovery, 1);
  self->database = g_object_ref (database);
  self->pictures = g_ptr_array_new_with_free_func (left_free);
  self->folders = g_ptr_array_new_with_free_func (left_free);
  self->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) gesso_job_row_free);
  self->done = done;
  self->user_data = user_data;
  self->thread = g_thread_new ("recover", recover_thread, self);
  return self;
}

void
gesso_recovery_free (GessoRecovery *self)
{
  g_return_if_fail (self);
  g_thread_join (self->thread);
  g_idle_remove_by_data (self);
  g_object_unref (self->database);
  g_ptr_array_unref (self->pictures);
  g_ptr_array_unref (self->folders);
  g_ptr_array_unref (self->rows);
  g_clear_error (&self->error);
  g_free (self);
}
