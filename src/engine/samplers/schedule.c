/* SPDX-License-Identifier: MPL-2.0
 * schedule.c - one run's list of sigmas and timesteps, and how denoise < 1 shortens it.
 */
#include "samplers/schedule.h"

#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "samplers/schedule-private.h"

bool
steps_alloc (Steps *steps, int n, Status *status)
{
  double *block = mem_calloc (3 * (size_t) n + 1, sizeof *block);
  if (block == NULL)
    return status_fail (status, STATUS_NO_MEMORY, "There is no memory for a schedule of %d steps.",
                        n);
  *steps =
      (Steps){ .n = n, .sigma = block, .timestep = block + n + 1, .target = block + 2 * n + 1 };
  return true;
}

void
steps_free (Steps *steps)
{
  mem_free (steps->sigma);
  *steps = (Steps){ 0 };
}

void
steps_keep_last (Steps *steps, int n)
{
  int skip = steps->n - n;
  if (skip <= 0)
    return;
  memmove (steps->sigma, steps->sigma + skip, (size_t) (n + 1) * sizeof *steps->sigma);
  memmove (steps->timestep, steps->timestep + skip, (size_t) n * sizeof *steps->timestep);
  memmove (steps->target, steps->target + skip, (size_t) n * sizeof *steps->target);
  steps->n = n;
}

ScheduleParams
schedule_params_default (SamplerKind sampler, Convention convention)
{
  return (ScheduleParams){
    .sampler = sampler,
    .kind = schedule_default (sampler, convention, false),
    .convention = convention,
    .n_steps = 20,
    .denoise = 1,
    .rho = 7,
    .log_rho = 1,
    .beta_a = 0.6,
    .beta_b = 0.6,
    .spacing = SCHEDULE_LEADING,
    .steps_offset = 1,
  };
}

static bool
check_params (const ScheduleParams *p, Status *status)
{
  if (p->n_steps < 1 || p->n_steps > SCHEDULE_MAX_STEPS)
    return status_fail (status, STATUS_ARGUMENT, "%d steps were asked for; choose 1 to %d.",
                        p->n_steps, SCHEDULE_MAX_STEPS);
  if (!(p->denoise > 0 && p->denoise <= 1))
    return status_fail (status, STATUS_ARGUMENT,
                        "A denoise strength of %g was asked for; choose above 0 to 1.", p->denoise);
  if (!(p->rho > 0 && p->log_rho > 0 && p->beta_a > 0 && p->beta_b > 0))
    return status_fail (status, STATUS_ARGUMENT,
                        "The shape of the schedule (rho %g, beta %g and %g) must be positive.",
                        p->rho, p->beta_a, p->beta_b);
  if ((unsigned) p->sampler >= SAMPLER_COUNT || (unsigned) p->kind >= SCHEDULE_COUNT)
    return status_fail (status, STATUS_ARGUMENT,
                        "The sampler or schedule is not one this program knows.");
  return true;
}

/* @total: steps of the full run; @keep: how many of the last are done. */
static void
split_denoise (const ScheduleParams *p, int *total, int *keep)
{
  const double all = 0.9999; /* ComfyUI takes this for 1 */
  const double a1111_most = 0.999;
  *total = *keep = p->n_steps;
  if (p->denoise_rule == DENOISE_A1111 && p->from_image)
    *keep = (int) (fmin (p->denoise, a1111_most) * p->n_steps) + 1;
  else if (p->denoise_rule == DENOISE_BY_CONVENTION && p->convention == CONVENTION_DIFFUSERS &&
           p->flow) /* the pipelines of flow models do not round what is left out up */
    *keep = p->n_steps - (int) (p->n_steps - fmin (p->n_steps * p->denoise, p->n_steps));
  else if (p->denoise_rule == DENOISE_BY_CONVENTION && p->convention == CONVENTION_DIFFUSERS)
    *keep = (int) (p->n_steps * p->denoise);
  else if (p->denoise_rule != DENOISE_A1111 && p->denoise <= all)
    *total = (int) fmin (p->n_steps / p->denoise, SCHEDULE_MAX_TOTAL + 1);
}

/* Sigmas fall, so that only the last can be 0. */
static void
note_path (Steps *steps)
{
  int last = steps->sigma[steps->n] > 0 ? steps->n : steps->n - 1;
  steps->path_start = steps->sigma[last];
  steps->path_end = steps->sigma[0];
}

static bool
store (Schedule *schedule, const Steps *steps, const ScheduleParams *params, Status *status)
{
  int n = steps->n;
  float *block = mem_calloc (3 * (size_t) n + 1, sizeof *block);
  if (block == NULL)
    return status_fail (status, STATUS_NO_MEMORY, "There is no memory for a schedule of %d steps.",
                        n);
  *schedule = (Schedule){ .sampler = params->sampler,
                          .kind = params->kind,
                          .convention = params->convention,
                          .n = n,
                          .flow = params->flow,
                          .flow_times = flow_times (params),
                          .path_start = (float) steps->path_start,
                          .path_end = (float) steps->path_end,
                          .sigma = block,
                          .timestep = block + n + 1,
                          .target = block + 2 * n + 1 };
  for (int i = 0; i <= n; i++)
    schedule->sigma[i] = (float) steps->sigma[i];
  for (int i = 0; i < n; i++)
    {
      schedule->timestep[i] = (float) steps->timestep[i];
      schedule->target[i] = (float) steps->target[i];
    }
  return true;
}

static void
note_start (Schedule *schedule,
            double first_sigma,
            const NoiseTable *table,
            const ScheduleParams *params)
{
  double noise = first_sigma;
  if (!params->flow)
    noise = params->convention == CONVENTION_DIFFUSERS
                ? first_noise_diffusers (first_sigma, params)
                : first_noise_comfyui (first_sigma, table, params);
  /* diffusers' Wan begins with the noise itself, whatever its first level is called */
  if (params->flow_clip && params->convention == CONVENTION_DIFFUSERS && params->denoise >= 1)
    noise = 1;
  schedule->init_noise_sigma = (float) noise;
  schedule->init_image_scale = (float) schedule_alpha (schedule, first_sigma);
}

bool
schedule_init (Schedule *schedule,
               const NoiseTable *table,
               const ScheduleParams *params,
               Status *status)
{
  if (!check_params (params, status))
    return false;
  int total, keep;
  split_denoise (params, &total, &keep);
  if (keep < 1 || total > SCHEDULE_MAX_TOTAL)
    return status_fail (status, STATUS_ARGUMENT,
                        "A denoise strength of %g leaves nothing to do in %d steps; raise either.",
                        params->denoise, params->n_steps);
  bool diffusers = params->convention == CONVENTION_DIFFUSERS;
  if (!sampler_is_of (params->sampler, params->convention))
    return status_fail (status, STATUS_UNSUPPORTED,
                        "diffusers has no sampler %s: choose another, or switch to the ComfyUI "
                        "convention.",
                        sampler_info (params->sampler)->label);
  Steps steps = { 0 };
  bool ok = params->flow ? build_flow (&steps, params, total, status)
            : diffusers  ? build_diffusers (&steps, table, params, total, status)
                         : build_comfyui (&steps, table, params, total, status);
  bool path_of_whole_run = diffusers || params->denoise_rule != DENOISE_BY_CONVENTION;
  if (ok && path_of_whole_run)
    note_path (&steps);
  if (ok && (total != keep || keep != params->n_steps))
    steps_keep_last (&steps, keep);
  if (ok && !path_of_whole_run)
    note_path (&steps);
  double first_sigma = ok ? steps.sigma[0] : 0;
  if (ok && params->flow)
    flow_leave_pure_noise (&steps, params);
  ok = ok && store (schedule, &steps, params, status);
  if (ok)
    note_start (schedule, first_sigma, table, params);
  steps_free (&steps);
  return ok;
}

void
schedule_clear (Schedule *schedule)
{
  mem_free (schedule->sigma);
  *schedule = (Schedule){ 0 };
}

double
schedule_timestep_for (const Schedule *schedule, const NoiseTable *table, double sigma)
{
  if (schedule->flow)
    return sigma * schedule->flow_times;
  return schedule->convention == CONVENTION_DIFFUSERS ? noise_table_timestep (table, sigma)
                                                      : noise_table_nearest (table, sigma);
}
