/* SPDX-License-Identifier: MPL-2.0
 * run-windows.c - a run's clip: windows that are finished, and the one at work.
 */
#include <string.h>

#include "core/mem.h"
#include "pipelines/run-private.h"

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller or shorter clip.");
}

static int64_t
frame_size (const PipelineRun *r)
{
  return (int64_t) r->info.latent_height * r->info.latent_width;
}

/* Copies latent frames of all channels between clips of other lengths. */
static void
copy_frames (const PipelineRun *r,
             float *to,
             int64_t to_frames,
             int64_t to_first,
             const float *from,
             int64_t from_frames,
             int64_t from_first,
             int64_t n_frames)
{
  int64_t n = frame_size (r);
  for (int64_t c = 0; c < r->info.latent_channels; c++)
    memcpy (to + (c * to_frames + to_first) * n, from + (c * from_frames + from_first) * n,
            (size_t) (n_frames * n) * sizeof *to);
}

static bool
take_before (PipelineRun *r, Status *status)
{
  const PipelineJob *job = &r->whole;
  const ClipWindows *w = &r->windows;
  float *encoded = NULL;
  if (!job->before)
    {
      encoded = mem_calloc ((size_t) (r->info.latent_channels * w->n_before * frame_size (r)),
                            sizeof *encoded);
      if (!encoded)
        return no_memory (status);
      if (!r->pipeline->family->encode_before (r->pipeline, job, encoded, status))
        {
          mem_free (encoded);
          return false;
        }
    }
  for (int p = 0; p < job->batch_size; p++)
    copy_frames (r, r->clip + p * r->n_clip, w->total, 0, encoded ? encoded : job->before,
                 w->n_before, 0, w->n_before);
  mem_free (encoded);
  return true;
}

bool
run_make_clip (PipelineRun *r, Status *status)
{
  const ClipWindows *w = &r->windows;
  r->n_clip = r->info.latent_channels * w->total * frame_size (r);
  if (w->n == 1 && w->n_before == 0)
    return true;
  r->clip = mem_calloc ((size_t) r->n_clip * (size_t) r->whole.batch_size, sizeof *r->clip);
  if (!r->clip)
    return no_memory (status);
  r->info.latents = r->clip;
  return w->n_before == 0 || take_before (r, status);
}

static int
window_of_kind (const PipelineRun *r, ExtraKind kind)
{
  return kind == EXTRA_FIRST ? 0 : kind == EXTRA_LAST ? r->windows.n - 1 : 1;
}

static ExtraKind
extra_kind (const PipelineRun *r)
{
  return r->window == 0 ? EXTRA_FIRST : r->window < r->windows.n - 1 ? EXTRA_MIDDLE : EXTRA_LAST;
}

bool
run_make_extras (PipelineRun *r, Status *status)
{
  const PipelineFamily *family = r->pipeline->family;
  for (int kind = 0; kind < EXTRA_COUNT && kind < r->windows.n; kind++)
    {
      /* two windows are the first and the last */
      ExtraKind which = kind == 1 && r->windows.n == 2 ? EXTRA_LAST : (ExtraKind) kind;
      PipelineJob job = clip_window_job (&r->whole, &r->windows, window_of_kind (r, which));
      if (!family->make_extra (r->pipeline, &job, &r->inpaint, &r->extras[which], status))
        return false;
    }
  return true;
}

const float *
run_extra (const PipelineRun *r)
{
  return r->extras[extra_kind (r)];
}

KnownLatents
run_known (const PipelineRun *r)
{
  int64_t n = clip_window_known (&r->windows, r->window);
  if (n == 0)
    return (KnownLatents){ 0 };
  int64_t start = clip_window_start (&r->windows, r->window);
  return (KnownLatents){ .values = r->clip + start * frame_size (r),
                         .n = n,
                         .channel_stride = r->windows.total * frame_size (r),
                         .picture_stride = r->n_clip };
}

/* The seeds' generators go on; the sampler forgets the window before. */
static void
begin_window (PipelineRun *r)
{
  r->window++;
  sampler_restart (&r->sampler);
  run_draw_noise (r);
  brownian_free (r->path); /* of the window before */
  r->path = NULL;
  if (!r->denoiser)
    return;
  r->denoiser->known = run_known (r);
  r->pipeline->family->denoiser_set_extra (r->denoiser, run_extra (r));
}

void
run_end_window (PipelineRun *r)
{
  const ClipWindows *w = &r->windows;
  int64_t start = clip_window_start (w, r->window), known = clip_window_known (w, r->window);
  for (int p = 0; r->clip && p < r->whole.batch_size; p++)
    copy_frames (r, r->clip + p * r->n_clip, w->total, start + known, r->x + p * r->n_values,
                 w->length, known, w->length - known);
  if (r->window + 1 < w->n)
    begin_window (r);
}

/* ---- what is saved ---- */

static int64_t
new_frames (const PipelineRun *r)
{
  return r->clip ? r->windows.total - r->windows.n_before : 0;
}

static int64_t
new_values (const PipelineRun *r)
{
  return r->info.latent_channels * new_frames (r) * frame_size (r);
}

size_t
run_clip_new (const PipelineRun *r)
{
  return (size_t) new_values (r) * (size_t) r->whole.batch_size;
}

void
run_clip_save (const PipelineRun *r, float *values)
{
  for (int p = 0; r->clip && p < r->whole.batch_size; p++)
    copy_frames (r, values + p * new_values (r), new_frames (r), 0, r->clip + p * r->n_clip,
                 r->windows.total, r->windows.n_before, new_frames (r));
}

void
run_clip_restore (PipelineRun *r, const float *values)
{
  for (int p = 0; r->clip && p < r->whole.batch_size; p++)
    copy_frames (r, r->clip + p * r->n_clip, r->windows.total, r->windows.n_before,
                 values + p * new_values (r), new_frames (r), 0, new_frames (r));
}

/* ---- preview ---- */

float *
run_preview_latents (const PipelineRun *r, int64_t *t)
{
  const ClipWindows *w = &r->windows;
  int64_t made = clip_window_start (w, r->window) - w->first;
  *t = made + w->length;
  if (made == 0)
    return NULL;
  float *all = mem_calloc ((size_t) (r->info.latent_channels * *t * frame_size (r)), sizeof *all);
  if (!all)
    return NULL;
  copy_frames (r, all, *t, 0, r->clip, w->total, w->first, made);
  copy_frames (r, all, *t, made, r->last_x0, w->length, 0, w->length);
  return all;
}
