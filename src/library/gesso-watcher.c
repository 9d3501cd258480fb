/* SPDX-License-Identifier: MPL-2.0
 * gesso-watcher.c - one GFileMonitor a folder.
 *
 * GIO does not say when the system's limit of inotify watches is reached: such a monitor just stays
 * silent.  So every folder is first tried on a descriptor of our own.
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
  RESCAN_INTERVAL_S = 60
};

struct _GessoWatcher
{
  GObject parent_instance;
  GHashTable *monitors; /* folder -> GFileMonitor */
  GHashTable *changed;  /* set of folders */
  guint quiet_id, rescan_id;
  gint64 first_change_us;
  int probe; /* inotify descriptor, -1: none */
  guint limit;
};

G_DEFINE_FINAL_TYPE (GessoWatcher, gesso_watcher, G_TYPE_OBJECT)

enum
{
  CHANGED,
  RESCAN,
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

/* Returns: NULL when the system would watch this folder, else why not */
static const char *
try_watch (GessoWatcher *self, const char *folder)
{
  if (self->limit && g_hash_table_size (self->monitors) >= self->limit)
    return g_strerror (ENOSPC);
  if (self->probe < 0)
    return g_strerror (EMFILE);
  int watch = inotify_add_watch (self->probe, folder, IN_CREATE | IN_ONLYDIR);
  if (watch < 0)
    return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? NULL : g_strerror (errno);
  inotify_rm_watch (self->probe, watch);
  return NULL;
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
  signals[RESCAN] = g_signal_new ("rescan", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 0);
}

static void
cancel_monitor (gpointer monitor)
{
  g_file_monitor_cancel (monitor);
  g_object_unref (monitor);
}

static void
gesso_watcher_init (GessoWatcher *self)
{
  self->monitors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, cancel_monitor);
  self->changed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->probe = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK);
}

GessoWatcher *
gesso_watcher_new (void)
{
  return g_object_new (GESSO_TYPE_WATCHER, NULL);
}

void
gesso_watcher_stop (GessoWatcher *self)
{
  g_return_if_fail (GESSO_IS_WATCHER (self));
  g_clear_handle_id (&self->quiet_id, g_source_remove);
  g_clear_handle_id (&self->rescan_id, g_source_remove);
  g_hash_table_remove_all (self->monitors);
}

gboolean
gesso_watcher_add (GessoWatcher *self, const char *folder)
{
  g_return_val_if_fail (GESSO_IS_WATCHER (self), FALSE);
  g_return_val_if_fail (folder != NULL, FALSE);
  if (g_hash_table_contains (self->monitors, folder))
    return FALSE;
  const char *reason = try_watch (self, folder);
  if (reason)
    {
      start_polling (self, folder, reason);
      return FALSE;
    }
  g_autoptr (GError) error = NULL;
  g_autoptr (GFile) file = g_file_new_for_path (folder);
  GFileMonitor *monitor = g_file_monitor_directory (file, G_FILE_MONITOR_WATCH_MOVES, NULL, &error);
  if (!monitor)
    {
      start_polling (self, folder, error->message);
      return FALSE;
    }
  g_object_set_data_full (G_OBJECT (monitor), "folder", g_strdup (folder), g_free);
  g_signal_connect (monitor, "changed", G_CALLBACK (monitor_cb), self);
  g_hash_table_insert (self->monitors, g_strdup (folder), monitor);
  return TRUE;
}

void
gesso_watcher_keep (GessoWatcher *self, GHashTable *folders)
{
  g_return_if_fail (GESSO_IS_WATCHER (self));
  GHashTableIter iter;
  gpointer folder;
  g_hash_table_iter_init (&iter, self->monitors);
  while (g_hash_table_iter_next (&iter, &folder, NULL))
    if (!g_hash_table_contains (folders, folder))
      g_hash_table_iter_remove (&iter);
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
