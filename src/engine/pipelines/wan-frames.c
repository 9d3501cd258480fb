/* SPDX-License-Identifier: MPL-2.0
 * wan-frames.c - pictures to the latents that Wan is shown, and its latents to frames.
 */
#include <string.h>

#include "core/mem.h"
#include "pipelines/digest.h"
#include "pipelines/wan-private.h"

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller or shorter clip.");
}

static ClipSize
clip_size (LatentShape s)
{
  return (ClipSize){ s.t, s.h, s.w };
}

static ClipVae
clip_vae (const Pipeline *pipeline, const PipelineJob *job)
{
  return (ClipVae){ .vae = wan_networks (pipeline)->vae,
                    .config = &pipeline->checkpoint->config.wan_vae,
                    .backend = pipeline->backend,
                    .compute = pipeline_compute (pipeline, job, NETWORK_VAE),
                    .tile_px = job->vae_tile,
                    .cancel = job->cancel };
}

/* The job's tiles, or those that a clip of its size is given. */
static bool
choose_tiles (ClipVae *v, ClipSize size, ClipDirection direction, Status *status)
{
  if (v->tile_px <= 0)
    v->tile_px = clip_vae_tile (v, size, direction, status);
  return v->tile_px >= 0;
}

typedef struct
{
  const PipelineJob *job;
  PipelinePhase phase;
} Progress;

static void
on_progress (void *data, int done, int total)
{
  const Progress *p = data;
  if (p->job->progress)
    p->job->progress (p->job->data, p->phase, done, total);
}

/* ---- what the network is shown ---- */

static const uint8_t *
first_frame (const PipelineJob *job)
{
  return job->first_is_past ? NULL : job->first_rgb;
}

static const uint8_t *
last_frame (const PipelineJob *job)
{
  return job->last_is_ahead ? NULL : job->last_rgb;
}

/* The job's pictures at both ends, mid-grey between. */
typedef struct
{
  const PipelineJob *job;
  int64_t n_frames;
} KnownFrames;

static bool
known_frame (void *data, int64_t index, float *pixels, Status *status)
{
  const KnownFrames *k = data;
  int64_t n = 3 * (int64_t) k->job->width * k->job->height;
  const uint8_t *rgb = index == 0                 ? first_frame (k->job)
                       : index == k->n_frames - 1 ? last_frame (k->job)
                                                  : NULL;
  for (int64_t i = 0; i < n; i++)
    pixels[i] = rgb ? (float) rgb[i] / 127.5f - 1.0f : 0;
  return true;
}

static uint64_t
known_key (const PipelineJob *job, ClipSize size, int tile)
{
  size_t n = 3 * (size_t) job->width * (size_t) job->height;
  uint64_t key = digest_int (digest_text (DIGEST_START, "wan-frames"), job->compute);
  key = digest_int (digest_int (digest_int (key, job->width), job->height), size.t);
  key = digest_int (digest_int (key, tile), first_frame (job) != NULL);
  if (first_frame (job))
    key = digest_bytes (key, first_frame (job), n);
  return last_frame (job) ? digest_bytes (key, last_frame (job), n) : key;
}

/* @latents: receives (channels, size.t, h, w) */
static bool
encode_known (
    Pipeline *pipeline, const PipelineJob *job, ClipSize size, float *latents, Status *status)
{
  ClipVae v = clip_vae (pipeline, job);
  Progress progress = { job, PHASE_ENCODE };
  KnownFrames known = { job, wan_vae_frames (size.t) };
  v.progress = on_progress;
  v.data = &progress;
  if (!choose_tiles (&v, size, CLIP_ENCODE, status))
    return false;
  size_t n = (size_t) (v.config->latent_channels * size.t * size.h * size.w);
  uint64_t key = known_key (job, size, v.tile_px);
  if (encoding_cache_get (&pipeline->cache, key, latents, n))
    return true;
  if (!clip_vae_encode (&v, size, known_frame, &known, latents, status))
    return false;
  encoding_cache_put (&pipeline->cache, key, latents, n);
  return true;
}

/* Four frames share a latent frame, the first has one for itself, which counts four times. */
static void
fill_mask (float *mask, const PipelineJob *job, LatentShape s)
{
  int64_t n = s.h * s.w;
  memset (mask, 0, (size_t) (WAN_MASK_CHANNELS * s.t * n) * sizeof *mask);
  for (int64_t k = 0; k < WAN_MASK_CHANNELS; k++)
    for (int64_t i = 0; first_frame (job) && i < n; i++)
      mask[k * s.t * n + i] = 1;
  float *last = mask + ((WAN_MASK_CHANNELS - 1) * s.t + s.t - 1) * n;
  for (int64_t i = 0; last_frame (job) && i < n; i++)
    last[i] = 1;
}

bool
wan_make_extra (Pipeline *pipeline,
                const PipelineJob *job,
                const Inpaint *inpaint,
                float **extra,
                Status *status)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  LatentShape s = pipeline_latent_shape (pipeline, job);
  ClipSize size = clip_size (s);
  bool alone = wan_expands_times (c);
  *extra = NULL;
  if (!first_frame (job) && !last_frame (job) && !wan_reads_known (c))
    return true;
  if (alone)
    size.t = 1;
  int64_t n_mask = alone ? 0 : WAN_MASK_CHANNELS * s.t * s.h * s.w;
  int64_t n = s.channels * size.t * s.h * s.w;
  int64_t n_image = wan_image_tokens (pipeline, job) * c->wan.image_dim;
  *extra = mem_calloc ((size_t) (n_mask + n + n_image), sizeof **extra);
  if (!*extra)
    return no_memory (status);
  if (!alone)
    fill_mask (*extra, job, s);
  return wan_look (pipeline, job, *extra + n_mask + n, status) &&
         encode_known (pipeline, job, size, *extra + n_mask, status);
}

/* ---- the clip before ---- */

typedef struct
{
  const uint8_t *rgb;
  int64_t frame_bytes;
} BeforeFrames;

static bool
before_frame (void *data, int64_t index, float *pixels, Status *status)
{
  const BeforeFrames *b = data;
  for (int64_t i = 0; i < b->frame_bytes; i++)
    pixels[i] = (float) b->rgb[index * b->frame_bytes + i] / 127.5f - 1.0f;
  return true;
}

typedef struct
{
  uint8_t *rgb;
  size_t n_bytes;
} Keep;

static ClipSize
before_size (const Pipeline *pipeline, const PipelineJob *job)
{
  ClipSize size = clip_size (pipeline_latent_shape (pipeline, job));
  size.t = job->n_before;
  return size;
}

bool
wan_encode_before (Pipeline *pipeline, const PipelineJob *job, float *latents, Status *status)
{
  ClipVae v = clip_vae (pipeline, job);
  ClipSize size = before_size (pipeline, job);
  Progress progress = { job, PHASE_ENCODE };
  BeforeFrames frames = { job->before_rgb, 3 * (int64_t) job->width * job->height };
  v.progress = on_progress;
  v.data = &progress;
  return choose_tiles (&v, size, CLIP_ENCODE, status) &&
         clip_vae_encode (&v, size, before_frame, &frames, latents, status);
}

static bool
keep_frame (void *data, int64_t index, const uint8_t *rgb, Status *status)
{
  const Keep *keep = data;
  memcpy (keep->rgb, rgb, keep->n_bytes);
  return true;
}

bool
wan_decode_before (Pipeline *pipeline, const PipelineJob *job, uint8_t *rgb, Status *status)
{
  ClipVae v = clip_vae (pipeline, job);
  ClipSize size = before_size (pipeline, job);
  Keep keep = { rgb, 3 * (size_t) job->width * (size_t) job->height };
  v.n_skip = wan_vae_frames (size.t) - 1;
  return choose_tiles (&v, size, CLIP_DECODE, status) &&
         clip_vae_decode (&v, size, job->before, keep_frame, &keep, status);
}

/* ---- frames ---- */

typedef struct
{
  const FrameSink *sink;
  int64_t n_before; /* frames of the clip before, which are not given again */
  int64_t next;     /* that has not been given yet */
} Frames;

static bool
take_frame (void *data, int64_t index, const uint8_t *rgb, Status *status)
{
  Frames *f = data;
  if (index < f->next)
    return true;
  f->next = index + 1;
  return f->sink->take (f->sink->data, rgb, (int) (index - f->n_before), 1, status);
}

/* In latents: with the clip before, so that the VAE remembers it. */
static ClipSize
decoded_size (const Pipeline *pipeline, const PipelineJob *job)
{
  ClipSize size = clip_size (pipeline_latent_shape (pipeline, job));
  size.t = clip_windows (job).total;
  return size;
}

static int64_t
before_frames (const PipelineJob *job)
{
  return job->n_before > 0 ? wan_vae_frames (job->n_before) : 0;
}

/* As for pictures: when other programs have taken the card's memory meanwhile, smaller tiles may
 * still do.  What has been given is not given again. */
static bool
decode_by_room (ClipVae *v, ClipSize size, const float *latent, Frames *frames, Status *status)
{
  for (;;)
    {
      Status own = { 0 };
      if (clip_vae_decode (v, size, latent, take_frame, frames, &own))
        return true;
      bool may_do = v->backend->device.memory && own.code == STATUS_NO_MEMORY;
      v->tile_px = may_do ? clip_vae_smaller_tile (v->tile_px) : 0;
      if (v->tile_px == 0)
        return status_fail (status, own.code, "%s", own.message);
    }
}

bool
wan_decode (Pipeline *pipeline,
            const PipelineJob *job,
            const float *latent,
            int tile_px,
            const FrameSink *sink,
            Status *status)
{
  ClipVae v = clip_vae (pipeline, job);
  Progress progress = { job, PHASE_DECODE };
  Frames frames = { sink, before_frames (job) };
  ClipSize size = decoded_size (pipeline, job);
  v.n_skip = frames.n_before;
  v.progress = on_progress;
  v.data = &progress;
  bool may_choose = tile_px < 0 && job->vae_tile <= 0;
  if (tile_px >= 0)
    v.tile_px = tile_px;
  else if (!choose_tiles (&v, size, CLIP_DECODE, status))
    return false;
  return may_choose ? decode_by_room (&v, size, latent, &frames, status)
                    : clip_vae_decode (&v, size, latent, take_frame, &frames, status);
}

static bool
plan_vae (
    const ClipVae *vae, ClipSize size, ClipDirection direction, PhasePlan *plan, Status *status)
{
  ClipVae v = *vae;
  PhasePlan one;
  if (!choose_tiles (&v, size, direction, status) ||
      !clip_vae_plan (&v, size, direction, &one, status))
    return false;
  plan_join (plan, &one);
  return true;
}

/* The clip before, where it is not known as latents, or not as the frame that CLIP is shown. */
static bool
plan_before (Pipeline *pipeline, const PipelineJob *job, PhasePlan *plan, Status *status)
{
  ClipVae v = clip_vae (pipeline, job);
  ClipSize size = before_size (pipeline, job);
  if (job->before_rgb)
    return plan_vae (&v, size, CLIP_ENCODE, plan, status);
  if (!wan_looks_at_latents (pipeline, job))
    return true;
  v.n_skip = wan_vae_frames (size.t) - 1;
  return plan_vae (&v, size, CLIP_DECODE, plan, status);
}

/* A clip's windows look at different pictures at its begin, at its end, and none between. */
static bool
plan_encoding (Pipeline *pipeline, const PipelineJob *job, PhasePlan *plan, Status *status)
{
  enum
  {
    KINDS = 3
  };
  const ModelConfig *c = &pipeline->checkpoint->config;
  const ClipWindows w = clip_windows (job);
  const ClipVae v = clip_vae (pipeline, job);
  ClipSize known = clip_size (pipeline_latent_shape (pipeline, job));
  known.t = wan_expands_times (c) ? 1 : w.length;
  int n = wan_reads_known (c) ? (w.n < KINDS ? w.n : KINDS) : job->first_rgb || job->last_rgb;
  for (int i = 0; i < n; i++)
    if (!plan_vae (&v, known, CLIP_ENCODE, plan, status))
      return false;
  return wan_plan_look (pipeline, job, plan, status) && plan_before (pipeline, job, plan, status);
}

bool
wan_plan_pixels (Pipeline *pipeline, const PipelineJob *job, PipelinePlan *plan, Status *status)
{
  ClipVae v = clip_vae (pipeline, job);
  ClipSize size = decoded_size (pipeline, job);
  PhasePlan *decode = &plan->phases[PHASE_DECODE];
  v.n_skip = before_frames (job);
  if (!choose_tiles (&v, size, CLIP_DECODE, status) ||
      !clip_vae_plan (&v, size, CLIP_DECODE, decode, status))
    return false;
  plan->vae_tile = v.tile_px;
  decode->n_passes *= job->batch_size;
  return plan_encoding (pipeline, job, &plan->phases[PHASE_ENCODE], status);
}
