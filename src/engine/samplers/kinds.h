/* SPDX-License-Identifier: MPL-2.0
 * kinds.h - which samplers and schedules exist, and what other programs call them.
 */
#pragma once

#include <stdbool.h>

/* Order is not stored anywhere: recipes and journals keep the id. */
typedef enum
{
  SAMPLER_EULER,
  SAMPLER_EULER_ANCESTRAL,
  SAMPLER_HEUN,
  SAMPLER_DPM_2,
  SAMPLER_DPM_2_ANCESTRAL,
  SAMPLER_LMS,
  SAMPLER_DDIM,
  SAMPLER_DDPM,
  SAMPLER_DPMPP_2S_ANCESTRAL,
  SAMPLER_DPMPP_2M,
  SAMPLER_DPMPP_2M_SDE,
  SAMPLER_DPMPP_2M_SDE_HEUN,
  SAMPLER_DPMPP_SDE,
  SAMPLER_DPMPP_3M_SDE,
  SAMPLER_RES_MULTISTEP, /* DPM++ 2M with the second-order term of its paper (Zhang et al. 2023) */
  SAMPLER_UNIPC,         /* variant bh1, as ComfyUI's uni_pc and A1111's default */
  SAMPLER_UNIPC_BH2,     /* variant bh2, as diffusers' default */
  SAMPLER_LCM,
  SAMPLER_TCD,
  SAMPLER_COUNT
} SamplerKind;

typedef enum
{
  SCHEDULE_NORMAL,
  SCHEDULE_KARRAS,
  SCHEDULE_EXPONENTIAL,
  SCHEDULE_POLYEXPONENTIAL,
  SCHEDULE_SGM_UNIFORM,
  SCHEDULE_SIMPLE,
  SCHEDULE_BETA,
  SCHEDULE_KL_OPTIMAL,
  SCHEDULE_LINEAR_QUADRATIC,
  SCHEDULE_DDIM_UNIFORM,
  SCHEDULE_AYS,           /* Align Your Steps, sigmas */
  SCHEDULE_AYS_TIMESTEPS, /* Align Your Steps, diffusers' list of ten timesteps */
  SCHEDULE_LEADING,       /* diffusers' timestep spacings */
  SCHEDULE_TRAILING,
  SCHEDULE_LINSPACE,
  SCHEDULE_ORIGIN, /* from the 50 timesteps LCM and TCD were distilled on */
  SCHEDULE_COUNT
} ScheduleKind;

/* Whose arithmetic is followed where programs differ. */
typedef enum
{
  CONVENTION_COMFYUI,
  CONVENTION_DIFFUSERS
} Convention;

typedef struct
{
  const char *id;                  /* as in recipes; ComfyUI's name where it has one */
  const char *label;               /* as A1111 writes it into pictures */
  ScheduleKind comfyui_schedule;   /* default: what A1111's "Automatic" picks */
  ScheduleKind diffusers_schedule; /* default: what SD's scheduler_config.json sets */
  int calls_per_step;              /* model calls; the last step to sigma 0 may make fewer */
  bool uses_noise;                 /* draws normals while stepping, with its default eta */
  bool discards_penultimate;       /* ComfyUI drops the second-last sigma for it */
  double eta;                      /* default; 0 where it has no meaning */
  bool flow;                       /* ComfyUI has it for flow matching, too */
  bool comfyui_only;               /* diffusers has no such sampler */
} SamplerInfo;

typedef struct
{
  const char *id;
  const char *label;
  bool comfyui, diffusers;           /* conventions that have it */
  bool flow_comfyui, flow_diffusers; /* ... for flow matching */
} ScheduleInfo;

const SamplerInfo *sampler_info (SamplerKind kind);
const ScheduleInfo *schedule_info (ScheduleKind kind);
const char *sampler_name (SamplerKind kind);   /* the id */
const char *schedule_name (ScheduleKind kind); /* the id */

/* What the program steps through when nothing is said; @flow: of a flow-matching model. */
ScheduleKind schedule_default (SamplerKind sampler, Convention convention, bool flow);
/* Whether the program has the sampler. */
bool sampler_is_of (SamplerKind sampler, Convention convention);
/* Whether the program has the sampler for a flow-matching model, of clips or of pictures. */
bool sampler_has_flow (SamplerKind sampler, Convention convention, bool clip);

/* Whether the program draws the sampler's noise from a Brownian path in sigma (brownian.h) rather
 * than from the generator that the first noise came from. */
bool sampler_noise_is_path (SamplerKind kind, Convention convention);

/* Ids and labels, ASCII case ignored; also names other programs use ("ddim_uniform", "Uniform").
 * Returns: false and @kind untouched when @name is none of them. */
bool sampler_from_name (const char *name, SamplerKind *kind);
bool schedule_from_name (const char *name, ScheduleKind *kind);
