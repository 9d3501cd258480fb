/* SPDX-License-Identifier: MPL-2.0
 * gesso-order-store.c - the order of the live jobs in session.db.
 */
#include <glib/gi18n.h>

#include "session/gesso-store-private.h"

/* Column 0 of a query on live jobs; @found is FALSE without a row or for NULL. */
static gboolean
read_position (sqlite3_stmt *s, double *position, gboolean *found, GError **error)
{
  gboolean row;
  if (!s || !gesso_sql_step (s, &row, error))
    return FALSE;
  *found = row && sqlite3_column_type (s, 0) != SQLITE_NULL;
  if (*found)
    *position = sqlite3_column_double (s, 0);
  if (row)
    sqlite3_reset (s);
  return TRUE;
}

/* Numbers all live jobs 1, 2, 3, ... */
static gboolean
renumber (sqlite3 *db, GArray *positions, GError **error)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  sqlite3_stmt *s = gesso_sql_bind (
      db, error, "SELECT id FROM jobs WHERE " STORE_LIVE " ORDER BY position, id", "");
  gboolean row = s != NULL;
  while (row)
    {
      if (!gesso_sql_step (s, &row, error))
        return FALSE;
      gint64 id = row ? sqlite3_column_int64 (s, 0) : 0;
      if (row)
        g_array_append_val (ids, id);
    }
  for (guint i = 0; s && i < ids->len; i++)
    {
      GessoPosition p = { g_array_index (ids, gint64, i), i + 1 };
      if (!gesso_sql_run (db, error, "UPDATE jobs SET position = ? WHERE id = ?", "di", p.position,
                          p.id))
        return FALSE;
      if (positions)
        g_array_append_val (positions, p);
    }
  return s != NULL;
}

/* The gap before the live job @before (0: after the last one), not counting @moving. */
static gboolean
gap_before (sqlite3 *db, gint64 before, gint64 moving, StoreGap *gap, GError **error)
{
  double upper = 0, lower = 0;
  gboolean has_upper = FALSE, has_lower = FALSE;
  if (before &&
      !read_position (gesso_sql_bind (db, error,
                                      "SELECT position FROM jobs WHERE id = ? AND " STORE_LIVE, "i",
                                      before),
                      &upper, &has_upper, error))
    return FALSE;
  if (!read_position (gesso_sql_bind (db, error,
                                      "SELECT max (position) FROM jobs WHERE " STORE_LIVE
                                      " AND id != ? AND (? OR position < ?)",
                                      "iid", moving, (gint64) !has_upper, upper),
                      &lower, &has_lower, error))
    return FALSE;
  gap->step = has_upper && has_lower ? (upper - lower) / (gap->n + 1) : 1;
  gap->lower = has_lower || !has_upper ? lower : upper - gap->n - 1;
  return TRUE;
}

/* All numbers differ from each other and from both ends. */
static gboolean
gap_is_wide (const StoreGap *gap)
{
  double first = gesso_store_gap_position (gap, 0),
         last = gesso_store_gap_position (gap, gap->n - 1);
  return first > gap->lower && last > last - gap->step && last + gap->step > last &&
         gap->step > 1e-9 * MAX (1, MAX (ABS (first), ABS (last)));
}

static gboolean
find_gap_before (
    sqlite3 *db, gint64 before, gint64 moving, StoreGap *gap, GArray *positions, GError **error)
{
  if (!gap_before (db, before, moving, gap, error))
    return FALSE;
  if (gap_is_wide (gap))
    return TRUE;
  return renumber (db, positions, error) && gap_before (db, before, moving, gap, error);
}

/* The live job after the running one; the first when none runs; 0 when there is none. */
static gboolean
find_next (sqlite3 *db, gint64 running, gint64 *next, GError **error)
{
  return gesso_sql_int (db, error, next, 0,
                        "SELECT id FROM jobs WHERE " STORE_LIVE " AND position > coalesce ("
                        " (SELECT position FROM jobs WHERE id = ? AND " STORE_LIVE "), -1e300)"
                        " ORDER BY position, id LIMIT 1",
                        "i", running);
}

gboolean
gesso_store_find_gap (sqlite3 *db,
                      GessoQueuePlace place,
                      gint64 running,
                      StoreGap *gap,
                      GArray *positions,
                      GError **error)
{
  gint64 before = 0;
  if (place != GESSO_QUEUE_LAST &&
      !find_next (db, place == GESSO_QUEUE_NEXT ? running : 0, &before, error))
    return FALSE;
  return find_gap_before (db, before, 0, gap, positions, error);
}

double
gesso_store_gap_position (const StoreGap *gap, int i)
{
  return gap->lower + gap->step * (i + 1);
}

gboolean
gesso_store_move (sqlite3 *db, gint64 id, gint64 before, GArray *positions, GError **error)
{
  StoreGap gap = { .n = 1 };
  if (id == before)
    return TRUE;
  if (!find_gap_before (db, before, id, &gap, positions, error))
    return FALSE;
  GessoPosition p = { id, gesso_store_gap_position (&gap, 0) };
  g_array_append_val (positions, p);
  return gesso_sql_run (db, error, "UPDATE jobs SET position = ? WHERE id = ? AND " STORE_LIVE,
                        "di", p.position, p.id);
}

gboolean
gesso_store_move_first (sqlite3 *db, gint64 id, GArray *positions, GError **error)
{
  gint64 first;
  return find_next (db, 0, &first, error) && gesso_store_move (db, id, first, positions, error);
}
