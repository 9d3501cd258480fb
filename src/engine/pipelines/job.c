/* SPDX-License-Identifier: MPL-2.0
 * job.c - a job's defaults and limits, as far as all families share them.
 */
#include <stdio.h>

#include "models/wan-vae.h"
#include "models/wan.h"
#include "pipelines/digest.h"
#include "pipelines/pipeline-private.h"

enum
{
  DEFAULT_STEPS = 20,
  MAX_SIDE_PX = 16384,
  MAX_STEPS = 1000,
  MAX_BATCH = 64
};

/* A file without its VAE, which nothing can be made with, still says what its sizes would be. */
static int
wan_factor (const ModelConfig *c)
{
  enum
  {
    FACTOR_21 = 8,
    FACTOR_22 = 16
  };
  if (c->has_wan_vae)
    return wan_vae_factor (&c->wan_vae);
  return c->wan.out_channels > WAN_A14B_CHANNELS ? FACTOR_22 : FACTOR_21;
}

int
pipeline_size_step (const Checkpoint *model)
{
  const ModelConfig *c = &model->config;
  return c->has_wan ? WAN_PATCH * wan_factor (c) : vae_factor (&c->vae);
}

LatentShape
pipeline_latent_shape (const Pipeline *pipeline, const PipelineJob *job)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  int f = c->has_wan ? wan_factor (c) : vae_factor (&c->vae);
  return (LatentShape){ .channels = c->has_wan ? c->wan.out_channels : c->vae.latent_channels,
                        .t = c->has_wan ? wan_vae_latents (job->n_frames) : 1,
                        .h = job->height / f,
                        .w = job->width / f,
                        .factor = f };
}

void
pipeline_job_defaults (const Checkpoint *model, PipelineJob *job)
{
  const ModelConfig *c = &model->config;
  *job = (PipelineJob){ .prompt = "",
                        .negative_prompt = "",
                        .steps = DEFAULT_STEPS,
                        .sampler = SAMPLER_EULER,
                        .eta = -1,
                        .batch_size = 1,
                        .n_frames = 1,
                        .prediction = c->prediction,
                        .zero_terminal_snr = c->zero_terminal_snr,
                        .denoise = 1 };
  /* A folder says how its model was trained to be sampled; a single file gets what its users
   * expect. */
  job->convention =
      c->is_diffusers_folder || c->is_wan_folder ? CONVENTION_DIFFUSERS : CONVENTION_COMFYUI;
  pipeline_family (c->family)->job_defaults (c, job);
  if (c->guidance_scale > 0)
    job->guidance_scale = job->guidance_scale_2 = c->guidance_scale;
  if (c->steps > 0)
    job->steps = c->steps;
}

bool
pipeline_encode_no_clip (Pipeline *pipeline, const PipelineJob *job, float *latents, Status *status)
{
  return status_fail (status, STATUS_UNSUPPORTED, "Only video models can go on from a clip.");
}

void
pipeline_latent_kind (const Checkpoint *model, char out[PIPELINE_KIND_SIZE])
{
  const WanVaeConfig *v = &model->config.wan_vae;
  *out = '\0';
  if (!model->config.has_wan_vae)
    return;
  size_t n = (size_t) v->latent_channels;
  uint64_t d = digest_int (digest_int (DIGEST_START, v->latent_channels), wan_vae_factor (v));
  d = digest_bytes (digest_bytes (d, v->mean, n * sizeof *v->mean), v->std, n * sizeof *v->std);
  snprintf (out, PIPELINE_KIND_SIZE, "wan-%016llx", (unsigned long long) d);
}

bool
pipeline_job_check (const Pipeline *pipeline, const PipelineJob *job, Status *status)
{
  int f = pipeline_latent_shape (pipeline, job).factor;
  if (job->width < f || job->height < f || job->width % f || job->height % f ||
      job->width > MAX_SIDE_PX || job->height > MAX_SIDE_PX)
    return status_fail (
        status, STATUS_ARGUMENT,
        "The size %d x %d cannot be made: width and height must be multiples of %d, at "
        "most %d.",
        job->width, job->height, f, MAX_SIDE_PX);
  if (job->steps < 1 || job->steps > MAX_STEPS)
    return status_fail (status, STATUS_ARGUMENT, "Choose 1 to %d steps, not %d.", MAX_STEPS,
                        job->steps);
  if (job->batch_size < 1 || job->batch_size > MAX_BATCH)
    return status_fail (status, STATUS_ARGUMENT, "Choose a batch of 1 to %d pictures, not %d.",
                        MAX_BATCH, job->batch_size);
  if (job->init_rgb && !(job->denoise > 0 && job->denoise <= 1))
    return status_fail (status, STATUS_ARGUMENT,
                        "The denoise strength must be above 0 and at most 1, not %g.",
                        job->denoise);
  if (job->mask && !job->init_rgb)
    return status_fail (status, STATUS_ARGUMENT,
                        "There is a mask but no start picture that it belongs to: choose one.");
  if (job->n_before > 0 && !pipeline->checkpoint->config.has_wan)
    return pipeline_encode_no_clip (NULL, job, NULL, status);
  return controls_check (pipeline, job, status) && pipeline_compute_check (pipeline, job, status) &&
         pipeline->family->job_check (pipeline, job, status);
}

PromptSyntax
pipeline_prompt_syntax (const PipelineJob *job)
{
  switch (job->weighting)
    {
    case WEIGHTING_A1111:
    case WEIGHTING_A1111_NO_NORM:
      return PROMPT_A1111;
    case WEIGHTING_COMFYUI:
      return PROMPT_COMFYUI;
    case WEIGHTING_NONE:
      break;
    }
  return PROMPT_PLAIN;
}
