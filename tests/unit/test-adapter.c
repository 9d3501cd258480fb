/* SPDX-License-Identifier: MPL-2.0
 * test-adapter.c - adapters that fit, adapters that do not, and what is said about them.
 *
 * That the numbers are right is shown in tests/golden/adapters.c.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "weights/adapter-stack.h"
#include "weights/checkpoint.h"

static char *
fixture (const char *name)
{
  return g_build_filename (g_getenv ("GESSO_SOURCE"), "tests/golden/fixtures", name, NULL);
}

/* ---- a model with an adapter on it ---- */

typedef struct
{
  Checkpoint *model;
  AdapterMap *map;
  AdapterFile *file;
  AdapterFit fit;
  AdapterStack *stack;
  Status status;
} Bench;

static bool
bench_open (Bench *b, const char *model, const char *path)
{
  char *model_path = fixture (model);
  *b = (Bench){ 0 };
  b->model = checkpoint_open (model_path, false, &b->status);
  b->map = b->model ? adapter_map_new (b->model->weights, &b->model->config, &b->status) : NULL;
  b->file = b->map ? adapter_open (path, &b->status) : NULL;
  bool ok = b->file && adapter_fit_init (&b->fit, b->file, b->model->weights, b->map,
                                         &b->model->config, &b->status);
  const AdapterFit *fits[] = { &b->fit };
  b->stack = ok ? adapter_stack_new (fits, 1, false, &b->status) : NULL;
  g_free (model_path);
  return b->stack && adapter_stack_set (b->stack, &(AdapterStrength){ 1, 1, NULL }, &b->status);
}

static void
bench_close (Bench *b)
{
  adapter_stack_free (b->stack);
  adapter_fit_clear (&b->fit);
  adapter_close (b->file);
  adapter_map_free (b->map);
  checkpoint_free (b->model);
}

/* ---- files made here ---- */

typedef struct
{
  const char *name;
  int rank;
  int ne[4];
} Entry;

/* A safetensors file of f32 zeros, with @metadata ("" or JSON members).  Returns: its path */
static char *
write_file (const Entry *entries, size_t n, const char *metadata)
{
  GString *header = g_string_new ("{");
  char *path;
  gsize at = 0;
  g_string_append_printf (header, "\"__metadata__\":{%s}", metadata);
  for (size_t i = 0; i < n; i++)
    {
      gsize size = sizeof (float);
      g_string_append_printf (header, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[", entries[i].name);
      for (int d = 0; d < entries[i].rank; d++)
        {
          g_string_append_printf (header, "%s%d", d ? "," : "", entries[i].ne[d]);
          size *= (gsize) entries[i].ne[d];
        }
      g_string_append_printf (header, "],\"data_offsets\":[%zu,%zu]}", at, at + size);
      at += size;
    }
  g_string_append (header, "}");
  guint64 length = GUINT64_TO_LE (header->len);
  GString *file = g_string_new_len ((const char *) &length, sizeof length);
  g_string_append_len (file, header->str, (gssize) header->len);
  gsize head = file->len;
  g_string_set_size (file, head + at);
  memset (file->str + head, 0, at);
  int fd = g_file_open_tmp ("gesso-adapter-XXXXXX.safetensors", &path, NULL);
  g_assert_cmpint (fd, >=, 0);
  g_close (fd, NULL);
  g_assert_true (g_file_set_contents (path, file->str, (gssize) file->len, NULL));
  g_string_free (file, TRUE);
  g_string_free (header, TRUE);
  return path;
}

static void
assert_refused (const char *model, const char *path, const char *sentence)
{
  Bench b;
  g_assert_false (bench_open (&b, model, path));
  g_test_message ("%s", b.status.message);
  g_assert_nonnull (strstr (b.status.message, sentence));
  bench_close (&b);
}

/* ---- tests ---- */

static void
test_roles (void)
{
  static const struct
  {
    const char *key, *layer;
    AdapterRole role;
  } rows[] = {
    { "lora_unet_a_b.lora_up.weight", "lora_unet_a_b", ROLE_UP },
    { "unet.a.to_q.lora_A.weight", "unet.a.to_q", ROLE_DOWN },
    { "base_model.model.a.lora_B.default.weight", "base_model.model.a", ROLE_UP },
    { "a.lora_magnitude_vector.default.weight", "a", ROLE_DORA_SCALE },
    { "a.processor.to_q_lora.down.weight", "a.processor.to_q", ROLE_DOWN },
    { "double_blocks.0.processor.qkv_lora2.up.weight", "double_blocks.0.processor.qkv2", ROLE_UP },
    { "a.lora_linear_layer.up.weight", "a", ROLE_UP },
    { "a.hada_t2", "a", ROLE_HADA_T2 },
    { "a.lokr_w2_b.default", "a", ROLE_LOKR_W2_B },
    { "single_blocks.1.norm.key_norm.scale", "single_blocks.1.norm.key_norm", ROLE_SET },
    { "a.lora_A", "a", ROLE_DOWN },
    { "conv_in.weight", NULL, ROLE_COUNT },
    { ".alpha", NULL, ROLE_COUNT },
  };
  char layer[256];
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_assert_cmpint (adapter_role (rows[i].key, layer, sizeof layer), ==, rows[i].role);
      if (rows[i].layer)
        g_assert_cmpstr (layer, ==, rows[i].layer);
    }
  g_assert_cmpint (adapter_role ("too.long.alpha", layer, 8), ==, ROLE_COUNT);
}

/* A name that stood for two layers would put an adapter onto the wrong one. */
static void
test_names_are_unique (void)
{
  static const char *const models[] = { "sd15-tiny", "sdxl-tiny", "sd15-tiny-ldm.safetensors",
                                        "sdxl-tiny-ldm.safetensors" };
  for (size_t i = 0; i < G_N_ELEMENTS (models); i++)
    {
      Status status = { 0 };
      char *path = fixture (models[i]);
      Checkpoint *c = checkpoint_open (path, true, &status);
      AdapterMap *map = adapter_map_new (c->weights, &c->config, &status);
      g_assert_cmpint (adapter_map_collisions (map), ==, 0);
      g_assert_cmpint (adapter_map_count (map), >, 300);
      g_assert_null (adapter_map_find (map, "lora_unet_down_blocks_9_attentions_0_proj_in"));
      adapter_map_free (map);
      checkpoint_free (c);
      g_free (path);
    }
}

static void
test_blocks (void)
{
  static const struct
  {
    const char *layer;
    int block;
  } rows[] = {
    { "lora_unet_conv_in", ADAPTER_BLOCK_IN },
    { "lora_unet_down_blocks_0_attentions_1_proj_in", ADAPTER_BLOCK_IN + 2 },
    { "lora_unet_input_blocks_3_0_op", ADAPTER_BLOCK_IN + 3 },
    { "lora_unet_mid_block_attentions_0_proj_in", ADAPTER_BLOCK_MIDDLE },
    { "lora_unet_up_blocks_2_attentions_2_proj_in", ADAPTER_BLOCK_OUT + 8 },
    { "lora_unet_time_embedding_linear_1", ADAPTER_BLOCK_BASE },
    { "lora_te_text_model_encoder_layers_0_mlp_fc1", ADAPTER_BLOCK_BASE },
  };
  Status status = { 0 };
  char *path = fixture ("sd15-tiny");
  Checkpoint *c = checkpoint_open (path, true, &status);
  AdapterMap *map = adapter_map_new (c->weights, &c->config, &status);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const AdapterPlace *place = adapter_map_find (map, rows[i].layer);
      g_assert_nonnull (place);
      g_assert_cmpint (place->block, ==, rows[i].block);
    }
  adapter_map_free (map);
  checkpoint_free (c);
  g_free (path);
}

static void
test_wrong_model (void)
{
  char *sdxl = fixture ("adapters/sdxl-kohya.safetensors");
  char *sd15 = fixture ("adapters/sd15-kohya.safetensors");
  assert_refused ("sd15-tiny", sdxl, "is an adapter for SDXL, but the model is SD 1.5");
  assert_refused ("sdxl-tiny", sd15, "layers have no place in it");
  g_free (sdxl);
  g_free (sd15);
}

/* Most of an SD 2 adapter's layers exist in SD 1.5; the width of its text tells. */
static void
test_other_families_are_named (void)
{
  static const struct
  {
    const char *layer;
    int width;
    const char *sentence;
  } rows[] = {
    { "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k", 1024,
      "for SD 2, but the model is SD 1.5" },
    { "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k", 2048, "for SDXL" },
    { "lora_unet_double_blocks_0_img_attn_qkv", 3072, "for FLUX.1" },
    { "lora_unet_double_blocks_19_img_attn_qkv", 3072, "for HunyuanVideo" },
    { "diffusion_model.blocks.0.cross_attn.k", 5120, "for Wan" },
    { "transformer.transformer_blocks.0.attn.add_q_proj", 3072, "Qwen-Image" },
    { "diffusion_model.layers.0.attention.qkv", 3840, "Z-Image" },
    { "lora_unet_joint_blocks_0_x_block_attn_qkv", 1536, "for Stable Diffusion 3" },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      char *up = g_strdup_printf ("%s.lora_up.weight", rows[i].layer);
      char *down = g_strdup_printf ("%s.lora_down.weight", rows[i].layer);
      const Entry entries[] = { { up, 2, { 16, 2 } }, { down, 2, { 2, rows[i].width } } };
      char *path = write_file (entries, 2, "");
      assert_refused ("sd15-tiny", path, rows[i].sentence);
      g_unlink (path);
      g_free (path);
      g_free (up);
      g_free (down);
    }
}

static void
test_no_adapter (void)
{
  const Entry entries[] = { { "some.weight", 1, { 4 } } };
  char *path = write_file (entries, 1, ""), *model = fixture ("sd15-tiny/unet");
  char *file = g_build_filename (model, "diffusion_pytorch_model.safetensors", NULL);
  assert_refused ("sd15-tiny", path, "no LoRA or relative of one");
  assert_refused ("sd15-tiny", file, "no LoRA or relative of one");
  assert_refused ("sd15-tiny", "/nowhere/x.safetensors", "x.safetensors");
  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  assert_refused ("sd15-tiny", path, "is empty");
  g_unlink (path);
  g_free (path);
  g_free (model);
  g_free (file);
}

/* Less than half may be missing, and then every one is named with its reason. */
static void
test_unmatched_are_listed (void)
{
  const char *q = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q";
  const char *k = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_k";
  char *keys[] = { g_strdup_printf ("%s.lora_up.weight", q),
                   g_strdup_printf ("%s.lora_down.weight", q),
                   g_strdup_printf ("%s.lora_up.weight", k),
                   g_strdup_printf ("%s.lora_down.weight", k) };
  const Entry entries[] = {
    { keys[0], 2, { 32, 2 } },
    { keys[1], 2, { 2, 32 } },
    { keys[2], 2, { 32, 2 } },
    { keys[3], 2, { 2, 31 } }, /* the layer takes 32 */
    { "lora_unet_conv_in.diff_b", 1, { 16 } },
    { "lora_unet_conv_out.diff_b", 1, { 4 } },
    { "lora_unet_nowhere.diff", 2, { 2, 2 } },
    { "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_v.diff_b", 1, { 32 } },
    { "stray.tensor", 1, { 1 } },
  };
  char *path = write_file (entries, G_N_ELEMENTS (entries), "");
  Bench b;
  g_assert_true (bench_open (&b, "sd15-tiny", path));
  g_assert_cmpint ((int) b.fit.n_unmatched, ==, 4);
  char *all = g_strjoin ("|", b.fit.unmatched[0], b.fit.unmatched[1], b.fit.unmatched[2],
                         b.fit.unmatched[3], NULL);
  g_assert_nonnull (strstr (all, "attn1_to_k: of another shape"));
  g_assert_nonnull (strstr (all, "lora_unet_nowhere: no such layer in this model"));
  g_assert_nonnull (strstr (all, "attn1_to_v.diff_b: this layer has no bias"));
  g_assert_nonnull (strstr (all, "stray.tensor: no part of an adapter"));
  bench_close (&b);
  g_unlink (path);
  g_free (all);
  g_free (path);
  for (size_t i = 0; i < G_N_ELEMENTS (keys); i++)
    g_free (keys[i]);
}

static void
test_summary (void)
{
  char *path = fixture ("adapters/sd15-kohya.safetensors"),
       *rs = fixture ("adapters/rslora.safetensors");
  Status status = { 0 };
  AdapterFile *a = adapter_open (path, &status);
  g_assert_nonnull (a);
  g_assert_cmpint ((int) a->n_modules, ==, 15);
  g_assert_cmpint ((int) a->rank_min, ==, 3);
  g_assert_cmpfloat (a->alpha_max, ==, 1.5);
  g_assert_cmpstr (a->naming, ==, "kohya");
  g_assert_cmpint (a->kinds, ==, 1u << ADAPTER_LORA);
  g_assert_true (a->has_conv && a->has_text && a->has_unet);
  adapter_close (a);
  a = adapter_open (rs, &status);
  g_assert_cmpfloat (a->alpha_max, ==, 2);
  g_assert_cmpfloat (a->modules[0].scale, ==, 1); /* 2 / sqrt (4) */
  adapter_close (a);
  g_free (path);
  g_free (rs);
}

/* ---- mounting ---- */

static void
test_mounting_leaves_no_trace (void)
{
  static const char *const names[] = { "adapters/sd15-kohya.safetensors",
                                       "adapters/loha.safetensors", "adapters/full.safetensors" };
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    {
      char *path = fixture (names[i]);
      Bench b;
      g_assert_true (bench_open (&b, "sd15-tiny", path));
      int n = weights_count (b.model->weights), changed = 0;
      Weight *before = g_new (Weight, (gsize) n);
      for (int w = 0; w < n; w++)
        before[w] = *weights_at (b.model->weights, w);
      adapter_stack_mount (b.stack);
      for (int w = 0; w < n; w++)
        changed += memcmp (&before[w], weights_at (b.model->weights, w), sizeof *before) != 0;
      g_assert_cmpint (changed, >, 3);
      adapter_stack_unmount (b.stack);
      for (int w = 0; w < n; w++)
        g_assert_cmpmem (&before[w], sizeof *before, weights_at (b.model->weights, w),
                         sizeof *before);
      g_free (before);
      bench_close (&b);
      g_free (path);
    }
}

/* Moving a weight writes scales and merges copies anew; 0 gives the model's own data back. */
static void
test_weights_move (void)
{
  char *path = fixture ("adapters/loha.safetensors");
  const char *name = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight";
  Bench b;
  g_assert_true (bench_open (&b, "sd15-tiny", path));
  const Weight *w = weights_find (b.model->weights, name);
  const void *own = w->data;
  adapter_stack_mount (b.stack);
  g_assert_true (w->data != own);
  float one = dtype_load (w->data, w->dtype, 5), base = dtype_load (own, w->dtype, 5);
  g_assert_true (adapter_stack_set (b.stack, &(AdapterStrength){ 0.5, 1, NULL }, &b.status));
  float half = dtype_load (w->data, w->dtype, 5);
  /* both are rounded to f16 */
  g_assert_cmpfloat (fabsf (2 * (half - base) - (one - base)), <, 4e-3f * fabsf (one) + 1e-4f);
  g_assert_true (adapter_stack_set (b.stack, &(AdapterStrength){ 0, 1, NULL }, &b.status));
  g_assert_true (w->data == own);
  bench_close (&b);
  g_free (path);
}

static void
test_scales (void)
{
  char *path = fixture ("adapters/sd15-kohya.safetensors");
  double blocks[ADAPTER_BLOCK_COUNT] = { 0 };
  blocks[ADAPTER_BLOCK_MIDDLE] = 0.5;
  Bench b;
  g_assert_true (bench_open (&b, "sd15-tiny", path));
  const Weight *mid = weights_find (
      b.model->weights, "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_v.weight");
  const Weight *in = weights_find (b.model->weights, "unet.down_blocks.0.resnets.0.conv1.weight");
  adapter_stack_mount (b.stack);
  g_assert_cmpfloat (mid->side->scale[0], ==, 0.5f); /* alpha 1.5, rank 3 */
  g_assert_true (adapter_stack_set (b.stack, &(AdapterStrength){ 3, 1, blocks }, &b.status));
  g_assert_cmpfloat (mid->side->scale[2], ==, 0.75f);
  g_assert_cmpfloat (in->side->scale[0], ==, 0);
  bench_close (&b);
  g_free (path);
}

/* ---- memory ---- */

static void
test_every_allocation_may_fail (void)
{
  static const char *const names[] = { "sd15-peft",     "loha-tucker", "glora",
                                       "boft-rescaled", "lora-bias",   "rslora" };
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    {
      char *name = g_strdup_printf ("adapters/%s.safetensors", names[i]), *path = fixture (name);
      gint64 live = mem_live ();
      bool ok = false;
      for (gint64 n = 1; !ok; n++)
        {
          Bench b;
          mem_fail_at (n);
          ok = bench_open (&b, "sd15-tiny", path);
          mem_fail_at (0);
          g_assert_true (ok || b.status.message[0]);
          bench_close (&b);
          g_assert_cmpint (mem_live (), ==, live);
        }
      g_free (name);
      g_free (path);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/adapter/roles", test_roles);
  g_test_add_func ("/adapter/names-are-unique", test_names_are_unique);
  g_test_add_func ("/adapter/blocks", test_blocks);
  g_test_add_func ("/adapter/wrong-model", test_wrong_model);
  g_test_add_func ("/adapter/other-families-are-named", test_other_families_are_named);
  g_test_add_func ("/adapter/no-adapter", test_no_adapter);
  g_test_add_func ("/adapter/unmatched-are-listed", test_unmatched_are_listed);
  g_test_add_func ("/adapter/summary", test_summary);
  g_test_add_func ("/adapter/mounting-leaves-no-trace", test_mounting_leaves_no_trace);
  g_test_add_func ("/adapter/weights-move", test_weights_move);
  g_test_add_func ("/adapter/scales", test_scales);
  g_test_add_func ("/adapter/every-allocation-may-fail", test_every_allocation_may_fail);
  return g_test_run ();
}
