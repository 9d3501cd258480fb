/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/job.h"

#include <string.h>

#include "core/mem.h"
#include "worker/models.h"

static bool
is_flow (const PipelineJob *job)
{
  return job->prediction == PREDICTION_FLOW;
}

/* The model's own sampler, under the name that recipes have for it; of video models with the
 * convention of their makers' programs. */
static bool
choose_sampler (Recipe *recipe, PipelineJob *job, Status *status)
{
  if (recipe->sampler != RECIPE_SAMPLER_AUTO)
    return true;
  if (job->n_frames > 1 && recipe->convention == RECIPE_CONVENTION_AUTO)
    job->convention = CONVENTION_DIFFUSERS;
  /* which of UniPC's variants follows from the convention */
  bool is_unipc = job->sampler == SAMPLER_UNIPC_BH2;
  return recipe_set (recipe, "sampler", is_unipc ? "unipc" : sampler_name (job->sampler), status);
}

/* The recipe's names are the engine's ids: one table on each side, joined by name. */
static bool
take_sampler (const Recipe *recipe, PipelineJob *job, Status *status)
{
  char *name = recipe_get_text (recipe, "sampler", status);
  bool ok =
      name && (sampler_from_name (name, &job->sampler) ||
               status_fail (status, STATUS_UNSUPPORTED, "The sampler %s is not known.", name));
  /* diffusers' UniPC is the bh2 variant, ComfyUI's and A1111's the bh1 */
  if (ok && job->sampler == SAMPLER_UNIPC && job->convention == CONVENTION_DIFFUSERS)
    job->sampler = SAMPLER_UNIPC_BH2;
  mem_free (name);
  return ok;
}

/* ComfyUI has more samplers than diffusers, above all of flow-matching models. */
static void
settle_sampler (const Recipe *recipe, PipelineJob *job)
{
  bool has =
      sampler_is_of (job->sampler, job->convention) &&
      (!is_flow (job) || sampler_has_flow (job->sampler, job->convention, job->n_frames > 1));
  if (recipe->convention == RECIPE_CONVENTION_AUTO && !has)
    job->convention = CONVENTION_COMFYUI;
}

static bool
take_schedule (Recipe *recipe, const Checkpoint *model, PipelineJob *job, Status *status)
{
  if (recipe->schedule == RECIPE_SCHEDULE_AUTO)
    {
      bool diffusers = job->convention == CONVENTION_DIFFUSERS;
      job->schedule = schedule_default (job->sampler, job->convention, is_flow (job));
      if (diffusers && job->schedule != SCHEDULE_ORIGIN && !is_flow (job))
        schedule_from_name (model->config.timestep_spacing, &job->schedule);
      Status ignored = { 0 }; /* a schedule that recipes cannot name stays "auto" */
      recipe_set (recipe, "schedule", schedule_name (job->schedule), &ignored);
      return true;
    }
  char *name = recipe_get_text (recipe, "schedule", status);
  bool ok =
      name && (schedule_from_name (name, &job->schedule) ||
               status_fail (status, STATUS_UNSUPPORTED, "The schedule %s is not known.", name));
  mem_free (name);
  return ok;
}

/* A schedule that only the other convention has decides for it, unless the recipe insists. */
static void
settle_convention (const Recipe *recipe, PipelineJob *job)
{
  const ScheduleInfo *info = schedule_info (job->schedule);
  bool diffusers = is_flow (job) ? info->flow_diffusers : info->diffusers;
  bool comfyui = is_flow (job) ? info->flow_comfyui : info->comfyui;
  if (recipe->convention != RECIPE_CONVENTION_AUTO)
    return;
  if (job->convention == CONVENTION_DIFFUSERS && !diffusers)
    job->convention = CONVENTION_COMFYUI;
  else if (job->convention == CONVENTION_COMFYUI && !comfyui)
    job->convention = CONVENTION_DIFFUSERS;
}

static Convention
take_convention (const Recipe *recipe, const PipelineJob *defaults)
{
  switch (recipe->convention)
    {
    case RECIPE_CONVENTION_COMFYUI:
      return CONVENTION_COMFYUI;
    case RECIPE_CONVENTION_DIFFUSERS:
      return CONVENTION_DIFFUSERS;
    case RECIPE_CONVENTION_AUTO:
      break;
    }
  return defaults->convention;
}

static Compute
take_precision (const Recipe *recipe, const Backend *backend)
{
  switch (recipe->precision)
    {
    case RECIPE_PRECISION_F32:
      return COMPUTE_F32;
    case RECIPE_PRECISION_BF16:
      return COMPUTE_BF16;
    case RECIPE_PRECISION_FP8:
      return COMPUTE_FP8;
    case RECIPE_PRECISION_AUTO:
      break;
    }
  return backend->fastest;
}

/* What the model was taught to keep away from, unless the recipe says something itself. */
static void
take_negative (Recipe *recipe, PipelineJob *job)
{
  Status ignored = { 0 }; /* without memory the picture goes without */
  if (!recipe->negative_prompt && *job->negative_prompt)
    recipe_set (recipe, "negative_prompt", job->negative_prompt, &ignored);
  job->negative_prompt = recipe_str (recipe->negative_prompt);
}

static void
take_text (Recipe *recipe, PipelineJob *job)
{
  static const PromptWeighting weightings[] = {
    [RECIPE_WEIGHTING_A1111] = WEIGHTING_A1111,
    [RECIPE_WEIGHTING_A1111_NO_NORM] = WEIGHTING_A1111_NO_NORM,
    [RECIPE_WEIGHTING_COMFYUI] = WEIGHTING_COMFYUI,
    [RECIPE_WEIGHTING_NONE] = WEIGHTING_NONE,
  };
  static const SdEmptyNegative empties[] = {
    [RECIPE_EMPTY_AUTO] = SD_EMPTY_AUTO,
    [RECIPE_EMPTY_ZEROS] = SD_EMPTY_ZEROS,
    [RECIPE_EMPTY_ENCODE] = SD_EMPTY_ENCODE,
  };
  job->prompt = recipe_str (recipe->prompt);
  take_negative (recipe, job);
  if (recipe->weighting == RECIPE_WEIGHTING_AUTO)
    recipe->weighting = is_flow (job) ? RECIPE_WEIGHTING_NONE : RECIPE_WEIGHTING_A1111;
  job->weighting = weightings[recipe->weighting];
  job->empty_negative = empties[recipe->empty_negative];
  job->clip_skip = recipe->clip_skip;
}

/* What only FLUX has; other families leave the recipe as it is. */
static void
take_flow_numbers (Recipe *recipe, PipelineJob *job)
{
  if (!is_flow (job))
    return;
  if (recipe->distilled_guidance == 0)
    recipe->distilled_guidance = job->distilled_guidance;
  job->distilled_guidance = recipe->distilled_guidance;
  job->flow_shift = recipe->flow_shift;
  job->max_tokens = recipe->max_tokens;
}

/* What only clips have; other families leave the recipe as it is. */
static void
take_clip (Recipe *recipe, PipelineJob *job)
{
  if (job->n_frames == 1)
    return;
  if (recipe->frames == 0)
    recipe->frames = job->n_frames;
  if (recipe->fps == 0)
    recipe->fps = job->fps;
  if (recipe->shift == 0)
    recipe->shift = job->shift;
  if (recipe->guidance_scale_2 == 0)
    recipe->guidance_scale_2 = job->guidance_scale_2;
  if (recipe->boundary < 0)
    recipe->boundary = job->boundary;
  if (recipe->window == 0)
    recipe->window = job->window_frames;
  job->n_frames = recipe->frames;
  job->window_frames = recipe->window;
  job->n_overlap = recipe->overlap;
  job->fps = recipe->fps;
  job->shift = recipe->shift;
  job->guidance_scale_2 = recipe->guidance_scale_2;
  job->boundary = recipe->boundary;
}

/* Numbers: 0 in the recipe means the model's own, which is written back. */
static void
take_numbers (Recipe *recipe, PipelineJob *job)
{
  if (recipe->width == 0)
    recipe->width = job->width;
  if (recipe->height == 0)
    recipe->height = job->height;
  if (recipe->steps == 0)
    recipe->steps = job->steps;
  if (recipe->guidance_scale == 0)
    recipe->guidance_scale = job->guidance_scale;
  job->width = recipe->width;
  job->height = recipe->height;
  job->steps = recipe->steps;
  job->guidance_scale = recipe->guidance_scale;
  job->guidance_rescale = recipe->guidance_rescale;
  take_flow_numbers (recipe, job);
  take_clip (recipe, job);
  job->denoise = recipe->denoise;
  job->eta = recipe->eta;
  job->seed = recipe->seed;
  job->batch_size = recipe->batch_size;
  job->vae_tile = recipe->vae_tile;
  job->masked_content = recipe->inpaint_fill == RECIPE_INPAINT_LATENT_NOISE ? MASKED_LATENT_NOISE
                        : recipe->inpaint_fill == RECIPE_INPAINT_LATENT_NOTHING
                            ? MASKED_LATENT_NOTHING
                            : MASKED_ORIGINAL; /* "fill" is done to the start picture */
  job->noise = recipe->noise == RECIPE_NOISE_NV ? RNG_NV : RNG_CPU;
}

static void
take_model_marks (const Recipe *recipe, PipelineJob *job)
{
  if (is_flow (job))
    return;
  if (recipe->prediction != RECIPE_PREDICTION_AUTO)
    job->prediction = recipe->prediction == RECIPE_PREDICTION_V ? PREDICTION_V : PREDICTION_EPSILON;
  if (recipe->zero_terminal_snr != RECIPE_SNR_AUTO)
    job->zero_terminal_snr = recipe->zero_terminal_snr == RECIPE_SNR_ON;
}

bool
job_from_recipe (Recipe *recipe,
                 const Checkpoint *model,
                 const Backend *backend,
                 PipelineJob *job,
                 Status *status)
{
  pipeline_job_defaults (model, job);
  job->convention = take_convention (recipe, job);
  if (!choose_sampler (recipe, job, status))
    return false;
  take_text (recipe, job);
  take_numbers (recipe, job);
  take_model_marks (recipe, job);
  job->compute = take_precision (recipe, backend);
  recipe->precision = job->compute == COMPUTE_FP8    ? RECIPE_PRECISION_FP8
                      : job->compute == COMPUTE_BF16 ? RECIPE_PRECISION_BF16
                                                     : RECIPE_PRECISION_F32;
  if (!take_sampler (recipe, job, status))
    return false;
  settle_sampler (recipe, job);
  if (!take_schedule (recipe, model, job, status))
    return false;
  settle_convention (recipe, job);
  recipe->convention = job->convention == CONVENTION_DIFFUSERS ? RECIPE_CONVENTION_DIFFUSERS
                                                               : RECIPE_CONVENTION_COMFYUI;
  return take_sampler (recipe, job, status);
}

PipelineSource
source_from_recipe (const Recipe *recipe, const char *path, const char *tokenizers_dir)
{
  return (PipelineSource){ .model_path = path,
                           .expert_path = recipe->model_2,
                           .vae_path = recipe->vae,
                           .text_encoder_path = recipe->text_encoder,
                           .text_encoder_2_path = recipe->text_encoder_2,
                           .image_encoder_path = recipe->image_encoder,
                           .tiny_path = recipe->tiny_vae,
                           .walk_folders = model_folders_walk,
                           .tokenizers_dir = tokenizers_dir };
}

void
identity_add_models (Identity *id, const Recipe *recipe, const char *path)
{
  identity_add_path (id, path);
  identity_add_path (id, recipe_str (recipe->model_2));
  identity_add_path (id, recipe_str (recipe->vae));
  identity_add_path (id, recipe_str (recipe->text_encoder));
  identity_add_path (id, recipe_str (recipe->text_encoder_2));
  identity_add_path (id, recipe_str (recipe->image_encoder));
  identity_add_path (id, recipe_str (recipe->tiny_vae));
}
