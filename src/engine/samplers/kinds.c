/* SPDX-License-Identifier: MPL-2.0
 * kinds.c - the tables of samplers and schedules.
 */
#include "samplers/kinds.h"

#include <stddef.h>
#include <strings.h>

static const SamplerInfo samplers[SAMPLER_COUNT] = {
  [SAMPLER_EULER] = { "euler", "Euler", SCHEDULE_NORMAL, SCHEDULE_LEADING, 1, false, false, 0,
                      true },
  [SAMPLER_EULER_ANCESTRAL] = { "euler_ancestral", "Euler a", SCHEDULE_NORMAL, SCHEDULE_LEADING, 1,
                                true, false, 1, true },
  [SAMPLER_HEUN] = { "heun", "Heun", SCHEDULE_NORMAL, SCHEDULE_LEADING, 2, false, false, 0, true },
  [SAMPLER_DPM_2] = { "dpm_2", "DPM2", SCHEDULE_KARRAS, SCHEDULE_LEADING, 2, false, true, 0, true },
  [SAMPLER_DPM_2_ANCESTRAL] = { "dpm_2_ancestral", "DPM2 a", SCHEDULE_KARRAS, SCHEDULE_LEADING, 2,
                                true, true, 1, true },
  [SAMPLER_LMS] = { "lms", "LMS", SCHEDULE_NORMAL, SCHEDULE_LEADING, 1, false, false, 0, true },
  [SAMPLER_DDIM] = { "ddim", "DDIM", SCHEDULE_DDIM_UNIFORM, SCHEDULE_LEADING, 1, false, false, 0,
                     true },
  [SAMPLER_DDPM] = { "ddpm", "DDPM", SCHEDULE_NORMAL, SCHEDULE_LEADING, 1, true, false, 1, false },
  [SAMPLER_DPMPP_2S_ANCESTRAL] = { "dpmpp_2s_ancestral", "DPM++ 2S a", SCHEDULE_KARRAS,
                                   SCHEDULE_LEADING, 2, true, false, 1, true, true },
  [SAMPLER_DPMPP_2M] = { "dpmpp_2m", "DPM++ 2M", SCHEDULE_KARRAS, SCHEDULE_LEADING, 1, false, false,
                         0, true },
  [SAMPLER_DPMPP_2M_SDE] = { "dpmpp_2m_sde", "DPM++ 2M SDE", SCHEDULE_EXPONENTIAL, SCHEDULE_LEADING,
                             1, true, false, 1, true },
  [SAMPLER_DPMPP_2M_SDE_HEUN] = { "dpmpp_2m_sde_heun", "DPM++ 2M SDE Heun", SCHEDULE_EXPONENTIAL,
                                  SCHEDULE_LEADING, 1, true, false, 1, true },
  [SAMPLER_DPMPP_SDE] = { "dpmpp_sde", "DPM++ SDE", SCHEDULE_KARRAS, SCHEDULE_LEADING, 2, true,
                          false, 1, true },
  [SAMPLER_DPMPP_3M_SDE] = { "dpmpp_3m_sde", "DPM++ 3M SDE", SCHEDULE_EXPONENTIAL, SCHEDULE_LEADING,
                             1, true, false, 1, true, true },
  [SAMPLER_RES_MULTISTEP] = { "res_multistep", "Res Multistep", SCHEDULE_NORMAL, SCHEDULE_LEADING,
                              1, false, false, 0, true },
  [SAMPLER_UNIPC] = { "uni_pc", "UniPC", SCHEDULE_NORMAL, SCHEDULE_LEADING, 1, false, true, 0,
                      true },
  [SAMPLER_UNIPC_BH2] = { "uni_pc_bh2", "UniPC bh2", SCHEDULE_NORMAL, SCHEDULE_LEADING, 1, false,
                          true, 0, true },
  [SAMPLER_LCM] = { "lcm", "LCM", SCHEDULE_SGM_UNIFORM, SCHEDULE_ORIGIN, 1, true, false, 0, true },
  [SAMPLER_TCD] = { "tcd", "TCD", SCHEDULE_SGM_UNIFORM, SCHEDULE_ORIGIN, 1, true, false, 0.3,
                    false },
};

static const ScheduleInfo schedules[SCHEDULE_COUNT] = {
  [SCHEDULE_NORMAL] = { "normal", "Normal", true, false, true, false },
  [SCHEDULE_KARRAS] = { "karras", "Karras", true, true, true, true },
  [SCHEDULE_EXPONENTIAL] = { "exponential", "Exponential", true, true, true, true },
  [SCHEDULE_POLYEXPONENTIAL] = { "polyexponential", "Polyexponential", true, false, true, false },
  [SCHEDULE_SGM_UNIFORM] = { "sgm_uniform", "SGM Uniform", true, false, true, false },
  [SCHEDULE_SIMPLE] = { "simple", "Simple", true, false, true, false },
  [SCHEDULE_BETA] = { "beta", "Beta", true, true, true, true },
  [SCHEDULE_KL_OPTIMAL] = { "kl_optimal", "KL Optimal", true, false, true, false },
  [SCHEDULE_LINEAR_QUADRATIC] = { "linear_quadratic", "Linear Quadratic", true, false, true,
                                  false },
  [SCHEDULE_DDIM_UNIFORM] = { "ddim_uniform", "DDIM", true, false, true, false },
  [SCHEDULE_AYS] = { "ays", "Align Your Steps", true, true, false, false },
  [SCHEDULE_AYS_TIMESTEPS] = { "ays_timesteps", "Align Your Steps timesteps", false, true, false,
                               false },
  [SCHEDULE_LEADING] = { "leading", "Leading", false, true, false, false },
  [SCHEDULE_TRAILING] = { "trailing", "Trailing", false, true, false, false },
  [SCHEDULE_LINSPACE] = { "linspace", "Linspace", false, true, false, true },
  [SCHEDULE_ORIGIN] = { "origin", "Origin", false, true, false, false },
};

static const struct
{
  const char *name;
  SamplerKind kind;
} sampler_aliases[] = {
  { "k_euler", SAMPLER_EULER },
  { "euler_a", SAMPLER_EULER_ANCESTRAL },
  { "k_euler_a", SAMPLER_EULER_ANCESTRAL },
  { "dpm_2_a", SAMPLER_DPM_2_ANCESTRAL },
  { "dpmpp_2s_a", SAMPLER_DPMPP_2S_ANCESTRAL },
  { "dpmpp_2m_sde_gpu", SAMPLER_DPMPP_2M_SDE },
  { "dpmpp_2m_sde_heun_gpu", SAMPLER_DPMPP_2M_SDE_HEUN },
  { "dpmpp_sde_gpu", SAMPLER_DPMPP_SDE },
  { "dpmpp_3m_sde_gpu", SAMPLER_DPMPP_3M_SDE },
  { "unipc", SAMPLER_UNIPC },
  { "unipc_bh2", SAMPLER_UNIPC_BH2 },
};

static const struct
{
  const char *name;
  ScheduleKind kind;
} schedule_aliases[] = {
  { "uniform", SCHEDULE_NORMAL },
  { "align_your_steps", SCHEDULE_AYS },
};

ScheduleKind
schedule_default (SamplerKind sampler, Convention convention, bool flow)
{
  bool diffusers = convention == CONVENTION_DIFFUSERS;
  if (flow)
    return diffusers ? SCHEDULE_LINSPACE : SCHEDULE_SIMPLE;
  return diffusers ? samplers[sampler].diffusers_schedule : samplers[sampler].comfyui_schedule;
}

bool
sampler_is_of (SamplerKind sampler, Convention convention)
{
  return convention != CONVENTION_DIFFUSERS || !samplers[sampler].comfyui_only;
}

/* diffusers' FLUX pipelines are made for FlowMatchEulerDiscreteScheduler, its Wan pipelines for
 * UniPC; DPM++ 2M does what Wan's own second scheduler does. */
bool
sampler_has_flow (SamplerKind sampler, Convention convention, bool clip)
{
  if (convention != CONVENTION_DIFFUSERS)
    return samplers[sampler].flow;
  return sampler == SAMPLER_EULER ||
         (clip && (sampler == SAMPLER_UNIPC_BH2 || sampler == SAMPLER_DPMPP_2M));
}

bool
sampler_noise_is_path (SamplerKind kind, Convention convention)
{
  bool multistep = kind == SAMPLER_DPMPP_2M_SDE || kind == SAMPLER_DPMPP_2M_SDE_HEUN ||
                   kind == SAMPLER_DPMPP_3M_SDE;
  return kind == SAMPLER_DPMPP_SDE || (multistep && convention == CONVENTION_COMFYUI);
}

const SamplerInfo *
sampler_info (SamplerKind kind)
{
  return &samplers[kind];
}

const ScheduleInfo *
schedule_info (ScheduleKind kind)
{
  return &schedules[kind];
}

const char *
sampler_name (SamplerKind kind)
{
  return samplers[kind].id;
}

const char *
schedule_name (ScheduleKind kind)
{
  return schedules[kind].id;
}

bool
sampler_from_name (const char *name, SamplerKind *kind)
{
  for (int i = 0; i < SAMPLER_COUNT; i++)
    if (strcasecmp (name, samplers[i].id) == 0 || strcasecmp (name, samplers[i].label) == 0)
      {
        *kind = (SamplerKind) i;
        return true;
      }
  for (size_t i = 0; i < sizeof sampler_aliases / sizeof *sampler_aliases; i++)
    if (strcasecmp (name, sampler_aliases[i].name) == 0)
      {
        *kind = sampler_aliases[i].kind;
        return true;
      }
  return false;
}

bool
schedule_from_name (const char *name, ScheduleKind *kind)
{
  for (int i = 0; i < SCHEDULE_COUNT; i++)
    if (strcasecmp (name, schedules[i].id) == 0 || strcasecmp (name, schedules[i].label) == 0)
      {
        *kind = (ScheduleKind) i;
        return true;
      }
  for (size_t i = 0; i < sizeof schedule_aliases / sizeof *schedule_aliases; i++)
    if (strcasecmp (name, schedule_aliases[i].name) == 0)
      {
        *kind = schedule_aliases[i].kind;
        return true;
      }
  return false;
}
