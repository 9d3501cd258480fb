/* SPDX-License-Identifier: MPL-2.0
 * gesso-exporter.c - films written on a thread of their own, with progress and cancel.
 */
#include "app/gesso-exporter.h"

enum
{
  PROGRESS_INTERVAL_US = 50 * 1000
};

/* Task data.  Only the thread touches it while it runs, but for @cancel. */
typedef struct
{
  char *from, *to;
  FilmCopyOptions options;
  FilmInfo info;   /* of a look */
  FilmCopied film; /* of an export */
  atomic_bool cancel;
  GCancellable *cancellable;
  gulong cancel_handler;
  GessoExporterProgress progress;
  gpointer progress_data;
  gint64 told_us;
} Work;

static void
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  Work *work = user_data;
  work->cancel = true;
}

static void
work_free (gpointer data)
{
  Work *work = data;
  if (work->cancellable)
    g_cancellable_disconnect (work->cancellable, work->cancel_handler);
  g_clear_object (&work->cancellable);
  g_free (work->from);
  g_free (work->to);
  g_free (work);
}

static GTask *
new_task (const char *from,
          const char *to,
          GCancellable *cancellable,
          GAsyncReadyCallback callback,
          gpointer user_data)
{
  Work *work = g_new0 (Work, 1);
  GTask *task = g_task_new (NULL, cancellable, callback, user_data);
  work->from = g_strdup (from);
  work->to = g_strdup (to);
  g_task_set_task_data (task, work, work_free);
  g_task_set_check_cancellable (task, FALSE); /* a film that is written is not called cancelled */
  if (cancellable)
    {
      work->cancellable = g_object_ref (cancellable);
      work->cancel_handler =
          g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), work, NULL);
    }
  return task;
}

static void
return_status (GTask *task, gboolean ok, const Status *status)
{
  if (ok)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_new_error (task, G_IO_ERROR,
                             status->code == STATUS_CANCELLED ? G_IO_ERROR_CANCELLED
                                                              : G_IO_ERROR_FAILED,
                             "%s", status->message);
}

/* ---- a look ---- */

static void
look_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *work = data;
  Status status = { 0 };
  const FrameLimits limits = { .cancel = &work->cancel };
  /* not later on the main loop, when it asks which formats there are */
  FrameSource *frames = video_start (&status) ? film_open (work->from, &limits, &status) : NULL;
  if (frames)
    {
      work->info = frames->info;
      if (work->info.n_frames < 0 && frames->n_expected > 0)
        work->info.n_frames = frames->n_expected;
    }
  frames_close (frames);
  return_status (task, frames != NULL, &status);
}

void
gesso_exporter_read_info_async (const char *path,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data)
{
  g_return_if_fail (path != NULL);
  g_autoptr (GTask) task = new_task (path, NULL, cancellable, callback, user_data);
  g_task_set_source_tag (task, gesso_exporter_read_info_async);
  g_task_run_in_thread (task, look_thread);
}

gboolean
gesso_exporter_read_info_finish (GAsyncResult *result, FilmInfo *info, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, gesso_exporter_read_info_async), FALSE);
  const Work *work = g_task_get_task_data (G_TASK (result));
  *info = work->info;
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* ---- the export ---- */

typedef struct
{
  GTask *task;
  int n_done, n_expected;
} News;

static gboolean
tell_cb (gpointer user_data)
{
  News *news = user_data;
  const Work *work = g_task_get_task_data (news->task);
  if (!work->cancel && !g_task_get_completed (news->task))
    work->progress (news->n_done, news->n_expected, work->progress_data);
  g_object_unref (news->task);
  g_free (news);
  return G_SOURCE_REMOVE;
}

static void
frame_cb (void *data, int n_done, int n_expected)
{
  GTask *task = data;
  Work *work = g_task_get_task_data (task);
  gint64 now = g_get_monotonic_time ();
  if (now - work->told_us < PROGRESS_INTERVAL_US && n_done < n_expected)
    return;
  work->told_us = now;
  News *news = g_new (News, 1);
  *news = (News){ g_object_ref (task), n_done, n_expected };
  g_main_context_invoke (g_task_get_context (task), tell_cb, news);
}

static void
export_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *work = data;
  Status status = { 0 };
  work->options.film.cancel = work->options.limits.cancel = &work->cancel;
  if (work->progress)
    work->options.progress = frame_cb;
  work->options.data = task;
  gboolean ok = film_copy (work->from, work->to, &work->options, &work->film, &status);
  return_status (task, ok, &status);
}

void
gesso_exporter_run_async (const char *from,
                          const char *to,
                          const FilmCopyOptions *options,
                          GessoExporterProgress progress,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_return_if_fail (from != NULL && to != NULL && options != NULL);
  g_autoptr (GTask) task = new_task (from, to, cancellable, callback, user_data);
  Work *work = g_task_get_task_data (task);
  g_task_set_source_tag (task, gesso_exporter_run_async);
  work->options = (FilmCopyOptions){ .film = options->film, .rate = options->rate };
  work->progress = progress;
  work->progress_data = user_data;
  g_task_run_in_thread (task, export_thread);
}

gboolean
gesso_exporter_run_finish (GAsyncResult *result, FilmCopied *film, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, gesso_exporter_run_async), FALSE);
  const Work *work = g_task_get_task_data (G_TASK (result));
  *film = work->film;
  return g_task_propagate_boolean (G_TASK (result), error);
}
