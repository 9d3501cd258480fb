/* SPDX-License-Identifier: MPL-2.0
 * test-wan-folders.c - whole folders as Wan-AI publish them, in their real size without values:
 * picking one loads everything in it, and what it lacks is named.
 *
 * Transformers lie in shards under their original names; the pickles' tensors go by diffusers' and
 * transformers' names here, because how the layouts are renamed is tests/golden's business.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "models/clip-vision.h"
#include "models/t5.h"
#include "models/wan-vae.h"
#include "models/wan.h"
#include "pipelines/pipeline.h"
#include "support/sparse.h"
#include "tools/full-size.h"

#define WAN(kind, n_in, n_out, width, heads, mlp, layers)                                          \
  .variant = kind, .in_channels = n_in, .out_channels = n_out, .dim = width, .n_heads = heads,     \
  .head_dim = 128, .mlp_dim = mlp, .n_layers = layers, .text_dim = 4096, .time_dim = 256,          \
  .axes = { 44, 42, 42 }

static const WanConfig t2v_a14b = { WAN (WAN_T2V, 16, 16, 5120, 40, 13824, 40) };
static const WanConfig ti2v_5b = { WAN (WAN_TI2V, 48, 48, 3072, 24, 14336, 30) };
static const WanConfig i2v_21 = { WAN (WAN_I2V, 36, 16, 5120, 40, 13824, 40), .image_dim = 1280 };
static const T5Config umt5 = { 256384, 4096, 24, 64, 64, 10240, 32, 128, true, 0, 1 };

static const char t5_file[] = "models_t5_umt5-xxl-enc-bf16.pth";
static const char clip_file[] = "models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth";

/* ---- making folders ---- */

typedef bool (*BindFunc) (const Binder *b, const void *config);

static bool
bind_wan (const Binder *b, const void *config)
{
  return wan_bind (b, config, "transformer") != NULL;
}

static bool
bind_t5 (const Binder *b, const void *config)
{
  return t5_bind (b, config) != NULL;
}

static bool
bind_vae (const Binder *b, const void *config)
{
  return wan_vae_bind (b, config, VAE_DECODER | VAE_ENCODER) != NULL;
}

static bool
bind_vision (const Binder *b, const void *config)
{
  return clip_vision_bind (b, config) != NULL;
}

static WeightSet *
declare (BindFunc bind, const void *config)
{
  Status status = { 0 };
  Arena arena = { 0 };
  WeightSet *set = weights_new_declared (&status);
  g_assert_true (bind (&(Binder){ set, &arena, &status }, config));
  arena_clear (&arena);
  return set;
}

/* "transformer.blocks.0..." as in the part's own file. */
static char *
part_name (const char *canonical)
{
  return g_strdup (strchr (canonical, '.') + 1);
}

static void
write_text (const char *folder, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
write_transformer (const char *folder, const WanConfig *c)
{
  WeightSet *set = declare (bind_wan, c);
  g_autofree char *config =
      g_strdup_printf ("{\"_class_name\":\"WanModel\",\"dim\":%d,\"num_heads\":%d,\"in_dim\":%d}",
                       c->dim, c->n_heads, c->in_channels);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  sparse_shards (folder, "diffusion_pytorch_model", set, part_name, sparse_own_shape, c, 3);
  write_text (folder, "config.json", config);
  weights_free (set);
}

static void
write_pickle (const char *folder, const char *name, BindFunc bind, const void *config)
{
  WeightSet *set = declare (bind, config);
  g_autofree char *path = g_build_filename (folder, name, NULL);
  sparse_pickle (path, set, part_name, sparse_own_shape, config);
  weights_free (set);
}

static void
write_tokenizer (const char *folder)
{
  const char *root = g_getenv ("GESSO_SOURCE");
  g_autofree char *to = g_build_filename (folder, "google", "umt5-xxl", NULL);
  g_autofree char *from = g_build_filename (root ? root : ".", "tests/golden/fixtures/wan-tiny",
                                            "tokenizer", "tokenizer.json", NULL);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (from, &text, NULL, NULL));
  g_assert_cmpint (g_mkdir_with_parents (to, 0700), ==, 0);
  write_text (to, "tokenizer.json", text);
}

static void
remove_all (const char *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name (dir));)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);
      remove_all (child);
    }
  if (dir)
    g_dir_close (dir);
  g_remove (path);
}

/* What all of them hold. */
static char *
folder_new (const char *vae_file, const WanVaeConfig *vae)
{
  char *folder = g_dir_make_tmp ("gesso-wan-XXXXXX", NULL);
  write_pickle (folder, t5_file, bind_t5, &umt5);
  write_pickle (folder, vae_file, bind_vae, vae);
  write_tokenizer (folder);
  return folder;
}

/* ---- opening them ---- */

typedef struct
{
  Backend *backend;
  Pipeline *pipeline;
  Status status;
} Opened;

static Opened
open_folder (const char *path)
{
  Opened o = { 0 };
  o.backend = backend_null_new (&o.status);
  o.pipeline = pipeline_open (
      &(PipelineSource){ .model_path = path, .tokenizers_dir = "", .header_only = true }, o.backend,
      &o.status);
  if (!o.pipeline)
    g_test_message ("%s", o.status.message);
  return o;
}

static void
close_folder (Opened *o)
{
  pipeline_free (o->pipeline);
  backend_free (o->backend);
}

static const ModelConfig *
config_of (const Opened *o)
{
  g_assert_cmpstr (o->status.message, ==, "");
  g_assert_nonnull (o->pipeline);
  return &pipeline_checkpoint (o->pipeline)->config;
}

/* A clip of a size, from the folder's headers alone. */
static void
check_plan (Opened *o, int width, int height, int n_frames)
{
  PipelineJob job;
  PipelinePlan plan;
  g_autofree guint8 *rgb = g_malloc0 ((gsize) (3 * width * height));
  pipeline_job_defaults (pipeline_checkpoint (o->pipeline), &job);
  g_assert_cmpint (job.width, ==, width);
  g_assert_cmpint (job.n_frames, ==, n_frames);
  job.prompt = "a paper boat";
  job.compute = COMPUTE_BF16;
  if (config_of (o)->wan.variant == WAN_I2V)
    job.first_rgb = rgb;
  bool ok = pipeline_plan (o->pipeline, &job, &plan, &o->status);
  g_test_message ("%s", o->status.message);
  g_assert_true (ok);
  g_assert_cmpint (plan.phases[PHASE_DENOISE].n_ops, >, 1000);
  g_assert_cmpint (plan.phases[PHASE_ENCODE].n_passes, ==, job.first_rgb ? 21 + 1 : 0);
}

/* Without @name the folder cannot be used, and says why. */
static void
check_missing (const char *folder, const char *name, const char *says)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *away = g_strconcat (path, ".away", NULL);
  g_assert_cmpint (g_rename (path, away), ==, 0);
  Opened o = open_folder (folder);
  g_assert_null (o.pipeline);
  g_assert_nonnull (strstr (o.status.message, says));
  close_folder (&o);
  g_assert_cmpint (g_rename (away, path), ==, 0);
}

static void
test_two_experts (void)
{
  static const char *const picked[] = {
    "",
    "/",
    "high_noise_model",
    "low_noise_model/",
    "low_noise_model/diffusion_pytorch_model-00002-of-00003.safetensors",
  };
  g_autofree char *folder = folder_new ("Wan2.1_VAE.pth", &full_size_wan21_vae);
  g_autofree char *high = g_build_filename (folder, "high_noise_model", NULL);
  g_autofree char *low = g_build_filename (folder, "low_noise_model", NULL);
  write_transformer (high, &t2v_a14b);
  write_transformer (low, &t2v_a14b);
  for (gsize i = 0; i < G_N_ELEMENTS (picked); i++)
    {
      g_autofree char *path = g_strconcat (folder, "/", picked[i], NULL);
      Opened o = open_folder (path);
      const ModelConfig *c = config_of (&o);
      g_assert_true (c->has_wan && c->has_expert && c->has_t5 && c->has_wan_vae);
      g_assert_cmpint (c->wan_expert, ==, WAN_EXPERT_HIGH);
      g_assert_cmpint (c->wan.n_heads, ==, 40);
      if (i == 0)
        check_plan (&o, 832, 480, 81);
      close_folder (&o);
    }
  check_missing (folder, "Wan2.1_VAE.pth", "lacks the VAE");
  check_missing (folder, t5_file, "lacks umT5-XXL");
  check_missing (folder, "low_noise_model", "low-noise one is missing");
  check_missing (folder, "high_noise_model", "low-noise expert");
  check_missing (folder, "google", "without its tokenizer");
  check_missing (folder, "low_noise_model/diffusion_pytorch_model-00003-of-00003.safetensors",
                 "00003-of-00003");
  remove_all (folder);
}

static void
test_one_transformer (void)
{
  g_autofree char *folder = folder_new ("Wan2.2_VAE.pth", &full_size_wan22_vae);
  write_transformer (folder, &ti2v_5b);
  Opened o = open_folder (folder);
  const ModelConfig *c = config_of (&o);
  g_assert_true (c->has_wan && !c->has_expert && c->has_t5 && c->has_wan_vae && !c->has_vision);
  g_assert_cmpint (c->wan.variant, ==, WAN_TI2V);
  check_plan (&o, 1280, 704, 121);
  close_folder (&o);
  check_missing (folder, "Wan2.2_VAE.pth", "lacks the VAE (wan2.2_vae");
  remove_all (folder);
}

/* 2.1's image to video: 14 thousand million parameters, and CLIP-H. */
static void
test_image_encoder (void)
{
  g_autofree char *folder = folder_new ("Wan2.1_VAE.pth", &full_size_wan21_vae);
  write_transformer (folder, &i2v_21);
  write_pickle (folder, clip_file, bind_vision, &full_size_clip_h);
  Opened o = open_folder (folder);
  const ModelConfig *c = config_of (&o);
  g_assert_true (c->has_vision && c->is_wan_folder);
  g_assert_cmpint (c->vision.n_layers, ==, 32);
  check_plan (&o, 832, 480, 81);
  close_folder (&o);
  check_missing (folder, clip_file, "lacks CLIP-H");
  remove_all (folder);
}

/* As ComfyUI keeps them: all is found but a tokenizer, which its umT5 files carry and this has not.
 */
static void
test_files_in_folders (void)
{
  static const struct
  {
    const char *folder, *file;
    BindFunc bind;
    const void *config;
  } files[] = {
    { "diffusion_models", "wan2.1_i2v_480p_14B_fp16.safetensors", bind_wan, &i2v_21 },
    { "text_encoders", "umt5_xxl_fp16.safetensors", bind_t5, &umt5 },
    { "vae", "wan_2.1_vae.safetensors", bind_vae, &full_size_wan21_vae },
    { "clip_vision", "clip_vision_h.safetensors", bind_vision, &full_size_clip_h },
  };
  g_autofree char *root = g_dir_make_tmp ("gesso-wan-XXXXXX", NULL);
  g_autofree char *model = g_build_filename (root, files[0].folder, files[0].file, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = g_build_filename (root, files[i].folder, files[i].file, NULL);
      g_autofree char *folder = g_path_get_dirname (path);
      WeightSet *set = declare (files[i].bind, files[i].config);
      g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
      sparse_safetensors (path, set, part_name, sparse_own_shape, NULL, 0, 1);
      weights_free (set);
    }
  Opened o = open_folder (model);
  g_assert_null (o.pipeline);
  g_assert_nonnull (strstr (o.status.message, "without its tokenizer"));
  close_folder (&o);
  for (gsize i = 1; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = g_build_filename (root, files[i].folder, files[i].file, NULL);
      g_remove (path);
    }
  o = open_folder (model);
  g_assert_null (o.pipeline);
  g_assert_nonnull (strstr (o.status.message, "lacks umT5-XXL"));
  g_assert_nonnull (strstr (o.status.message, "CLIP-H (clip_vision_h.safetensors)"));
  close_folder (&o);
  remove_all (root);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/wan-folders/two-experts", test_two_experts);
  g_test_add_func ("/wan-folders/one-transformer", test_one_transformer);
  g_test_add_func ("/wan-folders/image-encoder", test_image_encoder);
  g_test_add_func ("/wan-folders/files-in-folders", test_files_in_folders);
  return g_test_run ();
}
