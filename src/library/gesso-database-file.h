/* SPDX-License-Identifier: MPL-2.0
 * gesso-database-file.h - how #GessoDatabase opens its file; for gesso-database.c alone.
 */
#pragma once

#include "library/gesso-database.h"

/**
 * gesso_database_file_open:
 * @migrations: scripts; script i takes the schema from version i to i + 1
 *
 * Opens @path, which is made when it is not there, along with its folder.  A damaged file is put
 * aside under a name that ends in "damaged-1", "-2", ...
 *
 * Returns: (transfer full): sqlite3_close() it; NULL and @error with a sentence for the user
 */
sqlite3 *gesso_database_file_open (const char *path,
                                   GessoDurability durability,
                                   const char *const *migrations,
                                   int n_migrations,
                                   GError **error);

/* Marks @path to be checked whole at the next start: SQLite has complained about it. */
void gesso_database_file_suspect (const char *path);

/* SQLite's @result as @error, a sentence for the user.  Returns: FALSE */
gboolean gesso_database_fail (sqlite3 *db, int result, GError **error);

gboolean gesso_database_exec (sqlite3 *db, const char *sql, GError **error);
