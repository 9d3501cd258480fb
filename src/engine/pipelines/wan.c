/* SPDX-License-Identifier: MPL-2.0
 * wan.c - Wan 2.1 and 2.2 as a family: from files to bound networks.
 */
#include "pipelines/wan-private.h"

#include <stdio.h>
#include <string.h>

#include "backend/backend.h"
#include "pipelines/t5-vocabulary.h"
#include "weights/companions.h"

enum
{
  PATH_SIZE = 4096
};

static const char *
second_encoder (const ModelConfig *c)
{
  return NULL;
}

static bool
add_companion (
    Checkpoint *c, CompanionKind kind, const char *prefix, const char *model_path, Status *status)
{
  char path[PATH_SIZE];
  return !companion_find (model_path, kind, path, sizeof path) ||
         checkpoint_add (c, path, prefix, status);
}

/* One that is named takes the place of the folder's own. */
static bool
add_expert (Checkpoint *c, const PipelineSource *source, Status *status)
{
  char path[PATH_SIZE];
  if (source->expert_path)
    return checkpoint_add (c, source->expert_path, "expert.", status);
  if (c->config.has_expert || c->config.wan_expert != WAN_EXPERT_HIGH)
    return true;
  return !companion_find_expert (c->path, WAN_EXPERT_LOW, path, sizeof path) ||
         checkpoint_add (c, path, "expert.", status);
}

/* A folder has all its parts, or says which one it lacks. */
static bool
add_companions (Pipeline *pipeline, const PipelineSource *source, Status *status)
{
  Checkpoint *c = pipeline->checkpoint;
  char within[PATH_SIZE]; /* what a folder of Wan-AI's lacks is looked for in it, too */
  const char *path = source->model_path;
  if (c->config.is_wan_folder && snprintf (within, sizeof within, "%s/.", path) < PATH_SIZE)
    path = within;
  CompanionKind vae =
      c->config.wan.out_channels > WAN_A14B_CHANNELS ? COMPANION_WAN22_VAE : COMPANION_WAN21_VAE;
  if (c->config.is_diffusers_folder && !source->expert_path)
    return true;
  return (c->config.has_t5 || add_companion (c, COMPANION_UMT5, "t5.", path, status)) &&
         (c->config.has_wan_vae || add_companion (c, vae, "vae.", path, status)) &&
         (c->config.has_vision || c->config.wan.image_dim == 0 ||
          add_companion (c, COMPANION_CLIP_VISION, "image_encoder.", path, status)) &&
         add_expert (c, source, status);
}

/* "umT5-XXL (...), the VAE (...)".  Returns: false when nothing is missing */
static bool
list_missing (const ModelConfig *m, char *out, size_t size)
{
  CompanionKind vae =
      m->wan.out_channels <= WAN_A14B_CHANNELS ? COMPANION_WAN21_VAE : COMPANION_WAN22_VAE;
  const struct
  {
    bool is_missing;
    CompanionKind kind;
  } parts[] = { { !m->has_t5, COMPANION_UMT5 },
                { !m->has_wan_vae, vae },
                { m->wan.image_dim > 0 && !m->has_vision, COMPANION_CLIP_VISION } };
  size_t n = 0;
  *out = '\0';
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (parts[i].is_missing && n < size)
      n += (size_t) snprintf (out + n, size - n, "%s%s", n > 0 ? ", " : "",
                              companion_label (parts[i].kind));
  return n > 0;
}

static bool
check_parts (const Checkpoint *c, Status *status)
{
  const ModelConfig *m = &c->config;
  char missing[STATUS_MESSAGE_SIZE / 2];
  if (!m->has_wan)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "%s has no Wan transformer: choose a Wan file or a diffusers folder.",
                        c->path);
  if (list_missing (m, missing, sizeof missing))
    return status_fail (status, STATUS_NOT_FOUND,
                        "%s lacks %s: put the file beside it or into the text_encoders, clip, "
                        "clip_vision or vae folder of your models, or name it (%s).",
                        c->path, missing,
                        status_here ("--vae, --text-encoder, --image-encoder",
                                     STATUS_MARK ("VAE, Text encoder, Image encoder")));
  if (m->wan_expert == WAN_EXPERT_HIGH && !m->has_expert)
    return status_fail (status, STATUS_NOT_FOUND,
                        "%s is the high-noise expert of a Wan 2.2 model, whose low-noise one is "
                        "missing: put it beside this file, or name it (%s).",
                        c->path, status_here ("--model-2", STATUS_MARK ("Second expert")));
  if (m->wan_expert == WAN_EXPERT_LOW)
    return status_fail (status, STATUS_NOT_FOUND,
                        "%s is the low-noise expert of a Wan 2.2 model: choose its high-noise file "
                        "as the model, and this one as the second expert.",
                        c->path);
  return true;
}

static bool
bind (Pipeline *pipeline, const Binder *b, Status *status)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  VaeParts parts = c->wan_vae.has_encoder ? VAE_DECODER | VAE_ENCODER : VAE_DECODER;
  WanNetworks *wan = pipeline->networks = arena_alloc (b->arena, sizeof *wan, status);
  return wan && (wan->t5 = t5_bind (b, &c->t5)) &&
         (wan->experts[0] = wan_bind (b, &c->wan, "transformer")) &&
         (!c->has_expert || (wan->experts[1] = wan_bind (b, &c->wan, "expert"))) &&
         (c->wan.image_dim == 0 || (wan->vision = clip_vision_bind (b, &c->vision))) &&
         (wan->vae = wan_vae_bind (b, &c->wan_vae, parts));
}

/* kijai's and Wan's own encoders, and some GGUF files, have no tokenizer inside. */
static Unigram *
find_vocabulary (const Checkpoint *c, const PipelineSource *source, Status *status)
{
  Unigram *u = source->text_encoder_path ? t5_vocabulary_find (c, source->text_encoder_path) : NULL;
  u = u ? u : t5_vocabulary_find (c, source->model_path);
  if (!u)
    status_fail (status, STATUS_NOT_FOUND,
                 "The umT5 text encoder of %s comes without its tokenizer: put spiece.model or "
                 "tokenizer.json of umt5-xxl beside it, or use umt5_xxl_fp16.safetensors or "
                 "umt5_xxl_fp8_e4m3fn_scaled.safetensors, which hold it, or a diffusers folder.",
                 c->path);
  return u;
}

static bool
load_vocabularies (Pipeline *pipeline, const PipelineSource *source, Status *status)
{
  WanNetworks *wan = wan_networks (pipeline);
  const Checkpoint *c = pipeline->checkpoint;
  wan->unigram = t5_vocabulary_is_known (c) ? t5_vocabulary_load (c, source->tokenizers_dir, status)
                                            : find_vocabulary (c, source, status);
  return wan->unigram && t5_vocabulary_fits (wan->unigram, c, "umT5", status);
}

static void
close_networks (Pipeline *pipeline)
{
  unigram_free (wan_networks (pipeline)->unigram);
}

static void
report (const Binder *b, const ModelConfig *c)
{
  if (c->has_t5)
    t5_bind (b, &c->t5);
  if (c->has_wan)
    wan_bind (b, &c->wan, "transformer");
  if (c->has_expert)
    wan_bind (b, &c->wan, "expert");
  if (c->has_wan_vae)
    wan_vae_bind (b, &c->wan_vae, VAE_DECODER | VAE_ENCODER);
}

static bool
reads_mask (const ModelConfig *c)
{
  return false;
}

static int
n_encodes (const Pipeline *pipeline, const PipelineJob *job)
{
  return job->first_rgb || job->last_rgb ? 1 : 0;
}

static bool
reads_once (const char *name)
{
  return false;
}

static bool
denoiser_renew (PipelineDenoiser *denoiser, Status *status)
{
  return true;
}

enum
{
  CHANNELS_21 = 16,
  CHANNELS_22 = 48
};

/* Fitted by the ComfyUI project, latent_formats.py. */
static const float factors_21[CHANNELS_21 + 1][3] = {
  { -0.1299f, -0.1692f, 0.2932f },  { 0.0671f, 0.0406f, 0.0442f },
  { 0.3568f, 0.2548f, 0.1747f },    { 0.0372f, 0.2344f, 0.1420f },
  { 0.0313f, 0.0189f, -0.0328f },   { 0.0296f, -0.0956f, -0.0665f },
  { -0.3477f, -0.4059f, -0.2925f }, { 0.0166f, 0.1902f, 0.1975f },
  { -0.0412f, 0.0267f, -0.1364f },  { -0.1293f, 0.0740f, 0.1636f },
  { 0.0680f, 0.3019f, 0.1128f },    { 0.0032f, 0.0581f, 0.0639f },
  { -0.1251f, 0.0927f, 0.1699f },   { 0.0060f, -0.0633f, 0.0005f },
  { 0.3477f, 0.2275f, 0.2950f },    { 0.1984f, 0.0913f, 0.1861f },
  { -0.1835f, -0.0868f, -0.3360f },
};

static const float factors_22[CHANNELS_22 + 1][3] = {
  { 0.0119f, 0.0103f, 0.0046f },    { -0.1062f, -0.0504f, 0.0165f },
  { 0.0140f, 0.0409f, 0.0491f },    { -0.0813f, -0.0677f, 0.0607f },
  { 0.0656f, 0.0851f, 0.0808f },    { 0.0264f, 0.0463f, 0.0912f },
  { 0.0295f, 0.0326f, 0.0590f },    { -0.0244f, -0.0270f, 0.0025f },
  { 0.0443f, -0.0102f, 0.0288f },   { -0.0465f, -0.0090f, -0.0205f },
  { 0.0359f, 0.0236f, 0.0082f },    { -0.0776f, 0.0854f, 0.1048f },
  { 0.0564f, 0.0264f, 0.0561f },    { 0.0006f, 0.0594f, 0.0418f },
  { -0.0319f, -0.0542f, -0.0637f }, { -0.0268f, 0.0024f, 0.0260f },
  { 0.0539f, 0.0265f, 0.0358f },    { -0.0359f, -0.0312f, -0.0287f },
  { -0.0285f, -0.1032f, -0.1237f }, { 0.1041f, 0.0537f, 0.0622f },
  { -0.0086f, -0.0374f, -0.0051f }, { 0.0390f, 0.0670f, 0.2863f },
  { 0.0069f, 0.0144f, 0.0082f },    { 0.0006f, -0.0167f, 0.0079f },
  { 0.0313f, -0.0574f, -0.0232f },  { -0.1454f, -0.0902f, -0.0481f },
  { 0.0714f, 0.0827f, 0.0447f },    { -0.0304f, -0.0574f, -0.0196f },
  { 0.0401f, 0.0384f, 0.0204f },    { -0.0758f, -0.0297f, -0.0014f },
  { 0.0568f, 0.1307f, 0.1372f },    { -0.0055f, -0.0310f, -0.0380f },
  { 0.0239f, -0.0305f, 0.0325f },   { -0.0663f, -0.0673f, -0.0140f },
  { -0.0416f, -0.0047f, -0.0023f }, { 0.0166f, 0.0112f, -0.0093f },
  { -0.0211f, 0.0011f, 0.0331f },   { 0.1833f, 0.1466f, 0.2250f },
  { -0.0368f, 0.0370f, 0.0295f },   { -0.3441f, -0.3543f, -0.2008f },
  { -0.0479f, -0.0489f, -0.0420f }, { -0.0660f, -0.0153f, 0.0800f },
  { -0.0101f, 0.0068f, 0.0156f },   { -0.0690f, -0.0452f, -0.0927f },
  { -0.0145f, 0.0041f, 0.0015f },   { 0.0421f, 0.0451f, 0.0373f },
  { 0.0504f, -0.0483f, -0.0356f },  { -0.0837f, 0.0168f, 0.0055f },
  { 0.0317f, -0.0878f, -0.1388f },
};

static PreviewFactors
preview_factors (const ModelConfig *c)
{
  if (c->n_preview == c->wan.out_channels)
    return (PreviewFactors){ c->n_preview, c->preview };
  if (c->wan.out_channels > WAN_A14B_CHANNELS)
    return (PreviewFactors){ CHANNELS_22, factors_22 };
  return (PreviewFactors){ CHANNELS_21, factors_21 };
}

const PipelineFamily wan_family = {
  .second_encoder = second_encoder,
  .add_companions = add_companions,
  .check_parts = check_parts,
  .bind = bind,
  .load_vocabularies = load_vocabularies,
  .close = close_networks,
  .report = report,
  .job_defaults = wan_job_defaults,
  .job_check = wan_job_check,
  .job_digest = wan_job_digest,
  .text_encode = wan_text_encode,
  .text_free = wan_text_free,
  .reads_mask = reads_mask,
  .encode_before = wan_encode_before,
  .n_encodes = n_encodes,
  .make_extra = wan_make_extra,
  .plan_pixels = wan_plan_pixels,
  .decode = wan_decode,
  .denoiser_new = wan_denoiser_new,
  .reads_once = reads_once,
  .denoiser_renew = denoiser_renew,
  .denoiser_free = wan_denoiser_free,
  .denoiser_set_step = wan_denoiser_set_step,
  .denoiser_set_extra = wan_denoiser_set_extra,
  .denoise = wan_denoise,
  .schedule_params = wan_schedule_params,
  .preview_factors = preview_factors,
};
