/* SPDX-License-Identifier: MPL-2.0
 * test-recognise.c - FLUX.1 and Wan as people have them, in the list of models: files with all the
 * names and shapes of the published ones.
 *
 * Run alone: build/tests/library/test-recognise
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "library/gesso-model-file.h"
#include "library/gesso-recognise.h"
#include "published.h"
#include "tree.h"

enum
{
  MISSING_BYTES = 1000
};

typedef struct
{
  char *dir;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->dir = tree_new ();
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  tree_remove (f->dir);
}

/* @problem: a part of the sentence, NULL: usable */
static void
check (const char *path, GessoFileKind kind, const char *family, const char *problem)
{
  GessoRecognised r;
  gesso_recognise (&r, path, GESSO_FILE_UNKNOWN);
  g_test_message ("%s: %s, %s, %s, %s", path, gesso_file_kind_nick (r.kind), r.family, r.format,
                  r.problem);
  g_assert_cmpint (r.kind, ==, kind);
  if (family)
    g_assert_cmpstr (r.family, ==, family);
  if (problem)
    g_assert_nonnull (strstr (r.problem, problem));
  else
    g_assert_cmpstr (r.problem, ==, "");
  gesso_recognised_clear (&r);
}

/* The file whole, then without its last bytes: a download that has stopped. */
static void
check_both (
    Fixture *f, PublishedModel *model, const char *name, GessoFileKind kind, const char *family)
{
  gboolean gguf = g_str_has_suffix (name, ".gguf");
  g_autofree char *path =
      published_write (model, f->dir, name, gguf ? PUBLISHED_GGUF : PUBLISHED_SAFETENSORS);
  check (path, kind, family, NULL);
  tree_cut (path, MISSING_BYTES);
  check (path, GESSO_FILE_CHECKPOINT, NULL, "cut short");
  published_free (model);
}

/* Every one of these stood in the list as "a part of a FLUX.1 transformer". */
static void
test_library_lists_published_flux (Fixture *f, gconstpointer data)
{
  static const char *const prefixes[] = { "", "model.diffusion_model.", "transformer." };
  for (guint i = 0; i < G_N_ELEMENTS (prefixes); i++)
    for (int guidance = 0; guidance < 2; guidance++)
      {
        PublishedModel *bfl = published_new (), *diffusers = published_new ();
        published_add_flux (bfl, prefixes[i], guidance);
        published_add_flux_diffusers (diffusers, prefixes[i], guidance);
        check_both (f, bfl, "flux1.safetensors", GESSO_FILE_CHECKPOINT, "FLUX.1");
        check_both (f, diffusers, "flux2.safetensors", GESSO_FILE_CHECKPOINT, "FLUX.1");
      }
}

static void
test_library_lists_flux_in_one_file (Fixture *f, gconstpointer data)
{
  PublishedModel *whole = published_new (), *parts = published_new ();
  published_add_flux (whole, "model.diffusion_model.", TRUE);
  published_add_flux_parts (whole);
  check_both (f, whole, "flux1-dev-all.safetensors", GESSO_FILE_CHECKPOINT, "FLUX.1");
  published_add_flux_parts (parts);
  check_both (f, parts, "parts.safetensors", GESSO_FILE_VAE, "FLUX.1");
}

static void
test_library_lists_flux_gguf (Fixture *f, gconstpointer data)
{
  PublishedModel *model = published_new ();
  published_add_flux (model, "", TRUE);
  check_both (f, model, "flux1-dev-F16.gguf", GESSO_FILE_CHECKPOINT, "FLUX.1");
}

/* It was called FLUX.1. */
static void
test_library_refuses_flux2 (Fixture *f, gconstpointer data)
{
  g_autoptr (PublishedModel) model = published_new ();
  published_add_flux2 (model, "");
  g_autofree char *path =
      published_write (model, f->dir, "flux2-dev.safetensors", PUBLISHED_SAFETENSORS);
  check (path, GESSO_FILE_CHECKPOINT, "FLUX.2", "a FLUX.2 model, which this version does not know");
}

static void
test_library_lists_published_wan (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *name, *prefix;
    PublishedWan wan;
  } files[] = {
    { "wan2.1_t2v_1.3B_bf16.safetensors", "", { 1536, 8960, 30, 16, 16, FALSE } },
    { "wan2.1_t2v_14B_bf16.safetensors", "", { 5120, 13824, 40, 16, 16, FALSE } },
    { "wan2.1_i2v_720p_14B_bf16.safetensors", "model.", { 5120, 13824, 40, 36, 16, TRUE } },
    { "wan2.2_t2v_high_noise_14B_fp16.safetensors", "", { 5120, 13824, 40, 16, 16, FALSE } },
    { "wan2.2_t2v_low_noise_14B_fp16.safetensors", "", { 5120, 13824, 40, 16, 16, FALSE } },
    { "wan2.2_i2v_high_noise_14B_fp16.safetensors",
      "diffusion_model.",
      { 5120, 13824, 40, 36, 16, FALSE } },
    { "wan2.2_ti2v_5B_fp16.safetensors",
      "model.diffusion_model.",
      { 3072, 14336, 30, 48, 48, FALSE } },
    { "wan2.2_ti2v_5B_F16.gguf", "", { 3072, 14336, 30, 48, 48, FALSE } },
  };
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      PublishedModel *model = published_new ();
      published_add_wan (model, files[i].prefix, &files[i].wan);
      check_both (f, model, files[i].name, GESSO_FILE_CHECKPOINT, "Wan");
    }
}

static void
test_library_lists_wan_vaes (Fixture *f, gconstpointer data)
{
  PublishedModel *first = published_new (), *second = published_new ();
  published_add_wan21_vae (first);
  published_add_wan22_vae (second);
  check_both (f, first, "wan_2.1_vae.safetensors", GESSO_FILE_VAE, "Wan");
  check_both (f, second, "wan2.2_vae.safetensors", GESSO_FILE_VAE, "Wan");
}

/* What the networks' own tests compute with: 4 bits, 8 bits with scales, blocks. */
static void
test_library_lists_storage_formats (void)
{
  static const struct
  {
    const char *name;
    GessoFileKind kind;
    const char *family;
  } files[] = {
    { "transformers/flux-schnell-nf4.safetensors", GESSO_FILE_CHECKPOINT, "FLUX.1" },
    { "transformers/flux-schnell-fp8.safetensors", GESSO_FILE_CHECKPOINT, "FLUX.1" },
    { "transformers/flux-schnell-q8.gguf", GESSO_FILE_CHECKPOINT, "FLUX.1" },
    { "transformers/flux-fill-bfl.safetensors", GESSO_FILE_CHECKPOINT, "FLUX.1" },
    { "transformers/umt5-wan.safetensors", GESSO_FILE_TEXT_ENCODER, "Wan" },
    { "vision/hf/model.safetensors", GESSO_FILE_IMAGE_ENCODER, "Wan" },
    { "transformers/ae.safetensors", GESSO_FILE_VAE, "FLUX.1" },
    { "wan/flf.safetensors", GESSO_FILE_CHECKPOINT, "Wan" },
    { "wan/plain-fp8.safetensors", GESSO_FILE_CHECKPOINT, "Wan" },
    { "wan/plain-q8.gguf", GESSO_FILE_CHECKPOINT, "Wan" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = g_build_filename (g_getenv ("GESSO_FIXTURES"), files[i].name, NULL);
      check (path, files[i].kind, files[i].family, NULL);
    }
}

/* A LoRA says which model it is for: by layers, where widths are the same. */
static void
test_library_tells_lora_families (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *layer, *family;
    int width;
  } cases[] = {
    { "lora_unet_double_blocks_0_img_attn_qkv", "FLUX.1", 3072 },
    { "transformer.single_transformer_blocks.0.attn.to_q", "FLUX.1", 3072 },
    { "transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj", "FLUX.2", 6144 },
    { "diffusion_model.blocks.0.self_attn.q", "Wan", 5120 },
    { "diffusion_model.blocks.0.cross_attn.k", "Wan", 5120 },
    { "transformer.transformer_blocks.2.img_mlp.net.0.proj", "Qwen-Image", 3072 },
    { "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k", "SDXL", 2048 },
    { "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k", "SD 1.5", 768 },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *down =
          g_strdup_printf ("%s.lora_down.weight:F16:8,%d", cases[i].layer, cases[i].width);
      g_autofree char *up =
          g_strdup_printf ("%s.lora_up.weight:F16:%d,8", cases[i].layer, cases[i].width);
      const char *const tensors[] = { down, up, NULL };
      g_autofree char *path = tree_safetensors (f->dir, "lora.safetensors", tensors);
      check (path, GESSO_FILE_LORA, cases[i].family, NULL);
    }
}

static void
add (const char *path, void (*test) (Fixture *, gconstpointer))
{
  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("/library/recognise/flux", test_library_lists_published_flux);
  add ("/library/recognise/flux-in-one-file", test_library_lists_flux_in_one_file);
  add ("/library/recognise/flux-gguf", test_library_lists_flux_gguf);
  add ("/library/recognise/flux2", test_library_refuses_flux2);
  add ("/library/recognise/wan", test_library_lists_published_wan);
  add ("/library/recognise/wan-vaes", test_library_lists_wan_vaes);
  add ("/library/recognise/lora-families", test_library_tells_lora_families);
  g_test_add_func ("/library/recognise/storage-formats", test_library_lists_storage_formats);
  return g_test_run ();
}
