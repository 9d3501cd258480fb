/* SPDX-License-Identifier: MPL-2.0
 * gesso-hasher.c - a thread at the lowest priorities for processor and disk.
 *
 * Checkpoints come first, then the small files first: recipes name checkpoints by hash, and the
 * list of LoRAs is complete soon.  What was hashed is in the database, so the order goes on where
 * it was after a restart.
 */
#define G_LOG_DOMAIN "gesso-library"
#define _GNU_SOURCE

#include "library/gesso-hasher.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "library/gesso-walk.h"
#include "weights/hash.h"

enum
{
  NICENESS = 19,
  /* of ioprio_set(2), which the C library does not declare */
  IOPRIO_WHO_PROCESS = 1,
  IOPRIO_CLASS_IDLE = 3,
  IOPRIO_CLASS_SHIFT = 13
};

struct _GessoHasher
{
  GObject parent_instance;
  GessoDatabase *database;
  GMainContext *context;
  GThread *thread;
  GHashTable *failed; /* paths that could not be read: not tried again; of the thread */
  GMutex mutex;
  GCond cond;
  gboolean quit, paused, woken; /* under @mutex */
};

G_DEFINE_FINAL_TYPE (GessoHasher, gesso_hasher, G_TYPE_OBJECT)

static guint hashed_signal;

typedef struct
{
  GHashTable *failed;
  char *path;
  GessoIdentity identity;
  char hash[SHA256_HEX_SIZE];
} Task;

static gboolean
find_next (sqlite3 *db, gpointer data, GError **error)
{
  Task *task = data;
  gboolean row = FALSE;
  sqlite3_stmt *s = gesso_sql_prepare (
      db,
      "SELECT f.path, f.size, f.mtime_ns, f.inode FROM files f JOIN models USING (id)"
      " LEFT JOIN hashes h ON h.path = f.path AND h.size = f.size AND h.mtime_ns = f.mtime_ns"
      " WHERE state = 0 AND sha256 IS NULL AND format NOT LIKE 'diffusers%' AND format <> ''"
      " ORDER BY kind <> 'checkpoint', f.size, f.path",
      error);
  if (!s)
    return FALSE;
  do
    {
      if (!gesso_sql_step (s, &row, error))
        return FALSE;
      const char *path = row ? (const char *) sqlite3_column_text (s, 0) : NULL;
      if (!path || g_hash_table_contains (task->failed, path))
        continue;
      task->path = g_strdup (path);
      task->identity = (GessoIdentity){ sqlite3_column_int64 (s, 1), sqlite3_column_int64 (s, 2),
                                        (guint64) sqlite3_column_int64 (s, 3) };
    }
  while (row && !task->path);
  return TRUE;
}

static gboolean
write_hash (sqlite3 *db, gpointer data, GError **error)
{
  Task *task = data;
  gboolean row;
  sqlite3_stmt *s = gesso_sql_prepare (
      db, "INSERT OR REPLACE INTO hashes (path, size, mtime_ns, sha256) VALUES (?, ?, ?, ?)",
      error);
  if (!s)
    return FALSE;
  sqlite3_bind_text (s, 1, task->path, -1, SQLITE_TRANSIENT);
  sqlite3_bind_int64 (s, 2, task->identity.size_bytes);
  sqlite3_bind_int64 (s, 3, task->identity.mtime_ns);
  sqlite3_bind_text (s, 4, task->hash, -1, SQLITE_TRANSIENT);
  return gesso_sql_step (s, &row, error);
}

static bool
go_on (void *data, int64_t done_bytes, int64_t total_bytes)
{
  GessoHasher *self = data;
  g_mutex_lock (&self->mutex);
  while (self->paused && !self->quit)
    g_cond_wait (&self->cond, &self->mutex);
  bool quit = self->quit;
  g_mutex_unlock (&self->mutex);
  return !quit;
}

static gboolean
emit_cb (gpointer data)
{
  g_signal_emit (data, hashed_signal, 0);
  return G_SOURCE_REMOVE;
}

static void
post (GessoHasher *self)
{
  GSource *source = g_idle_source_new ();
  g_source_set_callback (source, emit_cb, g_object_ref (self), g_object_unref);
  g_source_attach (source, self->context);
  g_source_unref (source);
}

/* A file that changes while it is read has no hash; the scan that sees the change wakes us. */
static void
hash_one (GessoHasher *self, Task *task)
{
  Status status = { 0 };
  GessoIdentity now;
  g_autoptr (GError) error = NULL;
  gboolean ok =
      gesso_walk_identify (task->path, &now) && gesso_identity_equal (&now, &task->identity) &&
      file_sha256 (task->path, task->hash, go_on, self, &status) &&
      gesso_walk_identify (task->path, &now) && gesso_identity_equal (&now, &task->identity);
  if (status.code == STATUS_CANCELLED)
    return;
  if (ok)
    ok = gesso_database_run (self->database, TRUE, write_hash, task, &error);
  if (ok)
    post (self);
  else
    g_hash_table_add (self->failed, g_strdup (task->path));
}

/* Returns: FALSE when there is nothing to hash now */
static gboolean
work (GessoHasher *self)
{
  g_autoptr (GError) error = NULL;
  Task task = { .failed = self->failed };
  if (!gesso_database_run (self->database, FALSE, find_next, &task, &error))
    g_message ("The index cannot be read: %s", error->message);
  if (!task.path)
    return FALSE;
  hash_one (self, &task);
  g_free (task.path);
  return TRUE;
}

/* On Linux these calls are about one thread. */
static void
stand_back (void)
{
  pid_t thread = (pid_t) syscall (SYS_gettid);
  setpriority (PRIO_PROCESS, (id_t) thread, NICENESS);
  syscall (SYS_ioprio_set, IOPRIO_WHO_PROCESS, thread, IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT);
}

static gpointer
run_thread (gpointer data)
{
  GessoHasher *self = data;
  gboolean more = FALSE;
  stand_back ();
  for (;;)
    {
      g_mutex_lock (&self->mutex);
      while (!self->quit && (self->paused || (!more && !self->woken)))
        g_cond_wait (&self->cond, &self->mutex);
      gboolean quit = self->quit;
      if (self->woken)
        g_hash_table_remove_all (self->failed);
      self->woken = FALSE;
      g_mutex_unlock (&self->mutex);
      if (quit)
        return NULL;
      more = work (self);
    }
}

static void
gesso_hasher_finalize (GObject *object)
{
  GessoHasher *self = GESSO_HASHER (object);
  g_assert (!self->thread); /* stopped by its owner */
  g_clear_object (&self->database);
  g_main_context_unref (self->context);
  g_hash_table_unref (self->failed);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->cond);
  G_OBJECT_CLASS (gesso_hasher_parent_class)->finalize (object);
}

static void
gesso_hasher_class_init (GessoHasherClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gesso_hasher_finalize;
  hashed_signal = g_signal_new ("hashed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                NULL, NULL, G_TYPE_NONE, 0);
}

static void
gesso_hasher_init (GessoHasher *self)
{
  self->context = g_main_context_ref_thread_default ();
  self->failed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_mutex_init (&self->mutex);
  g_cond_init (&self->cond);
}

GessoHasher *
gesso_hasher_new (GessoDatabase *database)
{
  g_return_val_if_fail (GESSO_IS_DATABASE (database), NULL);
  GessoHasher *self = g_object_new (GESSO_TYPE_HASHER, NULL);
  self->database = g_object_ref (database);
  self->thread = g_thread_new ("hasher", run_thread, self);
  return self;
}

static void
set_flag (GessoHasher *self, gboolean *flag, gboolean value)
{
  g_mutex_lock (&self->mutex);
  *flag = value;
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->mutex);
}

void
gesso_hasher_stop (GessoHasher *self)
{
  g_return_if_fail (GESSO_IS_HASHER (self));
  if (!self->thread)
    return;
  set_flag (self, &self->quit, TRUE);
  g_thread_join (g_steal_pointer (&self->thread));
}

void
gesso_hasher_wake (GessoHasher *self)
{
  g_return_if_fail (GESSO_IS_HASHER (self));
  set_flag (self, &self->woken, TRUE);
}

void
gesso_hasher_set_paused (GessoHasher *self, gboolean paused)
{
  g_return_if_fail (GESSO_IS_HASHER (self));
  set_flag (self, &self->paused, paused);
}
