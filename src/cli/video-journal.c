/* SPDX-License-Identifier: MPL-2.0
 * video-journal.c - what clips under way leave beside their film when the program is killed.
 */
#include "cli/video-journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"

static const char ending[] = ".journal", batch[] = "gesso-cli-video";

enum
{
  USUAL_MS = 3000
};

static double
interval_s (void)
{
  const char *text = getenv ("GESSO_JOURNAL_MS");
  char *end;
  long ms = text && *text ? strtol (text, &end, 10) : -1;
  return (ms >= 0 && *end == '\0' ? (double) ms : USUAL_MS) / 1000;
}

static bool
path_of (char out[VIDEO_JOURNAL_PATH_SIZE], const char *film)
{
  return snprintf (out, VIDEO_JOURNAL_PATH_SIZE, "%s%s", film, ending) < VIDEO_JOURNAL_PATH_SIZE;
}

static void
say (Engine *engine, const char *sentence)
{
  engine->job.note (engine->job.data, sentence);
}

/* ---- taking up ---- */

static bool
read_old (Journal *old, const char *path, Status *status)
{
  switch (journal_read (old, path, status))
    {
    case JOURNAL_READ:
      if (!strcmp (old->batch, batch))
        return true;
      break;
    case JOURNAL_NONE:
      return status_fail (status, STATUS_NOT_FOUND,
                          "There is no journal \"%.300s\": begin the clip anew.", path);
    case JOURNAL_FAILED:
      return false;
    case JOURNAL_DAMAGED:
      break;
    }
  return status_fail (status, STATUS_FORMAT,
                      "\"%.300s\" is not the journal of a clip, or it is damaged: begin the clip "
                      "anew.",
                      path);
}

static bool
take_recipe (const Journal *old, Recipe *recipe, Status *status)
{
  Notes notes = { 0 };
  bool ok = recipe_from_json (recipe, old->recipe, strlen (old->recipe), &notes, status);
  notes_clear (&notes);
  return ok;
}

bool
video_journal_resume (VideoJournal *j, Options *o, const char *path, char *film, Status *status)
{
  size_t n = strlen (path), n_ending = strlen (ending);
  if (n <= n_ending || n >= sizeof j->path || strcmp (path + n - n_ending, ending) != 0)
    return status_fail (status, STATUS_ARGUMENT,
                        "--resume takes the journal that lies beside the film, FILM%s, not %.200s.",
                        ending, path);
  if (!read_old (&j->old, path, status) || !take_recipe (&j->old, &o->recipe, status))
    return false;
  snprintf (film, VIDEO_JOURNAL_PATH_SIZE, "%.*s", (int) (n - n_ending), path);
  snprintf (j->path, sizeof j->path, "%s", path);
  return j->is_given = o->has_seed = true;
}

void
video_journal_seed (const char *film, Options *o)
{
  char path[VIDEO_JOURNAL_PATH_SIZE];
  Journal old = { 0 };
  Recipe recipe;
  Status ignored = { 0 };
  recipe_init (&recipe);
  if (!o->has_seed && path_of (path, film) && read_old (&old, path, &ignored) &&
      take_recipe (&old, &recipe, &ignored))
    {
      o->recipe.seed = recipe.seed;
      o->has_seed = true;
    }
  recipe_clear (&recipe);
  journal_clear (&old);
}

/* The device and every file that the recipe names. */
static void
identify (const Engine *engine, const Recipe *recipe, char out[IDENTITY_SIZE])
{
  Identity id;
  identity_init (&id);
  identity_add_text (&id, engine->backend->name);
  identity_add_models (&id, recipe, engine->model_path);
  for (int i = 0; i < recipe_table_count (); i++)
    {
      const RecipeParam *p = &recipe_table ()[i];
      if (p->type == PARAM_PATH && strcmp (p->key, "model") != 0)
        identity_add_path (&id, param_peek_string (p, recipe));
    }
  identity_end (&id, out);
}

static bool
is_same (const VideoJournal *j)
{
  return !strcmp (j->old.identity, j->now.identity) && !strcmp (j->old.recipe, j->now.recipe);
}

/* What was finished of it is not lost, only not of use here. */
static bool
put_aside (VideoJournal *j, Engine *engine, Status *status)
{
  char sentence[STATUS_MESSAGE_SIZE];
  journal_clear (&j->old);
  if (!journal_put_aside (j->path, status))
    return false;
  snprintf (sentence, sizeof sentence,
            "The journal \"%.300s\" is of another recipe, or of files that have changed since: it "
            "was put aside.",
            j->path);
  say (engine, sentence);
  return true;
}

static bool
take_up (VideoJournal *j, Engine *engine, PipelineRun *run, Status *status)
{
  char sentence[STATUS_MESSAGE_SIZE];
  Status one = { 0 };
  if (!is_same (j) || !pipeline_run_restore (run, j->old.state, j->old.state_bytes, &one))
    return put_aside (j, engine, status);
  j->is_there = true;
  snprintf (sentence, sizeof sentence, "Going on from step %d of %d, where \"%.300s\" left off.",
            pipeline_run_step (run), pipeline_run_n_steps (run), j->path);
  say (engine, sentence);
  return true;
}

/* The recipe of this batch alone. */
static char *
batch_recipe (const Engine *engine, const Recipe *recipe, Status *status)
{
  Recipe one = *recipe;
  one.seed = engine->job.seed;
  one.batch_count = 1;
  return recipe_to_json (&one, status);
}

bool
video_journal_begin (VideoJournal *j,
                     Engine *engine,
                     const Recipe *recipe,
                     const char *film,
                     PipelineRun *run,
                     Status *status)
{
  j->interval = interval_s ();
  j->written = progress_now ();
  if (!j->is_given && !path_of (j->path, film))
    return status_fail (status, STATUS_ARGUMENT, "The path %.200s is too long.", film);
  memcpy (j->now.batch, batch, sizeof batch);
  identify (engine, recipe, j->now.identity);
  mem_free (j->now.recipe);
  if (!(j->now.recipe = batch_recipe (engine, recipe, status)))
    return false;
  Status one = { 0 };
  if (!j->is_given && access (j->path, F_OK) == 0 && !read_old (&j->old, j->path, &one))
    return put_aside (j, engine, status);
  if (j->old.recipe && !take_up (j, engine, run, status))
    return false;
  j->now.decode_picture = j->old.recipe ? j->old.decode_picture : 0;
  return true;
}

/* ---- writing ---- */

static bool
write_now (VideoJournal *j, const PipelineRun *run, Status *status)
{
  size_t n = pipeline_run_save_size (run);
  if (n > j->capacity)
    {
      void *state = mem_realloc (j->now.state, n);
      if (!state)
        return status_fail (status, STATUS_NO_MEMORY, "There is no memory left for the journal.");
      j->now.state = state;
      j->capacity = n;
    }
  pipeline_run_save (run, j->now.state);
  j->now.state_bytes = n;
  j->now.step = pipeline_run_step (run);
  return journal_write (&j->now, j->path, status);
}

void
video_journal_step (VideoJournal *j, Engine *engine, const PipelineRun *run, bool now)
{
  Status status = { 0 };
  if (pipeline_run_step (run) == 0 || (!now && progress_now () - j->written < j->interval))
    return;
  j->written = progress_now ();
  bool ok = write_now (j, run, &status);
  j->is_there |= ok;
  if (!ok && !j->is_broken)
    say (engine, status.message);
  j->is_broken = !ok;
}

void
video_journal_clip (VideoJournal *j, Engine *engine, const PipelineRun *run, int index)
{
  j->now.decode_picture = index + 1;
  video_journal_step (j, engine, run, true);
}

int
video_journal_n_clips (const VideoJournal *j)
{
  return j->now.decode_picture;
}

void
video_journal_end (VideoJournal *j, bool keep)
{
  if (*j->path && j->is_there && !keep)
    journal_remove (j->path);
  journal_clear (&j->now);
  journal_clear (&j->old);
  *j = (VideoJournal){ .is_there = j->is_there && keep };
}
