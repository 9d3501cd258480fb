/* SPDX-License-Identifier: MPL-2.0
 * lcm.c - samplers of distilled models: LCM (Luo et al. 2023) and TCD (Zheng et al. 2024).
 */
#include <math.h>

#include "samplers/step.h"

/* LCM's boundary condition mixes a little of the model's input into D.  ComfyUI has it in a patch
 * of the model, not in its sampler. */
static void
apply_boundary (const Step *step, float *x0)
{
  const double sigma_data = 0.5, timestep_scaling = 10;
  double t = step->timestep * timestep_scaling;
  double norm = t * t + sigma_data * sigma_data;
  double skip = sigma_data * sigma_data / norm * prediction_input_scale (step->sigma);
  combine (x0, step->n, (Term[]){ { t / sqrt (norm), x0 }, { skip, step->x } }, 2);
}

bool
step_lcm (const Step *step)
{
  Sampler *s = step->sampler;
  float *x0 = s->scratch[0], *noise = s->scratch[1];
  if (!step_denoise (step, step->x, step->sigma, step->timestep, x0))
    return false;
  if (step->target > 0 && !step_noise (step, step->sigma, step->target, noise))
    return false;
  if (s->schedule->convention == CONVENTION_DIFFUSERS)
    apply_boundary (step, x0);
  double fresh = step->target * s->options.s_noise;
  double alpha = schedule_alpha (s->schedule, step->target);
  combine (step->x, step->n, (Term[]){ { alpha, x0 }, { fresh, noise } }, step->target > 0 ? 2 : 1);
  return true;
}

/* sigma of the timestep floor ((1 - gamma) t'), to which the model's noise takes x before fresh
 * noise brings it up to t'.  The product is in f32, as diffusers has it. */
static double
sigma_between (const Step *step, double gamma)
{
  const Sampler *s = step->sampler;
  bool last = step->index == s->schedule->n - 1;
  float next = last ? 0 : s->schedule->timestep[step->index + 1];
  return noise_table_sigma_linear (s->table, floorf ((float) (1 - gamma) * next));
}

bool
step_tcd (const Step *step)
{
  Sampler *s = step->sampler;
  float *x0 = s->scratch[0], *noise = s->scratch[1];
  double between = fmin (sigma_between (step, s->options.eta), step->target);
  double fresh = sqrt (step->target * step->target - between * between) * s->options.s_noise;
  bool draws = s->options.eta > 0 && fresh > 0 && step->index < s->schedule->n - 1;
  if (!step_denoise (step, step->x, step->sigma, step->timestep, x0))
    return false;
  if (draws && !step_noise (step, step->sigma, step->target, noise))
    return false;
  double ratio = between / step->sigma;
  Term terms[] = { { ratio, step->x }, { 1 - ratio, x0 }, { fresh, noise } };
  combine (step->x, step->n, terms, draws ? 3 : 2);
  return true;
}
