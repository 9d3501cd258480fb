/* SPDX-License-Identifier: MPL-2.0
 * gesso-supervisor.c - keeps one worker process alive.
 */
#define G_LOG_DOMAIN "gesso-session"

#include "session/gesso-supervisor.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "ipc/peer.h"
#include "session/gesso-worker-log.h"

enum
{
  LOCK_FD = 4,
  MAX_DEATHS = 3,           /* in a row */
  ANSWER_MS = 60000,        /* for the first answer; a worker greets before it loads anything */
  LOCK_RETRY_MS = 100,      /* while another window's worker ends */
  LOCK_PATIENCE_MS = 15000, /* then it is killed */
  QUIT_MS = 3000,           /* for parking, at the program's end */
  GONE_MS = 1000            /* to end in, for a worker that has hung up */
};

struct _GessoSupervisor
{
  GObject parent_instance;
  char *program, *backend, *data_dir;
  int number, restart_delay_ms, vram_limit_mib;
  GessoWorkerLock *lock;
  GessoSupervisorEvents events;
  gpointer data;
  GessoWorkerEvents worker_events;
  gpointer worker_data;
  GessoWorkerState state;
  GSubprocess *process;
  GessoWorkerClient *client;
  GessoWorkerLog *log;
  guint timer;
  GSourceFunc try_to_start; /* on_timer_cb, which schedules itself */
  gint64 last_start_us;
  int waited_ms; /* for the lock */
  int n_deaths;
  gboolean answered, ever_answered; /* this process; any since it was told to start */
  gboolean ending;                  /* it was asked to */
  gboolean closed;
};

G_DEFINE_FINAL_TYPE (GessoSupervisor, gesso_supervisor, G_TYPE_OBJECT)

static void
set_state (GessoSupervisor *self, GessoWorkerState state)
{
  if (self->state == state)
    return;
  self->state = state;
  self->events.state (self->data, state);
}

/* It would not be otherwise the next time. */
static void
stop (GessoSupervisor *self, const char *sentence)
{
  set_state (self, GESSO_WORKER_STOPPED);
  self->events.died (self->data, sentence);
}

static char *
describe_failure (GessoSupervisor *self, const GError *error)
{
  if (g_error_matches (error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT))
    return g_strdup_printf (_ ("The engine's program “%s” is missing: reinstall Gesso."),
                            self->program);
  if (g_error_matches (error, G_SPAWN_ERROR, G_SPAWN_ERROR_ACCES) ||
      g_error_matches (error, G_SPAWN_ERROR, G_SPAWN_ERROR_PERM))
    return g_strdup_printf (_ ("The engine's program “%s” may not be run: allow it in the file's "
                               "permissions, or reinstall Gesso."),
                            self->program);
  return g_strdup_printf (_ ("The engine “%s” cannot be started: %s. Reinstall Gesso, or free "
                             "memory and start the engine again."),
                          self->program, error->message);
}

static void
fail_to_start (GessoSupervisor *self, const GError *error)
{
  g_autofree char *sentence = describe_failure (self, error);
  stop (self, sentence);
}

/* "by signal 9 (Killed)", "with code 1" */
static char *
describe_end (GSubprocess *process)
{
  if (g_subprocess_get_if_signaled (process))
    {
      int number = g_subprocess_get_term_sig (process);
      return g_strdup_printf (_ ("by signal %d, %s"), number, g_strsignal (number));
    }
  if (g_subprocess_get_if_exited (process))
    return g_strdup_printf (_ ("with code %d"), g_subprocess_get_exit_status (process));
  return g_strdup ("");
}

static void
drop_client (GessoSupervisor *self)
{
  if (!self->client)
    return;
  gesso_worker_client_close (self->client);
  g_clear_object (&self->client);
}

static void
schedule (GessoSupervisor *self, int delay_ms)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  self->timer = g_timeout_add ((guint) MAX (delay_ms, 0), self->try_to_start, self);
}

/* Who never answered has not begun a picture. */
static char *
describe_last_death (GessoSupervisor *self, const char *how)
{
  g_autofree char *log = gesso_worker_log_dup_path (self->data_dir, self->number);
  if (!self->ever_answered)
    return g_strdup_printf (_ ("The engine ends before it answers, %s. The queue waits. Free "
                               "memory or reinstall Gesso, then start the engine again; its log "
                               "is %s."),
                            how, log);
  return g_strdup_printf (_ ("The engine ended %d times in a row, the last time %s. The queue "
                             "waits. Free memory or choose a smaller picture, then start the "
                             "engine again; its log is %s."),
                          self->n_deaths, how, log);
}

static void
restart_later (GessoSupervisor *self, const char *how)
{
  g_autofree char *sentence = NULL;
  if (++self->n_deaths >= MAX_DEATHS)
    {
      sentence = describe_last_death (self, how);
      stop (self, sentence);
      return;
    }
  gint64 since_ms = (g_get_monotonic_time () - self->last_start_us) / 1000;
  sentence =
      self->answered
          ? g_strdup_printf (_ ("The engine ended unexpectedly, %s. It is started again, and the "
                                "picture goes on from its last saved step."),
                             how)
          : g_strdup_printf (_ ("The engine ended before it answered, %s. It is started again."),
                             how);
  set_state (self, GESSO_WORKER_WAITING);
  schedule (self, (int) MAX (0, self->restart_delay_ms - since_ms));
  self->events.died (self->data, sentence);
}

/* A worker that has said why it cannot start would say so again; one that could before may have
 * lost its card for a moment. */
static gboolean
cannot_start (GessoSupervisor *self, GSubprocess *process, const char *words)
{
  return words && !self->ever_answered && g_subprocess_get_if_exited (process) &&
         g_subprocess_get_exit_status (process) != 0;
}

static void
on_exited_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GessoSupervisor) self = data;
  GSubprocess *process = G_SUBPROCESS (source);
  g_subprocess_wait_finish (process, result, NULL);
  if (self->process != process || self->closed)
    return;
  g_autofree char *how = describe_end (process);
  g_message ("The worker ended %s.", how);
  drop_client (self);
  g_clear_handle_id (&self->timer, g_source_remove);
  g_clear_object (&self->process);
  g_autofree char *words = gesso_worker_log_end (g_steal_pointer (&self->log));
  if (self->ending)
    {
      set_state (self, GESSO_WORKER_STOPPED);
      return;
    }
  if (cannot_start (self, process, words))
    {
      const char *period = g_str_has_suffix (words, ".") ? "" : ".";
      /* Translators: a sentence that says why, and its period when it has none */
      g_autofree char *sentence =
          g_strdup_printf (_ ("The engine cannot start: %s%s"), words, period);
      stop (self, sentence);
      return;
    }
  g_autofree char *quoted =
      words ? g_strdup_printf (_ ("%s, after it said “%s”"), how, words) : g_strdup (how);
  restart_later (self, quoted);
}

static void
on_connected_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GessoSupervisor) self = data;
  GessoWorkerClient *client = GESSO_WORKER_CLIENT (source);
  g_autoptr (GError) error = NULL;
  gboolean ok = gesso_worker_client_connect_finish (client, result, &error);
  if (self->client != client || self->closed)
    return;
  g_clear_handle_id (&self->timer, g_source_remove);
  if (ok)
    {
      self->answered = self->ever_answered = TRUE;
      set_state (self, GESSO_WORKER_READY);
    }
  else
    {
      g_message ("The worker does not answer: %s", error->message);
      g_subprocess_force_exit (self->process); /* on_exited_cb goes on from there */
    }
}

/* It ends by itself, or it hangs and is ended by on_timer_cb. */
static void
on_client_closed (GessoSupervisor *self)
{
  if (self->process && !self->closed)
    schedule (self, GONE_MS);
}

static GSubprocess *
spawn (GessoSupervisor *self, int fd, int lock, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDERR_PIPE | G_SUBPROCESS_FLAGS_STDOUT_SILENCE);
  g_subprocess_launcher_take_fd (launcher, fd, GESSO_IPC_WORKER_FD);
  g_subprocess_launcher_take_fd (launcher, lock, LOCK_FD);
  /* the library of these data writes it (gesso-library.h); models and adapters are found there */
  g_autofree char *folders = g_build_filename (self->data_dir, "folders", NULL);
  g_subprocess_launcher_setenv (launcher, "GESSO_FOLDERS", folders, TRUE);
  g_autofree char *limit = g_strdup_printf ("%d", self->vram_limit_mib);
  const char *argv[] = { self->program, "--backend", self->backend, "--vram-limit", limit, NULL };
  return g_subprocess_launcher_spawnv (launcher, argv, error);
}

static void
start_with_lock (GessoSupervisor *self, int lock)
{
  g_autoptr (GError) error = NULL;
  int ours, theirs;
  if (!gesso_ipc_socket_pair (&ours, &theirs, &error))
    {
      close (lock);
      fail_to_start (self, error);
      return;
    }
  self->last_start_us = g_get_monotonic_time ();
  self->answered = FALSE;
  self->process = spawn (self, theirs, lock, &error);
  if (!self->process)
    {
      close (ours);
      fail_to_start (self, error);
      return;
    }
  const char *id = g_subprocess_get_identifier (self->process);
  self->log = gesso_worker_log_new (g_subprocess_get_stderr_pipe (self->process), self->data_dir,
                                    self->number, MAX (1, id ? g_ascii_strtoll (id, NULL, 10) : 1));
  g_subprocess_wait_async (self->process, NULL, on_exited_cb, g_object_ref (self));
  self->client = gesso_worker_client_new (ours, &self->worker_events, self->worker_data,
                                          on_connected_cb, g_object_ref (self));
  g_signal_connect_object (self->client, "closed", G_CALLBACK (on_client_closed), self,
                           G_CONNECT_SWAPPED);
  schedule (self, ANSWER_MS);
}

static void
wait_for_old_worker (GessoSupervisor *self)
{
  self->waited_ms += LOCK_RETRY_MS;
  if (self->waited_ms >= LOCK_PATIENCE_MS)
    {
      gesso_worker_kill_old (self->data_dir, self->program);
      self->waited_ms = 0;
    }
  schedule (self, LOCK_RETRY_MS);
}

static gboolean
on_timer_cb (gpointer data)
{
  GessoSupervisor *self = data;
  self->timer = 0;
  if (self->process)
    {
      g_message ("The worker does not answer: it is ended.");
      g_subprocess_force_exit (self->process); /* on_exited_cb goes on from there */
      return G_SOURCE_REMOVE;
    }
  set_state (self, GESSO_WORKER_STARTING);
  int lock = gesso_worker_lock_dup (self->lock);
  if (lock >= 0)
    start_with_lock (self, lock);
  else if (errno == EWOULDBLOCK)
    wait_for_old_worker (self);
  else
    {
      g_autoptr (GError) error =
          g_error_new_literal (G_FILE_ERROR, g_file_error_from_errno (errno), g_strerror (errno));
      fail_to_start (self, error);
    }
  return G_SOURCE_REMOVE;
}

static void
gesso_supervisor_dispose (GObject *object)
{
  GessoSupervisor *self = GESSO_SUPERVISOR (object);
  gesso_supervisor_close (self);
  G_OBJECT_CLASS (gesso_supervisor_parent_class)->dispose (object);
}

static void
gesso_supervisor_finalize (GObject *object)
{
  GessoSupervisor *self = GESSO_SUPERVISOR (object);
  g_free (self->program);
  g_free (self->backend);
  g_free (self->data_dir);
  G_OBJECT_CLASS (gesso_supervisor_parent_class)->finalize (object);
}

static void
gesso_supervisor_class_init (GessoSupervisorClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_supervisor_dispose;
  G_OBJECT_CLASS (klass)->finalize = gesso_supervisor_finalize;
}

static void
gesso_supervisor_init (GessoSupervisor *self)
{
  self->try_to_start = on_timer_cb;
}

GessoSupervisor *
gesso_supervisor_new (const GessoSupervisorOptions *o)
{
  g_return_val_if_fail (o->program && o->backend && o->data_dir && o->lock, NULL);
  g_return_val_if_fail (o->events && o->worker_events, NULL);
  GessoSupervisor *self = g_object_new (GESSO_TYPE_SUPERVISOR, NULL);
  self->program = g_strdup (o->program);
  self->backend = g_strdup (o->backend);
  self->data_dir = g_strdup (o->data_dir);
  self->number = o->number;
  self->restart_delay_ms = o->restart_delay_ms;
  self->vram_limit_mib = o->vram_limit_mib;
  self->lock = o->lock;
  self->events = *o->events;
  self->data = o->data;
  self->worker_events = *o->worker_events;
  self->worker_data = o->worker_data;
  return self;
}

void
gesso_supervisor_start (GessoSupervisor *self)
{
  g_return_if_fail (GESSO_IS_SUPERVISOR (self));
  if (self->process || self->closed)
    return;
  self->ending = self->ever_answered = FALSE;
  self->n_deaths = 0;
  self->waited_ms = 0;
  set_state (self, GESSO_WORKER_STARTING);
  schedule (self, 0);
}

/* A closed connection means quit; who does not is ended by on_timer_cb. */
void
gesso_supervisor_end (GessoSupervisor *self)
{
  g_return_if_fail (GESSO_IS_SUPERVISOR (self));
  if (self->closed)
    return;
  self->ending = TRUE;
  drop_client (self);
  if (self->process)
    {
      schedule (self, QUIT_MS);
      set_state (self, GESSO_WORKER_STARTING); /* it takes nothing any more */
      return;
    }
  g_clear_handle_id (&self->timer, g_source_remove);
  set_state (self, GESSO_WORKER_STOPPED);
}

GessoWorkerState
gesso_supervisor_get_state (GessoSupervisor *self)
{
  return self->state;
}

GessoWorkerClient *
gesso_supervisor_get_client (GessoSupervisor *self)
{
  return self->state == GESSO_WORKER_READY ? self->client : NULL;
}

void
gesso_supervisor_note_step (GessoSupervisor *self)
{
  self->n_deaths = 0;
}

/* The identifier goes when the process was waited for. */
static gboolean
wait_for_exit (GSubprocess *process, int limit_ms)
{
  enum
  {
    POLL_MS = 10
  };
  for (int waited = 0; waited < limit_ms && g_subprocess_get_identifier (process);
       waited += POLL_MS)
    g_usleep (POLL_MS * 1000);
  return !g_subprocess_get_identifier (process);
}

/* The answer to Quit comes after the running batch has parked. */
static void
end_process (GessoSupervisor *self)
{
  g_autoptr (GError) error = NULL;
  gboolean listens = self->state == GESSO_WORKER_READY;
  if (listens)
    gesso_worker_client_quit (self->client, QUIT_MS, &error);
  listens = listens && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  drop_client (self); /* a closed connection means quit, too */
  if (!listens || !wait_for_exit (self->process, QUIT_MS))
    {
      g_debug ("The worker is killed: %s", error ? error->message : "it does not end");
      g_subprocess_force_exit (self->process);
    }
  g_subprocess_wait (self->process, NULL, NULL);
}

void
gesso_supervisor_close (GessoSupervisor *self)
{
  g_return_if_fail (GESSO_IS_SUPERVISOR (self));
  if (self->closed)
    return;
  self->closed = TRUE;
  g_clear_handle_id (&self->timer, g_source_remove);
  if (self->process)
    end_process (self);
  g_clear_object (&self->process);
  g_clear_pointer (&self->log, gesso_worker_log_free);
}
