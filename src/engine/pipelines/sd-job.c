/* SPDX-License-Identifier: MPL-2.0
 * sd-job.c - a job's defaults and limits.
 */
#include <string.h>

#include "pipelines/sd-private.h"

enum
{
  SD15_SIZE_PX = 512,
  SDXL_SIZE_PX = 1024,
  MAX_SIDE_PX = 16384,
  MAX_STEPS = 1000,
  MAX_BATCH = 64
};

/* A folder says how its model was trained to be sampled; a single file gets what its users expect.
 */
static void
default_schedule (const ModelConfig *c, SdJob *job)
{
  job->convention = c->is_diffusers_folder ? CONVENTION_DIFFUSERS : CONVENTION_COMFYUI;
  if (!c->is_diffusers_folder || !schedule_from_name (c->timestep_spacing, &job->schedule))
    job->schedule = job->convention == CONVENTION_DIFFUSERS
                        ? sampler_info (job->sampler)->diffusers_schedule
                        : sampler_info (job->sampler)->comfyui_schedule;
}

void
sd_job_defaults (const Checkpoint *model, SdJob *job)
{
  const ModelConfig *c = &model->config;
  *job = (SdJob){ .prompt = "",
                  .negative_prompt = "",
                  .steps = 20,
                  .sampler = SAMPLER_EULER,
                  .guidance_scale = c->family == FAMILY_SDXL ? 5 : 7,
                  .eta = -1,
                  .batch_size = 1,
                  .prediction = c->prediction,
                  .zero_terminal_snr = c->zero_terminal_snr,
                  .denoise = 1 };
  job->spacing = schedule_params_default (SAMPLER_EULER, CONVENTION_DIFFUSERS).spacing;
  schedule_from_name (c->timestep_spacing, &job->spacing);
  job->width = job->height = c->family == FAMILY_SDXL ? SDXL_SIZE_PX : SD15_SIZE_PX;
  if (c->sample_size > 0)
    job->width = job->height = c->sample_size * vae_factor (&c->vae);
  default_schedule (c, job);
}

/* Inpainting checkpoints read a mask and a masked latent besides the latent. */
static bool
check_mask (const SdPipeline *sd, const SdJob *job, Status *status)
{
  const ModelConfig *c = &sd->checkpoint->config;
  int n_in = c->unet.in_channels, n_latent = c->unet.out_channels;
  if (job->mask && !job->init_rgb)
    return status_fail (status, STATUS_ARGUMENT,
                        "There is a mask but no start picture that it belongs to: choose one.");
  if (n_in != n_latent && n_in != 2 * n_latent + 1)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "This checkpoint's U-Net has %d input channels: it is neither a "
                        "text-to-image nor an inpainting model, and cannot be used yet.",
                        n_in);
  if (n_in != n_latent && !job->mask)
    return status_fail (status, STATUS_ARGUMENT,
                        "This is an inpainting checkpoint (%d input channels): give it a start "
                        "picture and a mask, or choose a text-to-image checkpoint.",
                        n_in);
  return true;
}

bool
sd_job_check (const SdPipeline *sd, const SdJob *job, Status *status)
{
  int f = vae_factor (&sd->checkpoint->config.vae);
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
  return check_mask (sd, job, status);
}
