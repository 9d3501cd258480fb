/* SPDX-License-Identifier: MPL-2.0
 * gesso-scanner.c - the threads that scan, one at a time while all disks answer, and who hears of
 * it.
 *
 * What they do is in gesso-scan-jobs.c.
 */
#define G_LOG_DOMAIN "gesso-library"

#include "library/gesso-scanner-private.h"

G_DEFINE_FINAL_TYPE (GessoScanner, gesso_scanner, G_TYPE_OBJECT)

enum
{
  PATIENCE_MS = 3000, /* a disk that slept turns for longer, and is then one that answers again */
  LOOKS = 4           /* at a thread, in that time */
};

enum
{
  WRITTEN,
  SCANNED,
  SILENCE,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

/* -- telling the main thread --------------------------------------------------------------------
 */

typedef struct
{
  GessoScanner *self;
  void (*tell) (GessoScanner *self);
} News;

static gboolean
tell_cb (gpointer data)
{
  News *news = data;
  if (news->self->worker)
    news->tell (news->self);
  return G_SOURCE_REMOVE;
}

static void
free_news (gpointer data)
{
  News *news = data;
  g_object_unref (news->self);
  g_free (news);
}

static void
post (GessoScanner *self, void (*tell) (GessoScanner *self))
{
  News *news = g_new0 (News, 1);
  news->self = g_object_ref (self);
  news->tell = tell;
  GSource *source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, tell_cb, news, free_news);
  g_source_attach (source, self->context);
  g_source_unref (source);
}

static void
tell_written (GessoScanner *self)
{
  g_signal_emit (self, signals[WRITTEN], 0);
}

static void
tell_scanned (GessoScanner *self)
{
  g_signal_emit (self, signals[SCANNED], 0);
}

void
gesso_scanner_tell_written (GessoScanner *self)
{
  post (self, tell_written);
}

/* -- jobs ---------------------------------------------------------------------------------------
 */

static void
free_job (GessoScanJob *job)
{
  g_strfreev (job->folders);
  g_free (job);
}

static gboolean look_cb (gpointer data);

/* Looks whether the thread moves, while there is something to do. */
static void
keep_watch (GessoScanner *self)
{
  if (self->watch)
    return;
  self->watch = g_timeout_source_new ((guint) (self->patience_ms / LOOKS));
  g_source_set_callback (self->watch, look_cb, self, NULL);
  g_source_attach (self->watch, self->context);
}

static void
end_watch (GessoScanner *self)
{
  if (self->watch)
    g_source_destroy (self->watch);
  g_clear_pointer (&self->watch, g_source_unref);
}

static void
push (GessoScanner *self, gboolean quit, char **folders)
{
  GessoScanJob *job = g_new0 (GessoScanJob, 1);
  job->quit = quit;
  job->folders = folders;
  g_atomic_int_inc (&self->n_jobs);
  g_async_queue_push (self->jobs, job);
  if (!quit)
    keep_watch (self);
}

/* -- a thread -----------------------------------------------------------------------------------
 */

static void
do_job (GessoScanWorker *w, GessoScanJob *job)
{
  GessoScanner *self = w->scanner;
  g_mutex_lock (&self->mutex);
  w->job = job;
  g_mutex_unlock (&self->mutex);
  if (!g_cancellable_is_cancelled (w->cancellable))
    gesso_scan_job_run (w, job);
}

/* Returns: FALSE when another thread has gone on with it */
static gboolean
end_job (GessoScanWorker *w)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&w->scanner->mutex);
  w->job = NULL;
  w->has_left = w->is_lost;
  if (!w->is_lost)
    g_clear_pointer (&w->root, g_free);
  return !w->is_lost;
}

static void let_go (GessoScanner *self);

static gpointer
run_thread (gpointer data)
{
  GessoScanWorker *w = data;
  GessoScanner *self = w->scanner;
  for (gboolean quit = FALSE; !quit;)
    {
      GessoScanJob *job = g_async_queue_pop (self->jobs);
      quit = job->quit;
      if (!quit)
        do_job (w, job);
      gboolean is_mine = end_job (w);
      free_job (job);
      if (is_mine)
        g_atomic_int_add (&self->n_jobs, -1);
      if (!quit)
        post (self, is_mine ? tell_scanned : let_go);
      quit |= !is_mine;
    }
  return NULL;
}

static GessoScanWorker *
new_worker (GessoScanner *self)
{
  GessoScanWorker *w = g_new0 (GessoScanWorker, 1);
  w->scanner = self;
  w->cancellable = g_cancellable_new ();
  w->thread = g_thread_new ("scanner", run_thread, w);
  return w;
}

/* Waits for its thread. */
static void
free_worker (gpointer data)
{
  GessoScanWorker *w = data;
  g_thread_join (w->thread);
  g_object_unref (w->cancellable);
  g_free (w->root);
  g_free (w);
}

/* -- disks that do not answer -------------------------------------------------------------------
 */

/* Of a thread that waits for a disk; NULL when it does not. */
static GessoScanJob *
lose_job (GessoScanner *self, GessoScanWorker *w)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->mutex);
  if (!w->job || !w->root)
    return NULL;
  GessoScanJob *again = g_new0 (GessoScanJob, 1);
  again->is_again = TRUE;
  again->folders = g_strdupv (w->job->folders);
  w->is_lost = TRUE;
  g_ptr_array_add (self->lost, w);
  return again;
}

/* Another thread goes on with its job, but for the folder that it looks at. */
static void
lose_worker (GessoScanner *self)
{
  GessoScanJob *again = lose_job (self, self->worker);
  if (!again)
    return;
  const char *root = self->worker->root; /* it stays as it is from here on */
  g_message ("The disk of %s does not answer.", *root ? root : "some pictures");
  g_async_queue_push_front (self->jobs, again);
  self->worker = new_worker (self);
  g_signal_emit (self, signals[SILENCE], 0);
}

static gboolean
look_cb (gpointer data)
{
  GessoScanner *self = data;
  GessoScanWorker *w = self->worker;
  gint64 now_us = g_get_monotonic_time ();
  int n = g_atomic_int_get (&w->n_steps);
  if (!gesso_scanner_is_busy (self))
    {
      end_watch (self);
      return G_SOURCE_REMOVE;
    }
  if (n != w->n_seen || !w->seen_us)
    w->seen_us = now_us;
  w->n_seen = n;
  if (now_us - w->seen_us >= self->patience_ms * G_TIME_SPAN_MILLISECOND)
    lose_worker (self);
  return G_SOURCE_CONTINUE;
}

/* Returns: (transfer full): a thread whose disk has answered, or NULL */
static GessoScanWorker *
steal_left (GessoScanner *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->mutex);
  for (guint i = 0; i < self->lost->len; i++)
    if (((GessoScanWorker *) self->lost->pdata[i])->has_left)
      return g_ptr_array_steal_index (self->lost, i);
  return NULL;
}

/* Of threads whose disks have answered: they have ended what they began. */
static void
let_go (GessoScanner *self)
{
  gboolean missed = FALSE;
  for (GessoScanWorker *w; (w = steal_left (self)); free_worker (w))
    missed |= w->is_missed;
  if (missed)
    push (self, FALSE, NULL);
  g_signal_emit (self, signals[SILENCE], 0);
  g_signal_emit (self, signals[SCANNED], 0);
}

/* -- the object ---------------------------------------------------------------------------------
 */

static void
gesso_scanner_finalize (GObject *object)
{
  GessoScanner *self = GESSO_SCANNER (object);
  g_assert (!self->worker); /* stopped by its owner: the threads use the object */
  g_clear_object (&self->database);
  g_free (self->bundled_dir);
  g_main_context_unref (self->context);
  g_async_queue_unref (self->jobs);
  g_mutex_clear (&self->mutex);
  g_ptr_array_unref (self->lost);
  g_hash_table_unref (self->roles);
  g_clear_pointer (&self->fresh_folders, g_hash_table_unref);
  g_clear_pointer (&self->fresh_pictures, g_array_unref);
  G_OBJECT_CLASS (gesso_scanner_parent_class)->finalize (object);
}

static void
gesso_scanner_class_init (GessoScannerClass *klass)
{
  static const char *const names[N_SIGNALS] = { "written", "scanned", "silence" };
  G_OBJECT_CLASS (klass)->finalize = gesso_scanner_finalize;
  for (int i = 0; i < N_SIGNALS; i++)
    signals[i] = g_signal_new (names[i], G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                               NULL, NULL, G_TYPE_NONE, 0);
}

static void
gesso_scanner_init (GessoScanner *self)
{
  self->context = g_main_context_ref_thread_default ();
  self->jobs = g_async_queue_new ();
  self->lost = g_ptr_array_new_with_free_func (free_worker);
  self->roles = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, gesso_scan_role_free);
  self->patience_ms = PATIENCE_MS;
  g_mutex_init (&self->mutex);
}

GessoScanner *
gesso_scanner_new (GessoDatabase *database, const char *bundled_dir)
{
  g_return_val_if_fail (GESSO_IS_DATABASE (database), NULL);
  GessoScanner *self = g_object_new (GESSO_TYPE_SCANNER, NULL);
  self->database = g_object_ref (database);
  self->bundled_dir = bundled_dir ? g_canonicalize_filename (bundled_dir, NULL) : NULL;
  self->worker = new_worker (self);
  return self;
}

void
gesso_scanner_stop (GessoScanner *self)
{
  g_return_if_fail (GESSO_IS_SCANNER (self));
  if (!self->worker)
    return;
  end_watch (self);
  g_cancellable_cancel (self->worker->cancellable);
  for (guint i = 0; i < self->lost->len; i++)
    g_cancellable_cancel (((GessoScanWorker *) self->lost->pdata[i])->cancellable);
  push (self, TRUE, NULL);
  g_clear_pointer (&self->worker, free_worker);
  g_ptr_array_set_size (self->lost, 0);
}

void
gesso_scanner_set_patience (GessoScanner *self, int patience_ms)
{
  g_return_if_fail (GESSO_IS_SCANNER (self) && patience_ms >= LOOKS);
  self->patience_ms = patience_ms;
  if (self->watch)
    {
      end_watch (self);
      keep_watch (self);
    }
}

gboolean
gesso_scanner_is_silent (GessoScanner *self, const char *folder)
{
  g_return_val_if_fail (GESSO_IS_SCANNER (self) && folder != NULL, FALSE);
  for (guint i = 0; i < self->lost->len; i++)
    if (g_str_equal (((GessoScanWorker *) self->lost->pdata[i])->root, folder))
      return TRUE;
  return FALSE;
}

void
gesso_scanner_scan_all (GessoScanner *self)
{
  g_return_if_fail (GESSO_IS_SCANNER (self));
  push (self, FALSE, NULL);
}

void
gesso_scanner_scan_folders (GessoScanner *self, const char *const *folders)
{
  g_return_if_fail (GESSO_IS_SCANNER (self));
  g_return_if_fail (folders != NULL);
  push (self, FALSE, g_strdupv ((char **) folders));
}

gboolean
gesso_scanner_is_busy (GessoScanner *self)
{
  g_return_val_if_fail (GESSO_IS_SCANNER (self), FALSE);
  return g_atomic_int_get (&self->n_jobs) > 0;
}

GHashTable *
gesso_scanner_steal_folders (GessoScanner *self, gboolean *all)
{
  g_return_val_if_fail (GESSO_IS_SCANNER (self), NULL);
  g_mutex_lock (&self->mutex);
  GHashTable *folders = g_steal_pointer (&self->fresh_folders);
  *all = self->fresh_all;
  self->fresh_all = FALSE;
  g_mutex_unlock (&self->mutex);
  return folders;
}

GArray *
gesso_scanner_steal_pictures (GessoScanner *self)
{
  g_return_val_if_fail (GESSO_IS_SCANNER (self), NULL);
  g_mutex_lock (&self->mutex);
  GArray *pictures = g_steal_pointer (&self->fresh_pictures);
  g_mutex_unlock (&self->mutex);
  return pictures;
}
