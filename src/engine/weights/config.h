/* SPDX-License-Identifier: MPL-2.0
 * config.h - what a checkpoint says about its networks: read from tensor shapes, or from the
 * config.json files of a diffusers folder, which win.  Plain data; models are built from it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/prediction.h"

enum
{
  MAX_LEVELS = 8
};

typedef enum
{
  FAMILY_UNKNOWN,
  FAMILY_SD15,
  FAMILY_SDXL,
  FAMILY_FLUX,
  FAMILY_WAN
} Family;

typedef struct
{
  int in_channels, out_channels; /* 4; 9 for inpainting checkpoints */
  int n_levels;
  int channels[MAX_LEVELS];   /* per level: 320 640 1280 */
  int res_blocks[MAX_LEVELS]; /* per level on the way down; the way up has one more */
  /* Transformer blocks behind each res block; all blocks of a level are alike.  0: no attention. */
  int depth_down[MAX_LEVELS];
  int depth_up[MAX_LEVELS]; /* indexed as up_blocks: 0 is the coarsest level */
  int depth_mid;            /* -1: the middle is one res block, -2: there is no middle */
  int heads[MAX_LEVELS];    /* attention heads per level */
  int context_dim;          /* 768, 2048 */
  int time_dim;             /* 4 * channels[0] */
  int norm_groups;          /* 32 */
  int adm_dim;              /* width of the SDXL vector input (2816), 0: none */
  int adm_time_dim;         /* width of each size embedding in it (256) */
  bool linear_projection;   /* proj_in and proj_out are Linear, not 1x1 convolutions */
} UnetConfig;

enum
{
  CONTROL_MAX_HINTS = 8
};

/* A ControlNet: a copy of a U-Net's way down and middle, and layers that its picture enters by. */
typedef struct
{
  UnetConfig unet;              /* nothing of the way up */
  int hint_in;                  /* 3: the picture's channels */
  int n_hints;                  /* one more than there are halvings: 4 */
  int hints[CONTROL_MAX_HINTS]; /* channels: 16 32 96 256 */
} ControlConfig;

typedef struct
{
  int in_channels, latent_channels; /* 3, 4 */
  int n_levels;
  int channels[MAX_LEVELS]; /* 128 256 512 512 */
  int res_blocks;           /* encoder; the decoder has one more */
  int norm_groups;
  float scaling_factor, shift_factor;
  bool has_own_scaling; /* a config file gave scaling_factor; else it is the family's */
  bool has_quant_conv, has_post_quant_conv;
} VaeConfig;

enum
{
  WAN_MAX_LATENT_CHANNELS = 64
};

/* A causal video VAE: Wan 2.1 and 2.2. */
typedef struct
{
  int patch;                    /* pixels of a side that enter as channels: 1, or 2 for 2.2 */
  int latent_channels;          /* 16; 48 for 2.2 */
  int encoder_dim, decoder_dim; /* channels of the finest level: 96 96; 160 256 */
  int n_levels;
  int mult[MAX_LEVELS];         /* a level's channels over those of the finest: 1 2 4 4 */
  bool halves_time[MAX_LEVELS]; /* the step below a level joins frames, too: no yes yes */
  int res_blocks;               /* encoder; the decoder has one more */
  bool is_residual;             /* 2.2: shortcuts around whole levels, upsampling keeps channels */
  bool has_encoder, has_decoder;
  /* Latents are normalised with these, channel by channel. */
  float mean[WAN_MAX_LATENT_CHANNELS], std[WAN_MAX_LATENT_CHANNELS];
  bool has_own_statistics; /* a config file gave them; else they are the family's */
} WanVaeConfig;

typedef enum
{
  CLIP_QUICK_GELU,
  CLIP_GELU
} ClipActivation;

typedef struct
{
  int vocab, n_positions, dim, n_layers, n_heads, mlp_dim;
  int projection_dim; /* 0: no text_projection in the file */
  ClipActivation activation;
  int bos_id, eos_id, pad_id;
} ClipConfig;

/* CLIP's image encoder: ViT-H/14 of Wan 2.1's image-to-video models, and its kin. */
typedef struct
{
  int image_size, patch;               /* 224 14: pixels a side */
  int n_positions;                     /* 257: a token a patch, and the class */
  int dim, n_layers, n_heads, mlp_dim; /* 1280 32 16 5120 */
  int projection_dim;                  /* 1024; 0: no visual_projection in the file */
  ClipActivation activation;
} ClipVisionConfig;

/* What a FLUX.1 transformer was trained for.  Fill and the control models differ in what enters;
 * dev, Krea and Kontext have the same tensors, so that only metadata or the file's name can tell.
 */
typedef enum
{
  FLUX_DEV,
  FLUX_SCHNELL, /* no guidance embedding */
  FLUX_KREA,
  FLUX_KONTEXT, /* takes reference tokens behind the image's */
  FLUX_FILL,    /* in_channels 384: noise 64, masked picture 64, mask 256 */
  FLUX_CANNY,   /* in_channels 128: noise 64, hint picture 64 */
  FLUX_DEPTH,
  FLUX_CONTROL, /* Canny or Depth: neither name nor metadata say which */
  FLUX_VARIANT_COUNT
} FluxVariant;

enum
{
  FLUX_N_AXES = 3
};

typedef struct
{
  FluxVariant variant;
  int in_channels;                     /* columns of an image token: 64, 128, 384 */
  int out_channels;                    /* of the velocity: 64 = 16 latent channels * 2 * 2 */
  int latent_channels;                 /* 16 */
  int dim, n_heads, head_dim, mlp_dim; /* 3072 24 128 12288 */
  int context_dim, pooled_dim;         /* 4096 of T5, 768 of CLIP-L */
  int time_dim;                        /* width of the sinusoids: 256 */
  int n_double, n_single;              /* 19 38; pruned models have fewer */
  int axes[FLUX_N_AXES]; /* RoPE: columns of a head for index, row, column: 16 56 56 */
  bool has_guidance;
} FluxConfig;

typedef struct
{
  int vocab, dim, n_layers, n_heads, head_dim, mlp_dim; /* 32128 4096 24 64 64 10240 */
  int n_buckets, max_distance;                          /* of the relative bias: 32 128 */
  bool has_layer_bias; /* umT5: each layer has a bias table of its own; T5: the first one's */
  int pad_id, eos_id;  /* 0 1 */
} T5Config;

/* What a Wan transformer was trained for; what enters tells them apart. */
typedef enum
{
  WAN_T2V,  /* 16 in, 16 out */
  WAN_I2V,  /* 36 in: noise 16, mask 4, latent 16 of the frames that are known */
  WAN_TI2V, /* 48 in, 48 out, of the 2.2 VAE: a known first frame has a time of its own */
  WAN_VARIANT_COUNT
} WanVariant;

enum
{
  WAN_N_AXES = 3,
  WAN_A14B_CHANNELS = 16, /* of latents of the 2.1 VAE */
  WAN_PATCH = 2,          /* latent pixels a token's side; one latent frame */
  WAN_TOKENS = 512,       /* of text that the transformer sees, zeros behind the words */
  WAN_VISION_TOKENS = 257 /* of a picture that CLIP looks at, where the transformer reads those */
};

typedef struct
{
  WanVariant variant;
  int in_channels, out_channels;                 /* of latents: 16 36 48, 16 48 */
  int dim, n_heads, head_dim, mlp_dim, n_layers; /* 5120 40 128 13824 40 */
  int text_dim, time_dim;                        /* 4096 of umT5; 256 of the sinusoids */
  int image_dim;        /* of CLIP's vision, 1280, where the model looks at pictures; else 0 */
  int image_positions;  /* rows of their positions: 514 of first-last-frame models; else 0 */
  int axes[WAN_N_AXES]; /* RoPE: columns of a head for frame, row, column: 44 42 42 */
} WanConfig;

/* Wan 2.2's two transformers: one for the noisy part of the schedule, one for the rest. */
typedef enum
{
  WAN_EXPERT_UNKNOWN, /* or the only one */
  WAN_EXPERT_HIGH,
  WAN_EXPERT_LOW
} WanExpert;

/* How a flow-matching model's levels are moved towards noise: a folder's scheduler. */
typedef struct
{
  bool is_said;                 /* else the rest means nothing */
  bool is_dynamic;              /* mu follows the number of tokens; else it is ln shift */
  double shift;                 /* 1: none */
  double base_shift, max_shift; /* mu at base_tokens and max_tokens: 0.5, 1.15 */
  int base_tokens, max_tokens;  /* 256, 4096 */
} FlowShift;

typedef struct
{
  Family family;
  UnetConfig unet;
  VaeConfig vae;
  ClipConfig clip[2]; /* SD 1.5, FLUX: [0]; SDXL: [0] is CLIP-L, [1] is OpenCLIP bigG */
  int n_clips;
  FluxConfig flux;
  T5Config t5;
  bool has_unet, has_vae, has_tiny; /* has_tiny: a TAESD decoder under "tiny." */
  bool has_flux, has_t5;
  WanVaeConfig wan_vae; /* under "vae.", too: a model has one VAE */
  bool has_wan_vae;
  WanConfig wan; /* under "transformer.", as FLUX's; the low-noise expert under "expert." */
  bool has_wan, has_expert;
  ClipVisionConfig vision; /* under "image_encoder." */
  bool has_vision;
  ControlConfig control; /* under "control.": a file of its own */
  bool has_control;
  WanExpert wan_expert; /* which of two the first is, as far as its name tells */
  double boundary;      /* a folder's boundary_ratio; 0: not said */
  Prediction prediction;
  bool zero_terminal_snr;
  /* scheduler_config.json, or SD's values */
  double beta_start, beta_end;
  char timestep_spacing[16]; /* "leading", "trailing", "linspace"; "" when the file says nothing */
  int steps_offset;
  bool set_alpha_to_one;
  FlowShift flow_shift;
  bool force_zeros_for_empty_prompt;
  int sample_size; /* latent pixels a side, from a folder's unet/config.json; 0: not said */
  bool is_diffusers_folder;
  bool is_wan_folder; /* as Wan-AI publish their models for their own programs */
  /* A folder's gesso.json: what its maker means it to be sampled with; 0: not said */
  double guidance_scale;
  int steps;
  int suggested_width, suggested_height, suggested_frames;
  double suggested_fps;
  /* What its video VAE's latents look like, channel by channel and then a constant, RGB in -1 .. 1;
   * n_preview 0: not said */
  float preview[WAN_MAX_LATENT_CHANNELS + 1][3];
  int n_preview;
} ModelConfig;
