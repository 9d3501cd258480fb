/* SPDX-License-Identifier: MPL-2.0
 * main.c - gesso-worker: the engine in a process of its own, which may die without harm.
 *
 * Exit status: 0 ended as asked, 1 failed, 2 bad usage, 75 a --batch was parked (try again).
 */
#include <fcntl.h>
#include <libintl.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib-unix.h>

#include "config.h"
#include "core/guard.h"
#include "ipc/peer.h"
#include "worker/batch-mode.h"
#include "worker/device.h"
#include "worker/edge.h"
#include "worker/paths.h"
#include "worker/service.h"

enum
{
  CODE_DONE = 0,
  CODE_FAILED = 1,
  CODE_USAGE = 2,
  CODE_PARKED = 75,
  MAX_THREADS = 256
};

/* If memory runs out, this process goes, not the window: what it does can be done again. */
static const char OOM_SCORE[] = "600";

typedef struct
{
  int fd, n_threads, vram_limit_mib;
  char *backend, *batch, *output;
  gboolean version, devices;
} Options;

typedef struct
{
  const Options *options;
  GMainLoop *loop;
  GDBusConnection *connection;
  GessoService *service;
  Backend *backend;
  char data_dir[GESSO_PATH_SIZE];
  int code;
} Worker;

static Backend *
open_backend (const Options *o, Status *status)
{
  const BackendChoice choice = { o->backend, NULL, o->n_threads, o->vram_limit_mib };
  return backend_new (&choice, status);
}

static void
offer_to_die_first (void)
{
  int fd = open ("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return;
  if (write (fd, OOM_SCORE, sizeof OOM_SCORE - 1) < 0)
    g_debug ("The system does not let this process be ended first");
  close (fd);
}

static void
ignore_signals (void)
{
  signal (SIGPIPE, SIG_IGN); /* a closed socket is an error to handle, not to die of */
  signal (SIGXFSZ, SIG_IGN); /* and so is a full disk */
}

/* ---- as a service ---- */

static void
fail (Worker *w, const GError *error)
{
  g_warning ("%s", error->message);
  w->code = CODE_FAILED;
  g_main_loop_quit (w->loop);
}

static void
ended_cb (Worker *w)
{
  g_autoptr (GError) error = NULL;
  if (!g_dbus_connection_is_closed (w->connection) &&
      !g_dbus_connection_flush_sync (w->connection, NULL, &error))
    g_debug ("The last words were not heard: %s", error->message);
  g_main_loop_quit (w->loop);
}

static gboolean
serve (Worker *w, GError **error)
{
  Status status = { 0 };
  Backend *plan_backend = w->backend->device.memory ? backend_twin_new (w->backend, &status)
                                                    : open_backend (w->options, &status);
  if (!plan_backend)
    {
      g_propagate_error (error, edge_error (&status));
      return FALSE;
    }
  g_autofree char *device = device_describe (w->backend, w->options->n_threads);
  const GessoServiceOptions options = { w->backend, plan_backend, device, w->data_dir };
  w->service = gesso_service_new (w->connection, &options, error);
  if (!w->service)
    return FALSE;
  g_signal_connect_swapped (w->service, "ended", G_CALLBACK (ended_cb), w);
  return TRUE;
}

static void
connected_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Worker *w = user_data;
  g_autoptr (GError) error = NULL;
  w->connection = gesso_ipc_peer_new_finish (result, &error);
  if (!w->connection || !serve (w, &error))
    fail (w, error);
}

static gboolean
terminate_cb (gpointer user_data)
{
  Worker *w = user_data;
  if (w->service)
    gesso_service_quit (w->service);
  else
    g_main_loop_quit (w->loop);
  return G_SOURCE_CONTINUE;
}

static int
run_service (Worker *w)
{
  struct stat st;
  int fd = w->options->fd;
  if (fstat (fd, &st) != 0 || !S_ISSOCK (st.st_mode))
    {
      g_warning ("File descriptor %d is no socket: gesso-worker is started by gesso, or with "
                 "--batch",
                 fd);
      return CODE_USAGE;
    }
  fcntl (fd, F_SETFD, FD_CLOEXEC);
  w->loop = g_main_loop_new (NULL, FALSE);
  guint on_term = g_unix_signal_add (SIGTERM, terminate_cb, w),
        on_int = g_unix_signal_add (SIGINT, terminate_cb, w);
  gesso_ipc_peer_new (fd, GESSO_IPC_WORKER, NULL, connected_cb, w);
  g_main_loop_run (w->loop);
  g_source_remove (on_term);
  g_source_remove (on_int);
  g_clear_object (&w->service);
  g_clear_object (&w->connection);
  g_clear_pointer (&w->loop, g_main_loop_unref);
  return w->code;
}

/* ---- as a batch ---- */

static BatchControl batch_control;

static void
on_signal (int number)
{
  control_wish (&batch_control, WISH_STOP); /* atomic stores only */
}

static int
run_batch (Worker *w)
{
  Status status = { 0 };
  const struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int) SA_RESETHAND };
  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
  switch (batch_mode_run (w->backend, w->data_dir, w->options->batch, w->options->output,
                          &batch_control, &status))
    {
    case BATCH_MODE_DONE:
      return CODE_DONE;
    case BATCH_MODE_PARKED:
      return CODE_PARKED;
    case BATCH_MODE_FAILED:
      break;
    }
  g_autofree char *sentence = edge_sentence (status.message);
  g_warning ("%s", sentence);
  return CODE_FAILED;
}

/* ---- the program ---- */

static gboolean
parse (Options *o, int *argc, char ***argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "fd", 0, 0, G_OPTION_ARG_INT, &o->fd, "The socket to serve on (3)", "N" },
    { "backend", 0, 0, G_OPTION_ARG_STRING, &o->backend,
      "What computes: cpu, cuda, auto, or null for tests", "NAME" },
    { "vram-limit", 0, 0, G_OPTION_ARG_INT, &o->vram_limit_mib,
      "How much of a card's memory to take; 0 for all but a reserve", "MIB" },
    { "threads", 0, 0, G_OPTION_ARG_INT, &o->n_threads, "Threads; 0 for one a core", "N" },
    { "batch", 0, 0, G_OPTION_ARG_FILENAME, &o->batch, "Run one recipe without a client", "FILE" },
    { "output", 0, 0, G_OPTION_ARG_FILENAME, &o->output, "Where --batch writes its pictures",
      "DIR" },
    { "devices", 0, 0, G_OPTION_ARG_NONE, &o->devices,
      "Print what can compute: name, title, bytes of memory, with tabs between them", NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &o->version, "Print the version", NULL },
    G_OPTION_ENTRY_NULL
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_option_context_set_summary (context, "Makes Gesso's pictures; started by gesso.");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (!o->backend)
    o->backend = g_strdup ("cpu");
  const char *problem = NULL;
  if (*argc > 1)
    problem = "There is an argument too many";
  else if (!o->batch != !o->output)
    problem = "--batch and --output belong together";
  else if (o->n_threads < 0 || o->n_threads > MAX_THREADS)
    problem = "--threads takes a number from 0 to 256";
  else if (o->vram_limit_mib < 0)
    problem = "--vram-limit takes a number of MiB";
  if (problem)
    g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, problem);
  return problem == NULL;
}

static int
run (const Options *o)
{
  Worker w = { .options = o };
  Status status = { 0 };
  int code = CODE_FAILED;
  if (path_data_dir (w.data_dir, &status) && (w.backend = open_backend (o, &status)) != NULL)
    code = o->batch ? run_batch (&w) : run_service (&w);
  else
    g_warning ("%s", status.message);
  backend_free (w.backend);
  return code;
}

static const char *
translate (const char *text)
{
  return dgettext (GETTEXT_PACKAGE, text);
}

/* What is told to the client is read by the same person as the client's window. */
static void
speak_the_users_language (void)
{
  char dir[GESSO_PATH_SIZE];
  setlocale (LC_ALL, "");
  path_locale_dir (dir, GESSO_LOCALE_DIR);
  bindtextdomain (GETTEXT_PACKAGE, dir);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  status_set_translate (translate);
}

int
main (int argc, char **argv)
{
  guard_install ();
  speak_the_users_language ();
  Options o = { .fd = GESSO_IPC_WORKER_FD };
  g_autoptr (GError) error = NULL;
  int code = CODE_USAGE;
  ignore_signals ();
  offer_to_die_first ();
  const gboolean parsed = parse (&o, &argc, &argv, &error);
  status_set_in_window (!o.batch); /* which starts it otherwise */
  if (!parsed)
    g_printerr ("gesso-worker: %s\n", error->message);
  else if (o.version)
    {
      g_print ("Gesso %s\n", GESSO_VERSION);
      code = CODE_DONE;
    }
  else if (o.devices)
    {
      g_autofree char *list = device_dup_list ();
      g_print ("%s", list);
      code = CODE_DONE;
    }
  else
    code = run (&o);
  g_free (o.backend);
  g_free (o.batch);
  g_free (o.output);
  return code;
}
