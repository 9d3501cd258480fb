/* SPDX-License-Identifier: MPL-2.0 */
#include "tools/full-size.h"

#include <string.h>

#include "models/clip.h"
#include "models/flux.h"
#include "models/t5.h"
#include "models/unet.h"
#include "models/vae.h"

/* The VAE of both: Rombach et al. 2022, f = 8, KL. */
#define KL_VAE(scaling)                                                                            \
  {                                                                                                \
    .in_channels = 3, .latent_channels = 4, .n_levels = 4, .channels = { 128, 256, 512, 512 },     \
    .res_blocks = 2, .norm_groups = 32, .scaling_factor = scaling, .has_quant_conv = true,         \
    .has_post_quant_conv = true                                                                    \
  }

#define CLIP_L                                                                                     \
  {                                                                                                \
    49408, 77, 768, 12, 12, 3072, 0, CLIP_QUICK_GELU, 49406, 49407, 49407                          \
  }
#define OPENCLIP_BIGG                                                                              \
  {                                                                                                \
    49408, 77, 1280, 32, 20, 5120, 1280, CLIP_GELU, 49406, 49407, 0                                \
  }

/* Black Forest Labs 2024; n_in: columns of an image token. */
#define FLUX(kind, n_in, guidance)                                                                 \
  {                                                                                                \
    .variant = kind, .in_channels = n_in, .out_channels = 64, .latent_channels = 16, .dim = 3072,  \
    .n_heads = 24, .head_dim = 128, .mlp_dim = 12288, .context_dim = 4096, .pooled_dim = 768,      \
    .time_dim = 256, .n_double = 19, .n_single = 38, .axes = { 16, 56, 56 },                       \
    .has_guidance = guidance                                                                       \
  }
#define FLUX_MODEL(label, kind, n_in, guidance)                                                    \
  {                                                                                                \
    .name = label, .is_flux = true, .flux = FLUX (kind, n_in, guidance),                           \
    .t5 = { 32128, 4096, 24, 64, 64, 10240, 32, 128, false, 0, 1 },                                \
    .vae = { .in_channels = 3,                                                                     \
             .latent_channels = 16,                                                                \
             .n_levels = 4,                                                                        \
             .channels = { 128, 256, 512, 512 },                                                   \
             .res_blocks = 2,                                                                      \
             .norm_groups = 32,                                                                    \
             .scaling_factor = 0.3611f,                                                            \
             .shift_factor = 0.1159f },                                                            \
    .clip = { CLIP_L }, .n_clips = 1                                                               \
  }

static const FullSize models[] = {
  {
      .name = "sd15",
      .unet = { .in_channels = 4,
                .out_channels = 4,
                .n_levels = 4,
                .channels = { 320, 640, 1280, 1280 },
                .res_blocks = { 2, 2, 2, 2 },
                .depth_down = { 1, 1, 1, 0 },
                .depth_up = { 0, 1, 1, 1 },
                .depth_mid = 1,
                .heads = { 8, 8, 8, 8 },
                .context_dim = 768,
                .time_dim = 1280,
                .norm_groups = 32 },
      .vae = KL_VAE (0.18215f),
      .clip = { CLIP_L },
      .n_clips = 1,
  },
  {
      .name = "sdxl",
      .is_xl = true,
      .unet = { .in_channels = 4,
                .out_channels = 4,
                .n_levels = 3,
                .channels = { 320, 640, 1280 },
                .res_blocks = { 2, 2, 2 },
                .depth_down = { 0, 2, 10 },
                .depth_up = { 10, 2, 0 },
                .depth_mid = 10,
                .heads = { 5, 10, 20 },
                .context_dim = 2048,
                .time_dim = 1280,
                .norm_groups = 32,
                .adm_dim = 2816,
                .adm_time_dim = 256,
                .linear_projection = true },
      .vae = KL_VAE (0.13025f),
      .clip = { CLIP_L, OPENCLIP_BIGG },
      .n_clips = 2,
  },
  FLUX_MODEL ("flux-dev", FLUX_DEV, 64, true),
  FLUX_MODEL ("flux-schnell", FLUX_SCHNELL, 64, false),
  FLUX_MODEL ("flux-fill", FLUX_FILL, 384, true),
  FLUX_MODEL ("flux-depth", FLUX_DEPTH, 128, true),
};

const WanVaeConfig full_size_wan21_vae = { .patch = 1,
                                           .latent_channels = 16,
                                           .encoder_dim = 96,
                                           .decoder_dim = 96,
                                           .n_levels = 4,
                                           .mult = { 1, 2, 4, 4 },
                                           .halves_time = { false, true, true },
                                           .res_blocks = 2 };
const WanVaeConfig full_size_wan22_vae = { .patch = 2,
                                           .latent_channels = 48,
                                           .encoder_dim = 160,
                                           .decoder_dim = 256,
                                           .n_levels = 4,
                                           .mult = { 1, 2, 4, 4 },
                                           .halves_time = { false, true, true },
                                           .res_blocks = 2,
                                           .is_residual = true };

const ClipVisionConfig full_size_clip_h = { 224, 14, 257, 1280, 32, 16, 5120, 1024, CLIP_GELU };

const FullSize *
full_size_find (const char *name)
{
  for (size_t i = 0; i < sizeof models / sizeof *models; i++)
    if (!strcmp (models[i].name, name))
      return &models[i];
  return NULL;
}

WeightSet *
full_size_declare (const FullSize *model, Status *status)
{
  static const char *const encoders[] = { "text_encoder", "text_encoder_2" };
  WeightSet *set = weights_new_declared (status);
  Arena arena = { 0 };
  if (!set)
    return NULL;
  Binder b = { set, &arena, status };
  bool ok = model->is_flux ? flux_bind (&b, &model->flux) && t5_bind (&b, &model->t5)
                           : unet_bind (&b, &model->unet) != NULL;
  ok = ok && vae_bind (&b, &model->vae, VAE_DECODER | VAE_ENCODER);
  for (int i = 0; ok && i < model->n_clips; i++)
    ok = clip_bind (&b, &model->clip[i], encoders[i]) != NULL;
  arena_clear (&arena);
  if (ok && weights_check (set, status))
    return set;
  weights_free (set);
  return NULL;
}
