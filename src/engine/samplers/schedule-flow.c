/* SPDX-License-Identifier: MPL-2.0
 * schedule-flow.c - noise levels of flow-matching models (FLUX.1), for both conventions.
 *
 * The shift moves levels towards noise, the more so the more tokens a picture has (Esser et al.
 * 2024, 5.3.2; Black Forest Labs' sampling.py).  ComfyUI (ModelSamplingFlux,
 * ModelSamplingDiscreteFlow) lists the shifted levels of i / N and treats the list like SD's table;
 * where it shifts a level that it takes for a timestep a second time, so does this.  diffusers
 * (FlowMatchEulerDiscreteScheduler) shifts 1, 1 - 1 / n, ..., 1 / n for FLUX.1.  For Wan its
 * schedulers are left to themselves, and each has a list of its own.
 */
#include <math.h>

#include "samplers/beta.h"
#include "samplers/schedule-private.h"

enum
{
  WAN_LEVELS = 1000 /* that it was trained on */
};

/* ComfyUI's offset_first_sigma_for_snr. */
static const double pure_noise_offset = 1e-4;

static double
shifted (double t, double mu)
{
  double e = exp (mu);
  return e / (e + (1 / t - 1));
}

/* Entry @i of ComfyUI's table. */
static double
level (const ScheduleParams *p, int i)
{
  return shifted ((double) (i + 1) / p->flow_levels, p->flow_shift);
}

/* Levels at evenly spaced timesteps, which are levels themselves. */
static void
fill_uniform (double *sigma, const ScheduleParams *p, int n, int n_points)
{
  float from = 1, to = (float) level (p, 0);
  for (int i = 0; i < n; i++)
    sigma[i] = shifted (comfyui_linspace (from, to, n_points, i), p->flow_shift);
}

static void
fill_simple (double *sigma, const ScheduleParams *p, int n)
{
  double stride = (double) p->flow_levels / n;
  for (int i = 0; i < n; i++)
    sigma[i] = level (p, p->flow_levels - 1 - (int) (i * stride));
}

/* Entries 1, 1 + N / n, ... while they last, from the top: not always n of them. */
static int
ddim_uniform_stride (const ScheduleParams *p, int n)
{
  return p->flow_levels / n > 1 ? p->flow_levels / n : 1;
}

static int
ddim_uniform_count (const ScheduleParams *p, int n)
{
  int stride = ddim_uniform_stride (p, n);
  return (p->flow_levels - 2) / stride + 1;
}

static void
fill_ddim_uniform (double *sigma, const ScheduleParams *p, int count, int n)
{
  int stride = ddim_uniform_stride (p, n);
  for (int i = 0; i < count; i++)
    sigma[i] = level (p, 1 + (count - 1 - i) * stride);
}

/* Entries at the quantiles of a beta distribution; repeats are dropped.  Returns: how many are
 * left. */
static int
fill_beta (double *sigma, const ScheduleParams *p, int n)
{
  int count = 0, previous = -1;
  for (int i = 0; i < n; i++)
    {
      double u = 1 - (double) i / n;
      int index = (int) rint (beta_quantile (u, p->beta_a, p->beta_b) * (p->flow_levels - 1));
      if (index != previous)
        sigma[count++] = level (p, index);
      previous = index;
    }
  return count;
}

static bool
unsupported (const ScheduleParams *p, Status *status)
{
  return status_fail (status, STATUS_UNSUPPORTED,
                      "The schedule \"%s\" is not defined for flow-matching models such as FLUX; "
                      "choose \"%s\".",
                      schedule_info (p->kind)->label,
                      schedule_info (schedule_default (p->sampler, p->convention, true))->label);
}

static bool
fill_comfyui (Steps *steps, const ScheduleParams *p, int n, Status *status)
{
  double *sigma = steps->sigma, max = 1, min = level (p, 0);
  switch ((int) p->kind)
    {
    case SCHEDULE_NORMAL:
      fill_uniform (sigma, p, n, n);
      return true;
    case SCHEDULE_SGM_UNIFORM:
      fill_uniform (sigma, p, n, n + 1);
      return true;
    case SCHEDULE_SIMPLE:
      fill_simple (sigma, p, n);
      return true;
    case SCHEDULE_DDIM_UNIFORM:
      fill_ddim_uniform (sigma, p, steps->n, n);
      return true;
    case SCHEDULE_KARRAS:
      comfyui_karras (sigma, n, max, min, p->rho);
      return true;
    case SCHEDULE_EXPONENTIAL:
      comfyui_exponential (sigma, n, max, min);
      return true;
    case SCHEDULE_POLYEXPONENTIAL:
      comfyui_polyexponential (sigma, n, max, min, p->log_rho);
      return true;
    case SCHEDULE_LINEAR_QUADRATIC:
      curve_linear_quadratic (sigma, n, max);
      return true;
    case SCHEDULE_KL_OPTIMAL:
      curve_kl_optimal (sigma, n, max, min);
      return true;
    case SCHEDULE_BETA:
      steps->n = fill_beta (sigma, p, n);
      return true;
    default:
      return unsupported (p, status);
    }
}

/* From level @from in @n_points to @to, rounded as numpy's linspace is: timesteps are cut to whole
 * numbers, so that a last bit can count. */
static double
between (double from, double to, int n_points, int i)
{
  if (n_points > 1 && i == n_points - 1)
    return to;
  return n_points > 1 ? i * ((to - from) / (n_points - 1)) + from : from;
}

/* As diffusers writes it, with the shift that was asked for: e^mu misses it by a last bit, and
 * people write few digits. */
static double
clip_shifted (double sigma, double mu)
{
  const double digits = 1e9;
  double shift = rint (exp (mu) * digits) / digits;
  return shift * sigma / (1 + (shift - 1) * sigma);
}

/* UniPCMultistepScheduler and DPMSolverMultistepScheduler with flow sigmas (the second is Wan's own
 * list, too); FlowMatchEulerDiscreteScheduler shifts its end twice. */
static double
clip_level (const ScheduleParams *p, int n, int i)
{
  const double least = 1.0 / WAN_LEVELS, off_pure_noise = 1e-6;
  if (p->sampler == SAMPLER_EULER)
    return shifted (between (1, shifted (least, p->flow_shift), n, i), p->flow_shift);
  if (p->sampler == SAMPLER_DPMPP_2M)
    return clip_shifted (1 - between (1, least, n + 1, n - i), p->flow_shift);
  double sigma = clip_shifted (between (1, least, n + 1, i), p->flow_shift);
  return fabs (sigma - 1) < off_pure_noise ? sigma - off_pure_noise : sigma;
}

/* The curves run between the ends of the shifted list. */
static bool
fill_diffusers (Steps *steps, const ScheduleParams *p, int n, Status *status)
{
  double *sigma = steps->sigma;
  for (int i = 0; i < n; i++)
    sigma[i] = p->flow_clip ? clip_level (p, n, i) : shifted (1 - (double) i / n, p->flow_shift);
  double max = sigma[0], min = sigma[n - 1];
  switch ((int) p->kind)
    {
    case SCHEDULE_LINSPACE:
      return true;
    case SCHEDULE_KARRAS:
      curve_karras (sigma, n, max, min, p->rho);
      return true;
    case SCHEDULE_EXPONENTIAL:
      curve_exponential (sigma, n, max, min);
      return true;
    case SCHEDULE_BETA:
      curve_beta (sigma, n, max, min, p->beta_a, p->beta_b);
      return true;
    default:
      return unsupported (p, status);
    }
}

static bool
check_flow (const ScheduleParams *p, Status *status)
{
  if (!sampler_has_flow (p->sampler, p->convention, p->flow_clip))
    return status_fail (status, STATUS_UNSUPPORTED,
                        "The sampler %s is not defined for flow-matching models such as FLUX%s; "
                        "choose Euler.",
                        sampler_info (p->sampler)->label,
                        p->convention == CONVENTION_DIFFUSERS ? " in diffusers" : "");
  const double most = 20; /* e^20: every level is noise already */
  if (!(fabs (p->flow_shift) <= most))
    return status_fail (status, STATUS_ARGUMENT,
                        "A shift of %g was asked for; choose 0 to 4, 1.15 being FLUX's own.",
                        p->flow_shift);
  return p->flow_levels >= 2 ||
         status_fail (status, STATUS_ARGUMENT, "A flow schedule needs at least two levels.");
}

double
flow_times (const ScheduleParams *p)
{
  return p->flow_clip ? WAN_LEVELS : 1;
}

/* Multistep schedulers of diffusers keep timesteps as whole numbers. */
static double
timestep_of (const ScheduleParams *p, double sigma)
{
  double t = sigma * flow_times (p);
  bool whole = p->flow_clip && p->convention == CONVENTION_DIFFUSERS && p->sampler != SAMPLER_EULER;
  return whole ? floor (t) : t;
}

bool
build_flow (Steps *steps, const ScheduleParams *p, int n, Status *status)
{
  bool comfyui = p->convention == CONVENTION_COMFYUI;
  bool discard = comfyui && sampler_info (p->sampler)->discards_penultimate;
  int n_points = discard ? n + 1 : n, count = n_points;
  if (!check_flow (p, status))
    return false;
  if (comfyui && p->kind == SCHEDULE_DDIM_UNIFORM)
    count = ddim_uniform_count (p, n_points);
  if (!steps_alloc (steps, count, status) ||
      !(comfyui ? fill_comfyui (steps, p, n_points, status) : fill_diffusers (steps, p, n, status)))
    return false;
  if (discard && steps->n > 1)
    steps->n--;
  steps->sigma[steps->n] = 0;
  for (int i = 0; i < steps->n; i++)
    {
      steps->timestep[i] = timestep_of (p, steps->sigma[i]);
      steps->target[i] = steps->sigma[i + 1];
    }
  return true;
}

void
flow_leave_pure_noise (Steps *steps, const ScheduleParams *p)
{
  bool divides = p->sampler == SAMPLER_DPMPP_SDE || p->sampler == SAMPLER_DPMPP_2M_SDE ||
                 p->sampler == SAMPLER_DPMPP_2M_SDE_HEUN || p->sampler == SAMPLER_DPMPP_3M_SDE;
  if (divides && steps->sigma[0] >= 1)
    {
      steps->sigma[0] = shifted (1 - pure_noise_offset, p->flow_shift);
      steps->timestep[0] = timestep_of (p, steps->sigma[0]);
    }
}
