/* SPDX-License-Identifier: MPL-2.0
 * flux.c - FLUX.1 as a family: from files to bound networks.
 */
#include <stdio.h>

#include "pipelines/flux-private.h"
#include "pipelines/t5-vocabulary.h"
#include "weights/companions.h"

enum
{
  PATH_SIZE = 4096
};

static const char *
second_encoder (const ModelConfig *c)
{
  return "t5.";
}

static bool
add_companion (
    Checkpoint *c, CompanionKind kind, const char *prefix, const char *model_path, Status *status)
{
  char path[PATH_SIZE];
  return !companion_find (model_path, kind, path, sizeof path) ||
         checkpoint_add (c, path, prefix, status);
}

/* A folder has all its parts, or says which one it lacks. */
static bool
add_companions (Pipeline *pipeline, const PipelineSource *source, Status *status)
{
  Checkpoint *c = pipeline->checkpoint;
  const char *path = source->model_path;
  if (c->config.is_diffusers_folder)
    return true;
  return (c->config.n_clips > 0 ||
          add_companion (c, COMPANION_CLIP_L, "text_encoder.", path, status)) &&
         (c->config.has_t5 || add_companion (c, COMPANION_T5, "t5.", path, status)) &&
         (c->config.has_vae || add_companion (c, COMPANION_FLUX_VAE, "vae.", path, status));
}

static void
list_missing (const ModelConfig *c, char *out, size_t size)
{
  const bool missing[COMPANION_COUNT] = { [COMPANION_CLIP_L] = c->n_clips == 0,
                                          [COMPANION_T5] = !c->has_t5,
                                          [COMPANION_FLUX_VAE] = !c->has_vae };
  size_t n = 0;
  for (int i = 0; i < COMPANION_COUNT; i++)
    if (missing[i] && n < size)
      n += (size_t) snprintf (out + n, size - n, "%s%s", n ? ", " : "",
                              companion_label ((CompanionKind) i));
}

static bool
check_parts (const Checkpoint *c, Status *status)
{
  char missing[STATUS_MESSAGE_SIZE] = "";
  if (!c->config.has_flux)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "%s has no FLUX transformer: choose a FLUX.1 file or a diffusers folder.",
                        c->path);
  list_missing (&c->config, missing, sizeof missing);
  return !*missing ||
         status_fail (status, STATUS_NOT_FOUND,
                      "%s lacks %s: put the file beside it or into the text_encoders, clip, "
                      "text_encoder or vae folder of your models, or name it (%s).",
                      c->path, missing,
                      status_here ("--vae, --text-encoder, --text-encoder-2",
                                   STATUS_MARK ("VAE, Text encoder, Text encoder 2")));
}

static bool
bind (Pipeline *pipeline, const Binder *b, Status *status)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  FluxNetworks *flux = pipeline->networks = arena_alloc (b->arena, sizeof *flux, status);
  return flux && (flux->clip = clip_bind (b, &c->clip[0], "text_encoder")) &&
         (flux->t5 = t5_bind (b, &c->t5)) && (flux->flux = flux_bind (b, &c->flux));
}

static bool
check_vocabulary (int n_ids, int n_rows, const char *encoder, const char *path, Status *status)
{
  return n_ids <= n_rows || status_fail (status, STATUS_FORMAT,
                                         "The tokenizer of %s has %d tokens but the encoder of %s "
                                         "knows only %d: the files do not belong together.",
                                         encoder, n_ids, path, n_rows);
}

static bool
load_vocabularies (Pipeline *pipeline, const PipelineSource *source, Status *status)
{
  FluxNetworks *flux = flux_networks (pipeline);
  const Checkpoint *c = pipeline->checkpoint;
  flux->bpe = c->tokenizer_dir[0] ? clip_bpe_new (c->tokenizer_dir[0], status)
                                  : clip_bpe_new_bundled (source->tokenizers_dir, status);
  if (!flux->bpe || !(flux->unigram = t5_vocabulary_load (c, source->tokenizers_dir, status)))
    return false;
  return check_vocabulary (clip_bpe_n_ids (flux->bpe), c->config.clip[0].vocab, "CLIP", c->path,
                           status) &&
         t5_vocabulary_fits (flux->unigram, c, "T5", status);
}

static void
close_networks (Pipeline *pipeline)
{
  clip_bpe_free (flux_networks (pipeline)->bpe);
  unigram_free (flux_networks (pipeline)->unigram);
}

static void
report (const Binder *b, const ModelConfig *c)
{
  if (c->n_clips > 0)
    clip_bind (b, &c->clip[0], "text_encoder");
  if (c->has_t5)
    t5_bind (b, &c->t5);
  if (c->has_flux)
    flux_bind (b, &c->flux);
}

enum
{
  FACTOR_CHANNELS = 16
};

/* Fitted by the ComfyUI project, latent_formats.py. */
static const float factors[FACTOR_CHANNELS + 1][3] = {
  { -0.0346f, 0.0244f, 0.0681f },   { 0.0034f, 0.0210f, 0.0687f },
  { 0.0275f, -0.0668f, -0.0433f },  { -0.0174f, 0.0160f, 0.0617f },
  { 0.0859f, 0.0721f, 0.0329f },    { 0.0004f, 0.0383f, 0.0115f },
  { 0.0405f, 0.0861f, 0.0915f },    { -0.0236f, -0.0185f, -0.0259f },
  { -0.0245f, 0.0250f, 0.1180f },   { 0.1008f, 0.0755f, -0.0421f },
  { -0.0515f, 0.0201f, 0.0011f },   { 0.0428f, -0.0012f, -0.0036f },
  { 0.0817f, 0.0765f, 0.0749f },    { -0.1264f, -0.0522f, -0.1103f },
  { -0.0280f, -0.0881f, -0.0499f }, { -0.1262f, -0.0982f, -0.0778f },
  { -0.0329f, -0.0718f, -0.0851f },
};

static PreviewFactors
preview_factors (const ModelConfig *c)
{
  return (PreviewFactors){ FACTOR_CHANNELS, factors };
}

const PipelineFamily flux_family = {
  .second_encoder = second_encoder,
  .add_companions = add_companions,
  .check_parts = check_parts,
  .bind = bind,
  .load_vocabularies = load_vocabularies,
  .close = close_networks,
  .report = report,
  .job_defaults = flux_job_defaults,
  .job_check = flux_job_check,
  .job_digest = flux_job_digest,
  .text_encode = flux_text_encode,
  .text_free = flux_text_free,
  .reads_mask = flux_reads_mask,
  .encode_before = pipeline_encode_no_clip,
  .n_encodes = flux_n_encodes,
  .make_extra = flux_make_extra,
  .plan_pixels = plan_pictures,
  .decode = pipeline_decode_picture,
  .denoiser_new = flux_denoiser_new,
  .reads_once = flux_is_modulation_weight,
  .denoiser_renew = flux_denoiser_renew,
  .denoiser_free = flux_denoiser_free,
  .denoiser_set_step = flux_denoiser_set_step,
  .denoiser_set_extra = flux_denoiser_set_extra,
  .denoise = flux_denoise,
  .schedule_params = flux_schedule_params,
  .preview_factors = preview_factors,
};
