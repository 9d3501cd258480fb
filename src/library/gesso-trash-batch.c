/* SPDX-License-Identifier: MPL-2.0
 * gesso-trash-batch.c - the rows of pictures on their way to the trash and back.
 *
 * A row is marked before its file moves and gets the new path afterwards.  So a scan in between
 * does not take the picture for deleted, and after a crash gesso_trash_purge can tell.
 */
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "library/gesso-schema.h"
#include "library/gesso-trash.h"

typedef struct
{
  gint64 id;
  char *path;     /* where the file is, or is to be */
  char *original; /* where it was before it was trashed */
  int state;
  gint64 batch;
} Row;

/* While a file is on its way, and its row says something else; the purge waits for the end. */
static GMutex moving;

static void
row_clear (gpointer data)
{
  Row *row = data;
  g_free (row->path);
  g_free (row->original);
}

static gboolean
next_batch (sqlite3 *db, gpointer data, GError **error)
{
  gboolean row = FALSE;
  sqlite3_stmt *s =
      gesso_sql_prepare (db, "SELECT coalesce (max (trash_batch), 0) + 1 FROM files", error);
  if (!s || !gesso_sql_step (s, &row, error))
    return FALSE;
  *(gint64 *) data = sqlite3_column_int64 (s, 0);
  return TRUE;
}

static gboolean
read_path (sqlite3 *db, gpointer data, GError **error)
{
  Row *r = data;
  gboolean row = FALSE;
  sqlite3_stmt *s =
      gesso_sql_prepare (db, "SELECT path FROM files WHERE id = ? AND state <> 2", error);
  if (!s)
    return FALSE;
  sqlite3_bind_int64 (s, 1, r->id);
  if (!gesso_sql_step (s, &row, error))
    return FALSE;
  if (row)
    r->path = g_strdup ((const char *) sqlite3_column_text (s, 0));
  return TRUE;
}

static gboolean
write_row (sqlite3 *db, gpointer data, GError **error)
{
  Row *r = data;
  gboolean row, trashed = r->state == GESSO_STATE_TRASHED;
  /* a scan may have met the file at its new place first */
  sqlite3_stmt *d = gesso_sql_prepare (db, "DELETE FROM files WHERE path = ? AND id <> ?", error);
  if (!d)
    return FALSE;
  sqlite3_bind_text (d, 1, r->path, -1, SQLITE_TRANSIENT);
  sqlite3_bind_int64 (d, 2, r->id);
  if (!gesso_sql_step (d, &row, error))
    return FALSE;
  sqlite3_stmt *s = gesso_sql_prepare (
      db, "UPDATE files SET path = ?2, state = ?3, trashed = ?4, trash_batch = ?5 WHERE id = ?1",
      error);
  if (!s)
    return FALSE;
  sqlite3_bind_int64 (s, 1, r->id);
  sqlite3_bind_text (s, 2, r->path, -1, SQLITE_TRANSIENT);
  sqlite3_bind_int (s, 3, r->state);
  if (trashed)
    {
      sqlite3_bind_text (s, 4, r->original, -1, SQLITE_TRANSIENT);
      sqlite3_bind_int64 (s, 5, r->batch);
    }
  return gesso_sql_step (s, &row, error);
}

static gboolean
delete_row (sqlite3 *db, gpointer data, GError **error)
{
  gboolean row;
  sqlite3_stmt *s = gesso_sql_prepare (db, "DELETE FROM files WHERE id = ?", error);
  if (!s)
    return FALSE;
  sqlite3_bind_int64 (s, 1, ((Row *) data)->id);
  return gesso_sql_step (s, &row, error);
}

static gboolean
trash_one (
    GessoDatabase *database, Row *r, const char *own_dir, GCancellable *cancellable, GError **error)
{
  if (!gesso_database_run (database, FALSE, read_path, r, error))
    return FALSE;
  if (!r->path)
    return TRUE; /* it is gone already */
  r->original = g_strdup (r->path);
  r->state = GESSO_STATE_TRASHED;
  g_autoptr (GPtrArray) films = gesso_trash_find_films (r->path);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&moving);
  if (!gesso_database_run (database, TRUE, write_row, r, error))
    return FALSE;
  g_autofree char *trashed = gesso_trash_file (r->original, own_dir, cancellable, error);
  if (!trashed)
    {
      r->state = GESSO_STATE_PRESENT;
      gesso_database_run (database, TRUE, write_row, r, NULL);
      return FALSE;
    }
  g_free (r->path);
  r->path = *trashed ? g_steal_pointer (&trashed)
                     : g_strdup_printf ("trash:%" G_GINT64_FORMAT, r->id); /* unique, no path */
  return gesso_database_run (database, TRUE, write_row, r, error) &&
         gesso_trash_films (database, r->id, films, own_dir, cancellable, error);
}

gboolean
gesso_trash_pictures (GessoDatabase *database,
                      GArray *ids,
                      const char *own_dir,
                      GCancellable *cancellable,
                      GError **error)
{
  g_return_val_if_fail (GESSO_IS_DATABASE (database), FALSE);
  gint64 batch = 0;
  gboolean ok = TRUE;
  if (!gesso_database_run (database, FALSE, next_batch, &batch, error))
    return FALSE;
  for (guint i = 0; i < ids->len; i++)
    {
      Row row = { .id = g_array_index (ids, gint64, i), .batch = batch };
      if (g_cancellable_is_cancelled (cancellable))
        return ok && !g_cancellable_set_error_if_cancelled (cancellable, error);
      if (!trash_one (database, &row, own_dir, cancellable, ok ? error : NULL))
        ok = FALSE;
      row_clear (&row);
    }
  return ok;
}

static gboolean
last_batch (sqlite3 *db, gpointer data, GError **error)
{
  GArray *rows = data;
  gboolean row = FALSE;
  sqlite3_stmt *s =
      gesso_sql_prepare (db,
                         "SELECT id, path, trashed FROM files WHERE state = 2 AND trash_batch ="
                         " (SELECT max (trash_batch) FROM files WHERE state = 2) ORDER BY id",
                         error);
  if (!s)
    return FALSE;
  do
    {
      if (!gesso_sql_step (s, &row, error))
        return FALSE;
      Row r = { 0 };
      if (!row)
        break;
      r.id = sqlite3_column_int64 (s, 0);
      r.path = g_strdup ((const char *) sqlite3_column_text (s, 1));
      r.original = g_strdup ((const char *) sqlite3_column_text (s, 2));
      g_array_append_val (rows, r);
    }
  while (row);
  return TRUE;
}

static gboolean
untrash_one (GessoDatabase *database, Row *r, GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&moving);
  char *back = gesso_untrash_file (r->path, r->original, error);
  if (!back)
    {
      /* it left the trash by another way; once is enough to say so */
      if (g_access (r->path, F_OK) != 0)
        gesso_database_run (database, TRUE, delete_row, r, NULL);
      return FALSE;
    }
  g_free (r->path);
  r->path = back;
  r->state = GESSO_STATE_PRESENT;
  return gesso_database_run (database, TRUE, write_row, r, error) &&
         gesso_untrash_films (database, r->id, r->path, error);
}

gboolean
gesso_untrash_last (GessoDatabase *database, GError **error)
{
  g_return_val_if_fail (GESSO_IS_DATABASE (database), FALSE);
  g_autoptr (GArray) rows = g_array_new (FALSE, TRUE, sizeof (Row));
  g_array_set_clear_func (rows, row_clear);
  gboolean ok = TRUE;
  if (!gesso_database_run (database, FALSE, last_batch, rows, error))
    return FALSE;
  if (rows->len == 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "%s",
                   _ ("There is nothing to bring back from the trash."));
      return FALSE;
    }
  for (guint i = 0; i < rows->len; i++)
    if (!untrash_one (database, &g_array_index (rows, Row, i), ok ? error : NULL))
      ok = FALSE;
  return ok;
}

/* ---- what left the trash, or never came there ---- */

static gboolean
trashed_rows (sqlite3 *db, gpointer data, GError **error)
{
  GArray *rows = data;
  gboolean row = FALSE;
  sqlite3_stmt *s =
      gesso_sql_prepare (db, "SELECT id, path, trashed FROM files WHERE state = 2", error);
  while (s && gesso_sql_step (s, &row, error))
    {
      if (!row)
        return TRUE;
      Row r = { .id = sqlite3_column_int64 (s, 0),
                .path = g_strdup ((const char *) sqlite3_column_text (s, 1)),
                .original = g_strdup ((const char *) sqlite3_column_text (s, 2)) };
      g_array_append_val (rows, r);
    }
  return FALSE;
}

/* Unless somebody has brought it back since its file was looked for. */
static gboolean
settle (sqlite3 *db, gpointer data, GError **error)
{
  Row *r = data;
  gboolean row = FALSE;
  sqlite3_stmt *s =
      gesso_sql_prepare (db, "SELECT 1 FROM files WHERE id = ? AND path = ? AND state = 2", error);
  if (!s)
    return FALSE;
  sqlite3_bind_int64 (s, 1, r->id);
  sqlite3_bind_text (s, 2, r->path, -1, SQLITE_TRANSIENT);
  if (!gesso_sql_step (s, &row, error))
    return FALSE;
  sqlite3_reset (s);
  if (!row)
    return TRUE;
  return r->state == GESSO_STATE_PRESENT ? write_row (db, r, error) : delete_row (db, r, error);
}

gboolean
gesso_trash_purge (GessoDatabase *database, GError **error)
{
  g_return_val_if_fail (GESSO_IS_DATABASE (database), FALSE);
  g_autoptr (GArray) rows = g_array_new (FALSE, TRUE, sizeof (Row));
  g_array_set_clear_func (rows, row_clear);
  gboolean ok = gesso_database_run (database, FALSE, trashed_rows, rows, error);
  for (guint i = 0; ok && i < rows->len; i++)
    {
      Row *r = &g_array_index (rows, Row, i);
      gboolean there = g_access (r->path, F_OK) == 0;
      if (there && !g_str_equal (r->path, r->original))
        continue;
      r->state = there ? GESSO_STATE_PRESENT : GESSO_STATE_TRASHED; /* marked, but never moved */
      g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&moving);
      ok = gesso_database_run (database, TRUE, settle, r, error);
    }
  return ok;
}
