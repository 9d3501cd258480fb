/* SPDX-License-Identifier: MPL-2.0
 * driver.c - a "window" without widgets: runs the queue of a data folder until nothing is left.
 *
 *   driver --data DIR --pictures DIR --worker PROGRAM --backend NAME [--add FILE] [--list]
 *
 * Prints one line for each thing that happens, and at the end (or with --list, at once) every job:
 * how long the main loop was kept busy, "job ID STATE N_DONE N_PICTURES TITLE" and "end".  Jobs
 * that failed because the worker was killed are tried again.  Exit status: 0 everything was done, 1
 * the session could not be opened, 3 the queue stopped.
 */
#include <glib-unix.h>
#include <glib/gstdio.h>

#include "session/gesso-session.h"

enum
{
  MAX_STOPS = 10
};

typedef struct
{
  GMainLoop *loop;
  GessoSession *session;
  GessoQueue *queue;
  int code, n_stops; /* since the last picture */
} Driver;

/* How long the main loop was away from poll (), in microseconds: a poll function has no data of its
 * own. */
static GArray *busy_us;
static gint64 polled_us;

static int
watch_poll (GPollFD *fds, guint n_fds, int timeout_ms)
{
  gint64 now = g_get_monotonic_time (), busy = polled_us ? now - polled_us : 0;
  g_array_append_val (busy_us, busy);
  int n = g_poll (fds, n_fds, timeout_ms);
  polled_us = g_get_monotonic_time ();
  return n;
}

static int
compare_times (gconstpointer a, gconstpointer b)
{
  gint64 x = *(const gint64 *) a, y = *(const gint64 *) b;
  return (x > y) - (x < y);
}

static void
say (const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *line = g_strdup_vprintf (format, args);
  va_end (args);
  g_print ("%s\n", line);
}

static void
on_picture (GessoQueue *queue, GessoJob *job, int index, const char *path, Driver *driver)
{
  driver->n_stops = 0;
  say ("picture %" G_GINT64_FORMAT " %d %s", gesso_job_get_id (job), index, path);
}

static void
on_job_ended (GessoQueue *queue, GessoJob *job, gpointer data)
{
  say ("ended %" G_GINT64_FORMAT " %d %s %s", gesso_job_get_id (job),
       (int) gesso_job_get_state (job), gesso_job_get_error_code (job), gesso_job_get_error (job));
}

/* Jobs that were given up because the worker was killed twice while it drew them. */
static int
retry_killed (GessoQueue *queue)
{
  GListModel *model = G_LIST_MODEL (queue);
  int n = 0;
  for (guint i = 0; i < g_list_model_get_n_items (model); i++)
    {
      g_autoptr (GessoJob) job = g_list_model_get_item (model, i);
      if (gesso_job_get_state (job) != GESSO_JOB_FAILED ||
          g_strcmp0 (gesso_job_get_error_code (job), "worker-died") != 0)
        continue;
      gesso_queue_retry (queue, job);
      n++;
    }
  return n;
}

static void
on_drained (GessoQueue *queue, Driver *driver)
{
  say ("drained");
  if (retry_killed (queue) == 0)
    g_main_loop_quit (driver->loop);
}

static void
on_failed (GessoQueue *queue, const char *sentence, Driver *driver)
{
  say ("failed %s", sentence);
  driver->code = 3;
  g_main_loop_quit (driver->loop);
}

static void
on_worker_died (GessoSession *session, const char *sentence, Driver *driver)
{
  say ("worker-died %s", sentence);
  if (gesso_session_get_worker_state (session) != GESSO_WORKER_STOPPED)
    return;
  if (++driver->n_stops < MAX_STOPS)
    gesso_session_restart_worker (session);
  else
    on_failed (driver->queue, "the worker does not stay alive", driver);
}

static void
on_worker_state (GessoSession *session, GParamSpec *pspec, gpointer data)
{
  say ("worker %d %s", (int) gesso_session_get_worker_state (session),
       gesso_session_get_device (session));
}

static void
list_jobs (Driver *driver)
{
  GListModel *model = G_LIST_MODEL (driver->queue);
  for (guint i = 0; i < g_list_model_get_n_items (model); i++)
    {
      g_autoptr (GessoJob) job = g_list_model_get_item (model, i);
      say ("job %" G_GINT64_FORMAT " %d %d %d %s", gesso_job_get_id (job),
           (int) gesso_job_get_state (job), gesso_job_get_n_done (job),
           gesso_job_get_n_pictures (job), gesso_job_get_title (job));
    }
  say ("end");
}

static void
on_added_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  Driver *driver = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) ids = gesso_queue_add_finish (driver->queue, result, &error);
  if (!ids)
    {
      on_failed (driver->queue, error->message, driver);
      return;
    }
  say ("added %u", ids->len);
}

/* One recipe a line. */
static gboolean
add_file (Driver *driver, const char *path)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  if (!g_file_get_contents (path, &text, NULL, &error))
    {
      g_printerr ("%s\n", error->message);
      return FALSE;
    }
  g_auto (GStrv) lines = g_strsplit (g_strstrip (text), "\n", -1);
  gesso_queue_add_async (driver->queue, (const char *const *) lines, GESSO_QUEUE_LAST, NULL,
                         on_added_cb, driver);
  return TRUE;
}

static void
say_busy_times (void)
{
  if (busy_us->len == 0)
    return;
  g_array_sort (busy_us, compare_times);
  say ("loop of %u: p50 %.3f p99 %.3f max %.3f ms", busy_us->len,
       (double) g_array_index (busy_us, gint64, busy_us->len / 2) / 1000,
       (double) g_array_index (busy_us, gint64, busy_us->len * 99 / 100) / 1000,
       (double) g_array_index (busy_us, gint64, busy_us->len - 1) / 1000);
}

static gboolean
on_term_cb (gpointer data)
{
  Driver *driver = data;
  driver->code = 3;
  g_main_loop_quit (driver->loop);
  return G_SOURCE_REMOVE;
}

static void
run (Driver *driver, const char *add)
{
  driver->queue = gesso_session_get_queue (driver->session);
  driver->loop = g_main_loop_new (NULL, FALSE);
  g_signal_connect (driver->queue, "picture", G_CALLBACK (on_picture), driver);
  g_signal_connect (driver->queue, "job-ended", G_CALLBACK (on_job_ended), driver);
  g_signal_connect (driver->queue, "drained", G_CALLBACK (on_drained), driver);
  g_signal_connect (driver->queue, "failed", G_CALLBACK (on_failed), driver);
  g_signal_connect (driver->session, "worker-died", G_CALLBACK (on_worker_died), driver);
  g_signal_connect (driver->session, "notify::worker-state", G_CALLBACK (on_worker_state), driver);
  g_unix_signal_add (SIGTERM, on_term_cb, driver);
  gboolean work = gesso_queue_get_n_waiting (driver->queue) > 0;
  if (add)
    work = add_file (driver, add);
  gesso_queue_set_paused (driver->queue, FALSE);
  busy_us = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_main_context_set_poll_func (NULL, watch_poll);
  if (retry_killed (driver->queue) > 0 || work)
    g_main_loop_run (driver->loop);
  g_main_context_set_poll_func (NULL, g_poll);
  say_busy_times ();
  g_array_unref (busy_us);
  g_main_loop_unref (driver->loop);
}

int
main (int argc, char **argv)
{
  GessoSessionOptions options = { .restart_delay_ms = 1 };
  g_autofree char *add = NULL;
  gboolean list = FALSE;
  const GOptionEntry entries[] = {
    { "data", 0, 0, G_OPTION_ARG_FILENAME, (gpointer) &options.data_dir, "session.db", "DIR" },
    { "pictures", 0, 0, G_OPTION_ARG_FILENAME, (gpointer) &options.pictures_dir, "Pictures",
      "DIR" },
    { "worker", 0, 0, G_OPTION_ARG_FILENAME, (gpointer) &options.worker, "gesso-worker",
      "PROGRAM" },
    { "backend", 0, 0, G_OPTION_ARG_STRING, (gpointer) &options.backends,
      "Backends, one worker each", "NAMES" },
    { "add", 0, 0, G_OPTION_ARG_FILENAME, &add, "Recipes, one a line", "FILE" },
    { "list", 0, 0, G_OPTION_ARG_NONE, &list, "Only list the jobs", NULL },
    G_OPTION_ENTRY_NULL
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    g_error ("%s", error->message);
  signal (SIGXFSZ, SIG_IGN);
  Driver driver = { .session = gesso_session_new (&options, &error) };
  if (!driver.session)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  if (list)
    driver.queue = gesso_session_get_queue (driver.session);
  else
    run (&driver, add);
  list_jobs (&driver);
  gesso_session_close (driver.session);
  g_object_unref (driver.session);
  while (g_main_context_iteration (NULL, FALSE)) /* answers that nobody waits for any more */
    continue;
  g_free ((gpointer) options.data_dir);
  g_free ((gpointer) options.pictures_dir);
  g_free ((gpointer) options.worker);
  g_free ((gpointer) options.backends);
  return driver.code;
}
