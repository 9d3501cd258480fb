/* SPDX-License-Identifier: MPL-2.0
 * test-names.c - every name of the full-size models, and recognition by names and shapes.
 */
#include <glib.h>
#include <string.h>

#include "weights/parts.h"
#include "weights/recognise.h"
#include "weights/refuse.h"
#include "weights/weight-set.h"

/* ---- full-size models as tables of names and shapes, in the original (LDM) layout ---- */

typedef struct
{
  Pool pool;
  TensorTable table;
  Status status;
  DType dtype;
} Model;

static void
model_init (Model *m)
{
  *m = (Model){ .dtype = DTYPE_F16 };
  table_init (&m->table, &m->pool);
}

static void
model_clear (Model *m)
{
  table_clear (&m->table);
  pool_clear (&m->pool);
}

/* Shape ends at the first 0. */
static void add (Model *m, int a, int b, int c, int d, const char *format, ...)
    G_GNUC_PRINTF (6, 7);

static void
add (Model *m, int a, int b, int c, int d, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  char *name = g_strdup_vprintf (format, args);
  va_end (args);
  FileTensor t = { .dtype = m->dtype, .type_name = dtype_name (m->dtype), .ne = { a, b, c, d } };
  t.name = pool_strdup (&m->pool, name, &m->status);
  while (t.rank < 4 && t.ne[t.rank])
    t.rank++;
  g_assert_true (table_add (&m->table, &t, "model", &m->status));
  g_free (name);
}

static void
pair (Model *m, int a, int b, int k, const char *name)
{
  add (m, a, b, k, k, "%s.weight", name);
  add (m, a, 0, 0, 0, "%s.bias", name);
}

#define LAYER(m, a, b, k, ...)                                                                     \
  do                                                                                               \
    {                                                                                              \
      char *layer_name = g_strdup_printf (__VA_ARGS__);                                            \
      pair (m, a, b, k, layer_name);                                                               \
      g_free (layer_name);                                                                         \
    }                                                                                              \
  while (0)

static void
add_resnet (Model *m, const char *p, int in, int out)
{
  LAYER (m, in, 0, 0, "%s.in_layers.0", p);
  LAYER (m, out, in, 3, "%s.in_layers.2", p);
  LAYER (m, out, 1280, 0, "%s.emb_layers.1", p);
  LAYER (m, out, 0, 0, "%s.out_layers.0", p);
  LAYER (m, out, out, 3, "%s.out_layers.3", p);
  if (in != out)
    LAYER (m, out, in, 1, "%s.skip_connection", p);
}

static void
add_transformer (Model *m, const char *p, int ch, int context, int depth, bool linear)
{
  LAYER (m, ch, 0, 0, "%s.norm", p);
  LAYER (m, ch, ch, linear ? 0 : 1, "%s.proj_in", p);
  LAYER (m, ch, ch, linear ? 0 : 1, "%s.proj_out", p);
  for (int i = 0; i < depth; i++)
    {
      for (int a = 1; a <= 2; a++)
        {
          int kv = a == 1 ? ch : context;
          add (m, ch, ch, 0, 0, "%s.transformer_blocks.%d.attn%d.to_q.weight", p, i, a);
          add (m, ch, kv, 0, 0, "%s.transformer_blocks.%d.attn%d.to_k.weight", p, i, a);
          add (m, ch, kv, 0, 0, "%s.transformer_blocks.%d.attn%d.to_v.weight", p, i, a);
          LAYER (m, ch, ch, 0, "%s.transformer_blocks.%d.attn%d.to_out.0", p, i, a);
        }
      LAYER (m, 8 * ch, ch, 0, "%s.transformer_blocks.%d.ff.net.0.proj", p, i);
      LAYER (m, ch, 4 * ch, 0, "%s.transformer_blocks.%d.ff.net.2", p, i);
      for (int k = 1; k <= 3; k++)
        LAYER (m, ch, 0, 0, "%s.transformer_blocks.%d.norm%d", p, i, k);
    }
}

typedef struct
{
  int n_levels, depth[4], depth_mid, context, adm, in_channels;
} UnetShape;

static const UnetShape sd15_shape = { 4, { 1, 1, 1, 0 }, 1, 768, 0, 4 };
static const UnetShape sdxl_shape = { 3, { 0, 2, 10 }, 10, 2048, 2816, 4 };
static const int widths[] = { 320, 640, 1280, 1280 };

static void
add_block (Model *m, const char *p, int n, int in, int out, const UnetShape *u, int level)
{
  char name[128];
  g_snprintf (name, sizeof name, "%s.%d.0", p, n);
  add_resnet (m, name, in, out);
  g_snprintf (name, sizeof name, "%s.%d.1", p, n);
  if (u->depth[level])
    add_transformer (m, name, out, u->context, u->depth[level], u->adm);
}

#define UNET "model.diffusion_model."

static void
add_unet (Model *m, const UnetShape *u)
{
  int skips[16] = { 320 }, n_skips = 1, ch = 320, n = 1;
  pair (m, 1280, 320, 0, UNET "time_embed.0");
  pair (m, 1280, 1280, 0, UNET "time_embed.2");
  if (u->adm)
    {
      pair (m, 1280, u->adm, 0, UNET "label_emb.0.0");
      pair (m, 1280, 1280, 0, UNET "label_emb.0.2");
    }
  pair (m, 320, u->in_channels, 3, UNET "input_blocks.0.0");
  for (int level = 0; level < u->n_levels; level++)
    {
      for (int i = 0; i < 2; i++, n++)
        {
          add_block (m, UNET "input_blocks", n, ch, widths[level], u, level);
          skips[n_skips++] = ch = widths[level];
        }
      if (level + 1 < u->n_levels)
        {
          LAYER (m, ch, ch, 3, UNET "input_blocks.%d.0.op", n++);
          skips[n_skips++] = ch;
        }
    }
  add_resnet (m, UNET "middle_block.0", ch, ch);
  add_transformer (m, UNET "middle_block.1", ch, u->context, u->depth_mid, u->adm);
  add_resnet (m, UNET "middle_block.2", ch, ch);
  n = 0;
  for (int level = u->n_levels - 1; level >= 0; level--)
    for (int i = 0; i < 3; i++, n++)
      {
        add_block (m, UNET "output_blocks", n, ch + skips[--n_skips], widths[level], u, level);
        ch = widths[level];
        if (i == 2 && level)
          LAYER (m, ch, ch, 3, UNET "output_blocks.%d.%d.conv", n, u->depth[level] ? 2 : 1);
      }
  pair (m, ch, 0, 0, UNET "out.0");
  pair (m, 4, ch, 3, UNET "out.2");
}

static void
add_vae_resnet (Model *m, const char *p, int in, int out)
{
  LAYER (m, in, 0, 0, "%s.norm1", p);
  LAYER (m, out, in, 3, "%s.conv1", p);
  LAYER (m, out, 0, 0, "%s.norm2", p);
  LAYER (m, out, out, 3, "%s.conv2", p);
  if (in != out)
    LAYER (m, out, in, 1, "%s.nin_shortcut", p);
}

static void
add_vae_half (Model *m, const char *p, bool is_decoder, int z)
{
  static const int vae_widths[] = { 128, 256, 512, 512 };
  char name[128];
  int ch = is_decoder ? 512 : 128;
  LAYER (m, ch, is_decoder ? z : 3, 3, "%s.conv_in", p);
  for (int step = 0; step < 4; step++)
    {
      int level = is_decoder ? 3 - step : step;
      const char *way = is_decoder ? "up" : "down";
      for (int i = 0; i < (is_decoder ? 3 : 2); i++, ch = vae_widths[level])
        {
          g_snprintf (name, sizeof name, "%s.%s.%d.block.%d", p, way, level, i);
          add_vae_resnet (m, name, ch, vae_widths[level]);
        }
      if (is_decoder ? level > 0 : level < 3)
        LAYER (m, ch, ch, 3, "%s.%s.%d.%ssample.conv", p, way, level, way);
    }
  for (int i = 1; i <= 2; i++)
    {
      g_snprintf (name, sizeof name, "%s.mid.block_%d", p, i);
      add_vae_resnet (m, name, 512, 512);
    }
  LAYER (m, 512, 0, 0, "%s.mid.attn_1.norm", p);
  LAYER (m, 512, 512, 1, "%s.mid.attn_1.q", p);
  LAYER (m, 512, 512, 1, "%s.mid.attn_1.k", p);
  LAYER (m, 512, 512, 1, "%s.mid.attn_1.v", p);
  LAYER (m, 512, 512, 1, "%s.mid.attn_1.proj_out", p);
  LAYER (m, ch, 0, 0, "%s.norm_out", p);
  LAYER (m, is_decoder ? 3 : 2 * z, ch, 3, "%s.conv_out", p);
}

static void
add_vae (Model *m, const char *p, int z)
{
  char name[128];
  for (int is_decoder = 0; is_decoder < 2; is_decoder++)
    {
      g_snprintf (name, sizeof name, "%s%s", p, is_decoder ? "decoder" : "encoder");
      add_vae_half (m, name, is_decoder, z);
    }
  if (z == 4)
    {
      LAYER (m, 8, 8, 1, "%squant_conv", p);
      LAYER (m, 4, 4, 1, "%spost_quant_conv", p);
    }
}

static void
add_clip_l (Model *m, const char *p)
{
  add (m, 49408, 768, 0, 0, "%sembeddings.token_embedding.weight", p);
  add (m, 77, 768, 0, 0, "%sembeddings.position_embedding.weight", p);
  add (m, 1, 77, 0, 0, "%sembeddings.position_ids", p);
  for (int i = 0; i < 12; i++)
    {
      static const char *const square[] = { "q_proj", "k_proj", "v_proj", "out_proj" };
      for (int k = 0; k < 4; k++)
        LAYER (m, 768, 768, 0, "%sencoder.layers.%d.self_attn.%s", p, i, square[k]);
      LAYER (m, 768, 0, 0, "%sencoder.layers.%d.layer_norm1", p, i);
      LAYER (m, 768, 0, 0, "%sencoder.layers.%d.layer_norm2", p, i);
      LAYER (m, 3072, 768, 0, "%sencoder.layers.%d.mlp.fc1", p, i);
      LAYER (m, 768, 3072, 0, "%sencoder.layers.%d.mlp.fc2", p, i);
    }
  LAYER (m, 768, 0, 0, "%sfinal_layer_norm", p);
}

#define BIGG "conditioner.embedders.1.model."

static void
add_big_g (Model *m)
{
  add (m, 49408, 1280, 0, 0, BIGG "token_embedding.weight");
  add (m, 77, 1280, 0, 0, BIGG "positional_embedding");
  add (m, 1280, 1280, 0, 0, BIGG "text_projection");
  add (m, 0, 0, 0, 0, BIGG "logit_scale");
  pair (m, 1280, 0, 0, BIGG "ln_final");
  for (int i = 0; i < 32; i++)
    {
      add (m, 3840, 1280, 0, 0, BIGG "transformer.resblocks.%d.attn.in_proj_weight", i);
      add (m, 3840, 0, 0, 0, BIGG "transformer.resblocks.%d.attn.in_proj_bias", i);
      LAYER (m, 1280, 1280, 0, BIGG "transformer.resblocks.%d.attn.out_proj", i);
      LAYER (m, 1280, 0, 0, BIGG "transformer.resblocks.%d.ln_1", i);
      LAYER (m, 1280, 0, 0, BIGG "transformer.resblocks.%d.ln_2", i);
      LAYER (m, 5120, 1280, 0, BIGG "transformer.resblocks.%d.mlp.c_fc", i);
      LAYER (m, 1280, 5120, 0, BIGG "transformer.resblocks.%d.mlp.c_proj", i);
    }
}

static void
add_sd15 (Model *m)
{
  add_unet (m, &sd15_shape);
  add_vae (m, "first_stage_model.", 4);
  add_clip_l (m, "cond_stage_model.transformer.text_model.");
}

static void
add_sdxl (Model *m)
{
  add_unet (m, &sdxl_shape);
  add_vae (m, "first_stage_model.", 4);
  add_clip_l (m, "conditioner.embedders.0.transformer.text_model.");
  add_big_g (m);
}

/* All that happens to a file behind the parser. */
static WeightSet *
load (Model *m, ModelConfig *config, UnknownList *unknown, Status *status)
{
  WeightSet *set = weights_new (status);
  PartList list = { 0 };
  *unknown = (UnknownList){ 0 };
  bool ok = refuse_known (&m->table, "model", status);
  if (ok)
    parts_find (&list, &m->table, PART_COUNT);
  ok = ok && (list.n_parts || refuse_rest (&m->table, "model", status)) &&
       parts_load (set, &list, &m->table, true, unknown, "model", status) &&
       recognise_config (config, set, "model", status);
  if (ok)
    recognise_prediction (config, &m->table, "model");
  return set;
}

static int
count_under (const WeightSet *set, const char *prefix)
{
  return weights_unused_count (set, prefix); /* nothing is used yet */
}

static void
assert_shape (const WeightSet *set, const char *name, int rank, int64_t a, int64_t b)
{
  const Weight *w = weights_find (set, name);
  g_test_message ("%s", name);
  g_assert_nonnull (w);
  g_assert_cmpint (w->rank, ==, rank);
  g_assert_cmpint (w->ne[0], ==, a);
  g_assert_cmpint (w->ne[1], ==, b);
}

/* Weights_add refuses two of one name and parts_load then reports one as unknown: the counts
 * together with an empty list of unknowns say that every key has one name of its own. */
static void
test_names_sd15 (void)
{
  Model m;
  ModelConfig c;
  UnknownList unknown;
  model_init (&m);
  add_sd15 (&m);
  add (&m, 1000, 0, 0, 0, "alphas_cumprod");
  add (&m, 320, 0, 0, 0, "model_ema.decay");
  WeightSet *set = load (&m, &c, &unknown, &m.status);
  g_assert_cmpstr (m.status.message, ==, "");
  g_assert_cmpuint (unknown.n, ==, 0);
  g_assert_cmpint (count_under (set, "unet."), ==, 686);
  g_assert_cmpint (count_under (set, "vae."), ==, 248);
  g_assert_cmpint (count_under (set, "text_encoder."), ==, 196);
  g_assert_cmpint (weights_count (set), ==, 686 + 248 + 196);
  assert_shape (set, "unet.up_blocks.0.upsamplers.0.conv.weight", 4, 1280, 1280);
  assert_shape (set, "unet.up_blocks.3.resnets.0.conv_shortcut.weight", 4, 320, 960);
  assert_shape (set, "unet.down_blocks.3.resnets.1.conv1.weight", 4, 1280, 1280);
  assert_shape (set, "vae.decoder.up_blocks.2.resnets.0.conv_shortcut.weight", 4, 256, 512);
  assert_shape (set, "vae.encoder.mid_block.attentions.0.to_out.0.weight", 2, 512, 512);
  g_assert_cmpint (c.family, ==, FAMILY_SD15);
  g_assert_cmpint (c.unet.n_levels, ==, 4);
  g_assert_cmpmem (c.unet.channels, 16, widths, 16);
  g_assert_cmpmem (c.unet.depth_down, 16, ((int[]){ 1, 1, 1, 0 }), 16);
  g_assert_cmpmem (c.unet.depth_up, 16, ((int[]){ 0, 1, 1, 1 }), 16);
  g_assert_cmpmem (c.unet.heads, 16, ((int[]){ 8, 8, 8, 8 }), 16);
  g_assert_cmpint (c.unet.depth_mid, ==, 1);
  g_assert_cmpint (c.unet.context_dim, ==, 768);
  g_assert_false (c.unet.linear_projection);
  g_assert_cmpint (c.clip[0].n_heads, ==, 12);
  g_assert_cmpint (c.clip[0].n_layers, ==, 12);
  g_assert_cmpint (c.clip[0].pad_id, ==, 49407);
  g_assert_cmpint (c.n_clips, ==, 1);
  g_assert_cmpfloat (c.vae.scaling_factor, ==, 0.18215f);
  g_assert_cmpmem (c.vae.channels, 16, ((int[]){ 128, 256, 512, 512 }), 16);
  g_assert_cmpint (c.vae.res_blocks, ==, 2);
  /* 859.5 M, 83.7 M and 123.1 M: the published parameter counts */
  g_assert_cmpint (weights_parameters (set, "unet."), ==, 859520964);
  g_assert_cmpint (weights_parameters (set, "vae."), ==, 83653863);
  g_assert_cmpint (weights_parameters (set, "text_encoder."), ==, 123060480);
  weights_free (set);
  model_clear (&m);
}

static void
test_names_sdxl (void)
{
  Model m;
  ModelConfig c;
  UnknownList unknown;
  model_init (&m);
  add_sdxl (&m);
  WeightSet *set = load (&m, &c, &unknown, &m.status);
  g_assert_cmpstr (m.status.message, ==, "");
  g_assert_cmpuint (unknown.n, ==, 0);
  g_assert_cmpint (count_under (set, "unet."), ==, 1680);
  g_assert_cmpint (count_under (set, "vae."), ==, 248);
  g_assert_cmpint (count_under (set, "text_encoder."), ==, 196);
  g_assert_cmpint (count_under (set, "text_encoder_2."), ==, 517);
  g_assert_cmpint (weights_parameters (set, "unet."), ==, 2567463684);
  g_assert_cmpint (weights_parameters (set, "text_encoder_2."), ==, 694659840);
  assert_shape (set, "text_encoder_2.text_model.encoder.layers.31.self_attn.v_proj.weight", 2, 1280,
                1280);
  g_assert_cmpint (c.family, ==, FAMILY_SDXL);
  g_assert_cmpmem (c.unet.depth_down, 12, ((int[]){ 0, 2, 10 }), 12);
  g_assert_cmpmem (c.unet.depth_up, 12, ((int[]){ 10, 2, 0 }), 12);
  g_assert_cmpmem (c.unet.heads, 12, ((int[]){ 5, 10, 20 }), 12);
  g_assert_cmpint (c.unet.depth_mid, ==, 10);
  g_assert_cmpint (c.unet.adm_dim, ==, 2816);
  g_assert_cmpint (c.unet.adm_time_dim, ==, 256);
  g_assert_true (c.unet.linear_projection);
  g_assert_cmpint (c.n_clips, ==, 2);
  g_assert_cmpint (c.clip[1].n_layers, ==, 32);
  g_assert_cmpint (c.clip[1].n_heads, ==, 20);
  g_assert_cmpint (c.clip[1].projection_dim, ==, 1280);
  g_assert_cmpint (c.clip[1].activation, ==, CLIP_GELU);
  g_assert_cmpint (c.clip[1].pad_id, ==, 0);
  g_assert_cmpfloat (c.vae.scaling_factor, ==, 0.13025f);
  g_assert_cmpint (c.prediction, ==, PREDICTION_EPSILON);
  weights_free (set);
  model_clear (&m);
}

static void
test_names_keep_what_they_do_not_know (void)
{
  Model m;
  ModelConfig c;
  UnknownList unknown;
  model_init (&m);
  add_sd15 (&m);
  add (&m, 4, 0, 0, 0, UNET "input_blocks.40.0.in_layers.0.weight");
  add (&m, 4, 0, 0, 0, UNET "input_blocks.99999999999999999999.0.op.weight");
  add (&m, 4, 0, 0, 0, UNET "output_blocks.03.0.in_layers.0.weight");
  add (&m, 4, 0, 0, 0, "first_stage_model.decoder.up.0.strange");
  WeightSet *set = load (&m, &c, &unknown, &m.status);
  g_assert_cmpuint (unknown.n, ==, 4);
  g_assert_cmpstr (unknown.names[3], ==, "first_stage_model.decoder.up.0.strange");
  g_assert_cmpint (weights_count (set), ==, 686 + 248 + 196);
  weights_free (set);
  model_clear (&m);
}

static void
test_names_of_the_first_clips (void)
{
  Model m;
  ModelConfig c;
  UnknownList unknown;
  model_init (&m);
  add_unet (&m, &sd15_shape);
  add_clip_l (&m, "cond_stage_model.transformer."); /* without "text_model." */
  WeightSet *set = load (&m, &c, &unknown, &m.status);
  g_assert_cmpuint (unknown.n, ==, 0);
  g_assert_cmpint (count_under (set, "text_encoder.text_model."), ==, 196);
  weights_free (set);
  model_clear (&m);
}

typedef struct
{
  NameScheme scheme;
  const char *from, *to;
  NameAction action;
} NameCase;

/* Names that the tables above do not have. */
static const NameCase name_cases[] = {
  { NAMES_VAE_DIFFUSERS, "encoder.mid_block.attentions.0.query.weight",
    "encoder.mid_block.attentions.0.to_q.weight", NAME_SQUEEZE },
  { NAMES_VAE_DIFFUSERS, "decoder.mid_block.attentions.0.proj_attn.bias",
    "decoder.mid_block.attentions.0.to_out.0.bias", NAME_SQUEEZE },
  { NAMES_VAE_DIFFUSERS, "decoder.mid_block.attentions.0.to_out.0.weight",
    "decoder.mid_block.attentions.0.to_out.0.weight", NAME_SQUEEZE },
  { NAMES_VAE_DIFFUSERS, "decoder.mid_block.attentions.0.group_norm.weight",
    "decoder.mid_block.attentions.0.group_norm.weight", NAME_SQUEEZE },
  { NAMES_CLIP_OPENCLIP, "text_projection", "text_projection.weight", NAME_TRANSPOSE },
  { NAMES_CLIP_OPENCLIP, "text_projection.weight", "text_projection.weight", NAME_KEEP },
  { NAMES_CLIP_OPENCLIP, "transformer.resblocks.7.attn.in_proj_bias",
    "text_model.encoder.layers.7.self_attn.{q_proj|k_proj|v_proj}.bias", NAME_SPLIT },
  { NAMES_FLUX_BFL, "double_blocks.18.img_attn.qkv.bias",
    "transformer_blocks.18.attn.{to_q|to_k|to_v}.bias", NAME_SPLIT },
  { NAMES_FLUX_BFL, "single_blocks.3.linear1.weight",
    "single_transformer_blocks.3.{attn.to_q|attn.to_k|attn.to_v|proj_mlp}.weight",
    NAME_SPLIT_WIDTHS },
  { NAMES_FLUX_BFL, "double_blocks.0.txt_attn.norm.key_norm.weight",
    "transformer_blocks.0.attn.norm_added_k.weight", NAME_KEEP },
  { NAMES_FLUX_BFL, "final_layer.adaLN_modulation.1.bias", "norm_out.{shift|scale}.bias",
    NAME_SPLIT },
  { NAMES_FLUX_DIFFUSERS, "norm_out.linear.bias", "norm_out.{scale|shift}.bias", NAME_SPLIT },
  { NAMES_FLUX_BFL, "double_blocks.0.strange.weight", NULL, NAME_KEEP },
  { NAMES_T5_HF, "encoder.embed_tokens.weight", "shared.weight", NAME_ALIAS },
  { NAMES_T5_WAN, "blocks.5.ffn.gate.0.weight",
    "encoder.block.5.layer.1.DenseReluDense.wi_0.weight", NAME_KEEP },
  { NAMES_T5_GGUF, "enc.blk.11.attn_rel_b.weight",
    "encoder.block.11.layer.0.SelfAttention.relative_attention_bias.weight", NAME_KEEP },
  { NAMES_TINY_FLAT_DECODER, "1.weight", "decoder.layers.0.weight", NAME_KEEP },
  { NAMES_TINY_FLAT_ENCODER, "0.weight", "encoder.layers.0.weight", NAME_KEEP },
  { NAMES_TINY_NUMBERED, "taesd_decoder.3.conv.0.weight", "decoder.layers.2.conv.0.weight",
    NAME_KEEP },
  { NAMES_TINY_NUMBERED, "taesd_decoder.0.weight", NULL, NAME_KEEP },
  { NAMES_TINY_NUMBERED, "decoder.01.weight", NULL, NAME_KEEP },
  { NAMES_UNET_LDM, "input_blocks.1.0.strange.weight", NULL, NAME_KEEP },
};

static void
test_names_single (void)
{
  BlockMap map = { 0 };
  for (size_t i = 0; i < G_N_ELEMENTS (name_cases); i++)
    {
      const NameCase *c = &name_cases[i];
      NameMatch match;
      bool ok = names_map (c->scheme, &map, c->from, &match);
      g_test_message ("%s", c->from);
      g_assert_true (ok == (c->to != NULL));
      if (!ok)
        continue;
      g_assert_cmpstr (match.name, ==, c->to);
      g_assert_cmpint (match.action, ==, c->action);
    }
}

/* ---- markers and relatives ---- */

static void
test_recognise_markers (void)
{
  Model m;
  ModelConfig c;
  UnknownList unknown;
  model_init (&m);
  UnetShape inpaint = sdxl_shape;
  inpaint.in_channels = 9;
  add_unet (&m, &inpaint);
  add (&m, 0, 0, 0, 0, "v_pred");
  add (&m, 0, 0, 0, 0, "ztsnr");
  WeightSet *set = load (&m, &c, &unknown, &m.status);
  g_assert_cmpstr (m.status.message, ==, "");
  g_assert_cmpuint (unknown.n, ==, 0);
  g_assert_cmpint (c.unet.in_channels, ==, 9);
  g_assert_cmpint (c.prediction, ==, PREDICTION_V);
  g_assert_true (c.zero_terminal_snr);
  weights_free (set);
  model_clear (&m);
}

typedef struct
{
  const char *key, *sentence;
} RefusalCase;

static const RefusalCase refusals[] = {
  { "lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", "LoRA" },
  { "unet.down_blocks.0.attn.to_q.lora_A.weight", "LoRA" },
  { "x.hada_w1_a", "LoRA" },
  { "control_model.input_blocks.0.0.weight", "ControlNet" },
  { "controlnet_cond_embedding.conv_in.weight", "ControlNet" },
  { "ip_adapter.1.to_k_ip.weight", "IP-Adapter" },
  { "string_to_param.*", "textual-inversion" },
  { "double_blocks.0.img_attn.norm.key_norm.scale", "FLUX.1" },
  { "single_transformer_blocks.0.attn.norm_q.weight", "FLUX.1" },
  { "model.diffusion_model.joint_blocks.0.x.weight", "SD 3" },
  { "double_stream_modulation_img.lin.weight", "FLUX.2" },
  { "distilled_guidance_layer.in_proj.weight", "Chroma" },
  { "txt_in.individual_token_refiner.blocks.0.norm1.weight", "HunyuanVideo" },
  { "head.modulation", "a part of a Wan" },
  { "vace_blocks.0.after_proj.weight", "VACE" },
  { "blk.0.attn_q.weight", "language model" },
  { "edm_mean", "EDM" },
  { "encoder.block.0.layer.1.DenseReluDense.wi_0.weight", "T5" },
  { "vision_model.embeddings.patch_embedding.bias", "image encoder" },
  { "conv_first.weight", "upscaler" },
  { "something.else", "does not know" },
};

static void
test_recognise_refuses_others_by_name (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (refusals); i++)
    {
      Model m;
      ModelConfig c;
      UnknownList unknown;
      model_init (&m);
      add (&m, 8, 8, 8, 0, "%s", refusals[i].key);
      WeightSet *set = load (&m, &c, &unknown, &m.status);
      g_test_message ("%s", m.status.message);
      g_assert_cmpint (m.status.code, ==, STATUS_UNSUPPORTED);
      g_assert_nonnull (strstr (m.status.message, refusals[i].sentence));
      weights_free (set);
      model_clear (&m);
    }
}

static void
assert_relative (const UnetShape *shape, const char *sentence)
{
  Model m;
  ModelConfig c;
  UnknownList unknown;
  model_init (&m);
  add_unet (&m, shape);
  WeightSet *set = load (&m, &c, &unknown, &m.status);
  g_assert_cmpint (m.status.code, ==, STATUS_UNSUPPORTED);
  g_assert_nonnull (strstr (m.status.message, sentence));
  weights_free (set);
  model_clear (&m);
}

static void
test_recognise_refuses_relatives (void)
{
  UnetShape s = sd15_shape;
  s.context = 1024;
  assert_relative (&s, "SD 2");
  s = sd15_shape;
  s.in_channels = 8;
  assert_relative (&s, "InstructPix2Pix");
  s = sdxl_shape;
  s.adm = 2560;
  assert_relative (&s, "refiner");
}

static void
test_recognise_refuses_formats (void)
{
  static const DType types[] = { DTYPE_I8, DTYPE_U8 };
  static const char *const sentences[] = { "as i8", "as u8" };
  for (int i = 0; i < 2; i++)
    {
      Model m;
      ModelConfig c;
      UnknownList unknown;
      model_init (&m);
      m.dtype = types[i];
      add_unet (&m, &sd15_shape);
      WeightSet *set = load (&m, &c, &unknown, &m.status);
      g_assert_cmpint (m.status.code, ==, STATUS_UNSUPPORTED);
      g_assert_nonnull (strstr (m.status.message, sentences[i]));
      weights_free (set);
      model_clear (&m);
    }
}

static void
test_recognise_bare_parts (void)
{
  Model m;
  ModelConfig c;
  UnknownList unknown;
  model_init (&m);
  add_vae (&m, "", 4);
  WeightSet *set = load (&m, &c, &unknown, &m.status);
  g_assert_cmpuint (unknown.n, ==, 0);
  g_assert_cmpint (count_under (set, "vae."), ==, 248);
  g_assert_true (c.has_vae && !c.has_unet);
  weights_free (set);
  model_clear (&m);
  model_init (&m);
  add_vae (&m, "", 16);
  LAYER (&m, 32, 32, 1, "quant_conv"); /* none of FLUX.1's */
  set = load (&m, &c, &unknown, &m.status);
  g_assert_nonnull (strstr (m.status.message, "16 channels"));
  weights_free (set);
  model_clear (&m);
}

/* FLUX.1's has 244 tensors, a scale and a shift of its own, and no quant convs. */
static void
test_recognise_flux_vae (void)
{
  Model m;
  ModelConfig c;
  UnknownList unknown;
  model_init (&m);
  add_vae (&m, "", 16);
  WeightSet *set = load (&m, &c, &unknown, &m.status);
  g_assert_cmpstr (m.status.message, ==, "");
  g_assert_cmpint (count_under (set, "vae."), ==, 244);
  g_assert_true (c.has_vae && !c.vae.has_quant_conv && !c.vae.has_post_quant_conv);
  g_assert_cmpint (c.vae.latent_channels, ==, 16);
  g_assert_cmpfloat (c.vae.scaling_factor, ==, 0.3611f);
  g_assert_cmpfloat (c.vae.shift_factor, ==, 0.1159f);
  weights_free (set);
  model_clear (&m);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/weights/names/sd15", test_names_sd15);
  g_test_add_func ("/weights/names/sdxl", test_names_sdxl);
  g_test_add_func ("/weights/names/unknown", test_names_keep_what_they_do_not_know);
  g_test_add_func ("/weights/names/first-clips", test_names_of_the_first_clips);
  g_test_add_func ("/weights/names/single", test_names_single);
  g_test_add_func ("/weights/recognise/markers", test_recognise_markers);
  g_test_add_func ("/weights/recognise/others", test_recognise_refuses_others_by_name);
  g_test_add_func ("/weights/recognise/relatives", test_recognise_refuses_relatives);
  g_test_add_func ("/weights/recognise/formats", test_recognise_refuses_formats);
  g_test_add_func ("/weights/recognise/bare-parts", test_recognise_bare_parts);
  g_test_add_func ("/weights/recognise/flux-vae", test_recognise_flux_vae);
  return g_test_run ();
}
