/* SPDX-License-Identifier: MPL-2.0
 * gesso-queue-store.c - jobs in session.db: schema, rows, changes of state.
 */
#include "session/gesso-queue-store.h"

#include <glib/gi18n.h>

#include "session/gesso-eta.h"
#include "session/gesso-recipe.h"
#include "session/gesso-store-private.h"

/* A script is never changed once it was released: the next one changes what it made. */
const char *const gesso_store_migrations[] = {
  "CREATE TABLE jobs ("
  "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
  "  position REAL NOT NULL,"
  "  state TEXT NOT NULL,"
  "  recipe TEXT NOT NULL,"
  "  title TEXT NOT NULL,"
  "  n_pictures INTEGER NOT NULL,"
  "  batch_size INTEGER NOT NULL,"
  "  work TEXT NOT NULL,"
  "  steps INTEGER NOT NULL,"
  "  error_code TEXT NOT NULL DEFAULT '',"
  "  error TEXT NOT NULL DEFAULT '',"
  "  note TEXT NOT NULL DEFAULT '',"
  "  created INTEGER NOT NULL,"
  "  finished INTEGER NOT NULL DEFAULT 0);"
  "CREATE INDEX jobs_live ON jobs (position) WHERE state IN ('waiting', 'running', 'parked');"
  "CREATE INDEX jobs_ended ON jobs (finished);"
  "CREATE TABLE pictures ("
  "  job INTEGER NOT NULL,"
  "  picture INTEGER NOT NULL,"
  "  path TEXT NOT NULL UNIQUE,"
  "  recipe TEXT NOT NULL,"
  "  done INTEGER NOT NULL DEFAULT 0,"
  "  PRIMARY KEY (job, picture)) WITHOUT ROWID;"
  "CREATE INDEX pictures_open ON pictures (job, picture) WHERE done = 0;"
  "CREATE TABLE temp_folders (path TEXT NOT NULL, pid INTEGER NOT NULL, PRIMARY KEY (path, pid));"
  "CREATE TABLE step_times ("
  "  key TEXT PRIMARY KEY, step_seconds REAL NOT NULL, rest_seconds REAL NOT NULL,"
  "  n_steps INTEGER NOT NULL);"
  "CREATE TABLE prompts ("
  "  prompt TEXT NOT NULL PRIMARY KEY, negative TEXT NOT NULL, used INTEGER NOT NULL);"
  "CREATE TABLE styles (name TEXT PRIMARY KEY, prompt TEXT NOT NULL, negative TEXT NOT NULL);"
  "CREATE TABLE drafts (key TEXT PRIMARY KEY, value BLOB NOT NULL);"
  "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);"
  "INSERT INTO settings VALUES ('name', lower (hex (randomblob (4))));",
};
const int gesso_store_n_migrations = G_N_ELEMENTS (gesso_store_migrations);

#define ROW_COLUMNS                                                                                \
  "SELECT id, position, state, recipe, title, n_pictures, batch_size, error_code, error, note,"    \
  " created, finished,"                                                                            \
  " (SELECT count (*) FROM pictures WHERE job = id AND done = 1),"                                 \
  " (SELECT path FROM pictures WHERE job = id AND done = 1 ORDER BY picture DESC LIMIT 1),"        \
  " work, steps"                                                                                   \
  " FROM jobs "

void
gesso_batch_free (GessoBatch *batch)
{
  g_free (batch->recipe);
  g_clear_pointer (&batch->skip, g_array_unref);
  g_clear_pointer (&batch->row, gesso_job_row_free);
  g_free (batch);
}

/* The columns of ROW_COLUMNS. */
static GessoJobRow *
read_row (sqlite3_stmt *s)
{
  g_autofree char *state = gesso_sql_dup_text (s, 2);
  GessoJobRow *row = g_new (GessoJobRow, 1);
  *row = (GessoJobRow){ .id = sqlite3_column_int64 (s, 0),
                        .position = sqlite3_column_double (s, 1),
                        .state = gesso_job_state_from_name (state),
                        .recipe = gesso_sql_dup_text (s, 3),
                        .title = gesso_sql_dup_text (s, 4),
                        .n_pictures = sqlite3_column_int (s, 5),
                        .batch_size = sqlite3_column_int (s, 6),
                        .error_code = gesso_sql_dup_text (s, 7),
                        .error = gesso_sql_dup_text (s, 8),
                        .note = gesso_sql_dup_text (s, 9),
                        .created = sqlite3_column_int64 (s, 10),
                        .finished = sqlite3_column_int64 (s, 11),
                        .n_done = sqlite3_column_int (s, 12),
                        .last_picture = gesso_sql_dup_text (s, 13),
                        .work = gesso_sql_dup_text (s, 14),
                        .steps = sqlite3_column_int (s, 15) };
  return row;
}

static gboolean
read_rows (sqlite3_stmt *s, GPtrArray *rows, GError **error)
{
  gboolean row;
  if (!s)
    return FALSE;
  while (gesso_sql_step (s, &row, error))
    {
      if (!row)
        return TRUE;
      g_ptr_array_add (rows, read_row (s));
    }
  return FALSE;
}

GessoJobRow *
gesso_store_get (sqlite3 *db, gint64 id, GError **error)
{
  g_autoptr (GPtrArray) rows = g_ptr_array_new ();
  if (!read_rows (gesso_sql_bind (db, error, ROW_COLUMNS "WHERE id = ?", "i", id), rows, error))
    return NULL;
  if (rows->len == 1)
    return g_ptr_array_index (rows, 0);
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                       _ ("The job is not in the queue any more."));
  return NULL;
}

gboolean
gesso_store_recover (sqlite3 *db, GError **error)
{
  return gesso_sql_run (db, error, "UPDATE jobs SET state = 'parked' WHERE state = 'running'", "");
}

gboolean
gesso_store_load (sqlite3 *db, int max_ended, GPtrArray *rows, GError **error)
{
  return read_rows (gesso_sql_bind (db, error,
                                    ROW_COLUMNS "WHERE " STORE_LIVE " ORDER BY position, id", ""),
                    rows, error) &&
         read_rows (gesso_sql_bind (db, error,
                                    ROW_COLUMNS "WHERE NOT " STORE_LIVE
                                                " ORDER BY finished DESC, id DESC LIMIT ?",
                                    "i", (gint64) max_ended),
                    rows, error);
}

/* What the table keeps of a recipe beside its text. */
static gboolean
row_from_recipe (GessoJobRow *row, const char *json, GError **error)
{
  g_auto (Recipe) recipe;
  Status status = { 0 };
  if (!gesso_recipe_parse (&recipe, json, error))
    return FALSE;
  recipe_validate (&recipe, &status);
  if (!gesso_status_propagate (&status, error))
    return FALSE;
  row->recipe = g_strdup (json);
  row->title = gesso_recipe_dup_title (&recipe);
  row->n_pictures = recipe.batch_count * recipe.batch_size;
  row->batch_size = recipe.batch_size;
  row->work = gesso_work_dup_key (&recipe);
  row->steps = gesso_work_steps (&recipe);
  return TRUE;
}

static gboolean
insert_row (sqlite3 *db, GessoJobRow *row, GError **error)
{
  if (!gesso_sql_run (
          db, error,
          "INSERT INTO jobs (position, state, recipe, title, n_pictures, batch_size, work, steps,"
          " created) VALUES (?, 'waiting', ?, ?, ?, ?, ?, ?, ?)",
          "dssiisii", row->position, row->recipe, row->title, (gint64) row->n_pictures,
          (gint64) row->batch_size, row->work, (gint64) row->steps, row->created))
    return FALSE;
  row->id = sqlite3_last_insert_rowid (db);
  return TRUE;
}

gboolean
gesso_store_add (sqlite3 *db,
                 const char *const *recipes,
                 GessoQueuePlace place,
                 gint64 running,
                 GPtrArray *rows,
                 GArray *positions,
                 GError **error)
{
  StoreGap gap = { .n = (int) g_strv_length ((char **) recipes) };
  const gint64 now = g_get_real_time ();
  if (!gesso_store_find_gap (db, place, running, &gap, positions, error))
    return FALSE;
  for (int i = 0; i < gap.n; i++)
    {
      GessoJobRow *row = g_new0 (GessoJobRow, 1);
      g_ptr_array_add (rows, row);
      row->created = now;
      row->position = gesso_store_gap_position (&gap, i);
      if (!row_from_recipe (row, recipes[i], error) || !insert_row (db, row, error))
        return FALSE;
    }
  return TRUE;
}

GessoJobRow *
gesso_store_edit (sqlite3 *db, gint64 id, const char *recipe, GError **error)
{
  g_autoptr (GessoJobRow) row = g_new0 (GessoJobRow, 1);
  if (!row_from_recipe (row, recipe, error) ||
      !gesso_sql_run (
          db, error,
          "UPDATE jobs SET recipe = ?, title = ?, n_pictures = ?, batch_size = ?, work = ?,"
          " steps = ? WHERE id = ? AND state = 'waiting'",
          "ssiisii", row->recipe, row->title, (gint64) row->n_pictures, (gint64) row->batch_size,
          row->work, (gint64) row->steps, id))
    return NULL;
  if (sqlite3_changes (db) == 1)
    return gesso_store_get (db, id, error);
  g_set_error_literal (
      error, G_IO_ERROR, G_IO_ERROR_BUSY,
      _ ("The job has begun and cannot be changed: duplicate it and edit the copy."));
  return NULL;
}

GessoJobRow *
gesso_store_set_state (sqlite3 *db,
                       gint64 id,
                       GessoJobState state,
                       const char *code,
                       const char *sentence,
                       gint64 finished,
                       GError **error)
{
  /* what ended stays ended: a late "parked" of the worker must not bring a cancelled job back */
  if (!gesso_sql_run (db, error,
                      "UPDATE jobs SET state = ?, error_code = ?, error = ?, finished = ?"
                      " WHERE id = ? AND " STORE_LIVE,
                      "sssii", gesso_job_state_name (state), code ? code : "",
                      sentence ? sentence : "", finished, id))
    return NULL;
  return gesso_store_get (db, id, error);
}

gboolean
gesso_store_set_note (sqlite3 *db, gint64 id, const char *note, GError **error)
{
  return gesso_sql_run (db, error, "UPDATE jobs SET note = ? WHERE id = ?", "si", note, id);
}

gboolean
gesso_store_cancel_all (sqlite3 *db, gint64 finished, GError **error)
{
  return gesso_sql_run (db, error,
                        "UPDATE jobs SET state = 'cancelled', finished = ? WHERE " STORE_LIVE, "i",
                        finished);
}

GessoJobRow *
gesso_store_retry (sqlite3 *db, gint64 id, GError **error)
{
  StoreGap gap = { .n = 1 };
  if (!gesso_store_find_gap (db, GESSO_QUEUE_LAST, 0, &gap, NULL, error) ||
      !gesso_sql_run (
          db, error,
          "UPDATE jobs SET position = ?, finished = 0, error_code = '', error = '', note = '',"
          " state = CASE WHEN EXISTS (SELECT 1 FROM pictures WHERE job = id)"
          "   THEN 'parked' ELSE 'waiting' END"
          " WHERE id = ? AND state IN ('failed', 'cancelled')",
          "di", gesso_store_gap_position (&gap, 0), id))
    return NULL;
  return gesso_store_get (db, id, error);
}

gboolean
gesso_store_remove (sqlite3 *db, gint64 id, GError **error)
{
  if (!gesso_sql_run (db, error, "DELETE FROM jobs WHERE id = ? AND NOT " STORE_LIVE, "i", id))
    return FALSE;
  return sqlite3_changes (db) == 0 ||
         gesso_sql_run (db, error, "DELETE FROM pictures WHERE job = ?", "i", id);
}

gboolean
gesso_store_remove_ended (sqlite3 *db, GError **error)
{
  return gesso_sql_run (db, error, "DELETE FROM jobs WHERE NOT " STORE_LIVE, "") &&
         gesso_sql_run (db, error, "DELETE FROM pictures WHERE job NOT IN (SELECT id FROM jobs)",
                        "");
}

gboolean
gesso_store_set_setting (sqlite3 *db, const char *key, const char *value, GError **error)
{
  return gesso_sql_run (db, error, "INSERT OR REPLACE INTO settings VALUES (?, ?)", "ss", key,
                        value);
}

char *
gesso_store_dup_setting (sqlite3 *db, const char *key, GError **error)
{
  gboolean row;
  sqlite3_stmt *s =
      gesso_sql_bind (db, error, "SELECT value FROM settings WHERE key = ?", "s", key);
  if (!s || !gesso_sql_step (s, &row, error))
    return NULL;
  char *value = row ? gesso_sql_dup_text (s, 0) : g_strdup ("");
  sqlite3_reset (s);
  return value;
}
