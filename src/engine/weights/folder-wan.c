/* SPDX-License-Identifier: MPL-2.0 */
#include "weights/folder-wan.h"

#include <stdio.h>
#include <string.h>

#include "weights/companions.h"
#include "weights/folder.h"
#include "weights/json.h"
#include "weights/source.h"

enum
{
  PATH_SIZE = 4096
};

static const char weights[] = "diffusion_pytorch_model"; /* and what tells shards apart */
static const char high_noise[] = "high_noise_model", low_noise[] = "low_noise_model";

static bool
has (const char *folder, const char *name)
{
  char path[PATH_SIZE];
  return snprintf (path, sizeof path, "%s/%s", folder, name) < (int) sizeof path &&
         file_exists (path);
}

/* The class that Wan's own programs write; diffusers' is another. */
static bool
has_transformer (const char *folder)
{
  char path[PATH_SIZE];
  Status ignored = { 0 };
  if (snprintf (path, sizeof path, "%s/config.json", folder) >= (int) sizeof path ||
      !file_exists (path))
    return false;
  struct json_object *config = json_read_object (path, &ignored);
  const char *class = config ? json_member_string (config, "_class_name") : NULL;
  bool is_wan = class && strcmp (class, "WanModel") == 0;
  json_object_put (config);
  return is_wan;
}

static bool
has_experts (const char *folder)
{
  return has (folder, high_noise) || has (folder, low_noise);
}

bool
folder_is_wan (const char *path)
{
  return !has (path, "model_index.json") && (has_experts (path) || has_transformer (path));
}

/* @path: loses its last component.  Returns: it; NULL at the end of a relative path */
static char *
parent_of (char *path)
{
  char *slash = strrchr (path, '/');
  if (!slash || slash == path)
    return NULL;
  *slash = '\0';
  return path;
}

static bool
is_expert_folder (const char *path)
{
  const char *base = path_base (path);
  return strcmp (base, high_noise) == 0 || strcmp (base, low_noise) == 0;
}

const char *
folder_of_wan (Pool *pool, const char *path, Status *status)
{
  char *folder = pool_strdup (pool, path, status);
  while (folder && folder[0] && folder[1] && folder[strlen (folder) - 1] == '/')
    folder[strlen (folder) - 1] = '\0';
  if (folder && !has (folder, ".")) /* a file: the folder that it lies in */
    folder = strncmp (path_base (folder), weights, strlen (weights)) ? NULL : parent_of (folder);
  if (!folder)
    return NULL;
  if (!is_expert_folder (folder))
    return has (path, ".") && folder_is_wan (folder) ? folder : NULL;
  return parent_of (folder);
}

/* A file of the folder itself, as companions are named. */
static bool
find_file (WanFolder *out,
           PartKind kind,
           CompanionKind companion,
           Pool *pool,
           const char *path,
           Status *status)
{
  char found[PATH_SIZE];
  if (!out->weights[kind] && companion_in_folder (path, companion, found, sizeof found))
    out->weights[kind] = pool_strdup (pool, found, status);
  return status_ok (status);
}

static bool
find_transformers (WanFolder *out, Pool *pool, const char *path, Status *status)
{
  const char *high = pool_printf (pool, status, "%s/%s", path, high_noise);
  const char *low = pool_printf (pool, status, "%s/%s", path, low_noise);
  if (!high || !low)
    return false;
  if (!has_experts (path))
    out->weights[PART_WAN] = path;
  else if (file_exists (high))
    {
      out->weights[PART_WAN] = high;
      out->weights[PART_EXPERT] = file_exists (low) ? low : NULL;
    }
  else
    out->weights[PART_WAN] = low;
  return true;
}

bool
folder_find_wan (WanFolder *out, Pool *pool, const char *path, Status *status)
{
  *out = (WanFolder){ .tokenizer = NULL };
  char *tokenizer = pool_printf (pool, status, "%s/google/umt5-xxl", path);
  if (!tokenizer || !find_transformers (out, pool, path, status))
    return false;
  if (has (tokenizer, "tokenizer.json") || has (tokenizer, "spiece.model"))
    out->tokenizer = tokenizer;
  return find_file (out, PART_VAE, COMPANION_WAN21_VAE, pool, path, status) &&
         find_file (out, PART_VAE, COMPANION_WAN22_VAE, pool, path, status) &&
         find_file (out, PART_T5, COMPANION_UMT5, pool, path, status) &&
         find_file (out, PART_VISION, COMPANION_CLIP_VISION, pool, path, status);
}
