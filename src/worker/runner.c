/* SPDX-License-Identifier: MPL-2.0
 * runner.c - the open model, and a batch from its recipe to its last latent.
 */
#include "worker/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "worker/job.h"
#include "worker/models.h"
#include "worker/runner-private.h"

enum
{
  JOURNAL_MS = 3000,
  MAX_ENV = 3600 * 1000
};

/* ---- the runner ---- */

static int
number_from_env (const char *name, int otherwise)
{
  const char *text = getenv (name);
  char *end;
  long value = text && *text ? strtol (text, &end, 10) : -1;
  return value < 0 || value > MAX_ENV || *end ? otherwise : (int) value;
}

Runner *
runner_new (Backend *backend, const char *data_dir, Status *status)
{
  Runner *r = mem_calloc (1, sizeof *r);
  if (!r)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  r->backend = backend;
  snprintf (r->data_dir, sizeof r->data_dir, "%s", data_dir);
  if (!strcmp (backend->name, "null"))
    r->null_step_ms = number_from_env ("GESSO_NULL_STEP_MS", 0);
  r->free_mib = number_from_env ("GESSO_FREE_MIB", 0);
  r->journal_interval = number_from_env ("GESSO_JOURNAL_MS", JOURNAL_MS) / 1000.0;
  return r;
}

void
runner_forget (Runner *r)
{
  hasher_free (r->hasher);
  pipeline_free (r->pipeline);
  r->hasher = NULL;
  r->pipeline = NULL;
  r->model_identity[0] = r->pace_key[0] = '\0';
}

void
runner_free (Runner *r)
{
  if (!r)
    return;
  runner_forget (r);
  mem_free (r);
}

/* ---- model and job ---- */

bool
runner_open_model (Batch *b, Status *status)
{
  Runner *r = b->runner;
  char path[GESSO_PATH_SIZE], identity[IDENTITY_SIZE];
  Identity id;
  if (!model_resolve (recipe_str (b->recipe.model), path, status))
    return false;
  identity_init (&id);
  identity_add_models (&id, &b->recipe, path);
  identity_end (&id, identity);
  if (r->pipeline && !strcmp (identity, r->model_identity))
    return true;
  b->events->progress (b->events->data, "loading", 0, 1, -1);
  runner_forget (r);
  const PipelineSource source = source_from_recipe (&b->recipe, path, r->data_dir);
  if (!(r->pipeline = pipeline_open (&source, r->backend, status)) ||
      !(r->hasher = hasher_new (path, status)))
    {
      runner_forget (r);
      return false;
    }
  memcpy (r->model_identity, identity, sizeof identity);
  b->events->progress (b->events->data, "loading", 1, 1, -1);
  return true;
}

static void
add_path (void *data, const char *path)
{
  identity_add_path (data, path);
}

/* The open model, the device, and every other file that the recipe names. */
static void
identify (const Batch *b, char out[IDENTITY_SIZE])
{
  Identity id;
  identity_init (&id);
  identity_add_text (&id, b->runner->backend->name);
  identity_add_text (&id, b->runner->model_identity);
  for (int i = 0; i < recipe_table_count (); i++)
    {
      const RecipeParam *p = &recipe_table ()[i];
      if (p->type == PARAM_PATH && strcmp (p->key, "model") != 0)
        identity_add_path (&id, param_peek_string (p, &b->recipe));
    }
  job_controls_paths (&b->recipe, add_path, &id);
  identity_end (&id, out);
}

/* ---- what the engine tells ---- */

static double
left (const Batch *b, int n_steps)
{
  return eta_left (&b->runner->eta, n_steps, b->n_wanted - b->n_decoded);
}

static void
on_progress (void *data, PipelinePhase phase, int done, int total)
{
  Batch *b = data;
  double now = clock_seconds (), eta = -1;
  if (phase == PHASE_DENOISE)
    {
      eta_add_step (&b->runner->eta, now - b->step_began);
      b->step_began = now;
      eta = left (b, total - done);
    }
  else if (phase == PHASE_DECODE)
    {
      /* tiles of one picture become a part of all pictures */
      eta = eta_left (&b->runner->eta, 0, b->n_wanted - b->n_decoded - (double) done / total);
      done += b->n_decoded * total;
      total *= b->n_wanted;
    }
  b->events->progress (b->events->data, phase_name (phase), done, total, eta);
}

static bool
on_preview_wanted (void *data)
{
  const Batch *b = data;
  return b->events->wants_preview (b->events->data);
}

static void
on_preview (void *data, const uint8_t *rgb, int width, int height, int step)
{
  const Batch *b = data;
  b->events->preview (b->events->data, rgb, 1, 0, width, height, step);
}

/* Each preview frame stands for the frames of a latent one.  Of a very long clip only its end is
 * shown, which is what is new. */
static void
on_preview_clip (void *data, const uint8_t *rgb, int n_frames, int width, int height, int step)
{
  enum
  {
    FRAMES_A_LATENT = 4,
    MOST_BYTES = 16 << 20,
    MOST_LINES = 32768 /* of all frames: what a message's picture may have */
  };
  const Batch *b = data;
  size_t n_bytes = (size_t) width * (size_t) height * 3;
  int most = n_bytes < MOST_BYTES ? (int) (MOST_BYTES / n_bytes) : 1;
  if (most > MOST_LINES / height)
    most = MOST_LINES / height;
  int n = n_frames < most ? n_frames : most;
  b->events->preview (b->events->data, rgb + (size_t) (n_frames - n) * n_bytes, n,
                      b->job.fps / FRAMES_A_LATENT, width, height, step);
}

static void
on_note (void *data, const char *sentence)
{
  batch_note (data, sentence);
}

void
batch_note (const Batch *b, const char *sentence)
{
  b->events->note (b->events->data, sentence);
}

/* ---- beginning ---- */

static bool
make_job (Batch *b, Status *status)
{
  if (!recipe_copy (&b->recipe, b->spec->recipe, status) ||
      (!b->recipe.model && !recipe_set (&b->recipe, "model", SHIPPED_MODEL, status)) ||
      !runner_open_model (b, status) ||
      !job_inputs_load (&b->inputs, &b->recipe, pipeline_checkpoint (b->runner->pipeline),
                        status) ||
      !job_from_recipe (&b->recipe, pipeline_checkpoint (b->runner->pipeline), b->runner->backend,
                        &b->job, status) ||
      !recipe_validate (&b->recipe, status) ||
      !job_inputs_give (&b->inputs, &b->recipe, &b->job, status))
    return false;
  if (*b->inputs.note)
    batch_note (b, b->inputs.note);
  b->job.cancel = &b->spec->control->cancel;
  b->job.progress = on_progress;
  b->job.preview_wanted = on_preview_wanted;
  b->job.preview = on_preview;
  b->job.preview_clip = on_preview_clip;
  b->job.note = on_note;
  b->job.data = b;
  return true;
}

/* What the journal is checked against and begins with. */
static bool
name_journal (Batch *b, Status *status)
{
  snprintf (b->journal.batch, sizeof b->journal.batch, "%s", b->spec->name);
  identify (b, b->journal.identity);
  b->journal.recipe = recipe_to_json (&b->recipe, status);
  return b->journal.recipe != NULL;
}

/* Times measured on the batch before hold for this one if it is of the same kind; else the plan
 * says how much work decoding is beside a step. */
static bool
plan_batch (Batch *b, Status *status)
{
  Runner *r = b->runner;
  char key[PACE_KEY_SIZE];
  snprintf (key, sizeof key, "%s %d %d %d %d %d %d %d %d %d", r->model_identity, b->job.width,
            b->job.height, b->job.batch_size, b->job.sampler, b->job.compute, b->job.vae_tile,
            b->job.n_frames, b->job.window_frames, b->job.n_before);
  PipelinePlan plan;
  if (!pipeline_plan (r->pipeline, &b->job, &plan, status))
    return false;
  b->decode_bytes = plan.phases[PHASE_DECODE].activation_bytes;
  if (!strcmp (key, r->pace_key))
    return true;
  const PhasePlan *denoise = &plan.phases[PHASE_DENOISE], *decode = &plan.phases[PHASE_DECODE];
  r->eta = (Eta){ 0 };
  if (r->null_step_ms > 0)
    r->eta.decode_effort = 1;
  else if (denoise->flops > 0 && denoise->n_passes > 0)
    r->eta.decode_effort = decode->flops * decode->n_passes / b->job.batch_size /
                           (denoise->flops * denoise->n_passes / (b->job.steps * plan.n_windows));
  memcpy (r->pace_key, key, sizeof key);
  return true;
}

static bool
is_of_this_batch (const Batch *b)
{
  return !strcmp (b->old.batch, b->journal.batch) &&
         !strcmp (b->old.identity, b->journal.identity) &&
         !strcmp (b->old.recipe, b->journal.recipe);
}

static bool
put_aside (Batch *b, const char *why, Status *status)
{
  char sentence[STATUS_MESSAGE_SIZE];
  journal_clear (&b->old);
  if (!journal_put_aside (b->spec->journal, status))
    return false;
  snprintf (
      sentence, sizeof sentence,
      status_text ("The journal of this batch %s: it was put aside and the batch begins anew."),
      status_text (why));
  batch_note (b, sentence);
  return true;
}

/* Before the model is opened, so that a batch that ends early knows how far it was. */
static bool
read_journal (Batch *b, Status *status)
{
  if (!*b->spec->journal)
    return true;
  switch (journal_read (&b->old, b->spec->journal, status))
    {
    case JOURNAL_READ:
    case JOURNAL_NONE:
      return true;
    case JOURNAL_DAMAGED:
      return put_aside (b, STATUS_MARK ("is damaged"), status);
    case JOURNAL_FAILED:
      break;
    }
  return false;
}

static bool
restore (Batch *b, Status *status)
{
  Status one = { 0 };
  if (!b->old.recipe)
    return true;
  if (!is_of_this_batch (b))
    return put_aside (b, STATUS_MARK ("is of another recipe or of files that have changed since"),
                      status);
  if (pipeline_run_restore (b->run, b->old.state, b->old.state_bytes, &one))
    return true;
  if (one.code == STATUS_FORMAT)
    return put_aside (b, STATUS_MARK ("does not fit this version of the program"), status);
  return status_fail (status, one.code, "%s", one.message);
}

/* ---- the journal ---- */

static bool
save_state (Batch *b, Status *status)
{
  size_t n = pipeline_run_save_size (b->run);
  if (n > b->state_capacity)
    {
      void *state = mem_realloc (b->journal.state, n);
      if (!state)
        return status_fail (status, STATUS_NO_MEMORY, "There is no memory left for the journal.");
      b->journal.state = state;
      b->state_capacity = n;
    }
  pipeline_run_save (b->run, b->journal.state);
  b->journal.state_bytes = n;
  b->journal.step = pipeline_run_step (b->run);
  return true;
}

void
batch_write_journal (Batch *b)
{
  char sentence[2 * STATUS_MESSAGE_SIZE];
  Status status = { 0 };
  if (!*b->spec->journal || !b->run || pipeline_run_step (b->run) == 0)
    return;
  b->journal_written = clock_seconds ();
  if (save_state (b, &status) && journal_write (&b->journal, b->spec->journal, &status))
    {
      b->journal_broken = false;
      return;
    }
  if (!b->journal_broken)
    {
      snprintf (sentence, sizeof sentence,
                status_text ("%s If the program ends now, this batch begins anew."),
                status.message);
      batch_note (b, sentence);
    }
  b->journal_broken = true;
}

/* ---- running ---- */

static bool
denoise (Batch *b, Status *status)
{
  BatchControl *control = b->spec->control;
  int n = pipeline_run_n_steps (b->run);
  b->events->progress (b->events->data, phase_name (PHASE_DENOISE), pipeline_run_step (b->run), n,
                       left (b, n - pipeline_run_step (b->run)));
  b->journal_written = b->step_began = clock_seconds ();
  control_set_in_steps (control, true);
  bool ok = true;
  while (ok && pipeline_run_step (b->run) < n)
    {
      control_sleep (control, b->runner->null_step_ms);
      ok = control_get (control) == WISH_NONE
               ? pipeline_run_advance (b->run, status)
               : status_fail (status, STATUS_CANCELLED, "Cancelled.");
      if (ok && clock_seconds () - b->journal_written >= b->runner->journal_interval)
        batch_write_journal (b);
    }
  control_set_in_steps (control, false);
  return ok;
}

bool
batch_skips (const Batch *b, int index)
{
  for (size_t i = 0; i < b->spec->n_skip; i++)
    if (b->spec->skip[i] == (uint32_t) index)
      return true;
  return false;
}

static bool
run_batch (Batch *b, Status *status)
{
  return read_journal (b, status) && make_job (b, status) && name_journal (b, status) &&
         plan_batch (b, status) &&
         (b->run = pipeline_run_new (b->runner->pipeline, &b->job, status)) != NULL &&
         restore (b, status) && denoise (b, status) && batch_decode (b, status) &&
         b->events->settle (b->events->data, 0, status);
}

/* A batch ends as it was wished, whatever its last operator said; but one that is done is done. */
static RunnerEnd
end_of (Batch *b, bool ok, int *step, Status *status)
{
  Wish wish = control_get (b->spec->control);
  if (!ok && wish != WISH_CANCEL)
    {
      b->journal.decode_started = 0; /* it did not die of it */
      batch_write_journal (b);
    }
  else if (*b->spec->journal)
    journal_remove (b->spec->journal);
  if (ok)
    return RUNNER_FINISHED;
  *step = b->run ? pipeline_run_step (b->run) : b->old.step;
  if (wish != WISH_NONE && wish != WISH_CANCEL && status->code == STATUS_CANCELLED)
    return RUNNER_PARKED;
  if (wish == WISH_CANCEL)
    {
      *status = (Status){ 0 };
      status_fail (status, STATUS_CANCELLED, "The batch was cancelled.");
    }
  return RUNNER_FAILED;
}

RunnerEnd
runner_run (
    Runner *runner, const RunnerBatch *spec, const RunnerEvents *events, int *step, Status *status)
{
  Batch b = { .runner = runner, .spec = spec, .events = events, .tile_px = -1 };
  *step = 0;
  recipe_init (&b.recipe);
  for (int i = 0; i < spec->recipe->batch_size; i++)
    b.n_wanted += !batch_skips (&b, i);
  bool ok = b.n_wanted == 0 || run_batch (&b, status);
  RunnerEnd end = end_of (&b, ok, step, status);
  pipeline_run_free (b.run);
  if (status->code ==
      STATUS_IO) /* perhaps the model's file is gone: the next batch opens it anew */
    runner_forget (runner);
  journal_clear (&b.old);
  journal_clear (&b.journal);
  job_inputs_clear (&b.inputs);
  recipe_clear (&b.recipe);
  return end;
}
