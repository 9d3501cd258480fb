/* SPDX-License-Identifier: MPL-2.0 */
#include "published.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum
{
  MAX_RANK = 5,
  HALF_BYTES = 2,
  ALIGNMENT = 32,
  GGUF_VERSION = 3,
  GGUF_TEXT = 8,
  GGUF_F16 = 1,
  FLUX_DIM = 3072,
  FLUX_MLP = 12288,
  FLUX2_DIM = 6144,
  HEAD_DIM = 128,
  T5_DIM = 4096
};

typedef struct
{
  char *name;
  int rank;
  gint64 ne[MAX_RANK];
} Tensor;

struct PublishedModel
{
  GArray *tensors;
};

static void
clear_tensor (gpointer data)
{
  g_free (((Tensor *) data)->name);
}

PublishedModel *
published_new (void)
{
  PublishedModel *m = g_new0 (PublishedModel, 1);
  m->tensors = g_array_new (FALSE, FALSE, sizeof (Tensor));
  g_array_set_clear_func (m->tensors, clear_tensor);
  return m;
}

void
published_free (PublishedModel *model)
{
  g_array_unref (model->tensors);
  g_free (model);
}

/* @shape: "3072,64" */
static void
add (PublishedModel *m, char *name, const char *shape)
{
  Tensor t = { .name = name };
  g_auto (GStrv) sides = g_strsplit (shape, ",", -1);
  for (char **side = sides; *side; side++)
    {
      g_assert_cmpint (t.rank, <, MAX_RANK);
      t.ne[t.rank++] = g_ascii_strtoll (*side, NULL, 10);
    }
  g_array_append_val (m->tensors, t);
}

/* @name: "NAME.*" stands for a weight of @shape and a bias as long as its first side */
static void
put (PublishedModel *m, const char *prefix, const char *name, const char *shape)
{
  if (!g_str_has_suffix (name, ".*"))
    {
      add (m, g_strconcat (prefix, name, NULL), shape);
      return;
    }
  g_autofree char *stem = g_strndup (name, strlen (name) - 1);
  g_autofree char *rows = g_strndup (shape, strcspn (shape, ","));
  add (m, g_strconcat (prefix, stem, "weight", NULL), shape);
  add (m, g_strconcat (prefix, stem, "bias", NULL), rows);
}

static void
put2 (PublishedModel *m, const char *prefix, const char *name, int rows, int columns)
{
  g_autofree char *shape = g_strdup_printf ("%d,%d", rows, columns);
  put (m, prefix, name, shape);
}

static void
put1 (PublishedModel *m, const char *prefix, const char *name, int n)
{
  g_autofree char *shape = g_strdup_printf ("%d", n);
  put (m, prefix, name, shape);
}

/* A convolution, @kernel its sides: "3,3,3" */
static void
put_conv (
    PublishedModel *m, const char *prefix, const char *name, int out, int in, const char *kernel)
{
  g_autofree char *shape = g_strdup_printf ("%d,%d,%s", out, in, kernel);
  put (m, prefix, name, shape);
}

/* ---- FLUX.1 ---- */

static void
add_embedders (PublishedModel *m,
               const char *prefix,
               const char *const *names,
               const char *first,
               const char *second,
               gboolean has_guidance)
{
  for (int i = 0; i < (has_guidance ? 3 : 2); i++)
    {
      g_autofree char *in = g_strconcat (names[i], first, NULL);
      g_autofree char *out = g_strconcat (names[i], second, NULL);
      put2 (m, prefix, in, FLUX_DIM, i == 1 ? 768 : 256);
      put2 (m, prefix, out, FLUX_DIM, FLUX_DIM);
    }
}

static void
add_flux_double (PublishedModel *m, const char *block, const char *stream)
{
  g_autofree char *prefix = g_strconcat (block, stream, NULL);
  put2 (m, prefix, "_mod.lin.*", 6 * FLUX_DIM, FLUX_DIM);
  put2 (m, prefix, "_attn.qkv.*", 3 * FLUX_DIM, FLUX_DIM);
  put1 (m, prefix, "_attn.norm.query_norm.scale", HEAD_DIM);
  put1 (m, prefix, "_attn.norm.key_norm.scale", HEAD_DIM);
  put2 (m, prefix, "_attn.proj.*", FLUX_DIM, FLUX_DIM);
  put2 (m, prefix, "_mlp.0.*", FLUX_MLP, FLUX_DIM);
  put2 (m, prefix, "_mlp.2.*", FLUX_DIM, FLUX_MLP);
}

void
published_add_flux (PublishedModel *m, const char *prefix, gboolean has_guidance)
{
  static const char *const embedders[] = { "time_in", "vector_in", "guidance_in" };
  put2 (m, prefix, "img_in.*", FLUX_DIM, 64);
  put2 (m, prefix, "txt_in.*", FLUX_DIM, T5_DIM);
  add_embedders (m, prefix, embedders, ".in_layer.*", ".out_layer.*", has_guidance);
  for (int i = 0; i < 19; i++)
    {
      g_autofree char *block = g_strdup_printf ("%sdouble_blocks.%d.", prefix, i);
      add_flux_double (m, block, "img");
      add_flux_double (m, block, "txt");
    }
  for (int i = 0; i < 38; i++)
    {
      g_autofree char *block = g_strdup_printf ("%ssingle_blocks.%d.", prefix, i);
      put2 (m, block, "modulation.lin.*", 3 * FLUX_DIM, FLUX_DIM);
      put2 (m, block, "linear1.*", 3 * FLUX_DIM + FLUX_MLP, FLUX_DIM);
      put2 (m, block, "linear2.*", FLUX_DIM, FLUX_DIM + FLUX_MLP);
      put1 (m, block, "norm.query_norm.scale", HEAD_DIM);
      put1 (m, block, "norm.key_norm.scale", HEAD_DIM);
    }
  put2 (m, prefix, "final_layer.linear.*", 64, FLUX_DIM);
  put2 (m, prefix, "final_layer.adaLN_modulation.1.*", 2 * FLUX_DIM, FLUX_DIM);
}

static void
add_diffusers_double (PublishedModel *m, const char *block)
{
  static const char *const square[] = { "attn.to_q.*",       "attn.to_k.*",
                                        "attn.to_v.*",       "attn.to_out.0.*",
                                        "attn.add_q_proj.*", "attn.add_k_proj.*",
                                        "attn.add_v_proj.*", "attn.to_add_out.*" };
  static const char *const norms[] = { "attn.norm_q.weight", "attn.norm_k.weight",
                                       "attn.norm_added_q.weight", "attn.norm_added_k.weight" };
  put2 (m, block, "norm1.linear.*", 6 * FLUX_DIM, FLUX_DIM);
  put2 (m, block, "norm1_context.linear.*", 6 * FLUX_DIM, FLUX_DIM);
  for (guint i = 0; i < G_N_ELEMENTS (square); i++)
    put2 (m, block, square[i], FLUX_DIM, FLUX_DIM);
  for (guint i = 0; i < G_N_ELEMENTS (norms); i++)
    put1 (m, block, norms[i], HEAD_DIM);
  put2 (m, block, "ff.net.0.proj.*", FLUX_MLP, FLUX_DIM);
  put2 (m, block, "ff.net.2.*", FLUX_DIM, FLUX_MLP);
  put2 (m, block, "ff_context.net.0.proj.*", FLUX_MLP, FLUX_DIM);
  put2 (m, block, "ff_context.net.2.*", FLUX_DIM, FLUX_MLP);
}

void
published_add_flux_diffusers (PublishedModel *m, const char *prefix, gboolean has_guidance)
{
  static const char *const embedders[] = { "time_text_embed.timestep_embedder",
                                           "time_text_embed.text_embedder",
                                           "time_text_embed.guidance_embedder" };
  put2 (m, prefix, "x_embedder.*", FLUX_DIM, 64);
  put2 (m, prefix, "context_embedder.*", FLUX_DIM, T5_DIM);
  add_embedders (m, prefix, embedders, ".linear_1.*", ".linear_2.*", has_guidance);
  for (int i = 0; i < 19; i++)
    {
      g_autofree char *block = g_strdup_printf ("%stransformer_blocks.%d.", prefix, i);
      add_diffusers_double (m, block);
    }
  for (int i = 0; i < 38; i++)
    {
      g_autofree char *block = g_strdup_printf ("%ssingle_transformer_blocks.%d.", prefix, i);
      put2 (m, block, "norm.linear.*", 3 * FLUX_DIM, FLUX_DIM);
      put2 (m, block, "proj_mlp.*", FLUX_MLP, FLUX_DIM);
      put2 (m, block, "proj_out.*", FLUX_DIM, FLUX_DIM + FLUX_MLP);
      put2 (m, block, "attn.to_q.*", FLUX_DIM, FLUX_DIM);
      put2 (m, block, "attn.to_k.*", FLUX_DIM, FLUX_DIM);
      put2 (m, block, "attn.to_v.*", FLUX_DIM, FLUX_DIM);
      put1 (m, block, "attn.norm_q.weight", HEAD_DIM);
      put1 (m, block, "attn.norm_k.weight", HEAD_DIM);
    }
  put2 (m, prefix, "norm_out.linear.*", 2 * FLUX_DIM, FLUX_DIM);
  put2 (m, prefix, "proj_out.*", 64, FLUX_DIM);
}

/* Modulation is one for all blocks, nothing has a bias. */
void
published_add_flux2 (PublishedModel *m, const char *prefix)
{
  static const char *const streams[] = { "img", "txt" };
  put2 (m, prefix, "img_in.weight", FLUX2_DIM, 128);
  put2 (m, prefix, "txt_in.weight", FLUX2_DIM, 15360);
  put2 (m, prefix, "time_in.in_layer.weight", FLUX2_DIM, 256);
  put2 (m, prefix, "double_stream_modulation_img.lin.weight", 6 * FLUX2_DIM, FLUX2_DIM);
  put2 (m, prefix, "double_stream_modulation_txt.lin.weight", 6 * FLUX2_DIM, FLUX2_DIM);
  put2 (m, prefix, "single_stream_modulation.lin.weight", 3 * FLUX2_DIM, FLUX2_DIM);
  for (int i = 0; i < 8; i++)
    for (guint s = 0; s < G_N_ELEMENTS (streams); s++)
      {
        g_autofree char *block = g_strdup_printf ("%sdouble_blocks.%d.%s", prefix, i, streams[s]);
        put2 (m, block, "_attn.qkv.weight", 3 * FLUX2_DIM, FLUX2_DIM);
        put1 (m, block, "_attn.norm.query_norm.scale", HEAD_DIM);
        put1 (m, block, "_attn.norm.key_norm.scale", HEAD_DIM);
        put2 (m, block, "_attn.proj.weight", FLUX2_DIM, FLUX2_DIM);
      }
}

static void
add_clip_l (PublishedModel *m, const char *prefix)
{
  static const char *const square[] = { "self_attn.q_proj.*", "self_attn.k_proj.*",
                                        "self_attn.v_proj.*", "self_attn.out_proj.*" };
  put2 (m, prefix, "embeddings.token_embedding.weight", 49408, 768);
  put2 (m, prefix, "embeddings.position_embedding.weight", 77, 768);
  for (int i = 0; i < 12; i++)
    {
      g_autofree char *layer = g_strdup_printf ("%sencoder.layers.%d.", prefix, i);
      put1 (m, layer, "layer_norm1.*", 768);
      put1 (m, layer, "layer_norm2.*", 768);
      put2 (m, layer, "mlp.fc1.*", 3072, 768);
      put2 (m, layer, "mlp.fc2.*", 768, 3072);
      for (guint k = 0; k < G_N_ELEMENTS (square); k++)
        put2 (m, layer, square[k], 768, 768);
    }
  put1 (m, prefix, "final_layer_norm.*", 768);
}

static void
add_t5 (PublishedModel *m, const char *prefix)
{
  static const char *const square[] = { "q", "k", "v", "o" };
  put2 (m, prefix, "shared.weight", 32128, T5_DIM);
  for (int i = 0; i < 24; i++)
    {
      g_autofree char *layer = g_strdup_printf ("%sencoder.block.%d.layer.", prefix, i);
      for (guint k = 0; k < G_N_ELEMENTS (square); k++)
        {
          g_autofree char *name = g_strdup_printf ("0.SelfAttention.%s.weight", square[k]);
          put2 (m, layer, name, T5_DIM, T5_DIM);
        }
      if (i == 0)
        put2 (m, layer, "0.SelfAttention.relative_attention_bias.weight", 32, 64);
      put1 (m, layer, "0.layer_norm.weight", T5_DIM);
      put2 (m, layer, "1.DenseReluDense.wi_0.weight", 10240, T5_DIM);
      put2 (m, layer, "1.DenseReluDense.wi_1.weight", 10240, T5_DIM);
      put2 (m, layer, "1.DenseReluDense.wo.weight", T5_DIM, 10240);
      put1 (m, layer, "1.layer_norm.weight", T5_DIM);
    }
  put1 (m, prefix, "encoder.final_layer_norm.weight", T5_DIM);
}

static void
add_resnet (PublishedModel *m, const char *prefix, int in, int out)
{
  put1 (m, prefix, "norm1.*", in);
  put_conv (m, prefix, "conv1.*", out, in, "3,3");
  put1 (m, prefix, "norm2.*", out);
  put_conv (m, prefix, "conv2.*", out, out, "3,3");
  if (in != out)
    put_conv (m, prefix, "nin_shortcut.*", out, in, "1,1");
}

static void
add_kl_middle (PublishedModel *m, const char *prefix)
{
  static const char *const square[] = { "mid.attn_1.q.*", "mid.attn_1.k.*", "mid.attn_1.v.*",
                                        "mid.attn_1.proj_out.*" };
  for (int i = 1; i <= 2; i++)
    {
      g_autofree char *block = g_strdup_printf ("%smid.block_%d.", prefix, i);
      add_resnet (m, block, 512, 512);
    }
  put1 (m, prefix, "mid.attn_1.norm.*", 512);
  for (guint i = 0; i < G_N_ELEMENTS (square); i++)
    put_conv (m, prefix, square[i], 512, 512, "1,1");
}

/* FLUX.1's ae.safetensors: SD's VAE with 16 channels, and no convolutions at the latents. */
static void
add_kl_vae (PublishedModel *m, const char *prefix)
{
  static const int channels[] = { 128, 256, 512, 512 };
  g_autofree char *encoder = g_strconcat (prefix, "encoder.", NULL);
  g_autofree char *decoder = g_strconcat (prefix, "decoder.", NULL);
  put_conv (m, encoder, "conv_in.*", 128, 3, "3,3");
  put_conv (m, decoder, "conv_in.*", 512, 16, "3,3");
  for (int level = 0; level < 4; level++)
    for (int i = 0; i < 3; i++)
      {
        g_autofree char *down = g_strdup_printf ("%sdown.%d.block.%d.", encoder, level, i);
        g_autofree char *up = g_strdup_printf ("%sup.%d.block.%d.", decoder, level, i);
        int coarser = channels[MIN (level + 1, 3)], finer = channels[MAX (level - 1, 0)];
        if (i < 2)
          add_resnet (m, down, i ? channels[level] : finer, channels[level]);
        add_resnet (m, up, i ? channels[level] : coarser, channels[level]);
      }
  for (int level = 0; level < 3; level++)
    {
      g_autofree char *down = g_strdup_printf ("down.%d.downsample.conv.*", level);
      g_autofree char *up = g_strdup_printf ("up.%d.upsample.conv.*", level + 1);
      put_conv (m, encoder, down, channels[level], channels[level], "3,3");
      put_conv (m, decoder, up, channels[level + 1], channels[level + 1], "3,3");
    }
  add_kl_middle (m, encoder);
  add_kl_middle (m, decoder);
  put1 (m, encoder, "norm_out.*", 512);
  put_conv (m, encoder, "conv_out.*", 32, 512, "3,3");
  put1 (m, decoder, "norm_out.*", 128);
  put_conv (m, decoder, "conv_out.*", 3, 128, "3,3");
}

void
published_add_flux_parts (PublishedModel *m)
{
  add_kl_vae (m, "vae.");
  add_clip_l (m, "text_encoders.clip_l.transformer.text_model.");
  add_t5 (m, "text_encoders.t5xxl.transformer.");
}

/* ---- Wan ---- */

static void
add_wan_block (PublishedModel *m, const char *block, const PublishedWan *wan)
{
  static const char *const kinds[] = { "self_attn.", "cross_attn." };
  static const char *const square[] = { "q.*", "k.*", "v.*", "o.*" };
  g_autofree char *modulation = g_strdup_printf ("1,6,%d", wan->dim);
  put (m, block, "modulation", modulation);
  put1 (m, block, "norm3.*", wan->dim);
  for (guint k = 0; k < G_N_ELEMENTS (kinds); k++)
    {
      g_autofree char *attn = g_strconcat (block, kinds[k], NULL);
      for (guint i = 0; i < G_N_ELEMENTS (square); i++)
        put2 (m, attn, square[i], wan->dim, wan->dim);
      put1 (m, attn, "norm_q.weight", wan->dim);
      put1 (m, attn, "norm_k.weight", wan->dim);
    }
  if (wan->has_image)
    {
      put2 (m, block, "cross_attn.k_img.*", wan->dim, wan->dim);
      put2 (m, block, "cross_attn.v_img.*", wan->dim, wan->dim);
      put1 (m, block, "cross_attn.norm_k_img.weight", wan->dim);
    }
  put2 (m, block, "ffn.0.*", wan->mlp_dim, wan->dim);
  put2 (m, block, "ffn.2.*", wan->dim, wan->mlp_dim);
}

void
published_add_wan (PublishedModel *m, const char *prefix, const PublishedWan *wan)
{
  g_autofree char *modulation = g_strdup_printf ("1,2,%d", wan->dim);
  put_conv (m, prefix, "patch_embedding.*", wan->dim, wan->in_channels, "1,2,2");
  put2 (m, prefix, "text_embedding.0.*", wan->dim, T5_DIM);
  put2 (m, prefix, "text_embedding.2.*", wan->dim, wan->dim);
  put2 (m, prefix, "time_embedding.0.*", wan->dim, 256);
  put2 (m, prefix, "time_embedding.2.*", wan->dim, wan->dim);
  put2 (m, prefix, "time_projection.1.*", 6 * wan->dim, wan->dim);
  for (int i = 0; i < wan->n_layers; i++)
    {
      g_autofree char *block = g_strdup_printf ("%sblocks.%d.", prefix, i);
      add_wan_block (m, block, wan);
    }
  put (m, prefix, "head.modulation", modulation);
  put2 (m, prefix, "head.head.*", 4 * wan->out_channels, wan->dim);
  if (!wan->has_image)
    return;
  put1 (m, prefix, "img_emb.proj.0.*", 1280);
  put2 (m, prefix, "img_emb.proj.1.*", 1280, 1280);
  put2 (m, prefix, "img_emb.proj.3.*", wan->dim, 1280);
  put1 (m, prefix, "img_emb.proj.4.*", wan->dim);
}

/* ---- Wan's VAEs ---- */

static void
add_residual (PublishedModel *m, const char *prefix, int in, int out)
{
  g_autofree char *first = g_strdup_printf ("%d,1,1,1", in);
  g_autofree char *second = g_strdup_printf ("%d,1,1,1", out);
  put (m, prefix, "residual.0.gamma", first);
  put_conv (m, prefix, "residual.2.*", out, in, "3,3,3");
  put (m, prefix, "residual.3.gamma", second);
  put_conv (m, prefix, "residual.6.*", out, out, "3,3,3");
  if (in != out)
    put_conv (m, prefix, "shortcut.*", out, in, "1,1,1");
}

/* Stem, middle and head of a half. */
static void
add_ends (PublishedModel *m, const char *half, int in, int first, int middle, int last, int out)
{
  g_autofree char *norm = g_strdup_printf ("%d,1,1", middle);
  g_autofree char *head = g_strdup_printf ("%d,1,1,1", last);
  g_autofree char *above = g_strconcat (half, "middle.0.", NULL);
  g_autofree char *below = g_strconcat (half, "middle.2.", NULL);
  put_conv (m, half, "conv1.*", first, in, "3,3,3");
  add_residual (m, above, middle, middle);
  put (m, half, "middle.1.norm.gamma", norm);
  put_conv (m, half, "middle.1.to_qkv.*", 3 * middle, middle, "1,1");
  put_conv (m, half, "middle.1.proj.*", middle, middle, "1,1");
  add_residual (m, below, middle, middle);
  put (m, half, "head.0.gamma", head);
  put_conv (m, half, "head.2.*", out, last, "3,3,3");
}

/* @time: channels that the convolution in time gives for each that it reads; 0: none */
static void
add_resample (PublishedModel *m, const char *prefix, int in, int out, int time)
{
  put_conv (m, prefix, "resample.1.*", out, in, "3,3");
  if (time)
    put_conv (m, prefix, "time_conv.*", time * in, in, "3,1,1");
}

/* 2.1 numbers what a half holds in one row; 2.2 by level, too. */
static char *
dup_place (
    const char *half, const char *row, gboolean by_level, int level, int in_level, int in_row)
{
  return by_level ? g_strdup_printf ("%s%s.%d.%s.%d.", half, row, level, row, in_level)
                  : g_strdup_printf ("%s%s.%d.", half, row, in_row);
}

static void
add_encoder_rows (PublishedModel *m, gboolean by_level, int dim)
{
  static const int mult[] = { 1, 2, 4, 4 };
  for (int level = 0, in = dim, row = 0; level < 4; level++)
    {
      int out = dim * mult[level];
      for (int i = 0; i < 2; i++, row++, in = out)
        {
          g_autofree char *place = dup_place ("encoder.", "downsamples", by_level, level, i, row);
          add_residual (m, place, in, out);
        }
      if (level == 3)
        continue;
      g_autofree char *place = dup_place ("encoder.", "downsamples", by_level, level, 2, row++);
      add_resample (m, place, out, out, level > 0);
    }
}

static void
add_decoder_rows (PublishedModel *m, gboolean by_level, int dim)
{
  static const int mult[] = { 4, 4, 2, 1 };
  for (int level = 0, in = 4 * dim, row = 0; level < 4; level++)
    {
      int out = dim * mult[level];
      for (int i = 0; i < 3; i++, row++, in = out)
        {
          g_autofree char *place = dup_place ("decoder.", "upsamples", by_level, level, i, row);
          add_residual (m, place, in, out);
        }
      if (level == 3)
        continue;
      g_autofree char *place = dup_place ("decoder.", "upsamples", by_level, level, 3, row++);
      in = by_level ? out : out / 2;
      add_resample (m, place, out, in, level < 2 ? 2 : 0);
    }
}

void
published_add_wan21_vae (PublishedModel *m)
{
  add_ends (m, "encoder.", 3, 96, 384, 384, 32);
  add_encoder_rows (m, FALSE, 96);
  add_ends (m, "decoder.", 16, 384, 384, 96, 3);
  add_decoder_rows (m, FALSE, 96);
  put_conv (m, "", "conv1.*", 32, 32, "1,1,1");
  put_conv (m, "", "conv2.*", 16, 16, "1,1,1");
}

void
published_add_wan22_vae (PublishedModel *m)
{
  add_ends (m, "encoder.", 12, 160, 640, 640, 96);
  add_encoder_rows (m, TRUE, 160);
  add_ends (m, "decoder.", 48, 1024, 1024, 256, 12);
  add_decoder_rows (m, TRUE, 256);
  put_conv (m, "", "conv1.*", 96, 96, "1,1,1");
  put_conv (m, "", "conv2.*", 48, 48, "1,1,1");
}

/* ---- writing ---- */

static gint64
bytes_of (const Tensor *t)
{
  gint64 n = HALF_BYTES;
  for (int d = 0; d < t->rank; d++)
    n *= t->ne[d];
  return n;
}

static GByteArray *
new_safetensors (const PublishedModel *m, gint64 *n_data)
{
  g_autoptr (GString) json = g_string_new ("{");
  GByteArray *out = g_byte_array_new ();
  *n_data = 0;
  for (guint i = 0; i < m->tensors->len; i++)
    {
      const Tensor *t = &g_array_index (m->tensors, Tensor, i);
      g_string_append_printf (json, "%s\"%s\":{\"dtype\":\"F16\",\"shape\":[", i ? "," : "",
                              t->name);
      for (int d = 0; d < t->rank; d++)
        g_string_append_printf (json, "%s%" G_GINT64_FORMAT, d ? "," : "", t->ne[d]);
      g_string_append_printf (json,
                              "],\"data_offsets\":[%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT "]}",
                              *n_data, *n_data + bytes_of (t));
      *n_data += bytes_of (t);
    }
  g_string_append (json, "}");
  guint64 length = GUINT64_TO_LE ((guint64) json->len);
  g_byte_array_append (out, (const guint8 *) &length, sizeof length);
  g_byte_array_append (out, (const guint8 *) json->str, (guint) json->len);
  return out;
}

static void
put_u32 (GByteArray *out, guint32 value)
{
  value = GUINT32_TO_LE (value);
  g_byte_array_append (out, (const guint8 *) &value, sizeof value);
}

static void
put_u64 (GByteArray *out, gint64 value)
{
  guint64 v = GUINT64_TO_LE ((guint64) value);
  g_byte_array_append (out, (const guint8 *) &v, sizeof v);
}

static void
put_text (GByteArray *out, const char *text)
{
  put_u64 (out, (gint64) strlen (text));
  g_byte_array_append (out, (const guint8 *) text, (guint) strlen (text));
}

/* Sides come the fastest first. */
static GByteArray *
new_gguf (const PublishedModel *m, gint64 *n_data)
{
  static const guint8 padding[ALIGNMENT] = { 0 };
  GByteArray *out = g_byte_array_new ();
  *n_data = 0;
  g_byte_array_append (out, (const guint8 *) "GGUF", 4);
  put_u32 (out, GGUF_VERSION);
  put_u64 (out, m->tensors->len);
  put_u64 (out, 1);
  put_text (out, "general.architecture");
  put_u32 (out, GGUF_TEXT);
  put_text (out, "flux");
  for (guint i = 0; i < m->tensors->len; i++)
    {
      const Tensor *t = &g_array_index (m->tensors, Tensor, i);
      put_text (out, t->name);
      put_u32 (out, (guint32) t->rank);
      for (int d = t->rank - 1; d >= 0; d--)
        put_u64 (out, t->ne[d]);
      put_u32 (out, GGUF_F16);
      put_u64 (out, *n_data);
      *n_data += (bytes_of (t) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
  g_byte_array_append (out, padding, (ALIGNMENT - out->len % ALIGNMENT) % ALIGNMENT);
  return out;
}

char *
published_write (const PublishedModel *m,
                 const char *dir,
                 const char *name,
                 PublishedContainer container)
{
  gint64 n_data = 0;
  char *path = g_build_filename (dir, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_autoptr (GByteArray) head =
      container == PUBLISHED_GGUF ? new_gguf (m, &n_data) : new_safetensors (m, &n_data);
  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  FILE *file = g_fopen (path, "wb");
  g_assert_nonnull (file);
  g_assert_cmpuint (fwrite (head->data, 1, head->len, file), ==, head->len);
  g_assert_cmpint (fflush (file), ==, 0);
  g_assert_cmpint (ftruncate (fileno (file), (gint64) head->len + n_data), ==, 0);
  fclose (file);
  return path;
}
