/* SPDX-License-Identifier: MPL-2.0
 * full-size-names.c - canonical names as LDM, OpenCLIP and diffusers files spell them: the way back
 * of weights/names.c, written apart from it, so that the one checks the other.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/full-size.h"

typedef struct
{
  const char *from, *to;
} Renaming;

/* Behind a block's number; the first that begins the rest counts. */
static const Renaming resnet_names[] = {
  { "norm1.", "in_layers.0." },
  { "conv1.", "in_layers.2." },
  { "time_emb_proj.", "emb_layers.1." },
  { "norm2.", "out_layers.0." },
  { "conv2.", "out_layers.3." },
  { "conv_shortcut.", "skip_connection." },
  { 0 },
};

static const Renaming unet_names[] = {
  { "time_embedding.linear_1.", "time_embed.0." },
  { "time_embedding.linear_2.", "time_embed.2." },
  { "add_embedding.linear_1.", "label_emb.0.0." },
  { "add_embedding.linear_2.", "label_emb.0.2." },
  { "conv_in.", "input_blocks.0.0." },
  { "conv_norm_out.", "out.0." },
  { "conv_out.", "out.2." },
  { 0 },
};

static const Renaming vae_names[] = {
  { "mid_block.resnets.0.", "mid.block_1." },
  { "mid_block.resnets.1.", "mid.block_2." },
  { "mid_block.attentions.0.group_norm.", "mid.attn_1.norm." },
  { "mid_block.attentions.0.to_q.", "mid.attn_1.q." },
  { "mid_block.attentions.0.to_k.", "mid.attn_1.k." },
  { "mid_block.attentions.0.to_v.", "mid.attn_1.v." },
  { "mid_block.attentions.0.to_out.0.", "mid.attn_1.proj_out." },
  { "conv_norm_out.", "norm_out." },
  { 0 },
};

static const Renaming vae_resnet_names[] = {
  { "conv_shortcut.", "nin_shortcut." },
  { 0 },
};

static const Renaming openclip_names[] = {
  { "layer_norm1.", "ln_1." },
  { "layer_norm2.", "ln_2." },
  { "self_attn.out_proj.", "attn.out_proj." },
  { "mlp.fc1.", "mlp.c_fc." },
  { "mlp.fc2.", "mlp.c_proj." },
  { 0 },
};

/* Behind @prefix in @text; NULL when it does not begin so. */
static const char *
skip (const char *text, const char *prefix)
{
  size_t n = strlen (prefix);
  return strncmp (text, prefix, n) == 0 ? text + n : NULL;
}

/* Reads "PREFIX<number>."  Returns: behind it, or NULL */
static const char *
skip_number (const char *text, const char *prefix, int *number)
{
  char *end = NULL;
  const char *digits = skip (text, prefix);
  if (!digits)
    return NULL;
  *number = (int) strtol (digits, &end, 10);
  return end > digits && *end == '.' ? end + 1 : NULL;
}

/* Appends @rest to @out under its other name. */
static void
append (char *out, const Renaming *names, const char *rest)
{
  size_t n = strlen (out);
  for (; names && names->from; names++)
    {
      const char *tail = skip (rest, names->from);
      if (tail)
        {
          snprintf (out + n, FILE_NAME_SIZE - n, "%s%s", names->to, tail);
          return;
        }
    }
  snprintf (out + n, FILE_NAME_SIZE - n, "%s", rest);
}

/* LDM numbers all blocks of a way in one row. */
static void
name_unet_block (
    const UnetConfig *c, char out[FILE_NAME_SIZE], bool down, int level, const char *rest)
{
  int per_level = c->res_blocks[0] + 1, index = 0;
  int depth = down ? c->depth_down[level] : c->depth_up[level];
  const char *tail;
  const char *way = down ? "input_blocks" : "output_blocks";
  int first = level * per_level + (down ? 1 : 0);
  if ((tail = skip_number (rest, "resnets.", &index)))
    snprintf (out, FILE_NAME_SIZE, "model.diffusion_model.%s.%d.0.", way, first + index);
  else if ((tail = skip_number (rest, "attentions.", &index)))
    snprintf (out, FILE_NAME_SIZE, "model.diffusion_model.%s.%d.1.", way, first + index);
  else if ((tail = skip (rest, "downsamplers.0.conv.")))
    snprintf (out, FILE_NAME_SIZE, "model.diffusion_model.%s.%d.0.op.", way,
              first + c->res_blocks[0]);
  else if ((tail = skip (rest, "upsamplers.0.conv.")))
    snprintf (out, FILE_NAME_SIZE, "model.diffusion_model.%s.%d.%d.conv.", way,
              first + c->res_blocks[0], depth ? 2 : 1);
  append (out, skip (rest, "resnets.") ? resnet_names : NULL, tail ? tail : rest);
}

static void
name_unet (const FullSize *m, char out[FILE_NAME_SIZE], const char *name)
{
  int level = 0;
  const char *rest;
  if ((rest = skip_number (name, "down_blocks.", &level)))
    name_unet_block (&m->unet, out, true, level, rest);
  else if ((rest = skip_number (name, "up_blocks.", &level)))
    name_unet_block (&m->unet, out, false, level, rest);
  else if ((rest = skip_number (name, "mid_block.resnets.", &level)))
    {
      snprintf (out, FILE_NAME_SIZE, "model.diffusion_model.middle_block.%d.", 2 * level);
      append (out, resnet_names, rest);
    }
  else if ((rest = skip (name, "mid_block.attentions.0.")))
    snprintf (out, FILE_NAME_SIZE, "model.diffusion_model.middle_block.1.%s", rest);
  else
    {
      snprintf (out, FILE_NAME_SIZE, "model.diffusion_model.");
      append (out, unet_names, name);
    }
}

static void
name_vae (const FullSize *m, char out[FILE_NAME_SIZE], const char *name)
{
  int level = 0, block = 0;
  const char *half = skip (name, "encoder.") ? "encoder" : "decoder";
  const char *rest = skip (name, "encoder."), *at;
  if (!rest)
    rest = skip (name, "decoder.");
  if (!rest)
    snprintf (out, FILE_NAME_SIZE, "first_stage_model.%s", name);
  else if ((at = skip_number (rest, "down_blocks.", &level)) ||
           (at = skip_number (rest, "up_blocks.", &level)))
    {
      bool down = *half == 'e';
      int number = down ? level : m->vae.n_levels - 1 - level;
      const char *tail = skip_number (at, "resnets.", &block);
      int n = snprintf (out, FILE_NAME_SIZE, "first_stage_model.%s.%s.%d.", half,
                        down ? "down" : "up", number);
      if (tail)
        {
          snprintf (out + n, (size_t) (FILE_NAME_SIZE - n), "block.%d.", block);
          append (out, vae_resnet_names, tail);
        }
      else
        snprintf (out + n, (size_t) (FILE_NAME_SIZE - n), "%s.conv.%s",
                  down ? "downsample" : "upsample", strstr (at, ".conv.") + strlen (".conv."));
    }
  else
    {
      snprintf (out, FILE_NAME_SIZE, "first_stage_model.%s.", half);
      append (out, vae_names, rest);
    }
}

/* Keys and values of a layer follow its queries in the set, but not next to it (biases). */
static void
fuse (const WeightSet *set, const Weight *q, StoredTensor *out)
{
  const char *at = strstr (q->name, "q_proj.");
  for (int i = 0; i < FUSED_MAX; i++)
    {
      char name[FILE_NAME_SIZE];
      snprintf (name, sizeof name, "%.*s%c_proj.%s", (int) (at - q->name), q->name, "qkv"[i],
                at + strlen ("q_proj."));
      out->source[i] = weights_find (set, name);
    }
  out->n_sources = FUSED_MAX;
  out->ne[0] *= FUSED_MAX;
}

/* Returns: false for keys and values */
static bool
name_openclip (const WeightSet *set, const Weight *w, const char *name, StoredTensor *out)
{
  static const char prefix[] = "conditioner.embedders.1.model.";
  int layer = 0;
  const char *rest = skip_number (name, "text_model.encoder.layers.", &layer);
  if (rest && (skip (rest, "self_attn.k_proj.") || skip (rest, "self_attn.v_proj.")))
    return false;
  if (rest && skip (rest, "self_attn.q_proj."))
    {
      bool is_bias = strstr (rest, ".bias") != NULL;
      snprintf (out->name, FILE_NAME_SIZE, "%stransformer.resblocks.%d.attn.in_proj_%s", prefix,
                layer, is_bias ? "bias" : "weight");
      fuse (set, w, out);
    }
  else if (rest)
    {
      snprintf (out->name, FILE_NAME_SIZE, "%stransformer.resblocks.%d.", prefix, layer);
      append (out->name, openclip_names, rest);
    }
  else
    {
      static const Renaming names[] = {
        { "text_model.embeddings.position_embedding.weight", "positional_embedding" },
        { "text_model.embeddings.token_embedding.", "token_embedding." },
        { "text_model.final_layer_norm.", "ln_final." },
        { "text_projection.weight", "text_projection" },
        { 0 },
      };
      snprintf (out->name, FILE_NAME_SIZE, "%s", prefix);
      append (out->name, names, name);
      out->transpose = skip (name, "text_projection.") != NULL;
    }
  return true;
}

static bool
ends_with (const char *text, const char *end)
{
  size_t n = strlen (text), m = strlen (end);
  return n >= m && strcmp (text + n - m, end) == 0;
}

/* 1x1 convolutions that the models take for linear layers keep their four dimensions in files. */
static void
add_ones (StoredTensor *t)
{
  for (; t->rank < 4; t->rank++)
    t->ne[t->rank] = 1;
}

static void
begin (const FullSize *m, const Weight *w, StoredTensor *out)
{
  *out = (StoredTensor){ .rank = w->rank, .source = { w }, .n_sources = 1 };
  memcpy (out->ne, w->ne, (size_t) w->rank * sizeof *w->ne);
  bool projection =
      ends_with (w->name, ".proj_in.weight") || ends_with (w->name, ".proj_out.weight");
  if ((projection && !m->unet.linear_projection) || ends_with (w->name, "quant_conv.weight"))
    add_ones (out);
}

bool
ldm_tensor (const FullSize *model, const WeightSet *set, const Weight *w, StoredTensor *out)
{
  const char *name;
  begin (model, w, out);
  if ((name = skip (w->name, "unet.")))
    name_unet (model, out->name, name);
  else if ((name = skip (w->name, "vae.")))
    {
      name_vae (model, out->name, name);
      if (strstr (name, ".attentions.") && w->rank == 2)
        add_ones (out);
    }
  else if ((name = skip (w->name, "text_encoder.")))
    snprintf (out->name, FILE_NAME_SIZE, "%s%s",
              model->is_xl ? "conditioner.embedders.0.transformer."
                           : "cond_stage_model.transformer.",
              name);
  else if ((name = skip (w->name, "text_encoder_2.")))
    return name_openclip (set, w, name, out);
  return true;
}

void
diffusers_tensor (const FullSize *model, const Weight *w, StoredTensor *out)
{
  begin (model, w, out);
  snprintf (out->name, FILE_NAME_SIZE, "%s", strchr (w->name, '.') + 1);
}
