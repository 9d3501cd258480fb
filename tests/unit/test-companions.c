/* SPDX-License-Identifier: MPL-2.0
 * test-companions.c - text encoders and VAE found where ComfyUI and Forge keep them.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "weights/companions.h"

typedef struct
{
  char *root;
  GPtrArray *made; /* to remove, last first */
} Tree;

static void
tree_init (Tree *t)
{
  t->root = g_dir_make_tmp ("gesso-companions-XXXXXX", NULL);
  t->made = g_ptr_array_new_with_free_func (g_free);
  g_assert_nonnull (t->root);
}

/* An empty file; its folders are made. */
static char *
add (Tree *t, const char *name)
{
  g_auto (GStrv) parts = g_strsplit (name, "/", -1);
  g_autoptr (GString) path = g_string_new (t->root);
  for (guint i = 0; parts[i]; i++)
    {
      g_string_append_printf (path, "/%s", parts[i]);
      if (parts[i + 1] && g_mkdir (path->str, 0700) == 0)
        g_ptr_array_add (t->made, g_strdup (path->str));
    }
  g_assert_true (g_file_set_contents (path->str, "", 0, NULL));
  g_ptr_array_add (t->made, g_strdup (path->str));
  return g_strdup (path->str);
}

static void
tree_clear (Tree *t)
{
  for (guint i = t->made->len; i > 0; i--)
    g_remove (t->made->pdata[i - 1]);
  g_rmdir (t->root);
  g_ptr_array_unref (t->made);
  g_free (t->root);
}

static void
expect (const char *model, CompanionKind kind, const char *want)
{
  char path[4096] = "";
  bool found = companion_find (model, kind, path, sizeof path);
  g_assert_cmpint (found, ==, want != NULL);
  if (want)
    g_assert_true (g_str_has_suffix (path, want));
}

static void
test_comfyui_folders (void)
{
  Tree t;
  tree_init (&t);
  g_autofree char *model = add (&t, "models/diffusion_models/flux/flux1-dev.safetensors");
  expect (model, COMPANION_CLIP_L, NULL);
  g_free (add (&t, "models/text_encoders/flux/clip_l.safetensors"));
  g_free (add (&t, "models/text_encoders/umt5_xxl_fp16.safetensors"));
  g_free (add (&t, "models/text_encoders/t5xxl_fp8_e4m3fn.safetensors"));
  g_free (add (&t, "models/vae/sdxl_vae.safetensors"));
  g_free (add (&t, "models/vae/ae.safetensors"));
  expect (model, COMPANION_CLIP_L, "text_encoders/flux/clip_l.safetensors");
  expect (model, COMPANION_T5, "t5xxl_fp8_e4m3fn.safetensors");
  expect (model, COMPANION_FLUX_VAE, "vae/ae.safetensors");
  tree_clear (&t);
}

static void
test_forge_folders (void)
{
  Tree t;
  tree_init (&t);
  g_autofree char *model = add (&t, "models/Stable-diffusion/flux1-dev-Q4_K_S.gguf");
  g_free (
      add (&t, "models/text_encoder/ViT-L-14-TEXT-detail-improved-hiT-GmP-TE-only-HF.safetensors"));
  g_free (add (&t, "models/text_encoder/t5-v1_1-xxl-encoder-Q5_K_M.gguf"));
  g_free (add (&t, "models/VAE/flux_vae.safetensors"));
  expect (model, COMPANION_CLIP_L, "TE-only-HF.safetensors");
  expect (model, COMPANION_T5, "Q5_K_M.gguf");
  expect (model, COMPANION_FLUX_VAE, "flux_vae.safetensors");
  tree_clear (&t);
}

/* Wan 2.1's image-to-video models look at pictures through CLIP-H. */
static void
test_image_encoders (void)
{
  Tree t;
  tree_init (&t);
  g_autofree char *model = add (&t, "models/diffusion_models/wan2.1_i2v_480p_14B_fp16.safetensors");
  g_free (add (&t, "models/clip_vision/sigclip_vision_patch14_384.safetensors"));
  g_free (add (&t, "models/clip_vision/clip_vision_g.safetensors"));
  expect (model, COMPANION_CLIP_VISION, NULL);
  g_free (add (&t, "models/clip_vision/models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth"));
  expect (model, COMPANION_CLIP_VISION, "vit-huge-14.pth");
  g_free (add (&t, "models/clip_vision/open-clip-xlm-roberta-large-vit-huge-14_fp16.safetensors"));
  expect (model, COMPANION_CLIP_VISION, "vit-huge-14_fp16.safetensors");
  g_free (add (&t, "models/clip_vision/clip_vision_h.safetensors"));
  expect (model, COMPANION_CLIP_VISION, "clip_vision_h.safetensors");
  tree_clear (&t);
}

/* 16 bits before scaled fp8 before fp8 before GGUF; what lies beside the model before all. */
static void
test_the_most_exact_is_taken (void)
{
  static const char *const names[] = { "t5xxl-Q8_0.gguf", "t5xxl_fp8_e4m3fn.safetensors",
                                       "t5xxl_fp8_e4m3fn_scaled.safetensors",
                                       "t5xxl_fp16.safetensors" };
  Tree t;
  tree_init (&t);
  g_autofree char *model = add (&t, "models/unet/flux1-dev.safetensors");
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *name = g_strconcat ("models/clip/", names[i], NULL);
      g_free (add (&t, name));
      expect (model, COMPANION_T5, names[i]);
    }
  g_free (add (&t, "models/unet/t5xxl_fp8_e4m3fn.safetensors"));
  expect (model, COMPANION_T5, "unet/t5xxl_fp8_e4m3fn.safetensors");
  g_free (add (&t, "models/clip/t5xxl_notes.txt"));
  expect (model, COMPANION_CLIP_L, NULL);
  tree_clear (&t);
}

/* TAESD's files differ in their names alone; the half that encodes shows nothing. */
static void
test_preview_decoders (void)
{
  Tree t;
  tree_init (&t);
  g_autofree char *model = add (&t, "models/checkpoints/xl/model.safetensors");
  g_autofree char *forge = add (&t, "forge/models/Stable-diffusion/model.safetensors");
  g_free (add (&t, "models/vae_approx/taesd_encoder.safetensors"));
  g_free (add (&t, "models/vae_approx/taesd3_decoder.safetensors"));
  expect (model, COMPANION_TAESD, NULL);
  g_free (add (&t, "models/vae_approx/taesdxl_decoder.safetensors"));
  g_free (add (&t, "models/vae_approx/taef1_decoder.pth"));
  expect (model, COMPANION_TAESD, NULL);
  expect (model, COMPANION_TAESDXL, "vae_approx/taesdxl_decoder.safetensors");
  expect (model, COMPANION_TAEF1, "vae_approx/taef1_decoder.pth");
  g_free (add (&t, "forge/models/VAE-taesd/taesd_decoder.pth"));
  expect (forge, COMPANION_TAESD, "VAE-taesd/taesd_decoder.pth");
  tree_clear (&t);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/companions/comfyui-folders", test_comfyui_folders);
  g_test_add_func ("/companions/forge-folders", test_forge_folders);
  g_test_add_func ("/companions/image-encoders", test_image_encoders);
  g_test_add_func ("/companions/preview-decoders", test_preview_decoders);
  g_test_add_func ("/companions/the-most-exact-is-taken", test_the_most_exact_is_taken);
  return g_test_run ();
}
