/* SPDX-License-Identifier: MPL-2.0
 * gesso-dispatcher.c - which batches run, and what becomes of them.
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
  int worker;
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

static void
clear_active (GessoDispatcher *self, int worker)
{
  gesso_queue_unset_running (self->queue, self->active[worker]->job);
  gesso_forecast_set_running (self->forecast, worker, NULL, -1);
  g_clear_pointer (&self->active[worker], active_free);
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
  g_autoptr (GessoJob) job = g_object_ref (self->active[s->worker]->job);
  clear_active (self, s->worker);
  if (ok)
    gesso_queue_apply_row (self->queue, s->row);
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    gesso_queue_drop_job (self->queue, s->id);
  else
    {
      gesso_job_set_state (job, GESSO_JOB_PARKED, 0);
      gesso_queue_stop (self->queue, error->message);
    }
  if (gesso_job_state_is_ended (gesso_job_get_state (job)))
    g_hash_table_remove (self->records, &s->id);
  gesso_dispatcher_arrange (self);
}

void
gesso_dispatcher_settle (GessoDispatcher *self,
                         Active *active,
                         GessoJobState state,
                         const char *code,
                         const char *sentence)
{
  Settlement *s = g_new0 (Settlement, 1);
  *s = (Settlement){ .self = g_object_ref (self),
                     .worker = active->worker,
                     .id = gesso_job_get_id (active->job),
                     .state = state,
                     .code = g_strdup (code),
                     .sentence = g_strdup (sentence) };
  active->phase = PHASE_SETTLING;
  gesso_database_run_async (self->database, TRUE, write_settlement, s, NULL, NULL, on_settled_cb,
                            s);
}

/* ---- which job is for which worker ---- */

Record *
gesso_dispatcher_get_record (GessoDispatcher *self, GessoJob *job)
{
  const gint64 id = gesso_job_get_id (job);
  Record *record = g_hash_table_lookup (self->records, &id);
  if (record)
    return record;
  record = g_new0 (Record, 1);
  record->job = id;
  g_hash_table_insert (self->records, &record->job, record);
  return record;
}

gboolean
gesso_dispatcher_has_other (GessoDispatcher *self, GessoJob *job, int worker)
{
  const Record *record = gesso_dispatcher_get_record (self, job);
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    if (i != worker && !(record->too_small & 1u << i) && gesso_workers_is_alive (self->workers, i))
      return TRUE;
  return FALSE;
}

/* It was too large for the worker's device, and there is another one. */
static gboolean
is_for_others (GessoDispatcher *self, GessoJob *job, int worker)
{
  const gint64 id = gesso_job_get_id (job);
  const Record *record = g_hash_table_lookup (self->records, &id);
  return record && record->too_small & 1u << worker &&
         gesso_dispatcher_has_other (self, job, worker);
}

/* Is @job one of the first @n that are for this worker? */
static gboolean
is_in_front (GessoDispatcher *self, GessoJob *job, int worker, int n)
{
  const GPtrArray *live = gesso_queue_peek_live (self->queue);
  for (guint i = 0; i < live->len && n > 0; i++)
    if (g_ptr_array_index (live, i) == job)
      return TRUE;
    else
      n -= !is_for_others (self, g_ptr_array_index (live, i), worker);
  return FALSE;
}

gboolean
gesso_dispatcher_goes_on (GessoDispatcher *self, const Active *active)
{
  return !gesso_queue_get_paused (self->queue) &&
         gesso_workers_takes_batches (self->workers, active->worker) &&
         is_in_front (self, active->job, active->worker,
                      gesso_workers_count (self->workers, TRUE)) &&
         !gesso_job_state_is_ended (gesso_job_get_state (active->job));
}

/* Only for a job that stands before it, a pause, or a worker that is to go. */
static gboolean
must_park (GessoDispatcher *self, const Active *active)
{
  return gesso_queue_get_paused (self->queue) ||
         !gesso_workers_stays (self->workers, active->worker) ||
         !is_in_front (self, active->job, active->worker,
                       gesso_workers_count (self->workers, FALSE));
}

gboolean
gesso_dispatcher_is_saving (GessoDispatcher *self, GessoJob *job)
{
  return g_ptr_array_find (self->saving, job, NULL);
}

static gboolean
is_active (GessoDispatcher *self, GessoJob *job)
{
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    if (self->active[i] && self->active[i]->job == job)
      return TRUE;
  return FALSE;
}

/* Returns: NULL when nothing is for the worker now */
static GessoJob *
next_for (GessoDispatcher *self, int worker)
{
  const GPtrArray *live = gesso_queue_peek_live (self->queue);
  int n = gesso_workers_count (self->workers, FALSE);
  for (guint i = 0; i < live->len && n > 0; i++)
    {
      GessoJob *job = g_ptr_array_index (live, i);
      if (is_for_others (self, job, worker))
        continue;
      if (!is_active (self, job) && !gesso_dispatcher_is_saving (self, job))
        return job;
      n--;
    }
  return NULL;
}

/* ---- the beginning of a batch ---- */

typedef struct
{
  GessoDispatcher *self;
  int worker;
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

Active *
gesso_dispatcher_find_batch (GessoDispatcher *self, const char *name)
{
  for (int i = 0; i < GESSO_MAX_WORKERS && !self->closed; i++)
    {
      Active *active = self->active[i];
      if (active && active->phase == PHASE_RUNNING && strcmp (active->name, name) == 0)
        return active;
    }
  return NULL;
}

static void
on_run_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (RunCall) call = data;
  g_autoptr (GError) error = NULL;
  gboolean ok = gesso_worker_client_run_finish (call->client, result, &error);
  Active *active = gesso_dispatcher_find_batch (call->self, call->name);
  if (!active || gesso_workers_get_client (call->self->workers, active->worker) != call->client)
    return;
  if (ok)
    active->accepted = TRUE;
  else if (error->domain != G_IO_ERROR)
    gesso_dispatcher_settle (call->self, active, GESSO_JOB_FAILED, "argument", error->message);
  /* else the call did not get through, or came to a worker that was told to end: the end of the
   * worker is noticed, too */
}

static void
send_batch (GessoDispatcher *self, Active *active, GessoWorkerClient *client)
{
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
  Active *active = self->active[b->worker];
  if (!ok || !b->batch || b->batch->batch < 0)
    {
      clear_active (self, b->worker);
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
  GessoWorkerClient *client = gesso_workers_get_client (self->workers, b->worker);
  if (client && gesso_workers_takes_batches (self->workers, b->worker) &&
      !must_park (self, active) && !gesso_job_state_is_ended (gesso_job_get_state (active->job)))
    send_batch (self, active, client);
  else
    gesso_dispatcher_settle (self, active, GESSO_JOB_PARKED, "", "");
}

static void
begin (GessoDispatcher *self, int worker, GessoJob *job)
{
  Beginning *b = g_new0 (Beginning, 1);
  self->had_work = TRUE;
  self->active[worker] = g_new0 (Active, 1);
  self->active[worker]->worker = worker;
  self->active[worker]->job = g_object_ref (job);
  gesso_queue_set_running (self->queue, job);
  *b = (Beginning){ g_object_ref (self), worker, gesso_job_get_id (job), NULL };
  gesso_database_run_async (self->database, TRUE, write_beginning, b, NULL, NULL, on_begun_cb, b);
}

void
gesso_dispatcher_begin_next (GessoDispatcher *self, Active *active)
{
  g_autoptr (GessoJob) job = g_object_ref (active->job);
  const int worker = active->worker;
  gesso_forecast_set_running (self->forecast, worker, NULL, -1);
  g_clear_pointer (&self->active[worker], active_free);
  begin (self, worker, job);
}

/* ---- arranging ---- */

/* What runs is parked or cancelled when the list says so. */
static void
check_active (GessoDispatcher *self, Active *active)
{
  GessoWorkerClient *client = gesso_workers_get_client (self->workers, active->worker);
  if (active->phase != PHASE_RUNNING || !client || active->cancelling)
    return;
  if (gesso_job_state_is_ended (gesso_job_get_state (active->job)))
    {
      active->cancelling = TRUE;
      gesso_worker_client_cancel (client, active->name);
    }
  else if (!active->parking && must_park (self, active))
    {
      active->parking = TRUE;
      gesso_worker_client_park (client, active->name);
    }
}

/* The worker has nothing to do. */
static void
give_work (GessoDispatcher *self, int worker)
{
  GessoJob *job = NULL;
  if (!gesso_workers_takes_batches (self->workers, worker))
    gesso_workers_note_idle (self->workers, worker);
  else if (!gesso_queue_get_paused (self->queue) &&
           gesso_workers_get_client (self->workers, worker))
    job = next_for (self, worker);
  if (job)
    begin (self, worker, job);
}

static gboolean
is_busy (GessoDispatcher *self)
{
  gboolean busy = FALSE;
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    busy |= self->active[i] != NULL;
  return busy;
}

void
gesso_dispatcher_arrange (GessoDispatcher *self)
{
  if (self->closed || !self->begun || !self->workers)
    return;
  gesso_forecast_update_later (self->forecast);
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    if (self->active[i])
      check_active (self, self->active[i]);
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    if (!self->active[i])
      give_work (self, i);
  if (self->had_work && !gesso_queue_peek_first (self->queue) && !is_busy (self))
    {
      self->had_work = FALSE;
      gesso_queue_emit_drained (self->queue);
    }
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
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    g_clear_pointer (&self->active[i], active_free);
  g_hash_table_unref (self->records);
  g_ptr_array_unref (self->saving);
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
  self->records = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, g_free);
  self->saving = g_ptr_array_new ();
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
gesso_dispatcher_set_workers (GessoDispatcher *self, GessoWorkers *workers)
{
  g_return_if_fail (GESSO_IS_DISPATCHER (self) && GESSO_IS_WORKERS (workers));
  self->workers = workers;
  gesso_forecast_set_workers (self->forecast, workers);
}

void
gesso_dispatcher_begin (GessoDispatcher *self)
{
  g_return_if_fail (GESSO_IS_DISPATCHER (self));
  self->begun = TRUE;
  gesso_dispatcher_arrange (self);
}

void
gesso_dispatcher_workers_changed (GessoDispatcher *self)
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
