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
  SD15_CONTEXT = 768,
  SD15_HEADS = 8,
  SD2_CONTEXT = 1024,
  HEAD_WIDTH = 64, /* of SD 2, SDXL and the CLIPs */
  SDXL_ADM = 2816,
  REFINER_ADM = 2560,
  N_SIZE_EMBEDDINGS = 6, /* original size, crop, target size */
  ADM_TIME_DIM = 256,
  PIX2PIX_CHANNELS = 8,
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

/* Normalisation groups: 32 everywhere but in toy models, which need a count that divides. */
static int
norm_groups (int channels)
{
  int groups = NORM_GROUPS;
  while (groups > 1 && channels % groups)
    groups /= 2;
  return groups;
}

/* ---- UNet ---- */

static int
count_transformers (const WeightSet *set, const char *attention)
{
  int n = 0;
  while (n < DEPTH_LIMIT &&
         find_weight (set, "%s.transformer_blocks.%d.norm1.weight", attention, n))
    n++;
  return n;
}

/* Depth common to all @n_blocks of a level; -1 when they differ. */
static int
level_depth (const WeightSet *set, const char *way, int level, int n_blocks)
{
  int depth = 0;
  for (int j = 0; j < n_blocks; j++)
    {
      char name[64];
      snprintf (name, sizeof name, "unet.%s.%d.attentions.%d", way, level, j);
      int d = count_transformers (set, name);
      if (j && d != depth)
        return -1;
      depth = d;
    }
  return depth;
}

static int
count_resnets (const WeightSet *set, const char *way, int level)
{
  int n = 0;
  while (n < DEPTH_LIMIT && find_weight (set, "%s.%d.resnets.%d.conv1.weight", way, level, n))
    n++;
  return n;
}

static bool
read_unet_levels (UnetConfig *u, const WeightSet *set, const char *label, Status *status)
{
  for (int i = 0; (u->res_blocks[i] = count_resnets (set, "unet.down_blocks", i)); i++)
    {
      u->channels[i] =
          weight_dim (find_weight (set, "unet.down_blocks.%d.resnets.0.conv1.weight", i), 0);
      u->depth_down[i] = level_depth (set, "down_blocks", i, u->res_blocks[i]);
      u->n_levels = i + 1;
      if (!u->channels[i])
        return damaged (status, label, "level %d of its UNet has no channels", i);
      if (i + 1 == MAX_LEVELS)
        break;
    }
  if (!u->n_levels)
    return damaged (status, label, "its UNet has no blocks");
  for (int i = 0; i < u->n_levels; i++)
    {
      int n = count_resnets (set, "unet.up_blocks", i);
      u->depth_up[i] = level_depth (set, "up_blocks", i, n);
      if (n != u->res_blocks[u->n_levels - 1 - i] + 1)
        return damaged (status, label, "level %d of its UNet's way up has %d blocks", i, n);
      if (u->depth_up[i] < 0 || u->depth_down[i] < 0)
        return status_fail (
            status, STATUS_UNSUPPORTED,
            "\"%.100s\" is a pruned SDXL relative (SSD-1B kind) whose blocks differ "
            "within a level; this version cannot run it.",
            label);
    }
  return true;
}

static int
middle_depth (const WeightSet *set)
{
  if (!find_weight (set, "unet.mid_block.resnets.0.conv1.weight"))
    return -2;
  int depth = count_transformers (set, "unet.mid_block.attentions.0");
  return depth ? depth : -1;
}

static const Weight *
find_context (const WeightSet *set, const UnetConfig *u)
{
  static const char tail[] = "attentions.0.transformer_blocks.0.attn2.to_k.weight";
  const Weight *w = find_weight (set, "unet.mid_block.%s", tail);
  for (int i = 0; !w && i < u->n_levels; i++)
    w = find_weight (set, "unet.down_blocks.%d.%s", i, tail);
  return w;
}

static bool
has_linear_projection (const WeightSet *set, const UnetConfig *u)
{
  const Weight *w = find_weight (set, "unet.mid_block.attentions.0.proj_in.weight");
  for (int i = 0; !w && i < u->n_levels; i++)
    w = find_weight (set, "unet.down_blocks.%d.attentions.0.proj_in.weight", i);
  /* Some converters flatten SD 1.5's convolutions; the two are the same operation. */
  return w && w->rank == 2;
}

static void
guess_heads (UnetConfig *u)
{
  for (int i = 0; i < u->n_levels; i++)
    if (u->context_dim == SD15_CONTEXT && !u->adm_dim)
      u->heads[i] = SD15_HEADS;
    else
      u->heads[i] = u->channels[i] >= HEAD_WIDTH ? u->channels[i] / HEAD_WIDTH : 1;
}

static bool
read_unet (
    UnetConfig *u, const WeightSet *set, int projection_dim, const char *label, Status *status)
{
  const Weight *conv_in = find_weight (set, "unet.conv_in.weight");
  u->in_channels = weight_dim (conv_in, 1);
  u->out_channels = weight_dim (find_weight (set, "unet.conv_out.weight"), 0);
  u->time_dim = weight_dim (find_weight (set, "unet.time_embedding.linear_1.weight"), 0);
  if (!u->in_channels || !u->out_channels || !u->time_dim)
    return damaged (status, label, "its UNet lacks its first or last layer");
  if (!read_unet_levels (u, set, label, status))
    return false;
  u->depth_mid = middle_depth (set);
  u->context_dim = weight_dim (find_context (set, u), 1);
  u->linear_projection = has_linear_projection (set, u);
  u->norm_groups = norm_groups (u->channels[0]);
  u->adm_dim = weight_dim (find_weight (set, "unet.add_embedding.linear_1.weight"), 1);
  int rest = u->adm_dim - projection_dim;
  if (u->adm_dim)
    u->adm_time_dim = projection_dim && rest > 0 && rest % N_SIZE_EMBEDDINGS == 0
                          ? rest / N_SIZE_EMBEDDINGS
                          : ADM_TIME_DIM;
  guess_heads (u);
  return true;
}

static bool
refuse_relative (const char *label, const char *what, Status *status)
{
  return status_fail (status, STATUS_UNSUPPORTED,
                      "\"%.100s\" is %s, which this version cannot run; choose an SD 1.5, SDXL "
                      "or FLUX.1 checkpoint.",
                      label, what);
}

static bool
refuse_unet_relatives (const UnetConfig *u, const WeightSet *set, const char *label, Status *status)
{
  if (u->adm_dim == REFINER_ADM)
    return refuse_relative (label, "the SDXL refiner", status);
  if (find_weight (set, "unet.class_embedding.linear_1.weight"))
    return refuse_relative (label, "an SD 2 unCLIP model", status);
  if (!u->adm_dim && u->context_dim == SD2_CONTEXT)
    return refuse_relative (label, "an SD 2 model", status);
  if (u->in_channels == PIX2PIX_CHANNELS)
    return refuse_relative (label, "an InstructPix2Pix model", status);
  if (find_weight (set, "unet.time_embedding.cond_proj.weight"))
    return refuse_relative (label, "a latent consistency model with embedded guidance", status);
  return true;
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
  config->has_vision =
      find_weight (set, "image_encoder.vision_model.embeddings.class_embedding") != NULL;
  if (!read_clips (config, set, label, status))
    return false;
  if (config->has_unet &&
      (!read_unet (&config->unet, set, config->clip[1].projection_dim, label, status) ||
       !refuse_unet_relatives (&config->unet, set, label, status)))
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
