/* SPDX-License-Identifier: MPL-2.0
 * flux-denoise.c - one call of FLUX.1's transformer as samplers see it: noisy latents in, x0 out.
 *
 * Modulation depends on time, guidance and pooled text alone.  All of a run's is made before its
 * first step, by a quarter of the weights, which no step touches again: what has to stay in memory
 * is the rest.  Prompt and negative prompt are two passes, for their texts may differ in length.
 */
#include <string.h>

#include "core/mem.h"
#include "core/trace.h"
#include "pipelines/flux-private.h"
#include "samplers/guidance.h"

typedef struct
{
  PipelineDenoiser base;
  const FluxText *text;
  FluxShape shape;
  Ctx *ctx[FLUX_MAX_TEXTS];         /* texts of one length share the first's, which is base.ctx */
  float *tokens;                    /* (pictures, n_image, token_size) */
  float *context[FLUX_MAX_TEXTS];   /* (pictures, length, context_dim) */
  float *positions[FLUX_MAX_TEXTS]; /* (length + n_image, head_dim) */
  float *modulation;                /* (n_times, texts, modulation_size) */
  float *times;                     /* (n_times) */
  int n_times;
  int64_t modulation_size;
  float *velocity; /* (channels, h, w) */
  float *answer;   /* (texts, pictures, channels, h, w): x0 */
} FluxDenoiser;

static const FluxConfig *
config_of (const FluxDenoiser *d)
{
  return &d->base.pipeline->checkpoint->config.flux;
}

static int64_t
latent_size (const FluxDenoiser *d)
{
  return d->base.channels * d->base.h * d->base.w;
}

/* Values: of noise, and what the network reads besides. */
static int64_t
token_size (const FluxDenoiser *d)
{
  return d->shape.n_noise + d->shape.n_extra;
}

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY,
                      "Out of memory: choose a smaller picture or batch.");
}

static Tensor *
forward (FluxDenoiser *d, int text, float *modulation)
{
  const FluxConfig *c = config_of (d);
  Ctx *ctx = d->ctx[text];
  int64_t n = d->base.n_pictures, length = d->text->texts[text].length, rows;
  rows = length + d->shape.n_image;
  DType type = ctx_activation (ctx);
  const FluxInputs in = {
    .img = ctx_input (ctx, type, 3, (int64_t[]){ n, d->shape.n_image, token_size (d) }, d->tokens),
    .txt = ctx_input (ctx, type, 3, (int64_t[]){ n, length, c->context_dim }, d->context[text]),
    .modulation = ctx_input (ctx, type, 2, (int64_t[]){ 1, d->modulation_size }, modulation),
    .positions =
        ctx_input (ctx, DTYPE_F32, 2, (int64_t[]){ rows, c->head_dim }, d->positions[text]),
    .n_target = d->shape.n_target,
  };
  return flux_forward (ctx, flux_networks (d->base.pipeline)->flux, &in);
}

/* ---- modulation ---- */

typedef struct
{
  float *t, *guidance, *pooled;
  int64_t n;
} ModulationInputs;

static Tensor *
modulate (Ctx *ctx, const FluxDenoiser *d, const ModulationInputs *in)
{
  const FluxConfig *c = config_of (d);
  Tensor *t = ctx_input (ctx, DTYPE_F32, 1, &in->n, in->t), *guidance = NULL;
  if (c->has_guidance)
    guidance = ctx_input (ctx, DTYPE_F32, 1, &in->n, in->guidance);
  Tensor *pooled =
      ctx_input (ctx, ctx_activation (ctx), 2, (int64_t[]){ in->n, c->pooled_dim }, in->pooled);
  return flux_modulation (ctx, flux_networks (d->base.pipeline)->flux, t, guidance, pooled);
}

static bool
fill_modulation_inputs (const FluxDenoiser *d, ModulationInputs *in, Status *status)
{
  int64_t n_texts = d->text->n_texts, dim = config_of (d)->pooled_dim;
  in->t = mem_calloc ((size_t) in->n, sizeof (float));
  in->guidance = mem_calloc ((size_t) in->n, sizeof (float));
  in->pooled = mem_calloc ((size_t) (in->n * dim), sizeof (float));
  if (!in->t || !in->guidance || !in->pooled)
    return no_memory (status);
  for (int64_t i = 0; i < in->n; i++)
    {
      in->t[i] = d->times[i / n_texts];
      in->guidance[i] = (float) d->base.job->distilled_guidance;
      memcpy (in->pooled + i * dim, d->text->texts[i % n_texts].pooled,
              (size_t) dim * sizeof (float));
    }
  return true;
}

/* As precise as the texts: once, for all steps. */
static bool
make_modulation (FluxDenoiser *d, PhasePlan *plan, Status *status)
{
  const PipelineJob *job = d->base.job;
  ModulationInputs in = { .n = (int64_t) d->n_times * d->text->n_texts };
  Compute compute = pipeline_compute (d->base.pipeline, job, NETWORK_TEXT);
  Ctx *ctx = ctx_new (d->base.pipeline->backend, compute, job->cancel, status);
  bool ok = ctx && (plan || fill_modulation_inputs (d, &in, status));
  if (ok)
    {
      modulate (ctx, d, &in);
      ok = ctx_plan (ctx) || copy_ctx_status (ctx, status);
    }
  if (ok && plan)
    plan_phase (ctx, plan, 1);
  else if (ok)
    {
      Tensor *out = ctx_begin_run (ctx) ? modulate (ctx, d, &in) : NULL;
      const float *values = ctx_end_run (ctx) ? ctx_read (ctx, out) : NULL;
      ok = values || copy_ctx_status (ctx, status);
      if (ok)
        {
          memcpy (d->modulation, values,
                  (size_t) (in.n * d->modulation_size) * sizeof *d->modulation);
          /* 27 % of the transformer, which no step reads */
          weights_wont_need (d->base.pipeline->checkpoint->weights, flux_is_modulation_weight);
        }
    }
  trace_write (ctx, "modulation");
  ctx_free (ctx);
  mem_free (in.t);
  mem_free (in.guidance);
  mem_free (in.pooled);
  return ok;
}

/* As many as a plan without a sampler has to assume. */
static bool
list_times (FluxDenoiser *d, const Sampler *sampler, Status *status)
{
  const PipelineJob *job = d->base.job;
  d->n_times = job->steps * sampler_info (job->sampler)->calls_per_step;
  if (!sampler)
    return true;
  d->n_times = sampler_timesteps (sampler, NULL);
  double *times = mem_calloc ((size_t) d->n_times, sizeof *times);
  d->times = mem_calloc ((size_t) d->n_times, sizeof *d->times);
  if (times && d->times)
    sampler_timesteps (sampler, times);
  for (int i = 0; times && d->times && i < d->n_times; i++)
    d->times[i] = (float) times[i];
  bool ok = times && d->times;
  mem_free (times);
  return ok || no_memory (status);
}

/* ---- making and freeing ---- */

static bool
allocate (FluxDenoiser *d, Status *status)
{
  const FluxConfig *c = config_of (d);
  int64_t n = d->base.n_pictures, n_texts = d->text->n_texts;
  d->tokens = mem_calloc ((size_t) (n * d->shape.n_image * token_size (d)), sizeof (float));
  d->velocity = mem_calloc ((size_t) latent_size (d), sizeof (float));
  d->answer = mem_calloc ((size_t) (n_texts * n * latent_size (d)), sizeof (float));
  d->modulation = mem_calloc ((size_t) (d->n_times * n_texts * d->modulation_size), sizeof (float));
  bool ok = d->tokens && d->velocity && d->answer && d->modulation;
  for (int i = 0; ok && i < n_texts; i++)
    {
      int64_t length = d->text->texts[i].length;
      d->context[i] = mem_calloc ((size_t) (n * length * c->context_dim), sizeof (float));
      d->positions[i] =
          mem_calloc ((size_t) ((length + d->shape.n_image) * c->head_dim), sizeof (float));
      ok = d->context[i] && d->positions[i];
    }
  return ok || no_memory (status);
}

/* What does not change over the steps. */
static void
fill_inputs (FluxDenoiser *d)
{
  const FluxConfig *c = config_of (d);
  for (int i = 0; i < d->text->n_texts; i++)
    {
      const FluxEncoding *t = &d->text->texts[i];
      int64_t n = t->length * c->context_dim;
      for (int64_t p = 0; p < d->base.n_pictures; p++)
        memcpy (d->context[i] + p * n, t->context, (size_t) n * sizeof (float));
      flux_positions (d->positions[i], c, t->length, d->shape.grids, d->shape.n_grids);
    }
}

static bool
check_fit (const FluxDenoiser *d, Status *status)
{
  const ModelConfig *m = &d->base.pipeline->checkpoint->config;
  const FluxConfig *c = &m->flux;
  if (m->t5.dim != c->context_dim || m->clip[0].dim != c->pooled_dim)
    return status_fail (status, STATUS_SHAPE,
                        "The text encoders give %d and %d values, but this FLUX model takes %d of "
                        "T5's and %d of CLIP's: the files do not belong together.",
                        m->t5.dim, m->clip[0].dim, c->context_dim, c->pooled_dim);
  if (m->vae.latent_channels * FLUX_PATCH * FLUX_PATCH != c->out_channels)
    return status_fail (status, STATUS_SHAPE,
                        "The VAE's latents have %d channels, but this FLUX model draws %d: the "
                        "files do not belong together.",
                        m->vae.latent_channels, c->out_channels / (FLUX_PATCH * FLUX_PATCH));
  return true;
}

/* Measures a pass for each length of text. */
static bool
measure (FluxDenoiser *d, Status *status)
{
  const PipelineJob *job = d->base.job;
  for (int i = 0; i < d->text->n_texts; i++)
    {
      if (i > 0 && d->text->texts[i].length == d->text->texts[0].length)
        {
          d->ctx[i] = d->ctx[0];
          continue;
        }
      Compute compute = pipeline_compute (d->base.pipeline, job, NETWORK_TRANSFORMER);
      d->ctx[i] = ctx_new (d->base.pipeline->backend, compute, job->cancel, status);
      if (!d->ctx[i])
        return false;
      forward (d, i, NULL);
      if (!ctx_plan (d->ctx[i]))
        return copy_ctx_status (d->ctx[i], status);
    }
  d->base.ctx = d->ctx[0];
  return true;
}

/* The table of modulation stays beside the activations. */
static bool
plan_denoising (FluxDenoiser *d, PhasePlan *plan, Status *status)
{
  const PipelineJob *job = d->base.job;
  int n_calls = job->steps * sampler_info (job->sampler)->calls_per_step;
  PhasePlan once = { 0 };
  if (!make_modulation (d, &once, status))
    return false;
  *plan = (PhasePlan){ 0 };
  for (int i = 0; i < d->text->n_texts; i++)
    {
      PhasePlan one;
      plan_phase (d->ctx[i], &one, n_calls);
      plan_join (plan, &one);
    }
  size_t table = (size_t) (d->n_times * d->text->n_texts * d->modulation_size) * sizeof (float);
  plan->activation_bytes += table;
  plan->bound_bytes += table;
  if (plan->activation_bytes < once.activation_bytes)
    plan->activation_bytes = once.activation_bytes;
  plan->once_weight_bytes = once.weight_bytes;
  return true;
}

PipelineDenoiser *
flux_denoiser_new (Pipeline *pipeline,
                   const PipelineJob *job,
                   const PipelineText *text,
                   const Sampler *sampler,
                   PhasePlan *plan,
                   Status *status)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  FluxDenoiser *d = mem_calloc (1, sizeof *d);
  if (!d)
    {
      no_memory (status);
      return NULL;
    }
  int f = vae_factor (&c->vae);
  *d = (FluxDenoiser){ .base = { .pipeline = pipeline,
                                 .job = job,
                                 .n_pictures = job->batch_size,
                                 .channels = c->vae.latent_channels,
                                 .h = job->height / f,
                                 .w = job->width / f },
                       .text = (const FluxText *) text,
                       .shape = flux_shape (pipeline, job),
                       .modulation_size = flux_modulation_size (&c->flux) };
  bool ok = check_fit (d, status) && list_times (d, sampler, status) && measure (d, status) &&
            (!plan || flux_check_control (pipeline, job, status));
  if (ok && plan)
    ok = plan_denoising (d, plan, status);
  else
    ok = ok && allocate (d, status) && make_modulation (d, NULL, status);
  if (!ok || plan)
    {
      flux_denoiser_free (&d->base);
      return NULL;
    }
  fill_inputs (d);
  return &d->base;
}

void
flux_denoiser_free (PipelineDenoiser *denoiser)
{
  FluxDenoiser *d = (FluxDenoiser *) denoiser;
  if (!d)
    return;
  for (int i = 0; i < FLUX_MAX_TEXTS; i++)
    {
      if (i == 0 || d->ctx[i] != d->ctx[0])
        {
          trace_write (d->ctx[i], phase_name (PHASE_DENOISE));
          ctx_free (d->ctx[i]);
        }
      mem_free (d->context[i]);
      mem_free (d->positions[i]);
    }
  mem_free (d->tokens);
  mem_free (d->modulation);
  mem_free (d->times);
  mem_free (d->velocity);
  mem_free (d->answer);
  mem_free (d);
}

/* The texts are the same in all steps. */
void
flux_denoiser_set_step (PipelineDenoiser *denoiser, int step)
{
}

bool
flux_denoiser_renew (PipelineDenoiser *denoiser, Status *status)
{
  return make_modulation ((FluxDenoiser *) denoiser, NULL, status);
}

void
flux_denoiser_set_extra (PipelineDenoiser *denoiser, const float *extra)
{
  FluxDenoiser *d = (FluxDenoiser *) denoiser;
  const FluxShape *s = &d->shape;
  int64_t n_in = token_size (d);
  for (int64_t p = 0; p < d->base.n_pictures; p++)
    {
      float *tokens = d->tokens + p * s->n_image * n_in;
      for (int64_t i = 0; s->n_extra > 0 && i < s->n_target; i++)
        memcpy (tokens + i * n_in + s->n_noise, extra + i * s->n_extra,
                (size_t) s->n_extra * sizeof (float));
      memcpy (tokens + s->n_target * n_in, extra + s->n_target * s->n_extra,
              (size_t) ((s->n_image - s->n_target) * n_in) * sizeof (float));
    }
}

/* ---- a call ---- */

/* @timestep is one of those that the sampler listed. */
static float *
modulation_at (const FluxDenoiser *d, double timestep, int text)
{
  for (int i = 0; i < d->n_times; i++)
    if (d->times[i] == (float) timestep)
      return d->modulation + ((int64_t) i * d->text->n_texts + text) * d->modulation_size;
  return NULL;
}

/* x0 of all pictures under one text, into @out. */
static bool
ask (FluxDenoiser *d,
     int text,
     const float *x,
     double sigma,
     double timestep,
     float *out,
     Status *status)
{
  int64_t n = latent_size (d), n_out = d->shape.n_target * d->shape.n_noise;
  float *modulation = modulation_at (d, timestep, text);
  if (!modulation)
    return status_fail (status, STATUS_PLAN,
                        "The sampler asked for a time that it had not listed.");
  Tensor *answer = ctx_begin_run (d->ctx[text]) ? forward (d, text, modulation) : NULL;
  const float *tokens = ctx_end_run (d->ctx[text]) ? ctx_read (d->ctx[text], answer) : NULL;
  if (!tokens)
    return copy_ctx_status (d->ctx[text], status);
  for (int64_t p = 0; p < d->base.n_pictures; p++)
    {
      if (!flux_from_tokens (d->velocity, tokens + p * n_out, d->base.channels, d->base.h,
                             d->base.w))
        return no_memory (status);
      prediction_to_x0 (PREDICTION_FLOW, out + p * n, x + p * n, d->velocity, sigma, n);
    }
  return true;
}

static bool
fill_noise (FluxDenoiser *d, const float *x, Status *status)
{
  int64_t n_in = token_size (d);
  for (int64_t p = 0; p < d->base.n_pictures; p++)
    if (!flux_to_tokens (d->tokens + p * d->shape.n_image * n_in, n_in, x + p * latent_size (d),
                         d->base.channels, d->base.h, d->base.w))
      return no_memory (status);
  return true;
}

bool
flux_denoise (PipelineDenoiser *denoiser,
              const float *x,
              double sigma,
              double timestep,
              float *x0,
              Status *status)
{
  FluxDenoiser *d = (FluxDenoiser *) denoiser;
  const PipelineJob *job = d->base.job;
  int64_t n = latent_size (d), n_all = n * d->base.n_pictures;
  if (!fill_noise (d, x, status))
    return false;
  for (int i = 0; i < d->text->n_texts; i++)
    if (!ask (d, i, x, sigma, timestep, d->answer + i * n_all, status))
      return false;
  if (d->text->n_texts == 1)
    {
      memcpy (x0, d->answer, (size_t) n_all * sizeof *x0);
      return true;
    }
  guidance_cfg (x0, d->answer, d->answer + n_all, job->guidance_scale, n_all);
  guidance_rescale (x0, d->answer, x, sigma, PREDICTION_FLOW, job->guidance_rescale,
                    d->base.n_pictures, n);
  return true;
}
