/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture-store.c - the pictures of the jobs in session.db: which are missing, which are
 * there.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session/gesso-recipe.h"
#include "session/gesso-store-private.h"

/* Indices of the job's complete pictures, in order. */
static GArray *
done_pictures (sqlite3 *db, gint64 job, GError **error)
{
  g_autoptr (GArray) done = g_array_new (FALSE, FALSE, sizeof (guint32));
  sqlite3_stmt *s = gesso_sql_bind (
      db, error, "SELECT picture FROM pictures WHERE job = ? AND done = 1 ORDER BY picture", "i",
      job);
  gboolean row;
  while (s && gesso_sql_step (s, &row, error))
    {
      if (!row)
        return g_steal_pointer (&done);
      guint32 index = (guint32) sqlite3_column_int (s, 0);
      g_array_append_val (done, index);
    }
  return NULL;
}

/* Fills @skip with what the first incomplete batch has already.  Returns: that batch, -1 for none
 */
static int
first_incomplete_batch (const GArray *done, const GessoJobRow *row, GArray *skip)
{
  const guint32 size = (guint32) row->batch_size;
  guint i = 0;
  for (guint32 batch = 0; batch * size < (guint32) row->n_pictures; batch++)
    {
      g_array_set_size (skip, 0);
      for (; i < done->len && g_array_index (done, guint32, i) < (batch + 1) * size; i++)
        {
          guint32 index = g_array_index (done, guint32, i) - batch * size;
          g_array_append_val (skip, index);
        }
      if (skip->len < size)
        return (int) batch;
    }
  return -1;
}

/* Fills in the recipe of the batch, or the job fails with the reason. */
static gboolean
make_recipe (sqlite3 *db, GessoBatch *batch, gint64 now, GError **error)
{
  g_autoptr (GError) problem = NULL;
  batch->recipe = gesso_recipe_for_batch (batch->row->recipe, batch->batch, &problem);
  if (batch->recipe)
    return TRUE;
  const gint64 id = batch->row->id;
  batch->batch = -1;
  g_clear_pointer (&batch->row, gesso_job_row_free);
  batch->row =
      gesso_store_set_state (db, id, GESSO_JOB_FAILED, "argument", problem->message, now, error);
  return batch->row != NULL;
}

GessoBatch *
gesso_store_begin_batch (sqlite3 *db, gint64 id, gint64 now, GError **error)
{
  g_autoptr (GessoBatch) batch = g_new0 (GessoBatch, 1);
  g_autoptr (GArray) done = done_pictures (db, id, error);
  batch->batch = -1;
  batch->row = done ? gesso_store_get (db, id, error) : NULL;
  if (!batch->row || batch->row->state == GESSO_JOB_FAILED ||
      batch->row->state == GESSO_JOB_CANCELLED)
    return NULL;
  batch->skip = g_array_new (FALSE, FALSE, sizeof (guint32));
  if (batch->row->state == GESSO_JOB_DONE)
    return g_steal_pointer (&batch);
  batch->batch = first_incomplete_batch (done, batch->row, batch->skip);
  GessoJobState state = batch->batch < 0 ? GESSO_JOB_DONE : GESSO_JOB_RUNNING;
  g_clear_pointer (&batch->row, gesso_job_row_free);
  batch->row = gesso_store_set_state (db, id, state, "", "", batch->batch < 0 ? now : 0, error);
  if (!batch->row || (batch->batch >= 0 && !make_recipe (db, batch, now, error)))
    return NULL;
  return g_steal_pointer (&batch);
}

/* The number of "stem-00012.png" and "stem-00012.gclip"; 0 for another kind of name. */
static int
name_number (const char *path, const char *prefix)
{
  if (!g_str_has_prefix (path, prefix))
    return 0;
  char *end;
  long n = strtol (path + strlen (prefix), &end, 10);
  gboolean ours = strcmp (end, ".png") == 0 || strcmp (end, ".gclip") == 0;
  return ours && n > 0 && n < G_MAXINT - 1 ? (int) n : 0;
}

/* The largest number that the database knows for these names. */
static gboolean
last_number (sqlite3 *db, const char *prefix, int *last, GError **error)
{
  g_autofree char *end = g_strconcat (prefix, ":", NULL); /* ':' follows '9' */
  sqlite3_stmt *s =
      gesso_sql_bind (db, error,
                      "SELECT path FROM pictures WHERE path > ?1 AND path < ?2 ORDER "
                      "BY CAST (substr (path, length (?1) + 1) AS INTEGER) DESC LIMIT 1",
                      "ss", prefix, end);
  gboolean row;
  *last = 0;
  if (!s || !gesso_sql_step (s, &row, error))
    return FALSE;
  if (row)
    {
      *last = name_number ((const char *) sqlite3_column_text (s, 0), prefix);
      sqlite3_reset (s);
    }
  return TRUE;
}

/* Returns: a name that the database does not have, with a number beyond @n, which receives it */
static char *
free_name (
    sqlite3 *db, const char *folder, const char *stem, const char *ending, int *n, GError **error)
{
  g_autofree char *prefix = g_strdup_printf ("%s/%s-", folder, stem);
  if (*n == 0 && !last_number (db, prefix, n, error))
    return NULL;
  for (;;)
    {
      g_autofree char *path = g_strdup_printf ("%s%05d%s", prefix, ++*n, ending);
      gint64 taken;
      if (!gesso_sql_int (db, error, &taken, 0, "SELECT 1 FROM pictures WHERE path = ?", "s", path))
        return NULL;
      if (!taken)
        return g_steal_pointer (&path);
    }
}

/* The name that this picture has already; NULL without @error when it has none. */
static char *
known_name (sqlite3 *db, gint64 job, int index, char **recipe, gboolean *done, GError **error)
{
  sqlite3_stmt *s = gesso_sql_bind (
      db, error, "SELECT path, done, recipe FROM pictures WHERE job = ? AND picture = ?", "ii", job,
      (gint64) index);
  gboolean row;
  if (!s || !gesso_sql_step (s, &row, error) || !row)
    return NULL;
  char *path = gesso_sql_dup_text (s, 0);
  *done = sqlite3_column_int (s, 1) != 0;
  *recipe = gesso_sql_dup_text (s, 2);
  sqlite3_reset (s);
  return path;
}

gboolean
gesso_store_find_name (sqlite3 *db,
                       gint64 job,
                       int index,
                       const char *folder,
                       const char *stem,
                       const char *ending,
                       int *n,
                       char **path,
                       gboolean *known,
                       GError **error)
{
  GError *problem = NULL;
  gboolean done = FALSE;
  g_autofree char *recipe = NULL;
  *path = known_name (db, job, index, &recipe, &done, &problem);
  *known = *path != NULL;
  if (!problem && !*known)
    *path = free_name (db, folder, stem, ending, n, &problem);
  if (problem)
    g_propagate_error (error, problem);
  return *path != NULL;
}

gboolean
gesso_store_reserve (sqlite3 *db,
                     gint64 job,
                     int index,
                     const char *recipe,
                     const char *path,
                     gboolean is_there,
                     char **of_file,
                     gboolean *done,
                     GError **error)
{
  GError *problem = NULL;
  *done = FALSE;
  g_autofree char *before = NULL;
  g_autofree char *name = known_name (db, job, index, &before, done, &problem);
  if (problem)
    {
      g_propagate_error (error, problem);
      return FALSE;
    }
  g_autofree char *folder = g_path_get_dirname (path);
  /* a picture that comes again may say more of itself (a hash that was not known before), and the
   * file is recognised by the recipe in this row: by the earlier one if it was written with that */
  gboolean written = name && is_there;
  gboolean ok =
      name ? *done || written ||
                 gesso_sql_run (db, error,
                                "UPDATE pictures SET recipe = ? WHERE job = ? AND picture = ?",
                                "sii", recipe, job, (gint64) index)
           : gesso_sql_run (db, error,
                            "INSERT INTO pictures (job, picture, path, recipe) VALUES (?, ?, ?, ?)",
                            "iiss", job, (gint64) index, path, recipe);
  if (!ok)
    return FALSE;
  *of_file = written ? g_steal_pointer (&before) : g_strdup (recipe);
  return gesso_sql_run (db, error, "INSERT OR IGNORE INTO temp_folders VALUES (?, ?)", "si", folder,
                        (gint64) getpid ());
}

gboolean
gesso_store_release (sqlite3 *db, gint64 job, int index, GError **error)
{
  return gesso_sql_run (db, error,
                        "DELETE FROM pictures WHERE job = ? AND picture = ? AND done = 0", "ii",
                        job, (gint64) index);
}

gboolean
gesso_store_mark_done (sqlite3 *db, gint64 job, int index, gint64 now, int *n_done, GError **error)
{
  gint64 n;
  if (!gesso_sql_run (db, error, "UPDATE pictures SET done = 1 WHERE job = ? AND picture = ?", "ii",
                      job, (gint64) index) ||
      !gesso_sql_int (db, error, &n, 0, "SELECT count (*) FROM pictures WHERE job = ? AND done = 1",
                      "i", job))
    return FALSE;
  *n_done = (int) n;
  return gesso_sql_run (db, error,
                        "UPDATE jobs SET state = 'done', error = '', error_code = '', finished = ?"
                        " WHERE id = ? AND n_pictures = ? AND " STORE_LIVE,
                        "iii", now, job, n);
}
