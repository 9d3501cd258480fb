/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/extend.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "pipelines/latents-file.h"
#include "worker/reference.h"
#if GESSO_VIDEO
#  include "media/video/video.h"
#endif

enum
{
  FRAMES_A_LATENT = 4
};

static const double RATE_TOLERANCE = 0.01; /* of frames a second: 23.976 is 24000/1001 */

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
}

/* Without GStreamer clips, GIFs and pictures can be gone on from. */
static FrameSource *
open_frames (const char *path, const FrameLimits *limits, Status *status)
{
#if GESSO_VIDEO
  return film_open (path, limits, status);
#else
  return frames_open (path, limits, status);
#endif
}

/* ---- which file ---- */

/* The clip beside a film that Gesso made has its frames without loss.  Returns: the caller's */
static char *
choose_file (const char *named, Status *status)
{
  char *beside = clip_path_beside (named, status);
  if (!beside)
    return NULL;
  if (strcmp (beside, named) != 0 && access (beside, R_OK) == 0 && clip_has_film (beside, named))
    return beside;
  mem_free (beside);
  char *copy = mem_strdup (named);
  if (!copy)
    no_memory (status);
  return copy;
}

static bool
check_there (const char *path, Status *status)
{
  return access (path, F_OK) == 0 ||
         status_fail (status, STATUS_NOT_FOUND,
                      "The clip to extend, \"%.300s\", is not there: choose it again, or make a "
                      "clip of its own.",
                      path);
}

/* ---- latents ---- */

static void
forget_latents (ExtendInput *in)
{
  mem_free (in->latents);
  in->latents = NULL;
  in->values = NULL;
  in->n_latents = 0;
}

/* As the model's VAE has them, and of the clip's size. */
static bool
latents_fit (const ExtendInput *in, const ClipLatents *l, const Checkpoint *model)
{
  char kind[PIPELINE_KIND_SIZE];
  pipeline_latent_kind (model, kind);
  const ModelConfig *c = &model->config;
  int step = pipeline_size_step (model) / 2; /* two latents make a token */
  return (!*l->kind || !*kind || !strcmp (l->kind, kind)) && l->channels == c->wan.out_channels &&
         l->height * step == in->info.height && l->width * step == in->info.width;
}

/* Returns: false only on failure; no latents are none */
static bool
load_latents (ExtendInput *in, const Checkpoint *model, char *note, Status *status)
{
  Status one = { 0 };
  ClipLatents l;
  size_t n_bytes = 0;
  in->latents = clip_read_latents (in->path, &n_bytes, &one);
  if (!in->latents)
    return one.code != STATUS_NO_MEMORY || no_memory (status);
  if (!latents_read_clip (&l, in->latents, n_bytes, in->path, status))
    return false;
  if (!latents_fit (in, &l, model))
    {
      snprintf (note, STATUS_MESSAGE_SIZE, "%s",
                status_text ("The clip to extend was made with another kind of model: its last "
                             "frames are read anew."));
      forget_latents (in);
      return true;
    }
  in->values = l.values;
  in->n_latents = l.frames;
  return true;
}

/* ---- frames ---- */

static size_t
frame_bytes (const ExtendInput *in)
{
  return 3 * (size_t) in->width * (size_t) in->height;
}

/* The last frames so far: where all of @most places are taken the oldest makes room. */
static bool
remember (ExtendInput *in, int most, Image *image, Status *status)
{
  size_t n = frame_bytes (in);
  if ((image->width != in->width || image->height != in->height) &&
      !reference_fit (image, in->width, in->height, status))
    return false;
  if (in->n_rgb == most)
    memmove (in->rgb, in->rgb + n, (size_t) --in->n_rgb * n);
  memcpy (in->rgb + (size_t) in->n_rgb++ * n, image->rgb, n);
  return true;
}

static bool
read_next (ExtendInput *in, FrameSource *source, int n, int most, bool *end, Status *status)
{
  Image image = { in->info.width, in->info.height, mem_calloc (frames_size_bytes (&in->info), 1) };
  bool ok = (image.rgb || no_memory (status)) && frames_get (source, n, image.rgb, end, status) &&
            (*end || remember (in, most, &image, status));
  image_clear (&image);
  return ok;
}

/* As many of the last frames as a window has, of the job's size; fewer where the clip is shorter,
 * one more than a multiple of four. */
static bool
load_tail (ExtendInput *in, FrameSource *source, int most, Status *status)
{
  bool end = false, ok = true;
  int n = in->info.n_frames > most ? in->info.n_frames - most : 0;
  in->rgb = mem_calloc ((size_t) most, frame_bytes (in));
  if (!in->rgb)
    return no_memory (status);
  for (; ok && !end; n++)
    ok = read_next (in, source, n, most, &end, status);
  if (!ok)
    return false;
  if (in->n_rgb == 0)
    return status_fail (status, STATUS_ARGUMENT, "\"%.300s\" has no frame to go on from.",
                        in->path);
  in->info.n_frames = n - 1;
  int odd = (in->n_rgb - 1) % FRAMES_A_LATENT;
  in->n_rgb -= odd;
  memmove (in->rgb, in->rgb + (size_t) odd * frame_bytes (in),
           (size_t) in->n_rgb * frame_bytes (in));
  in->n_latents = 1 + (in->n_rgb - 1) / FRAMES_A_LATENT;
  return true;
}

/* Beside kept latents, for a model that looks at what it goes on from through CLIP. */
static bool
load_last (ExtendInput *in, FrameSource *source, const Checkpoint *model, Status *status)
{
  bool end = false;
  if (!in->values || model->config.wan.image_dim == 0)
    return true;
  in->last = mem_calloc (frames_size_bytes (&in->info), 1);
  if (!in->last)
    return no_memory (status);
  return frames_get (source, in->info.n_frames - 1, in->last, &end, status) &&
         (!end ||
          status_fail (status, STATUS_FORMAT, "\"%.300s\" has no frame to go on from.", in->path));
}

static int
usual_frames (const Recipe *recipe, const Checkpoint *model)
{
  PipelineJob job;
  pipeline_job_defaults (model, &job);
  return recipe->window > 0 ? recipe->window : job.window_frames;
}

/* ---- size and rate ---- */

static bool
take_size (ExtendInput *in, Recipe *recipe, const Checkpoint *model, Status *status)
{
  int step = pipeline_size_step (model), width = in->info.width, height = in->info.height;
  if (recipe->width == 0 && recipe->height == 0)
    {
      recipe->width = in->values ? width : width / step * step;
      recipe->height = in->values ? height : height / step * step;
    }
  if (in->values && (recipe->width != width || recipe->height != height))
    return status_fail (status, STATUS_ARGUMENT,
                        "The clip to extend has %d x %d pixels: leave width and height open, or "
                        "set them to these.",
                        width, height);
  if (recipe->width == 0 || recipe->height == 0)
    return status_fail (status, STATUS_ARGUMENT,
                        "A clip is extended at its own size, or at one that is set: set width and "
                        "height, or neither.");
  in->width = recipe->width;
  in->height = recipe->height;
  return true;
}

static bool
take_rate (const ExtendInput *in, Recipe *recipe, Status *status)
{
  if (!frame_rate_is_valid (in->info.rate))
    return true;
  double fps = (double) in->info.rate.num / in->info.rate.den;
  if (recipe->fps == 0)
    recipe->fps = fps;
  return fabs (recipe->fps - fps) < RATE_TOLERANCE ||
         status_fail (status, STATUS_ARGUMENT,
                      "The clip to extend shows %.6g frames a second, and what is added would show "
                      "%.6g: leave the frame rate open.",
                      fps, recipe->fps);
}

/* ---- public ---- */

static bool
load (ExtendInput *in, Recipe *recipe, const Checkpoint *model, char *note, Status *status)
{
  if (!check_there (recipe->extend, status) || !(in->path = choose_file (recipe->extend, status)))
    return false;
  FrameSource *source = open_frames (in->path, NULL, status);
  if (!source)
    return false;
  in->info = source->info;
  bool ok = load_latents (in, model, note, status) && take_size (in, recipe, model, status) &&
            take_rate (in, recipe, status) && load_last (in, source, model, status);
  if (ok && !in->values)
    ok = load_tail (in, source, usual_frames (recipe, model), status);
  frames_close (source);
  return ok;
}

bool
extend_load (ExtendInput *in, Recipe *recipe, const Checkpoint *model, char *note, Status *status)
{
  *in = (ExtendInput){ 0 };
  if (!recipe->extend || load (in, recipe, model, note, status))
    return true;
  extend_clear (in);
  return false;
}

void
extend_give (const ExtendInput *in, PipelineJob *job)
{
  if (!in->path)
    return;
  job->n_before = in->n_latents;
  job->before = in->values;
  job->before_rgb = in->rgb;
  job->before_last_rgb = in->last;
}

/* @image: a frame as it was read, brought to @clip's size */
static bool
copy_frame (Image *image, ClipWriter *clip, uint8_t *first, Status *status)
{
  const FilmInfo *to = &clip->info;
  if ((image->width != to->width || image->height != to->height) &&
      !reference_fit (image, to->width, to->height, status))
    return false;
  if (first && to->n_frames == 0)
    memcpy (first, image->rgb, frames_size_bytes (to));
  return clip_writer_add (clip, image->rgb, status);
}

static bool
copy_next (const ExtendInput *in,
           FrameSource *source,
           int n,
           ClipWriter *clip,
           uint8_t *first,
           bool *end,
           Status *status)
{
  Image image = { in->info.width, in->info.height, mem_calloc (frames_size_bytes (&in->info), 1) };
  bool ok = (image.rgb || no_memory (status)) && frames_get (source, n, image.rgb, end, status) &&
            (*end || copy_frame (&image, clip, first, status));
  image_clear (&image);
  return ok;
}

bool
extend_copy_frames (const ExtendInput *in,
                    ClipWriter *clip,
                    uint8_t *first,
                    const atomic_bool *cancel,
                    Status *status)
{
  const FrameLimits limits = { .cancel = cancel };
  bool end = false;
  if (!in->path)
    return true;
  if (!check_there (in->path, status))
    return false;
  FrameSource *source = open_frames (in->path, &limits, status);
  bool ok = source != NULL;
  if (ok && (source->info.width != in->info.width || source->info.height != in->info.height))
    ok = status_fail (status, STATUS_IO,
                      "\"%.300s\" has changed since the clip was begun: extend it once more.",
                      in->path);
  for (int n = 0; ok && !end; n++)
    ok = !frames_is_cancelled (&limits, status) &&
         copy_next (in, source, n, clip, first, &end, status);
  frames_close (source);
  return ok;
}

bool
extend_rate (const ExtendInput *in, FrameRate *rate)
{
  if (!in->path || !frame_rate_is_valid (in->info.rate))
    return false;
  *rate = in->info.rate;
  return true;
}

void
extend_clear (ExtendInput *in)
{
  mem_free (in->path);
  mem_free (in->latents);
  mem_free (in->rgb);
  mem_free (in->last);
  *in = (ExtendInput){ 0 };
}
