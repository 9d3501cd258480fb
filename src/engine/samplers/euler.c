/* SPDX-License-Identifier: MPL-2.0
 * euler.c - Euler, Euler ancestral, DDIM and Heun.
 *
 * The probability flow has dx / dsigma = (x - D) / sigma (Karras et al. 2022, algorithm 1).  DDIM
 * with eta (Song et al. 2021, equation 12), divided by sqrt (alpha), is the ancestral step.  The
 * flow of x = (1 - sigma) x0 + sigma n has the same slope.
 */
#include <math.h>

#include "samplers/step.h"

/* Down to a level below @target, then up to it: x is scaled so that its share of the picture is
 * that of @target, and gets what noise is wanting (k-diffusion's sample_euler_ancestral_RF). */
static void
flow_ancestral (const Step *step, const float *x0, double eta, const float *noise)
{
  double target = step->target, down = target * (1 + (target / step->sigma - 1) * eta);
  double ratio = down / step->sigma, up = (1 - target) / (1 - down);
  double fresh = sqrt (fmax (target * target - down * down * up * up, 0));
  Term terms[] = { { up * ratio, step->x },
                   { up * (1 - ratio), x0 },
                   { fresh * step->sampler->options.s_noise, noise } };
  combine (step->x, step->n, terms, fresh > 0 ? 3 : 2);
}

bool
step_euler (const Step *step)
{
  Sampler *s = step->sampler;
  float *x0 = s->scratch[0];
  if (!step_denoise (step, step->x, step->sigma, step->timestep, x0))
    return false;
  double eta = s->kind == SAMPLER_EULER ? 0 : s->options.eta;
  bool draws = eta > 0 && step->target > 0 && step->target < step->sigma;
  if (draws && !step_noise (step, step->sigma, step->target, s->scratch[1]))
    return false;
  if (s->schedule->flow)
    flow_ancestral (step, x0, draws ? eta : 0, s->scratch[1]);
  else
    step_ancestral (step, step->x, step->x, x0, step->target, eta, s->scratch[1]);
  return true;
}

/* x + (d + d2) / 2 (target - sigma), d and d2 the slopes at both ends of an Euler step. */
bool
step_heun (const Step *step)
{
  Sampler *s = step->sampler;
  float *x0 = s->scratch[0], *x2 = s->scratch[1], *x02 = s->scratch[2];
  double ratio = step->target / step->sigma;
  if (!step_denoise (step, step->x, step->sigma, step->timestep, x0))
    return false;
  combine (x2, step->n, (Term[]){ { ratio, step->x }, { 1 - ratio, x0 } }, 2);
  if (step->target > 0)
    {
      double timestep = s->schedule->timestep[step->index + 1];
      if (!step_denoise (step, x2, step->target, timestep, x02))
        return false;
      double h = (step->target - step->sigma) / 2;
      double a = h / step->sigma, b = h / step->target;
      Term terms[] = { { 1 + a, step->x }, { -a, x0 }, { b, x2 }, { -b, x02 } };
      combine (step->x, step->n, terms, 4);
    }
  else
    combine (step->x, step->n, (Term[]){ { 1, x2 } }, 1);
  return true;
}
