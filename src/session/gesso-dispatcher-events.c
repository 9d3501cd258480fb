/* SPDX-License-Identifier: MPL-2.0
 * gesso-dispatcher-events.c - what the workers tell about their batches, and what follows.
 */
#include <glib/gi18n.h>
#include <string.h>

#include "session/gesso-disk.h"
#include "session/gesso-dispatcher-private.h"

enum
{
  MAX_JOB_DEATHS = 2 /* of the worker without a new step between them */
};

/* A step that was never done before speaks for the job that the worker died of. */
static void
note_step (GessoDispatcher *self, const Active *active, int step)
{
  Record *record = gesso_dispatcher_get_record (self, active->job);
  gesso_workers_note_step (self->workers, active->worker);
  if (active->batch->batch < record->batch ||
      (active->batch->batch == record->batch && step <= record->step))
    return;
  record->batch = active->batch->batch;
  record->step = step;
  record->n_deaths = 0;
}

static void
on_progress (gpointer data, const char *batch, const char *phase, int done, int total, double eta)
{
  GessoDispatcher *self = data;
  Active *active = gesso_dispatcher_find_batch (self, batch);
  if (!active)
    return;
  gboolean denoising = strcmp (phase, "denoise") == 0;
  gesso_batch_clock_progress (&active->clock, phase, done, total, g_get_monotonic_time ());
  gesso_forecast_set_running (self->forecast, active->worker, active->job, eta);
  if (denoising && done > 0)
    note_step (self, active, done);
  double fraction = gesso_batch_clock_get_fraction (&active->clock);
  if (denoising)
    gesso_job_set_progress (active->job, phase, done, total, fraction);
  else
    gesso_job_set_progress (active->job, phase, gesso_job_get_step (active->job),
                            gesso_job_get_n_steps (active->job), fraction);
  gesso_forecast_update_later (self->forecast);
}

static void
on_preview (gpointer data, const char *batch, int step, const GessoFrame *frame)
{
  Active *active = gesso_dispatcher_find_batch (data, batch);
  if (active && !active->cancelling)
    gesso_job_set_preview (active->job, frame);
}

/* A picture between the worker and the disk. */
typedef struct
{
  GessoDispatcher *self;
  GessoJob *job;
  int index;
  char *batch;
  GDBusMethodInvocation *answer;
} Saving;

static void
saving_free (Saving *saving)
{
  g_object_unref (saving->self);
  g_object_unref (saving->job);
  g_free (saving->batch);
  g_free (saving);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Saving, saving_free)

static void
on_saved_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (Saving) saving = data;
  GessoDispatcher *self = saving->self;
  g_autoptr (GError) error = NULL;
  int n_done = 0;
  g_autofree char *path = gesso_result_save_finish (result, &n_done, &error);
  gesso_worker_client_answer (saving->answer, error);
  g_ptr_array_remove_fast (self->saving, saving->job);
  if (self->closed)
    return;
  Active *active = gesso_dispatcher_find_batch (self, saving->batch);
  if (path)
    {
      if (active)
        {
          active->n_saved++;
          gesso_workers_note_step (self->workers, active->worker);
        }
      gesso_dispatcher_get_record (self, saving->job)->n_deaths =
          0; /* a picture more than before */
      gesso_queue_add_picture (self->queue, saving->job, saving->index, path, n_done);
    }
  else
    {
      if (active)
        active->save_failed = TRUE;
      gesso_queue_stop (self->queue, error->message);
    }
  gesso_dispatcher_arrange (self);
}

/* @clip: file of a clip; NULL for a picture */
static void
save (gpointer data,
      const char *batch,
      int index,
      const GessoFrame *frame,
      const char *recipe,
      const char *clip,
      GDBusMethodInvocation *answer)
{
  GessoDispatcher *self = data;
  Active *active = gesso_dispatcher_find_batch (self, batch);
  if (!active || index >= gesso_job_get_batch_size (active->job))
    {
      g_dbus_method_invocation_return_error_literal (answer, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                                                     "No such picture was asked for");
      return;
    }
  int of_job = active->batch->batch * gesso_job_get_batch_size (active->job) + index;
  Saving *saving = g_new (Saving, 1);
  *saving =
      (Saving){ g_object_ref (self), g_object_ref (active->job), of_job, g_strdup (batch), answer };
  g_ptr_array_add (self->saving, active->job);
  gesso_job_set_preview (active->job, frame);
  gesso_result_save_async (self->writer, gesso_job_get_id (active->job), of_job, frame, recipe,
                           clip, on_saved_cb, saving);
}

static void
on_picture (gpointer data,
            const char *batch,
            int index,
            const GessoFrame *frame,
            const char *recipe,
            GDBusMethodInvocation *answer)
{
  save (data, batch, index, frame, recipe, NULL, answer);
}

static void
on_clip (gpointer data,
         const char *batch,
         int index,
         const GessoFrame *frame,
         const char *recipe,
         const char *path,
         GDBusMethodInvocation *answer)
{
  save (data, batch, index, frame, recipe, path, answer);
}

typedef struct
{
  gint64 id;
  char *text;
} Note;

static void
note_free (gpointer data)
{
  g_free (((Note *) data)->text);
  g_free (data);
}

static gboolean
write_note (sqlite3 *db, gpointer data, GError **error)
{
  return gesso_store_set_note (db, ((Note *) data)->id, ((Note *) data)->text, error);
}

static void
on_note (gpointer data, const char *batch, const char *sentence)
{
  GessoDispatcher *self = data;
  Active *active = gesso_dispatcher_find_batch (self, batch);
  if (!active)
    return;
  gesso_job_set_note (active->job, sentence);
  Note *note = g_new (Note, 1);
  *note = (Note){ gesso_job_get_id (active->job), g_strdup (sentence) };
  gesso_database_run_async (self->database, TRUE, write_note, note, note_free, NULL, NULL, NULL);
}

/* All pictures of the batch are on the disk: their journal has served. */
static void
on_finished (gpointer data, const char *batch)
{
  GessoDispatcher *self = data;
  Active *active = gesso_dispatcher_find_batch (self, batch);
  if (!active)
    return;
  const int n_missing =
      gesso_job_get_batch_size (active->job) - (int) active->batch->skip->len - active->n_saved;
  gesso_batch_clock_stop (&active->clock, g_get_monotonic_time ());
  if (n_missing > 0)
    {
      gesso_dispatcher_settle (
          self, active, GESSO_JOB_FAILED, "internal",
          _ ("The engine said that it was done, but pictures are missing: try again, and report "
             "this if it comes back."));
      return;
    }
  if (active->batch->skip->len == 0)
    gesso_forecast_learn (self->forecast, active->worker, active->job, &active->clock);
  gesso_disk_remove_journal (self->journals_dir, active->name);
  gesso_job_set_progress (active->job, "", 0, gesso_job_get_n_steps (active->job), 0);
  if (gesso_job_get_n_done (active->job) >= gesso_job_get_n_pictures (active->job))
    gesso_dispatcher_settle (self, active, GESSO_JOB_DONE, "", "");
  else if (!gesso_dispatcher_goes_on (self, active))
    gesso_dispatcher_settle (self, active, GESSO_JOB_PARKED, "", "");
  else
    gesso_dispatcher_begin_next (self, active);
}

static void
on_parked (gpointer data, const char *batch, int step)
{
  GessoDispatcher *self = data;
  Active *active = gesso_dispatcher_find_batch (self, batch);
  if (active)
    gesso_dispatcher_settle (self, active, GESSO_JOB_PARKED, "", "");
}

typedef struct
{
  GessoDispatcher *self;
  char *batch, *code, *sentence;
} Failure;

static void
failure_free (Failure *failure)
{
  g_object_unref (failure->self);
  g_free (failure->batch);
  g_free (failure->code);
  g_free (failure->sentence);
  g_free (failure);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Failure, failure_free)

/* A full disk would fail every other job as well: the queue waits for the user instead. */
static void
on_disk_checked_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (Failure) failure = data;
  GessoDispatcher *self = failure->self;
  gboolean full = gesso_disk_is_full_finish (result);
  Active *active = gesso_dispatcher_find_batch (self, failure->batch);
  if (!active)
    return;
  if (full)
    {
      gesso_queue_stop (self->queue, failure->sentence);
      gesso_dispatcher_settle (self, active, GESSO_JOB_PARKED, "", "");
    }
  else
    gesso_dispatcher_settle (self, active, GESSO_JOB_FAILED, failure->code, failure->sentence);
}

/* Another worker may have more memory; where it has not, that one says so. */
static gboolean
leave_to_others (GessoDispatcher *self, Active *active, const char *code)
{
  if (strcmp (code, "no-memory") != 0)
    return FALSE;
  gesso_dispatcher_get_record (self, active->job)->too_small |= 1u << active->worker;
  return gesso_dispatcher_has_other (self, active->job, active->worker);
}

static void
on_failed (gpointer data, const char *batch, const char *code, const char *sentence)
{
  GessoDispatcher *self = data;
  Active *active = gesso_dispatcher_find_batch (self, batch);
  if (!active)
    return;
  if (active->save_failed)
    gesso_dispatcher_settle (self, active, GESSO_JOB_PARKED, "", "");
  else if (strcmp (code, "cancelled") == 0)
    gesso_dispatcher_settle (self, active, GESSO_JOB_CANCELLED, "", "");
  else if (leave_to_others (self, active, code))
    {
      on_note (self, batch, sentence);
      gesso_dispatcher_settle (self, active, GESSO_JOB_PARKED, "", "");
    }
  else if (strcmp (code, "io") == 0)
    {
      Failure *failure = g_new (Failure, 1);
      *failure =
          (Failure){ g_object_ref (self), g_strdup (batch), g_strdup (code), g_strdup (sentence) };
      gesso_disk_is_full_async (self->journals_dir, on_disk_checked_cb, failure);
    }
  else
    gesso_dispatcher_settle (self, active, GESSO_JOB_FAILED, code, sentence);
}

void
gesso_dispatcher_worker_died (GessoDispatcher *self, int number, const char *sentence)
{
  g_return_if_fail (GESSO_IS_DISPATCHER (self) && number >= 0 && number < GESSO_MAX_WORKERS);
  Active *active = self->active[number];
  if (!active || active->phase != PHASE_RUNNING || self->closed)
    return;
  Record *record = gesso_dispatcher_get_record (self, active->job);
  if (gesso_job_state_is_ended (gesso_job_get_state (active->job)))
    gesso_dispatcher_settle (self, active, GESSO_JOB_CANCELLED, "", "");
  else if (!active->accepted || gesso_dispatcher_is_saving (self, active->job) ||
           ++record->n_deaths < MAX_JOB_DEATHS)
    gesso_dispatcher_settle (self, active, GESSO_JOB_PARKED, "", "");
  else
    {
      g_autofree char *why = g_strdup_printf (_ ("The engine ended %d times at the same place of "
                                                 "this picture, so it is left out: try a "
                                                 "smaller size or another model, then retry it."),
                                              record->n_deaths);
      gesso_dispatcher_settle (self, active, GESSO_JOB_FAILED, "worker-died", why);
    }
}

const GessoWorkerEvents *
gesso_dispatcher_get_events (void)
{
  static const GessoWorkerEvents events = { on_progress, on_preview,  on_picture, on_clip,
                                            on_note,     on_finished, on_parked,  on_failed };
  return &events;
}
