/* SPDX-License-Identifier: MPL-2.0
 * gesso-watcher.c - one GFileMonitor a folder.
 *
 * GIO does not say when the system's limit of inotify watches is reached: such a monitor just stays
 * silent.  So every folder is first tried on a descriptor of our own.
 *
 * The system looks a folder up to watch it, which takes minutes where its disk does not answer, and
 * GIO has all its monitors wait for that one.  So they are made and ended on a thread; their events
 * come on the main thread.
 */
#define G_LOG_DOMAIN "gesso-library"

#include "library/gesso-watcher.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

enum
{
  QUIET_MS = 300,         /* this long nothing happened: a copy of many files is one change */
  LONGEST_WAIT_MS = 2000, /* but a folder that never rests is looked at all the same */
  RESCAN_INTERVAL_S = 60,
  FOLDERS_AT_ONCE = 64 /* for the thread, before it tells of them */
};

struct _GessoWatcher
{
  GObject parent_instance;
  GHashTable *monitors; /* folder -> GFileMonitor; NULL: the thread is to make it */
  GHashTable *changed;  /* set of folders */
  guint quiet_id, rescan_id;
  gint64 first_change_us;
  int probe; /* inotify descriptor, -1: none */
  guint limit;
  GThreadPool *pool; /* of one thread */
  guint n_open;      /* tasks that make monitors */
  gboolean stopped;
};

G_DEFINE_FINAL_TYPE (GessoWatcher, gesso_watcher, G_TYPE_OBJECT)

enum
{
  CHANGED,
  RESCAN,
  WATCHED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

static gboolean
quiet_cb (gpointer data)
{
  GessoWatcher *self = data;
  self->quiet_id = 0;
  g_autofree char **folders = (char **) g_hash_table_get_keys_as_array (self->changed, NULL);
  g_auto (GStrv) copies = g_strdupv (folders);
  g_hash_table_remove_all (self->changed);
  g_signal_emit (self, signals[CHANGED], 0, copies);
  return G_SOURCE_REMOVE;
}

static void
note_change (GessoWatcher *self, const char *folder)
{
  gint64 now_us = g_get_monotonic_time ();
  if (g_hash_table_size (self->changed) == 0)
    self->first_change_us = now_us;
  g_hash_table_add (self->changed, g_strdup (folder));
  gint64 waited_ms = (now_us - self->first_change_us) / 1000;
  if (self->quiet_id && waited_ms + QUIET_MS > LONGEST_WAIT_MS)
    return; /* the source that runs is the last one */
  g_clear_handle_id (&self->quiet_id, g_source_remove);
  self->quiet_id = g_timeout_add (QUIET_MS, quiet_cb, self);
}

static void
monitor_cb (
    GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event, gpointer user_data)
{
  GessoWatcher *self = user_data;
  /* reading a file, or looking at it, is no change of it */
  if (event != G_FILE_MONITOR_EVENT_ATTRIBUTE_CHANGED)
    note_change (self, g_object_get_data (G_OBJECT (monitor), "folder"));
}

static gboolean
rescan_cb (gpointer data)
{
  g_signal_emit (data, signals[RESCAN], 0);
  return G_SOURCE_CONTINUE;
}

static void
start_polling (GessoWatcher *self, const char *folder, const char *reason)
{
  if (self->rescan_id)
    return;
  g_message ("The folder %s cannot be watched (%s): all folders are looked through every %d s. "
             "Raising fs.inotify.max_user_watches helps.",
             folder, reason, RESCAN_INTERVAL_S);
  self->rescan_id = g_timeout_add_seconds (RESCAN_INTERVAL_S, rescan_cb, self);
}

/* ---- on the thread ---- */

/* Of a task: monitors to be made for @folders, or to be ended. */
typedef struct
{
  GPtrArray *folders;  /* of char * */
  GPtrArray *monitors; /* of GFileMonitor, in the order of @folders; NULL: cannot be made */
  char *unwatched;     /* the first folder that cannot be watched, and why */
  const char *reason;
  int probe;
} Work;

static void
work_free (gpointer data)
{
  Work *work = data;
  g_clear_pointer (&work->folders, g_ptr_array_unref);
  g_ptr_array_unref (work->monitors);
  g_free (work->unwatched);
  g_free (work);
}

static void
unref_monitor (gpointer monitor)
{
  g_clear_object (&monitor);
}

/* Returns: NULL when the system would watch this folder, else why not */
static const char *
try_watch (int probe, const char *folder)
{
  if (probe < 0)
    return g_strerror (EMFILE);
  int watch = inotify_add_watch (probe, folder, IN_CREATE | IN_ONLYDIR);
  if (watch < 0)
    return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? NULL : g_strerror (errno);
  inotify_rm_watch (probe, watch);
  return NULL;
}

/* Its events come where this thread's would: on the main thread, as it has no context of its own.
 */
static void
make_monitor (Work *work, const char *folder)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GFile) file = g_file_new_for_path (folder);
  const char *reason = try_watch (work->probe, folder);
  GFileMonitor *monitor =
      reason ? NULL : g_file_monitor_directory (file, G_FILE_MONITOR_WATCH_MOVES, NULL, &error);
  g_ptr_array_add (work->monitors, monitor);
  if (monitor || work->unwatched)
    return;
  work->unwatched = g_strdup (folder);
  work->reason = reason ? reason : g_intern_string (error->message);
}

static void
work_in_thread (gpointer data, gpointer unused)
{
  g_autoptr (GTask) task = data;
  Work *work = g_task_get_task_data (task);
  if (work->folders)
    for (guint i = 0; i < work->folders->len; i++)
      make_monitor (work, g_ptr_array_index (work->folders, i));
  else
    for (guint i = 0; i < work->monitors->len; i++)
      g_file_monitor_cancel (g_ptr_array_index (work->monitors, i));
  g_task_return_boolean (task, TRUE);
}

/* Takes @folders and @monitors. */
static void
push (GessoWatcher *self, GPtrArray *folders, GPtrArray *monitors, GAsyncReadyCallback callback)
{
  Work *work = g_new0 (Work, 1);
  work->folders = folders;
  work->monitors = monitors;
  work->probe = self->probe; /* open as long as @self, which the callback holds */
  /* no source: the thread may be the last to let go of the task */
  GTask *task = g_task_new (NULL, NULL, callback, callback ? g_object_ref (self) : NULL);
  g_task_set_source_tag (task, push);
  g_task_set_task_data (task, work, work_free);
  g_thread_pool_push (self->pool, task, NULL);
}

/* ---- monitors ---- */

/* Takes @monitors. */
static void
end_monitors (GessoWatcher *self, GPtrArray *monitors)
{
  for (guint i = 0; i < monitors->len; i++)
    g_signal_handlers_disconnect_by_data (g_ptr_array_index (monitors, i), self);
  if (monitors->len)
    push (self, NULL, monitors, NULL);
  else
    g_ptr_array_unref (monitors);
}

static void
begin_monitor (GessoWatcher *self, const char *folder, GFileMonitor *monitor)
{
  g_object_set_data_full (G_OBJECT (monitor), "folder", g_strdup (folder), g_free);
  g_signal_connect (monitor, "changed", G_CALLBACK (monitor_cb), self);
  g_hash_table_replace (self->monitors, g_strdup (folder), g_object_ref (monitor));
}

static gboolean
is_awaited (GessoWatcher *self, const char *folder)
{
  gpointer monitor = NULL;
  return g_hash_table_lookup_extended (self->monitors, folder, NULL, &monitor) && !monitor;
}

/* Folders that are not wanted any more, or were asked for twice, are not watched. */
static void
made_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoWatcher) self = user_data;
  const Work *work = g_task_get_task_data (G_TASK (result));
  GPtrArray *unwanted = g_ptr_array_new_with_free_func (unref_monitor);
  g_autoptr (GPtrArray) watched = g_ptr_array_new ();
  for (guint i = 0; i < work->folders->len; i++)
    {
      char *folder = g_ptr_array_index (work->folders, i);
      GFileMonitor *monitor = g_ptr_array_index (work->monitors, i);
      gboolean awaited = is_awaited (self, folder);
      if (awaited && monitor)
        {
          begin_monitor (self, folder, monitor);
          g_ptr_array_add (watched, folder);
        }
      else if (awaited)
        g_hash_table_remove (self->monitors, folder);
      else if (monitor)
        g_ptr_array_add (unwanted, g_object_ref (monitor));
    }
  end_monitors (self, unwanted);
  self->n_open--;
  if (self->stopped)
    return;
  if (work->unwatched)
    start_polling (self, work->unwatched, work->reason);
  g_ptr_array_add (watched, NULL);
  g_signal_emit (self, signals[WATCHED], 0, watched->pdata);
}

static void
gesso_watcher_dispose (GObject *object)
{
  gesso_watcher_stop (GESSO_WATCHER (object));
  G_OBJECT_CLASS (gesso_watcher_parent_class)->dispose (object);
}

static void
gesso_watcher_finalize (GObject *object)
{
  GessoWatcher *self = GESSO_WATCHER (object);
  g_hash_table_unref (self->monitors);
  g_hash_table_unref (self->changed);
  g_thread_pool_free (self->pool, FALSE, FALSE);
  if (self->probe >= 0)
    close (self->probe);
  G_OBJECT_CLASS (gesso_watcher_parent_class)->finalize (object);
}

static void
gesso_watcher_class_init (GessoWatcherClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->dispose = gesso_watcher_dispose;
  object_class->finalize = gesso_watcher_finalize;
  signals[CHANGED] = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                   NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRV);
  signals[WATCHED] = g_signal_new ("watched", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                   NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRV);
  signals[RESCAN] = g_signal_new ("rescan", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 0);
}

static void
gesso_watcher_init (GessoWatcher *self)
{
  self->monitors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, unref_monitor);
  self->changed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->probe = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK);
  self->pool = g_thread_pool_new (work_in_thread, NULL, 1, FALSE, NULL);
}

GessoWatcher *
gesso_watcher_new (void)
{
  return g_object_new (GESSO_TYPE_WATCHER, NULL);
}

/* @keep: NULL to let go of all */
static void
let_go (GessoWatcher *self, GHashTable *keep)
{
  GPtrArray *ended = g_ptr_array_new_with_free_func (unref_monitor);
  GHashTableIter iter;
  gpointer folder, monitor;
  g_hash_table_iter_init (&iter, self->monitors);
  while (g_hash_table_iter_next (&iter, &folder, &monitor))
    if (!keep || !g_hash_table_contains (keep, folder))
      {
        if (monitor)
          g_ptr_array_add (ended, g_object_ref (monitor));
        g_hash_table_iter_remove (&iter);
      }
  end_monitors (self, ended);
}

void
gesso_watcher_stop (GessoWatcher *self)
{
  g_return_if_fail (GESSO_IS_WATCHER (self));
  self->stopped = TRUE;
  g_clear_handle_id (&self->quiet_id, g_source_remove);
  g_clear_handle_id (&self->rescan_id, g_source_remove);
  let_go (self, NULL);
}

/* Returns: whether the thread is to make a monitor for it */
static gboolean
is_new (GessoWatcher *self, const char *folder)
{
  if (g_hash_table_contains (self->monitors, folder))
    return FALSE;
  if (self->limit && g_hash_table_size (self->monitors) >= self->limit)
    {
      start_polling (self, folder, g_strerror (ENOSPC));
      return FALSE;
    }
  return g_hash_table_insert (self->monitors, g_strdup (folder), NULL);
}

void
gesso_watcher_add (GessoWatcher *self, GHashTable *folders)
{
  g_return_if_fail (GESSO_IS_WATCHER (self) && !self->stopped);
  g_return_if_fail (folders != NULL);
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer folder;
  g_hash_table_iter_init (&iter, folders);
  while (g_hash_table_iter_next (&iter, &folder, NULL))
    if (is_new (self, folder))
      g_ptr_array_add (all, g_strdup (folder));
  while (all->len > 0)
    {
      GPtrArray *part = g_ptr_array_new_with_free_func (g_free);
      while (all->len > 0 && part->len < FOLDERS_AT_ONCE)
        g_ptr_array_add (part, g_ptr_array_steal_index_fast (all, all->len - 1));
      self->n_open++;
      push (self, part, g_ptr_array_new_with_free_func (unref_monitor), made_cb);
    }
}

gboolean
gesso_watcher_is_busy (GessoWatcher *self)
{
  g_return_val_if_fail (GESSO_IS_WATCHER (self), FALSE);
  return self->n_open > 0;
}

void
gesso_watcher_keep (GessoWatcher *self, GHashTable *folders)
{
  g_return_if_fail (GESSO_IS_WATCHER (self) && folders != NULL);
  let_go (self, folders);
}

gboolean
gesso_watcher_is_polling (GessoWatcher *self)
{
  g_return_val_if_fail (GESSO_IS_WATCHER (self), FALSE);
  return self->rescan_id != 0;
}

void
gesso_watcher_set_limit (GessoWatcher *self, guint limit)
{
  g_return_if_fail (GESSO_IS_WATCHER (self));
  self->limit = limit;
}
