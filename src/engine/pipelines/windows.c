/* SPDX-License-Identifier: MPL-2.0
 * windows.c - a clip that is longer than its model was trained for, in windows.
 *
 * Each window has the last latents of the one before at its front, finished: the way of SkyReels-V2
 * and of every program that extends clips.  The other way, one noise for the whole clip and
 * overlapping windows blended at each step (ComfyUI's context windows), keeps all latents in work
 * until the last step, gives motion no direction across windows, and could not go on from a clip
 * that is finished already.
 */
#include "models/wan-vae.h"
#include "pipelines/pipeline-private.h"

enum
{
  USUAL_OVERLAP = 5
};

static int64_t
window_length (const PipelineJob *job)
{
  bool is_long = job->window_frames > 0 && job->n_frames > job->window_frames;
  return wan_vae_latents (is_long ? job->window_frames : job->n_frames);
}

int
pipeline_overlap (const PipelineJob *job)
{
  int half = (int) window_length (job) / 2;
  if (job->n_overlap > 0)
    return job->n_overlap;
  int overlap = half < USUAL_OVERLAP ? half : USUAL_OVERLAP;
  if (job->n_before > 0 && overlap > job->n_before)
    overlap = job->n_before;
  return overlap > 1 ? overlap : 1;
}

ClipWindows
clip_windows (const PipelineJob *job)
{
  int64_t all = wan_vae_latents (job->n_frames), length = window_length (job);
  int64_t overlap = pipeline_overlap (job), step = length > overlap ? length - overlap : 1;
  int64_t first = job->n_before > 0 ? job->n_before - overlap : 0;
  return (ClipWindows){ .n = 1 + (int) ((all - length + step - 1) / step),
                        .length = length,
                        .total = first + all,
                        .n_before = job->n_before,
                        .first = first };
}

int64_t
clip_window_start (const ClipWindows *w, int index)
{
  int64_t way = w->total - w->first - w->length;
  return w->n > 1 ? w->first + index * way / (w->n - 1) : w->first;
}

int64_t
clip_window_known (const ClipWindows *w, int index)
{
  if (index == 0)
    return w->n_before - w->first;
  return clip_window_start (w, index - 1) + w->length - clip_window_start (w, index);
}

PipelineJob
clip_window_job (const PipelineJob *job, const ClipWindows *w, int index)
{
  PipelineJob one = *job;
  if (w->n > 1)
    one.n_frames = (int) wan_vae_frames (w->length);
  one.first_is_past = index > 0;
  one.last_is_ahead = index < w->n - 1;
  return one;
}
