/* SPDX-License-Identifier: MPL-2.0
 * sd-denoise.c - one call of the U-Net as samplers see it: noisy latents in, guided x0 out.
 *
 * Inpainting checkpoints read the mask and the picture without its masked part behind the latent.
 *
 * The batch holds one row per part of the prompt (AND) and one for the negative prompt, the last,
 * for each picture: row = part * n_pictures + picture.  So the pictures, which have the same texts,
 * share their keys and values.
 */
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "core/trace.h"
#include "pipelines/sd-private.h"
#include "samplers/guidance.h"

enum
{
  N_SIZES = 6 /* SDXL: original height, width, crop top, left, target height, width */
};

typedef struct
{
  PipelineDenoiser base;
  const SdText *text;
  int64_t n_rows; /* a picture: the texts at work */
  bool guided;
  SdControls controls;
  const Sampler *sampler; /* NULL when only planning */
  int step;               /* from 0 */
  unsigned active;        /* which controls the Ctx was measured with */
  SdKeys keys;
  float *x, *t, *vector; /* inputs of the network, all rows */
  float *context;        /* (n_rows, length, context_dim), for all pictures */
  int *row_text;         /* which text a row of it is, -1: none yet */
  float *out;            /* its output as (rows, channels, h, w) */
  const float *extra; /* what an inpainting checkpoint reads besides: (in - out channels, h, w) */
} SdDenoiser;

static int64_t
latent_size (const SdDenoiser *d)
{
  return d->base.channels * d->base.h * d->base.w;
}

static Tensor *
forward (SdDenoiser *d)
{
  const UnetConfig *c = &d->base.pipeline->checkpoint->config.unet;
  int64_t n = d->base.n_pictures * d->n_rows;
  Ctx *ctx = d->base.ctx;
  DType type = ctx_activation (ctx);
  Tensor *x =
      ctx_input (ctx, type, 4, (int64_t[]){ n, d->base.h, d->base.w, c->in_channels }, d->x);
  Tensor *t = ctx_input (ctx, DTYPE_F32, 1, &n, d->t);
  Tensor *vector = NULL;
  if (c->adm_dim > 0)
    vector = ctx_input (ctx, type, 2, (int64_t[]){ n, c->adm_dim }, d->vector);
  const Unet *unet = sd_networks (d->base.pipeline)->unet;
  UnetControl control = { .mid = NULL };
  sd_controls_forward (ctx, &d->controls, d->active, x, t, d->keys.pairs + unet_n_keys (unet),
                       vector, &control);
  return unet_forward_with_keys (ctx, unet, x, t, d->keys.pairs, vector, &control);
}

static SdContext
context_of (const SdDenoiser *d)
{
  return (SdContext){ .unet = sd_networks (d->base.pipeline)->unet,
                      .controls = &d->controls,
                      .n_rows = d->n_rows,
                      .length = d->text->length,
                      .dim = d->text->context_dim,
                      .values = d->context };
}

/* The pooled text, then a sinusoid for each of the six size numbers (Podell et al. 2023, 2.2). */
static void
fill_vector (const SdDenoiser *d, float *row, const float *pooled)
{
  const UnetConfig *c = &d->base.pipeline->checkpoint->config.unet;
  const PipelineJob *job = d->base.job;
  const SdSizes *z = &job->sizes;
  const float sizes[N_SIZES] = { (float) (z->original_height ? z->original_height : job->height),
                                 (float) (z->original_width ? z->original_width : job->width),
                                 (float) z->crop_top,
                                 (float) z->crop_left,
                                 (float) (z->target_height ? z->target_height : job->height),
                                 (float) (z->target_width ? z->target_width : job->width) };
  int64_t n_pooled = c->adm_dim - N_SIZES * c->adm_time_dim, half = c->adm_time_dim / 2;
  memcpy (row, pooled, (size_t) n_pooled * sizeof *row);
  for (int s = 0; s < N_SIZES; s++)
    for (int64_t i = 0; i < half; i++)
      {
        double angle = sizes[s] * exp (-log (10000.0) * (double) i / (double) half);
        float *at = row + n_pooled + s * c->adm_time_dim + i;
        at[0] = (float) cos (angle);
        at[half] = (float) sin (angle);
      }
}

static void
fill_row (SdDenoiser *d, int64_t row, int text)
{
  int64_t n = d->text->length * d->text->context_dim;
  if (d->row_text[row] == text)
    return;
  d->row_text[row] = text;
  d->keys.are_made = false;
  memcpy (d->context + row * n, d->text->context + text * n, (size_t) n * sizeof (float));
  int64_t n_vector = d->base.pipeline->checkpoint->config.unet.adm_dim;
  for (int64_t p = 0; d->vector && p < d->base.n_pictures; p++)
    fill_vector (d, d->vector + (row * d->base.n_pictures + p) * n_vector,
                 d->text->pooled + text * d->text->pooled_dim);
}

void
sd_denoiser_set_step (PipelineDenoiser *denoiser, int step)
{
  SdDenoiser *d = (SdDenoiser *) denoiser;
  const SdPrompts *p = &d->text->prompts;
  d->step = step - 1;
  for (int k = 0; k < p->n_positive; k++)
    fill_row (d, k, sd_part_text (&p->positive[k], step));
  if (d->guided)
    fill_row (d, d->n_rows - 1, sd_part_text (&p->negative, step));
}

/* Before the next call, as after a change of text. */
bool
sd_denoiser_renew (PipelineDenoiser *denoiser, Status *status)
{
  ((SdDenoiser *) denoiser)->keys.are_made = false;
  return true;
}

void
sd_denoiser_set_extra (PipelineDenoiser *denoiser, const float *extra)
{
  ((SdDenoiser *) denoiser)->extra = extra;
}

/* The mask, 0 or 1, then the latent of the picture with grey in its place: (1 + channels, h, w). */
bool
sd_make_extra (Pipeline *pipeline,
               const PipelineJob *job,
               const Inpaint *inpaint,
               float **extra,
               Status *status)
{
  if (!sd_reads_mask (&pipeline->checkpoint->config))
    return true;
  float *out = mem_calloc ((size_t) ((1 + inpaint->channels) * inpaint->n_pixels), sizeof *out);
  *extra = out;
  if (!out)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller picture.");
  for (int64_t i = 0; i < inpaint->n_pixels; i++)
    out[i] = rintf (inpaint->mask[i]);
  return pipeline_vae_latent (pipeline, job, job->init_rgb, job->mask, job->height, job->width,
                              out + inpaint->n_pixels, status);
}

/* The start picture, and once more without its masked part for a network that reads it. */
int
sd_n_encodes (const Pipeline *pipeline, const PipelineJob *job)
{
  if (!job->init_rgb)
    return 0;
  return sd_reads_mask (&pipeline->checkpoint->config) ? 2 : 1;
}

static bool
allocate (SdDenoiser *d, Status *status)
{
  const UnetConfig *c = &d->base.pipeline->checkpoint->config.unet;
  size_t n = (size_t) (d->base.n_pictures * d->n_rows), pixels = (size_t) (d->base.h * d->base.w);
  d->x = mem_calloc (n * pixels * (size_t) c->in_channels, sizeof (float));
  d->out = mem_calloc (n * pixels * (size_t) c->out_channels, sizeof (float));
  d->t = mem_calloc (n, sizeof (float));
  d->context = mem_calloc ((size_t) (d->n_rows * d->text->length * c->context_dim), sizeof (float));
  if (c->adm_dim > 0)
    d->vector = mem_calloc (n * (size_t) c->adm_dim, sizeof (float));
  d->row_text = mem_calloc ((size_t) d->n_rows, sizeof *d->row_text);
  for (int64_t i = 0; d->row_text && i < d->n_rows; i++)
    d->row_text[i] = -1;
  bool ok = d->x && d->out && d->t && d->context && d->row_text;
  if (!ok || (c->adm_dim > 0 && !d->vector))
    return status_fail (status, STATUS_NO_MEMORY,
                        "Out of memory: choose a smaller picture or batch.");
  return true;
}

/* A pass with these controls, in place of the one before. */
static bool
measure (SdDenoiser *d, unsigned active, Status *status)
{
  const PipelineJob *job = d->base.job;
  Compute compute = pipeline_compute (d->base.pipeline, job, NETWORK_UNET);
  trace_write (d->base.ctx, phase_name (PHASE_DENOISE));
  ctx_free (d->base.ctx);
  d->base.ctx = ctx_new (d->base.pipeline->backend, compute, job->cancel, status);
  if (!d->base.ctx)
    return false;
  d->active = active;
  forward (d);
  return ctx_plan (d->base.ctx) || copy_ctx_status (d->base.ctx, status);
}

/* Keys first: the pass borrows them. */
static bool
measure_keys (SdDenoiser *d, Status *status)
{
  const SdContext context = context_of (d);
  return sd_keys_init (&d->keys, d->base.pipeline, d->base.job, &context, status);
}

/* What each step's controls need; steps with the same ones take the same pass. */
static bool
plan_steps (
    SdDenoiser *d, const NoiseTable *table, const Schedule *s, PhasePlan *plan, Status *status)
{
  const PipelineJob *job = d->base.job;
  int n_calls = sampler_info (job->sampler)->calls_per_step;
  *plan = (PhasePlan){ .n_passes = 0 };
  for (int i = 0; i < s->n;)
    {
      unsigned active = sd_controls_active (job, table, i, s->n, s->sigma[i]);
      int first = i;
      while (i < s->n && sd_controls_active (job, table, i, s->n, s->sigma[i]) == active)
        i++;
      PhasePlan pass;
      if (!measure (d, active, status))
        return false;
      plan_phase (d->base.ctx, &pass, (i - first) * n_calls);
      plan_join (plan, &pass);
    }
  return true;
}

static bool
plan_controlled (SdDenoiser *d, const PhasePlan *hints, PhasePlan *plan, Status *status)
{
  NoiseTable table;
  Schedule schedule = { .n = 0 };
  bool ok = pipeline_schedule (d->base.pipeline, d->base.job, &table, &schedule, status) &&
            plan_steps (d, &table, &schedule, plan, status);
  schedule_clear (&schedule);
  if (!ok)
    return false;
  sd_keys_plan (&d->keys, plan);
  sd_controls_plan (hints, plan);
  return true;
}

static bool
plan_denoiser (SdDenoiser *d, const PhasePlan *hints, PhasePlan *plan, Status *status)
{
  const PipelineJob *job = d->base.job;
  if (job->n_controls > 0)
    return plan_controlled (d, hints, plan, status);
  if (!measure (d, 0, status))
    return false;
  plan_phase (d->base.ctx, plan, job->steps * sampler_info (job->sampler)->calls_per_step);
  sd_keys_plan (&d->keys, plan);
  return true;
}

/* The text encoders' width must be the U-Net's, or a wrong pair of files was joined. */
static bool
check_fit (const SdDenoiser *d, Status *status)
{
  const UnetConfig *c = &d->base.pipeline->checkpoint->config.unet;
  if (d->text->context_dim != c->context_dim)
    return status_fail (
        status, STATUS_SHAPE,
        "The text encoder gives %lld values a token but the U-Net takes %d: the files "
        "do not belong together.",
        (long long) d->text->context_dim, c->context_dim);
  if (c->adm_dim > 0 && d->text->pooled_dim + N_SIZES * c->adm_time_dim != c->adm_dim)
    return status_fail (
        status, STATUS_SHAPE,
        "The pooled text has %lld values, which does not fit this U-Net's %d: the files "
        "do not belong together.",
        (long long) d->text->pooled_dim, c->adm_dim);
  return true;
}

PipelineDenoiser *
sd_denoiser_new (Pipeline *pipeline,
                 const PipelineJob *job,
                 const PipelineText *pipeline_text,
                 const Sampler *sampler,
                 PhasePlan *plan,
                 Status *status)
{
  const SdText *text = (const SdText *) pipeline_text;
  SdDenoiser *d = mem_calloc (1, sizeof *d);
  if (!d)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  int f = vae_factor (&pipeline->checkpoint->config.vae);
  *d = (SdDenoiser){ .base = { .pipeline = pipeline,
                               .job = job,
                               .n_pictures = job->batch_size,
                               .channels = pipeline->checkpoint->config.unet.out_channels,
                               .h = job->height / f,
                               .w = job->width / f },
                     .text = text,
                     .sampler = sampler,
                     .guided = text->prompts.negative.n_switches > 0 };
  d->n_rows = text->prompts.n_positive + (d->guided ? 1 : 0);
  PhasePlan hints = { .n_passes = 0 };
  bool ok = check_fit (d, status) &&
            sd_controls_init (&d->controls, pipeline, job, plan ? &hints : NULL, status) &&
            measure_keys (d, status) &&
            (plan ? plan_denoiser (d, &hints, plan, status) : measure (d, 0, status));
  if (!ok || plan || !allocate (d, status))
    {
      sd_denoiser_free (&d->base);
      return NULL;
    }
  sd_denoiser_set_step (&d->base, 1);
  return &d->base;
}

void
sd_denoiser_free (PipelineDenoiser *denoiser)
{
  SdDenoiser *d = (SdDenoiser *) denoiser;
  if (!d)
    return;
  trace_write (d->base.ctx, phase_name (PHASE_DENOISE));
  ctx_free (d->base.ctx);
  sd_keys_clear (&d->keys);
  sd_controls_clear (&d->controls);
  mem_free (d->row_text);
  mem_free (d->x);
  mem_free (d->t);
  mem_free (d->context);
  mem_free (d->vector);
  mem_free (d->out);
  mem_free (d);
}

/* One row's (h, w, in_channels): x / sqrt (sigma^2 + 1), then the extra channels as they are. */
static void
fill_pixels (const SdDenoiser *d, float *row, const float *x, float scale)
{
  int64_t pixels = d->base.h * d->base.w,
          n_in = d->base.pipeline->checkpoint->config.unet.in_channels;
  for (int64_t k = 0; k < d->base.channels; k++)
    for (int64_t p = 0; p < pixels; p++)
      row[p * n_in + k] = x[k * pixels + p] * scale;
  for (int64_t k = d->base.channels; d->extra && k < n_in; k++)
    for (int64_t p = 0; p < pixels; p++)
      row[p * n_in + k] = d->extra[(k - d->base.channels) * pixels + p];
}

/* The same for every row of a picture. */
static void
fill_input (SdDenoiser *d, const float *x, double sigma, double timestep)
{
  int64_t n = latent_size (d),
          n_in = d->base.h * d->base.w * d->base.pipeline->checkpoint->config.unet.in_channels;
  float scale = (float) prediction_input_scale (sigma);
  for (int64_t row = 0; row < d->base.n_pictures * d->n_rows; row++)
    {
      fill_pixels (d, d->x + row * n_in, x + row % d->base.n_pictures * n, scale);
      d->t[row] = (float) timestep;
    }
}

/* Joins the x0 of one picture's rows: u + sum w_i s (c_i - u).  @rows: the first of them; @x: the
 * picture's noisy latent. */
static void
guide (const SdDenoiser *d, float *out, const float *rows, const float *x, double sigma)
{
  const PipelineJob *job = d->base.job;
  const SdText *text = d->text;
  int64_t n = latent_size (d), between = n * d->base.n_pictures;
  const float *parts[SD_MAX_PARTS];
  double weights[SD_MAX_PARTS];
  for (int i = 0; i < text->prompts.n_positive; i++)
    {
      parts[i] = rows + i * between;
      weights[i] = text->prompts.positive[i].weight;
    }
  if (!d->guided)
    {
      memcpy (out, rows, (size_t) n * sizeof *out);
      return;
    }
  guidance_compose (out, parts, weights, text->prompts.n_positive, rows + (d->n_rows - 1) * between,
                    job->guidance_scale, n);
  Prediction space = job->convention == CONVENTION_COMFYUI ? PREDICTION_V : job->prediction;
  guidance_rescale (out, parts[0], x, sigma, space, job->guidance_rescale, 1, n);
}

/* Measures anew where a control begins or ends. */
static bool
choose_controls (SdDenoiser *d, double sigma, Status *status)
{
  const Sampler *s = d->sampler;
  if (d->controls.n == 0)
    return true;
  unsigned active = sd_controls_active (d->base.job, s->table, d->step, s->schedule->n, sigma);
  return active == d->active || measure (d, active, status);
}

bool
sd_denoise (PipelineDenoiser *denoiser,
            const float *x,
            double sigma,
            double timestep,
            float *x0,
            Status *status)
{
  SdDenoiser *d = (SdDenoiser *) denoiser;
  int64_t n = latent_size (d), n_rows = d->base.n_pictures * d->n_rows;
  const SdContext context = context_of (d);
  if (!choose_controls (d, sigma, status) || !sd_keys_make (&d->keys, &context, status))
    return false;
  fill_input (d, x, sigma, timestep);
  Tensor *out = ctx_begin_run (d->base.ctx) ? forward (d) : NULL;
  const float *answer = ctx_end_run (d->base.ctx) ? ctx_read (d->base.ctx, out) : NULL;
  if (!answer)
    return copy_ctx_status (d->base.ctx, status);
  nhwc_to_nchw (d->out, answer, n_rows, d->base.channels, d->base.h, d->base.w);
  for (int64_t row = 0; row < n_rows; row++)
    prediction_to_x0 (d->base.job->prediction, d->out + row * n, x + row % d->base.n_pictures * n,
                      d->out + row * n, sigma, n);
  for (int64_t p = 0; p < d->base.n_pictures; p++)
    guide (d, x0 + p * n, d->out + p * n, x + p * n, sigma);
  return true;
}
