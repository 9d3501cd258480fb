/* SPDX-License-Identifier: MPL-2.0
 * gesso-queue-actions.c - what the user does to the queue: written on the database's thread, then
 * shown.
 */
#define G_LOG_DOMAIN "gesso-session"

#include "session/gesso-queue-private.h"
#include "session/gesso-queue-store.h"

/* One change, from the main thread to the database's and back. */
typedef struct
{
  GessoQueue *queue;
  gint64 id, before; /* jobs */
  char *recipe;
  gint64 now;
  GArray *positions; /* of GessoPosition: filled in by the transaction, */
  GessoJobRow *row;  /* and so is this */
  GPtrArray *rows;   /* and these */
} Change;

typedef void (*ShowFunc) (GessoQueue *queue, Change *change);

/* A change and how to show it; lives until the callback. */
typedef struct
{
  Change change; /* first: a Change * of ours is an Action * */
  GessoDatabaseFunc write;
  ShowFunc show;
} Action;

static void
action_free (Action *action)
{
  g_object_unref (action->change.queue);
  g_free (action->change.recipe);
  g_array_unref (action->change.positions);
  g_ptr_array_unref (action->change.rows);
  g_clear_pointer (&action->change.row, gesso_job_row_free);
  g_free (action);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Action, action_free)

static void
on_action_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (Action) action = data;
  g_autoptr (GError) error = NULL;
  if (gesso_database_run_finish (GESSO_DATABASE (source), result, &error))
    action->show (action->change.queue, &action->change);
  else
    gesso_queue_emit_failed (action->change.queue, error->message);
}

static Change *
begin (GessoQueue *queue, GessoJob *job, GessoDatabaseFunc write, ShowFunc show)
{
  Action *action = g_new0 (Action, 1);
  action->write = write;
  action->show = show;
  action->change =
      (Change){ .queue = g_object_ref (queue),
                .id = job ? gesso_job_get_id (job) : 0,
                .now = g_get_real_time (),
                .positions = g_array_new (FALSE, FALSE, sizeof (GessoPosition)),
                .rows = g_ptr_array_new_with_free_func ((GDestroyNotify) gesso_job_row_free) };
  return &action->change;
}

static void
commit (Change *change)
{
  Action *action = (Action *) change;
  gesso_database_run_async (gesso_queue_get_database (change->queue), TRUE, action->write, change,
                            NULL, NULL, on_action_cb, action);
}

/* ---- showing ---- */

static void
show_row (GessoQueue *queue, Change *change)
{
  gesso_queue_apply_row (queue, change->row);
}

static void
show_edit (GessoQueue *queue, Change *change)
{
  GessoJob *job = gesso_queue_find (queue, change->id);
  if (job)
    gesso_job_set_row (job, change->row);
  gesso_queue_apply_row (queue, change->row);
}

static void
show_rows (GessoQueue *queue, Change *change)
{
  gesso_queue_apply_positions (queue, change->positions, 0);
  gesso_queue_insert_rows (queue, change->rows);
}

static void
show_move (GessoQueue *queue, Change *change)
{
  gesso_queue_apply_positions (queue, change->positions, change->id);
}

static void
show_cancel_all (GessoQueue *queue, Change *change)
{
  gesso_queue_cancel_live (queue, change->now);
}

static void
show_remove (GessoQueue *queue, Change *change)
{
  gesso_queue_drop_job (queue, change->id);
}

static void
show_remove_ended (GessoQueue *queue, Change *change)
{
  gesso_queue_drop_ended (queue);
}

/* ---- writing ---- */

static gboolean
write_edit (sqlite3 *db, gpointer data, GError **error)
{
  Change *change = data;
  change->row = gesso_store_edit (db, change->id, change->recipe, error);
  return change->row != NULL;
}

static gboolean
write_duplicate (sqlite3 *db, gpointer data, GError **error)
{
  Change *change = data;
  const char *recipes[] = { change->recipe, NULL };
  return gesso_store_add (db, recipes, GESSO_QUEUE_LAST, 0, change->rows, change->positions, error);
}

static gboolean
write_move (sqlite3 *db, gpointer data, GError **error)
{
  Change *change = data;
  return gesso_store_move (db, change->id, change->before, change->positions, error);
}

static gboolean
write_put_first (sqlite3 *db, gpointer data, GError **error)
{
  Change *change = data;
  return gesso_store_move_first (db, change->id, change->positions, error);
}

static gboolean
write_cancel (sqlite3 *db, gpointer data, GError **error)
{
  Change *change = data;
  change->row =
      gesso_store_set_state (db, change->id, GESSO_JOB_CANCELLED, "", "", change->now, error);
  return change->row != NULL;
}

static gboolean
write_cancel_all (sqlite3 *db, gpointer data, GError **error)
{
  return gesso_store_cancel_all (db, ((Change *) data)->now, error);
}

static gboolean
write_retry (sqlite3 *db, gpointer data, GError **error)
{
  Change *change = data;
  change->row = gesso_store_retry (db, change->id, error);
  return change->row != NULL;
}

static gboolean
write_remove (sqlite3 *db, gpointer data, GError **error)
{
  return gesso_store_remove (db, ((Change *) data)->id, error);
}

static gboolean
write_remove_ended (sqlite3 *db, gpointer data, GError **error)
{
  return gesso_store_remove_ended (db, error);
}

/* ---- public ---- */

typedef struct
{
  char **recipes;
  GessoQueuePlace place;
  gint64 running;
  GPtrArray *rows;
  GArray *positions;
} Add;

static void
add_free (gpointer data)
{
  Add *add = data;
  g_strfreev (add->recipes);
  g_ptr_array_unref (add->rows);
  g_array_unref (add->positions);
  g_free (add);
}

static gboolean
write_add (sqlite3 *db, gpointer data, GError **error)
{
  Add *add = data;
  return gesso_store_add (db, (const char *const *) add->recipes, add->place, add->running,
                          add->rows, add->positions, error);
}

static void
on_added_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  GessoQueue *self = g_task_get_source_object (task);
  Add *add = g_task_get_task_data (task);
  GError *error = NULL;
  if (!gesso_database_run_finish (GESSO_DATABASE (source), result, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  GArray *ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  for (guint i = 0; i < add->rows->len; i++)
    g_array_append_val (ids, ((GessoJobRow *) g_ptr_array_index (add->rows, i))->id);
  gesso_queue_apply_positions (self, add->positions, 0);
  gesso_queue_insert_rows (self, add->rows);
  g_task_return_pointer (task, ids, (GDestroyNotify) g_array_unref);
}

/* Returns: the id of the job that stands last of those that run; 0 for none */
static gint64
last_running (GessoQueue *self)
{
  const GPtrArray *live = gesso_queue_peek_live (self);
  gint64 last = 0;
  int n = gesso_queue_get_n_running (self);
  for (guint i = 0; i < live->len && n > 0; i++)
    {
      GessoJob *job = g_ptr_array_index (live, i);
      if (!gesso_queue_is_running (self, job))
        continue;
      last = gesso_job_get_id (job);
      n--;
    }
  return last;
}

void
gesso_queue_add_async (GessoQueue *self,
                       const char *const *recipes,
                       GessoQueuePlace place,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  g_return_if_fail (GESSO_IS_QUEUE (self) && recipes);
  Add *add = g_new (Add, 1);
  *add = (Add){ .recipes = g_strdupv ((char **) recipes),
                .place = place,
                .running = last_running (self),
                .rows = g_ptr_array_new_with_free_func ((GDestroyNotify) gesso_job_row_free),
                .positions = g_array_new (FALSE, FALSE, sizeof (GessoPosition)) };
  GTask *task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, gesso_queue_add_async);
  g_task_set_check_cancellable (task, FALSE); /* what is in the database was added */
  g_task_set_task_data (task, add, add_free);
  gesso_database_run_async (gesso_queue_get_database (self), TRUE, write_add, add, NULL,
                            cancellable, on_added_cb, task);
}

GArray *
gesso_queue_add_finish (GessoQueue *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

void
gesso_queue_edit (GessoQueue *self, GessoJob *job, const char *recipe)
{
  g_return_if_fail (GESSO_IS_QUEUE (self) && GESSO_IS_JOB (job) && recipe);
  Change *change = begin (self, job, write_edit, show_edit);
  change->recipe = g_strdup (recipe);
  commit (change);
}

void
gesso_queue_duplicate (GessoQueue *self, GessoJob *job)
{
  g_return_if_fail (GESSO_IS_QUEUE (self) && GESSO_IS_JOB (job));
  Change *change = begin (self, NULL, write_duplicate, show_rows);
  change->recipe = g_strdup (gesso_job_get_recipe (job));
  commit (change);
}

static gboolean
is_movable (GessoJob *job)
{
  GessoJobState state = gesso_job_get_state (job);
  return state == GESSO_JOB_WAITING || state == GESSO_JOB_PARKED;
}

void
gesso_queue_move (GessoQueue *self, GessoJob *job, GessoJob *before)
{
  g_return_if_fail (GESSO_IS_QUEUE (self) && GESSO_IS_JOB (job));
  g_return_if_fail (!before || GESSO_IS_JOB (before));
  if (!is_movable (job) || job == before)
    return;
  Change *change = begin (self, job, write_move, show_move);
  change->before = before ? gesso_job_get_id (before) : 0;
  commit (change);
}

void
gesso_queue_put_first (GessoQueue *self, GessoJob *job)
{
  g_return_if_fail (GESSO_IS_QUEUE (self) && GESSO_IS_JOB (job));
  if (is_movable (job))
    commit (begin (self, job, write_put_first, show_move));
}

void
gesso_queue_cancel (GessoQueue *self, GessoJob *job)
{
  g_return_if_fail (GESSO_IS_QUEUE (self) && GESSO_IS_JOB (job));
  commit (begin (self, job, write_cancel, show_row));
}

void
gesso_queue_cancel_all (GessoQueue *self)
{
  g_return_if_fail (GESSO_IS_QUEUE (self));
  commit (begin (self, NULL, write_cancel_all, show_cancel_all));
}

void
gesso_queue_retry (GessoQueue *self, GessoJob *job)
{
  g_return_if_fail (GESSO_IS_QUEUE (self) && GESSO_IS_JOB (job));
  commit (begin (self, job, write_retry, show_row));
}

void
gesso_queue_remove (GessoQueue *self, GessoJob *job)
{
  g_return_if_fail (GESSO_IS_QUEUE (self) && GESSO_IS_JOB (job));
  if (gesso_job_state_is_ended (gesso_job_get_state (job)))
    commit (begin (self, job, write_remove, show_remove));
}

void
gesso_queue_remove_ended (GessoQueue *self)
{
  g_return_if_fail (GESSO_IS_QUEUE (self));
  commit (begin (self, NULL, write_remove_ended, show_remove_ended));
}
