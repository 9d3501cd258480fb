/* SPDX-License-Identifier: MPL-2.0
 * wan-denoise.c - one call of Wan's transformer as samplers see it: noisy latents in, x0 out.
 *
 * Clips of a batch are made one after the other, and so are the two texts: a clip alone is big
 * enough.  Of two experts only the one at work has memory of its own; the files of both stay
 * mapped.  The second one's pages are read in the background while the first does its last steps,
 * where there is room for both; the first one's are given back once it is done.
 */
#include <string.h>

#include "core/mem.h"
#include "core/trace.h"
#include "pipelines/wan-private.h"
#include "samplers/guidance.h"
#include "weights/prefetch.h"

enum
{
  STEPS_AHEAD = 2 /* before the second expert takes over, the reading of its weights begins */
};

static const double TIMES = 1000; /* timesteps of a noise level of 1 */

typedef struct
{
  PipelineDenoiser base;
  const WanText *text;
  WanGrid grid;
  int64_t n_noise, n_in; /* a token's values of noise, and all that enter */
  int expert;            /* whose pass is planned in base.ctx */
  const Schedule *schedule;
  Prefetch *prefetch; /* of the second expert, while the first is at work */
  bool has_prefetched;
  float *tokens;    /* (tokens, n_in) */
  float *positions; /* (tokens, head_dim) */
  float *times;     /* (n_times): one, or one for each latent frame */
  int64_t n_times;
  float *latent;      /* (channels, t, h, w): with a time for each frame, what the network sees */
  const float *extra; /* as wan_make_extra made it, borrowed, or NULL */
  float *shown;       /* NULL, or (extra channels, t, h, w): the same with what is known in it */
  const float *image; /* (n_image, image_dim): what CLIP saw, borrowed */
  int64_t n_image;    /* 0: the model does not ask */
  float *velocity;    /* (channels, t, h, w) */
  float *answer;      /* (texts, channels, t, h, w): x0 */
} WanDenoiser;

static const WanConfig *
config_of (const WanDenoiser *d)
{
  return &d->base.pipeline->checkpoint->config.wan;
}

static int64_t
frame_size (const WanDenoiser *d)
{
  return d->base.h * d->base.w;
}

static int64_t
latent_size (const WanDenoiser *d)
{
  return d->base.channels * d->base.t * frame_size (d);
}

static int64_t
n_tokens (const WanDenoiser *d)
{
  return d->grid.t * d->grid.h * d->grid.w;
}

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller or shorter clip.");
}

/* Channels that the network reads besides the noise. */
static int64_t
n_extra (const WanDenoiser *d)
{
  return config_of (d)->in_channels - config_of (d)->out_channels;
}

static Tensor *
forward (WanDenoiser *d, int text)
{
  const WanConfig *c = config_of (d);
  Ctx *ctx = d->base.ctx;
  int64_t n = n_tokens (d);
  DType type = ctx_activation (ctx);
  WanInputs in = {
    .tokens = ctx_input (ctx, type, 3, (int64_t[]){ 1, n, d->n_in }, d->tokens),
    .times = ctx_input (ctx, DTYPE_F32, 1, &d->n_times, d->times),
    .text = ctx_input (ctx, type, 3, (int64_t[]){ 1, d->text->length, c->text_dim },
                       d->text->texts[text].states),
    .positions = ctx_input (ctx, DTYPE_F32, 2, (int64_t[]){ n, c->head_dim }, d->positions),
  };
  if (d->n_image > 0)
    in.image = ctx_input (ctx, type, 3, (int64_t[]){ 1, d->n_image, c->image_dim },
                          (float *) (uintptr_t) d->image);
  return wan_forward (ctx, wan_networks (d->base.pipeline)->experts[d->expert], &in);
}

/* ---- the second expert's weights ---- */

static bool
is_of_first (const char *name)
{
  static const char prefix[] = "transformer.";
  return strncmp (name, prefix, sizeof prefix - 1) == 0;
}

static void
prefetch (WanDenoiser *d)
{
  const WeightSet *set = d->base.pipeline->checkpoint->weights;
  static const char *const expert[] = { "expert.", NULL };
  d->has_prefetched = true;
  d->prefetch = prefetch_start (set, expert, prefetch_room (set, "transformer."));
}

/* What has not been read by now is read where it is used. */
static void
take_over (WanDenoiser *d)
{
  prefetch_stop (d->prefetch);
  d->prefetch = NULL;
  if (d->schedule)
    weights_wont_need (d->base.pipeline->checkpoint->weights, is_of_first);
}

/* Whether the second expert does one of the steps that come soon; @step counts from 1. */
static bool
is_soon (const WanDenoiser *d, int step)
{
  double boundary = d->base.job->boundary * TIMES;
  bool found = false;
  for (int i = step; i < d->schedule->n && i < step + STEPS_AHEAD; i++)
    found |= (double) d->schedule->timestep[i] < boundary;
  return found;
}

/* ---- making and freeing ---- */

/* Both texts are of one length, so that they share a plan; two experts may have other adapters. */
static bool
measure (WanDenoiser *d, int expert, Status *status)
{
  const PipelineJob *job = d->base.job;
  trace_write (d->base.ctx, phase_name (PHASE_DENOISE));
  ctx_free (d->base.ctx);
  d->expert = expert;
  if (expert == 1)
    take_over (d);
  else
    d->has_prefetched = false; /* another window of the clip begins */
  Compute compute = pipeline_compute (d->base.pipeline, job, NETWORK_TRANSFORMER);
  d->base.ctx = ctx_new (d->base.pipeline->backend, compute, job->cancel, status);
  if (!d->base.ctx)
    return false;
  forward (d, 0);
  return ctx_plan (d->base.ctx) || copy_ctx_status (d->base.ctx, status);
}

static bool
allocate (WanDenoiser *d, Status *status)
{
  const WanConfig *c = config_of (d);
  size_t n = (size_t) latent_size (d), tokens = (size_t) n_tokens (d);
  d->tokens = mem_calloc (tokens * (size_t) d->n_in, sizeof (float));
  d->positions = mem_calloc (tokens * (size_t) c->head_dim, sizeof (float));
  d->times = mem_calloc ((size_t) d->n_times, sizeof (float));
  d->latent = mem_calloc (n, sizeof (float));
  d->velocity = mem_calloc (n, sizeof (float));
  d->answer = mem_calloc (n * (size_t) d->text->n_texts, sizeof (float));
  size_t n_shown = (size_t) (n_extra (d) * d->base.t * frame_size (d));
  d->shown = n_shown > 0 ? mem_calloc (n_shown, sizeof (float)) : NULL;
  return (d->tokens && d->positions && d->times && d->latent && d->velocity && d->answer &&
          (d->shown || n_shown == 0)) ||
         no_memory (status);
}

static bool
check_fit (const WanDenoiser *d, Status *status)
{
  const ModelConfig *m = &d->base.pipeline->checkpoint->config;
  const WanConfig *c = &m->wan;
  if (m->wan_vae.latent_channels != c->out_channels)
    return status_fail (
        status, STATUS_SHAPE,
        "The VAE's latents have %d channels, but this Wan model makes %d: the files "
        "do not belong together.",
        m->wan_vae.latent_channels, c->out_channels);
  return true;
}

/* How many of the steps each expert does cannot be known without the schedule: weights count for
 * both, time is the same. */
static void
plan_denoising (WanDenoiser *d, PhasePlan *plan)
{
  const PipelineJob *job = d->base.job;
  int n_calls = job->steps * sampler_info (job->sampler)->calls_per_step;
  plan_phase (d->base.ctx, plan, n_calls * d->text->n_texts * (int) d->base.n_pictures);
  if (wan_networks (d->base.pipeline)->experts[1])
    plan->weight_bytes *= 2;
}

PipelineDenoiser *
wan_denoiser_new (Pipeline *pipeline,
                  const PipelineJob *job,
                  const PipelineText *text,
                  const Sampler *sampler,
                  PhasePlan *plan,
                  Status *status)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  LatentShape s = pipeline_latent_shape (pipeline, job);
  WanDenoiser *d = mem_calloc (1, sizeof *d);
  if (!d)
    {
      no_memory (status);
      return NULL;
    }
  *d = (WanDenoiser){ .base = { .pipeline = pipeline,
                                .job = job,
                                .n_pictures = job->batch_size,
                                .channels = s.channels,
                                .t = s.t,
                                .h = s.h,
                                .w = s.w },
                      .schedule = sampler ? sampler->schedule : NULL,
                      .text = (const WanText *) text,
                      .grid = { s.t, s.h / WAN_PATCH, s.w / WAN_PATCH },
                      .n_noise = WAN_PATCH * WAN_PATCH * s.channels,
                      .n_in = (int64_t) WAN_PATCH * WAN_PATCH * c->wan.in_channels,
                      .n_image = ((const WanText *) text)->n_image,
                      .n_times = wan_expands_times (c) ? s.t : 1 };
  bool ok = check_fit (d, status) && measure (d, 0, status);
  if (ok && plan)
    plan_denoising (d, plan);
  else
    ok = ok && allocate (d, status);
  if (!ok || plan)
    {
      wan_denoiser_free (&d->base);
      return NULL;
    }
  wan_positions (d->positions, &c->wan, d->grid);
  return &d->base;
}

void
wan_denoiser_free (PipelineDenoiser *denoiser)
{
  WanDenoiser *d = (WanDenoiser *) denoiser;
  if (!d)
    return;
  trace_write (d->base.ctx, phase_name (PHASE_DENOISE));
  prefetch_stop (d->prefetch);
  ctx_free (d->base.ctx);
  mem_free (d->tokens);
  mem_free (d->positions);
  mem_free (d->times);
  mem_free (d->latent);
  mem_free (d->velocity);
  mem_free (d->answer);
  mem_free (d->shown);
  mem_free (d);
}

/* The texts are the same in all steps. */
void
wan_denoiser_set_step (PipelineDenoiser *denoiser, int step)
{
  WanDenoiser *d = (WanDenoiser *) denoiser;
  bool has_two = wan_networks (d->base.pipeline)->experts[1] != NULL;
  if (has_two && d->expert == 0 && !d->has_prefetched && is_soon (d, step))
    prefetch (d);
}

void
wan_denoiser_set_extra (PipelineDenoiser *denoiser, const float *extra)
{
  WanDenoiser *d = (WanDenoiser *) denoiser;
  d->extra = extra;
  if (d->n_image > 0)
    d->image = extra + n_extra (d) * d->base.t * frame_size (d);
}

/* ---- a call ---- */

/* What is known of clip @picture: the end of the window before, else a first frame that has a time
 * of its own, alike in all clips. */
static KnownLatents
known_of (const WanDenoiser *d, int64_t picture)
{
  KnownLatents known = d->base.known;
  if (known.n > 0)
    known.values += picture * known.picture_stride;
  else if (d->extra && !d->shown)
    known = (KnownLatents){ .values = d->extra, .n = 1, .channel_stride = frame_size (d) };
  return known;
}

/* The known frames in place of @latent's. */
static void
put_known (const WanDenoiser *d, const KnownLatents *known, float *latent)
{
  int64_t n = frame_size (d);
  for (int64_t c = 0; known->n > 0 && c < d->base.channels; c++)
    memcpy (latent + c * d->base.t * n, known->values + c * known->channel_stride,
            (size_t) (known->n * n) * sizeof *latent);
}

/* The mask and the latents that the network reads, with what is known in both. */
static void
show_known (WanDenoiser *d, const KnownLatents *known)
{
  int64_t n = frame_size (d), t = d->base.t;
  memcpy (d->shown, d->extra, (size_t) (n_extra (d) * t * n) * sizeof *d->shown);
  for (int64_t k = 0; known->n > 0 && k < WAN_MASK_CHANNELS; k++)
    for (int64_t i = 0; i < known->n * n; i++)
      d->shown[k * t * n + i] = 1;
  put_known (d, known, d->shown + WAN_MASK_CHANNELS * t * n);
  wan_patchify (d->tokens + d->n_noise, d->n_in, d->shown, d->grid, n_extra (d));
}

/* With a time for each frame what is known has no noise, and time 0.  Elsewhere the network sees it
 * noised: x0 being what is known at every step, x has gone straight from noise to it. */
static void
fill_inputs (WanDenoiser *d, const KnownLatents *known, const float *x, double timestep)
{
  bool alone = d->n_times > 1;
  for (int64_t i = 0; i < d->n_times; i++)
    d->times[i] = alone && i < known->n ? 0 : (float) timestep;
  memcpy (d->latent, x, (size_t) latent_size (d) * sizeof *x);
  if (alone)
    put_known (d, known, d->latent);
  if (d->shown)
    show_known (d, known);
  wan_patchify (d->tokens, d->n_in, d->latent, d->grid, d->base.channels);
}

/* x0 of a clip under one text, into @out. */
static bool
ask (WanDenoiser *d, int text, const float *x, double sigma, float *out, Status *status)
{
  Tensor *answer = ctx_begin_run (d->base.ctx) ? forward (d, text) : NULL;
  const float *tokens = ctx_end_run (d->base.ctx) ? ctx_read (d->base.ctx, answer) : NULL;
  if (!tokens)
    return copy_ctx_status (d->base.ctx, status);
  wan_unpatchify (d->velocity, tokens, d->grid, d->base.channels);
  prediction_to_x0 (PREDICTION_FLOW, out, x, d->velocity, sigma, latent_size (d));
  return true;
}

static bool
denoise_one (WanDenoiser *d,
             int64_t picture,
             const float *x,
             double sigma,
             double timestep,
             double scale,
             float *x0,
             Status *status)
{
  int64_t n = latent_size (d);
  int n_texts = scale > 1 ? d->text->n_texts : 1;
  const KnownLatents known = known_of (d, picture);
  fill_inputs (d, &known, x, timestep);
  for (int i = 0; i < n_texts; i++)
    if (!ask (d, i, x, sigma, d->answer + i * n, status))
      return false;
  if (n_texts == 1)
    memcpy (x0, d->answer, (size_t) n * sizeof *x0);
  else
    {
      guidance_cfg (x0, d->answer, d->answer + n, scale, n);
      guidance_rescale (x0, d->answer, x, sigma, PREDICTION_FLOW, d->base.job->guidance_rescale, 1,
                        n);
    }
  put_known (d, &known, x0);
  return true;
}

bool
wan_denoise (PipelineDenoiser *denoiser,
             const float *x,
             double sigma,
             double timestep,
             float *x0,
             Status *status)
{
  WanDenoiser *d = (WanDenoiser *) denoiser;
  const PipelineJob *job = d->base.job;
  int64_t n = latent_size (d);
  bool has_two = wan_networks (d->base.pipeline)->experts[1] != NULL;
  int expert = has_two && timestep < job->boundary * TIMES ? 1 : 0;
  double scale = expert == 1 ? job->guidance_scale_2 : job->guidance_scale;
  if (expert != d->expert && !measure (d, expert, status))
    return false;
  for (int64_t p = 0; p < d->base.n_pictures; p++)
    if (!denoise_one (d, p, x + p * n, sigma, timestep, scale, x0 + p * n, status))
      return false;
  return true;
}
