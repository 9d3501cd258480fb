/* SPDX-License-Identifier: MPL-2.0
 * gesso-disk.c - small looks at the disk that must not stop the main loop.
 */
#include "session/gesso-disk.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/statvfs.h>

static const guint64 FULL_BYTES = 16
                                  << 20; /* free, and it counts as full: a journal and a picture */

static void
look_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  struct statvfs fs;
  g_task_return_boolean (task, statvfs (data, &fs) == 0 &&
                                   (guint64) fs.f_bavail * fs.f_frsize < FULL_BYTES);
}

void
gesso_disk_is_full_async (const char *folder, GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (folder);
  g_autoptr (GTask) task = g_task_new (NULL, NULL, callback, user_data);
  g_task_set_task_data (task, g_strdup (folder), g_free);
  g_task_run_in_thread (task, look_in_thread);
}

gboolean
gesso_disk_is_full_finish (GAsyncResult *result)
{
  return g_task_propagate_boolean (G_TASK (result), NULL);
}

static void
remove_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_autofree char *aside = g_strconcat (data, ".aside", NULL);
  g_unlink (data);
  g_unlink (aside);
  g_task_return_boolean (task, TRUE);
}

void
gesso_disk_remove_journal (const char *folder, const char *batch)
{
  g_return_if_fail (folder && batch);
  g_autoptr (GTask) task = g_task_new (NULL, NULL, NULL, NULL);
  g_task_set_task_data (task, g_strdup_printf ("%s/%s.journal", folder, batch), g_free);
  g_task_run_in_thread (task, remove_in_thread);
}

/* The job in "NAME-JOB-BATCH.journal"; 0 when it is none of ours. */
static gint64
journal_job (const char *file, const char *name)
{
  gsize n = strlen (name);
  if (strncmp (file, name, n) != 0 || file[n] != '-')
    return 0;
  return g_ascii_strtoll (file + n + 1, NULL, 10);
}

void
gesso_disk_sweep_journals (const char *folder,
                           const char *name,
                           gboolean (*keep) (gpointer data, gint64 job),
                           gpointer data)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *file;
  while (dir && (file = g_dir_read_name (dir)))
    {
      if (!strstr (file, ".journal"))
        continue;
      gint64 job = journal_job (file, name);
      if (job > 0 && keep (data, job))
        continue;
      g_autofree char *path = g_build_filename (folder, file, NULL);
      g_unlink (path);
    }
}
