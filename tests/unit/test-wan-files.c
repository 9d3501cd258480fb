/* SPDX-License-Identifier: MPL-2.0
 * test-wan-files.c - the Wan models that were published, as files of real size without their
 * values: what they are recognised as, from names and shapes alone.
 */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "models/clip-vision.h"
#include "models/wan.h"
#include "support/sparse.h"
#include "weights/checkpoint.h"
#include "weights/companions.h"
#include "weights/recognise.h"

#define WAN(kind, n_in, n_out, width, heads, mlp, layers)                                          \
  .variant = kind, .in_channels = n_in, .out_channels = n_out, .dim = width, .n_heads = heads,     \
  .head_dim = 128, .mlp_dim = mlp, .n_layers = layers, .text_dim = 4096, .time_dim = 256,          \
  .axes = { 44, 42, 42 }

typedef struct
{
  const char *file, *prefix;
  WanConfig config;
  double parameters; /* thousand millions, as published */
  WanExpert expert;
} Published;

static const Published published[] = {
  { "wan2.1_t2v_1.3B_bf16",
    "",
    { WAN (WAN_T2V, 16, 16, 1536, 12, 8960, 30) },
    1.419,
    WAN_EXPERT_UNKNOWN },
  { "wan2.1_t2v_14B_bf16",
    "model.",
    { WAN (WAN_T2V, 16, 16, 5120, 40, 13824, 40) },
    14.288,
    WAN_EXPERT_UNKNOWN },
  { "wan2.2_t2v_high_noise_14B_fp16",
    "",
    { WAN (WAN_T2V, 16, 16, 5120, 40, 13824, 40) },
    14.288,
    WAN_EXPERT_HIGH },
  { "Wan2.2-I2V-A14B-LowNoise",
    "diffusion_model.",
    { WAN (WAN_I2V, 36, 16, 5120, 40, 13824, 40) },
    14.289,
    WAN_EXPERT_LOW },
  { "Wan2_2-I2V-A14B-HIGH_bf16",
    "model.diffusion_model.",
    { WAN (WAN_I2V, 36, 16, 5120, 40, 13824, 40) },
    14.289,
    WAN_EXPERT_HIGH },
  { "wan2.1_i2v_480p_14B_bf16",
    "",
    { WAN (WAN_I2V, 36, 16, 5120, 40, 13824, 40), .image_dim = 1280 },
    16.395,
    WAN_EXPERT_UNKNOWN },
  { "wan2.1_flf2v_720p_14B_bf16",
    "",
    { WAN (WAN_I2V, 36, 16, 5120, 40, 13824, 40), .image_dim = 1280, .image_positions = 514 },
    16.396,
    WAN_EXPERT_UNKNOWN },
  { "wan2.2_ti2v_5B_fp16",
    "",
    { WAN (WAN_TI2V, 48, 48, 3072, 24, 14336, 30) },
    5.000,
    WAN_EXPERT_UNKNOWN },
};

/* diffusers' names to the original ones, in this order; "norm2" is the original's third. */
static const char *const renames[][2] = {
  { "condition_embedder.time_embedder.linear_1", "time_embedding.0" },
  { "condition_embedder.time_embedder.linear_2", "time_embedding.2" },
  { "condition_embedder.text_embedder.linear_1", "text_embedding.0" },
  { "condition_embedder.text_embedder.linear_2", "text_embedding.2" },
  { "condition_embedder.time_proj", "time_projection.1" },
  { "condition_embedder.image_embedder.pos_embed", "img_emb.emb_pos" },
  { "condition_embedder.image_embedder.norm1", "img_emb.proj.0" },
  { "condition_embedder.image_embedder.ff.net.0.proj", "img_emb.proj.1" },
  { "condition_embedder.image_embedder.ff.net.2", "img_emb.proj.3" },
  { "condition_embedder.image_embedder.norm2", "img_emb.proj.4" },
  { "transformer.scale_shift_table", "transformer.head.modulation" },
  { "transformer.proj_out", "transformer.head.head" },
  { "scale_shift_table", "modulation" },
  { ".norm2.", ".norm3." },
  { "attn1.", "self_attn." },
  { "attn2.", "cross_attn." },
  { ".to_q.", ".q." },
  { ".to_k.", ".k." },
  { ".to_v.", ".v." },
  { ".to_out.0.", ".o." },
  { ".add_k_proj.", ".k_img." },
  { ".add_v_proj.", ".v_img." },
  { ".norm_added_k.", ".norm_k_img." },
  { "ffn.net.0.proj", "ffn.0" },
  { "ffn.net.2", "ffn.2" },
};

static char *
original_name (const char *canonical)
{
  g_autoptr (GString) name = g_string_new (canonical);
  for (size_t i = 0; i < G_N_ELEMENTS (renames); i++)
    g_string_replace (name, renames[i][0], renames[i][1], 0);
  return g_strdup (name->str + strlen ("transformer."));
}

/* As the file has it: patches in five dimensions, tables in three. */
static char *
shape_in_file (const Weight *w, const void *config)
{
  const WanConfig *c = config;
  long long rows = (long long) w->ne[0], width = (long long) w->ne[1];
  if (strstr (w->name, "patch_embedding.weight"))
    return g_strdup_printf ("%lld,%lld,1,2,2", rows, width / 4);
  if (strstr (w->name, "scale_shift_table"))
    return g_strdup_printf ("1,%lld,%d", width / c->dim, c->dim);
  if (strstr (w->name, "pos_embed"))
    return g_strdup_printf ("1,%lld,%d", width / c->image_dim, c->image_dim);
  return w->rank == 1 ? g_strdup_printf ("%lld", rows) : g_strdup_printf ("%lld,%lld", rows, width);
}

static char *
vision_name (const char *canonical)
{
  return g_strdup (canonical + strlen ("image_encoder."));
}

static char *
vision_shape (const Weight *w, const void *config)
{
  const ClipVisionConfig *c = config;
  if (strstr (w->name, "patch_embedding"))
    return g_strdup_printf ("%d,3,%d,%d", c->dim, c->patch, c->patch);
  if (strstr (w->name, "class_embedding"))
    return g_strdup_printf ("%d", c->dim);
  return w->rank == 1 ? g_strdup_printf ("%lld", (long long) w->ne[0])
                      : g_strdup_printf ("%lld,%lld", (long long) w->ne[0], (long long) w->ne[1]);
}

static const char *wan_prefix; /* of the file that is written */

static char *
wan_name (const char *canonical)
{
  g_autofree char *name = original_name (canonical);
  return g_strconcat (wan_prefix, name, NULL);
}

static void
write_wan (const char *path, const char *prefix, const WanConfig *c)
{
  Status status = { 0 };
  Arena arena = { 0 };
  WeightSet *set = weights_new_declared (&status);
  Binder b = { set, &arena, &status };
  g_assert_nonnull (wan_bind (&b, c, "transformer"));
  wan_prefix = prefix;
  sparse_safetensors (path, set, wan_name, shape_in_file, c, 0, 1);
  weights_free (set);
  arena_clear (&arena);
}

static void
check_config (const WanConfig *got, const WanConfig *want)
{
  g_assert_cmpint (got->variant, ==, want->variant);
  g_assert_cmpint (got->in_channels, ==, want->in_channels);
  g_assert_cmpint (got->out_channels, ==, want->out_channels);
  g_assert_cmpint (got->dim, ==, want->dim);
  g_assert_cmpint (got->n_heads, ==, want->n_heads);
  g_assert_cmpint (got->mlp_dim, ==, want->mlp_dim);
  g_assert_cmpint (got->n_layers, ==, want->n_layers);
  g_assert_cmpint (got->text_dim, ==, want->text_dim);
  g_assert_cmpint (got->image_dim, ==, want->image_dim);
  g_assert_cmpint (got->image_positions, ==, want->image_positions);
  g_assert_cmpint (got->axes[0], ==, 44);
  g_assert_cmpint (got->axes[1], ==, 42);
}

static void
test_published (gconstpointer data)
{
  const Published *p = data;
  Status status = { 0 };
  Arena arena = { 0 };
  g_autofree char *folder = g_dir_make_tmp ("gesso-wan-XXXXXX", NULL);
  g_autofree char *path = g_strdup_printf ("%s/%s.safetensors", folder, p->file);
  write_wan (path, p->prefix, &p->config);
  Checkpoint *c = checkpoint_open (path, true, &status);
  g_test_message ("%s", status.message);
  g_assert_nonnull (c);
  g_assert_cmpint (c->config.family, ==, FAMILY_WAN);
  g_assert_cmpint (c->n_unknown, ==, 0);
  g_assert_cmpint (c->config.wan_expert, ==, p->expert);
  check_config (&c->config.wan, &p->config);
  Binder b = { c->weights, &arena, &status };
  g_assert_nonnull (wan_bind (&b, &c->config.wan, "transformer"));
  g_assert_true (weights_check (c->weights, &status));
  g_assert_cmpint (weights_unused_count (c->weights, ""), ==, 0);
  double n = (double) weights_parameters (c->weights, "") / 1e9;
  g_assert_cmpfloat_with_epsilon (n, p->parameters, 0.0005);
  arena_clear (&arena);
  checkpoint_free (c);
  g_unlink (path);
  g_rmdir (folder);
}

/* ComfyUI's clip_vision_h: 2.1's image-to-video models read what its last layer but one makes. */
static void
test_clip_h (void)
{
  const ClipVisionConfig clip_h = { 224, 14, 257, 1280, 32, 16, 5120, 1024, CLIP_GELU };
  Status status = { 0 };
  Arena arena = { 0 };
  g_autofree char *folder = g_dir_make_tmp ("gesso-wan-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "clip_vision_h.safetensors", NULL);
  WeightSet *set = weights_new_declared (&status);
  Binder b = { set, &arena, &status };
  g_assert_nonnull (clip_vision_bind (&b, &clip_h));
  sparse_safetensors (path, set, vision_name, vision_shape, &clip_h, 0, 1);
  weights_free (set);
  Checkpoint *c = checkpoint_open (path, true, &status);
  g_test_message ("%s", status.message);
  g_assert_nonnull (c);
  g_assert_true (c->config.has_vision);
  g_assert_cmpint (c->n_unknown, ==, 0);
  g_assert_cmpmem (&c->config.vision, sizeof clip_h, &clip_h, sizeof clip_h);
  b = (Binder){ c->weights, &arena, &status };
  g_assert_nonnull (clip_vision_bind (&b, &c->config.vision));
  g_assert_true (weights_check (c->weights, &status));
  g_assert_cmpint (weights_unused_count (c->weights, ""), ==, 0);
  g_assert_cmpint (weights_parameters (c->weights, ""), ==, 632076800);
  arena_clear (&arena);
  checkpoint_free (c);
  g_unlink (path);
  g_rmdir (folder);
}

static void
test_experts_by_their_names (void)
{
  static const struct
  {
    const char *name;
    WanExpert expert;
  } names[] = {
    { "wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors", WAN_EXPERT_HIGH },
    { "Wan2.2-I2V-A14B-LowNoise-Q4_K_M.gguf", WAN_EXPERT_LOW },
    { "Wan2_2-I2V-A14B-HIGH_fp8_e4m3fn_scaled_KJ.safetensors", WAN_EXPERT_HIGH },
    { "Wan2_2-I2V-A14B-low", WAN_EXPERT_LOW },
    { "noise_high.safetensors", WAN_EXPERT_HIGH },
    { "wan_high_vram.safetensors", WAN_EXPERT_UNKNOWN },
    { "high_and_low_noise.safetensors", WAN_EXPERT_UNKNOWN },
    { "highlands.safetensors", WAN_EXPERT_UNKNOWN },
    { "slow_motion.safetensors", WAN_EXPERT_UNKNOWN },
    { "", WAN_EXPERT_UNKNOWN },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_test_message ("%s", names[i].name);
      g_assert_cmpint (wan_expert_of (names[i].name), ==, names[i].expert);
    }
}

static void
touch (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, "", 0, NULL));
}

static void
check_partner (const char *folder, const char *model, WanExpert wanted, const char *want)
{
  char path[4096] = "";
  g_autofree char *from = g_build_filename (folder, model, NULL);
  g_autofree char *to = want ? g_build_filename (folder, want, NULL) : NULL;
  g_assert_cmpint (companion_find_expert (from, wanted, path, sizeof path), ==, want != NULL);
  if (want)
    g_assert_cmpstr (path, ==, to);
}

static void
test_finds_the_other_expert (void)
{
  static const char *const files[] = {
    "wan2.2_t2v_high_noise_14B.safetensors", "wan2.2_t2v_low_noise_14B.safetensors",
    "wan2.2_i2v_low_noise_14B.safetensors",  "q/HighNoise/Wan-A14B-HighNoise-Q4.gguf",
    "q/LowNoise/Wan-A14B-LowNoise-Q4.gguf",  "q/LowNoise/Wan-A14B-LowNoise-Q8.gguf",
  };
  g_autofree char *folder = g_dir_make_tmp ("gesso-wan-XXXXXX", NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (files); i++)
    touch (folder, files[i]);
  check_partner (folder, files[0], WAN_EXPERT_LOW, files[1]);
  check_partner (folder, files[1], WAN_EXPERT_HIGH, files[0]);
  check_partner (folder, files[2], WAN_EXPERT_HIGH, NULL);
  check_partner (folder, files[3], WAN_EXPERT_LOW, files[4]);
  check_partner (folder, files[4], WAN_EXPERT_HIGH, files[3]);
  check_partner (folder, files[5], WAN_EXPERT_HIGH, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = g_build_filename (folder, files[i], NULL);
      g_unlink (path);
    }
  static const char *const folders[] = { "q/HighNoise", "q/LowNoise", "q", "" };
  for (size_t i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      g_autofree char *path = g_build_filename (folder, folders[i], NULL);
      g_rmdir (path);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (published); i++)
    {
      g_autofree char *path = g_strdup_printf ("/wan/recognises/%s", published[i].file);
      g_test_add_data_func (path, &published[i], test_published);
    }
  g_test_add_func ("/wan/recognises/clip_vision_h", test_clip_h);
  g_test_add_func ("/wan/experts-by-their-names", test_experts_by_their_names);
  g_test_add_func ("/wan/finds-the-other-expert", test_finds_the_other_expert);
  return g_test_run ();
}
