/* SPDX-License-Identifier: MPL-2.0
 * generate.c - `gesso-cli generate`: from words to picture files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/outputs.h"
#include "core/mem.h"
#include "media/png.h"
#include "recipe/infotext.h"

typedef struct
{
  Options *options;
  Engine engine;
  Progress progress;
  char folder[CLI_PATH_SIZE]; /* where numbered pictures go; "" when --output names a file */
  int n_written, n_total;
} Generate;

static bool
choose_output (Generate *g, Status *status)
{
  const char *output = g->options->output;
  if (!output)
    return path_pictures_dir (g->folder, status);
  size_t n = strlen (output);
  bool folder = output_is_folder (output);
  if (!folder && g->n_total > 1)
    return status_fail (
        status, STATUS_ARGUMENT,
        "--output names one file but %d pictures are to be made: name a folder, ending "
        "in /.",
        g->n_total);
  if (n == 0 || n >= CLI_PATH_SIZE)
    return status_fail (status, STATUS_ARGUMENT, "--output needs a path of 1 to %d bytes.",
                        CLI_PATH_SIZE - 1);
  if (!folder)
    return true;
  snprintf (g->folder, sizeof g->folder, "%s", output);
  return path_make_dirs (g->folder, status);
}

/* Writes under a free number; another program may take it between the look and the write. */
static char *
write_numbered (
    const char *folder, const char *stem, const Image *image, PngOptions *options, Status *status)
{
  enum
  {
    TRIES = 100
  };
  for (int i = 0; i < TRIES; i++)
    {
      Status one = { 0 };
      char *path = png_new_name (folder, stem, status);
      if (!path)
        return NULL;
      if (png_write_file (path, image, options, &one))
        return path;
      bool taken = access (path, F_OK) == 0;
      mem_free (path);
      if (!taken || i + 1 == TRIES)
        {
          status_fail (status, one.code, "%s", one.message);
          return NULL;
        }
    }
  return NULL;
}

static char *
write_named (const char *path, const Image *image, PngOptions *options, Status *status)
{
  options->overwrite = true;
  char *copy = mem_strdup (path);
  if (!copy)
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  if (copy && png_write_file (path, image, options, status))
    return copy;
  mem_free (copy);
  return NULL;
}

/* The recipe of one picture: its own seed, a batch of one. */
static char *
write_picture (Generate *g, const Image *image, uint64_t seed, Status *status)
{
  Recipe *r = &g->options->recipe;
  Recipe saved = *r;
  r->seed = seed;
  r->batch_count = r->batch_size = 1;
  char *infotext = infotext_write (r, status), *json = infotext ? recipe_to_json (r, status) : NULL;
  r->seed = saved.seed;
  r->batch_count = saved.batch_count;
  r->batch_size = saved.batch_size;
  char *path = NULL;
  if (json)
    {
      const PngText texts[] = { { "parameters", infotext }, { "gesso", json } };
      PngOptions options = { .texts = texts, .n_texts = 2, .cancel = &cli_cancel };
      char stem[OUTPUT_STEM_SIZE];
      output_stem (stem, recipe_str (r->prompt));
      path = *g->folder ? write_numbered (g->folder, stem, image, &options, status)
                        : write_named (g->options->output, image, &options, status);
    }
  mem_free (infotext);
  mem_free (json);
  return path;
}

static void
report_picture (
    Generate *g, const char *path, uint64_t seed, const Image *image, const PipelineResult *result)
{
  g->n_written++;
  if (!g->options->json)
    {
      printf ("%s\n", path);
      return;
    }
  printf ("{\"event\": \"result\", \"file\": ");
  json_print_string (path);
  printf (", \"seed\": %llu, \"width\": %d, \"height\": %d, \"seconds\": {",
          (unsigned long long) seed, image->width, image->height);
  for (int i = 0; i < PHASE_COUNT; i++)
    printf ("%s\"%s\": %.3f", i ? ", " : "", phase_name ((PipelinePhase) i), result->seconds[i]);
  printf ("}}\n");
  fflush (stdout);
}

static bool
finish_picture (Generate *g, const PipelineResult *result, int index, Status *status)
{
  Image image = { 0 };
  uint64_t seed = g->engine.job.seed + (uint64_t) index;
  size_t bytes = (size_t) result->width * (size_t) result->height * IMAGE_CHANNELS;
  if (!job_inputs_finish (&g->engine.inputs, result->rgb + (size_t) index * bytes, result->width,
                          result->height, &image, status))
    return false;
  char *path = write_picture (g, &image, seed, status);
  if (path)
    report_picture (g, path, seed, &image, result);
  image_clear (&image);
  mem_free (path);
  return path != NULL;
}

static bool
generate_batch (Generate *g, Status *status)
{
  PipelineResult result;
  PipelineJob *job = &g->engine.job;
  if (!pipeline_generate (g->engine.pipeline, job, &result, status))
    return false;
  progress_clear_line (&g->progress);
  bool ok = output_take_hashes (&g->engine, &g->options->recipe, status);
  for (int i = 0; ok && i < result.n; i++)
    ok = finish_picture (g, &result, i, status);
  if (ok && g->options->latent_out)
    ok = output_write_latents (g->options->latent_out, &result, status);
  pipeline_result_clear (&result);
  return ok;
}

static void
on_progress (void *data, PipelinePhase phase, int done, int total)
{
  Generate *g = data;
  g->progress.picture = g->n_written;
  progress_step (&g->progress, phase, done, total);
}

/* A preview that cannot be written is said once and then given up: the picture matters more. */
static void
on_preview (void *data, const uint8_t *rgb, int width, int height, int step)
{
  Generate *g = data;
  Status status = { 0 };
  const Image image = { width, height, (uint8_t *) rgb };
  const PngOptions options = { .overwrite = true };
  if (!g->options->preview || png_write_file (g->options->preview, &image, &options, &status))
    return;
  progress_clear_line (&g->progress);
  fprintf (stderr, "gesso-cli: no previews: %s\n", status.message);
  g->options->preview = NULL;
}

static bool
generate (Generate *g, Status *status)
{
  Options *o = g->options;
  Recipe *r = &o->recipe;
  uint32_t random = 0;
  if (!o->has_seed && getrandom (&random, sizeof random, 0) == sizeof random)
    r->seed = random;
  g->n_total = r->batch_count * r->batch_size;
  if (o->latent_out && r->batch_count > 1)
    return status_fail (status, STATUS_ARGUMENT,
                        "--latent-out holds one batch: use --batch-size instead of --batch-count.");
  if (!choose_output (g, status) || !engine_open (&g->engine, o, false, status))
    return false;
  if (g->engine.job.n_frames > 1)
    return status_fail (status, STATUS_ARGUMENT,
                        "%s makes clips, not pictures: use gesso-cli video.", g->engine.model_path);
  progress_init (&g->progress, o->json, g->n_total);
  g->engine.job.progress = on_progress;
  g->engine.job.data = g;
  if (o->preview)
    g->engine.job.preview = on_preview;
  uint64_t seed = g->engine.job.seed;
  for (int b = 0; b < r->batch_count; b++)
    {
      g->engine.job.seed = seed + (uint64_t) b * (uint64_t) r->batch_size;
      if (!generate_batch (g, status))
        return false;
    }
  return true;
}

int
command_generate (Options *o)
{
  Generate g = { .options = o };
  Status status = { 0 };
  bool ok = generate (&g, &status);
  progress_clear_line (&g.progress);
  if (!ok && status.code == STATUS_CANCELLED)
    {
      status = (Status){ 0 };
      status_fail (&status, STATUS_CANCELLED, "Cancelled; %d of %d pictures were written.",
                   g.n_written, g.n_total);
    }
  int code = ok ? EXIT_DONE : cli_fail (&status, o->json);
  engine_close (&g.engine);
  return code;
}
