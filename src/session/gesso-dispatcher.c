/* SPDX-License-Identifier: MPL-2.0
 * gesso-dispatcher.c - which batch runs, and what becomes of it.
 */
#define G_LOG_DOMAIN "gesso-session"

#include "session/gesso-dispatcher-private.h"

#include <string.h>

G_DEFINE_FINAL_TYPE (GessoDispatcher, gesso_dispatcher, G_TYPE_OBJECT)

static void
active_free (Active *active)
{
  g_object_unref (active->job);
  g_clear_pointer (&active->batch, gesso_batch_free);
  g_free (active->name);
  g_free (active->journal);
  g_free (active);
}

/* ---- the end of a batch ---- */

typedef struct
{
  GessoDispatcher *self;
  gint64 id;
  GessoJobState state;
  char *code, *sentence;
  GessoJobRow *row; /* filled in by the transaction */
} Settlement;

static void
settlement_free (Settlement *s)
{
  g_object_unref (s->self);
  g_free (s->code);
  g_free (s->sentence);
  g_clear_pointer (&s->row, gesso_job_row_free);
  g_free (s);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Settlement, settlement_free)

static gboolean
write_settlement (sqlite3 *db, gpointer data, GError **error)
{
  Settlement *s = data;
  gint64 finished = gesso_job_state_is_ended (s->state) ? g_get_real_time () : 0;
  s->row = gesso_store_set_state (db, s->id, s->state, s->code, s->sentence, finished, error);
  return s->row != NULL;
}

void
gesso_dispatcher_clear_active (GessoDispatcher *self)
{
  gesso_queue_set_running (self->queue, NULL);
  gesso_forecast_set_running (self->forecast, NULL, -1);
  g_clear_pointer (&self->active, active_free);
}

static void
on_settled_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (Settlement) s = data;
  GessoDispatcher *self = s->self;
  g_autoptr (GError) error = NULL;
  gboolean ok = gesso_database_run_finish (GESSO_DATABASE (source), result, &error);
  if (self->closed)
    return;
  g_autoptr (GessoJob) job = g_object_ref (self->active->job);
  gesso_dispatcher_clear_active (self);
  if (ok)
    gesso_queue_apply_row (self->queue, s->row);
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    gesso_queue_drop_job (self->queue, s->id);
  else
    {
      gesso_job_set_state (job, GESSO_JOB_PARKED, 0);
      gesso_queue_stop (self->queue, error->message);
    }
  gesso_dispatcher_arrange (self);
}

/* The active batch is over, and this becomes of its job.  A job that was cancelled stays so, and
 * one whose last picture is on the disk stays done. */
void
gesso_dispatcher_settle (GessoDispatcher *self,
                         GessoJobState state,
                         const char *code,
                         const char *sentence)
{
  Settlement *s = g_new0 (Settlement, 1);
  *s = (Settlement){ .self = g_object_ref (self),
                     .id = gesso_job_get_id (self->active->job),
                     .state = state,
                     .code = g_strdup (code),
                     .sentence = g_strdup (sentence) };
  self->active->phase = PHASE_SETTLING;
  gesso_database_run_async (self->database, TRUE, write_settlement, s, NULL, NULL, on_settled_cb,
                            s);
}

/* Returns: whether the job's next batch follows at once */
gboolean
gesso_dispatcher_goes_on (GessoDispatcher *self, GessoJob *job)
{
  return !gesso_queue_get_paused (self->queue) && gesso_queue_peek_first (self->queue) == job &&
         !gesso_job_state_is_ended (gesso_job_get_state (job));
}

/* ---- the beginning of a batch ---- */

typedef struct
{
  GessoDispatcher *self;
  gint64 id;
  GessoBatch *batch;
} Beginning;

static void
beginning_free (Beginning *b)
{
  g_object_unref (b->self);
  g_clear_pointer (&b->batch, gesso_batch_free);
  g_free (b);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Beginning, beginning_free)

static gboolean
write_beginning (sqlite3 *db, gpointer data, GError **error)
{
  Beginning *b = data;
  GError *problem = NULL;
  b->batch = gesso_store_begin_batch (db, b->id, g_get_real_time (), &problem);
  if (problem)
    g_propagate_error (error, problem);
  return !problem; /* without a batch the job has ended meanwhile */
}

/* The worker's answer to Run, and whose it is. */
typedef struct
{
  GessoDispatcher *self;
  GessoWorkerClient *client;
  char *name;
} RunCall;

static void
run_call_free (RunCall *call)
{
  g_object_unref (call->self);
  g_object_unref (call->client);
  g_free (call->name);
  g_free (call);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RunCall, run_call_free)

/* Returns: NULL unless @name is the batch that runs */
Active *
gesso_dispatcher_find_batch (GessoDispatcher *self, const char *name)
{
  Active *active = self->active;
  return active && !self->closed && active->phase == PHASE_RUNNING &&
                 strcmp (active->name, name) == 0
             ? active
             : NULL;
}

static void
on_run_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (RunCall) call = data;
  g_autoptr (GError) error = NULL;
  gboolean ok = gesso_worker_client_run_finish (call->client, result, &error);
  Active *active = gesso_dispatcher_find_batch (call->self, call->name);
  if (!active || gesso_supervisor_get_client (call->self->supervisor) != call->client)
    return;
  if (ok)
    active->accepted = TRUE;
  else if (error->domain != G_IO_ERROR)
    gesso_dispatcher_settle (call->self, GESSO_JOB_FAILED, "argument", error->message);
  /* else the call did not get through, or came to a worker that was told to end: the end of the
   * worker is noticed, too */
}

static void
send_batch (GessoDispatcher *self, GessoWorkerClient *client)
{
  Active *active = self->active;
  active->name = g_strdup_printf ("%s-%" G_GINT64_FORMAT "-%d", self->name,
                                  gesso_job_get_id (active->job), active->batch->batch);
  active->journal = g_strdup_printf ("%s/%s.journal", self->journals_dir, active->name);
  active->phase = PHASE_RUNNING;
  gesso_batch_clock_start (&active->clock, g_get_monotonic_time ());
  RunCall *call = g_new (RunCall, 1);
  *call = (RunCall){ g_object_ref (self), g_object_ref (client), g_strdup (active->name) };
  gesso_worker_client_run (client, active->name, active->batch->recipe, active->journal,
                           active->batch->skip, on_run_cb, call);
}

static void
on_begun_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (Beginning) b = data;
  GessoDispatcher *self = b->self;
  g_autoptr (GError) error = NULL;
  gboolean ok = gesso_database_run_finish (GESSO_DATABASE (source), result, &error);
  if (self->closed)
    return;
  Active *active = self->active;
  if (!ok || !b->batch || b->batch->batch < 0)
    {
      gesso_dispatcher_clear_active (self);
      if (ok && b->batch)
        gesso_queue_apply_row (self->queue, b->batch->row);
      else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        gesso_queue_drop_job (self->queue, b->id);
      else if (error)
        gesso_queue_stop (self->queue, error->message);
      gesso_dispatcher_arrange (self);
      return;
    }
  active->batch = g_steal_pointer (&b->batch);
  gesso_job_set_failure (active->job, "", "");
  gesso_queue_apply_row (self->queue, active->batch->row);
  GessoWorkerClient *client = gesso_supervisor_get_client (self->supervisor);
  if (client && gesso_dispatcher_goes_on (self, active->job))
    send_batch (self, client);
  else
    gesso_dispatcher_settle (self, GESSO_JOB_PARKED, "", "");
}

static void
begin (GessoDispatcher *self, GessoJob *job)
{
  Beginning *b = g_new0 (Beginning, 1);
  self->had_work = TRUE;
  self->active = g_new0 (Active, 1);
  self->active->job = g_object_ref (job);
  gesso_queue_set_running (self->queue, job);
  *b = (Beginning){ g_object_ref (self), gesso_job_get_id (job), NULL };
  gesso_database_run_async (self->database, TRUE, write_beginning, b, NULL, NULL, on_begun_cb, b);
}

/* ---- arranging ---- */

/* What runs is parked or cancelled when the list says so. */
static void
check_active (GessoDispatcher *self, GessoWorkerClient *client)
{
  Active *active = self->active;
  if (active->phase != PHASE_RUNNING || !client || active->cancelling)
    return;
  if (gesso_job_state_is_ended (gesso_job_get_state (active->job)))
    {
      active->cancelling = TRUE;
      gesso_worker_client_cancel (client, active->name);
    }
  else if (!active->parking && !gesso_dispatcher_goes_on (self, active->job))
    {
      active->parking = TRUE;
      gesso_worker_client_park (client, active->name);
    }
}

void
gesso_dispatcher_arrange (GessoDispatcher *self)
{
  if (self->closed || !self->supervisor)
    return;
  GessoWorkerClient *client = gesso_supervisor_get_client (self->supervisor);
  GessoJob *first = gesso_queue_peek_first (self->queue);
  gesso_forecast_update_later (self->forecast);
  if (self->active)
    check_active (self, client);
  else if (!first && self->had_work)
    {
      self->had_work = FALSE;
      gesso_queue_emit_drained (self->queue);
    }
  else if (first && client && self->n_saving == 0 && !gesso_queue_get_paused (self->queue))
    begin (self, first);
  gesso_forecast_ask (self->forecast);
}

static void
on_queue_changed (gpointer data)
{
  gesso_dispatcher_arrange (data);
}

/* ---- the object ---- */

static void
gesso_dispatcher_dispose (GObject *object)
{
  GessoDispatcher *self = GESSO_DISPATCHER (object);
  gesso_dispatcher_close (self);
  g_clear_object (&self->forecast);
  g_clear_object (&self->queue);
  g_clear_object (&self->database);
  G_OBJECT_CLASS (gesso_dispatcher_parent_class)->dispose (object);
}

static void
gesso_dispatcher_finalize (GObject *object)
{
  GessoDispatcher *self = GESSO_DISPATCHER (object);
  g_clear_pointer (&self->active, active_free);
  g_free (self->journals_dir);
  g_free (self->name);
  G_OBJECT_CLASS (gesso_dispatcher_parent_class)->finalize (object);
}

static void
gesso_dispatcher_class_init (GessoDispatcherClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_dispatcher_dispose;
  G_OBJECT_CLASS (klass)->finalize = gesso_dispatcher_finalize;
}

static void
gesso_dispatcher_init (GessoDispatcher *self)
{
}

GessoDispatcher *
gesso_dispatcher_new (GessoQueue *queue,
                      GessoDatabase *database,
                      GessoResultWriter *writer,
                      GessoEta *eta,
                      const char *journals_dir,
                      const char *name)
{
  g_return_val_if_fail (GESSO_IS_QUEUE (queue) && GESSO_IS_DATABASE (database) && writer && eta,
                        NULL);
  GessoDispatcher *self = g_object_new (GESSO_TYPE_DISPATCHER, NULL);
  self->queue = g_object_ref (queue);
  self->database = g_object_ref (database);
  self->writer = writer;
  self->forecast = gesso_forecast_new (queue, database, eta);
  self->journals_dir = g_strdup (journals_dir);
  self->name = g_strdup (name);
  self->had_work = gesso_queue_peek_first (queue) != NULL;
  gesso_queue_set_watcher (queue, on_queue_changed, self);
  return self;
}

void
gesso_dispatcher_set_supervisor (GessoDispatcher *self, GessoSupervisor *supervisor)
{
  g_return_if_fail (GESSO_IS_DISPATCHER (self) && GESSO_IS_SUPERVISOR (supervisor));
  self->supervisor = supervisor;
  gesso_forecast_set_supervisor (self->forecast, supervisor);
}

void
gesso_dispatcher_worker_changed (GessoDispatcher *self)
{
  g_return_if_fail (GESSO_IS_DISPATCHER (self));
  gesso_dispatcher_arrange (self);
}

void
gesso_dispatcher_close (GessoDispatcher *self)
{
  g_return_if_fail (GESSO_IS_DISPATCHER (self));
  self->closed = TRUE;
  if (self->forecast)
    gesso_forecast_close (self->forecast);
  if (self->queue)
    gesso_queue_set_watcher (self->queue, NULL, NULL);
}
