/* SPDX-License-Identifier: MPL-2.0
 * dpm.c - DPM-Solver++ (Lu et al. 2022): 2M, 2M SDE, 3M SDE and the single-step SDE.
 *
 * In sigma space alpha = 1 and lambda = -ln sigma, h = lambda' - lambda; of a flow model alpha =
 * 1 - sigma and lambda = ln (alpha / sigma), but for 2M, see step_alpha.  Differences
 * against the last model output are written with h / h_last, so that a step of no length divides by
 * nothing.
 */
#include <math.h>

#include "samplers/step.h"

enum
{
  SHORT_RUN = 15, /* below this many steps diffusers ends with a first-order step */
};

/* h / @h_last, or 0 when this step has to be of first order. */
static double
inverse_r (const Step *step, double h, double h_last)
{
  const Sampler *s = step->sampler;
  bool last = step->index == s->schedule->n - 1;
  bool diffusers = s->schedule->convention == CONVENTION_DIFFUSERS;
  bool first_order = s->options.first_order_last || s->schedule->n < SHORT_RUN;
  if (s->n_history == 0 || step->target <= 0 || (diffusers && last && first_order))
    return 0;
  return h_last > 0 ? h / h_last : 0;
}

bool
step_dpmpp_2m (const Step *step)
{
  Sampler *s = step->sampler;
  float *x0 = s->scratch[0];
  if (!step_denoise (step, step->x, step->sigma, step->timestep, x0))
    return false;
  const Schedule *schedule = s->schedule;
  double last_sigma = step->index > 0 ? schedule->sigma[step->index - 1] : step->sigma;
  double alpha = step_alpha (schedule, step->target), alpha_0 = step_alpha (schedule, step->sigma);
  double alpha_last = step_alpha (schedule, last_sigma), keep = step->target / step->sigma;
  double ratio = keep * alpha_0 / alpha; /* e^-h */
  double h = -log (ratio);
  double k = inverse_r (step, h, log (last_sigma / step->sigma * alpha_0 / alpha_last));
  double second = 0;
  if (k > 0)
    second = alpha * k * (s->options.heun ? (ratio - 1) / h + 1 : (1 - ratio) / 2);
  Term terms[] = { { keep, step->x },
                   { alpha * (1 - ratio) + second, x0 },
                   { -second, s->history[0] } };
  combine (step->x, step->n, terms, k > 0 ? 3 : 2);
  step_remember (step);
  return true;
}

bool
step_dpmpp_2m_sde (const Step *step)
{
  Sampler *s = step->sampler;
  float *x0 = s->scratch[0], *noise = s->scratch[1];
  double eta = s->options.eta;
  double ratio = step->target / step->sigma;
  double h = step_lambda (step, step->sigma, step->target), h_eta = h * (1 + eta);
  double fresh = step->target > 0 ? step->target * sqrt (-expm1 (-2 * h * eta)) : 0;
  if (!step_denoise (step, step->x, step->sigma, step->timestep, x0))
    return false;
  if (fresh > 0 && !step_noise (step, step->sigma, step->target, noise))
    return false;
  double keep = step->target > 0 ? ratio * exp (-h * eta) : 0;
  double alpha = schedule_alpha (s->schedule, step->target);
  double first = -expm1 (-h_eta);
  double last_sigma = step->index > 0 ? s->schedule->sigma[step->index - 1] : step->sigma;
  double k = inverse_r (step, h, step_lambda (step, last_sigma, step->sigma));
  double second = 0;
  if (k > 0)
    second = k * (s->options.heun ? 1 - first / h_eta : first / 2);
  Term terms[4] = { { keep, step->x }, { alpha * (first + second), x0 } };
  int n_terms = 2;
  if (fresh > 0)
    terms[n_terms++] = (Term){ fresh * s->options.s_noise, noise };
  if (k > 0)
    terms[n_terms++] = (Term){ -alpha * second, s->history[0] };
  combine (step->x, step->n, terms, n_terms);
  step_remember (step);
  return true;
}

/* Factors of the model's last three outputs, newest first, and how many there are. */
typedef struct
{
  double factor[3];
  int n;
} Outputs;

/* The exponential integrator's polynomial through the outputs: k-diffusion's sample_dpmpp_3m_sde.
 * @h: of this step in lambda, times 1 + eta in @h_eta */
static Outputs
third_order (const Step *step, double h, double h_eta)
{
  const Sampler *s = step->sampler;
  const float *sigma = s->schedule->sigma;
  int i = step->index, n = step->target > 0 ? s->n_history : 0;
  double h_1 = n > 0 ? step_lambda (step, sigma[i - 1], sigma[i]) : 0;
  double h_2 = n > 1 ? step_lambda (step, sigma[i - 2], sigma[i - 1]) : 0;
  double first = -expm1 (-h_eta);
  Outputs o = { { first }, 1 };
  if (!(h > 0 && h_1 > 0))
    return o;
  double phi_2 = 1 - first / h_eta, phi_3 = phi_2 / h_eta - 0.5;
  double r = h_1 / h, r_2 = h_2 / h, slope = phi_2 / r, bend = 0;
  if (h_2 > 0) /* of the two differences over their lengths */
    {
      slope = (phi_2 + (phi_2 * r - phi_3) / (r + r_2)) / r;
      bend = -(phi_2 * r - phi_3) / (r + r_2) / r_2;
    }
  o.factor[0] += slope;
  o.factor[1] = bend - slope;
  o.factor[2] = -bend;
  o.n = h_2 > 0 ? 3 : 2;
  return o;
}

bool
step_dpmpp_3m_sde (const Step *step)
{
  Sampler *s = step->sampler;
  float *x0 = s->scratch[0], *noise = s->scratch[1];
  double eta = s->options.eta, h = step_lambda (step, step->sigma, step->target);
  double fresh = step->target > 0 ? step->target * sqrt (-expm1 (-2 * h * eta)) : 0;
  if (!step_denoise (step, step->x, step->sigma, step->timestep, x0) ||
      (fresh > 0 && !step_noise (step, step->sigma, step->target, noise)))
    return false;
  double keep = step->target > 0 ? step->target / step->sigma * exp (-h * eta) : 0;
  double alpha = schedule_alpha (s->schedule, step->target);
  Outputs o = third_order (step, h, h * (1 + eta));
  Term terms[5] = { { keep, step->x } };
  int n_terms = 1;
  for (int i = 0; i < o.n; i++)
    terms[n_terms++] = (Term){ alpha * o.factor[i], i == 0 ? x0 : s->history[i - 1] };
  if (fresh > 0)
    terms[n_terms++] = (Term){ fresh * s->options.s_noise, noise };
  combine (step->x, step->n, terms, n_terms);
  step_remember (step);
  return true;
}

/* Where a step lies on the path that its noise comes from. */
typedef struct
{
  double from, middle, to;
} Stretch;

/* -lambda to sigma. */
static double
sigma_of (const Schedule *schedule, double level)
{
  return schedule->flow ? 1 / (1 + exp (-level)) : exp (level);
}

/* In f32 as the programs compute it: the path is resolved to 1e-6, so that the last digits of a
 * sigma of 14 change what it gives.  diffusers takes the ends, too, there and back through
 * lambda. */
static Stretch
stretch_of (const Step *step)
{
  const Schedule *schedule = step->sampler->schedule;
  float from = (float) log (schedule_alpha (schedule, step->sigma) / step->sigma);
  float to = (float) log (schedule_alpha (schedule, step->target) / step->target);
  float h = to - from, middle = from + h * 0.5f;
  Stretch s = { step->sigma, (float) sigma_of (schedule, -(double) middle), step->target };
  if (schedule->convention == CONVENTION_DIFFUSERS)
    {
      s.from = (float) exp (-(double) from);
      s.to = (float) exp (-(double) to);
    }
  return s;
}

/* The noise of the whole step, given in @noise that of its first part: both belong to one Brownian
 * path in sigma.  Independent noises would cost the sampler its second order. */
static bool
extend_noise (const Step *step, const Stretch *s, float *noise, float *scratch)
{
  if (!step_noise (step, s->middle, s->to, scratch))
    return false;
  double whole = s->from - s->to;
  double first = sqrt ((s->from - s->middle) / whole);
  double second = sqrt ((s->middle - s->to) / whole);
  combine (noise, step->n, (Term[]){ { first, noise }, { second, scratch } }, 2);
  return true;
}

double
level_half_way (const Schedule *s, double sigma, double target)
{
  double alpha = schedule_alpha (s, sigma), alpha_to = schedule_alpha (s, target);
  double level = sqrt (sigma / alpha * (target / alpha_to));
  return s->flow ? level / (1 + level) : level;
}

/* Half way in lambda, then the whole step with the slope found there. */
bool
step_dpmpp_sde (const Step *step)
{
  Sampler *s = step->sampler;
  float *x0 = s->scratch[0], *x2 = s->scratch[1], *noise = s->scratch[2];
  if (!step_denoise (step, step->x, step->sigma, step->timestep, x0))
    return false;
  if (step->target <= 0)
    {
      combine (step->x, step->n, (Term[]){ { 1, x0 } }, 1);
      return true;
    }
  double middle = level_half_way (s->schedule, step->sigma, step->target);
  double timestep = schedule_timestep_for (s->schedule, s->table, middle);
  Stretch stretch = stretch_of (step);
  bool draws = s->options.eta > 0 && stretch.to < stretch.middle && stretch.middle < stretch.from;
  double eta = draws ? s->options.eta : 0;
  if (draws && !step_noise (step, stretch.from, stretch.middle, noise))
    return false;
  step_ancestral (step, x2, step->x, x0, middle, eta, noise);
  if (!step_denoise (step, x2, middle, timestep, x0) ||
      (draws && !extend_noise (step, &stretch, noise, x2)))
    return false;
  step_ancestral (step, step->x, step->x, x0, step->target, eta, noise);
  return true;
}
