/* SPDX-License-Identifier: MPL-2.0
 * gesso-forecast.c - when each job of the queue will be done.
 */
#include "session/gesso-forecast.h"

#include <string.h>

enum
{
  DELAY_MS = 200
};

struct _GessoForecast
{
  GObject parent_instance;
  GessoQueue *queue;
  GessoDatabase *database;
  GessoEta *eta;
  GessoSupervisor *supervisor;
  GessoJob *running; /* borrowed: the dispatcher's */
  double left;
  guint timer;
  GHashTable *asked; /* work keys that the worker was asked to estimate */
  gboolean asking;   /* one at a time */
  gboolean closed;
};

G_DEFINE_FINAL_TYPE (GessoForecast, gesso_forecast, G_TYPE_OBJECT)

static void
gesso_forecast_dispose (GObject *object)
{
  GessoForecast *self = GESSO_FORECAST (object);
  gesso_forecast_close (self);
  g_clear_object (&self->queue);
  g_clear_object (&self->database);
  G_OBJECT_CLASS (gesso_forecast_parent_class)->dispose (object);
}

static void
gesso_forecast_finalize (GObject *object)
{
  g_hash_table_unref (GESSO_FORECAST (object)->asked);
  G_OBJECT_CLASS (gesso_forecast_parent_class)->finalize (object);
}

static void
gesso_forecast_class_init (GessoForecastClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_forecast_dispose;
  G_OBJECT_CLASS (klass)->finalize = gesso_forecast_finalize;
}

static void
gesso_forecast_init (GessoForecast *self)
{
  self->asked = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->left = -1;
}

GessoForecast *
gesso_forecast_new (GessoQueue *queue, GessoDatabase *database, GessoEta *eta)
{
  g_return_val_if_fail (GESSO_IS_QUEUE (queue) && GESSO_IS_DATABASE (database) && eta, NULL);
  GessoForecast *self = g_object_new (GESSO_TYPE_FORECAST, NULL);
  self->queue = g_object_ref (queue);
  self->database = g_object_ref (database);
  self->eta = eta;
  return self;
}

void
gesso_forecast_set_supervisor (GessoForecast *self, GessoSupervisor *supervisor)
{
  self->supervisor = supervisor;
}

void
gesso_forecast_set_running (GessoForecast *self, GessoJob *job, double left)
{
  self->running = job;
  self->left = left;
}

void
gesso_forecast_close (GessoForecast *self)
{
  self->closed = TRUE;
  g_clear_handle_id (&self->timer, g_source_remove);
}

static const char *
device_of (GessoForecast *self)
{
  GessoWorkerClient *client =
      self->supervisor ? gesso_supervisor_get_client (self->supervisor) : NULL;
  return client ? gesso_worker_client_get_device (client) : "";
}

static GessoWork
work_of (GessoJob *job)
{
  const GessoJobRow *row = gesso_job_peek_row (job);
  return (GessoWork){ row->work, row->steps, row->n_pictures / MAX (row->batch_size, 1) };
}

/* Seconds until @job is done once it runs; -1 when not known. */
static double
job_seconds (GessoForecast *self, GessoJob *job, double batch)
{
  const GessoJobRow *row = gesso_job_peek_row (job);
  const int size = MAX (row->batch_size, 1);
  const int n_after = row->n_pictures / size - row->n_done / size - 1;
  return gesso_eta_job (batch, self->running == job ? self->left : -1,
                        gesso_job_get_batch_fraction (job), MAX (n_after, 0));
}

static gboolean
update_cb (gpointer data)
{
  GessoForecast *self = data;
  const GPtrArray *live = gesso_queue_peek_live (self->queue);
  const char *device = device_of (self);
  const char *last_key = "";
  int last_steps = -1;
  double sum = 0, batch = -1;
  self->timer = 0;
  for (guint i = 0; i < live->len; i++)
    {
      GessoJob *job = g_ptr_array_index (live, i);
      const GessoWork work = work_of (job);
      if (work.steps != last_steps || strcmp (work.key, last_key) != 0)
        batch = gesso_eta_batch (self->eta, device, &work);
      last_key = work.key;
      last_steps = work.steps;
      double seconds = job_seconds (self, job, batch);
      gesso_job_set_eta (job, seconds, sum);
      sum = sum < 0 || seconds < 0 ? -1 : sum + seconds;
    }
  gesso_queue_set_eta (self->queue, live->len > 0 ? sum : -1);
  gesso_queue_notify_fraction (self->queue);
  return G_SOURCE_REMOVE;
}

void
gesso_forecast_update_later (GessoForecast *self)
{
  g_return_if_fail (GESSO_IS_FORECAST (self));
  if (gesso_queue_get_n_waiting (self->queue) == 0)
    gesso_queue_set_eta (self->queue, -1);
  if (self->timer == 0 && !self->closed)
    self->timer = g_timeout_add (DELAY_MS, update_cb, self);
}

/* A question about one job, so that its kind has an estimate before it was ever measured. */
typedef struct
{
  GessoForecast *self;
  GessoWorkerClient *client;
  char *key, *device;
  int steps, batch_count;
} Question;

static void
question_free (Question *question)
{
  g_object_unref (question->self);
  g_object_unref (question->client);
  g_free (question->key);
  g_free (question->device);
  g_free (question);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Question, question_free)

static void
on_estimated_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (Question) question = data;
  GessoForecast *self = question->self;
  self->asking = FALSE;
  if (self->closed)
    return;
  g_autoptr (GVariant) plan = gesso_worker_client_plan_finish (question->client, result, NULL);
  double seconds = 0;
  if (plan && g_variant_lookup (plan, "seconds", "d", &seconds))
    {
      const GessoWork work = { question->key, question->steps, question->batch_count };
      gesso_eta_suggest (self->eta, question->device, &work, seconds);
      gesso_forecast_update_later (self);
    }
  gesso_forecast_ask (self);
}

void
gesso_forecast_ask (GessoForecast *self)
{
  g_return_if_fail (GESSO_IS_FORECAST (self));
  GessoWorkerClient *client =
      self->supervisor ? gesso_supervisor_get_client (self->supervisor) : NULL;
  const GPtrArray *live = gesso_queue_peek_live (self->queue);
  for (guint i = 0; client && i < live->len && !self->asking && !self->closed; i++)
    {
      GessoJob *job = g_ptr_array_index (live, i);
      const GessoWork work = work_of (job);
      if (!g_hash_table_add (self->asked, g_strdup (work.key)) ||
          gesso_eta_batch (self->eta, device_of (self), &work) >= 0)
        continue;
      Question *question = g_new (Question, 1);
      *question = (Question){ g_object_ref (self), g_object_ref (client),
                              g_strdup (work.key), g_strdup (device_of (self)),
                              work.steps,          work.batch_count };
      self->asking = TRUE;
      gesso_worker_client_plan (client, gesso_job_get_recipe (job), NULL, on_estimated_cb,
                                question);
    }
}

typedef struct
{
  char *device, *key;
  GessoTimes times;
} Measured;

static void
measured_free (gpointer data)
{
  Measured *measured = data;
  g_free (measured->device);
  g_free (measured->key);
  g_free (measured);
}

static gboolean
write_measured (sqlite3 *db, gpointer data, GError **error)
{
  Measured *m = data;
  return gesso_eta_store (db, m->device, m->key, &m->times, error);
}

void
gesso_forecast_learn (GessoForecast *self, GessoJob *job, const GessoBatchClock *clock)
{
  g_return_if_fail (GESSO_IS_FORECAST (self) && GESSO_IS_JOB (job));
  const GessoWork work = work_of (job);
  double step, rest;
  int n_steps;
  GessoTimes times;
  if (!gesso_batch_clock_get (clock, &step, &rest, &n_steps) ||
      !gesso_eta_observe (self->eta, device_of (self), &work, step, rest, n_steps, &times))
    return;
  Measured *measured = g_new (Measured, 1);
  *measured = (Measured){ g_strdup (device_of (self)), g_strdup (work.key), times };
  gesso_database_run_async (self->database, TRUE, write_measured, measured, measured_free, NULL,
                            NULL, NULL);
}
