/* SPDX-License-Identifier: MPL-2.0
 * lms.c - linear multistep, of order 4 (k-diffusion's sampling.py): a polynomial in sigma through
 * the slopes of the last steps, integrated over this one.  The history holds slopes, not pictures.
 */
#include <math.h>

#include "samplers/step.h"

enum
{
  MAX_ORDER = 4
};

/* The polynomial that is 1 at step @step - @j's level and 0 at the others', at @sigma. */
static double
basis (const float *levels, int step, int order, int j, double sigma)
{
  double product = 1;
  for (int k = 0; k < order; k++)
    if (k != j)
      product *= (sigma - (double) levels[step - k]) /
                 ((double) levels[step - j] - (double) levels[step - k]);
  return product;
}

/* Its integral from the step's level to @target: Gauss's rule of two points is exact for cubics. */
static double
integral (const float *levels, int step, int order, int j, double target)
{
  double from = (double) levels[step], half = (target - from) / 2, middle = from + half;
  double off = half / sqrt (3);
  return half * (basis (levels, step, order, j, middle - off) +
                 basis (levels, step, order, j, middle + off));
}

/* ComfyUI takes the clean picture in the last step, diffusers integrates down to 0. */
bool
step_lms (const Step *step)
{
  Sampler *s = step->sampler;
  float *slope = s->scratch[0], *x0 = s->scratch[1];
  if (!step_denoise (step, step->x, step->sigma, step->timestep, x0))
    return false;
  combine (slope, step->n, (Term[]){ { 1 / step->sigma, step->x }, { -1 / step->sigma, x0 } }, 2);
  int order = s->n_history + 1 < MAX_ORDER ? s->n_history + 1 : MAX_ORDER;
  Term terms[1 + MAX_ORDER] = { { 1, step->x } };
  for (int j = 0; j < order; j++)
    terms[1 + j] = (Term){ integral (s->schedule->sigma, step->index, order, j, step->target),
                           j == 0 ? slope : s->history[j - 1] };
  if (step->target <= 0 && s->schedule->convention == CONVENTION_COMFYUI)
    combine (step->x, step->n, (Term[]){ { 1, x0 } }, 1);
  else
    combine (step->x, step->n, terms, 1 + order);
  step_remember (step);
  return true;
}
