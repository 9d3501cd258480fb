/* SPDX-License-Identifier: MPL-2.0
 * gesso-database.h - one SQLite file: opened in WAL mode, migrated, used from one thread of its
 * own.
 *
 * Two files exist: session.db (queue, prompts; synchronous=FULL, because nothing may be lost) and
 * library.db (index of models and pictures; synchronous=NORMAL, because it can be made again).
 */
#pragma once

#include <gio/gio.h>
#include <sqlite3.h>

G_BEGIN_DECLS

#define GESSO_TYPE_DATABASE (gesso_database_get_type ())
G_DECLARE_FINAL_TYPE (GessoDatabase, gesso_database, GESSO, DATABASE, GObject)

typedef enum
{
  GESSO_DATABASE_DURABLE, /* a commit is on the disk when it returns */
  GESSO_DATABASE_FAST     /* the last commits may be missing after a power cut; never damaged */
} GessoDurability;

/* gesso_database_new:
 * @path: the file, made with its folders when absent
 * @migrations: @n_migrations scripts; PRAGMA user_version says how many were run; each in a
 * transaction
 *
 * A file that SQLite calls damaged is put aside as "NAME.damaged-N" and a new one is made, with a
 * warning in the log.  A file of a newer program (user_version > n_migrations) is refused.
 * Blocking: call at start-up or on a thread.
 */
GessoDatabase *gesso_database_new (const char *path,
                                   GessoDurability durability,
                                   const char *const *migrations,
                                   int n_migrations,
                                   GError **error);

/* Runs on the database's thread; several calls run in the order of their making. */
typedef gboolean (*GessoDatabaseFunc) (sqlite3 *db, gpointer data, GError **error);

/* gesso_database_run_async:
 * @transaction: wraps @func in BEGIN IMMEDIATE ... COMMIT, ROLLBACK when it fails
 * @data: given to @func, freed with @destroy on the database's thread or the caller's
 *
 * The main thread never waits for the disk: this is the only way to the data after start-up.
 */
void gesso_database_run_async (GessoDatabase *self,
                               gboolean transaction,
                               GessoDatabaseFunc func,
                               gpointer data,
                               GDestroyNotify destroy,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
gboolean gesso_database_run_finish (GessoDatabase *self, GAsyncResult *result, GError **error);
/* The same, waiting: for threads, start-up and tests. */
gboolean gesso_database_run (GessoDatabase *self,
                             gboolean transaction,
                             GessoDatabaseFunc func,
                             gpointer data,
                             GError **error);
/* Waits until everything asked for so far is done (at the program's end). */
void gesso_database_flush (GessoDatabase *self);

/* For use within a GessoDatabaseFunc.  Statements are cached by their text. */
sqlite3_stmt *gesso_sql_prepare (sqlite3 *db, const char *sql, GError **error);
gboolean gesso_sql_exec (sqlite3 *db, const char *sql, GError **error);
/* TRUE and *row set: a row is there, or the statement is done.  Resets it when done or failed. */
gboolean gesso_sql_step (sqlite3_stmt *statement, gboolean *row, GError **error);

G_END_DECLS
