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
  GessoWorkers *workers;
  struct
  {
    GessoJob *job; /* borrowed: the dispatcher's */
    double left;
  } running[GESSO_MAX_WORKERS];
  guint timer;
  GHashTable *asked; /* "device|key" of work that a worker was asked to estimate */
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
gesso_forecast_set_workers (GessoForecast *self, GessoWorkers *workers)
{
  self->workers = workers;
}

void
gesso_forecast_set_running (GessoForecast *self, int number, GessoJob *job, double left)
{
  self->running[number].job = job;
  self->running[number].left = left;
}

void
gesso_forecast_close (GessoForecast *self)
{
  self->closed = TRUE;
  g_clear_handle_id (&self->timer, g_source_remove);
}

static GessoWorkerClient *
client_of (GessoForecast *self, int number)
{
  return self->workers ? gesso_workers_get_client (self->workers, number) : NULL;
}

static const char *
device_of (GessoForecast *self, int number)
{
  GessoWorkerClient *client = client_of (self, number);
  return client ? gesso_worker_client_get_device (client) : "";
}

static GessoWork
work_of (GessoJob *job)
{
  const GessoJobRow *row = gesso_job_peek_row (job);
  return (GessoWork){ row->work, row->steps, row->n_pictures / MAX (row->batch_size, 1) };
}

/* When each worker is free, in seconds from now; -1 when not known. */
typedef struct
{
  int n, numbers[GESSO_MAX_WORKERS];
  double free_at[GESSO_MAX_WORKERS]; /* by number, and so is what was looked up last: */
  struct
  {
    const char *key; /* NULL: nothing yet */
    int steps;
    double batch;
  } last[GESSO_MAX_WORKERS];
} Timetable;

/* A grid is a thousand jobs of one kind. */
static double
batch_seconds (GessoForecast *self, Timetable *table, int number, const GessoWork *work)
{
  if (g_strcmp0 (table->last[number].key, work->key) != 0 ||
      table->last[number].steps != work->steps)
    {
      table->last[number].key = work->key;
      table->last[number].steps = work->steps;
      table->last[number].batch = gesso_eta_batch (self->eta, device_of (self, number), work);
    }
  return table->last[number].batch;
}

/* Seconds until @job is done once it runs; -1 when not known.  @left: of its batch, or -1 */
static double
job_seconds (GessoForecast *self, Timetable *table, int number, GessoJob *job, double left)
{
  const GessoJobRow *row = gesso_job_peek_row (job);
  const GessoWork work = work_of (job);
  const int size = MAX (row->batch_size, 1);
  const int n_after = row->n_pictures / size - row->n_done / size - 1;
  return gesso_eta_job (batch_seconds (self, table, number, &work), left,
                        gesso_job_get_batch_fraction (job), MAX (n_after, 0));
}

/* Every worker that lives; the first where none does, so that there is an estimate. */
static void
open_timetable (GessoForecast *self, Timetable *table)
{
  *table = (Timetable){ 0 };
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    if (self->workers && gesso_workers_is_alive (self->workers, i))
      table->numbers[table->n++] = i;
  table->n = MAX (table->n, 1);
}

/* Returns: the number of the worker that is free first, of those where it is known */
static int
first_free (const Timetable *table)
{
  int first = table->numbers[0];
  for (int i = 1; i < table->n; i++)
    {
      double at = table->free_at[table->numbers[i]], best = table->free_at[first];
      if (at >= 0 && (best < 0 || at < best))
        first = table->numbers[i];
    }
  return first;
}

/* Returns: the number of the worker that has @job; -1 when it waits */
static int
worker_with (GessoForecast *self, GessoJob *job)
{
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    if (self->running[i].job == job)
      return i;
  return -1;
}

static void
place_running (GessoForecast *self, Timetable *table)
{
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    {
      GessoJob *job = self->running[i].job;
      if (!job)
        continue;
      table->free_at[i] = job_seconds (self, table, i, job, self->running[i].left);
      gesso_job_set_eta (job, table->free_at[i], 0);
    }
}

/* Each job goes to the worker that is free first, as the dispatcher will have it. */
static void
place_waiting (GessoForecast *self, Timetable *table, GessoJob *job)
{
  const int number = first_free (table);
  const double seconds = job_seconds (self, table, number, job, -1);
  double *at = &table->free_at[number];
  gesso_job_set_eta (job, seconds, *at);
  *at = *at < 0 || seconds < 0 ? -1 : *at + seconds;
}

static double
last_end (const Timetable *table)
{
  double last = 0;
  for (int i = 0; i < GESSO_MAX_WORKERS; i++)
    last = last < 0 || table->free_at[i] < 0 ? -1 : MAX (last, table->free_at[i]);
  return last;
}

static gboolean
update_cb (gpointer data)
{
  GessoForecast *self = data;
  const GPtrArray *live = gesso_queue_peek_live (self->queue);
  Timetable table;
  self->timer = 0;
  open_timetable (self, &table);
  place_running (self, &table);
  for (guint i = 0; i < live->len; i++)
    if (worker_with (self, g_ptr_array_index (live, i)) < 0)
      place_waiting (self, &table, g_ptr_array_index (live, i));
  gesso_queue_set_eta (self->queue, live->len > 0 ? last_end (&table) : -1);
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

static void
ask (GessoForecast *self, GessoWorkerClient *client, GessoJob *job)
{
  const GessoWork work = work_of (job);
  const char *device = gesso_worker_client_get_device (client);
  if (!g_hash_table_add (self->asked, g_strconcat (device, "|", work.key, NULL)) ||
      gesso_eta_batch (self->eta, device, &work) >= 0)
    return;
  Question *question = g_new (Question, 1);
  *question = (Question){ g_object_ref (self), g_object_ref (client),
                          g_strdup (work.key), g_strdup (device),
                          work.steps,          work.batch_count };
  self->asking = TRUE;
  gesso_worker_client_plan (client, gesso_job_get_recipe (job), NULL, on_estimated_cb, question);
}

void
gesso_forecast_ask (GessoForecast *self)
{
  g_return_if_fail (GESSO_IS_FORECAST (self));
  const GPtrArray *live = gesso_queue_peek_live (self->queue);
  for (int number = 0; number < GESSO_MAX_WORKERS; number++)
    {
      GessoWorkerClient *client = client_of (self, number);
      for (guint i = 0; client && i < live->len && !self->asking && !self->closed; i++)
        ask (self, client, g_ptr_array_index (live, i));
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
gesso_forecast_learn (GessoForecast *self, int number, GessoJob *job, const GessoBatchClock *clock)
{
  g_return_if_fail (GESSO_IS_FORECAST (self) && GESSO_IS_JOB (job));
  const GessoWork work = work_of (job);
  double step, rest;
  int n_steps;
  GessoTimes times;
  if (!gesso_batch_clock_get (clock, &step, &rest, &n_steps) ||
      !gesso_eta_observe (self->eta, device_of (self, number), &work, step, rest, n_steps, &times))
    return;
  Measured *measured = g_new (Measured, 1);
  *measured = (Measured){ g_strdup (device_of (self, number)), g_strdup (work.key), times };
  gesso_database_run_async (self->database, TRUE, write_measured, measured, measured_free, NULL,
                            NULL, NULL);
}
