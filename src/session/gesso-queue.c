/* SPDX-License-Identifier: MPL-2.0
 * gesso-queue.c - the list of jobs; what changes it in the database is in gesso-queue-actions.c.
 */
#define G_LOG_DOMAIN "gesso-session"

#include "session/gesso-queue-private.h"

#include "session/gesso-queue-store.h"

struct _GessoQueue
{
  GObject parent_instance;
  GessoDatabase *database;
  GPtrArray *live;    /* of GessoJob, by position */
  GPtrArray *ended;   /* of GessoJob, newest first */
  GHashTable *by_id;  /* gint64 * in the job -> GessoJob, borrowed */
  GPtrArray *running; /* of GessoJob, in the order in which they began */
  GessoJob *watched;  /* one of them, or NULL */
  gboolean paused;
  double eta;
  double n_ended_pictures; /* made by jobs that ended since the queue was last empty */
  void (*changed) (gpointer data);
  gpointer watcher;
};

enum
{
  PROP_PAUSED = 1,
  PROP_N_WAITING,
  PROP_ETA,
  PROP_FRACTION,
  PROP_RUNNING,
  N_PROPS
};

enum
{
  PICTURE,
  JOB_ENDED,
  DRAINED,
  FAILED,
  N_SIGNALS
};

static GParamSpec *properties[N_PROPS];
static guint signals[N_SIGNALS];

static GType
gesso_queue_get_item_type (GListModel *model)
{
  return GESSO_TYPE_JOB;
}

static guint
gesso_queue_get_n_items (GListModel *model)
{
  GessoQueue *self = GESSO_QUEUE (model);
  return self->live->len + self->ended->len;
}

static gpointer
gesso_queue_get_item (GListModel *model, guint i)
{
  GessoQueue *self = GESSO_QUEUE (model);
  if (i < self->live->len)
    return g_object_ref (g_ptr_array_index (self->live, i));
  i -= self->live->len;
  return i < self->ended->len ? g_object_ref (g_ptr_array_index (self->ended, i)) : NULL;
}

static void
list_model_init (GListModelInterface *iface)
{
  iface->get_item_type = gesso_queue_get_item_type;
  iface->get_n_items = gesso_queue_get_n_items;
  iface->get_item = gesso_queue_get_item;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (GessoQueue,
                               gesso_queue,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_init))

static double
get_fraction (GessoQueue *self)
{
  double done = self->n_ended_pictures, all = self->n_ended_pictures;
  for (guint i = 0; i < self->live->len; i++)
    {
      GessoJob *job = g_ptr_array_index (self->live, i);
      all += gesso_job_get_n_pictures (job);
      done += gesso_job_get_fraction (job) * gesso_job_get_n_pictures (job);
    }
  return all > 0 ? done / all : 0;
}

static void
gesso_queue_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GessoQueue *self = GESSO_QUEUE (object);
  switch (id)
    {
    case PROP_PAUSED:
      return g_value_set_boolean (value, self->paused);
    case PROP_N_WAITING:
      return g_value_set_int (value, (int) self->live->len);
    case PROP_ETA:
      return g_value_set_double (value, self->eta);
    case PROP_FRACTION:
      return g_value_set_double (value, get_fraction (self));
    case PROP_RUNNING:
      return g_value_set_object (value, gesso_queue_get_running (self));
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gesso_queue_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  if (id == PROP_PAUSED)
    gesso_queue_set_paused (GESSO_QUEUE (object), g_value_get_boolean (value));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
gesso_queue_dispose (GObject *object)
{
  GessoQueue *self = GESSO_QUEUE (object);
  self->changed = NULL;
  self->watched = NULL;
  g_ptr_array_set_size (self->running, 0);
  g_clear_object (&self->database);
  G_OBJECT_CLASS (gesso_queue_parent_class)->dispose (object);
}

static void
gesso_queue_finalize (GObject *object)
{
  GessoQueue *self = GESSO_QUEUE (object);
  g_ptr_array_unref (self->live);
  g_ptr_array_unref (self->ended);
  g_ptr_array_unref (self->running);
  g_hash_table_unref (self->by_id);
  G_OBJECT_CLASS (gesso_queue_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass *object_class)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  properties[PROP_PAUSED] =
      g_param_spec_boolean ("paused", NULL, NULL, FALSE,
                            G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);
  properties[PROP_N_WAITING] = g_param_spec_int ("n-waiting", NULL, NULL, 0, G_MAXINT, 0, flags);
  properties[PROP_ETA] = g_param_spec_double ("eta", NULL, NULL, -1, G_MAXDOUBLE, -1, flags);
  properties[PROP_FRACTION] = g_param_spec_double ("fraction", NULL, NULL, 0, 1, 0, flags);
  properties[PROP_RUNNING] = g_param_spec_object ("running", NULL, NULL, GESSO_TYPE_JOB, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
gesso_queue_class_init (GessoQueueClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->get_property = gesso_queue_get_property;
  object_class->set_property = gesso_queue_set_property;
  object_class->dispose = gesso_queue_dispose;
  object_class->finalize = gesso_queue_finalize;
  install_properties (object_class);
  signals[PICTURE] = g_signal_new ("picture", GESSO_TYPE_QUEUE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 3, GESSO_TYPE_JOB, G_TYPE_INT, G_TYPE_STRING);
  signals[JOB_ENDED] = g_signal_new ("job-ended", GESSO_TYPE_QUEUE, G_SIGNAL_RUN_LAST, 0, NULL,
                                     NULL, NULL, G_TYPE_NONE, 1, GESSO_TYPE_JOB);
  signals[DRAINED] = g_signal_new ("drained", GESSO_TYPE_QUEUE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 0);
  signals[FAILED] = g_signal_new ("failed", GESSO_TYPE_QUEUE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                  NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
gesso_queue_init (GessoQueue *self)
{
  self->live = g_ptr_array_new_with_free_func (g_object_unref);
  self->ended = g_ptr_array_new_with_free_func (g_object_unref);
  self->running = g_ptr_array_new_with_free_func (g_object_unref);
  self->by_id = g_hash_table_new (g_int64_hash, g_int64_equal);
  self->eta = -1;
}

static void
notify (GessoQueue *self, int property)
{
  g_object_notify_by_pspec (G_OBJECT (self), properties[property]);
}

static void
tell_watcher (GessoQueue *self)
{
  if (self->changed)
    self->changed (self->watcher);
}

/* Where a live job of this position belongs. */
static guint
live_place (GessoQueue *self, double position)
{
  guint low = 0, high = self->live->len;
  while (low < high)
    {
      guint middle = low + (high - low) / 2;
      if (gesso_job_get_position (g_ptr_array_index (self->live, middle)) <= position)
        low = middle + 1;
      else
        high = middle;
    }
  return low;
}

/* Takes @job's reference. */
static guint
place_job (GessoQueue *self, GessoJob *job)
{
  guint place = 0;
  if (gesso_job_state_is_ended (gesso_job_get_state (job)))
    {
      const gint64 finished = gesso_job_get_finished (job);
      while (place < self->ended->len &&
             gesso_job_get_finished (g_ptr_array_index (self->ended, place)) > finished)
        place++;
      g_ptr_array_insert (self->ended, (int) place, job);
      return self->live->len + place;
    }
  place = live_place (self, gesso_job_get_position (job));
  g_ptr_array_insert (self->live, (int) place, job);
  return place;
}

/* Takes the job out of the list without saying so.  Returns: where it was */
static guint
take_out (GessoQueue *self, GessoJob *job)
{
  guint i;
  if (g_ptr_array_find (self->live, job, &i))
    {
      g_ptr_array_remove_index (self->live, i);
      return i;
    }
  gboolean found = g_ptr_array_find (self->ended, job, &i);
  g_assert (found);
  g_ptr_array_remove_index (self->ended, i);
  return self->live->len + i;
}

/* The end of a move from @from.  Among those that wait it is one change, because views keep
 * selection and focus on an item only when it leaves and comes back in the same one; to those that
 * ended nobody's view should follow. */
static void
put_back (GessoQueue *self, GessoJob *job, guint from)
{
  if (gesso_job_state_is_ended (gesso_job_get_state (job)))
    {
      g_list_model_items_changed (G_LIST_MODEL (self), from, 1, 0);
      g_list_model_items_changed (G_LIST_MODEL (self), place_job (self, g_object_ref (job)), 0, 1);
      return;
    }
  guint to = place_job (self, g_object_ref (job));
  guint first = MIN (from, to), n = MAX (from, to) - first + 1;
  g_list_model_items_changed (G_LIST_MODEL (self), first, n, n);
}

static GessoJob *
make_job (GessoQueue *self, const GessoJobRow *row)
{
  GessoJob *job = gesso_job_new (row);
  g_hash_table_insert (self->by_id, (gpointer) &gesso_job_peek_row (job)->id, job);
  return job;
}

GessoQueue *
gesso_queue_new (GessoDatabase *database, const GPtrArray *rows, gboolean paused)
{
  g_return_val_if_fail (GESSO_IS_DATABASE (database) && rows, NULL);
  GessoQueue *self = g_object_new (GESSO_TYPE_QUEUE, NULL);
  self->database = g_object_ref (database);
  self->paused = paused;
  for (guint i = 0; i < rows->len; i++)
    {
      GessoJob *job = make_job (self, g_ptr_array_index (rows, i));
      gboolean ended = gesso_job_state_is_ended (gesso_job_get_state (job));
      g_ptr_array_add (ended ? self->ended : self->live, job);
    }
  return self;
}

void
gesso_queue_set_watcher (GessoQueue *self, void (*changed) (gpointer data), gpointer data)
{
  self->changed = changed;
  self->watcher = data;
}

GessoDatabase *
gesso_queue_get_database (GessoQueue *self)
{
  return self->database;
}

GessoJob *
gesso_queue_peek_first (GessoQueue *self)
{
  return self->live->len > 0 ? g_ptr_array_index (self->live, 0) : NULL;
}

const GPtrArray *
gesso_queue_peek_live (GessoQueue *self)
{
  return self->live;
}

void
gesso_queue_insert_rows (GessoQueue *self, const GPtrArray *rows)
{
  if (rows->len == 0)
    return;
  if (self->live->len == 0)
    self->n_ended_pictures = 0;
  /* new jobs follow each other without a gap */
  guint first = live_place (self, ((GessoJobRow *) g_ptr_array_index (rows, 0))->position);
  for (guint i = 0; i < rows->len; i++)
    g_ptr_array_insert (self->live, (int) (first + i),
                        make_job (self, g_ptr_array_index (rows, i)));
  g_list_model_items_changed (G_LIST_MODEL (self), first, 0, rows->len);
  notify (self, PROP_N_WAITING);
  notify (self, PROP_FRACTION);
  tell_watcher (self);
}

void
gesso_queue_apply_positions (GessoQueue *self, const GArray *positions, gint64 moved)
{
  for (guint i = 0; i < positions->len; i++)
    {
      const GessoPosition *p = &g_array_index (positions, GessoPosition, i);
      GessoJob *job = gesso_queue_find (self, p->id);
      if (job && p->id != moved)
        gesso_job_set_position (job, p->position);
    }
  GessoJob *job = moved && positions->len > 0 ? gesso_queue_find (self, moved) : NULL;
  if (job && !gesso_job_state_is_ended (gesso_job_get_state (job)))
    {
      g_autoptr (GessoJob) kept = g_object_ref (job);
      guint from = take_out (self, job);
      gesso_job_set_position (
          job, g_array_index (positions, GessoPosition, positions->len - 1).position);
      put_back (self, job, from);
    }
  tell_watcher (self);
}

/* What the numbers around the list say when a job came or went. */
static void
notify_counts (GessoQueue *self)
{
  notify (self, PROP_N_WAITING);
  notify (self, PROP_FRACTION);
}

void
gesso_queue_apply_row (GessoQueue *self, const GessoJobRow *row)
{
  g_return_if_fail (GESSO_IS_QUEUE (self) && row);
  GessoJob *found = gesso_queue_find (self, row->id);
  g_autoptr (GessoJob) job = found ? g_object_ref (found) : NULL;
  if (!job)
    return;
  gboolean was_ended = gesso_job_state_is_ended (gesso_job_get_state (job));
  gboolean ended = gesso_job_state_is_ended (row->state);
  gboolean in_place = ended == was_ended && gesso_job_get_position (job) == row->position;
  guint from = in_place ? 0 : take_out (self, job);
  gesso_job_set_failure (job, row->error_code, row->error);
  gesso_job_set_position (job, row->position);
  gesso_job_set_state (job, row->state, row->finished);
  if (ended && !was_ended)
    self->n_ended_pictures += gesso_job_get_n_done (job);
  if (was_ended && !ended && self->live->len == 0)
    self->n_ended_pictures = 0;
  if (!in_place)
    put_back (self, job, from);
  if (ended != was_ended)
    notify_counts (self);
  if (ended && !was_ended)
    g_signal_emit (self, signals[JOB_ENDED], 0, job);
  tell_watcher (self);
}

void
gesso_queue_cancel_live (GessoQueue *self, gint64 finished)
{
  g_autoptr (GPtrArray) cancelled = g_steal_pointer (&self->live);
  const guint n_before = cancelled->len + self->ended->len;
  self->live = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < cancelled->len; i++)
    {
      GessoJob *job = g_ptr_array_index (cancelled, i);
      gesso_job_set_state (job, GESSO_JOB_CANCELLED, finished);
      self->n_ended_pictures += gesso_job_get_n_done (job);
      place_job (self, g_object_ref (job));
    }
  g_list_model_items_changed (G_LIST_MODEL (self), 0, n_before, n_before);
  notify_counts (self);
  for (guint i = 0; i < cancelled->len; i++)
    g_signal_emit (self, signals[JOB_ENDED], 0, g_ptr_array_index (cancelled, i));
  tell_watcher (self);
}

void
gesso_queue_drop_job (GessoQueue *self, gint64 id)
{
  GessoJob *found = gesso_queue_find (self, id);
  g_autoptr (GessoJob) job = found ? g_object_ref (found) : NULL;
  if (!job)
    return;
  g_hash_table_remove (self->by_id, &id);
  g_list_model_items_changed (G_LIST_MODEL (self), take_out (self, job), 1, 0);
  notify_counts (self);
}

void
gesso_queue_drop_ended (GessoQueue *self)
{
  const guint n = self->ended->len;
  for (guint i = 0; i < n; i++)
    g_hash_table_remove (self->by_id, &gesso_job_peek_row (g_ptr_array_index (self->ended, i))->id);
  g_ptr_array_set_size (self->ended, 0);
  g_list_model_items_changed (G_LIST_MODEL (self), self->live->len, n, 0);
}

void
gesso_queue_set_running (GessoQueue *self, GessoJob *job)
{
  if (gesso_queue_is_running (self, job))
    return;
  g_ptr_array_add (self->running, g_object_ref (job));
  notify (self, PROP_RUNNING);
}

gboolean
gesso_queue_is_running (GessoQueue *self, GessoJob *job)
{
  return g_ptr_array_find (self->running, job, NULL);
}

void
gesso_queue_unset_running (GessoQueue *self, GessoJob *job)
{
  if (self->watched == job)
    self->watched = NULL;
  if (g_ptr_array_remove (self->running, job))
    notify (self, PROP_RUNNING);
}

void
gesso_queue_set_eta (GessoQueue *self, double eta)
{
  if (self->eta == eta)
    return;
  self->eta = eta;
  notify (self, PROP_ETA);
}

void
gesso_queue_notify_fraction (GessoQueue *self)
{
  notify (self, PROP_FRACTION);
}

void
gesso_queue_add_picture (GessoQueue *self, GessoJob *job, int index, const char *path, int n_done)
{
  gesso_job_add_picture (job, path, n_done);
  notify (self, PROP_FRACTION);
  g_signal_emit (self, signals[PICTURE], 0, job, index, path);
}

void
gesso_queue_emit_failed (GessoQueue *self, const char *sentence)
{
  g_signal_emit (self, signals[FAILED], 0, sentence);
}

void
gesso_queue_emit_drained (GessoQueue *self)
{
  g_signal_emit (self, signals[DRAINED], 0);
}

void
gesso_queue_stop (GessoQueue *self, const char *sentence)
{
  gesso_queue_set_paused (self, TRUE);
  gesso_queue_emit_failed (self, sentence);
}

static gboolean
write_paused (sqlite3 *db, gpointer data, GError **error)
{
  return gesso_store_set_setting (db, "paused", data, error);
}

/* A pause that cannot be written down holds until the program ends. */
static void
on_paused_written_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  if (!gesso_database_run_finish (GESSO_DATABASE (source), result, &error))
    g_message ("Whether the queue is paused is not kept: %s", error->message);
}

void
gesso_queue_set_paused (GessoQueue *self, gboolean paused)
{
  g_return_if_fail (GESSO_IS_QUEUE (self));
  paused = paused != FALSE;
  if (self->paused == paused || !self->database)
    return;
  self->paused = paused;
  gesso_database_run_async (self->database, TRUE, write_paused, paused ? "1" : "0", NULL, NULL,
                            on_paused_written_cb, NULL);
  notify (self, PROP_PAUSED);
  tell_watcher (self);
}

gboolean
gesso_queue_get_paused (GessoQueue *self)
{
  g_return_val_if_fail (GESSO_IS_QUEUE (self), FALSE);
  return self->paused;
}

int
gesso_queue_get_n_waiting (GessoQueue *self)
{
  g_return_val_if_fail (GESSO_IS_QUEUE (self), 0);
  return (int) self->live->len;
}

double
gesso_queue_get_eta (GessoQueue *self)
{
  g_return_val_if_fail (GESSO_IS_QUEUE (self), -1);
  return self->eta;
}

double
gesso_queue_get_fraction (GessoQueue *self)
{
  g_return_val_if_fail (GESSO_IS_QUEUE (self), 0);
  return get_fraction (self);
}

GessoJob *
gesso_queue_get_running (GessoQueue *self)
{
  g_return_val_if_fail (GESSO_IS_QUEUE (self), NULL);
  const GPtrArray *running = self->running;
  if (self->watched || running->len == 0)
    return self->watched;
  return g_ptr_array_index (running, running->len - 1);
}

int
gesso_queue_get_n_running (GessoQueue *self)
{
  g_return_val_if_fail (GESSO_IS_QUEUE (self), 0);
  return (int) self->running->len;
}

void
gesso_queue_watch (GessoQueue *self, GessoJob *job)
{
  g_return_if_fail (GESSO_IS_QUEUE (self) && GESSO_IS_JOB (job));
  if (self->watched == job || !gesso_queue_is_running (self, job))
    return;
  self->watched = job;
  notify (self, PROP_RUNNING);
}

GessoJob *
gesso_queue_find (GessoQueue *self, gint64 id)
{
  g_return_val_if_fail (GESSO_IS_QUEUE (self), NULL);
  return g_hash_table_lookup (self->by_id, &id);
}
