/* SPDX-License-Identifier: MPL-2.0
 * schedule-comfyui.c - the schedules of ComfyUI (and, through k-diffusion, of A1111).
 */
#include <math.h>

#include "samplers/beta.h"
#include "samplers/schedule-private.h"

enum
{
  LAST = NOISE_TABLE_STEPS - 1
};

float
comfyui_linspace (float from, float to, int n_points, int i)
{
  float step = n_points > 1 ? (to - from) / (float) (n_points - 1) : 0;
  bool upper = i < n_points / 2 || n_points == 1;
  return upper ? fmaf (step, (float) i, from) : fmaf (-step, (float) (n_points - 1 - i), to);
}

/* Evenly spaced timesteps from 999 down to 0 in @n_points, of which the first n become sigmas.  In
 * f32: see noise_table_sigma_log_linear for why the last digit counts. */
static void
fill_uniform (double *sigma, int n, int n_points, const NoiseTable *table)
{
  for (int i = 0; i < n; i++)
    sigma[i] = noise_table_sigma_log_linear (table, comfyui_linspace (LAST, 0, n_points, i));
}

/* k-diffusion computes its curves in f32, and a Brownian path tells sigmas apart that differ in
 * their last digit only. */
void
comfyui_karras (double *sigma, int n, double max, double min, double rho)
{
  double from = pow (max, 1 / rho), to = pow (min, 1 / rho);
  for (int i = 0; i < n; i++)
    {
      float move = comfyui_linspace (0, 1, n, i) * (float) (to - from);
      float root = (float) from + move;
      sigma[i] = (float) pow (root, rho);
    }
}

void
comfyui_exponential (double *sigma, int n, double max, double min)
{
  float from = (float) log (max), to = (float) log (min);
  for (int i = 0; i < n; i++)
    sigma[i] = (float) exp (comfyui_linspace (from, to, n, i));
}

void
comfyui_polyexponential (double *sigma, int n, double max, double min, double rho)
{
  float low = (float) log (min), span = (float) (log (max) - log (min));
  for (int i = 0; i < n; i++)
    {
      float ramp = (float) pow (comfyui_linspace (1, 0, n, i), rho);
      sigma[i] = (float) exp (ramp * span + low);
    }
}

static void
fill_simple (double *sigma, int n, const NoiseTable *table)
{
  double stride = (double) NOISE_TABLE_STEPS / n;
  for (int i = 0; i < n; i++)
    sigma[i] = table->sigma[LAST - (int) (i * stride)];
}

/* Table indices 1, 1 + N / n, ... while they last, from the top: not always n of them. */
static int
ddim_uniform_count (int n)
{
  int stride = NOISE_TABLE_STEPS / n > 1 ? NOISE_TABLE_STEPS / n : 1;
  return (LAST + stride - 1) / stride;
}

static void
fill_ddim_uniform (double *sigma, int count, int n, const NoiseTable *table)
{
  int stride = NOISE_TABLE_STEPS / n > 1 ? NOISE_TABLE_STEPS / n : 1;
  for (int i = 0; i < count; i++)
    sigma[i] = table->sigma[1 + (count - 1 - i) * stride];
}

/* Table indices at the quantiles of a beta distribution; repeats are dropped.  Returns: how many
 * are left. */
static int
fill_beta (double *sigma, int n, const ScheduleParams *params, const NoiseTable *table)
{
  int count = 0;
  int previous = -1;
  for (int i = 0; i < n; i++)
    {
      double u = 1 - (double) i / n;
      int index = (int) rint (beta_quantile (u, params->beta_a, params->beta_b) * LAST);
      if (index != previous)
        sigma[count++] = table->sigma[index];
      previous = index;
    }
  return count;
}

/* The last point of the resampled curve is not visited: it becomes 0. */
static void
fill_ays (double *sigma, int n, bool sdxl)
{
  resample_log_linear (sigma, n + 1, ays_sigmas (sdxl, false), AYS_POINTS);
}

static bool
unsupported (const ScheduleParams *params, Status *status)
{
  return status_fail (
      status, STATUS_UNSUPPORTED,
      "The schedule \"%s\" exists in diffusers only; choose \"%s\" or switch to the "
      "diffusers convention.",
      schedule_info (params->kind)->label,
      schedule_info (sampler_info (params->sampler)->comfyui_schedule)->label);
}

/* Fills sigma (n, or n + 1 for the kinds that need the room) and sets steps->n. */
static bool
fill_sigmas (
    Steps *steps, const NoiseTable *table, const ScheduleParams *params, int n, Status *status)
{
  double min = noise_table_sigma_min (table), max = noise_table_sigma_max (table);
  double *sigma = steps->sigma;
  switch (params->kind)
    {
    case SCHEDULE_NORMAL:
      fill_uniform (sigma, n, n, table);
      return true;
    case SCHEDULE_SGM_UNIFORM:
      fill_uniform (sigma, n, n + 1, table);
      return true;
    case SCHEDULE_SIMPLE:
      fill_simple (sigma, n, table);
      return true;
    case SCHEDULE_DDIM_UNIFORM:
      fill_ddim_uniform (sigma, steps->n, n, table);
      return true;
    case SCHEDULE_KARRAS:
      comfyui_karras (sigma, n, max, min, params->rho);
      return true;
    case SCHEDULE_EXPONENTIAL:
      comfyui_exponential (sigma, n, max, min);
      return true;
    case SCHEDULE_POLYEXPONENTIAL:
      comfyui_polyexponential (sigma, n, max, min, params->log_rho);
      return true;
    case SCHEDULE_LINEAR_QUADRATIC:
      curve_linear_quadratic (sigma, n, max);
      return true;
    case SCHEDULE_KL_OPTIMAL:
      curve_kl_optimal (sigma, n, max, min);
      return true;
    case SCHEDULE_BETA:
      steps->n = fill_beta (sigma, n, params, table);
      return true;
    case SCHEDULE_AYS:
      fill_ays (sigma, n, params->sdxl);
      return true;
    case SCHEDULE_AYS_TIMESTEPS:
    case SCHEDULE_LEADING:
    case SCHEDULE_TRAILING:
    case SCHEDULE_LINSPACE:
    case SCHEDULE_ORIGIN:
    case SCHEDULE_COUNT:
    default:
      return unsupported (params, status);
    }
}

/* ComfyUI's max_denoise: at the model's strongest noise the start has the variance of x there. */
double
first_noise_comfyui (double sigma, const NoiseTable *table, const ScheduleParams *params)
{
  const double close = 1e-5;
  double max = noise_table_sigma_max (table);
  bool strongest = sigma > max || fabs (sigma - max) <= close * fmax (sigma, max);
  return strongest && !params->plain_first_noise ? sqrt (1 + sigma * sigma) : sigma;
}

bool
build_comfyui (
    Steps *steps, const NoiseTable *table, const ScheduleParams *params, int n, Status *status)
{
  bool discard = sampler_info (params->sampler)->discards_penultimate;
  int n_points = discard ? n + 1 : n;
  int count = params->kind == SCHEDULE_DDIM_UNIFORM ? ddim_uniform_count (n_points) : n_points;
  if (!steps_alloc (steps, count, status) || !fill_sigmas (steps, table, params, n_points, status))
    return false;
  if (discard && steps->n > 1)
    steps->n--;
  steps->sigma[steps->n] = 0;
  for (int i = 0; i < steps->n; i++)
    {
      steps->timestep[i] = noise_table_nearest (table, steps->sigma[i]);
      steps->target[i] = steps->sigma[i + 1];
    }
  return true;
}
