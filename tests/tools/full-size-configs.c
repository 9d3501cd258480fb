/* SPDX-License-Identifier: MPL-2.0
 * full-size-configs.c - the small files of a diffusers folder.
 */
#include <string.h>

#include "tools/full-size.h"

static void
write_ints (FILE *out, const char *key, int n, const int *values)
{
  fprintf (out, "  \"%s\": [", key);
  for (int i = 0; i < n; i++)
    fprintf (out, "%s%d", i ? ", " : "", values[i]);
  fprintf (out, "],\n");
}

static void
write_block_types (FILE *out, const char *key, int n, const int *depths, const char *way)
{
  fprintf (out, "  \"%s\": [", key);
  for (int i = 0; i < n; i++)
    fprintf (out, "%s\"%s%sBlock2D\"", i ? ", " : "", depths[i] ? "CrossAttn" : "", way);
  fprintf (out, "],\n");
}

static void
write_index (const FullSize *m, FILE *out)
{
  fprintf (out,
           "{\n  \"_class_name\": \"StableDiffusion%sPipeline\",\n"
           "  \"scheduler\": [\"diffusers\", \"EulerDiscreteScheduler\"],\n"
           "  \"text_encoder\": [\"transformers\", \"CLIPTextModel\"],\n"
           "  \"tokenizer\": [\"transformers\", \"CLIPTokenizer\"],\n",
           m->is_xl ? "XL" : "");
  if (m->is_xl)
    fprintf (out, "  \"text_encoder_2\": [\"transformers\", \"CLIPTextModelWithProjection\"],\n"
                  "  \"tokenizer_2\": [\"transformers\", \"CLIPTokenizer\"],\n"
                  "  \"force_zeros_for_empty_prompt\": false,\n");
  else /* or a loader asks for a file that is not there */
    fprintf (out, "  \"safety_checker\": [null, null],\n"
                  "  \"feature_extractor\": [null, null],\n");
  fprintf (out, "  \"unet\": [\"diffusers\", \"UNet2DConditionModel\"],\n"
                "  \"vae\": [\"diffusers\", \"AutoencoderKL\"]\n}\n");
}

static void
write_scheduler (const FullSize *m, FILE *out)
{
  fprintf (out, "{\n  \"_class_name\": \"EulerDiscreteScheduler\",\n"
                "  \"num_train_timesteps\": 1000,\n  \"beta_start\": 0.00085,\n"
                "  \"beta_end\": 0.012,\n  \"beta_schedule\": \"scaled_linear\",\n"
                "  \"prediction_type\": \"epsilon\",\n  \"timestep_spacing\": \"leading\",\n"
                "  \"steps_offset\": 1,\n  \"set_alpha_to_one\": false\n}\n");
}

static void
write_unet (const FullSize *m, FILE *out)
{
  const UnetConfig *c = &m->unet;
  fprintf (out,
           "{\n  \"_class_name\": \"UNet2DConditionModel\",\n  \"sample_size\": %d,\n"
           "  \"in_channels\": %d,\n  \"out_channels\": %d,\n  \"layers_per_block\": %d,\n"
           "  \"norm_num_groups\": %d,\n",
           m->is_xl ? 128 : 64, c->in_channels, c->out_channels, c->res_blocks[0], c->norm_groups);
  write_ints (out, "block_out_channels", c->n_levels, c->channels);
  write_block_types (out, "down_block_types", c->n_levels, c->depth_down, "Down");
  write_block_types (out, "up_block_types", c->n_levels, c->depth_up, "Up");
  write_ints (out, "attention_head_dim", c->n_levels, c->heads); /* means the number of heads */
  if (c->adm_dim)
    {
      int depth[MAX_LEVELS];
      for (int i = 0; i < c->n_levels; i++)
        depth[i] = c->depth_down[i] ? c->depth_down[i] : 1; /* ignored without attention */
      write_ints (out, "transformer_layers_per_block", c->n_levels, depth);
      fprintf (out,
               "  \"addition_embed_type\": \"text_time\",\n  \"addition_time_embed_dim\": %d,\n"
               "  \"projection_class_embeddings_input_dim\": %d,\n",
               c->adm_time_dim, c->adm_dim);
    }
  fprintf (out, "  \"use_linear_projection\": %s,\n  \"cross_attention_dim\": %d\n}\n",
           c->linear_projection ? "true" : "false", c->context_dim);
}

static void
write_vae (const FullSize *m, FILE *out)
{
  const VaeConfig *c = &m->vae;
  fprintf (out,
           "{\n  \"_class_name\": \"AutoencoderKL\",\n  \"sample_size\": %d,\n"
           "  \"in_channels\": %d,\n  \"out_channels\": %d,\n  \"latent_channels\": %d,\n"
           "  \"layers_per_block\": %d,\n  \"norm_num_groups\": %d,\n  \"scaling_factor\": %g,\n",
           m->is_xl ? 1024 : 512, c->in_channels, c->in_channels, c->latent_channels, c->res_blocks,
           c->norm_groups, (double) c->scaling_factor);
  for (int down = 1; down >= 0; down--)
    {
      const char *type = down ? "DownEncoderBlock2D" : "UpDecoderBlock2D";
      fprintf (out, "  \"%s_block_types\": [", down ? "down" : "up");
      for (int i = 0; i < c->n_levels; i++)
        fprintf (out, "%s\"%s\"", i ? ", " : "", type);
      fprintf (out, "],\n");
    }
  write_ints (out, "block_out_channels", c->n_levels, c->channels);
  fprintf (out, "  \"act_fn\": \"silu\"\n}\n");
}

static void
write_clip (const ClipConfig *c, FILE *out)
{
  fprintf (
      out,
      "{\n  \"architectures\": [\"CLIPTextModel%s\"],\n  \"model_type\": \"clip_text_model\",\n"
      "  \"vocab_size\": %d,\n  \"hidden_size\": %d,\n  \"intermediate_size\": %d,\n"
      "  \"num_hidden_layers\": %d,\n  \"num_attention_heads\": %d,\n"
      "  \"max_position_embeddings\": %d,\n  \"hidden_act\": \"%s\",\n"
      "  \"projection_dim\": %d\n}\n",
      c->projection_dim ? "WithProjection" : "", c->vocab, c->dim, c->mlp_dim, c->n_layers,
      c->n_heads, c->n_positions, c->activation == CLIP_GELU ? "gelu" : "quick_gelu",
      c->projection_dim ? c->projection_dim : c->dim);
}

static void
write_clip_0 (const FullSize *m, FILE *out)
{
  write_clip (&m->clip[0], out);
}

static void
write_clip_1 (const FullSize *m, FILE *out)
{
  write_clip (&m->clip[1], out);
}

static void
write_tokenizer (const char *pad, FILE *out)
{
  fprintf (out,
           "{\n  \"tokenizer_class\": \"CLIPTokenizer\",\n  \"model_max_length\": 77,\n"
           "  \"bos_token\": \"<|startoftext|>\",\n  \"eos_token\": \"<|endoftext|>\",\n"
           "  \"unk_token\": \"<|endoftext|>\",\n  \"pad_token\": \"%s\"\n}\n",
           pad);
}

static void
write_tokenizer_0 (const FullSize *m, FILE *out)
{
  write_tokenizer ("<|endoftext|>", out);
}

static void
write_tokenizer_1 (const FullSize *m, FILE *out)
{
  write_tokenizer ("!", out);
}

const ConfigFile full_size_configs[] = {
  { "model_index.json", write_index, false },
  { "scheduler/scheduler_config.json", write_scheduler, false },
  { "unet/config.json", write_unet, false },
  { "vae/config.json", write_vae, false },
  { "text_encoder/config.json", write_clip_0, false },
  { "text_encoder_2/config.json", write_clip_1, true },
  { "tokenizer/tokenizer_config.json", write_tokenizer_0, false },
  { "tokenizer_2/tokenizer_config.json", write_tokenizer_1, true },
  { 0 },
};

/* ---- vocab.json ---- */

static bool
is_plain_byte (int byte)
{
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/* A code point below U+0800 as JSON text. */
static void
write_char (FILE *out, int code)
{
  if (code == '"' || code == '\\')
    fprintf (out, "\\%c", code);
  else if (code < 0x80)
    fputc (code, out);
  else
    fprintf (out, "%c%c", 0xc0 | code >> 6, 0x80 | (code & 0x3f));
}

/* GPT-2's letters for bytes: printable ones stand for themselves and come first. */
static int
write_bytes (FILE *out, int id, const char *end)
{
  for (int plain = 1; plain >= 0; plain--)
    for (int byte = 0, n_other = 0; byte < 256; byte++)
      {
        int code = is_plain_byte (byte) ? byte : 256 + n_other++;
        if (is_plain_byte (byte) != (bool) plain)
          continue;
        fprintf (out, "%s\"", id ? ", " : "{");
        write_char (out, code);
        fprintf (out, "%s\": %d", end, id++);
      }
  return id;
}

bool
full_size_write_vocab (FILE *merges, FILE *out)
{
  char line[512];
  int id = write_bytes (out, write_bytes (out, 0, ""), "</w>");
  while (fgets (line, sizeof line, merges))
    {
      if (!strncmp (line, "#version", strlen ("#version")) || *line == '\n')
        continue;
      fprintf (out, ", \"");
      for (const char *p = line; *p && *p != '\n'; p++)
        if (*p == '"' || *p == '\\')
          fprintf (out, "\\%c", *p);
        else if (*p != ' ')
          fputc (*p, out);
      fprintf (out, "\": %d", id++);
    }
  fprintf (out, ", \"<|startoftext|>\": %d, \"<|endoftext|>\": %d}\n", id, id + 1);
  return !ferror (merges) && !ferror (out);
}
