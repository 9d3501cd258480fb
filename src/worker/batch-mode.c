/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/batch-mode.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "core/mem.h"
#include "media/png.h"
#include "recipe/infotext.h"
#include "worker/paths.h"
#include "worker/runner.h"

typedef struct
{
  Runner *runner;
  const char *folder;
  BatchControl *control;
  Recipe recipe; /* of the batch under way */
  int n_before;  /* pictures of the batches before it */
} BatchMode;

static char *
result_path (const BatchMode *m, int index, const char *ending)
{
  return g_strdup_printf ("%s/%05d-%" PRIu64 "%s", m->folder, m->n_before + index + 1,
                          m->recipe.seed + (uint64_t) index, ending);
}

/* ---- events ---- */

static void
on_progress (void *data, const char *phase, int done, int total, double eta)
{
  if (eta >= 0)
    g_message ("%s %d/%d, %.0f s left", phase, done, total, eta);
  else
    g_message ("%s %d/%d", phase, done, total);
}

static bool
on_wants_preview (void *data)
{
  return false;
}

static void
on_preview (
    void *data, const uint8_t *rgb, int n_frames, double rate, int width, int height, int step)
{
}

static bool
on_picture (void *data,
            int index,
            const uint8_t *rgb,
            int width,
            int height,
            const char *json,
            Status *status)
{
  BatchMode *m = data;
  Recipe one;
  Notes ignored = { 0 }; /* they were told when the recipe was read */
  recipe_init (&one);
  g_autofree char *path = result_path (m, index, ".png");
  char *infotext = recipe_from_json (&one, json, strlen (json), &ignored, status)
                       ? infotext_write (&one, status)
                       : NULL;
  const PngText texts[] = { { "parameters", infotext }, { "gesso", json } };
  const PngOptions options = { .texts = texts, .n_texts = 2 };
  const Image image = { width, height, (uint8_t *) rgb };
  bool ok = infotext && png_write_file (path, &image, &options, status);
  if (ok)
    g_message ("Wrote %s", path);
  mem_free (infotext);
  notes_clear (&ignored);
  recipe_clear (&one);
  return ok;
}

static bool
on_clip (void *data,
         int index,
         const char *from,
         const uint8_t *rgb,
         int width,
         int height,
         const char *json,
         Status *status)
{
  g_autofree char *path = result_path (data, index, ".gclip");
  if (g_rename (from, path) != 0)
    return status_fail (status, STATUS_IO, "Cannot write \"%.300s\": %s.", path,
                        g_strerror (errno));
  g_message ("Wrote %s", path);
  return true;
}

static bool
on_settle (void *data, int max_open, Status *status)
{
  return true; /* a picture is on the disk when on_picture returns */
}

static void
on_note (void *data, const char *sentence)
{
  g_message ("%s", sentence);
}

/* ---- batches ---- */

static RunnerEnd
run_one (BatchMode *m, int batch, Status *status)
{
  g_autofree char *name = g_strdup_printf ("batch-%d", batch + 1);
  g_autofree char *journal = g_strdup_printf ("%s/.%s.journal", m->folder, name);
  g_autofree uint32_t *skip = g_new (uint32_t, m->recipe.batch_size);
  RunnerBatch spec = {
    .name = name, .recipe = &m->recipe, .journal = journal, .skip = skip, .control = m->control
  };
  const RunnerEvents events = { .progress = on_progress,
                                .wants_preview = on_wants_preview,
                                .preview = on_preview,
                                .picture = on_picture,
                                .clip = on_clip,
                                .settle = on_settle,
                                .note = on_note,
                                .data = m };
  for (int i = 0; i < m->recipe.batch_size; i++)
    {
      g_autofree char *picture = result_path (m, i, ".png");
      g_autofree char *clip = result_path (m, i, ".gclip");
      if (access (picture, F_OK) == 0 || access (clip, F_OK) == 0)
        skip[spec.n_skip++] = (uint32_t) i;
    }
  int step = 0;
  RunnerEnd end = runner_run (m->runner, &spec, &events, &step, status);
  if (end == RUNNER_PARKED)
    g_message ("Parked after step %d", step);
  return end;
}

static BatchModeEnd
run_all (BatchMode *m, Status *status)
{
  int n = m->recipe.batch_count;
  m->recipe.batch_count = 1;
  for (int i = 0; i < n; i++)
    {
      RunnerEnd end = run_one (m, i, status);
      if (end != RUNNER_FINISHED)
        return end == RUNNER_PARKED ? BATCH_MODE_PARKED : BATCH_MODE_FAILED;
      m->recipe.seed += (uint64_t) m->recipe.batch_size;
      m->n_before += m->recipe.batch_size;
    }
  return BATCH_MODE_DONE;
}

static bool
read_recipe (Recipe *recipe, const char *path, Status *status)
{
  g_autofree char *json = NULL;
  g_autoptr (GError) error = NULL;
  gsize n_bytes;
  Notes notes = { 0 };
  if (!g_file_get_contents (path, &json, &n_bytes, &error))
    return status_fail (status, STATUS_IO, "The recipe could not be read: %s.", error->message);
  bool ok = recipe_from_json (recipe, json, n_bytes, &notes, status);
  for (size_t i = 0; i < notes.n; i++)
    g_message ("%s", notes.items[i]);
  notes_clear (&notes);
  return ok;
}

BatchModeEnd
batch_mode_run (Backend *backend,
                const char *data_dir,
                const char *recipe_path,
                const char *folder,
                BatchControl *control,
                Status *status)
{
  BatchMode m = { .folder = folder, .control = control };
  BatchModeEnd end = BATCH_MODE_FAILED;
  recipe_init (&m.recipe);
  if (read_recipe (&m.recipe, recipe_path, status) && path_make_dirs (folder, status) &&
      (m.runner = runner_new (backend, data_dir, status)) != NULL)
    end = run_all (&m, status);
  runner_free (m.runner);
  recipe_clear (&m.recipe);
  return end;
}
