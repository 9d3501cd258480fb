/* SPDX-License-Identifier: MPL-2.0
 * gesso-session.c - what the program knows without widgets, put together.
 */
#define G_LOG_DOMAIN "gesso-session"

#include "session/gesso-session.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "session/gesso-data-lock.h"
#include "session/gesso-disk.h"
#include "session/gesso-dispatcher.h"
#include "session/gesso-memory.h"
#include "session/gesso-plan-desk.h"
#include "session/gesso-queue-private.h"
#include "session/gesso-queue-store.h"
#include "session/gesso-recover.h"
#include "session/gesso-worker-log.h"

enum
{
  MAX_ENDED_SHOWN = 1000, /* jobs; older ones stay in the database */
  RESTART_DELAY_MS = 5000
};

struct _GessoSession
{
  GObject parent_instance;
  char *data_dir, *pictures_dir, *worker;
  int lock; /* -1 once closed */
  GessoDatabase *database;
  GessoQueue *queue;
  GessoMemory *memory;
  GessoEta *eta;
  GessoResultWriter *writer;
  GessoDispatcher *dispatcher;
  GessoWorkers *workers;
  char *devices; /* of the workers, as a text */
  GessoPlanDesk planner;
  GessoRecovery *recovery;
  gboolean closed;
};

G_DEFINE_FINAL_TYPE (GessoSession, gesso_session, G_TYPE_OBJECT)

enum
{
  PROP_WORKER_STATE = 1,
  PROP_DEVICE,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];
static guint signal_worker_died;

GType
gesso_worker_state_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { GESSO_WORKER_STARTING, "GESSO_WORKER_STARTING", "starting" },
    { GESSO_WORKER_READY, "GESSO_WORKER_READY", "ready" },
    { GESSO_WORKER_WAITING, "GESSO_WORKER_WAITING", "waiting" },
    { GESSO_WORKER_STOPPED, "GESSO_WORKER_STOPPED", "stopped" },
    { 0, NULL, NULL },
  };
  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GessoWorkerState", values));
  return (GType) type;
}

static void
gesso_session_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GessoSession *self = GESSO_SESSION (object);
  switch (id)
    {
    case PROP_WORKER_STATE:
      return g_value_set_enum (value, (int) gesso_session_get_worker_state (self));
    case PROP_DEVICE:
      return g_value_set_string (value, gesso_session_get_device (self));
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gesso_session_dispose (GObject *object)
{
  GessoSession *self = GESSO_SESSION (object);
  gesso_session_close (self);
  g_clear_object (&self->queue);
  G_OBJECT_CLASS (gesso_session_parent_class)->dispose (object);
}

static void
gesso_session_finalize (GObject *object)
{
  GessoSession *self = GESSO_SESSION (object);
  g_clear_pointer (&self->memory, gesso_memory_free);
  g_clear_pointer (&self->eta, gesso_eta_free);
  g_free (self->data_dir);
  g_free (self->pictures_dir);
  g_free (self->worker);
  g_free (self->devices);
  G_OBJECT_CLASS (gesso_session_parent_class)->finalize (object);
}

static void
gesso_session_class_init (GessoSessionClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->get_property = gesso_session_get_property;
  object_class->dispose = gesso_session_dispose;
  object_class->finalize = gesso_session_finalize;
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  properties[PROP_WORKER_STATE] = g_param_spec_enum (
      "worker-state", NULL, NULL, GESSO_TYPE_WORKER_STATE, GESSO_WORKER_STARTING, flags);
  properties[PROP_DEVICE] = g_param_spec_string ("device", NULL, NULL, "", flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  signal_worker_died = g_signal_new ("worker-died", GESSO_TYPE_SESSION, G_SIGNAL_RUN_LAST, 0, NULL,
                                     NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
gesso_session_init (GessoSession *self)
{
  self->lock = -1;
}

/* ---- the workers ---- */

static void
on_workers_changed (gpointer data)
{
  GessoSession *self = data;
  if (self->closed)
    return;
  g_free (self->devices);
  self->devices = gesso_workers_dup_devices (self->workers);
  gesso_dispatcher_workers_changed (self->dispatcher);
  gesso_plan_desk_worker_changed (&self->planner);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_WORKER_STATE]);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_DEVICE]);
}

static void
on_worker_died (gpointer data, int number, const char *sentence)
{
  GessoSession *self = data;
  if (self->closed)
    return;
  gesso_dispatcher_worker_died (self->dispatcher, number, sentence);
  g_signal_emit (self, signal_worker_died, 0, sentence);
}

/* Beside this program when installed; in the neighbouring folder of the build tree. */
static char *
find_worker (const char *given)
{
  static const char *const relative[] = { "gesso-worker", "../worker/gesso-worker",
                                          "../../src/worker/gesso-worker" };
  if (given)
    return g_strdup (given);
  g_autofree char *exe = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = g_path_get_dirname (exe ? exe : ".");
  for (guint i = 0; i < G_N_ELEMENTS (relative); i++)
    {
      g_autofree char *path = g_build_filename (folder, relative[i], NULL);
      if (g_file_test (path, G_FILE_TEST_IS_REGULAR)) /* or the reason is said when it is started */
        return g_canonicalize_filename (path, NULL);
    }
  char *found = g_find_program_in_path ("gesso-worker");
  return found ? found : g_strdup ("gesso-worker");
}

/* ---- opening ---- */

/* What is read from the database at the start. */
typedef struct
{
  GessoSession *session;
  GPtrArray *rows;
  gboolean paused;
  char *name;
  GHashTable *jobs; /* gint64: those whose journals are kept */
} Start;

static gboolean
load_kept_jobs (sqlite3 *db, Start *start, GError **error)
{
  sqlite3_stmt *s = gesso_sql_prepare (db, "SELECT id FROM jobs WHERE state != 'done'", error);
  gboolean row;
  while (s && gesso_sql_step (s, &row, error))
    {
      if (!row)
        return TRUE;
      gint64 id = sqlite3_column_int64 (s, 0);
      g_hash_table_add (start->jobs, g_memdup2 (&id, sizeof id));
    }
  return FALSE;
}

static gboolean
load (sqlite3 *db, gpointer data, GError **error)
{
  Start *start = data;
  GessoSession *self = start->session;
  g_autofree char *paused = gesso_store_dup_setting (db, "paused", error);
  start->paused = g_strcmp0 (paused, "1") == 0;
  start->name = paused ? gesso_store_dup_setting (db, "name", error) : NULL;
  return start->name && gesso_store_recover (db, error) &&
         gesso_store_load (db, MAX_ENDED_SHOWN, start->rows, error) &&
         gesso_memory_load (self->memory, db, error) && gesso_eta_load (self->eta, db, error) &&
         load_kept_jobs (db, start, error);
}

static gboolean
is_kept (gpointer data, gint64 job)
{
  return g_hash_table_contains (data, &job);
}

static gboolean
open_database (GessoSession *self, GError **error)
{
  g_autofree char *path = g_build_filename (self->data_dir, "session.db", NULL);
  self->database = gesso_database_new (path, GESSO_DATABASE_DURABLE, gesso_store_migrations,
                                       gesso_store_n_migrations, error);
  return self->database != NULL;
}

static void
connect_parts (GessoSession *self, const Start *start, const GessoSessionOptions *options)
{
  static const GessoWorkersEvents events = { on_workers_changed, on_worker_died };
  g_autofree char *journals = g_build_filename (self->data_dir, "journals", NULL);
  self->worker = find_worker (options->worker);
  int delay_ms = options->restart_delay_ms > 0 ? options->restart_delay_ms : RESTART_DELAY_MS;
  g_mkdir_with_parents (journals, 0700);
  gesso_disk_sweep_journals (journals, start->name, is_kept, start->jobs);
  gesso_worker_sweep (self->data_dir);
  self->queue = gesso_queue_new (self->database, start->rows, start->paused);
  self->writer = gesso_result_writer_new (self->database, self->pictures_dir);
  self->dispatcher = gesso_dispatcher_new (self->queue, self->database, self->writer, self->eta,
                                           journals, start->name);
  self->workers = gesso_workers_new (self->worker, self->data_dir, delay_ms, &events, self,
                                     gesso_dispatcher_get_events (), self->dispatcher);
  gesso_dispatcher_set_workers (self->dispatcher, self->workers);
  self->planner = (GessoPlanDesk){ .workers = self->workers, .eta = self->eta };
  gesso_workers_set_vram_limit (self->workers, options->vram_limit_mib);
  gesso_workers_set_backends (self->workers, options->backends);
}

static void
take_recovered (GessoSession *self, const GessoJobRow *row)
{
  GessoJob *job = gesso_queue_find (self->queue, row->id);
  if (!job)
    return;
  gesso_job_add_picture (job, row->last_picture, row->n_done);
  gesso_queue_apply_row (self->queue, row);
}

/* Jobs wait until it is known which of their pictures are there. */
static void
on_recovered (const GPtrArray *rows, const GError *error, gpointer data)
{
  GessoSession *self = data;
  for (guint i = 0; i < rows->len; i++)
    take_recovered (self, g_ptr_array_index (rows, i));
  if (error)
    gesso_queue_stop (self->queue, error->message);
  gesso_dispatcher_begin (self->dispatcher);
}

static char *
default_pictures_dir (void)
{
  const char *pictures = g_get_user_special_dir (G_USER_DIRECTORY_PICTURES);
  return pictures ? g_build_filename (pictures, "Gesso", NULL)
                  : g_build_filename (g_get_home_dir (), "Pictures", "Gesso", NULL);
}

static char *
pictures_dir (const char *given)
{
  return given ? g_canonicalize_filename (given, NULL) : default_pictures_dir ();
}

static gboolean
open_session (GessoSession *self, const GessoSessionOptions *options, GError **error)
{
  self->lock = gesso_data_lock_take (self->data_dir, error);
  if (self->lock < 0 || !open_database (self, error))
    return FALSE;
  self->memory = gesso_memory_new (self->database);
  self->eta = gesso_eta_new ();
  Start start = { .session = self,
                  .rows = g_ptr_array_new_with_free_func ((GDestroyNotify) gesso_job_row_free),
                  .jobs = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL) };
  gboolean ok = gesso_database_run (self->database, TRUE, load, &start, error);
  if (ok)
    {
      connect_parts (self, &start, options);
      self->recovery = gesso_recovery_new (self->database, on_recovered, self);
    }
  g_ptr_array_unref (start.rows);
  g_hash_table_unref (start.jobs);
  g_free (start.name);
  return ok;
}

GessoSession *
gesso_session_new (const GessoSessionOptions *options, GError **error)
{
  static const GessoSessionOptions defaults = { 0 };
  g_autoptr (GessoSession) self = g_object_new (GESSO_TYPE_SESSION, NULL);
  if (!options)
    options = &defaults;
  /* the worker has another working folder in mind: absolute paths only */
  self->data_dir = options->data_dir ? g_canonicalize_filename (options->data_dir, NULL)
                                     : g_build_filename (g_get_user_data_dir (), "gesso", NULL);
  self->pictures_dir = pictures_dir (options->pictures_dir);
  return open_session (self, options, error) ? g_steal_pointer (&self) : NULL;
}

/* The order matters: nothing begins any more, the workers park, pictures that came are written,
 * then the database, then others may have the folder. */
void
gesso_session_close (GessoSession *self)
{
  g_return_if_fail (GESSO_IS_SESSION (self));
  if (self->closed)
    return;
  self->closed = TRUE;
  if (self->workers)
    gesso_plan_desk_close (&self->planner);
  if (self->dispatcher)
    gesso_dispatcher_close (self->dispatcher);
  if (self->workers)
    gesso_workers_close (self->workers);
  g_clear_pointer (&self->writer, gesso_result_writer_free);
  g_clear_pointer (&self->recovery, gesso_recovery_free);
  if (self->database)
    gesso_database_flush (self->database);
  g_clear_object (&self->dispatcher);
  g_clear_object (&self->workers);
  g_clear_object (&self->database);
  if (self->lock >= 0)
    close (self->lock);
  self->lock = -1;
}

/* ---- public ---- */

GessoQueue *
gesso_session_get_queue (GessoSession *self)
{
  g_return_val_if_fail (GESSO_IS_SESSION (self), NULL);
  return self->queue;
}

const char *
gesso_session_get_pictures_dir (GessoSession *self)
{
  g_return_val_if_fail (GESSO_IS_SESSION (self), NULL);
  return self->pictures_dir;
}

void
gesso_session_set_pictures_dir (GessoSession *self, const char *path)
{
  g_return_if_fail (GESSO_IS_SESSION (self));
  g_free (self->pictures_dir);
  self->pictures_dir = pictures_dir (path);
  if (self->writer)
    gesso_result_writer_set_folder (self->writer, self->pictures_dir);
}

const char *
gesso_session_get_data_dir (GessoSession *self)
{
  g_return_val_if_fail (GESSO_IS_SESSION (self), NULL);
  return self->data_dir;
}

const char *
gesso_session_get_device (GessoSession *self)
{
  g_return_val_if_fail (GESSO_IS_SESSION (self), "");
  return self->devices ? self->devices : "";
}

void
gesso_session_list_devices_async (GessoSession *self,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data)
{
  g_return_if_fail (GESSO_IS_SESSION (self));
  gesso_devices_list_async (self->worker, cancellable, callback, user_data);
}

GPtrArray *
gesso_session_list_devices_finish (GAsyncResult *result, GError **error)
{
  return gesso_devices_list_finish (result, error);
}

void
gesso_session_set_backends (GessoSession *self, const char *backends)
{
  g_return_if_fail (GESSO_IS_SESSION (self));
  if (self->workers)
    gesso_workers_set_backends (self->workers, backends);
}

GessoWorkerState
gesso_session_get_worker_state (GessoSession *self)
{
  g_return_val_if_fail (GESSO_IS_SESSION (self), GESSO_WORKER_STOPPED);
  return self->workers ? gesso_workers_get_state (self->workers) : GESSO_WORKER_STOPPED;
}

GessoWorkerState
gesso_session_get_worst_worker_state (GessoSession *self)
{
  g_return_val_if_fail (GESSO_IS_SESSION (self), GESSO_WORKER_STOPPED);
  return self->workers ? gesso_workers_get_worst_state (self->workers) : GESSO_WORKER_STOPPED;
}

void
gesso_session_restart_worker (GessoSession *self)
{
  g_return_if_fail (GESSO_IS_SESSION (self));
  if (self->workers)
    gesso_workers_restart (self->workers);
}

void
gesso_session_set_vram_limit (GessoSession *self, int limit_mib)
{
  g_return_if_fail (GESSO_IS_SESSION (self) && limit_mib >= 0);
  if (self->workers)
    gesso_workers_set_vram_limit (self->workers, limit_mib);
}

gboolean
gesso_session_offers_cpu (GessoSession *self)
{
  g_return_val_if_fail (GESSO_IS_SESSION (self), FALSE);
  return self->workers && gesso_workers_count (self->workers, TRUE) == 0 &&
         gesso_workers_have_card (self->workers);
}

void
gesso_session_use_cpu (GessoSession *self)
{
  gesso_session_set_backends (self, "cpu");
}

void
gesso_session_plan_async (GessoSession *self,
                          const char *recipe,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_return_if_fail (GESSO_IS_SESSION (self) && recipe);
  if (!self->closed)
    gesso_plan_desk_ask (&self->planner, self, recipe, cancellable, callback, user_data);
  else
    g_task_report_new_error (self, callback, user_data, gesso_session_plan_async, G_IO_ERROR,
                             G_IO_ERROR_CLOSED, "%s", _ ("The session is closed."));
}

GessoPlan *
gesso_session_plan_finish (GessoSession *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

void
gesso_session_remember_prompt (GessoSession *self, const char *prompt, const char *negative)
{
  g_return_if_fail (GESSO_IS_SESSION (self) && prompt);
  gesso_memory_add_prompt (self->memory, prompt, negative);
}

char **
gesso_session_dup_prompts (GessoSession *self, guint max)
{
  g_return_val_if_fail (GESSO_IS_SESSION (self), NULL);
  return gesso_memory_dup_prompts (self->memory, max);
}

GPtrArray *
gesso_session_get_styles (GessoSession *self)
{
  g_return_val_if_fail (GESSO_IS_SESSION (self), NULL);
  return gesso_memory_get_styles (self->memory);
}

void
gesso_session_save_style (GessoSession *self,
                          const char *name,
                          const char *prompt,
                          const char *negative)
{
  g_return_if_fail (GESSO_IS_SESSION (self) && name && prompt);
  gesso_memory_save_style (self->memory, name, prompt, negative ? negative : "");
}

void
gesso_session_delete_style (GessoSession *self, const char *name)
{
  g_return_if_fail (GESSO_IS_SESSION (self) && name);
  gesso_memory_delete_style (self->memory, name);
}

void
gesso_session_keep_draft (GessoSession *self, const char *key, GBytes *value)
{
  g_return_if_fail (GESSO_IS_SESSION (self) && key);
  gesso_memory_keep_draft (self->memory, key, value);
}

GBytes *
gesso_session_dup_draft (GessoSession *self, const char *key)
{
  g_return_val_if_fail (GESSO_IS_SESSION (self) && key, NULL);
  return gesso_memory_dup_draft (self->memory, key);
}
