/* SPDX-License-Identifier: MPL-2.0
 * gesso-sql.c - statements with their values in one call.
 */
#include "session/gesso-sql.h"

static int
bind_bytes (sqlite3_stmt *statement, int i, GBytes *bytes)
{
  if (!bytes)
    return sqlite3_bind_null (statement, i);
  gsize n;
  const void *data = g_bytes_get_data (bytes, &n);
  return sqlite3_bind_blob64 (statement, i, n ? data : "", n, SQLITE_TRANSIENT);
}

static sqlite3_stmt *
bind_list (sqlite3 *db, GError **error, const char *sql, const char *values, va_list *args)
{
  sqlite3_stmt *statement = gesso_sql_prepare (db, sql, error);
  int code = SQLITE_OK;
  for (int i = 0; statement && code == SQLITE_OK && values[i]; i++)
    switch (values[i])
      {
      case 'i':
        code = sqlite3_bind_int64 (statement, i + 1, va_arg (*args, gint64));
        break;
      case 'd':
        code = sqlite3_bind_double (statement, i + 1, va_arg (*args, double));
        break;
      case 's':
        code = sqlite3_bind_text (statement, i + 1, va_arg (*args, const char *), -1,
                                  SQLITE_TRANSIENT);
        break;
      case 'b':
        code = bind_bytes (statement, i + 1, va_arg (*args, GBytes *));
        break;
      default:
        g_assert_not_reached ();
      }
  if (code == SQLITE_OK)
    return statement;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s", sqlite3_errstr (code));
  return NULL;
}

sqlite3_stmt *
gesso_sql_bind (sqlite3 *db, GError **error, const char *sql, const char *values, ...)
{
  va_list args;
  va_start (args, values);
  sqlite3_stmt *statement = bind_list (db, error, sql, values, &args);
  va_end (args);
  return statement;
}

gboolean
gesso_sql_run (sqlite3 *db, GError **error, const char *sql, const char *values, ...)
{
  va_list args;
  gboolean row;
  va_start (args, values);
  sqlite3_stmt *statement = bind_list (db, error, sql, values, &args);
  va_end (args);
  return statement && gesso_sql_step (statement, &row, error);
}

gboolean
gesso_sql_int (sqlite3 *db,
               GError **error,
               gint64 *out,
               gint64 fallback,
               const char *sql,
               const char *values,
               ...)
{
  va_list args;
  gboolean row;
  va_start (args, values);
  sqlite3_stmt *statement = bind_list (db, error, sql, values, &args);
  va_end (args);
  if (!statement || !gesso_sql_step (statement, &row, error))
    return FALSE;
  *out = fallback;
  if (!row)
    return TRUE;
  if (sqlite3_column_type (statement, 0) != SQLITE_NULL)
    *out = sqlite3_column_int64 (statement, 0);
  sqlite3_reset (statement);
  return TRUE;
}

char *
gesso_sql_dup_text (sqlite3_stmt *statement, int column)
{
  const char *text = (const char *) sqlite3_column_text (statement, column);
  return g_strdup (text ? text : "");
}
