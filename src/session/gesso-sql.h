/* SPDX-License-Identifier: MPL-2.0
 * gesso-sql.h - statements with their values in one call.  Within a GessoDatabaseFunc only.
 *
 * @values: one letter for each "?": i gint64, d double, s const char * (NULL for NULL), b GBytes *.
 */
#pragma once

#include "library/gesso-database.h"

G_BEGIN_DECLS

/* Returns: the bound statement, to be stepped with gesso_sql_step(); NULL with @error */
sqlite3_stmt *
gesso_sql_bind (sqlite3 *db, GError **error, const char *sql, const char *values, ...);
/* Runs a statement that gives no rows. */
gboolean gesso_sql_run (sqlite3 *db, GError **error, const char *sql, const char *values, ...);
/* gesso_sql_int: the first column of the first row; @fallback when there is no row or it is NULL.
 */
gboolean gesso_sql_int (sqlite3 *db,
                        GError **error,
                        gint64 *out,
                        gint64 fallback,
                        const char *sql,
                        const char *values,
                        ...);
/* Returns: a copy of a text column, "" for NULL */
char *gesso_sql_dup_text (sqlite3_stmt *statement, int column);

G_END_DECLS
