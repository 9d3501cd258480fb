/* SPDX-License-Identifier: MPL-2.0
 * checkpoint.c - from a path to weights under canonical names and a configuration.
 */
#include "weights/checkpoint.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "weights/folder-wan.h"
#include "weights/folder.h"
#include "weights/parts.h"
#include "weights/recognise.h"
#include "weights/refuse.h"
#include "weights/source.h"
#include "weights/weight-set.h"

typedef struct
{
  Checkpoint *c;
  Pool *pool;
  bool header_only;
  PartKind wanted; /* PART_COUNT: everything that is there */
  UnknownList unknown;
  Status *status;
} Opener;

static bool
is_diffusers_scheme (NameScheme scheme)
{
  return scheme == NAMES_UNET_DIFFUSERS || scheme == NAMES_VAE_DIFFUSERS ||
         scheme == NAMES_CLIP_HF || scheme == NAMES_TINY_DIFFUSERS ||
         scheme == NAMES_WAN_VAE_DIFFUSERS || scheme == NAMES_WAN_DIFFUSERS ||
         scheme == NAMES_FLUX_DIFFUSERS || scheme == NAMES_VISION_HF || scheme == NAMES_T5_HF ||
         scheme == NAMES_CONTROL_DIFFUSERS;
}

static bool
find_parts (Opener *o, PartList *list, const TensorTable *table, PartKind kind, const char *label)
{
  if (kind == PART_COUNT && !refuse_known (table, label, o->status))
    return false;
  parts_find (list, table, kind);
  return list->n_parts ||
         (refuse_known (table, label, o->status) && refuse_rest (table, label, o->status));
}

/* Loads one file (or set of shards); @source stays readable for the caller, who clears it. */
static bool
load_source (Opener *o, Source *source, const char *path, PartKind kind, PartList *list)
{
  const char *label = path_base (path);
  if (!source_read (source, o->c->weights, path, o->header_only, o->status) ||
      !find_parts (o, list, &source->table, kind, label))
    return false;
  o->c->file_bytes += source->file_bytes;
  return parts_load (o->c->weights, list, &source->table, o->header_only, &o->unknown, label,
                     o->status);
}

/* ---- one file ---- */

/* A component file beside its own config.json: diffusers' sub-folders, opened by the file. */
static bool
apply_neighbour_config (Opener *o, const char *path, const PartList *list)
{
  int n_folder = (int) (path_base (path) - path);
  const char *config = pool_printf (o->pool, o->status, "%.*sconfig.json", n_folder, path);
  if (!config)
    return false;
  PartKind kind = list->parts[0].kind;
  if (list->n_parts != 1 || !is_diffusers_scheme (list->parts[0].scheme) || !file_exists (config) ||
      folder_part_kind (config, o->status) != kind)
    return status_ok (o->status);
  return folder_apply_config (&o->c->config, kind, o->pool, config, o->status);
}

static void
keep_metadata (Checkpoint *c, const TensorTable *table)
{
  c->n_metadata = (int) table->n_metadata;
  c->metadata_keys = table->metadata_keys;
  c->metadata_values = table->metadata_values;
}

/* ComfyUI's umT5 files carry their tokenizer as a tensor of bytes. */
static void
keep_tokenizer (Checkpoint *c, const TensorTable *table)
{
  static const char tail[] = "spiece_model";
  for (size_t i = 0; i < table->n_items; i++)
    {
      const FileTensor *t = &table->items[i];
      size_t n = strlen (t->name), m = strlen (tail);
      if (n < m || strcmp (t->name + n - m, tail) != 0 || t->dtype != DTYPE_U8 || !t->data)
        continue;
      c->t5_model = t->data;
      c->t5_model_size = t->n_bytes;
    }
}

/* By kijai's metadata, the file's name, its folder's name: what speaks first. */
static WanExpert
find_expert (Opener *o, const TensorTable *table, const char *path)
{
  const char *says = table_metadata (table, "model_type"), *base = path_base (path);
  WanExpert expert = says ? wan_expert_of (says) : WAN_EXPERT_UNKNOWN;
  if (expert == WAN_EXPERT_UNKNOWN)
    expert = wan_expert_of (base);
  const char *folder =
      base > path ? pool_printf (o->pool, o->status, "%.*s", (int) (base - path - 1), path) : NULL;
  return expert == WAN_EXPERT_UNKNOWN && folder ? wan_expert_of (path_base (folder)) : expert;
}

static bool
read_file (Opener *o, Source *source, const char *path)
{
  PartList list;
  if (!load_source (o, source, path, o->wanted, &list))
    return false;
  Checkpoint *c = o->c;
  c->container = source->container;
  c->layout = is_diffusers_scheme (list.parts[0].scheme) ? LAYOUT_DIFFUSERS : LAYOUT_LDM;
  keep_metadata (c, &source->table);
  keep_tokenizer (c, &source->table);
  const char *label = path_base (path);
  if (!token_pieces_read (&c->t5_pieces, &source->table, label, o->status) ||
      !recognise_config (&c->config, c->weights, label, o->status))
    return false;
  recognise_prediction (&c->config, &source->table, label);
  recognise_flux_variant (&c->config.flux, &source->table, label);
  if (c->config.has_wan)
    c->config.wan_expert = find_expert (o, &source->table, path);
  return apply_neighbour_config (o, path, &list);
}

static bool
open_file (Opener *o, const char *path)
{
  Source source;
  bool ok = read_file (o, &source, path);
  source_clear (&source);
  return ok;
}

/* ---- a folder ---- */

static bool
load_component (Opener *o, const char *folder, PartKind kind)
{
  const char *path = folder_find_weights (o->pool, folder, o->status);
  if (!path)
    return status_fail (o->status, STATUS_NOT_FOUND,
                        "The folder \"%.200s\" holds no weights; download it again.", folder);
  Source source;
  PartList list;
  bool ok = load_source (o, &source, path, kind, &list);
  source_clear (&source);
  return ok;
}

static bool
apply_component_config (Opener *o, const char *folder, PartKind kind)
{
  const char *path = pool_printf (o->pool, o->status, "%s/config.json", folder);
  if (!path || !file_exists (path))
    return path != NULL;
  return folder_apply_config (&o->c->config, kind, o->pool, path, o->status);
}

static bool
set_tokenizer (Opener *o, const char *folder, int i)
{
  const char *name = i ? "tokenizer_2" : "tokenizer";
  char *path = pool_printf (o->pool, o->status, "%s/%s", folder, name);
  char *merges = path ? pool_printf (o->pool, o->status, "%s/merges.txt", path) : NULL;
  if (!merges || !file_exists (merges))
    return merges != NULL;
  o->c->tokenizer_dir[i] = path;
  return folder_read_tokenizer (&o->c->config.clip[i], o->pool, path, o->status);
}

/* What a folder holds where its name leaves it open: its own config.json says so, else the
 * pipeline's index.  The T5 of a pipeline: text_encoder_2 of
 * FLUX.1, text_encoder of Wan, both CLIP's elsewhere. */
static bool
kind_of_folder (Opener *o, const char *path, PartKind *kind)
{
  int n_folder = (int) (path_base (path) - path);
  const char *config = pool_printf (o->pool, o->status, "%s/config.json", path);
  const char *index = pool_printf (o->pool, o->status, "%.*smodel_index.json", n_folder, path);
  bool may_be_t5 = *kind == PART_CLIP_0 || *kind == PART_CLIP_1;
  bool is_transformer = *kind == PART_FLUX || *kind == PART_WAN;
  if (!config || !index || (!may_be_t5 && !is_transformer))
    return config && index;
  PartKind said = file_exists (config) ? folder_part_kind (config, o->status)
                                       : folder_indexed_kind (index, path_base (path), o->status);
  if ((may_be_t5 && said == PART_T5) || (is_transformer && said != PART_COUNT))
    *kind = said;
  return status_ok (o->status);
}

/* T5's tokenizer lies beside CLIP's, or takes its place. */
static bool
set_t5_tokenizer (Opener *o, const char *folder)
{
  const char *name = o->c->config.n_clips > 0 ? "tokenizer_2" : "tokenizer";
  char *path = pool_printf (o->pool, o->status, "%s/%s", folder, name);
  const char *json = path ? pool_printf (o->pool, o->status, "%s/tokenizer.json", path) : NULL;
  const char *proto = json ? pool_printf (o->pool, o->status, "%s/spiece.model", path) : NULL;
  if (proto && o->c->config.has_t5 && (file_exists (json) || file_exists (proto)))
    o->c->t5_tokenizer = path;
  return proto != NULL;
}

/* @folders: by part; NULL where the model has none or it is not wanted */
static bool
find_components (Opener *o, const char *folder, const char *folders[PART_COUNT])
{
  for (int i = 0; i < PART_T5; i++) /* which is in one of the others' folders */
    {
      PartKind kind = (PartKind) i;
      const char *path = pool_printf (o->pool, o->status, "%s/%s", folder, folder_of_part (kind));
      if (!path)
        return false;
      if (!file_exists (path))
        continue;
      if (!kind_of_folder (o, path, &kind))
        return false;
      bool is_other = kind != (PartKind) i && (i == PART_FLUX || i == PART_WAN);
      is_other |= kind == PART_VISION && !folders[PART_WAN] && o->wanted != PART_VISION;
      if (!is_other && (o->wanted == PART_COUNT || o->wanted == kind))
        folders[kind] = path;
    }
  return true;
}

static bool
open_pipeline (Opener *o, const char *folder)
{
  const char *folders[PART_COUNT] = { NULL };
  ModelConfig checked = { .beta_start = 0.00085, .beta_end = 0.012 };
  /* The index first: it names a pipeline that we cannot run before any part of it puzzles us. */
  if (!folder_apply_pipeline (&checked, o->pool, folder, o->status) ||
      !find_components (o, folder, folders))
    return false;
  for (int kind = 0; kind < PART_COUNT; kind++)
    if (folders[kind] && !load_component (o, folders[kind], (PartKind) kind))
      return false;
  Checkpoint *c = o->c;
  if (!recognise_config (&c->config, c->weights, path_base (folder), o->status) ||
      !folder_apply_pipeline (&c->config, o->pool, folder, o->status))
    return false;
  recognise_flux_variant (&c->config.flux, NULL, path_base (folder));
  if (c->config.has_expert || c->config.boundary > 0) /* the index counts on two */
    c->config.wan_expert = WAN_EXPERT_HIGH;
  for (int kind = 0; kind < PART_COUNT; kind++)
    if (folders[kind] && !apply_component_config (o, folders[kind], (PartKind) kind))
      return false;
  for (int i = 0; i < c->config.n_clips; i++)
    if (!set_tokenizer (o, folder, i))
      return false;
  if (!set_t5_tokenizer (o, folder))
    return false;
  c->config.is_diffusers_folder = true;
  return weights_count (c->weights) ||
         status_fail (o->status, STATUS_NOT_FOUND,
                      "The folder \"%.200s\" holds no networks; download it again.", folder);
}

static bool
open_component (Opener *o, const char *folder, const char *config_path)
{
  PartKind kind = folder_part_kind (config_path, o->status);
  if (!status_ok (o->status))
    return false;
  if (kind == PART_WAN && o->wanted == PART_EXPERT)
    kind = PART_EXPERT; /* the same, for the rest of the schedule */
  if (kind == PART_COUNT || (o->wanted != PART_COUNT && o->wanted != kind))
    return status_fail (
        o->status, STATUS_UNSUPPORTED,
        "The folder \"%.200s\" holds a network of another kind than this version needs "
        "here.",
        folder);
  return load_component (o, folder, kind) &&
         recognise_config (&o->c->config, o->c->weights, path_base (folder), o->status) &&
         folder_apply_config (&o->c->config, kind, o->pool, config_path, o->status);
}

/* ---- a folder of Wan-AI's ---- */

static bool
load_wan_parts (Opener *o, const WanFolder *wan)
{
  for (int i = 0; i < PART_COUNT; i++)
    {
      PartKind kind = (PartKind) i;
      const char *path = wan->weights[kind];
      bool is_folder = kind == PART_WAN || kind == PART_EXPERT;
      if (!path || (o->wanted != PART_COUNT && o->wanted != kind))
        continue;
      Source source = { .file_bytes = 0 };
      PartList list;
      bool ok =
          is_folder ? load_component (o, path, kind) : load_source (o, &source, path, kind, &list);
      if (!is_folder)
        source_clear (&source);
      if (!ok)
        return false;
    }
  return true;
}

/* What the folder lacks is found out by who needs it: it may lie elsewhere. */
static bool
open_wan (Opener *o, const char *folder)
{
  WanFolder wan;
  Checkpoint *c = o->c;
  if (!folder_find_wan (&wan, o->pool, folder, o->status) || !load_wan_parts (o, &wan) ||
      !recognise_config (&c->config, c->weights, path_base (folder), o->status))
    return false;
  const char *transformer = wan.weights[PART_WAN];
  if (c->config.has_wan && !apply_component_config (o, transformer, PART_WAN))
    return false;
  if (transformer != folder)
    c->config.wan_expert = wan_expert_of (path_base (transformer));
  if (c->config.has_t5)
    c->t5_tokenizer = wan.tokenizer;
  c->config.is_wan_folder = true;
  c->layout = LAYOUT_LDM;
  return weights_count (c->weights) ||
         status_fail (o->status, STATUS_NOT_FOUND,
                      "The folder \"%.200s\" holds no networks; download it again.", folder);
}

static bool
open_folder (Opener *o, const char *path)
{
  const char *folder = folder_resolve (o->pool, path, o->status);
  char *index = folder ? pool_printf (o->pool, o->status, "%s/model_index.json", folder) : NULL;
  char *config = folder ? pool_printf (o->pool, o->status, "%s/config.json", folder) : NULL;
  if (!index || !config)
    return false;
  o->c->layout = LAYOUT_DIFFUSERS;
  o->c->container = "folder";
  if (!file_exists (index) && o->wanted == PART_COUNT && folder_is_wan (folder))
    return open_wan (o, folder);
  return file_exists (index) ? open_pipeline (o, folder) : open_component (o, folder, config);
}

/* ---- either ---- */

static bool
open_path (Opener *o, const char *path)
{
  struct stat info;
  if (stat (path, &info) != 0)
    return fail_errno (o->status, errno, STATUS_MARK ("open"), path);
  o->c->path = pool_strdup (o->pool, path, o->status);
  if (!o->c->path)
    return false;
  size_t n = strlen ("model_index.json"), length = strlen (path);
  const char *wan = o->wanted == PART_COUNT ? folder_of_wan (o->pool, path, o->status) : NULL;
  if (wan && o->wanted == PART_COUNT)
    return open_folder (o, wan);
  if (S_ISDIR (info.st_mode))
    return open_folder (o, path);
  if (strcmp (path_base (path), "model_index.json") != 0)
    return open_file (o, path);
  char *folder = pool_printf (o->pool, o->status, "%.*s.", (int) (length - n), path);
  return folder && open_folder (o, folder);
}

static Checkpoint *
open_wanted (const char *path, bool header_only, PartKind wanted, Status *status)
{
  Checkpoint *c = mem_calloc (1, sizeof *c);
  if (!c)
    {
      out_of_memory (status);
      return NULL;
    }
  c->weights = weights_new (status);
  Opener o = { .c = c, .header_only = header_only, .wanted = wanted, .status = status };
  o.pool = c->weights ? &c->weights->pool : NULL;
  if (!c->weights || !open_path (&o, path) || !status_ok (status))
    {
      checkpoint_free (c);
      return NULL;
    }
  c->n_unknown = (int) o.unknown.n;
  c->unknown = o.unknown.names;
  return c;
}

Checkpoint *
checkpoint_open (const char *path, bool header_only, Status *status)
{
  return open_wanted (path, header_only, PART_COUNT, status);
}

void
checkpoint_free (Checkpoint *c)
{
  if (!c)
    return;
  weights_free (c->weights);
  mem_free (c);
}

/* ---- adding a part from another file ---- */

static PartKind
kind_of_prefix (const char *prefix)
{
  for (int kind = 0; kind < PART_COUNT; kind++)
    if (strcmp (prefix, part_prefix ((PartKind) kind)) == 0)
      return (PartKind) kind;
  return PART_COUNT;
}

/* Latents that both sides agree on. */
static bool
check_latents (const Checkpoint *c, int channels, const char *path, Status *status)
{
  int expected = c->config.has_unet   ? c->config.unet.out_channels
                 : c->config.has_flux ? c->config.flux.latent_channels
                 : c->config.has_wan  ? c->config.wan.out_channels
                                      : channels;
  return channels == expected ||
         status_fail (status, STATUS_SHAPE,
                      "\"%.100s\" works on latents of %d channels, the model on %d: it belongs to "
                      "another kind of model.",
                      path_base (path), channels, expected);
}

/* Latents of FLUX.1 have as many channels as those of Wan 2.1, and mean something else. */
static bool
check_clips (const Checkpoint *c, const char *path, Status *status)
{
  return (!c->config.has_unet && !c->config.has_flux) ||
         status_fail (status, STATUS_SHAPE,
                      "\"%.100s\" is the VAE of a video model: it belongs to another kind of "
                      "model.",
                      path_base (path));
}

static bool
check_pictures (const Checkpoint *c, const char *path, Status *status)
{
  return !c->config.has_wan ||
         status_fail (status, STATUS_SHAPE,
                      "\"%.100s\" is the VAE of a model of pictures: it belongs to another kind of "
                      "model.",
                      path_base (path));
}

/* An unnamed VAE follows the model that it is added to; a config file of its own wins. */
static void
merge_vae_config (ModelConfig *to, const ModelConfig *from)
{
  to->vae = from->vae;
  to->has_vae = from->has_vae;
  to->wan_vae = from->wan_vae;
  to->has_wan_vae = from->has_wan_vae;
  if (!from->vae.has_own_scaling && to->family != FAMILY_UNKNOWN)
    {
      to->vae.scaling_factor = family_scaling_factor (to->family);
      to->vae.shift_factor = family_shift_factor (to->family);
    }
}

static void
merge_config (ModelConfig *to, const ModelConfig *from, PartKind kind)
{
  switch (kind)
    {
    case PART_VAE:
      merge_vae_config (to, from);
      break;
    case PART_UNET:
      to->unet = from->unet;
      to->has_unet = true;
      break;
    case PART_CLIP_0:
    case PART_CLIP_1:
      to->clip[kind - PART_CLIP_0] = from->clip[kind - PART_CLIP_0];
      if (to->n_clips < (int) (kind - PART_CLIP_0) + 1)
        to->n_clips = (int) (kind - PART_CLIP_0) + 1;
      break;
    case PART_TINY:
      to->has_tiny |= from->has_tiny;
      break;
    case PART_FLUX:
      to->flux = from->flux;
      to->has_flux = from->has_flux;
      to->family = from->family;
      to->prediction = from->prediction;
      break;
    case PART_WAN:
      to->wan = from->wan;
      to->has_wan = from->has_wan;
      to->family = from->family;
      to->prediction = from->prediction;
      break;
    case PART_EXPERT:
      to->has_expert = from->has_expert;
      break;
    case PART_VISION:
      to->vision = from->vision;
      to->has_vision = from->has_vision;
      break;
    case PART_T5:
      to->t5 = from->t5;
      to->has_t5 = from->has_t5;
      break;
    case PART_CONTROL:
      to->control = from->control;
      to->has_control = from->has_control;
      break;
    case PART_COUNT:
      break;
    }
}

static bool
check_addition (
    const Checkpoint *c, const Checkpoint *other, PartKind kind, const char *path, Status *status)
{
  const Weight *tiny = weights_find (other->weights, "tiny.decoder.layers.0.weight");
  ModelConfig joined = c->config;
  merge_config (&joined, &other->config, kind);
  if (!recognise_fit (&joined, path_base (path), status))
    return false;
  if (kind == PART_VAE && other->config.has_wan_vae)
    return check_clips (c, path, status) &&
           check_latents (c, other->config.wan_vae.latent_channels, path, status);
  if (kind == PART_VAE)
    return check_pictures (c, path, status) &&
           check_latents (c, other->config.vae.latent_channels, path, status);
  if (kind == PART_TINY && tiny && tiny->rank > 1)
    return check_latents (c, (int) tiny->ne[1], path, status);
  return true;
}

/* TAESD's encoder and decoder often are two files: each replaces its own half only. */
static const char *
replaced_prefix (const Checkpoint *other, PartKind kind)
{
  if (kind != PART_TINY)
    return part_prefix (kind);
  bool has_decoder = weights_find (other->weights, "tiny.decoder.layers.0.weight") != NULL;
  bool has_encoder = weights_find (other->weights, "tiny.encoder.layers.0.weight") != NULL;
  return has_decoder && has_encoder ? "tiny." : has_decoder ? "tiny.decoder." : "tiny.encoder.";
}

bool
checkpoint_add (Checkpoint *c, const char *path, const char *prefix, Status *status)
{
  PartKind kind = kind_of_prefix (prefix);
  if (kind == PART_COUNT)
    return status_fail (status, STATUS_ARGUMENT, "A model has no part \"%s\".", prefix);
  Checkpoint *other = open_wanted (path, false, kind, status);
  if (!other)
    return false;
  WeightSet *from = other->weights;
  const char *replaced = replaced_prefix (other, kind);
  ModelConfig config = other->config;
  int64_t file_bytes = other->file_bytes;
  const void *t5_model = other->t5_model;
  size_t t5_model_size = other->t5_model_size;
  if (!check_addition (c, other, kind, path, status))
    {
      checkpoint_free (other);
      return false;
    }
  const TokenPieces *pieces = other->t5_pieces;
  other->weights = NULL;
  checkpoint_free (other);
  if (!weights_absorb (c->weights, from, replaced, status))
    return false;
  merge_config (&c->config, &config, kind);
  c->file_bytes += file_bytes;
  if (kind == PART_T5)
    {
      c->t5_pieces = pieces; /* in what was absorbed, as is the model */
      c->t5_model = t5_model;
      c->t5_model_size = t5_model_size;
      c->t5_tokenizer = NULL;
    }
  return true;
}

const char *
flux_variant_name (FluxVariant variant)
{
  static const char *const names[FLUX_VARIANT_COUNT] = {
    [FLUX_DEV] = "dev",     [FLUX_SCHNELL] = "schnell",
    [FLUX_KREA] = "Krea",   [FLUX_KONTEXT] = "Kontext",
    [FLUX_FILL] = "Fill",   [FLUX_CANNY] = "Canny",
    [FLUX_DEPTH] = "Depth", [FLUX_CONTROL] = "Canny or Depth",
  };
  return names[variant];
}

const char *
family_name (Family family)
{
  static const char *const names[] = { [FAMILY_UNKNOWN] = "unknown",
                                       [FAMILY_SD15] = "SD 1.5",
                                       [FAMILY_SDXL] = "SDXL",
                                       [FAMILY_FLUX] = "FLUX.1",
                                       [FAMILY_WAN] = "Wan" };
  return names[family];
}

const char *
layout_name (Layout layout)
{
  static const char *const names[] = {
    [LAYOUT_UNKNOWN] = "unknown", [LAYOUT_LDM] = "LDM", [LAYOUT_DIFFUSERS] = "diffusers"
  };
  return names[layout];
}
