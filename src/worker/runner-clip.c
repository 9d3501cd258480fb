/* SPDX-License-Identifier: MPL-2.0
 * runner-clip.c - from the last latent to a clip on the disk, frame by frame.
 *
 * Frames go to the file as they are decoded, so that memory does not grow with the clip.  The file
 * lies beside the journal until the client has taken it; died before that, the journal makes it
 * again.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "media/clip.h"
#include "pipelines/latents-file.h"
#include "worker/runner-private.h"

enum
{
  RATE_DEN = 1000 /* of a rate that is no whole number */
};

typedef struct
{
  char path[GESSO_PATH_SIZE];
  ClipWriter file;
  FilmInfo info;
  uint8_t *first; /* frame */
} Clip;

static FrameRate
rate_of (double fps)
{
  if (fps == (int) fps && fps >= 1)
    return (FrameRate){ (int) fps, 1 };
  return frame_rate_reduce ((FrameRate){ (int) (fps * RATE_DEN + 0.5), RATE_DEN });
}

static bool
take_frames (void *data, const uint8_t *rgb, int first, int n, Status *status)
{
  Clip *clip = data;
  size_t n_bytes = frames_size_bytes (&clip->info);
  if (clip->file.info.n_frames == 0)
    memcpy (clip->first, rgb, n_bytes);
  for (int i = 0; i < n; i++)
    if (!clip_writer_add (&clip->file, rgb + (size_t) i * n_bytes, status))
      return false;
  return true;
}

/* Beside the journal; without one, where temporary files go. */
static void
place (const RunnerBatch *spec, int index, char path[GESSO_PATH_SIZE])
{
  if (*spec->journal)
    snprintf (path, GESSO_PATH_SIZE, "%s-%d.gclip", spec->journal, index);
  else
    snprintf (path, GESSO_PATH_SIZE, P_tmpdir "/gesso-%ld-%s-%d.gclip", (long) getpid (),
              spec->name, index);
}

/* The frames of a clip that is extended, first in the new one. */
static bool
copy_before (Batch *b, Clip *clip, Status *status)
{
  return extend_copy_frames (&b->inputs.extend, &clip->file, clip->first, &b->spec->control->cancel,
                             status);
}

/* From the first frame: what an earlier try with larger tiles wrote is of no use. */
static bool
decode_clip (Batch *b, int index, void *data, Status *status)
{
  Clip *clip = data;
  const FrameSink sink = { take_frames, clip };
  clip_writer_discard (&clip->file);
  return clip_writer_open (&clip->file, clip->path, &clip->info, status) &&
         copy_before (b, clip, status) &&
         pipeline_run_decode_clip (b->run, index, b->tile_px, &sink, status);
}

static bool
add_latents (Batch *b, int index, Clip *clip, Status *status)
{
  size_t n_bytes;
  uint8_t *file = latents_file (pipeline_run_result (b->run), index, 1, &n_bytes, status);
  bool ok = file && clip_writer_add_latents (&clip->file, file, n_bytes, status);
  mem_free (file);
  return ok;
}

static bool
finish (Batch *b, int index, Clip *clip, Status *status)
{
  char *recipe = batch_picture_recipe (b, index, status);
  bool ok = recipe && add_latents (b, index, clip, status) &&
            clip_writer_add_recipe (&clip->file, recipe, status) &&
            clip_writer_commit (&clip->file, true, status) &&
            b->events->clip (b->events->data, index, clip->path, clip->first, clip->info.width,
                             clip->info.height, recipe, status);
  mem_free (recipe);
  return ok;
}

bool
batch_make_clip (Batch *b, int index, Status *status)
{
  double began = clock_seconds ();
  Clip clip = { .info = { b->job.width, b->job.height, rate_of (b->job.fps), b->job.n_frames } };
  extend_rate (&b->inputs.extend, &clip.info.rate);
  place (b->spec, index, clip.path);
  clip.first = mem_calloc (frames_size_bytes (&clip.info), 1);
  bool ok = clip.first
                ? batch_decode_one (b, index, decode_clip, &clip, status)
                : status_fail (status, STATUS_NO_MEMORY,
                               "There is no memory for the clip: close other programs and retry, "
                               "the batch goes on from its last step.");
  if (ok)
    {
      b->runner->eta.decode = clock_seconds () - began;
      b->n_decoded++;
      ok = finish (b, index, &clip, status);
    }
  clip_writer_discard (&clip.file);
  mem_free (clip.first);
  return ok;
}
