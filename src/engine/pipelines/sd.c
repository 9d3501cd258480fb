/* SPDX-License-Identifier: MPL-2.0
 * sd.c - SD 1.5 and SDXL as a family: from files to bound networks.
 */
#include "core/mem.h"
#include "pipelines/sd-private.h"

static const char *const encoder_prefixes[SD_MAX_ENCODERS] = { "text_encoder", "text_encoder_2" };

static const char *
second_encoder (const ModelConfig *c)
{
  return c->family == FAMILY_SDXL ? "text_encoder_2." : NULL;
}

/* SD's checkpoints come whole. */
static bool
add_companions (Pipeline *pipeline, const PipelineSource *source, Status *status)
{
  return true;
}

/* Each part a picture needs, named, so that the user knows which file is missing. */
static bool
check_parts (const Checkpoint *c, Status *status)
{
  if (!c->config.has_unet)
    return status_fail (
        status, STATUS_UNSUPPORTED,
        "%s has no U-Net: choose a full SD 1.5 or SDXL checkpoint or a diffusers folder.", c->path);
  if (c->config.n_clips < (c->config.family == FAMILY_SDXL ? 2 : 1))
    return status_fail (status, STATUS_UNSUPPORTED,
                        "%s has no text encoder: choose a full checkpoint that includes one.",
                        c->path);
  if (!c->config.has_vae)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "%s has no VAE: name one (%s), or choose a full checkpoint.", c->path,
                        status_here ("--vae", STATUS_MARK ("VAE")));
  return true;
}

static bool
bind (Pipeline *pipeline, const Binder *b, Status *status)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  SdNetworks *sd = pipeline->networks = arena_alloc (b->arena, sizeof *sd, status);
  if (!sd)
    return false;
  for (int i = 0; i < c->n_clips; i++)
    if (!(sd->clip[i] = clip_bind (b, &c->clip[i], encoder_prefixes[i])))
      return false;
  return (sd->unet = unet_bind (b, &c->unet)) != NULL;
}

static bool
load_vocabularies (Pipeline *pipeline, const PipelineSource *source, Status *status)
{
  ClipBpe **bpe = sd_networks (pipeline)->bpe;
  for (int i = 0; i < pipeline->checkpoint->config.n_clips; i++)
    {
      const char *dir = pipeline->checkpoint->tokenizer_dir[i];
      bpe[i] =
          dir ? clip_bpe_new (dir, status) : clip_bpe_new_bundled (source->tokenizers_dir, status);
      if (!bpe[i])
        return false;
      if (!dir && clip_bpe_n_ids (bpe[i]) != pipeline->checkpoint->config.clip[i].vocab)
        return status_fail (status, STATUS_NOT_FOUND,
                            "%s has no tokenizer (tokenizer%s/merges.txt), and its text encoder's "
                            "%d tokens are not those of CLIP: add its tokenizer folder.",
                            source->model_path, i ? "_2" : "",
                            pipeline->checkpoint->config.clip[i].vocab);
      if (clip_bpe_n_ids (bpe[i]) > pipeline->checkpoint->config.clip[i].vocab)
        return status_fail (
            status, STATUS_FORMAT,
            "The tokenizer has %d tokens but the text encoder of %s knows only %d: the "
            "files do not belong together.",
            clip_bpe_n_ids (bpe[i]), source->model_path,
            pipeline->checkpoint->config.clip[i].vocab);
    }
  return true;
}

static void
close_networks (Pipeline *pipeline)
{
  for (int i = 0; i < SD_MAX_ENCODERS; i++)
    clip_bpe_free (sd_networks (pipeline)->bpe[i]);
}

static void
report (const Binder *b, const ModelConfig *c)
{
  for (int i = 0; i < c->n_clips; i++)
    clip_bind (b, &c->clip[i], encoder_prefixes[i]);
  if (c->has_unet)
    unet_bind (b, &c->unet);
}

enum
{
  FACTOR_CHANNELS = 4
};

/* rgb = sum latent_c * factor_c + bias, in -1 .. 1 (fitted by the ComfyUI project,
 * latent_formats.py). */
static const float sd15_factors[FACTOR_CHANNELS + 1][3] = {
  { 0.3512f, 0.2297f, 0.3227f },
  { 0.3250f, 0.4974f, 0.2350f },
  { -0.2829f, 0.1762f, 0.2721f },
  { -0.2120f, -0.2616f, -0.7177f },
  { 0, 0, 0 },
};
static const float sdxl_factors[FACTOR_CHANNELS + 1][3] = {
  { 0.3651f, 0.4232f, 0.4341f },    { -0.2533f, -0.0042f, 0.1068f }, { 0.1076f, 0.1111f, -0.0362f },
  { -0.3165f, -0.2492f, -0.2188f }, { 0.1084f, -0.0175f, -0.0011f },
};

static PreviewFactors
preview_factors (const ModelConfig *c)
{
  return (PreviewFactors){ FACTOR_CHANNELS,
                           c->family == FAMILY_SDXL ? sdxl_factors : sd15_factors };
}

const PipelineFamily sd_family = {
  .second_encoder = second_encoder,
  .add_companions = add_companions,
  .check_parts = check_parts,
  .bind = bind,
  .load_vocabularies = load_vocabularies,
  .close = close_networks,
  .report = report,
  .job_defaults = sd_job_defaults,
  .job_check = sd_job_check,
  .job_digest = sd_job_digest,
  .text_encode = sd_text_encode,
  .text_free = sd_text_free,
  .reads_mask = sd_reads_mask,
  .encode_before = pipeline_encode_no_clip,
  .n_encodes = sd_n_encodes,
  .make_extra = sd_make_extra,
  .plan_pixels = plan_pictures,
  .decode = pipeline_decode_picture,
  .denoiser_new = sd_denoiser_new,
  .reads_once = unet_is_key_weight,
  .denoiser_renew = sd_denoiser_renew,
  .denoiser_free = sd_denoiser_free,
  .denoiser_set_step = sd_denoiser_set_step,
  .denoiser_set_extra = sd_denoiser_set_extra,
  .denoise = sd_denoise,
  .schedule_params = sd_schedule_params,
  .preview_factors = preview_factors,
};
