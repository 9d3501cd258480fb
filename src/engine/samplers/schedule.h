/* SPDX-License-Identifier: MPL-2.0
 * schedule.h - the noise levels and timesteps that a run visits.
 *
 * Programs agree on the samplers' formulas far more than on this list, so a schedule follows one
 * convention to the letter:
 *
 * ComfyUI    sigmas from the table or a curve; the model is told the index of the nearest sigma.
 * Of a flow-matching model sigma is the share of noise, x = (1 - sigma) x0 + sigma n, falls from 1,
 * and is its own timestep (a thousandth of it for Wan); ComfyUI has a table of shifted sigmas,
 * diffusers shifts a linear list.
 *
 * diffusers  what set_timesteps() of the sampler's scheduler class does: timesteps on a spaced
 *            grid, sigmas interpolated there, curves drawn between the resulting ends, timesteps
 *            rounded, truncated or fractional as that class has them.
 */
#pragma once

#include "core/status.h"
#include "samplers/kinds.h"
#include "samplers/noise-table.h"

/* How a denoise strength below 1 shortens the run; @n is the number of steps asked for. */
typedef enum
{
  DENOISE_BY_CONVENTION, /* ComfyUI: int (n / denoise) steps, the last n are done;
                            diffusers: n steps, the last int (n * denoise) are done */
  DENOISE_A1111,         /* the last int (min (denoise, 0.999) * n) + 1 of n */
  DENOISE_A1111_EXACT,   /* int (n / denoise) steps, the last n are done */
} DenoiseRule;

typedef struct
{
  SamplerKind sampler;
  ScheduleKind kind;
  Convention convention;
  int n_steps;
  double denoise; /* 0 < denoise <= 1 */
  DenoiseRule denoise_rule;
  bool from_image;        /* noise is added to a picture (img2img), not to an empty latent */
  bool sdxl;              /* which Align Your Steps table */
  bool plain_first_noise; /* A1111: never the factor sqrt (1 + sigma^2) on the first noise */
  double rho;             /* karras */
  double log_rho;         /* polyexponential */
  double beta_a, beta_b;  /* beta */
  /* diffusers only */
  ScheduleKind spacing;  /* LEADING, TRAILING or LINSPACE, under a curve */
  int steps_offset;      /* added to LEADING timesteps */
  bool set_alpha_to_one; /* DDIM: the last step goes to alpha 1, not to the table's first */
  bool final_sigma_min;  /* end at the table's first sigma instead of 0 */
  /* flow matching: the noise table is not read */
  bool flow;
  double flow_shift; /* mu: sigma = e^mu / (e^mu + 1 / t - 1); 0: sigma = t */
  int flow_levels;   /* of ComfyUI's table */
  bool flow_clip;    /* Wan: what its schedulers do in diffusers, and timesteps of 0 .. 1000 */
} ScheduleParams;

/* The sampler's default schedule, 20 steps, SD's scheduler_config.json (leading, offset 1). */
ScheduleParams schedule_params_default (SamplerKind sampler, Convention convention);

/* Step i takes x from sigma[i], with timestep[i] for the model, to target[i]; then x, kept as
 * x_vp = x / sqrt (1 + sigma^2) where the two differ, counts as noised to sigma[i + 1].  They
 * differ only where diffusers' DDIM, TCD, DPM-Solver or UniPC step to a level that the next step
 * does not start from; after the last step x is the finished latent. */
typedef struct
{
  SamplerKind sampler;
  ScheduleKind kind;
  Convention convention;
  int n;        /* steps; may differ from n_steps: repeats are dropped, grids end where they end */
  float *sigma; /* (n + 1), falling */
  float *timestep; /* (n) */
  float *target;   /* (n) */
  bool flow;
  double flow_times; /* a level's timestep, over the level: 1, or 1000 of Wan */
  /* start: x = init_image_scale * latent (or 0) + init_noise_sigma * noise */
  float init_image_scale, init_noise_sigma;
  /* Ends of the Brownian path: smallest above 0 and largest sigma.  Of the steps that are done in
   * ComfyUI; of the whole run, also where denoise < 1 does its end only, in diffusers and A1111. */
  float path_start, path_end;
} Schedule;

/* schedule_init:
 * @schedule: zeroed or cleared; free with schedule_clear
 * @table: not read for flow matching
 *
 * Fails: ARGUMENT for parameters out of range, UNSUPPORTED when the convention has no such
 * schedule for the sampler, NO_MEMORY
 */
bool schedule_init (Schedule *schedule,
                    const NoiseTable *table,
                    const ScheduleParams *params,
                    Status *status);
void schedule_clear (Schedule *schedule);

/* Timestep that the convention hands to the model for a @sigma between the schedule's. */
double schedule_timestep_for (const Schedule *schedule, const NoiseTable *table, double sigma);

/* The share of the picture at @sigma: x = alpha x0 + sigma n. */
static inline double
schedule_alpha (const Schedule *schedule, double sigma)
{
  return schedule->flow ? 1 - sigma : 1;
}
