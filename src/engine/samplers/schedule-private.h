/* SPDX-License-Identifier: MPL-2.0
 * schedule-private.h - what the two conventions share while they build a list of sigmas.
 */
#pragma once

#include "samplers/schedule.h"

enum
{
  SCHEDULE_MAX_STEPS = 1000,
  SCHEDULE_MAX_TOTAL = 100000, /* of a full run that denoise < 1 does the end of */
  AYS_POINTS = 11,
  AYS_TIMESTEPS = 10,
  ORIGIN_STEPS = 50, /* timesteps that LCM and TCD were distilled on */
};

/* Growable list of steps while they are computed; sigma has one value more than n. */
typedef struct
{
  int n;
  double *sigma;    /* (n + 1) */
  double *timestep; /* (n) */
  double *target;   /* (n) */
  double path_start, path_end;
} Steps;

bool steps_alloc (Steps *steps, int n, Status *status);
void steps_free (Steps *steps);
/* Drops the first steps so that @n are left. */
void steps_keep_last (Steps *steps, int n);

/* Curves from @max to @min over @n points into @sigma (n). */
void curve_karras (double *sigma, int n, double max, double min, double rho);
void curve_exponential (double *sigma, int n, double max, double min);
void curve_kl_optimal (double *sigma, int n, double max, double min);
/* From @max: the first half of the steps takes 1 / 40 of the way, evenly, the others the rest. */
void curve_linear_quadratic (double *sigma, int n, double max);
/* @n points of sigma = min + quantile * (max - min): diffusers' and A1111's "beta". */
void curve_beta (double *sigma, int n, double max, double min, double a, double b);

/* @table (n_table), falling and positive, resampled to @n points log-linearly. */
void resample_log_linear (double *sigma, int n, const double *table, int n_table);

/* Align Your Steps (Sabour et al. 2024): the authors' values, or rounded as diffusers and A1111
 * have them; and diffusers' timesteps. */
const double *ays_sigmas (bool sdxl, bool rounded);
const int *ays_timesteps (bool sdxl);

/* Fill @steps with a full run of @n steps, before denoise < 1 cuts it. */
bool build_comfyui (
    Steps *steps, const NoiseTable *table, const ScheduleParams *params, int n, Status *status);
bool build_diffusers (
    Steps *steps, const NoiseTable *table, const ScheduleParams *params, int n, Status *status);

/* Samplers whose formulas divide by 1 - sigma begin a little below sigma 1, as ComfyUI has it. */
void flow_leave_pure_noise (Steps *steps, const ScheduleParams *params);
double flow_times (const ScheduleParams *params);
bool build_flow (Steps *steps, const ScheduleParams *params, int n, Status *status);

/* ComfyUI's curves, in f32 as k-diffusion computes them. */
void comfyui_karras (double *sigma, int n, double max, double min, double rho);
void comfyui_exponential (double *sigma, int n, double max, double min);
void comfyui_polyexponential (double *sigma, int n, double max, double min, double rho);
/* torch.linspace (@from, @to, @n_points), point @i, in f32. */
float comfyui_linspace (float from, float to, int n_points, int i);

/* Factor on the noise that a run starting at @sigma begins with. */
double first_noise_comfyui (double sigma, const NoiseTable *table, const ScheduleParams *params);
double first_noise_diffusers (double sigma, const ScheduleParams *params);
