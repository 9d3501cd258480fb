/* SPDX-License-Identifier: MPL-2.0
 * flux-job.c - what FLUX.1 and its variants suggest for a job, and what only they refuse.
 */
#include <math.h>

#include "pipelines/digest.h"
#include "pipelines/flux-private.h"

enum
{
  SIZE_PX = 1024,
  MAX_PIXELS = 8 << 20, /* RoPE knows no end, but far beyond 2 megapixels it draws nothing whole */
  /* ComfyUI's ModelSamplingFlux, and its ModelSamplingDiscreteFlow for schnell */
  LEVELS_DEV = 10000,
  LEVELS_SCHNELL = 1000
};

/* mu grows with the picture's tokens (Black Forest Labs' sampling.py): 0.5 at 256, 1.15 at 4096. */
static const double shift_base = 0.5, shift_most = 1.15;
static const double tokens_base = 256, tokens_most = 4096;

/* Steps and guidance that people draw with; the control models were trained with much guidance. */
static const struct
{
  int steps;
  double guidance;
} defaults[FLUX_VARIANT_COUNT] = {
  [FLUX_DEV] = { 20, 3.5 },     [FLUX_SCHNELL] = { 4, 0 },   [FLUX_KREA] = { 28, 3.5 },
  [FLUX_KONTEXT] = { 20, 2.5 }, [FLUX_FILL] = { 28, 30 },    [FLUX_CANNY] = { 28, 30 },
  [FLUX_DEPTH] = { 28, 10 },    [FLUX_CONTROL] = { 28, 30 },
};

void
flux_job_defaults (const ModelConfig *c, PipelineJob *job)
{
  job->prediction = PREDICTION_FLOW;
  job->schedule = schedule_default (job->sampler, job->convention, true);
  job->spacing = SCHEDULE_LINSPACE;
  job->width = job->height = SIZE_PX;
  job->steps = defaults[c->flux.variant].steps;
  job->guidance_scale = 1;
  job->distilled_guidance = defaults[c->flux.variant].guidance;
  job->flow_shift = -1;
}

bool
flux_reads_mask (const ModelConfig *c)
{
  int f = vae_factor (&c->vae), n = c->flux.out_channels;
  return c->flux.in_channels == 2 * n + FLUX_PATCH * FLUX_PATCH * f * f;
}

bool
flux_reads_control (const ModelConfig *c)
{
  return c->flux.in_channels == 2 * c->flux.out_channels;
}

bool
flux_reads_control_now (const Pipeline *pipeline)
{
  return flux_n_in (flux_networks (pipeline)->flux) ==
         2 * (int64_t) pipeline->checkpoint->config.flux.out_channels;
}

static bool
refuse_reference (const PipelineJob *job, Status *status)
{
  return job->n_references == 0 ||
         status_fail (status, STATUS_ARGUMENT,
                      "There is a reference picture, but Fill and control models take none: take "
                      "it away, or choose FLUX.1 Kontext.");
}

bool
flux_check_control (const Pipeline *pipeline, const PipelineJob *job, Status *status)
{
  bool reads = flux_reads_control_now (pipeline);
  if (reads && !job->control_rgb)
    return status_fail (status, STATUS_ARGUMENT,
                        "One of the adapters makes FLUX.1 follow a control picture (edges or "
                        "depths): give it one, or take the adapter away.");
  if (!reads && job->control_rgb)
    return status_fail (status, STATUS_ARGUMENT,
                        "There is a control picture, but only FLUX.1 Canny and Depth or their "
                        "LoRAs read one: take it away, or choose such a model or LoRA.");
  return !reads || refuse_reference (job, status);
}

static bool
check_inputs (const ModelConfig *c, const PipelineJob *job, Status *status)
{
  bool fill = flux_reads_mask (c), control = flux_reads_control (c);
  if (!fill && !control && c->flux.in_channels != c->flux.out_channels)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "This FLUX model reads %d values a token: it is neither a text-to-image, "
                        "Fill nor control model, and cannot be used yet.",
                        c->flux.in_channels);
  if (fill && !job->mask)
    return status_fail (status, STATUS_ARGUMENT,
                        "FLUX.1 Fill paints what a mask marks: give it a start picture and a mask, "
                        "or choose FLUX.1 dev.");
  if (control && !job->control_rgb)
    return status_fail (status, STATUS_ARGUMENT,
                        "This FLUX.1 model follows a control picture (edges or depths): give it "
                        "one, or choose FLUX.1 dev.");
  if (!control && job->control_rgb && job->n_adapters == 0)
    return status_fail (status, STATUS_ARGUMENT,
                        "There is a control picture, but only FLUX.1 Canny and Depth or their "
                        "LoRAs read one: take it away, or choose such a model or LoRA.");
  return (!fill && !control) || refuse_reference (job, status);
}

static bool
check_numbers (const ModelConfig *c, const PipelineJob *job, Status *status)
{
  int f = vae_factor (&c->vae);
  if ((int64_t) job->width * job->height > MAX_PIXELS)
    return status_fail (status, STATUS_ARGUMENT,
                        "FLUX cannot draw %d x %d pixels: choose 2 megapixels or less.", job->width,
                        job->height);
  if (job->n_references < 0 || job->n_references > PIPELINE_MAX_REFERENCES)
    return status_fail (status, STATUS_ARGUMENT, "Choose at most %d reference pictures, not %d.",
                        PIPELINE_MAX_REFERENCES, job->n_references);
  for (int i = 0; i < job->n_references; i++)
    {
      const PipelineReference *r = &job->references[i];
      if (!r->rgb || r->width < f || r->height < f || r->width % f || r->height % f)
        return status_fail (status, STATUS_ARGUMENT,
                            "The reference picture's size %d x %d is not a multiple of %d.",
                            r->width, r->height, f);
    }
  if (!(job->distilled_guidance >= 0 && job->distilled_guidance <= 1000))
    return status_fail (status, STATUS_ARGUMENT, "Choose a distilled guidance of 0 to 100, not %g.",
                        job->distilled_guidance);
  if (job->max_tokens < 0 || job->max_tokens == 1 || job->max_tokens > T5_MAX_LENGTH)
    return status_fail (status, STATUS_ARGUMENT, "Choose 2 to %d tokens for T5, not %d.",
                        T5_MAX_LENGTH, job->max_tokens);
  return true;
}

bool
flux_job_check (const Pipeline *pipeline, const PipelineJob *job, Status *status)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  return check_inputs (c, job, status) && check_numbers (c, job, status);
}

uint64_t
flux_job_digest (uint64_t d, const PipelineJob *job)
{
  d = digest_text (digest_text (d, job->prompt), job->negative_prompt);
  d = digest_int (digest_int (d, job->weighting), job->max_tokens);
  d = digest_real (digest_real (d, job->guidance_scale), job->guidance_rescale);
  d = digest_real (digest_real (d, job->distilled_guidance), job->flow_shift);
  d = digest_int (digest_int (d, job->n_references), job->control_rgb != NULL);
  if (job->control_rgb)
    d = digest_bytes (d, job->control_rgb, 3 * (size_t) job->width * (size_t) job->height);
  for (int i = 0; i < job->n_references; i++)
    {
      const PipelineReference *r = &job->references[i];
      d = digest_int (digest_int (d, r->width), r->height);
      d = digest_bytes (d, r->rgb, 3 * (size_t) r->width * (size_t) r->height);
    }
  return job->n_references > 0 ? digest_int (d, job->reference_places) : d;
}

static double
shift_between (double n, double n_base, double base, double n_most, double most)
{
  return base + (n - n_base) * (most - base) / (n_most - n_base);
}

/* diffusers' and BFL's mu follows the size; ComfyUI's is that of 1024 x 1024 unless a node says
 * otherwise; schnell has none.  A folder's scheduler may say something else. */
static double
shift_of (const Pipeline *pipeline, const PipelineJob *job)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  const FlowShift *f = &c->flow_shift;
  if (job->flow_shift >= 0)
    return job->flow_shift;
  if (c->flux.variant == FLUX_SCHNELL && !f->is_said)
    return 0;
  if (f->is_said && !f->is_dynamic)
    return log (f->shift);
  if (job->convention == CONVENTION_COMFYUI)
    return shift_most;
  double n = (double) flux_shape (pipeline, job).n_target;
  return f->is_said ? shift_between (n, f->base_tokens, f->base_shift, f->max_tokens, f->max_shift)
                    : shift_between (n, tokens_base, shift_base, tokens_most, shift_most);
}

void
flux_schedule_params (const Pipeline *pipeline, const PipelineJob *job, ScheduleParams *params)
{
  params->flow = true;
  params->flow_shift = shift_of (pipeline, job);
  params->flow_levels =
      pipeline->checkpoint->config.flux.variant == FLUX_SCHNELL ? LEVELS_SCHNELL : LEVELS_DEV;
}
