/* SPDX-License-Identifier: MPL-2.0
 * gesso-database.c - one SQLite file and the thread that alone uses it.
 *
 * The object holds a queue; the thread holds the connection and outlives the object when the last
 * reference happens to be dropped on the thread itself.
 */
#define G_LOG_DOMAIN "gesso-library"

#include "library/gesso-database.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <sys/file.h>
#include <unistd.h>

enum
{
  BUSY_TIMEOUT_MS = 15000, /* another process may be in the middle of a long transaction */
  CANCEL_CHECK_OPS = 2000, /* SQLite instructions between two looks at the cancellable */
  MAX_CACHED_STATEMENTS = 256,
  MAX_PUT_ASIDE = 1000
};

/* What the thread works with; nobody else touches @db once the thread runs. */
typedef struct
{
  sqlite3 *db;
  char *path;
  GAsyncQueue *requests;
  GHashTable *statements; /* SQL -> sqlite3_stmt */
  GPtrArray *spare;       /* statements made because the cached one was in use; of one request */
} Connection;

typedef struct
{
  gboolean transaction, quit;
  GessoDatabaseFunc func;
  gpointer data;
  GDestroyNotify destroy;
  GTask *task; /* or, for a caller who waits: */
  GMutex mutex;
  GCond cond;
  gboolean done, succeeded;
  GError *error;
} Request;

struct _GessoDatabase
{
  GObject parent_instance;
  GAsyncQueue *requests;
  GThread *thread;
};

G_DEFINE_FINAL_TYPE (GessoDatabase, gesso_database, G_TYPE_OBJECT)

/* The connection of the thread that runs, for gesso_sql_prepare(). */
static GPrivate current_connection;

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

static gboolean
is_damage (int result)
{
  return (result & 0xff) == SQLITE_CORRUPT || (result & 0xff) == SQLITE_NOTADB;
}

static gboolean
fail (sqlite3 *db, int result, GError **error)
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

static gboolean
exec (sqlite3 *db, const char *sql, GError **error)
{
  int result = sqlite3_exec (db, sql, NULL, NULL, NULL);
  return result == SQLITE_OK || fail (db, result, error);
}

static gboolean
query_int (sqlite3 *db, const char *sql, int *value, GError **error)
{
  sqlite3_stmt *statement = NULL;
  int result = sqlite3_prepare_v2 (db, sql, -1, &statement, NULL);
  if (result == SQLITE_OK)
    result = sqlite3_step (statement);
  gboolean ok = result == SQLITE_ROW || fail (db, result, error);
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
    fail (db, result, error);
  sqlite3_finalize (statement);
  if (ok)
    g_unlink (mark);
  return ok;
}

static gboolean
migrate_to (sqlite3 *db, const char *script, int version, GError **error)
{
  g_autofree char *set_version = g_strdup_printf ("PRAGMA user_version = %d", version);
  if (exec (db, "BEGIN IMMEDIATE", error) && exec (db, script, error) &&
      exec (db, set_version, error) && exec (db, "COMMIT", error))
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
  return exec (db, "PRAGMA journal_mode = WAL", error) &&
         exec (db,
               durability == GESSO_DATABASE_DURABLE ? "PRAGMA synchronous = FULL"
                                                    : "PRAGMA synchronous = NORMAL",
               error) &&
         exec (db, "PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 16777216", error);
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
    fail (db, result, error);
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

/* -- the thread ---------------------------------------------------------------------------------
 */

static void
finalize_statement (gpointer statement)
{
  sqlite3_finalize (statement);
}

/* A function may leave a query half read; that would hold its snapshot open for ever. */
static void
reset_statements (Connection *c)
{
  GHashTableIter iter;
  gpointer statement;
  g_hash_table_iter_init (&iter, c->statements);
  while (g_hash_table_iter_next (&iter, NULL, &statement))
    sqlite3_reset (statement);
  g_ptr_array_set_size (c->spare, 0);
  if (g_hash_table_size (c->statements) > MAX_CACHED_STATEMENTS)
    g_hash_table_remove_all (c->statements);
}

static int
is_cancelled_cb (void *cancellable)
{
  return g_cancellable_is_cancelled (cancellable);
}

static gboolean
call (Connection *c, Request *r, GError **error)
{
  if (!r->func)
    return TRUE;
  if (r->transaction && !exec (c->db, "BEGIN IMMEDIATE", error))
    return FALSE;
  gboolean ok = r->func (c->db, r->data, error);
  reset_statements (c);
  if (ok && r->transaction)
    ok = exec (c->db, "COMMIT", error);
  if (!sqlite3_get_autocommit (c->db))
    sqlite3_exec (c->db, "ROLLBACK", NULL, NULL, NULL);
  return ok;
}

static void
note_damage (Connection *c)
{
  if (!is_damage (sqlite3_errcode (c->db)))
    return;
  g_autofree char *mark = suspect_mark (c->path);
  g_warning ("The database %s is damaged; it is checked at the next start.", c->path);
  g_file_set_contents (mark, "", 0, NULL);
}

static gboolean
perform (Connection *c, Request *r, GError **error)
{
  GCancellable *cancellable = r->task ? g_task_get_cancellable (r->task) : NULL;
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  sqlite3_progress_handler (c->db, cancellable ? CANCEL_CHECK_OPS : 0, is_cancelled_cb,
                            cancellable);
  gboolean ok = call (c, r, error);
  sqlite3_progress_handler (c->db, 0, NULL, NULL);
  if (!ok)
    note_damage (c);
  return ok;
}

static void
answer (Request *r, gboolean succeeded, GError *error)
{
  if (r->destroy)
    r->destroy (r->data);
  if (r->task)
    {
      g_autoptr (GTask) task = r->task;
      if (succeeded)
        g_task_return_boolean (task, TRUE);
      else
        g_task_return_error (task, error);
      g_free (r);
      return;
    }
  g_mutex_lock (&r->mutex);
  r->succeeded = succeeded;
  r->error = error;
  r->done = TRUE;
  g_cond_signal (&r->cond);
  g_mutex_unlock (&r->mutex);
}

static gpointer
run_thread (gpointer data)
{
  Connection *c = data;
  g_private_set (&current_connection, c);
  for (;;)
    {
      Request *r = g_async_queue_pop (c->requests);
      if (r->quit)
        {
          g_free (r);
          break;
        }
      GError *error = NULL;
      gboolean ok = perform (c, r, &error);
      answer (r, ok, error);
    }
  g_private_set (&current_connection, NULL);
  g_hash_table_unref (c->statements);
  g_ptr_array_unref (c->spare);
  sqlite3_close (c->db);
  g_async_queue_unref (c->requests);
  g_free (c->path);
  g_free (c);
  return NULL;
}

/* -- the object ---------------------------------------------------------------------------------
 */

static void
gesso_database_finalize (GObject *object)
{
  GessoDatabase *self = GESSO_DATABASE (object);
  if (self->thread)
    {
      Request *r = g_new0 (Request, 1);
      r->quit = TRUE;
      g_async_queue_push (self->requests, r);
      if (self->thread == g_thread_self ())
        g_thread_unref (self->thread);
      else
        g_thread_join (self->thread);
    }
  g_async_queue_unref (self->requests);
  G_OBJECT_CLASS (gesso_database_parent_class)->finalize (object);
}

static void
gesso_database_class_init (GessoDatabaseClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gesso_database_finalize;
}

static void
gesso_database_init (GessoDatabase *self)
{
  self->requests = g_async_queue_new ();
}

GessoDatabase *
gesso_database_new (const char *path,
                    GessoDurability durability,
                    const char *const *migrations,
                    int n_migrations,
                    GError **error)
{
  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (migrations != NULL || n_migrations == 0, NULL);
  if (!make_file (path, error))
    return NULL;
  int lock = lock_opening (path);
  sqlite3 *db = open_or_replace (path, durability, migrations, n_migrations, error);
  if (lock >= 0)
    close (lock);
  if (!db)
    return NULL;
  GessoDatabase *self = g_object_new (GESSO_TYPE_DATABASE, NULL);
  Connection *c = g_new0 (Connection, 1);
  c->db = db;
  c->path = g_strdup (path);
  c->requests = g_async_queue_ref (self->requests);
  c->statements = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, finalize_statement);
  c->spare = g_ptr_array_new_with_free_func (finalize_statement);
  self->thread = g_thread_new ("database", run_thread, c);
  return self;
}

void
gesso_database_run_async (GessoDatabase *self,
                          gboolean transaction,
                          GessoDatabaseFunc func,
                          gpointer data,
                          GDestroyNotify destroy,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_return_if_fail (GESSO_IS_DATABASE (self));
  g_return_if_fail (func != NULL);
  Request *r = g_new0 (Request, 1);
  r->transaction = transaction;
  r->func = func;
  r->data = data;
  r->destroy = destroy;
  r->task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (r->task, gesso_database_run_async);
  /* What was committed is not reported as cancelled. */
  g_task_set_check_cancellable (r->task, FALSE);
  g_async_queue_push (self->requests, r);
}

gboolean
gesso_database_run_finish (GessoDatabase *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

static gboolean
run_and_wait (GessoDatabase *self, Request *r, GError **error)
{
  g_mutex_init (&r->mutex);
  g_cond_init (&r->cond);
  g_async_queue_push (self->requests, r);
  g_mutex_lock (&r->mutex);
  while (!r->done)
    g_cond_wait (&r->cond, &r->mutex);
  g_mutex_unlock (&r->mutex);
  g_mutex_clear (&r->mutex);
  g_cond_clear (&r->cond);
  if (!r->succeeded)
    g_propagate_error (error, r->error);
  return r->succeeded;
}

gboolean
gesso_database_run (GessoDatabase *self,
                    gboolean transaction,
                    GessoDatabaseFunc func,
                    gpointer data,
                    GError **error)
{
  g_return_val_if_fail (GESSO_IS_DATABASE (self), FALSE);
  g_return_val_if_fail (func != NULL, FALSE);
  g_return_val_if_fail (g_thread_self () != self->thread, FALSE); /* it would wait for itself */
  Request r = { .transaction = transaction, .func = func, .data = data };
  return run_and_wait (self, &r, error);
}

void
gesso_database_flush (GessoDatabase *self)
{
  g_return_if_fail (GESSO_IS_DATABASE (self));
  g_return_if_fail (g_thread_self () != self->thread);
  Request r = { 0 };
  run_and_wait (self, &r, NULL);
}

/* -- within a function --------------------------------------------------------------------------
 */

sqlite3_stmt *
gesso_sql_prepare (sqlite3 *db, const char *sql, GError **error)
{
  Connection *c = g_private_get (&current_connection);
  g_return_val_if_fail (c != NULL && c->db == db, NULL);
  sqlite3_stmt *statement = g_hash_table_lookup (c->statements, sql);
  gboolean in_use = statement && sqlite3_stmt_busy (statement);
  if (statement && !in_use)
    {
      sqlite3_reset (statement);
      sqlite3_clear_bindings (statement);
      return statement;
    }
  int result = sqlite3_prepare_v3 (db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
  if (result != SQLITE_OK)
    {
      fail (db, result, error);
      return NULL;
    }
  if (in_use)
    g_ptr_array_add (c->spare, statement);
  else
    g_hash_table_insert (c->statements, g_strdup (sql), statement);
  return statement;
}

gboolean
gesso_sql_exec (sqlite3 *db, const char *sql, GError **error)
{
  g_return_val_if_fail (db != NULL && sql != NULL, FALSE);
  return exec (db, sql, error);
}

gboolean
gesso_sql_step (sqlite3_stmt *statement, gboolean *row, GError **error)
{
  g_return_val_if_fail (statement != NULL && row != NULL, FALSE);
  int result = sqlite3_step (statement);
  *row = result == SQLITE_ROW;
  if (result == SQLITE_ROW)
    return TRUE;
  gboolean ok = result == SQLITE_DONE || fail (sqlite3_db_handle (statement), result, error);
  sqlite3_reset (statement);
  return ok;
}
