/* SPDX-License-Identifier: MPL-2.0
 * recognise.c - channels, depths, widths and family, read from canonical weights.
 */
#include "weights/recognise-private.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum
{
  HEAD_WIDTH = 64, /* of the CLIPs */
  FLUX_LATENT_CHANNELS = 16,
  NORM_GROUPS = 32,
  CLIP_VOCAB = 49408
};

const Weight *
find_weight (const WeightSet *set, const char *format, ...)
{
  char name[256];
  va_list args;
  va_start (args, format);
  vsnprintf (name, sizeof name, format, args);
  va_end (args);
  return weights_find (set, name);
}

int
weight_dim (const Weight *w, int i)
{
  return w && i < w->rank && w->ne[i] <= 1 << 24 ? (int) w->ne[i] : 0;
}

int
norm_groups (int channels)
{
  int groups = NORM_GROUPS;
  while (groups > 1 && channels % groups)
    groups /= 2;
  return groups;
}

/* ---- VAE ---- */

static int
read_vae_levels (VaeConfig *v, const WeightSet *set, const char *way, bool is_reversed)
{
  int n = 0;
  while (n < MAX_LEVELS && find_weight (set, "%s.%d.resnets.0.conv1.weight", way, n))
    n++;
  for (int i = 0; i < n; i++)
    v->channels[is_reversed ? n - 1 - i : i] =
        weight_dim (find_weight (set, "%s.%d.resnets.0.conv1.weight", way, i), 0);
  return n;
}

static bool
read_vae (VaeConfig *v, const WeightSet *set, const char *label, Status *status)
{
  const Weight *to_latent = find_weight (set, "vae.encoder.conv_out.weight");
  const Weight *from_latent = find_weight (set, "vae.decoder.conv_in.weight");
  v->in_channels = from_latent ? weight_dim (find_weight (set, "vae.decoder.conv_out.weight"), 0)
                               : weight_dim (find_weight (set, "vae.encoder.conv_in.weight"), 1);
  v->latent_channels = from_latent ? weight_dim (from_latent, 1) : weight_dim (to_latent, 0) / 2;
  /* FLUX.1's and SD 3's have none; they differ in scale alone. */
  if (v->latent_channels == FLUX_LATENT_CHANNELS && find_weight (set, "vae.quant_conv.weight"))
    return refuse_relative (label, "a VAE of 16 channels that is none of FLUX.1", status);
  v->n_levels = read_vae_levels (v, set, "vae.encoder.down_blocks", false);
  v->res_blocks = count_resnets (set, "vae.encoder.down_blocks", 0);
  if (!v->n_levels)
    {
      v->n_levels = read_vae_levels (v, set, "vae.decoder.up_blocks", true);
      v->res_blocks = count_resnets (set, "vae.decoder.up_blocks", 0) - 1;
    }
  if (!v->in_channels || !v->latent_channels || !v->n_levels || v->res_blocks < 1)
    return damaged (status, label, "its VAE lacks layers");
  v->norm_groups = norm_groups (v->channels[0]);
  v->has_quant_conv = find_weight (set, "vae.quant_conv.weight") != NULL;
  v->has_post_quant_conv = find_weight (set, "vae.post_quant_conv.weight") != NULL;
  return true;
}

float
family_scaling_factor (Family family)
{
  switch (family)
    {
    case FAMILY_SDXL:
      return 0.13025f;
    case FAMILY_FLUX:
      return 0.3611f;
    case FAMILY_SD15:
    case FAMILY_WAN: /* has statistics a channel instead */
    case FAMILY_UNKNOWN:
      break;
    }
  return 0.18215f;
}

float
family_shift_factor (Family family)
{
  return family == FAMILY_FLUX ? 0.1159f : 0;
}

/* ---- text encoders ---- */

static bool
read_clip (ClipConfig *c, const WeightSet *set, const char *name, const char *label, Status *status)
{
  const Weight *tokens = find_weight (set, "%s.text_model.embeddings.token_embedding.weight", name);
  const Weight *positions =
      find_weight (set, "%s.text_model.embeddings.position_embedding.weight", name);
  c->vocab = weight_dim (tokens, 0);
  c->dim = weight_dim (tokens, 1);
  c->n_positions = weight_dim (positions, 0);
  while (c->n_layers < DEPTH_LIMIT &&
         find_weight (set, "%s.text_model.encoder.layers.%d.layer_norm1.weight", name, c->n_layers))
    c->n_layers++;
  c->mlp_dim =
      weight_dim (find_weight (set, "%s.text_model.encoder.layers.0.mlp.fc1.weight", name), 0);
  if (!c->vocab || !c->dim || !c->n_positions || !c->n_layers || !c->mlp_dim)
    return damaged (status, label, "its text encoder lacks layers");
  c->n_heads = c->dim >= HEAD_WIDTH ? c->dim / HEAD_WIDTH : 1;
  c->projection_dim = weight_dim (find_weight (set, "%s.text_projection.weight", name), 0);
  c->bos_id = c->vocab - 2; /* 49406 and 49407 in CLIP's vocabulary */
  c->eos_id = c->vocab - 1;
  return true;
}

static bool
read_clips (ModelConfig *config, const WeightSet *set, const char *label, Status *status)
{
  static const char *const names[] = { "text_encoder", "text_encoder_2" };
  for (int i = 0; i < 2; i++)
    {
      ClipConfig *c = &config->clip[i];
      if (!find_weight (set, "%s.text_model.embeddings.token_embedding.weight", names[i]))
        continue;
      if (!read_clip (c, set, names[i], label, status))
        return false;
      config->n_clips = i + 1;
      c->activation = i ? CLIP_GELU : CLIP_QUICK_GELU;
      c->pad_id = i ? 0 : c->eos_id;
    }
  return true;
}

/* ---- the whole ---- */

bool
label_says (const char *label, const char *word)
{
  size_t n = strlen (word);
  for (; *label; label++)
    {
      size_t i = 0;
      while (i < n && tolower ((unsigned char) label[i]) == word[i])
        i++;
      if (i == n)
        return true;
    }
  return false;
}

static Family
find_family (const ModelConfig *config)
{
  if (config->has_flux)
    return FAMILY_FLUX;
  if (config->has_wan)
    return FAMILY_WAN;
  if (config->has_unet)
    return config->unet.adm_dim ? FAMILY_SDXL : FAMILY_SD15;
  if (config->has_control)
    return config->control.unet.adm_dim ? FAMILY_SDXL : FAMILY_SD15;
  return config->clip[1].vocab ? FAMILY_SDXL : FAMILY_UNKNOWN;
}

/* On its own a VAE of SD 1.5 has the shapes of SDXL's: only the name can tell. */
static Family
vae_family_of (const ModelConfig *config, const char *label)
{
  if (config->family != FAMILY_UNKNOWN)
    return config->family;
  if (config->vae.latent_channels == FLUX_LATENT_CHANNELS)
    return FAMILY_FLUX;
  return label_says (label, "xl") ? FAMILY_SDXL : FAMILY_UNKNOWN;
}

bool
recognise_config (ModelConfig *config, const WeightSet *set, const char *label, Status *status)
{
  *config = (ModelConfig){ .beta_start = 0.00085, .beta_end = 0.012, .steps_offset = 1 };
  config->has_unet = find_weight (set, "unet.conv_in.weight") != NULL;
  config->has_wan_vae = find_weight (set, "vae.decoder.mid_block.resnets.0.norm1.gamma") ||
                        find_weight (set, "vae.encoder.mid_block.resnets.0.norm1.gamma");
  config->has_vae = !config->has_wan_vae && (find_weight (set, "vae.decoder.conv_in.weight") ||
                                             find_weight (set, "vae.encoder.conv_in.weight"));
  config->has_tiny = find_weight (set, "tiny.decoder.layers.0.weight") != NULL;
  config->has_wan = find_weight (set, "transformer.patch_embedding.weight") != NULL;
  config->has_expert = find_weight (set, "expert.patch_embedding.weight") != NULL;
  config->has_flux = find_weight (set, "transformer.x_embedder.weight") != NULL;
  config->has_t5 = find_weight (set, "t5.encoder.block.0.layer.0.SelfAttention.q.weight") != NULL;
  config->has_control = find_weight (set, "control.conv_in.weight") != NULL;
  config->has_vision =
      find_weight (set, "image_encoder.vision_model.embeddings.class_embedding") != NULL;
  if (!read_clips (config, set, label, status))
    return false;
  if (config->has_unet &&
      !recognise_unet (&config->unet, set, config->clip[1].projection_dim, label, status))
    return false;
  if (config->has_control && !recognise_control (&config->control, set, label, status))
    return false;
  if (config->has_vae && !read_vae (&config->vae, set, label, status))
    return false;
  if (config->has_wan_vae && !recognise_wan_vae (&config->wan_vae, set, label, status))
    return false;
  if (config->has_flux && !recognise_flux (&config->flux, set, label, status))
    return false;
  if (config->has_wan && !recognise_wan (&config->wan, set, "transformer", label, status))
    return false;
  if (config->has_vision && !recognise_vision (&config->vision, set, label, status))
    return false;
  if (config->has_t5 && !recognise_t5 (&config->t5, set, label, status))
    return false;
  config->family = find_family (config);
  Family vae_family = vae_family_of (config, label);
  config->vae.scaling_factor = family_scaling_factor (vae_family);
  config->vae.shift_factor = family_shift_factor (vae_family);
  if (config->has_flux || config->has_wan)
    config->prediction = PREDICTION_FLOW;
  return recognise_fit (config, label, status);
}

void
recognise_prediction (ModelConfig *config, const TensorTable *table, const char *label)
{
  const char *says = table_metadata (table, "modelspec.prediction_type");
  bool has_marker = table_find (table, "v_pred") != NULL;
  bool may_be_named =
      config->has_unet &&
      (label_says (label, "vpred") || label_says (label, "v-pred") || label_says (label, "v_pred"));
  if (has_marker || (says ? says[0] == 'v' : may_be_named))
    config->prediction = PREDICTION_V;
  config->zero_terminal_snr = table_find (table, "ztsnr") != NULL;
}
