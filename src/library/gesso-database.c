/* SPDX-License-Identifier: MPL-2.0
 * gesso-database.c - one SQLite file and the thread that alone uses it.
 *
 * The object holds a queue; the thread holds the connection and outlives the object when the last
 * reference happens to be dropped on the thread itself.
 */
#define G_LOG_DOMAIN "gesso-library"

#include "library/gesso-database.h"

#include "library/gesso-database-file.h"

enum
{
  CANCEL_CHECK_OPS = 2000, /* SQLite instructions between two looks at the cancellable */
  MAX_CACHED_STATEMENTS = 256
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
  if (r->transaction && !gesso_database_exec (c->db, "BEGIN IMMEDIATE", error))
    return FALSE;
  gboolean ok = r->func (c->db, r->data, error);
  reset_statements (c);
  if (ok && r->transaction)
    ok = gesso_database_exec (c->db, "COMMIT", error);
  if (!sqlite3_get_autocommit (c->db))
    sqlite3_exec (c->db, "ROLLBACK", NULL, NULL, NULL);
  return ok;
}

static gboolean
is_damaged (sqlite3 *db)
{
  int code = sqlite3_errcode (db) & 0xff; /* without SQLite's extension bits */
  return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
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
  if (!ok && is_damaged (c->db))
    gesso_database_file_suspect (c->path);
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
  sqlite3 *db = gesso_database_file_open (path, durability, migrations, n_migrations, error);
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
      gesso_database_fail (db, result, error);
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
  return gesso_database_exec (db, sql, error);
}

gboolean
gesso_sql_step (sqlite3_stmt *statement, gboolean *row, GError **error)
{
  g_return_val_if_fail (statement != NULL && row != NULL, FALSE);
  int result = sqlite3_step (statement);
  *row = result == SQLITE_ROW;
  if (result == SQLITE_ROW)
    return TRUE;
  gboolean ok =
      result == SQLITE_DONE || gesso_database_fail (sqlite3_db_handle (statement), result, error);
  sqlite3_reset (statement);
  return ok;
}
