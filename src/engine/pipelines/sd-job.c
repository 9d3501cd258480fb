/* SPDX-License-Identifier: MPL-2.0
 * sd-job.c - what SD 1.5 and SDXL suggest for a job, and what only they refuse.
 */
#include "pipelines/digest.h"
#include "pipelines/sd-private.h"

enum
{
  SD15_SIZE_PX = 512,
  SDXL_SIZE_PX = 1024
};

static void
default_schedule (const ModelConfig *c, PipelineJob *job)
{
  if (!c->is_diffusers_folder || !schedule_from_name (c->timestep_spacing, &job->schedule))
    job->schedule = job->convention == CONVENTION_DIFFUSERS
                        ? sampler_info (job->sampler)->diffusers_schedule
                        : sampler_info (job->sampler)->comfyui_schedule;
}

void
sd_job_defaults (const ModelConfig *c, PipelineJob *job)
{
  job->guidance_scale = c->family == FAMILY_SDXL ? 5 : 7;
  job->spacing = schedule_params_default (SAMPLER_EULER, CONVENTION_DIFFUSERS).spacing;
  schedule_from_name (c->timestep_spacing, &job->spacing);
  job->width = job->height = c->family == FAMILY_SDXL ? SDXL_SIZE_PX : SD15_SIZE_PX;
  if (c->sample_size > 0)
    job->width = job->height = c->sample_size * vae_factor (&c->vae);
  default_schedule (c, job);
}

void
sd_schedule_params (const Pipeline *pipeline, const PipelineJob *job, ScheduleParams *params)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  params->sdxl = c->family == FAMILY_SDXL;
  params->steps_offset = c->steps_offset;
  params->set_alpha_to_one = c->set_alpha_to_one;
}

bool
sd_reads_mask (const ModelConfig *c)
{
  return c->unet.in_channels > c->unet.out_channels;
}

/* Inpainting checkpoints read a mask and a masked latent besides the latent. */
bool
sd_job_check (const Pipeline *pipeline, const PipelineJob *job, Status *status)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  int n_in = c->unet.in_channels, n_latent = c->unet.out_channels;
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

uint64_t
sd_job_digest (uint64_t d, const PipelineJob *job)
{
  d = digest_text (digest_text (d, job->prompt), job->negative_prompt);
  d = digest_int (digest_int (d, job->weighting), job->empty_negative);
  d = digest_int (d, job->clip_skip);
  d = digest_real (digest_real (d, job->guidance_scale), job->guidance_rescale);
  for (int i = 0; i < job->n_embeddings; i++)
    d = digest_text (d, job->embeddings[i].name);
  const SdSizes *z = &job->sizes;
  d = digest_int (digest_int (d, z->original_width), z->original_height);
  d = digest_int (digest_int (d, z->crop_left), z->crop_top);
  return digest_int (digest_int (d, z->target_width), z->target_height);
}
