/* SPDX-License-Identifier: MPL-2.0
 * gesso-database-file.c - opens a SQLite file: made, locked, checked, brought to today's schema.
 *
 * A damaged file is put aside and a new one made: what can be scanned again is no reason not to
 * start.
 */
#define G_LOG_DOMAIN "gesso-library"

#include "library/gesso-database-file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <sys/file.h>
#include <unistd.h>

enum
{
  BUSY_TIMEOUT_MS = 15000, /* another process may be in the middle of a long transaction */
  MAX_PUT_ASIDE = 1000
};

static int
error_code (int result)
{
  switch (result & 0xff) /* without SQLite's extension bits */
    {
    case SQLITE_FULL:
      return G_IO_ERROR_NO_SPACE;
    case SQLITE_READONLY:
      return G_IO_ERROR_READ_ONLY;
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return G_IO_ERROR_PERMISSION_DENIED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return G_IO_ERROR_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return G_IO_ERROR_INVALID_DATA;
    case SQLITE_INTERRUPT:
      return G_IO_ERROR_CANCELLED;
    default:
      return G_IO_ERROR_FAILED;
    }
}

gboolean
gesso_database_fail (sqlite3 *db, int result, GError **error)
{
  const char *path = db ? sqlite3_db_filename (db, "main") : NULL;
  int code = error_code (result);
  if (code == G_IO_ERROR_CANCELLED)
    g_set_error_literal (error, G_IO_ERROR, code, _ ("The operation was cancelled."));
  else if (code == G_IO_ERROR_NO_SPACE)
    g_set_error (error, G_IO_ERROR, code,
                 _ ("The disk is full: %s cannot be written. Make room and try again."),
                 path ? path : "");
  else if (code == G_IO_ERROR_BUSY)
    g_set_error (error, G_IO_ERROR, code, _ ("Another program keeps %s locked. Try again."),
                 path ? path : "");
  else
    g_set_error (error, G_IO_ERROR, code, _ ("The database %s cannot be used: %s."),
                 path ? path : "", db ? sqlite3_errmsg (db) : sqlite3_errstr (result));
  return FALSE;
}

/* -- opening ------------------------------------------------------------------------------------
 */

gboolean
gesso_database_exec (sqlite3 *db, const char *sql, GError **error)
{
  int result = sqlite3_exec (db, sql, NULL, NULL, NULL);
  return result == SQLITE_OK || gesso_database_fail (db, result, error);
}

static gboolean
query_int (sqlite3 *db, const char *sql, int *value, GError **error)
{
  sqlite3_stmt *statement = NULL;
  int result = sqlite3_prepare_v2 (db, sql, -1, &statement, NULL);
  if (result == SQLITE_OK)
    result = sqlite3_step (statement);
  gboolean ok = result == SQLITE_ROW || gesso_database_fail (db, result, error);
  if (ok)
    *value = sqlite3_column_int (statement, 0);
  sqlite3_finalize (statement);
  return ok;
}

static char *
suspect_mark (const char *path)
{
  return g_strconcat (path, ".suspect", NULL);
}

/* Reading all of a large index takes a while, so a fast one is checked only after SQLite
 * complained. */
static gboolean
check (sqlite3 *db, const char *path, GessoDurability durability, GError **error)
{
  g_autofree char *mark = suspect_mark (path);
  if (durability == GESSO_DATABASE_FAST && !g_file_test (mark, G_FILE_TEST_EXISTS))
    return TRUE;
  sqlite3_stmt *statement = NULL;
  int result = sqlite3_prepare_v2 (db, "PRAGMA quick_check(1)", -1, &statement, NULL);
  if (result == SQLITE_OK)
    result = sqlite3_step (statement);
  const char *verdict =
      result == SQLITE_ROW ? (const char *) sqlite3_column_text (statement, 0) : NULL;
  gboolean ok = g_strcmp0 (verdict, "ok") == 0;
  if (!ok && result == SQLITE_ROW)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _ ("The database %s is damaged: %s."),
                 path, verdict ? verdict : "");
  else if (!ok)
    gesso_database_fail (db, result, error);
  sqlite3_finalize (statement);
  if (ok)
    g_unlink (mark);
  return ok;
}

static gboolean
migrate_to (sqlite3 *db, const char *script, int version, GError **error)
{
  g_autofree char *set_version = g_strdup_printf ("PRAGMA user_version = %d", version);
  if (gesso_database_exec (db, "BEGIN IMMEDIATE", error) &&
      gesso_database_exec (db, script, error) && gesso_database_exec (db, set_version, error) &&
      gesso_database_exec (db, "COMMIT", error))
    return TRUE;
  if (!sqlite3_get_autocommit (db))
    sqlite3_exec (db, "ROLLBACK", NULL, NULL, NULL);
  return FALSE;
}

static gboolean
migrate (sqlite3 *db, const char *const *migrations, int n_migrations, GError **error)
{
  int version = 0;
  if (!query_int (db, "PRAGMA user_version", &version, error))
    return FALSE;
  if (version > n_migrations)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                   _ ("%s was written by a newer version of Gesso. Update Gesso, or move the file "
                      "away to begin with an empty one."),
                   sqlite3_db_filename (db, "main"));
      return FALSE;
    }
  for (int v = version; v < n_migrations; v++)
    if (!migrate_to (db, migrations[v], v + 1, error))
      return FALSE;
  return TRUE;
}

static gboolean
configure (sqlite3 *db, GessoDurability durability, GError **error)
{
  sqlite3_busy_timeout (db, BUSY_TIMEOUT_MS);
  sqlite3_extended_result_codes (db, 1);
  return gesso_database_exec (db, "PRAGMA journal_mode = WAL", error) &&
         gesso_database_exec (db,
                              durability == GESSO_DATABASE_DURABLE ? "PRAGMA synchronous = FULL"
                                                                   : "PRAGMA synchronous = NORMAL",
                              error) &&
         gesso_database_exec (db, "PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 16777216",
                              error);
}

/* Returns: NULL and @error; G_IO_ERROR_INVALID_DATA for a damaged file */
static sqlite3 *
open_file (const char *path,
           GessoDurability durability,
           const char *const *migrations,
           int n_migrations,
           GError **error)
{
  sqlite3 *db = NULL;
  int result = sqlite3_open_v2 (
      path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
  if (result != SQLITE_OK)
    gesso_database_fail (db, result, error);
  else if (configure (db, durability, error) && check (db, path, durability, error) &&
           migrate (db, migrations, n_migrations, error))
    return db;
  sqlite3_close (db);
  return NULL;
}

/* The write-ahead log goes along: it may hold what the main file lost. */
static gboolean
put_aside (const char *path, GError **error)
{
  static const char *const suffixes[] = { "", "-wal", "-shm" };
  g_autofree char *aside = NULL;
  for (int n = 1; n < MAX_PUT_ASIDE; n++)
    {
      g_free (aside);
      aside = g_strdup_printf ("%s.damaged-%d", path, n);
      if (!g_file_test (aside, G_FILE_TEST_EXISTS))
        break;
    }
  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++)
    {
      g_autofree char *from = g_strconcat (path, suffixes[i], NULL);
      g_autofree char *to = g_strconcat (aside, suffixes[i], NULL);
      if (g_rename (from, to) != 0 && errno != ENOENT)
        {
          g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno),
                       _ ("The damaged database %s cannot be put aside: %s."), from,
                       g_strerror (errno));
          return FALSE;
        }
    }
  g_autofree char *mark = suspect_mark (path);
  g_unlink (mark);
  g_warning ("The database %s is damaged; it was put aside as %s and a new one is made.", path,
             aside);
  return TRUE;
}

/* One process at a time opens, migrates and puts aside.  Where the file system knows no locks (-1),
 * SQLite's own are all there is. */
static int
lock_opening (const char *path)
{
  g_autofree char *name = g_strconcat (path, ".lock", NULL);
  int fd = g_open (name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  while (fd >= 0 && flock (fd, LOCK_EX) != 0 && errno == EINTR)
    continue;
  return fd;
}

static gboolean
make_file (const char *path, GError **error)
{
  g_autofree char *dir = g_path_get_dirname (path);
  /* prompts are nobody else's business; SQLite gives its own files the same mode */
  int fd = g_mkdir_with_parents (dir, 0700) == 0 ? g_open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)
                                                 : -1;
  if (fd < 0)
    {
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno),
                   _ ("The file %s cannot be written: %s."), path, g_strerror (errno));
      return FALSE;
    }
  close (fd);
  return TRUE;
}

static sqlite3 *
open_or_replace (const char *path,
                 GessoDurability durability,
                 const char *const *migrations,
                 int n_migrations,
                 GError **error)
{
  g_autoptr (GError) local = NULL;
  sqlite3 *db = open_file (path, durability, migrations, n_migrations, &local);
  if (!db && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_INVALID_DATA))
    return put_aside (path, error) && make_file (path, error)
               ? open_file (path, durability, migrations, n_migrations, error)
               : NULL;
  if (!db)
    g_propagate_error (error, g_steal_pointer (&local));
  return db;
}

sqlite3 *
gesso_database_file_open (const char *path,
                          GessoDurability durability,
                          const char *const *migrations,
                          int n_migrations,
                          GError **error)
{
  if (!make_file (path, error))
    return NULL;
  int lock = lock_opening (path);
  sqlite3 *db = open_or_replace (path, durability, migrations, n_migrations, error);
  if (lock >= 0)
    close (lock);
  return db;
}

void
gesso_database_file_suspect (const char *path)
{
  g_autofree char *mark = suspect_mark (path);
  g_warning ("The database %s is damaged; it is checked at the next start.", path);
  g_file_set_contents (mark, "", 0, NULL);
}
