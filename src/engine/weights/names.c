/* SPDX-License-Identifier: MPL-2.0
 * names.c - rules between layouts, as tables; how to read them stands in names-private.h.
 *
 * Source of the correspondences: the LDM and diffusers module trees as their checkpoints name them.
 */
#include "weights/names.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "weights/names-private.h"

/* ---- UNet ---- */

static const NameRule resnet_rules[] = {
  { "in_layers.0.*", "norm1." },
  { "in_layers.2.*", "conv1." },
  { "emb_layers.1.*", "time_emb_proj." },
  { "out_layers.0.*", "norm2." },
  { "out_layers.3.*", "conv2." },
  { "skip_connection.*", "conv_shortcut." },
  { 0 },
};

static const NameRule transformer_rules[] = {
  { "norm.*", "norm." },
  { "proj_in.*", "proj_in." },
  { "proj_out.*", "proj_out." },
  { "transformer_blocks.#.*", "transformer_blocks.{1}." },
  { 0 },
};

static const NameRule input_rules[] = {
  { "input_blocks.#.0.op.*", "down_blocks.{level}.downsamplers.0.conv." },
  { "input_blocks.#.0.*", "down_blocks.{level}.resnets.{block}.", resnet_rules },
  { "input_blocks.#.1.*", "down_blocks.{level}.attentions.{block}.", transformer_rules },
  { 0 },
};

static const NameRule output_rules[] = {
  { "output_blocks.#.0.*", "up_blocks.{level}.resnets.{block}.", resnet_rules },
  { "output_blocks.#.1.conv.*", "up_blocks.{level}.upsamplers.0.conv." },
  { "output_blocks.#.2.conv.*", "up_blocks.{level}.upsamplers.0.conv." },
  { "output_blocks.#.1.*", "up_blocks.{level}.attentions.{block}.", transformer_rules },
  { 0 },
};

static const NameRule unet_ldm_rules[] = {
  { "time_embed.0.*", "time_embedding.linear_1." },
  { "time_embed.2.*", "time_embedding.linear_2." },
  { "label_emb.0.0.*", "add_embedding.linear_1." },
  { "label_emb.0.2.*", "add_embedding.linear_2." },
  { "input_blocks.0.0.*", "conv_in." },
  { "middle_block.0.*", "mid_block.resnets.0.", resnet_rules },
  { "middle_block.1.*", "mid_block.attentions.0.", transformer_rules },
  { "middle_block.2.*", "mid_block.resnets.1.", resnet_rules },
  { "out.0.*", "conv_norm_out." },
  { "out.2.*", "conv_out." },
  { 0 },
};

static const NameRule unet_diffusers_rules[] = {
  { "time_embedding.*", "time_embedding." },
  { "add_embedding.*", "add_embedding." },
  { "class_embedding.*", "class_embedding." },
  { "conv_in.*", "conv_in." },
  { "down_blocks.*", "down_blocks." },
  { "mid_block.*", "mid_block." },
  { "up_blocks.*", "up_blocks." },
  { "conv_norm_out.*", "conv_norm_out." },
  { "conv_out.*", "conv_out." },
  { 0 },
};

/* ---- ControlNet: what it has besides ---- */

static const NameRule control_ldm_rules[] = {
  { "input_hint_block.0.*", "controlnet_cond_embedding.conv_in." },
  { "input_hint_block.2.*", "controlnet_cond_embedding.blocks.0." },
  { "input_hint_block.4.*", "controlnet_cond_embedding.blocks.1." },
  { "input_hint_block.6.*", "controlnet_cond_embedding.blocks.2." },
  { "input_hint_block.8.*", "controlnet_cond_embedding.blocks.3." },
  { "input_hint_block.10.*", "controlnet_cond_embedding.blocks.4." },
  { "input_hint_block.12.*", "controlnet_cond_embedding.blocks.5." },
  { "input_hint_block.14.*", "controlnet_cond_embedding.conv_out." },
  { "zero_convs.#.0.*", "controlnet_down_blocks.{1}." },
  { "middle_block_out.0.*", "controlnet_mid_block." },
  { 0 },
};

static const NameRule control_diffusers_rules[] = {
  { "controlnet_cond_embedding.*", "controlnet_cond_embedding." },
  { "controlnet_down_blocks.*", "controlnet_down_blocks." },
  { "controlnet_mid_block.*", "controlnet_mid_block." },
  { "control_add_embedding.*", "control_add_embedding." },
  { 0 },
};

/* ---- VAE ---- */

static const NameRule vae_resnet_rules[] = {
  { "norm1.*", "norm1." },
  { "conv1.*", "conv1." },
  { "norm2.*", "norm2." },
  { "conv2.*", "conv2." },
  { "nin_shortcut.*", "conv_shortcut." },
  { 0 },
};

/* LDM: 1x1 convolutions. */
static const NameRule vae_attention_rules[] = {
  { "norm.*", "group_norm." },
  { "q.*", "to_q.", NULL, NAME_SQUEEZE },
  { "k.*", "to_k.", NULL, NAME_SQUEEZE },
  { "v.*", "to_v.", NULL, NAME_SQUEEZE },
  { "proj_out.*", "to_out.0.", NULL, NAME_SQUEEZE },
  { 0 },
};

/* diffusers, before and after attention got its own module. */
static const NameRule vae_new_attention_rules[] = {
  { "query.*", "to_q.", NULL, NAME_SQUEEZE },
  { "key.*", "to_k.", NULL, NAME_SQUEEZE },
  { "value.*", "to_v.", NULL, NAME_SQUEEZE },
  { "proj_attn.*", "to_out.0.", NULL, NAME_SQUEEZE },
  { "*", "", NULL, NAME_SQUEEZE },
  { 0 },
};

static const NameRule vae_middle_rules[] = {
  { "block_1.*", "resnets.0.", vae_resnet_rules },
  { "block_2.*", "resnets.1.", vae_resnet_rules },
  { "attn_1.*", "attentions.0.", vae_attention_rules },
  { 0 },
};

static const NameRule vae_end_rules[] = {
  { "conv_in.*", "conv_in." },
  { "conv_out.*", "conv_out." },
  { "norm_out.*", "conv_norm_out." },
  { "mid.*", "mid_block.", vae_middle_rules },
  { 0 },
};

static const NameRule vae_ldm_rules[] = {
  { "encoder.down.#.block.#.*", "encoder.down_blocks.{1}.resnets.{2}.", vae_resnet_rules },
  { "encoder.down.#.downsample.conv.*", "encoder.down_blocks.{1}.downsamplers.0.conv." },
  { "decoder.up.#.block.#.*", "decoder.up_blocks.{reversed}.resnets.{2}.", vae_resnet_rules },
  { "decoder.up.#.upsample.conv.*", "decoder.up_blocks.{reversed}.upsamplers.0.conv." },
  { "encoder.*", "encoder.", vae_end_rules },
  { "decoder.*", "decoder.", vae_end_rules },
  { "quant_conv.*", "quant_conv." },
  { "post_quant_conv.*", "post_quant_conv." },
  { 0 },
};

static const NameRule vae_diffusers_rules[] = {
  { "encoder.mid_block.attentions.0.*", "encoder.mid_block.attentions.0.",
    vae_new_attention_rules },
  { "decoder.mid_block.attentions.0.*", "decoder.mid_block.attentions.0.",
    vae_new_attention_rules },
  { "encoder.*", "encoder." },
  { "decoder.*", "decoder." },
  { "quant_conv.*", "quant_conv." },
  { "post_quant_conv.*", "post_quant_conv." },
  { 0 },
};

/* ---- text encoders ---- */

static const NameRule clip_hf_rules[] = {
  { "text_model.*", "text_model." },
  { "embeddings.*", "text_model.embeddings." }, /* the first SD 1 files leave "text_model." out */
  { "encoder.layers.*", "text_model.encoder.layers." },
  { "final_layer_norm.*", "text_model.final_layer_norm." },
  { "text_projection.weight", "text_projection.weight" },
  { "text_projection", "text_projection.weight", NULL, NAME_TRANSPOSE },
  { 0 },
};

static const NameRule openclip_layer_rules[] = {
  { "ln_1.*", "layer_norm1." },
  { "ln_2.*", "layer_norm2." },
  { "attn.in_proj_weight", "self_attn.{q_proj|k_proj|v_proj}.weight", NULL, NAME_SPLIT },
  { "attn.in_proj_bias", "self_attn.{q_proj|k_proj|v_proj}.bias", NULL, NAME_SPLIT },
  { "attn.out_proj.*", "self_attn.out_proj." },
  { "mlp.c_fc.*", "mlp.fc1." },
  { "mlp.c_proj.*", "mlp.fc2." },
  { 0 },
};

static const NameRule clip_openclip_rules[] = {
  { "positional_embedding", "text_model.embeddings.position_embedding.weight" },
  { "token_embedding.*", "text_model.embeddings.token_embedding." },
  { "transformer.resblocks.#.*", "text_model.encoder.layers.{1}.", openclip_layer_rules },
  { "ln_final.*", "text_model.final_layer_norm." },
  { "text_projection.weight", "text_projection.weight" },
  { "text_projection", "text_projection.weight", NULL, NAME_TRANSPOSE },
  { 0 },
};

/* ---- TAESD: the decoder's first module is a clamp without weights, which diffusers leaves out
 * ---- */

static const NameRule tiny_flat_decoder_rules[] = {
  { "#.*", "decoder.layers.{-1}." },
  { 0 },
};

static const NameRule tiny_flat_encoder_rules[] = {
  { "#.*", "encoder.layers.{1}." },
  { 0 },
};

static const NameRule tiny_numbered_rules[] = {
  { "taesd_decoder.#.*", "decoder.layers.{-1}." },
  { "taesd_encoder.#.*", "encoder.layers.{1}." },
  { "decoder.#.*", "decoder.layers.{-1}." },
  { "encoder.#.*", "encoder.layers.{1}." },
  { 0 },
};

static const NameRule tiny_diffusers_rules[] = {
  { "decoder.layers.#.*", "decoder.layers.{1}." },
  { "encoder.layers.#.*", "encoder.layers.{1}." },
  { 0 },
};

/* ---- matching ---- */

typedef struct
{
  int numbers[2], n_numbers;
  const char *rest;
} Captures;

/* Digits without a superfluous zero.  Returns: behind them, NULL when there are none */
static const char *
read_number (const char *text, int *out)
{
  const char *p = text;
  int v = 0;
  for (; *p >= '0' && *p <= '9'; p++)
    {
      if (v > (INT_MAX - 9) / 10)
        return NULL;
      v = v * 10 + (*p - '0');
    }
  *out = v;
  return p == text || (*text == '0' && p - text > 1) ? NULL : p;
}

static bool
match_pattern (const char *pattern, const char *text, Captures *c)
{
  *c = (Captures){ 0 };
  for (; *pattern && *pattern != '*'; pattern++)
    if (*pattern == '#')
      {
        if (c->n_numbers == 2 || !(text = read_number (text, &c->numbers[c->n_numbers])))
          return false;
        c->n_numbers++;
      }
    else if (*pattern != *text++)
      return false;
  c->rest = text;
  return *pattern == '*' ? *text != 0 : *text == 0;
}

typedef struct
{
  char *text;
  size_t n;
} Output;

static bool
put_text (Output *out, const char *text, size_t n)
{
  if (out->n + n >= NAME_SIZE)
    return false;
  memcpy (out->text + out->n, text, n);
  out->n += n;
  out->text[out->n] = 0;
  return true;
}

static bool
put_number (Output *out, int number)
{
  char digits[16];
  int n = snprintf (digits, sizeof digits, "%d", number);
  return number >= 0 && put_text (out, digits, (size_t) n);
}

static int
placeholder_value (const char *word, size_t n, const Captures *c, const BlockRow *row, int n_levels)
{
  int first = c->numbers[0];
  bool in_row = row && first < BLOCKS_MAX;
  if (n == 1 && *word == '1')
    return first;
  if (n == 1 && *word == '2')
    return c->numbers[1];
  if (n == 2 && strncmp (word, "-1", n) == 0)
    return first - 1;
  if (n == 5 && strncmp (word, "level", n) == 0)
    return in_row ? row->level[first] : -1;
  if (n == 5 && strncmp (word, "block", n) == 0)
    return in_row ? row->block[first] : -1;
  return n_levels - 1 - first; /* reversed */
}

static bool
put_replacement (Output *out, const char *to, const Captures *c, const BlockRow *row, int n_levels)
{
  while (*to)
    {
      const char *end = *to == '{' ? strchr (to, '}') : NULL;
      bool is_name = end && memchr (to, '|', (size_t) (end - to)); /* for whoever splits */
      bool ok = !end || is_name
                    ? put_text (out, to, 1)
                    : put_number (out, placeholder_value (to + 1, (size_t) (end - to - 1), c, row,
                                                          n_levels));
      if (!ok)
        return false;
      to = !end || is_name ? to + 1 : end + 1; /* a list of names has no brace within */
    }
  return true;
}

static bool
apply_rules (
    const NameRule *rules, const char *key, const BlockRow *row, int n_levels, NameMatch *match)
{
  for (const NameRule *rule = rules; rule && rule->from; rule++)
    {
      Captures c;
      if (!match_pattern (rule->from, key, &c))
        continue;
      Output out = { match->name, strlen (match->name) };
      match->action = rule->action;
      if (!put_replacement (&out, rule->to, &c, row, n_levels))
        return false;
      return rule->inner ? apply_rules (rule->inner, c.rest, NULL, 0, match)
                         : put_text (&out, c.rest, strlen (c.rest));
    }
  return false;
}

static const NameRule *const schemes[] = {
  [NAMES_UNET_LDM] = unet_ldm_rules,
  [NAMES_UNET_DIFFUSERS] = unet_diffusers_rules,
  [NAMES_VAE_LDM] = vae_ldm_rules,
  [NAMES_VAE_DIFFUSERS] = vae_diffusers_rules,
  [NAMES_WAN_VAE] = names_wan_vae,
  [NAMES_WAN_VAE_DIFFUSERS] = names_wan_vae_diffusers,
  [NAMES_CLIP_HF] = clip_hf_rules,
  [NAMES_CLIP_OPENCLIP] = clip_openclip_rules,
  [NAMES_TINY_FLAT_DECODER] = tiny_flat_decoder_rules,
  [NAMES_TINY_FLAT_ENCODER] = tiny_flat_encoder_rules,
  [NAMES_TINY_NUMBERED] = tiny_numbered_rules,
  [NAMES_TINY_DIFFUSERS] = tiny_diffusers_rules,
  [NAMES_FLUX_BFL] = names_flux_bfl,
  [NAMES_FLUX_DIFFUSERS] = names_flux_diffusers,
  [NAMES_WAN] = names_wan,
  [NAMES_WAN_DIFFUSERS] = names_wan_diffusers,
  [NAMES_VISION_HF] = names_vision_hf,
  [NAMES_VISION_OPENCLIP] = names_vision_openclip,
  [NAMES_VISION_WAN] = names_vision_wan,
  [NAMES_T5_HF] = names_t5_hf,
  [NAMES_T5_WAN] = names_t5_wan,
  [NAMES_T5_GGUF] = names_t5_gguf,
  [NAMES_CONTROL_LDM] = control_ldm_rules,
  [NAMES_CONTROL_DIFFUSERS] = control_diffusers_rules,
};

/* The rest is named as in a U-Net. */
static NameScheme
inner_scheme (NameScheme scheme)
{
  return scheme == NAMES_CONTROL_LDM         ? NAMES_UNET_LDM
         : scheme == NAMES_CONTROL_DIFFUSERS ? NAMES_UNET_DIFFUSERS
                                             : scheme;
}

bool
names_map (NameScheme scheme, const BlockMap *map, const char *key, NameMatch *match)
{
  *match = (NameMatch){ 0 };
  if (apply_rules (schemes[scheme], key, scheme == NAMES_WAN_VAE ? &map->out : NULL,
                   map->n_vae_levels, match))
    return true;
  if (inner_scheme (scheme) != scheme)
    return names_map (inner_scheme (scheme), map, key, match);
  if (scheme != NAMES_UNET_LDM)
    return false;
  *match = (NameMatch){ 0 };
  if (apply_rules (input_rules, key, &map->in, 0, match))
    return true;
  *match = (NameMatch){ 0 };
  return apply_rules (output_rules, key, &map->out, 0, match);
}

/* ---- numbered blocks ---- */

/* A level ends with the block that changes the resolution. */
static void
place_blocks (BlockRow *row, int first, const bool *exists, const bool *ends_level)
{
  int level = 0, block = 0;
  for (int n = first; n < BLOCKS_MAX && exists[n]; n++)
    {
      row->level[n] = level;
      row->block[n] = block++;
      if (ends_level[n])
        {
          level++;
          block = 0;
        }
    }
}

typedef struct
{
  bool in[BLOCKS_MAX], in_ends[BLOCKS_MAX], out[BLOCKS_MAX], out_ends[BLOCKS_MAX];
} BlockScan;

static void
scan_key (BlockScan *scan, BlockMap *map, const char *key)
{
  Captures c;
  int n;
  if (match_pattern ("input_blocks.#.*", key, &c) && (n = c.numbers[0]) < BLOCKS_MAX)
    {
      scan->in[n] = true;
      scan->in_ends[n] |= strncmp (c.rest, "0.op.", 5) == 0;
    }
  else if (match_pattern ("output_blocks.#.*", key, &c) && (n = c.numbers[0]) < BLOCKS_MAX)
    {
      scan->out[n] = true;
      scan->out_ends[n] |=
          strncmp (c.rest, "1.conv.", 7) == 0 || strncmp (c.rest, "2.conv.", 7) == 0;
    }
  else if (match_pattern ("decoder.upsamples.#.*", key, &c) && (n = c.numbers[0]) < BLOCKS_MAX)
    {
      scan->out[n] = true;
      scan->out_ends[n] |= strncmp (c.rest, "resample.", strlen ("resample.")) == 0;
    }
  else if (match_pattern ("decoder.up.#.*", key, &c) && c.numbers[0] < BLOCKS_MAX &&
           c.numbers[0] >= map->n_vae_levels)
    map->n_vae_levels = c.numbers[0] + 1;
}

/* A vector tells most surely: in some formats a matrix's shape is another. */
static int64_t
token_width (const TensorTable *table, const char *prefix)
{
  static const char *const keys[] = { "img_in.bias", "img_in.weight", "patch_embedding.bias" };
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    {
      const FileTensor *t = table_find_under (table, prefix, keys[i]);
      if (t && t->rank > 0)
        return t->ne[0];
    }
  return 0;
}

void
names_block_map (BlockMap *map, const TensorTable *table, const char *prefix)
{
  BlockScan scan = { 0 };
  size_t n_prefix = strlen (prefix);
  *map = (BlockMap){ 0 };
  for (int n = 0; n < BLOCKS_MAX; n++)
    map->in.level[n] = map->in.block[n] = map->out.level[n] = map->out.block[n] = -1;
  for (size_t i = 0; i < table->n_items; i++)
    if (strncmp (table->items[i].name, prefix, n_prefix) == 0)
      scan_key (&scan, map, table->items[i].name + n_prefix);
  map->width = token_width (table, prefix);
  place_blocks (&map->in, 1, scan.in, scan.in_ends);
  place_blocks (&map->out, 0, scan.out, scan.out_ends);
}

/* ---- tensors that no model asks for ---- */

static const char *const ignorable[] = {
  "alphas_cumprod*",
  "betas",
  "log_one_minus_alphas_cumprod*",
  "posterior_*",
  "sqrt_*",
  "model_ema.*",
  "denoiser.sigmas",
  "loss.*",
  "logvar",
  "first_stage_model.loss.*",
  "first_stage_model.model_ema.*",
  "v_pred",
  "ztsnr",
  "vae_scale",
  "vae_shift",
  "textual.*", /* the words' half of the CLIP that Wan 2.1 looks at pictures with */
  "log_scale",
};

static const char *const ignorable_tails[] = { "position_ids", "logit_scale", "logit_bias",
                                               "spiece_model" };

bool
names_ignorable (const char *name)
{
  for (size_t i = 0; i < sizeof ignorable / sizeof *ignorable; i++)
    {
      size_t n = strlen (ignorable[i]);
      bool is_prefix = ignorable[i][n - 1] == '*';
      if (is_prefix ? strncmp (name, ignorable[i], n - 1) == 0 : strcmp (name, ignorable[i]) == 0)
        return true;
    }
  for (size_t i = 0; i < sizeof ignorable_tails / sizeof *ignorable_tails; i++)
    {
      size_t n = strlen (name), tail = strlen (ignorable_tails[i]);
      if (n >= tail && strcmp (name + n - tail, ignorable_tails[i]) == 0 &&
          (n == tail || name[n - tail - 1] == '.'))
        return true;
    }
  return false;
}
