/* SPDX-License-Identifier: MPL-2.0
 * midpoint.c - samplers that ask the network again in the middle of a step: DPM2, DPM2 ancestral
 * and DPM++ 2S ancestral (k-diffusion's sampling.py, after DPM-Solver-2 of Lu et al. 2022 and
 * algorithm 1 of DPM-Solver++).
 *
 * A step goes down to a level below its target, by eta, and noise brings it up again.  DPM2 uses
 * the slope in the middle for the whole way, DPM++ 2S the clean picture seen there.
 */
#include <math.h>

#include "samplers/step.h"

/* From x at the step's level to scale * (x at @down) + fresh * noise. */
typedef struct
{
  double down, scale, fresh;
} Descent;

/* Of a flow-matching model x is scaled on its way up, so that its share of the picture is that of
 * the target (k-diffusion's *_RF). */
static Descent
descent_of (const Schedule *s, double sigma, double target, double eta)
{
  Descent d = { target, 1, 0 };
  if (!(eta > 0 && target > 0 && target < sigma))
    return d;
  if (s->flow)
    {
      d.down = target * fmax (1 + (target / sigma - 1) * eta, 0);
      d.scale = (1 - target) / (1 - d.down);
      d.fresh = sqrt (fmax (target * target - d.down * d.down * d.scale * d.scale, 0));
      return d;
    }
  d.fresh = fmin (target, eta * target * sqrt (1 - target * target / (sigma * sigma)));
  d.down = sqrt (target * target - d.fresh * d.fresh);
  return d;
}

/* Half way between the two levels in log sigma, or for DPM++ 2S in lambda, which is the same but
 * for a flow-matching model.  Returns: 0 when the way ends at a clean picture */
static double
middle_of (const Sampler *s, double sigma, double down)
{
  const double below_pure_noise = 0.9999; /* k-diffusion's, where lambda has no value */
  if (down <= 0)
    return 0;
  if (s->kind != SAMPLER_DPMPP_2S_ANCESTRAL || !s->schedule->flow)
    return sqrt (sigma * down);
  return sigma >= 1 ? below_pure_noise : level_half_way (s->schedule, sigma, down);
}

/* DPM2 is DPM2 ancestral with no eta. */
static double
eta_of (const Sampler *s)
{
  return s->kind == SAMPLER_DPM_2 ? 0 : s->options.eta;
}

double
midpoint_level (const Sampler *s, int step)
{
  double sigma = s->schedule->sigma[step];
  Descent d = descent_of (s->schedule, sigma, s->schedule->target[step], eta_of (s));
  return middle_of (s, sigma, d.down);
}

static bool
ask_in_the_middle (const Step *step, double middle, float *x2, float *x0)
{
  Sampler *s = step->sampler;
  double keep = middle / step->sigma;
  combine (x2, step->n, (Term[]){ { keep, step->x }, { 1 - keep, x0 } }, 2);
  return step_denoise (step, x2, middle, schedule_timestep_for (s->schedule, s->table, middle), x0);
}

bool
step_midpoint (const Step *step)
{
  Sampler *s = step->sampler;
  float *x0 = s->scratch[0], *x2 = s->scratch[1], *noise = s->scratch[2];
  Descent d = descent_of (s->schedule, step->sigma, step->target, eta_of (s));
  double middle = middle_of (s, step->sigma, d.down);
  if (!step_denoise (step, step->x, step->sigma, step->timestep, x0) ||
      (middle > 0 && !ask_in_the_middle (step, middle, x2, x0)) ||
      (d.fresh > 0 && !step_noise (step, step->sigma, step->target, noise)))
    return false;
  bool has_slope = middle > 0 && s->kind != SAMPLER_DPMPP_2S_ANCESTRAL;
  double ratio = d.down / step->sigma, slope = (d.down - step->sigma) / middle;
  Term terms[4] = { { d.scale * (has_slope ? 1 : ratio), step->x },
                    { d.scale * (has_slope ? -slope : 1 - ratio), x0 } };
  int n_terms = 2;
  if (has_slope)
    terms[n_terms++] = (Term){ d.scale * slope, x2 };
  if (d.fresh > 0)
    terms[n_terms++] = (Term){ d.fresh * s->options.s_noise, noise };
  combine (step->x, step->n, terms, n_terms);
  return true;
}
