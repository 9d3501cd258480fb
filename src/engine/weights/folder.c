/* SPDX-License-Identifier: MPL-2.0
 * folder.c - files of a diffusers folder.
 */
#include "weights/folder.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "weights/folder-wan.h"
#include "weights/json.h"

bool
file_exists (const char *path)
{
  return access (path, F_OK) == 0;
}

static const char *
join (Pool *pool, const char *folder, const char *name, Status *status)
{
  return pool_printf (pool, status, "%s/%s", folder, name);
}

static bool
has_file (Pool *pool, const char *folder, const char *name, Status *status)
{
  const char *path = join (pool, folder, name, status);
  return path && file_exists (path);
}

/* ---- Hugging Face cache: refs/main names the folder under snapshots ---- */

static const char *
read_revision (Pool *pool, const char *folder, Status *status)
{
  const char *path = join (pool, folder, "refs/main", status);
  MappedFile file;
  if (!path || !file_exists (path) || !mapped_open (&file, path, status))
    return NULL;
  size_t n = 0;
  while (n < file.size && file.data[n] > ' ' && file.data[n] != '/')
    n++;
  const char *revision = pool_strndup (pool, (const char *) file.data, n, status);
  mapped_close (&file);
  return revision;
}

/* The last snapshot by name, when nothing says which is current. */
static const char *
any_snapshot (Pool *pool, const char *snapshots, Status *status)
{
  DIR *dir = opendir (snapshots);
  const char *last = NULL;
  for (struct dirent *e; dir && (e = readdir (dir));)
    if (e->d_name[0] != '.' && (!last || strcmp (e->d_name, last) > 0))
      last = pool_strdup (pool, e->d_name, status);
  if (dir)
    closedir (dir);
  return last;
}

static const char *
resolve_snapshot (Pool *pool, const char *folder, Status *status)
{
  const char *snapshots = join (pool, folder, "snapshots", status);
  if (!snapshots || !file_exists (snapshots))
    return NULL;
  const char *revision = read_revision (pool, folder, status);
  if (!revision || !*revision || !has_file (pool, snapshots, revision, status))
    revision = any_snapshot (pool, snapshots, status);
  return revision ? join (pool, snapshots, revision, status) : NULL;
}

const char *
folder_resolve (Pool *pool, const char *path, Status *status)
{
  const char *folder = resolve_snapshot (pool, path, status);
  if (!folder)
    folder = pool_strdup (pool, path, status);
  if (folder && (has_file (pool, folder, "model_index.json", status) ||
                 has_file (pool, folder, "config.json", status) || folder_is_wan (folder)))
    return folder;
  status_fail (status, STATUS_NOT_FOUND,
               "The folder \"%.200s\" holds no model: a diffusers folder has a model_index.json, "
               "one of Wan-AI's a config.json or high_noise_model.",
               path);
  return NULL;
}

/* ---- weights of a component ---- */

static const char *const weight_files[] = {
  "diffusion_pytorch_model.safetensors",
  "model.safetensors",
  "diffusion_pytorch_model.safetensors.index.json",
  "model.safetensors.index.json",
  "diffusion_pytorch_model.fp16.safetensors",
  "model.fp16.safetensors",
  "diffusion_pytorch_model.safetensors.index.fp16.json",
  "model.safetensors.index.fp16.json",
  "diffusion_pytorch_model.non_ema.safetensors",
  "diffusion_pytorch_model.bin",
  "pytorch_model.bin",
  "diffusion_pytorch_model.bin.index.json",
  "pytorch_model.bin.index.json",
  "diffusion_pytorch_model.fp16.bin",
  "pytorch_model.fp16.bin",
};

const char *
folder_find_weights (Pool *pool, const char *folder, Status *status)
{
  for (size_t i = 0; i < sizeof weight_files / sizeof *weight_files; i++)
    {
      const char *path = join (pool, folder, weight_files[i], status);
      if (!path || file_exists (path))
        return path;
    }
  return NULL;
}

static const char *const part_folders[PART_COUNT] = {
  [PART_UNET] = "unet",
  [PART_VAE] = "vae",
  [PART_CLIP_0] = "text_encoder",
  [PART_CLIP_1] = "text_encoder_2",
  [PART_TINY] = "tiny",
  [PART_FLUX] = "transformer",
  [PART_WAN] = "transformer",
  [PART_EXPERT] = "transformer_2",
  [PART_VISION] = "image_encoder",
  [PART_T5] = "text_encoder_2", /* FLUX.1's; see folder_part_in */
  [PART_CONTROL] = "controlnet",
};

const char *
folder_of_part (PartKind kind)
{
  return part_folders[kind];
}

static PartKind
kind_of_class (const char *class)
{
  static const struct
  {
    const char *name;
    PartKind kind;
  } classes[] = {
    { "UNet2DConditionModel", PART_UNET },
    { "AutoencoderKL", PART_VAE },
    { "AutoencoderKLWan", PART_VAE },
    { "AutoencoderTiny", PART_TINY },
    { "CLIPTextModel", PART_CLIP_0 },
    { "CLIPTextModelWithProjection", PART_CLIP_1 },
    { "FluxTransformer2DModel", PART_FLUX },
    { "WanTransformer3DModel", PART_WAN },
    { "WanModel", PART_WAN }, /* of Wan-AI's own folders */
    { "CLIPVisionModel", PART_VISION },
    { "CLIPVisionModelWithProjection", PART_VISION },
    { "T5EncoderModel", PART_T5 },
    { "UMT5EncoderModel", PART_T5 },
    { "ControlNetModel", PART_CONTROL },
    { "ControlNetUnionModel", PART_CONTROL },
  };
  for (size_t i = 0; class && i < sizeof classes / sizeof *classes; i++)
    if (strcmp (classes[i].name, class) == 0)
      return classes[i].kind;
  return PART_COUNT;
}

PartKind
folder_part_kind (const char *config_path, Status *status)
{
  struct json_object *config = json_read_object (config_path, status);
  if (!config)
    return PART_COUNT;
  const char *class = json_member_string (config, "_class_name");
  struct json_object *list = json_object_object_get (config, "architectures");
  if (!class && json_object_is_type (list, json_type_array) && json_object_array_length (list))
    {
      struct json_object *first = json_object_array_get_idx (list, 0);
      class = json_object_is_type (first, json_type_string) ? json_object_get_string (first) : NULL;
    }
  PartKind kind = kind_of_class (class);
  json_object_put (config);
  return kind;
}

PartKind
folder_indexed_kind (const char *index_path, const char *name, Status *status)
{
  struct json_object *index = json_read_object (index_path, status);
  struct json_object *entry = index ? json_object_object_get (index, name) : NULL;
  struct json_object *class =
      json_object_is_type (entry, json_type_array) ? json_object_array_get_idx (entry, 1) : NULL;
  PartKind kind = json_object_is_type (class, json_type_string)
                      ? kind_of_class (json_object_get_string (class))
                      : PART_COUNT;
  json_object_put (index);
  return kind;
}

/* ---- tokenizer ---- */

/* A token as text, or as an object with its text under "content". */
static const char *
token_text (struct json_object *object, const char *key)
{
  struct json_object *inner = json_object_object_get (object, key);
  return json_object_is_type (inner, json_type_object) ? json_member_string (inner, "content")
                                                       : json_member_string (object, key);
}

static bool
read_ids (
    ClipConfig *clip, struct json_object *vocab, Pool *pool, const char *folder, Status *status)
{
  static const char *const files[] = { "special_tokens_map.json", "tokenizer_config.json" };
  json_member_int (vocab, "<|startoftext|>", &clip->bos_id);
  if (json_member_int (vocab, "<|endoftext|>", &clip->eos_id))
    clip->pad_id = clip->eos_id;
  for (size_t i = 0; i < 2; i++)
    {
      const char *path = join (pool, folder, files[i], status);
      struct json_object *map = path && file_exists (path) ? json_read_object (path, status) : NULL;
      const char *pad = map ? token_text (map, "pad_token") : NULL;
      bool found = pad && json_member_int (vocab, pad, &clip->pad_id);
      json_object_put (map);
      if (found || !status_ok (status))
        break;
    }
  return status_ok (status);
}

bool
folder_read_tokenizer (ClipConfig *clip, Pool *pool, const char *folder, Status *status)
{
  const char *path = join (pool, folder, "vocab.json", status);
  if (!path || !file_exists (path))
    return path != NULL;
  struct json_object *vocab = json_read_object (path, status);
  if (!vocab)
    return false;
  bool ok = read_ids (clip, vocab, pool, folder, status);
  json_object_put (vocab);
  return ok;
}
