/* SPDX-License-Identifier: MPL-2.0
 * sd-load.c - from files to bound networks.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "pipelines/sd-private.h"

enum
{
  PATH_SIZE = 4096
};

static const char *const encoder_prefixes[SD_MAX_ENCODERS] = { "text_encoder", "text_encoder_2" };

static bool
bind_networks (SdPipeline *sd, Status *status)
{
  const ModelConfig *c = &sd->checkpoint->config;
  Binder b = { sd->checkpoint->weights, &sd->arena, status };
  for (int i = 0; i < c->n_clips; i++)
    if (!(sd->clip[i] = clip_bind (&b, &c->clip[i], encoder_prefixes[i])))
      return false;
  if (!(sd->unet = unet_bind (&b, &c->unet)))
    return false;
  bool has_encoder = bind_has (&b, "vae.encoder.conv_in.weight");
  sd->vae = vae_bind (&b, &c->vae, has_encoder ? VAE_DECODER | VAE_ENCODER : VAE_DECODER);
  if (!sd->vae)
    return false;
  if (bind_has (&b, "tiny.decoder.layers.0.weight") && !(sd->tiny = tiny_decoder_bind (&b)))
    return false;
  return weights_check (sd->checkpoint->weights, status);
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
                        "%s has no VAE: name one with --vae, or choose a full checkpoint.",
                        c->path);
  return true;
}

static bool
add_files (SdPipeline *sd, const SdSource *source, Status *status)
{
  char path[PATH_SIZE];
  if (source->vae_path && !checkpoint_add (sd->checkpoint, source->vae_path, "vae.", status))
    return false;
  if (source->tiny_path)
    return checkpoint_add (sd->checkpoint, source->tiny_path, "tiny.", status);
  snprintf (path, sizeof path, "%s/vae_tiny", source->model_path);
  if (access (path, R_OK) == 0)
    return checkpoint_add (sd->checkpoint, path, "tiny.", status);
  return true;
}

static bool
load_vocabularies (SdPipeline *sd, const SdSource *source, Status *status)
{
  for (int i = 0; i < sd->checkpoint->config.n_clips; i++)
    {
      const char *dir = sd->checkpoint->tokenizer_dir[i];
      sd->bpe[i] =
          dir ? clip_bpe_new (dir, status) : clip_bpe_new_bundled (source->tokenizers_dir, status);
      if (!sd->bpe[i])
        return false;
      if (!dir && clip_bpe_n_ids (sd->bpe[i]) != sd->checkpoint->config.clip[i].vocab)
        return status_fail (status, STATUS_NOT_FOUND,
                            "%s has no tokenizer (tokenizer%s/merges.txt), and its text encoder's "
                            "%d tokens are not those of CLIP: add its tokenizer folder.",
                            source->model_path, i ? "_2" : "",
                            sd->checkpoint->config.clip[i].vocab);
      if (clip_bpe_n_ids (sd->bpe[i]) > sd->checkpoint->config.clip[i].vocab)
        return status_fail (
            status, STATUS_FORMAT,
            "The tokenizer has %d tokens but the text encoder of %s knows only %d: the "
            "files do not belong together.",
            clip_bpe_n_ids (sd->bpe[i]), source->model_path, sd->checkpoint->config.clip[i].vocab);
    }
  return true;
}

SdPipeline *
sd_open (const SdSource *source, Backend *backend, Status *status)
{
  SdPipeline *sd = mem_calloc (1, sizeof *sd);
  if (!sd)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  sd->backend = backend;
  sd->checkpoint = checkpoint_open (source->model_path, source->header_only, status);
  if (!sd->checkpoint || !add_files (sd, source, status) || !check_parts (sd->checkpoint, status) ||
      !bind_networks (sd, status) || !load_vocabularies (sd, source, status))
    {
      sd_free (sd);
      return NULL;
    }
  return sd;
}

void
sd_free (SdPipeline *sd)
{
  if (!sd)
    return;
  for (int i = 0; i < SD_MAX_ENCODERS; i++)
    clip_bpe_free (sd->bpe[i]);
  sd_cache_clear (&sd->cache);
  arena_clear (&sd->arena);
  checkpoint_free (sd->checkpoint);
  mem_free (sd);
}

const Checkpoint *
sd_checkpoint (const SdPipeline *sd)
{
  return sd->checkpoint;
}

void
sd_bind_report (Checkpoint *c)
{
  Status ignored = { 0 }; /* what matters lands in the set's list of problems */
  Arena arena = { 0 };
  Binder b = { c->weights, &arena, &ignored };
  for (int i = 0; i < c->config.n_clips; i++)
    clip_bind (&b, &c->config.clip[i], encoder_prefixes[i]);
  if (c->config.has_unet)
    unet_bind (&b, &c->config.unet);
  if (c->config.has_vae)
    vae_bind (&b, &c->config.vae, VAE_DECODER | VAE_ENCODER);
  arena_clear (&arena);
}
