/* SPDX-License-Identifier: MPL-2.0
 * schedule-diffusers.c - what set_timesteps() of diffusers' scheduler classes computes.
 *
 * The classes fall into families that share a grid:
 *
 * Euler, Euler a, Heun, LMS,        n points; curves run between the grid's ends; timesteps are
 * DPM2, DPM2 a, DPM++ SDE           fractional.
 * DPM++ 2M (SDE), UniPC             n + 1 points without the last; curves span the whole table;
 *                                   timesteps are rounded (karras) or truncated (others).
 * DDIM                              n points; each step goes 1000 / n timesteps down, wherever the
 *                                   next one starts.  DDPM: the same points, from one to the next.
 * LCM, TCD                          picked from the 50 timesteps of the distillation.
 */
#include <math.h>

#include "samplers/schedule-private.h"

enum
{
  LAST = NOISE_TABLE_STEPS - 1
};

typedef enum
{
  FAMILY_EULER,
  FAMILY_DPM,
  FAMILY_DDIM,
  FAMILY_ORIGIN
} Family;

static Family
family_of (SamplerKind sampler)
{
  switch (sampler)
    {
    case SAMPLER_DPMPP_2M:
    case SAMPLER_DPMPP_2M_SDE:
    case SAMPLER_DPMPP_2M_SDE_HEUN:
    case SAMPLER_RES_MULTISTEP:
    case SAMPLER_UNIPC:
    case SAMPLER_UNIPC_BH2:
      return FAMILY_DPM;
    case SAMPLER_DDIM:
    case SAMPLER_DDPM:
      return FAMILY_DDIM;
    case SAMPLER_LCM:
    case SAMPLER_TCD:
      return FAMILY_ORIGIN;
    case SAMPLER_EULER:
    case SAMPLER_EULER_ANCESTRAL:
    case SAMPLER_HEUN:
    case SAMPLER_DPM_2:
    case SAMPLER_DPM_2_ANCESTRAL:
    case SAMPLER_LMS:
    case SAMPLER_DPMPP_SDE:
    case SAMPLER_DPMPP_2S_ANCESTRAL: /* diffusers has neither of these: see sampler_is_of */
    case SAMPLER_DPMPP_3M_SDE:
    case SAMPLER_COUNT:
    default:
      return FAMILY_EULER;
    }
}

static bool
is_spacing (ScheduleKind kind)
{
  return kind == SCHEDULE_LEADING || kind == SCHEDULE_TRAILING || kind == SCHEDULE_LINSPACE;
}

/* numpy.linspace (0, 999, n_points), point @i. */
static double
linspace_point (int i, int n_points)
{
  if (n_points < 2)
    return 0;
  return i == n_points - 1 ? LAST : i * ((double) LAST / (n_points - 1));
}

/* Timesteps (n) of @spacing, falling.  @extra: 1 for the family that lays n + 1 points and leaves
 * the lowest out.  @whole: round to whole timesteps. */
static void
fill_grid (Steps *steps, ScheduleKind spacing, int n, int extra, bool whole, int offset)
{
  double *t = steps->timestep;
  int stride = NOISE_TABLE_STEPS / (n + extra);
  /* numpy.arange multiplies a step it has rounded once; halves depend on it */
  double down = (NOISE_TABLE_STEPS + -(double) NOISE_TABLE_STEPS / n) - NOISE_TABLE_STEPS;
  for (int i = 0; i < n; i++)
    {
      if (spacing == SCHEDULE_LEADING)
        t[i] = (double) (n - 1 + extra - i) * stride + offset;
      else if (spacing == SCHEDULE_TRAILING)
        t[i] = rint (NOISE_TABLE_STEPS + i * down) - 1;
      else
        t[i] = linspace_point (n - 1 + extra - i, n + extra);
      if (whole)
        t[i] = rint (t[i]);
    }
}

static void
sigmas_from_timesteps (Steps *steps, const NoiseTable *table)
{
  for (int i = 0; i < steps->n; i++)
    steps->sigma[i] = noise_table_sigma_linear (table, steps->timestep[i]);
}

/* True when @kind is a curve, which then replaces sigma (n). */
static bool
fill_curve (double *sigma, int n, double max, double min, const ScheduleParams *params)
{
  if (params->kind == SCHEDULE_KARRAS)
    curve_karras (sigma, n, max, min, params->rho);
  else if (params->kind == SCHEDULE_EXPONENTIAL)
    curve_exponential (sigma, n, max, min);
  else if (params->kind == SCHEDULE_BETA)
    curve_beta (sigma, n, max, min, params->beta_a, params->beta_b);
  else
    return false;
  return true;
}

static void
timesteps_from_sigmas (Steps *steps, const NoiseTable *table)
{
  for (int i = 0; i < steps->n; i++)
    steps->timestep[i] = noise_table_timestep (table, steps->sigma[i]);
}

static void
fill_euler (Steps *steps, const NoiseTable *table, const ScheduleParams *params)
{
  sigmas_from_timesteps (steps, table);
  bool curve =
      fill_curve (steps->sigma, steps->n, steps->sigma[0], steps->sigma[steps->n - 1], params);
  bool dpm_2 = params->sampler == SAMPLER_DPM_2 || params->sampler == SAMPLER_DPM_2_ANCESTRAL;
  if (curve)
    timesteps_from_sigmas (steps, table);
  for (int i = 0; curve && dpm_2 && params->kind == SCHEDULE_KARRAS && i < steps->n; i++)
    steps->timestep[i] = rint (steps->timestep[i]);
}

static void
fill_dpm (Steps *steps, const NoiseTable *table, const ScheduleParams *params)
{
  double max = noise_table_sigma_max (table), min = noise_table_sigma_min (table);
  if (!fill_curve (steps->sigma, steps->n, max, min, params))
    {
      sigmas_from_timesteps (steps, table);
      return;
    }
  timesteps_from_sigmas (steps, table);
  for (int i = 0; i < steps->n; i++)
    steps->timestep[i] =
        params->kind == SCHEDULE_KARRAS ? rint (steps->timestep[i]) : trunc (steps->timestep[i]);
}

static bool
unsupported (const ScheduleParams *params, Status *status)
{
  return status_fail (status, STATUS_UNSUPPORTED,
                      "diffusers has no schedule \"%s\" for %s; choose \"%s\" or switch to the "
                      "ComfyUI convention.",
                      schedule_info (params->kind)->label, sampler_info (params->sampler)->label,
                      schedule_info (sampler_info (params->sampler)->diffusers_schedule)->label);
}

static void
fill_ays_timesteps (Steps *steps, const NoiseTable *table, bool sdxl)
{
  for (int i = 0; i < steps->n; i++)
    steps->timestep[i] = ays_timesteps (sdxl)[i];
  sigmas_from_timesteps (steps, table);
}

/* floor (numpy.linspace (0, 50, n, endpoint=False)) counted down from timestep 999. */
static void
fill_origin (Steps *steps, const NoiseTable *table)
{
  const int stride = NOISE_TABLE_STEPS / ORIGIN_STEPS;
  for (int i = 0; i < steps->n; i++)
    {
      int index = (int) floor (i * ((double) ORIGIN_STEPS / steps->n));
      steps->timestep[i] = (ORIGIN_STEPS - index) * stride - 1;
    }
  sigmas_from_timesteps (steps, table);
}

static bool
check_kind (const ScheduleParams *params, Family family, int n, Status *status)
{
  ScheduleKind kind = params->kind;
  bool curve = kind == SCHEDULE_KARRAS || kind == SCHEDULE_EXPONENTIAL || kind == SCHEDULE_BETA;
  bool fits = is_spacing (kind) || curve;
  if (family == FAMILY_DDIM)
    fits = is_spacing (kind);
  else if (family == FAMILY_ORIGIN)
    fits = kind == SCHEDULE_ORIGIN;
  else if (kind == SCHEDULE_AYS)
    fits = family == FAMILY_EULER;
  else if (kind == SCHEDULE_AYS_TIMESTEPS)
    fits = true;
  if (!fits || (curve && !is_spacing (params->spacing)))
    return unsupported (params, status);
  if (kind == SCHEDULE_AYS_TIMESTEPS && n != AYS_TIMESTEPS)
    return status_fail (status, STATUS_ARGUMENT,
                        "The Align Your Steps timesteps are a list of %d; set the steps to %d.",
                        AYS_TIMESTEPS, AYS_TIMESTEPS);
  if (family == FAMILY_ORIGIN && n > ORIGIN_STEPS)
    return status_fail (status, STATUS_ARGUMENT, "%s takes at most %d steps; %d were asked for.",
                        sampler_info (params->sampler)->label, ORIGIN_STEPS, n);
  return true;
}

static void
fill_family (Steps *steps, const NoiseTable *table, const ScheduleParams *params, Family family)
{
  ScheduleKind spacing = is_spacing (params->kind) ? params->kind : params->spacing;
  int n = steps->n;
  if (family == FAMILY_ORIGIN)
    fill_origin (steps, table);
  else if (params->kind == SCHEDULE_AYS_TIMESTEPS)
    fill_ays_timesteps (steps, table, params->sdxl);
  else if (params->kind == SCHEDULE_AYS)
    {
      /* the list that users pass as "sigmas" has 10 steps; other lengths are resampled from it */
      resample_log_linear (steps->sigma, n + 1, ays_sigmas (params->sdxl, true), AYS_POINTS);
      timesteps_from_sigmas (steps, table);
    }
  else if (family == FAMILY_DPM)
    {
      fill_grid (steps, spacing, n, spacing == SCHEDULE_TRAILING ? 0 : 1, true,
                 params->steps_offset);
      fill_dpm (steps, table, params);
    }
  else
    {
      fill_grid (steps, spacing, n, 0, family == FAMILY_DDIM, params->steps_offset);
      fill_euler (steps, table, params);
    }
}

/* DDIM's idea of the previous timestep, and what TCD ends on: see Schedule. */
static void
fill_targets (Steps *steps, const NoiseTable *table, const ScheduleParams *params, Family family)
{
  int n = steps->n;
  for (int i = 0; i < n; i++)
    steps->target[i] = steps->sigma[i + 1];
  if (params->sampler == SAMPLER_DDIM)
    for (int i = 0; i < n; i++)
      {
        int previous = (int) steps->timestep[i] - NOISE_TABLE_STEPS / n;
        double last = params->set_alpha_to_one ? 0 : noise_table_sigma_min (table);
        steps->target[i] = previous >= 0 ? noise_table_sigma_linear (table, previous) : last;
      }
  else if (params->sampler == SAMPLER_TCD)
    steps->target[n - 1] = noise_table_sigma_min (table);
}

/* final_sigmas_type "sigma_min": the classes that keep x / sqrt (1 + sigma^2) hand out just that.
 */
static void
end_at_sigma_min (Steps *steps,
                  const NoiseTable *table,
                  const ScheduleParams *params,
                  Family family)
{
  int n = steps->n;
  bool unipc = params->sampler == SAMPLER_UNIPC || params->sampler == SAMPLER_UNIPC_BH2;
  bool on_curve = !is_spacing (params->kind) && params->kind != SCHEDULE_AYS_TIMESTEPS;
  double last = unipc && on_curve ? steps->sigma[n - 1] : noise_table_sigma_min (table);
  steps->target[n - 1] = last;
  if (family == FAMILY_EULER)
    steps->sigma[n] = last;
}

bool
build_diffusers (
    Steps *steps, const NoiseTable *table, const ScheduleParams *params, int n, Status *status)
{
  Family family = family_of (params->sampler);
  if (!check_kind (params, family, n, status) || !steps_alloc (steps, n, status))
    return false;
  fill_family (steps, table, params, family);
  steps->sigma[n] = 0;
  fill_targets (steps, table, params, family);
  bool can_end_early = family == FAMILY_DPM || params->sampler == SAMPLER_EULER;
  if (params->final_sigma_min && !can_end_early)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "%s cannot end at the smallest sigma in diffusers; switch that off.",
                        sampler_info (params->sampler)->label);
  if (params->final_sigma_min)
    end_at_sigma_min (steps, table, params, family);
  return true;
}

/* The classes in sigma space start with variance sigma^2 or, on a leading grid, sigma^2 + 1; the
 * others with unit noise as x_vp.  A picture gets noise of variance sigma^2 in all of them. */
double
first_noise_diffusers (double sigma, const ScheduleParams *params)
{
  ScheduleKind spacing = is_spacing (params->kind) ? params->kind : params->spacing;
  bool leading = family_of (params->sampler) != FAMILY_EULER || spacing == SCHEDULE_LEADING;
  return leading && !params->from_image ? sqrt (1 + sigma * sigma) : sigma;
}
