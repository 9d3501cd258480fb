/* SPDX-License-Identifier: MPL-2.0
 * recognise-wan-vae.c - Wan's VAEs, from their weights' shapes.
 */
#include "weights/recognise-private.h"

#include <string.h>

enum
{
  COLOURS = 3,
  MAX_PATCH = 4,
  MAX_BLOCKS = 8,
  WAN21_CHANNELS = 16,
  WAN22_CHANNELS = 48
};

/* Of the VAEs that Wan-AI published: vae2_1.py, vae2_2.py. */
static const float wan21_mean[WAN21_CHANNELS] = { -0.7571f, -0.7089f, -0.9113f, 0.1075f,
                                                  -0.1745f, 0.9653f,  -0.1517f, 1.5508f,
                                                  0.4134f,  -0.0715f, 0.5517f,  -0.3632f,
                                                  -0.1922f, -0.9497f, 0.2503f,  -0.2921f };
static const float wan21_std[WAN21_CHANNELS] = { 2.8184f, 1.4541f, 2.3275f, 2.6558f,
                                                 1.2196f, 1.7708f, 2.6052f, 2.0743f,
                                                 3.2687f, 2.1526f, 2.8652f, 1.5579f,
                                                 1.6382f, 1.1253f, 2.8251f, 1.9160f };
static const float wan22_mean[WAN22_CHANNELS] = {
  -0.2289f, -0.0052f, -0.1323f, -0.2339f, -0.2799f, 0.0174f,  0.1838f,  0.1557f,  -0.1382f, 0.0542f,
  0.2813f,  0.0891f,  0.1570f,  -0.0098f, 0.0375f,  -0.1825f, -0.2246f, -0.1207f, -0.0698f, 0.5109f,
  0.2665f,  -0.2108f, -0.2158f, 0.2502f,  -0.2055f, -0.0322f, 0.1109f,  0.1567f,  -0.0729f, 0.0899f,
  -0.2799f, -0.1230f, -0.0313f, -0.1649f, 0.0117f,  0.0723f,  -0.2839f, -0.2083f, -0.0520f, 0.3748f,
  0.0152f,  0.1957f,  0.1433f,  -0.2944f, 0.3573f,  -0.0548f, -0.1681f, -0.0667f
};
static const float wan22_std[WAN22_CHANNELS] = {
  0.4765f, 1.0364f, 0.4514f, 1.1677f, 0.5313f, 0.4990f, 0.4818f, 0.5013f, 0.8158f, 1.0344f,
  0.5894f, 1.0901f, 0.6885f, 0.6165f, 0.8454f, 0.4978f, 0.5759f, 0.3523f, 0.7135f, 0.6804f,
  0.5833f, 1.4146f, 0.8986f, 0.5659f, 0.7069f, 0.5338f, 0.4889f, 0.4917f, 0.4069f, 0.4999f,
  0.6866f, 0.4093f, 0.5709f, 0.6065f, 0.6415f, 0.4944f, 0.5726f, 1.2042f, 0.5458f, 1.6887f,
  0.3971f, 1.0600f, 0.3943f, 0.5537f, 0.5444f, 0.4089f, 0.7468f, 0.7744f
};

static void
set_statistics (WanVaeConfig *c)
{
  bool is_21 = c->latent_channels == WAN21_CHANNELS, is_22 = c->latent_channels == WAN22_CHANNELS;
  for (int i = 0; i < WAN_MAX_LATENT_CHANNELS; i++)
    c->std[i] = 1;
  if (is_21 || is_22)
    {
      size_t n = (size_t) c->latent_channels * sizeof (float);
      memcpy (c->mean, is_21 ? wan21_mean : wan22_mean, n);
      memcpy (c->std, is_21 ? wan21_std : wan22_std, n);
    }
}

/* Channels of each level from the finest, read from either half. */
typedef struct
{
  int channels[MAX_LEVELS], n_levels, n_blocks;
  bool halves_time[MAX_LEVELS]; /* below that level */
} Levels;

/* Levels of the decoder's blocks come coarsest first. */
static void
read_decoder (Levels *l, const WeightSet *set, bool is_residual)
{
  const char *sampler = is_residual ? "upsampler" : "upsamplers.0";
#define UP "vae.decoder.up_blocks.%d."
  while (l->n_levels < MAX_LEVELS && find_weight (set, UP "resnets.0.conv1.weight", l->n_levels))
    l->n_levels++;
  for (int i = 0; i < l->n_levels; i++)
    {
      int level = l->n_levels - 1 - i;
      l->channels[level] = weight_dim (find_weight (set, UP "resnets.0.conv1.weight", i), 0);
      if (level > 0)
        l->halves_time[level - 1] = find_weight (set, UP "%s.time_conv.weight", i, sampler);
    }
  while (l->n_blocks < MAX_BLOCKS &&
         find_weight (set, UP "resnets.%d.conv1.weight", 0, l->n_blocks))
    l->n_blocks++;
}

static void
read_residual_encoder (Levels *l, const WeightSet *set)
{
#define DOWN "vae.encoder.down_blocks.%d."
  const Weight *w;
  while (l->n_levels < MAX_LEVELS &&
         (w = find_weight (set, DOWN "resnets.0.conv1.weight", l->n_levels)))
    {
      l->channels[l->n_levels] = weight_dim (w, 0);
      l->halves_time[l->n_levels] =
          find_weight (set, DOWN "downsampler.time_conv.weight", l->n_levels);
      l->n_levels++;
    }
  while (l->n_blocks < MAX_BLOCKS &&
         find_weight (set, DOWN "resnets.%d.conv1.weight", 0, l->n_blocks))
    l->n_blocks++;
}

/* One row of blocks: a level ends with what resamples it, the last with the row. */
static void
read_plain_encoder (Levels *l, const WeightSet *set)
{
  int in_level = 0;
  for (int i = 0; i < MAX_LEVELS * MAX_BLOCKS && l->n_levels < MAX_LEVELS; i++)
    {
      const Weight *w = find_weight (set, DOWN "conv1.weight", i);
      bool ends = find_weight (set, DOWN "resample.1.weight", i) || (!w && in_level > 0);
      if (w && in_level++ == 0)
        l->channels[l->n_levels] = weight_dim (w, 0);
      if (!w && !ends)
        return;
      if (!ends)
        continue;
      l->n_blocks = l->n_levels ? l->n_blocks : in_level;
      l->halves_time[l->n_levels++] = find_weight (set, DOWN "time_conv.weight", i) != NULL;
      in_level = 0;
    }
}

static bool
set_levels (WanVaeConfig *c, const Levels *l, int dim)
{
  c->n_levels = l->n_levels;
  for (int i = 0; i < l->n_levels; i++)
    {
      if (dim < 1 || l->channels[i] < 1 || l->channels[i] % dim)
        return false;
      c->mult[i] = l->channels[i] / dim;
      c->halves_time[i] = i + 1 < l->n_levels && l->halves_time[i];
    }
  return l->n_levels > 1 && l->n_blocks > 0;
}

static int
patch_of (int channels)
{
  for (int patch = 1; patch <= MAX_PATCH; patch++)
    if (channels == COLOURS * patch * patch)
      return patch;
  return 0;
}

bool
recognise_wan_vae (WanVaeConfig *c, const WeightSet *set, const char *label, Status *status)
{
  const Weight *stem = find_weight (set, "vae.encoder.conv_in.weight");
  const Weight *from_latent = find_weight (set, "vae.decoder.conv_in.weight");
  const Weight *to_picture = find_weight (set, "vae.decoder.conv_out.weight");
  const Weight *to_latent = find_weight (set, "vae.encoder.conv_out.weight");
  Levels levels = { 0 };
  c->has_encoder = stem != NULL;
  c->has_decoder = from_latent != NULL;
  c->is_residual = find_weight (set, "vae.decoder.up_blocks.0.upsampler.resample.1.weight") ||
                   find_weight (set, "vae.encoder.down_blocks.0.resnets.0.conv1.weight");
  c->latent_channels = from_latent ? weight_dim (from_latent, 1) : weight_dim (to_latent, 0) / 2;
  c->patch = patch_of (from_latent ? weight_dim (to_picture, 0) : weight_dim (stem, 1));
  if (from_latent)
    read_decoder (&levels, set, c->is_residual);
  else if (c->is_residual)
    read_residual_encoder (&levels, set);
  else
    read_plain_encoder (&levels, set);
  c->res_blocks = levels.n_blocks - (from_latent ? 1 : 0);
  int finest = levels.channels[0];
  c->encoder_dim = stem ? weight_dim (stem, 0) : finest;
  c->decoder_dim = from_latent ? finest : c->encoder_dim;
  if (!set_levels (c, &levels, from_latent ? finest : c->encoder_dim) || c->res_blocks < 1 ||
      !c->patch || c->latent_channels < 1)
    return damaged (status, label, "its VAE lacks layers");
  if (c->latent_channels > WAN_MAX_LATENT_CHANNELS)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "\"%.100s\" is a video VAE of %d latent channels, which this version "
                        "cannot run; choose the Wan 2.1 or 2.2 VAE.",
                        label, c->latent_channels);
  set_statistics (c);
  return true;
}
