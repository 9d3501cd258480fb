/* SPDX-License-Identifier: MPL-2.0
 * gesso-layouts.c - the folders of ComfyUI, Forge/A1111 and SwarmUI, as tables.
 */
#define G_LOG_DOMAIN "gesso-library"

#include "library/gesso-layouts.h"

#include <string.h>

typedef struct
{
  const char *name;
  GessoFileKind kind;
} FolderRow;

/* Below models/, and the keys of extra_model_paths.yaml.  What no model of ours uses is left out:
 * audio_encoders, classifiers, configs, gligen, hypernetworks, latent_upscale_models,
 * model_patches, photomaker, style_models. */
static const FolderRow comfyui[] = {
  { "checkpoints", GESSO_FILE_CHECKPOINT },
  { "diffusion_models", GESSO_FILE_CHECKPOINT },
  { "unet", GESSO_FILE_CHECKPOINT },
  { "diffusers", GESSO_FILE_CHECKPOINT },
  { "loras", GESSO_FILE_LORA },
  { "embeddings", GESSO_FILE_EMBEDDING },
  { "vae", GESSO_FILE_VAE },
  { "vae_approx", GESSO_FILE_TINY_VAE },
  { "controlnet", GESSO_FILE_CONTROLNET },
  { "t2i_adapter", GESSO_FILE_CONTROLNET },
  { "text_encoders", GESSO_FILE_TEXT_ENCODER },
  { "clip", GESSO_FILE_TEXT_ENCODER },
  { "clip_vision", GESSO_FILE_IMAGE_ENCODER },
  { "upscale_models", GESSO_FILE_UPSCALER },
};

/* Below the root; SD.Next's capitals are its own. */
static const FolderRow webui[] = {
  { "models/Stable-diffusion", GESSO_FILE_CHECKPOINT },
  { "models/diffusers", GESSO_FILE_CHECKPOINT },
  { "models/Diffusers", GESSO_FILE_CHECKPOINT },
  { "models/UNET", GESSO_FILE_CHECKPOINT },
  { "models/Lora", GESSO_FILE_LORA },
  { "models/LyCORIS", GESSO_FILE_LORA },
  { "embeddings", GESSO_FILE_EMBEDDING },
  { "models/embeddings", GESSO_FILE_EMBEDDING },
  { "models/VAE", GESSO_FILE_VAE },
  { "models/VAE-approx", GESSO_FILE_TINY_VAE },
  { "models/VAE-taesd", GESSO_FILE_TINY_VAE },
  { "models/ControlNet", GESSO_FILE_CONTROLNET },
  { "extensions/sd-webui-controlnet/models", GESSO_FILE_CONTROLNET },
  { "models/text_encoder", GESSO_FILE_TEXT_ENCODER },
  { "models/Text-encoder", GESSO_FILE_TEXT_ENCODER },
  { "models/ESRGAN", GESSO_FILE_UPSCALER },
  { "models/RealESRGAN", GESSO_FILE_UPSCALER },
  { "models/SwinIR", GESSO_FILE_UPSCALER },
  { "models/DAT", GESSO_FILE_UPSCALER },
};

/* Below Models/. */
static const FolderRow swarmui[] = {
  { "Stable-Diffusion", GESSO_FILE_CHECKPOINT },
  { "diffusion_models", GESSO_FILE_CHECKPOINT },
  { "unet", GESSO_FILE_CHECKPOINT },
  { "Lora", GESSO_FILE_LORA },
  { "Embeddings", GESSO_FILE_EMBEDDING },
  { "VAE", GESSO_FILE_VAE },
  { "vae_approx", GESSO_FILE_TINY_VAE },
  { "controlnet", GESSO_FILE_CONTROLNET },
  { "clip", GESSO_FILE_TEXT_ENCODER },
  { "text_encoders", GESSO_FILE_TEXT_ENCODER },
  { "clip_vision", GESSO_FILE_IMAGE_ENCODER },
  { "upscale_models", GESSO_FILE_UPSCALER },
};

GessoScanFolder *
gesso_scan_folder_new (const char *path, GessoFileKind hint)
{
  GessoScanFolder *folder = g_new0 (GessoScanFolder, 1);
  folder->path = g_strdup (path);
  folder->hint = hint;
  return folder;
}

void
gesso_scan_folder_free (GessoScanFolder *folder)
{
  if (!folder)
    return;
  g_free (folder->path);
  g_free (folder);
}

static gboolean
is_folder (const char *dir, const char *relative)
{
  g_autofree char *path = g_build_filename (dir, relative, NULL);
  return g_file_test (path, G_FILE_TEST_IS_DIR);
}

gboolean
gesso_layouts_kind_of (const char *name, GessoFileKind *kind)
{
  for (guint i = 0; i < G_N_ELEMENTS (comfyui); i++)
    if (g_str_equal (name, comfyui[i].name))
      {
        *kind = comfyui[i].kind;
        return TRUE;
      }
  return FALSE;
}

void
gesso_layouts_add (GPtrArray *folders, const char *dir, const char *relative, GessoFileKind hint)
{
  g_autofree char *joined = g_build_filename (dir, relative, NULL);
  g_autofree char *path = g_canonicalize_filename (joined, "/");
  if (!g_file_test (path, G_FILE_TEST_IS_DIR))
    return;
  for (guint i = 0; i < folders->len; i++)
    if (g_str_equal (((GessoScanFolder *) folders->pdata[i])->path, path))
      return;
  g_ptr_array_add (folders, gesso_scan_folder_new (path, hint));
}

static void
add_table (GPtrArray *folders, const char *dir, const FolderRow *rows, guint n_rows)
{
  for (guint i = 0; i < n_rows; i++)
    gesso_layouts_add (folders, dir, rows[i].name, rows[i].kind);
}

static void
add_yaml_of (GPtrArray *folders, const char *root)
{
  g_autofree char *yaml = g_build_filename (root, "extra_model_paths.yaml", NULL);
  if (g_file_test (yaml, G_FILE_TEST_IS_REGULAR))
    gesso_layouts_add_yaml (folders, yaml);
}

static gboolean
add_comfyui (GPtrArray *folders, const char *root)
{
  g_autofree char *yaml = g_build_filename (root, "extra_model_paths.yaml", NULL);
  gboolean has_models = is_folder (root, "models/checkpoints");
  if (!has_models && !g_file_test (yaml, G_FILE_TEST_IS_REGULAR))
    return FALSE;
  g_autofree char *models = g_build_filename (root, "models", NULL);
  add_table (folders, models, comfyui, G_N_ELEMENTS (comfyui));
  add_yaml_of (folders, root);
  return folders->len > 0;
}

static gboolean
add_webui (GPtrArray *folders, const char *root)
{
  if (!is_folder (root, "models/Stable-diffusion"))
    return FALSE;
  add_table (folders, root, webui, G_N_ELEMENTS (webui));
  return TRUE;
}

static gboolean
add_swarmui (GPtrArray *folders, const char *root)
{
  if (!is_folder (root, "Models/Stable-Diffusion"))
    return FALSE;
  g_autofree char *models = g_build_filename (root, "Models", NULL);
  add_table (folders, models, swarmui, G_N_ELEMENTS (swarmui));
  /* SwarmUI installs a ComfyUI of its own here */
  g_autofree char *backend = g_build_filename (root, "dlbackend", "ComfyUI", NULL);
  add_comfyui (folders, backend);
  return TRUE;
}

/* The user named the models folder itself, not what it lies in. */
static gboolean
add_models_folder (GPtrArray *folders, const char *path)
{
  g_autofree char *parent = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  if (g_str_equal (name, "Models"))
    return add_swarmui (folders, parent);
  if (!g_str_equal (name, "models"))
    return FALSE;
  if (is_folder (path, "Stable-diffusion"))
    return add_webui (folders, parent);
  return is_folder (path, "checkpoints") && add_comfyui (folders, parent);
}

GPtrArray *
gesso_layouts_resolve (const char *path)
{
  g_return_val_if_fail (path != NULL, NULL);
  GPtrArray *folders = g_ptr_array_new_with_free_func ((GDestroyNotify) gesso_scan_folder_free);
  gboolean known = add_webui (folders, path);
  known = add_swarmui (folders, path) || known;
  known = add_comfyui (folders, path) || known;
  known = known || add_models_folder (folders, path);
  if (!known)
    {
      GessoFileKind hint = GESSO_FILE_UNKNOWN;
      g_autofree char *name = g_path_get_basename (path);
      gesso_layouts_kind_of (name, &hint);
      g_ptr_array_add (folders, gesso_scan_folder_new (path, hint));
    }
  return folders;
}

static gboolean
has_folder (const FolderRow *rows, gsize n, const char *name)
{
  for (gsize i = 0; i < n; i++)
    {
      const char *last = strrchr (rows[i].name, '/');
      if (g_str_equal (name, last ? last + 1 : rows[i].name))
        return TRUE;
    }
  return FALSE;
}

gboolean
gesso_layouts_is_folder_name (const char *name)
{
  g_return_val_if_fail (name, FALSE);
  return has_folder (comfyui, G_N_ELEMENTS (comfyui), name) ||
         has_folder (webui, G_N_ELEMENTS (webui), name) ||
         has_folder (swarmui, G_N_ELEMENTS (swarmui), name);
}
