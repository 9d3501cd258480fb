/* SPDX-License-Identifier: MPL-2.0
 * test-adapter-flux.c - adapters for FLUX.1 in every naming, on a small declared model.
 *
 * A LoRA of a fused layer must be, on each part, the rows of its up matrix that belong there.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "models/flux.h"
#include "models/t5.h"
#include "weights/adapter-stack.h"

enum
{
  DIM = 16,
  MLP = 32,
  RANK = 2
};

typedef struct
{
  WeightSet *set;
  ModelConfig config;
  Arena arena;
  AdapterMap *map;
  Status status;
} Model;

static void
open_model (Model *m)
{
  *m = (Model){ 0 };
  m->set = weights_new_declared (&m->status);
  m->config.family = FAMILY_FLUX;
  m->config.flux = (FluxConfig){ .in_channels = 64,
                                 .out_channels = 64,
                                 .latent_channels = 16,
                                 .dim = DIM,
                                 .n_heads = 2,
                                 .head_dim = 8,
                                 .mlp_dim = MLP,
                                 .context_dim = 24,
                                 .pooled_dim = 12,
                                 .time_dim = 8,
                                 .n_double = 2,
                                 .n_single = 3,
                                 .axes = { 2, 2, 4 },
                                 .has_guidance = true };
  m->config.t5 = (T5Config){ .vocab = 32,
                             .dim = 24,
                             .n_layers = 2,
                             .n_heads = 2,
                             .head_dim = 12,
                             .mlp_dim = 40,
                             .n_buckets = 8,
                             .max_distance = 16,
                             .eos_id = 1 };
  Binder b = { m->set, &m->arena, &m->status };
  g_assert_nonnull (flux_bind (&b, &m->config.flux));
  g_assert_nonnull (t5_bind (&b, &m->config.t5));
  m->map = adapter_map_new (m->set, &m->config, &m->status);
  g_assert_nonnull (m->map);
}

static void
close_model (Model *m)
{
  adapter_map_free (m->map);
  arena_clear (&m->arena);
  weights_free (m->set);
}

static void
test_names (void)
{
  static const struct
  {
    const char *layer, *target;
    int n_targets, block;
  } rows[] = {
    { "lora_unet_double_blocks_1_img_attn_qkv", "transformer.transformer_blocks.1.attn.to_q", 3,
      ADAPTER_BLOCK_DOUBLE + 1 },
    { "lora_unet_double_blocks_0_txt_attn_qkv", "transformer.transformer_blocks.0.attn.add_q_proj",
      3, ADAPTER_BLOCK_DOUBLE },
    { "lora_unet_single_blocks_2_linear1", "transformer.single_transformer_blocks.2.attn.to_q", 4,
      ADAPTER_BLOCK_SINGLE + 2 },
    { "lora_unet_single_blocks_2_linear2", "transformer.single_transformer_blocks.2.proj_out", 1,
      ADAPTER_BLOCK_SINGLE + 2 },
    { "lora_unet_single_blocks_0_modulation_lin",
      "transformer.single_transformer_blocks.0.norm.linear", 1, ADAPTER_BLOCK_SINGLE },
    { "transformer.single_transformer_blocks.0.attn.to_q",
      "transformer.single_transformer_blocks.0.attn.to_q", 1, ADAPTER_BLOCK_SINGLE },
    { "transformer.transformer_blocks.0.ff_context.net.0.proj",
      "transformer.transformer_blocks.0.ff_context.net.0.proj", 1, ADAPTER_BLOCK_DOUBLE },
    { "lycoris_transformer_blocks_0_attn_to_q", "transformer.transformer_blocks.0.attn.to_q", 1,
      ADAPTER_BLOCK_DOUBLE },
    { "lora_transformer_single_transformer_blocks_0_attn_to_k",
      "transformer.single_transformer_blocks.0.attn.to_k", 1, ADAPTER_BLOCK_SINGLE },
    { "transformer.double_blocks.0.img_attn.qkv.1", "transformer.transformer_blocks.0.attn.to_k", 1,
      ADAPTER_BLOCK_DOUBLE },
    { "transformer.single_blocks.0.linear1.3", "transformer.single_transformer_blocks.0.proj_mlp",
      1, ADAPTER_BLOCK_SINGLE },
    { "diffusion_model.double_blocks.0.img_mlp.2", "transformer.transformer_blocks.0.ff.net.2", 1,
      ADAPTER_BLOCK_DOUBLE },
    { "base_model.model.double_blocks.0.img_attn.proj",
      "transformer.transformer_blocks.0.attn.to_out.0", 1, ADAPTER_BLOCK_DOUBLE },
    { "double_blocks.0.processor.qkv2", "transformer.transformer_blocks.0.attn.add_q_proj", 3,
      ADAPTER_BLOCK_DOUBLE },
    { "diffusion_model.single_blocks.1.processor.qkv",
      "transformer.single_transformer_blocks.1.attn.to_q", 3, ADAPTER_BLOCK_SINGLE + 1 },
    { "double_blocks.0.img_attn.norm.key_norm", "transformer.transformer_blocks.0.attn.norm_k", 1,
      ADAPTER_BLOCK_DOUBLE },
    { "transformer_blocks.0.attn.to_add_out", "transformer.transformer_blocks.0.attn.to_add_out", 1,
      ADAPTER_BLOCK_DOUBLE },
    { "lora_unet_final_layer_adaLN_modulation_1", "transformer.norm_out.shift", 2, 0 },
    { "transformer.norm_out.linear", "transformer.norm_out.scale", 2, 0 },
    { "lora_unet_img_in", "transformer.x_embedder", 1, 0 },
    { "lora_te3_encoder_block_1_layer_0_SelfAttention_q",
      "t5.encoder.block.1.layer.0.SelfAttention.q", 1, 0 },
    { "lora_te2_encoder_block_0_layer_1_DenseReluDense_wo",
      "t5.encoder.block.0.layer.1.DenseReluDense.wo", 1, 0 },
  };
  Model m;
  open_model (&m);
  g_assert_cmpint (adapter_map_collisions (m.map), ==, 0);
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const AdapterPlace *place = adapter_map_find (m.map, rows[i].layer);
      g_test_message ("%s", rows[i].layer);
      g_assert_nonnull (place);
      g_assert_cmpstr (place->targets[0].layer, ==, rows[i].target);
      g_assert_cmpint (place->n_targets, ==, rows[i].n_targets);
      g_assert_cmpint (place->block, ==, rows[i].block);
    }
  close_model (&m);
}

/* ---- values ---- */

/* One pair of f32 factors under @layer; element i of up is i + 1, of down 1 / (i + 1). */
static char *
write_pair (const char *layer, int n_out, int n_in)
{
  int n_up = n_out * RANK, n_down = RANK * n_in;
  char *path;
  char *header = g_strdup_printf (
      "{\"%s.lora_up.weight\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[0,%d]},"
      "\"%s.lora_down.weight\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[%d,%d]}}",
      layer, n_out, RANK, 4 * n_up, layer, RANK, n_in, 4 * n_up, 4 * (n_up + n_down));
  guint64 length = GUINT64_TO_LE (strlen (header));
  GByteArray *file = g_byte_array_new ();
  g_byte_array_append (file, (const guint8 *) &length, sizeof length);
  g_byte_array_append (file, (const guint8 *) header, (guint) strlen (header));
  for (int i = 0; i < n_up + n_down; i++)
    {
      float v = i < n_up ? (float) (i + 1) : 1 / (float) (i - n_up + 1);
      g_byte_array_append (file, (const guint8 *) &v, sizeof v);
    }
  int fd = g_file_open_tmp ("gesso-flux-XXXXXX.safetensors", &path, NULL);
  g_assert_cmpint (fd, >=, 0);
  g_close (fd, NULL);
  g_assert_true (g_file_set_contents (path, (const char *) file->data, file->len, NULL));
  g_byte_array_free (file, TRUE);
  g_free (header);
  return path;
}

/* Row @row of the delta on @weight, against that of the fused product. */
static void
assert_row (const WeightSet *set, const char *weight, int row, int fused_row, int n_in)
{
  char *name = g_strconcat (weight, ".weight", NULL);
  const Weight *w = weights_find (set, name);
  g_assert_nonnull (w);
  g_assert_nonnull (w->side);
  g_assert_cmpint ((int) w->side->rank, ==, RANK);
  const float *a = w->side->a->data, *b = w->side->b->data;
  for (int c = 0; c < n_in; c++)
    {
      double got = 0, want = 0;
      for (int r = 0; r < RANK; r++)
        {
          got += (double) b[row * RANK + r] * (double) w->side->scale[r] * (double) a[r * n_in + c];
          want += (double) (fused_row * RANK + r + 1) / (double) (r * n_in + c + 1);
        }
      g_assert_cmpfloat (fabs (got - want), <, 1e-4 * fabs (want)); /* f32 factors */
    }
  g_free (name);
}

typedef struct
{
  const char *layer;
  int n_out, n_in;
  struct
  {
    const char *weight;
    int first, n;
  } parts[4];
} Fused;

static void
test_rows (void)
{
  static const Fused cases[] = {
    { "lora_unet_double_blocks_0_img_attn_qkv",
      3 * DIM,
      DIM,
      { { "transformer.transformer_blocks.0.attn.to_q", 0, DIM },
        { "transformer.transformer_blocks.0.attn.to_k", DIM, DIM },
        { "transformer.transformer_blocks.0.attn.to_v", 2 * DIM, DIM } } },
    { "lora_unet_single_blocks_1_linear1",
      3 * DIM + MLP,
      DIM,
      { { "transformer.single_transformer_blocks.1.attn.to_q", 0, DIM },
        { "transformer.single_transformer_blocks.1.attn.to_v", 2 * DIM, DIM },
        { "transformer.single_transformer_blocks.1.proj_mlp", 3 * DIM, MLP } } },
    { "lora_unet_final_layer_adaLN_modulation_1",
      2 * DIM,
      DIM,
      { { "transformer.norm_out.shift", 0, DIM }, { "transformer.norm_out.scale", DIM, DIM } } },
    { "transformer.norm_out.linear",
      2 * DIM,
      DIM,
      { { "transformer.norm_out.scale", 0, DIM }, { "transformer.norm_out.shift", DIM, DIM } } },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Model m;
      open_model (&m);
      char *path = write_pair (cases[i].layer, cases[i].n_out, cases[i].n_in);
      AdapterFile *file = adapter_open (path, &m.status);
      AdapterFit fit = { 0 };
      g_test_message ("%s", cases[i].layer);
      g_assert_true (file && adapter_fit_init (&fit, file, m.set, m.map, &m.config, &m.status));
      g_assert_cmpint ((int) fit.n_unmatched, ==, 0);
      const AdapterFit *fits[] = { &fit };
      AdapterStack *stack = adapter_stack_new (fits, 1, false, &m.status);
      g_assert_true (adapter_stack_set (stack, &(AdapterStrength){ 1, 1, NULL }, &m.status));
      adapter_stack_mount (stack);
      for (int p = 0; p < 4 && cases[i].parts[p].weight; p++)
        for (int row = 0; row < cases[i].parts[p].n; row++)
          assert_row (m.set, cases[i].parts[p].weight, row, cases[i].parts[p].first + row,
                      cases[i].n_in);
      adapter_stack_free (stack);
      adapter_fit_clear (&fit);
      adapter_close (file);
      close_model (&m);
      g_unlink (path);
      g_free (path);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/adapter-flux/names", test_names);
  g_test_add_func ("/adapter-flux/rows", test_rows);
  return g_test_run ();
}
