/* SPDX-License-Identifier: MPL-2.0
 * load.c - from files to bound networks.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "core/mem.h"
#include "models/clip-vision.h"
#include "models/t5.h"
#include "models/wan-vae.h"
#include "pipelines/pipeline-private.h"
#include "weights/companions.h"

enum
{
  PATH_SIZE = 4096
};

/* A file whose family nobody knows is asked for the parts of an SD checkpoint: it has none. */
const PipelineFamily *
pipeline_family (Family family)
{
  static const PipelineFamily *const families[] = {
    [FAMILY_UNKNOWN] = &sd_family, [FAMILY_SD15] = &sd_family, [FAMILY_SDXL] = &sd_family,
    [FAMILY_FLUX] = &flux_family,  [FAMILY_WAN] = &wan_family,
  };
  return families[family];
}

static bool
bind_networks (Pipeline *pipeline, Status *status)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  Binder b = { pipeline->checkpoint->weights, &pipeline->arena, status };
  if (!pipeline->family->bind (pipeline, &b, status))
    return false;
  bool has_encoder = bind_has (&b, "vae.encoder.conv_in.weight");
  if (!c->has_wan)
    pipeline->vae = vae_bind (&b, &c->vae, has_encoder ? VAE_DECODER | VAE_ENCODER : VAE_DECODER);
  if (!c->has_wan && !pipeline->vae)
    return false;
  if (bind_has (&b, "tiny.decoder.layers.0.weight") && !(pipeline->tiny = tiny_decoder_bind (&b)))
    return false;
  return weights_check (pipeline->checkpoint->weights, status);
}

/* Wan has T5 only. */
static const char *
first_encoder (const ModelConfig *config)
{
  return config->family == FAMILY_WAN ? "t5." : "text_encoder.";
}

typedef struct
{
  CompanionKind kind;
  bool found, no_memory;
  char path[PATH_SIZE];
} TinySearch;

static bool
is_whole_tiny (const char *path, void *data)
{
  TinySearch *s = data;
  Status ignored = { 0 };
  Arena arena = { 0 };
  Checkpoint *c = checkpoint_open (path, true, &ignored);
  Binder b = { c ? c->weights : NULL, &arena, &ignored };
  bool ok =
      c && c->config.has_tiny && tiny_decoder_bind (&b) && weights_check (c->weights, &ignored);
  s->no_memory |= ignored.code == STATUS_NO_MEMORY;
  arena_clear (&arena);
  checkpoint_free (c);
  return ok;
}

/* As if the model lay at @model_path. */
static bool
find_tiny_near (TinySearch *s, const char *model_path)
{
  s->found = companion_find_that (model_path, s->kind, is_whole_tiny, s, s->path, sizeof s->path);
  return s->found;
}

static bool
find_tiny_in (void *data, const char *folder)
{
  char path[PATH_SIZE]; /* ComfyUI and Forge are named as a whole */
  return snprintf (path, sizeof path, "%s/models/model", folder) >= (int) sizeof path ||
         !find_tiny_near (data, path);
}

/* Of the files that other programs have beside the model, else where models are looked for.
 * Previews are worth no failure: what cannot be used is as good as none. */
static bool
find_tiny (const Pipeline *pipeline, const PipelineSource *source, TinySearch *s)
{
  static const CompanionKind kinds[] = { [FAMILY_SD15] = COMPANION_TAESD,
                                         [FAMILY_SDXL] = COMPANION_TAESDXL,
                                         [FAMILY_FLUX] = COMPANION_TAEF1 };
  Family family = pipeline->checkpoint->config.family;
  bool has_kind = family == FAMILY_SD15 || family == FAMILY_SDXL || family == FAMILY_FLUX;
  if (!has_kind)
    return false;
  s->kind = kinds[family];
  if (!find_tiny_near (s, source->model_path) && source->walk_folders)
    source->walk_folders (find_tiny_in, s);
  return s->found;
}

static bool
add_tiny (Pipeline *pipeline, const PipelineSource *source, Status *status)
{
  char path[PATH_SIZE];
  Checkpoint *c = pipeline->checkpoint;
  if (source->tiny_path)
    return checkpoint_add (c, source->tiny_path, "tiny.", status);
  snprintf (path, sizeof path, "%s/vae_tiny", source->model_path);
  if (access (path, R_OK) == 0)
    return checkpoint_add (c, path, "tiny.", status);
  Status ignored = { 0 };
  TinySearch search = { .found = false };
  if (!c->config.has_tiny && find_tiny (pipeline, source, &search))
    checkpoint_add (c, search.path, "tiny.", &ignored); /* one of other latents is left alone */
  return (ignored.code != STATUS_NO_MEMORY && !search.no_memory) || out_of_memory (status);
}

static bool
add_files (Pipeline *pipeline, const PipelineSource *source, Status *status)
{
  const struct
  {
    const char *path, *prefix;
  } files[] = { { source->vae_path, "vae." },
                { source->text_encoder_path, first_encoder (&pipeline->checkpoint->config) },
                { source->text_encoder_2_path,
                  pipeline->family->second_encoder (&pipeline->checkpoint->config) },
                { source->image_encoder_path, "image_encoder." } };
  if (source->text_encoder_2_path &&
      !pipeline->family->second_encoder (&pipeline->checkpoint->config))
    return status_fail (status, STATUS_ARGUMENT,
                        "%s has one text encoder only: leave text encoder 2 empty.",
                        family_name (pipeline->checkpoint->config.family));
  if (source->image_encoder_path && pipeline->checkpoint->config.wan.image_dim == 0)
    return status_fail (status, STATUS_ARGUMENT,
                        "%s has no image encoder, it is for Wan 2.1's image-to-video models: leave "
                        "it empty.",
                        pipeline->checkpoint->path);
  for (int i = 0; i < (int) (sizeof files / sizeof *files); i++)
    if (files[i].path &&
        !checkpoint_add (pipeline->checkpoint, files[i].path, files[i].prefix, status))
      return false;
  if (source->expert_path && pipeline->checkpoint->config.family != FAMILY_WAN)
    return status_fail (status, STATUS_ARGUMENT, "%s has no second expert: leave it empty.",
                        family_name (pipeline->checkpoint->config.family));
  if (!pipeline->family->add_companions (pipeline, source, status))
    return false;
  return add_tiny (pipeline, source, status);
}

/* Of two experts people may choose either: the model is the high-noise one. */
static Checkpoint *
open_model (const PipelineSource *source, Status *status)
{
  char path[PATH_SIZE];
  Checkpoint *c = checkpoint_open (source->model_path, source->header_only, status);
  if (!c || c->config.wan_expert != WAN_EXPERT_LOW || source->expert_path ||
      !companion_find_expert (source->model_path, WAN_EXPERT_HIGH, path, sizeof path))
    return c;
  checkpoint_free (c);
  c = checkpoint_open (path, source->header_only, status);
  if (!c || checkpoint_add (c, source->model_path, "expert.", status))
    return c;
  checkpoint_free (c);
  return NULL;
}

Pipeline *
pipeline_open (const PipelineSource *source, Backend *backend, Status *status)
{
  Pipeline *pipeline = mem_calloc (1, sizeof *pipeline);
  if (!pipeline)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  pipeline->backend = backend;
  pipeline->header_only = source->header_only;
  pipeline->checkpoint = open_model (source, status);
  if (pipeline->checkpoint)
    pipeline->family = pipeline_family (pipeline->checkpoint->config.family);
  if (!pipeline->checkpoint || !add_files (pipeline, source, status) ||
      !pipeline->family->check_parts (pipeline->checkpoint, status) ||
      !bind_networks (pipeline, status) ||
      !pipeline->family->load_vocabularies (pipeline, source, status))
    {
      pipeline_free (pipeline);
      return NULL;
    }
  return pipeline;
}

void
pipeline_free (Pipeline *pipeline)
{
  if (!pipeline)
    return;
  pipeline_end_loading (pipeline);
  if (pipeline->networks)
    pipeline->family->close (pipeline);
  backend_forget (pipeline->backend);
  adapter_set_use (pipeline, NULL, NULL, 0, 1, NULL, &(Status){ 0 });
  adapter_set_release (pipeline->last_set);
  control_set_release (pipeline->last_controls);
  for (int i = 0; i < PIPELINE_EXPERTS; i++)
    adapter_map_free (pipeline->adapter_maps[i]);
  encoding_cache_clear (&pipeline->cache);
  arena_clear (&pipeline->arena);
  checkpoint_free (pipeline->checkpoint);
  mem_free (pipeline);
}

const Checkpoint *
pipeline_checkpoint (const Pipeline *pipeline)
{
  return pipeline->checkpoint;
}

void
pipeline_bind_report (Checkpoint *c)
{
  Status ignored = { 0 }; /* what matters lands in the set's list of problems */
  Arena arena = { 0 };
  Binder b = { c->weights, &arena, &ignored };
  pipeline_family (c->config.family)->report (&b, &c->config);
  if (c->config.family == FAMILY_UNKNOWN && c->config.has_t5) /* a file of its own */
    t5_bind (&b, &c->config.t5);
  if (c->config.has_vision)
    clip_vision_bind (&b, &c->config.vision);
  if (c->config.has_control)
    controlnet_bind (&b, &c->config.control);
  if (c->config.has_vae)
    vae_bind (&b, &c->config.vae, VAE_DECODER | VAE_ENCODER);
  if (c->config.has_wan_vae)
    wan_vae_bind (&b, &c->config.wan_vae,
                  (c->config.wan_vae.has_decoder ? VAE_DECODER : 0) |
                      (c->config.wan_vae.has_encoder ? VAE_ENCODER : 0));
  arena_clear (&arena);
}
