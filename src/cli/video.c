/* SPDX-License-Identifier: MPL-2.0
 * video.c - `gesso-cli video`: from words, and pictures to begin and end with, to films.
 *
 * The frames are kept without loss, in a clip beside the film, while they are decoded; then the
 * film is made from that.  So whatever happens to the film, the clip is there.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/outputs.h"
#include "cli/video-journal.h"
#include "core/mem.h"
#include "media/clip.h"
#include "media/png.h"
#include "media/video/film-copy.h"
#include "pipelines/latents-file.h"

typedef struct
{
  Options *options;
  Engine engine;
  Progress progress;
  FilmFormat format;
  FrameRate rate;
  char folder[CLI_PATH_SIZE]; /* where numbered films go; "" when --output names a file */
  int n_written, n_total;
  int n_frames; /* of the last clip, with those of a clip that was extended */
  char *kept;   /* the clip of a film that is not finished, or NULL */
  VideoJournal journal;
  char film[VIDEO_JOURNAL_PATH_SIZE];        /* of a run that is taken up */
  char resume[VIDEO_JOURNAL_PATH_SIZE + 16]; /* what goes on with it, "" when nothing does */
} Video;

/* ---- names ---- */

static bool
choose_output (Video *v, Status *status)
{
  const char *output = v->options->output;
  v->format = FILM_H264;
  if (!output)
    return path_pictures_dir (v->folder, status);
  if (!*output || strlen (output) >= CLI_PATH_SIZE)
    return status_fail (status, STATUS_ARGUMENT, "--output needs a path of 1 to %d bytes.",
                        CLI_PATH_SIZE - 1);
  if (output_is_folder (output))
    {
      snprintf (v->folder, sizeof v->folder, "%s", output);
      return path_make_dirs (v->folder, status);
    }
  if (v->n_total > 1)
    return status_fail (status, STATUS_ARGUMENT,
                        "--output names one file but %d clips are to be made: name a folder, "
                        "ending in /.",
                        v->n_total);
  return film_format_of_path (&v->format, output, status);
}

/* Before anything is drawn: hours later would be late to say so. */
static bool
check_format (const Video *v, Status *status)
{
  const char *package = NULL;
  const FilmFormatInfo *info = film_format_info (v->format);
  if (!info->needs_gstreamer || film_can_write (v->format, &package))
    return true;
  return status_fail (status, STATUS_UNSUPPORTED,
                      "%s cannot be written here: install %s, or let --output end in .gclip, "
                      ".webp or .gif.",
                      info->title, package);
}

/* A film whose clip is free as well.  Returns: the caller's to mem_free; NULL and @status */
static char *
numbered_path (const Video *v, Status *status)
{
  enum
  {
    MOST = 99999
  };
  char stem[OUTPUT_STEM_SIZE], path[CLI_PATH_SIZE + OUTPUT_STEM_SIZE + 16];
  output_stem (stem, recipe_str (v->options->recipe.prompt));
  for (int i = 1; i <= MOST; i++)
    {
      snprintf (path, sizeof path, "%s/%s-%05d%s", v->folder, stem, i,
                film_format_info (v->format)->extension);
      char *clip = clip_path_beside (path, status);
      if (!clip)
        return NULL;
      bool is_free = access (path, F_OK) != 0 && access (clip, F_OK) != 0;
      mem_free (clip);
      char *copy = is_free ? mem_strdup (path) : NULL;
      if (copy)
        return copy;
      if (is_free)
        break;
    }
  status_fail (status, STATUS_IO, "No name is free in %s: use another folder.", v->folder);
  return NULL;
}

static char *
film_path (const Video *v, Status *status)
{
  if (*v->folder)
    return numbered_path (v, status);
  char *copy = mem_strdup (v->options->output);
  if (!copy)
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  return copy;
}

/* ---- one clip ---- */

static bool
take_frames (void *data, const uint8_t *rgb, int first, int n, Status *status)
{
  ClipWriter *clip = data;
  size_t n_bytes = 3 * (size_t) clip->info.width * (size_t) clip->info.height;
  for (int i = 0; i < n; i++)
    if (!clip_writer_add (clip, rgb + (size_t) i * n_bytes, status))
      return false;
  return true;
}

/* The recipe of one clip: its own seed, a batch of one.  The caller's to mem_free. */
static char *
recipe_of_clip (Video *v, uint64_t seed, Status *status)
{
  Recipe *r = &v->options->recipe;
  Recipe saved = *r;
  r->seed = seed;
  r->batch_count = r->batch_size = 1;
  char *json = recipe_to_json (r, status);
  r->seed = saved.seed;
  r->batch_count = saved.batch_count;
  r->batch_size = saved.batch_size;
  return json;
}

/* Decodes clip @index of the run straight into the file @path. */
static bool
keep_clip (Video *v, PipelineRun *run, int index, const char *path, Status *status)
{
  const PipelineResult *result = pipeline_run_result (run);
  const FilmInfo info = { .width = v->engine.job.width,
                          .height = v->engine.job.height,
                          .rate = v->rate };
  ClipWriter clip = { 0 };
  FrameSink sink = { take_frames, &clip };
  size_t n_bytes = 0;
  char *json = recipe_of_clip (v, v->engine.job.seed + (uint64_t) index, status);
  uint8_t *latents = json ? latents_file (result, index, 1, &n_bytes, status) : NULL;
  bool ok = latents && clip_writer_open (&clip, path, &info, status) &&
            extend_copy_frames (&v->engine.inputs.extend, &clip, NULL, &cli_cancel, status) &&
            pipeline_run_decode_clip (run, index, -1, &sink, status) &&
            clip_writer_add_latents (&clip, latents, n_bytes, status) &&
            clip_writer_add_recipe (&clip, json, status);
  v->n_frames = clip.info.n_frames;
  ok = ok && clip_writer_commit (&clip, !*v->folder, status);
  clip_writer_discard (&clip);
  mem_free (latents);
  mem_free (json);
  return ok;
}

static void
report_frame (void *data, int n_done, int n_expected)
{
  progress_named (data, "export", n_done, n_expected);
}

static bool
export_film (Video *v, const char *clip, const char *film, FilmCopied *done, Status *status)
{
  Progress progress;
  progress_init (&progress, v->options->json, 1);
  FilmCopyOptions copy = { .film = { .format = v->format,
                                     .quality = FILM_STANDARD,
                                     .overwrite = !*v->folder,
                                     .cancel = &cli_cancel },
                           .limits = { .cancel = &cli_cancel },
                           .rate = { 0, 1 },
                           .progress = report_frame,
                           .data = &progress };
  bool ok = film_copy (clip, film, &copy, done, status);
  progress_clear_line (&progress);
  return ok;
}

static void
report_clip (Video *v, const char *film, const char *clip, uint64_t seed, const PipelineResult *r)
{
  v->n_written++;
  if (!v->options->json)
    {
      printf ("%s\n", film);
      return;
    }
  printf ("{\"event\": \"result\", \"file\": ");
  json_print_string (film);
  printf (", \"clip\": ");
  json_print_string (clip);
  printf (", \"seed\": %llu, \"width\": %d, \"height\": %d, \"frames\": %d, \"rate\": \"%d/%d\", "
          "\"format\": \"%s\", \"seconds\": {",
          (unsigned long long) seed, v->engine.job.width, v->engine.job.height, v->n_frames,
          v->rate.num, v->rate.den, film_format_info (v->format)->name);
  for (int i = 0; i < PHASE_COUNT; i++)
    printf ("%s\"%s\": %.3f", i ? ", " : "", phase_name ((PipelinePhase) i), r->seconds[i]);
  printf ("}}\n");
  fflush (stdout);
}

static bool
finish_clip (Video *v, PipelineRun *run, int index, Status *status)
{
  FilmCopied copied = { 0 };
  uint64_t seed = v->engine.job.seed + (uint64_t) index;
  char *film = film_path (v, status), *clip = film ? clip_path_beside (film, status) : NULL;
  bool ok = clip && keep_clip (v, run, index, clip, status);
  progress_clear_line (&v->progress);
  if (ok && v->format != FILM_CLIP)
    {
      v->kept = mem_strdup (clip);
      ok = export_film (v, clip, film, &copied, status);
    }
  if (ok)
    {
      mem_free (v->kept);
      v->kept = NULL;
      if (*copied.note)
        v->engine.job.note (v->engine.job.data, copied.note);
      report_clip (v, film, clip, seed, pipeline_run_result (run));
    }
  mem_free (film);
  mem_free (clip);
  return ok;
}

/* ---- a batch, and all of them ---- */

static bool
begin_journal (Video *v, PipelineRun *run, Status *status)
{
  char *film = film_path (v, status);
  bool ok =
      film && video_journal_begin (&v->journal, &v->engine, &v->options->recipe, film, run, status);
  mem_free (film);
  return ok;
}

/* The user's own interruption means that the clip is not wanted; all else may go on later. */
static void
end_journal (Video *v, bool ok, const Status *status)
{
  bool keep = !ok && (status->code != STATUS_CANCELLED || atomic_load (&cli_told_to_end));
  char path[VIDEO_JOURNAL_PATH_SIZE];
  memcpy (path, v->journal.path, sizeof path);
  video_journal_end (&v->journal, keep);
  if (v->journal.is_there)
    snprintf (v->resume, sizeof v->resume, "%s", path);
}

static bool
run_steps (Video *v, PipelineRun *run, Status *status)
{
  bool ok = true;
  int n = pipeline_run_n_steps (run);
  while (ok && pipeline_run_step (run) < n)
    {
      ok = pipeline_run_advance (run, status);
      video_journal_step (&v->journal, &v->engine, run, !ok || pipeline_run_step (run) == n);
    }
  return ok;
}

static bool
make_batch (Video *v, Status *status)
{
  PipelineRun *run = pipeline_run_new (v->engine.pipeline, &v->engine.job, status);
  Recipe *recipe = &v->options->recipe;
  bool ok = run && begin_journal (v, run, status) && run_steps (v, run, status) &&
            output_take_hashes (&v->engine, recipe, status) &&
            (!v->options->latent_out ||
             output_write_latents (v->options->latent_out, pipeline_run_result (run), status));
  int i = video_journal_n_clips (&v->journal);
  for (; ok && i < v->engine.job.batch_size; i++)
    {
      ok = finish_clip (v, run, i, status);
      if (ok && i + 1 < v->engine.job.batch_size)
        video_journal_clip (&v->journal, &v->engine, run, i);
    }
  /* a film that cannot be written leaves its clip: nothing would be left to resume */
  end_journal (v, ok || (v->kept && i == v->engine.job.batch_size), status);
  pipeline_run_free (run);
  return ok;
}

static void
on_progress (void *data, PipelinePhase phase, int done, int total)
{
  Video *v = data;
  v->progress.picture = v->n_written;
  progress_step (&v->progress, phase, done, total);
}

/* The frame in the middle.  A preview that cannot be written is said once and then given up. */
static void
on_preview (void *data, const uint8_t *rgb, int n_frames, int width, int height, int step)
{
  Video *v = data;
  Status status = { 0 };
  size_t n_bytes = 3 * (size_t) width * (size_t) height;
  const uint8_t *middle = rgb + (size_t) (n_frames / 2) * n_bytes;
  const Image image = { width, height, (uint8_t *) (uintptr_t) middle };
  const PngOptions options = { .overwrite = true };
  if (!v->options->preview || png_write_file (v->options->preview, &image, &options, &status))
    return;
  progress_clear_line (&v->progress);
  fprintf (stderr, "gesso-cli: no previews: %s\n", status.message);
  v->options->preview = NULL;
}

static bool
open_engine (Video *v, Status *status)
{
  Options *o = v->options;
  Recipe *r = &o->recipe;
  char rate[32];
  if ((!r->model && !recipe_set (r, "model", SHIPPED_VIDEO_MODEL, status)) ||
      !engine_open (&v->engine, o, false, status))
    return false;
  if (v->engine.job.n_frames <= 1)
    return status_fail (status, STATUS_ARGUMENT,
                        "%s makes pictures, not clips: choose a Wan model and more than one "
                        "frame, or use gesso-cli generate.",
                        v->engine.model_path);
  v->engine.job.progress = on_progress;
  v->engine.job.preview_clip = o->preview ? on_preview : NULL;
  v->engine.job.data = v;
  if (extend_rate (&v->engine.inputs.extend, &v->rate))
    return true;
  snprintf (rate, sizeof rate, "%.6g", v->engine.job.fps);
  return frame_rate_parse (&v->rate, rate, status);
}

/* A batch of several clips goes where its first one would have gone. */
static bool
take_up (Video *v, Status *status)
{
  Options *o = v->options;
  if (!video_journal_resume (&v->journal, o, o->resume, v->film, status))
    return false;
  o->output = v->film;
  if (o->recipe.batch_size == 1)
    return true;
  char *slash = strrchr (v->film, '/');
  if (slash)
    slash[1] = '\0';
  else
    snprintf (v->film, sizeof v->film, "./");
  return true;
}

static bool
make_clips (Video *v, Status *status)
{
  Options *o = v->options;
  Recipe *r = &o->recipe;
  uint32_t random = 0;
  if (o->resume && !take_up (v, status))
    return false;
  if (o->output && !o->resume)
    video_journal_seed (o->output, o);
  if (!o->has_seed && getrandom (&random, sizeof random, 0) == sizeof random)
    r->seed = random;
  v->n_total = r->batch_count * r->batch_size;
  if (o->latent_out && r->batch_count > 1)
    return status_fail (status, STATUS_ARGUMENT,
                        "--latent-out holds one batch: use --batch-size instead of --batch-count.");
  if (!choose_output (v, status) || !check_format (v, status) || !open_engine (v, status))
    return false;
  progress_init (&v->progress, o->json, v->n_total);
  uint64_t seed = v->engine.job.seed;
  for (int b = 0; b < r->batch_count; b++)
    {
      v->engine.job.seed = seed + (uint64_t) b * (uint64_t) r->batch_size;
      if (!make_batch (v, status))
        return false;
    }
  return true;
}

/* What became of the clips, where that is not plain. */
static void
explain (const Video *v, Status *status)
{
  Status said = *status;
  *status = (Status){ 0 };
  if (v->kept)
    status_fail (status, said.code,
                 "%.200s The clip is kept: gesso-cli export \"%.400s\" makes a film of it.",
                 said.code == STATUS_CANCELLED ? status_text ("Cancelled.") : said.message,
                 v->kept);
  else if (*v->resume)
    status_fail (status, said.code, "%.200s gesso-cli video --resume \"%.200s\" goes on from here.",
                 said.code == STATUS_CANCELLED ? status_text ("Cancelled.") : said.message,
                 v->resume);
  else if (said.code == STATUS_CANCELLED)
    status_fail (status, said.code, "Cancelled; %d of %d clips were written.", v->n_written,
                 v->n_total);
  else
    *status = said;
}

int
command_video (Options *o)
{
  Video v = { .options = o };
  Status status = { 0 };
  bool ok = make_clips (&v, &status);
  progress_clear_line (&v.progress);
  if (!ok)
    explain (&v, &status);
  int code = ok ? EXIT_DONE : cli_fail (&status, o->json);
  mem_free (v.kept);
  engine_close (&v.engine);
  return code;
}
