/* SPDX-License-Identifier: MPL-2.0
 * test-flux-files.c - full-size FLUX.1 and T5 files of every layout, as tables of names and shapes:
 * recognised, bound without a rest, and each fused tensor cut where it should be.
 */
#include <glib.h>
#include <string.h>

#include "models/clip.h"
#include "models/flux.h"
#include "models/t5.h"
#include "models/vae.h"
#include "weights/checkpoint.h"
#include "weights/parts.h"
#include "weights/recognise.h"
#include "weights/refuse.h"
#include "weights/weight-set.h"

enum
{
  DIM = 3072,
  MLP = 12288,
  HEAD = 128,
  N_DOUBLE = 19,
  N_SINGLE = 38,
  N_T5 = 24
};

typedef struct
{
  Pool pool;
  TensorTable table;
  Status status;
  WeightSet *set;
  ModelConfig config;
  UnknownList unknown;
} File;

static void
file_init (File *f)
{
  *f = (File){ 0 };
  table_init (&f->table, &f->pool);
}

static void
file_clear (File *f)
{
  weights_free (f->set);
  table_clear (&f->table);
  pool_clear (&f->pool);
}

/* @b 0: a vector */
static void add (File *f, int64_t a, int64_t b, const char *format, ...) G_GNUC_PRINTF (4, 5);

static void
add (File *f, int64_t a, int64_t b, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *name = g_strdup_vprintf (format, args);
  va_end (args);
  FileTensor t = {
    .dtype = DTYPE_BF16, .type_name = "bf16", .rank = b ? 2 : 1, .ne = { a, b ? b : 1 }
  };
  t.name = pool_strdup (&f->pool, name, &f->status);
  g_assert_true (table_add (&f->table, &t, "file", &f->status));
}

static void
pair (File *f, int64_t n_out, int64_t n_in, const char *prefix, const char *name)
{
  add (f, n_out, n_in, "%s%s.weight", prefix, name);
  add (f, n_out, 0, "%s%s.bias", prefix, name);
}

static void
add_bfl (File *f, const char *prefix, int n_double, int n_in, bool guidance, const char *scale)
{
  static const char *const streams[] = { "img", "txt" };
  pair (f, DIM, n_in, prefix, "img_in");
  pair (f, DIM, 4096, prefix, "txt_in");
  static const char *const embedders[] = { "time_in", "vector_in", "guidance_in" };
  for (int i = 0; i < 2 + guidance; i++)
    {
      g_autofree char *in = g_strconcat (embedders[i], ".in_layer", NULL);
      g_autofree char *out = g_strconcat (embedders[i], ".out_layer", NULL);
      pair (f, DIM, i == 1 ? 768 : 256, prefix, in);
      pair (f, DIM, DIM, prefix, out);
    }
  for (int i = 0; i < n_double; i++)
    for (int s = 0; s < 2; s++)
      {
        g_autofree char *block = g_strdup_printf ("%sdouble_blocks.%d.%s", prefix, i, streams[s]);
        pair (f, 6 * DIM, DIM, block, "_mod.lin");
        pair (f, 3 * DIM, DIM, block, "_attn.qkv");
        add (f, HEAD, 0, "%s_attn.norm.query_norm.%s", block, scale);
        add (f, HEAD, 0, "%s_attn.norm.key_norm.%s", block, scale);
        pair (f, DIM, DIM, block, "_attn.proj");
        pair (f, MLP, DIM, block, "_mlp.0");
        pair (f, DIM, MLP, block, "_mlp.2");
      }
  for (int i = 0; i < N_SINGLE; i++)
    {
      g_autofree char *block = g_strdup_printf ("%ssingle_blocks.%d.", prefix, i);
      pair (f, 3 * DIM, DIM, block, "modulation.lin");
      pair (f, 3 * DIM + MLP, DIM, block, "linear1");
      pair (f, DIM, DIM + MLP, block, "linear2");
      add (f, HEAD, 0, "%snorm.query_norm.%s", block, scale);
      add (f, HEAD, 0, "%snorm.key_norm.%s", block, scale);
    }
  pair (f, 64, DIM, prefix, "final_layer.linear");
  pair (f, 2 * DIM, DIM, prefix, "final_layer.adaLN_modulation.1");
}

static void
add_diffusers (File *f, const char *prefix)
{
  static const char *const heads[] = { "to_q",       "to_k",       "to_v",       "to_out.0",
                                       "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out" };
  static const char *const norms[] = { "norm_q", "norm_k", "norm_added_q", "norm_added_k" };
  pair (f, DIM, 64, prefix, "x_embedder");
  pair (f, DIM, 4096, prefix, "context_embedder");
#define EMBEDDER "time_text_embed."
  pair (f, DIM, 256, prefix, EMBEDDER "timestep_embedder.linear_1");
  pair (f, DIM, DIM, prefix, EMBEDDER "timestep_embedder.linear_2");
  pair (f, DIM, 256, prefix, EMBEDDER "guidance_embedder.linear_1");
  pair (f, DIM, DIM, prefix, EMBEDDER "guidance_embedder.linear_2");
  pair (f, DIM, 768, prefix, EMBEDDER "text_embedder.linear_1");
  pair (f, DIM, DIM, prefix, EMBEDDER "text_embedder.linear_2");
  for (int i = 0; i < N_DOUBLE; i++)
    {
      g_autofree char *block = g_strdup_printf ("%stransformer_blocks.%d.", prefix, i);
      g_autofree char *attn = g_strconcat (block, "attn.", NULL);
      pair (f, 6 * DIM, DIM, block, "norm1.linear");
      pair (f, 6 * DIM, DIM, block, "norm1_context.linear");
      for (gsize k = 0; k < G_N_ELEMENTS (heads); k++)
        pair (f, DIM, DIM, attn, heads[k]);
      for (gsize k = 0; k < G_N_ELEMENTS (norms); k++)
        add (f, HEAD, 0, "%s%s.weight", attn, norms[k]);
      pair (f, MLP, DIM, block, "ff.net.0.proj");
      pair (f, DIM, MLP, block, "ff.net.2");
      pair (f, MLP, DIM, block, "ff_context.net.0.proj");
      pair (f, DIM, MLP, block, "ff_context.net.2");
    }
  for (int i = 0; i < N_SINGLE; i++)
    {
      g_autofree char *block = g_strdup_printf ("%ssingle_transformer_blocks.%d.", prefix, i);
      g_autofree char *attn = g_strconcat (block, "attn.", NULL);
      pair (f, 3 * DIM, DIM, block, "norm.linear");
      for (int k = 0; k < 3; k++)
        pair (f, DIM, DIM, attn, heads[k]);
      add (f, HEAD, 0, "%snorm_q.weight", attn);
      add (f, HEAD, 0, "%snorm_k.weight", attn);
      pair (f, MLP, DIM, block, "proj_mlp");
      pair (f, DIM, DIM + MLP, block, "proj_out");
    }
  pair (f, 2 * DIM, DIM, prefix, "norm_out.linear");
  pair (f, 64, DIM, prefix, "proj_out");
}

/* Names of one T5 layer and its ends: HF's, Wan's, GGUF's. */
typedef struct
{
  const char *tokens, *block, *q, *k, *v, *o, *norm1, *norm2, *bias, *wi_0, *wi_1, *wo, *final;
} T5Names;

static const T5Names t5_hf = { "shared",
                               "encoder.block.%d.",
                               "layer.0.SelfAttention.q",
                               "layer.0.SelfAttention.k",
                               "layer.0.SelfAttention.v",
                               "layer.0.SelfAttention.o",
                               "layer.0.layer_norm",
                               "layer.1.layer_norm",
                               "layer.0.SelfAttention.relative_attention_bias",
                               "layer.1.DenseReluDense.wi_0",
                               "layer.1.DenseReluDense.wi_1",
                               "layer.1.DenseReluDense.wo",
                               "encoder.final_layer_norm" };
static const T5Names t5_wan = { "token_embedding",
                                "blocks.%d.",
                                "attn.q",
                                "attn.k",
                                "attn.v",
                                "attn.o",
                                "norm1",
                                "norm2",
                                "pos_embedding.embedding",
                                "ffn.gate.0",
                                "ffn.fc1",
                                "ffn.fc2",
                                "norm" };
static const T5Names t5_gguf = { "token_embd",     "enc.blk.%d.", "attn_q",    "attn_k",
                                 "attn_v",         "attn_o",      "attn_norm", "ffn_norm",
                                 "attn_rel_b",     "ffn_gate",    "ffn_up",    "ffn_down",
                                 "enc.output_norm" };

static void
add_t5 (File *f, const char *prefix, const T5Names *n, int vocab, bool each_bias)
{
  add (f, vocab, 4096, "%s%s.weight", prefix, n->tokens);
  for (int i = 0; i < N_T5; i++)
    {
      g_autofree char *number = g_strdup_printf ("%d", i);
      g_auto (GStrv) halves = g_strsplit (n->block, "%d", 2);
      g_autofree char *block = g_strconcat (prefix, halves[0], number, halves[1], NULL);
      add (f, 4096, 4096, "%s%s.weight", block, n->q);
      add (f, 4096, 4096, "%s%s.weight", block, n->k);
      add (f, 4096, 4096, "%s%s.weight", block, n->v);
      add (f, 4096, 4096, "%s%s.weight", block, n->o);
      add (f, 4096, 0, "%s%s.weight", block, n->norm1);
      add (f, 4096, 0, "%s%s.weight", block, n->norm2);
      if (i == 0 || each_bias)
        add (f, 32, 64, "%s%s.weight", block, n->bias);
      add (f, 10240, 4096, "%s%s.weight", block, n->wi_0);
      add (f, 10240, 4096, "%s%s.weight", block, n->wi_1);
      add (f, 4096, 10240, "%s%s.weight", block, n->wo);
    }
  add (f, 4096, 0, "%s%s.weight", prefix, n->final);
}

static void
add_clip_l (File *f, const char *prefix)
{
  static const char *const layers[] = { "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                        "self_attn.out_proj" };
  add (f, 49408, 768, "%sembeddings.token_embedding.weight", prefix);
  add (f, 77, 768, "%sembeddings.position_embedding.weight", prefix);
  for (int i = 0; i < 12; i++)
    {
      g_autofree char *block = g_strdup_printf ("%sencoder.layers.%d.", prefix, i);
      for (gsize k = 0; k < G_N_ELEMENTS (layers); k++)
        pair (f, 768, 768, block, layers[k]);
      pair (f, 768, 0, block, "layer_norm1");
      pair (f, 768, 0, block, "layer_norm2");
      pair (f, 3072, 768, block, "mlp.fc1");
      pair (f, 768, 3072, block, "mlp.fc2");
    }
  pair (f, 768, 0, prefix, "final_layer_norm");
}

/* All that happens to a file behind the parser. */
static bool
load (File *f, const char *label)
{
  PartList list = { 0 };
  f->set = weights_new (&f->status);
  if (!refuse_known (&f->table, label, &f->status))
    return false;
  parts_find (&list, &f->table, PART_COUNT);
  bool ok = (list.n_parts || refuse_rest (&f->table, label, &f->status)) &&
            parts_load (f->set, &list, &f->table, true, &f->unknown, label, &f->status) &&
            recognise_config (&f->config, f->set, label, &f->status);
  if (ok)
    recognise_flux_variant (&f->config.flux, &f->table, label);
  return ok;
}

/* Every weight is asked for, with the shape that it has, and nothing else. */
static void
assert_binds (File *f)
{
  Arena arena = { 0 };
  Binder b = { f->set, &arena, &f->status };
  if (f->config.has_flux)
    g_assert_nonnull (flux_bind (&b, &f->config.flux));
  if (f->config.has_t5)
    g_assert_nonnull (t5_bind (&b, &f->config.t5));
  if (f->config.n_clips > 0)
    g_assert_nonnull (clip_bind (&b, &f->config.clip[0], "text_encoder"));
  g_assert_true (weights_check (f->set, &f->status));
  g_assert_cmpstr (f->status.message, ==, "");
  g_assert_cmpint (weights_unused_count (f->set, ""), ==, 0);
  g_assert_cmpuint (f->unknown.n, ==, 0);
  arena_clear (&arena);
}

typedef struct
{
  const char *label, *prefix, *scale;
  int n_double, n_in;
  bool guidance, diffusers;
  size_t n_tensors;
  FluxVariant variant;
} FluxFile;

static const FluxFile flux_files[] = {
  { "flux1-dev.safetensors", "", "scale", 19, 64, true, false, 780, FLUX_DEV },
  { "x.safetensors", "model.diffusion_model.", "scale", 19, 64, true, false, 780, FLUX_DEV },
  { "flux1-schnell.safetensors", "", "scale", 19, 64, false, false, 776, FLUX_SCHNELL },
  { "flux1-krea-dev.safetensors", "", "scale", 19, 64, true, false, 780, FLUX_KREA },
  { "flux1-dev-KONTEXT_fp8.sft", "", "weight", 19, 64, true, false, 780, FLUX_KONTEXT },
  { "flux1-fill-dev.safetensors", "", "scale", 19, 384, true, false, 780, FLUX_FILL },
  { "flux1-canny-dev.safetensors", "", "scale", 19, 128, true, false, 780, FLUX_CANNY },
  { "flux1-depth-dev.safetensors", "", "scale", 19, 128, true, false, 780, FLUX_DEPTH },
  { "control.safetensors", "", "scale", 19, 128, true, false, 780, FLUX_CONTROL },
  { "flux-lite-8B.safetensors", "", "scale", 8, 64, true, false, 780 - 11 * 24, FLUX_DEV },
  { "diffusers.safetensors", "", "", 19, 64, true, true, 1160, FLUX_DEV },
  { "diffusers.safetensors", "transformer.", "", 19, 64, true, true, 1160, FLUX_DEV },
};

static void
test_flux_file (gconstpointer data)
{
  const FluxFile *t = data;
  File f;
  file_init (&f);
  if (t->diffusers)
    add_diffusers (&f, t->prefix);
  else
    add_bfl (&f, t->prefix, t->n_double, t->n_in, t->guidance, t->scale);
  g_assert_cmpuint (f.table.n_items, ==, t->n_tensors);
  bool ok = load (&f, t->label);
  g_assert_cmpstr (f.status.message, ==, "");
  g_assert_true (ok);
  const FluxConfig *c = &f.config.flux;
  g_assert_cmpint (f.config.family, ==, FAMILY_FLUX);
  g_assert_cmpint (c->variant, ==, t->variant);
  g_assert_cmpint (c->n_double, ==, t->n_double);
  g_assert_cmpint (c->n_single, ==, N_SINGLE);
  g_assert_cmpint (c->in_channels, ==, t->n_in);
  g_assert_cmpint (c->latent_channels, ==, 16);
  g_assert_cmpint (c->n_heads, ==, 24);
  g_assert_cmpint (c->axes[0], ==, 16);
  g_assert_cmpint (c->axes[1], ==, 56);
  g_assert_cmpint (c->axes[2], ==, 56);
  assert_binds (&f);
  if (t->n_double == N_DOUBLE && t->n_in == 64)
    g_assert_cmpint (weights_parameters (f.set, "transformer."), ==,
                     t->guidance ? 11901408320 : 11891178560);
  file_clear (&f);
}

static void
test_flux_all_in_one (void)
{
  File f;
  file_init (&f);
  add_bfl (&f, "model.diffusion_model.", N_DOUBLE, 64, true, "scale");
  add_clip_l (&f, "text_encoders.clip_l.transformer.text_model.");
  add_t5 (&f, "text_encoders.t5xxl.transformer.", &t5_hf, 32128, false);
  add (&f, 32128, 4096, "text_encoders.t5xxl.transformer.encoder.embed_tokens.weight");
  add (&f, 0, 0, "text_encoders.t5xxl.logit_scale");
  g_assert_true (load (&f, "flux1-dev-fp8.safetensors"));
  g_assert_true (f.config.has_t5 && f.config.has_flux && f.config.n_clips == 1);
  assert_binds (&f);
  g_assert_cmpint (weights_parameters (f.set, "t5."), ==, 4762310656);
  file_clear (&f);
}

typedef struct
{
  const char *name;
  const T5Names *names;
  int vocab;
  bool each_bias, has_copy;
  size_t n_tensors;
} T5File;

static const T5File t5_files[] = {
  { "t5", &t5_hf, 32128, false, false, 219 },
  { "t5-copy", &t5_hf, 32128, false, true, 220 },
  { "umt5", &t5_hf, 256384, true, false, 242 },
  { "umt5-wan", &t5_wan, 256384, true, false, 242 },
  { "t5-gguf", &t5_gguf, 32128, false, false, 219 },
};

static void
test_t5_file (gconstpointer data)
{
  const T5File *t = data;
  File f;
  file_init (&f);
  add_t5 (&f, "", t->names, t->vocab, t->each_bias);
  if (t->has_copy)
    add (&f, t->vocab, 4096, "encoder.embed_tokens.weight");
  g_assert_cmpuint (f.table.n_items, ==, t->n_tensors);
  g_assert_true (load (&f, "t5"));
  const T5Config *c = &f.config.t5;
  g_assert_cmpint (c->vocab, ==, t->vocab);
  g_assert_cmpint (c->n_layers, ==, N_T5);
  g_assert_cmpint (c->n_heads, ==, 64);
  g_assert_cmpint (c->head_dim, ==, 64);
  g_assert_cmpint (c->mlp_dim, ==, 10240);
  g_assert_true (c->has_layer_bias == t->each_bias);
  assert_binds (&f);
  file_clear (&f);
}

/* Rows as numbers, so that a wrong cut shows: the row's number is its value. */
static const float *
numbered_rows (File *f, int64_t rows, int64_t columns)
{
  float *data = pool_alloc (&f->pool, (size_t) (rows * columns), sizeof *data, &f->status);
  for (int64_t i = 0; i < rows * columns; i++)
    data[i] = (float) (i / columns);
  return data;
}

static void
add_numbered (File *f, int64_t rows, int64_t columns, const char *name)
{
  FileTensor t = { .name = name,
                   .dtype = DTYPE_F32,
                   .type_name = "f32",
                   .rank = columns ? 2 : 1,
                   .ne = { rows, columns },
                   .n_bytes = (uint64_t) (rows * MAX (columns, 1)) * sizeof (float) };
  t.data = (const uint8_t *) numbered_rows (f, rows, MAX (columns, 1));
  g_assert_true (table_add (&f->table, &t, "file", &f->status));
}

static void
assert_rows (const File *f, const char *name, int64_t first, int64_t n)
{
  const Weight *w = weights_find (f->set, name);
  g_test_message ("%s", name);
  g_assert_nonnull (w);
  g_assert_cmpint (w->ne[0], ==, n);
  const float *data = w->data;
  g_assert_cmpfloat (data[0], ==, (float) first);
  g_assert_cmpfloat (data[n * (w->rank > 1 ? w->ne[1] : 1) - 1], ==, (float) (first + n - 1));
}

static void
test_flux_cuts_fused_rows (void)
{
  static const struct
  {
    const char *name;
    int first, n;
  } ranges[] = {
    { "transformer.single_transformer_blocks.0.attn.to_q", 0, 4 },
    { "transformer.single_transformer_blocks.0.attn.to_k", 4, 4 },
    { "transformer.single_transformer_blocks.0.attn.to_v", 8, 4 },
    { "transformer.single_transformer_blocks.0.proj_mlp", 12, 10 },
    { "transformer.transformer_blocks.0.attn.add_v_proj", 8, 4 },
    { "transformer.norm_out.shift", 0, 4 },
    { "transformer.norm_out.scale", 4, 4 },
  };
  File f;
  PartList list;
  file_init (&f);
  f.set = weights_new (&f.status);
  add_numbered (&f, 4, 8, "img_in.weight");
  add_numbered (&f, 2, 0, "double_blocks.0.img_attn.norm.key_norm.scale");
  add_numbered (&f, 12, 4, "double_blocks.0.txt_attn.qkv.weight");
  add_numbered (&f, 12, 0, "double_blocks.0.txt_attn.qkv.bias");
  add_numbered (&f, 22, 4, "single_blocks.0.linear1.weight");
  add_numbered (&f, 22, 0, "single_blocks.0.linear1.bias");
  add_numbered (&f, 8, 4, "final_layer.adaLN_modulation.1.weight");
  add_numbered (&f, 8, 0, "final_layer.adaLN_modulation.1.bias");
  parts_find (&list, &f.table, PART_COUNT);
  g_assert_true (parts_load (f.set, &list, &f.table, false, &f.unknown, "file", &f.status));
  for (gsize i = 0; i < G_N_ELEMENTS (ranges); i++)
    for (int bias = 0; bias < 2; bias++)
      {
        g_autofree char *name = g_strconcat (ranges[i].name, bias ? ".bias" : ".weight", NULL);
        assert_rows (&f, name, ranges[i].first, ranges[i].n);
      }
  file_clear (&f);
}

/* The other layout has the last norm's halves the other way round. */
static void
test_flux_knows_the_order_of_halves (void)
{
  File f;
  PartList list;
  file_init (&f);
  f.set = weights_new (&f.status);
  add_numbered (&f, 4, 8, "x_embedder.weight");
  add_numbered (&f, 2, 0, "transformer_blocks.0.attn.norm_added_k.weight");
  add_numbered (&f, 8, 4, "norm_out.linear.weight");
  parts_find (&list, &f.table, PART_COUNT);
  g_assert_true (parts_load (f.set, &list, &f.table, false, &f.unknown, "file", &f.status));
  assert_rows (&f, "transformer.norm_out.scale.weight", 0, 4);
  assert_rows (&f, "transformer.norm_out.shift.weight", 4, 4);
  file_clear (&f);
}

static void
test_flux_refuses (void)
{
  File f;
  file_init (&f);
  add_bfl (&f, "", N_DOUBLE, 784, true, "scale"); /* Flex.2 */
  g_assert_false (load (&f, "flex"));
  g_assert_nonnull (strstr (f.status.message, "784 columns"));
  file_clear (&f);

  file_init (&f);
  add_bfl (&f, "", N_DOUBLE, 64, true, "scale");
  add (&f, 100, DIM - 1, "single_blocks.38.linear1.weight"); /* no rows left for the MLP */
  g_assert_false (load (&f, "short"));
  g_assert_cmpint (f.status.code, ==, STATUS_FORMAT);
  file_clear (&f);

  file_init (&f);
  add_bfl (&f, "model.diffusion_model.", N_DOUBLE, 64, true, "scale");
  add (&f, 32128, 2048, "text_encoders.t5xxl.transformer.shared.weight");
  add (&f, 2048, 2048,
       "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q.weight");
  add (&f, 32, 32,
       "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.relative_attention_"
       "bias.weight");
  add (&f, 5120, 2048,
       "text_encoders.t5xxl.transformer.encoder.block.0.layer.1.DenseReluDense.wi_0.weight");
  g_assert_false (load (&f, "with T5-XL"));
  g_assert_nonnull (strstr (f.status.message, "2048 wide, the model takes 4096"));
  file_clear (&f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (flux_files); i++)
    {
      g_autofree char *path = g_strdup_printf ("/weights/flux/%zu-%s", i, flux_files[i].label);
      g_test_add_data_func (path, &flux_files[i], test_flux_file);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (t5_files); i++)
    {
      g_autofree char *path = g_strdup_printf ("/weights/t5/%s", t5_files[i].name);
      g_test_add_data_func (path, &t5_files[i], test_t5_file);
    }
  g_test_add_func ("/weights/flux/all-in-one", test_flux_all_in_one);
  g_test_add_func ("/weights/flux/cuts-fused-rows", test_flux_cuts_fused_rows);
  g_test_add_func ("/weights/flux/knows-the-order-of-halves", test_flux_knows_the_order_of_halves);
  g_test_add_func ("/weights/flux/refuses", test_flux_refuses);
  return g_test_run ();
}
