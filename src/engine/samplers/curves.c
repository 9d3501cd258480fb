/* SPDX-License-Identifier: MPL-2.0
 * curves.c - closed-form and tabulated noise curves that both conventions draw from.
 */
#include <math.h>

#include "samplers/beta.h"
#include "samplers/schedule-private.h"

/* Position of point @i of @n in 0 .. 1; a lone point is the first. */
static double
ramp (int i, int n)
{
  return n > 1 ? (double) i / (n - 1) : 0;
}

/* Karras et al. 2022, equation 5. */
void
curve_karras (double *sigma, int n, double max, double min, double rho)
{
  double from = pow (max, 1 / rho), to = pow (min, 1 / rho);
  for (int i = 0; i < n; i++)
    sigma[i] = pow (from + ramp (i, n) * (to - from), rho);
}

void
curve_exponential (double *sigma, int n, double max, double min)
{
  double from = log (max), to = log (min);
  for (int i = 0; i < n; i++)
    sigma[i] = exp (i == n - 1 && n > 1 ? to : from + (to - from) / (n > 1 ? n - 1 : 1) * i);
}

/* Sabour et al. 2024, theorem 3.1. */
void
curve_kl_optimal (double *sigma, int n, double max, double min)
{
  for (int i = 0; i < n; i++)
    sigma[i] = tan (ramp (i, n) * atan (min) + (1 - ramp (i, n)) * atan (max));
}

/* The schedule of Genmo's Mochi, as ComfyUI has it. */
void
curve_linear_quadratic (double *sigma, int n, double max)
{
  const double share = 0.025;
  int n_even = n / 2, n_rest = n - n_even;
  for (int i = 0; i < n; i++)
    {
      double even = n_even > 0 ? share / n_even : 0, at = i - n_even;
      double bend = (1 - share - even * n_rest) / ((double) n_rest * n_rest);
      double done = at < 0 ? even * i : n_even > 0 ? share + even * at + bend * at * at : 0;
      sigma[i] = max * (1 - done);
    }
}

void
curve_beta (double *sigma, int n, double max, double min, double a, double b)
{
  for (int i = 0; i < n; i++)
    sigma[i] = min + beta_quantile (1 - ramp (i, n), a, b) * (max - min);
}

void
resample_log_linear (double *sigma, int n, const double *table, int n_table)
{
  for (int i = 0; i < n; i++)
    {
      double position = ramp (i, n) * (n_table - 1);
      int j = (int) position < n_table - 1 ? (int) position : n_table - 2;
      double w = position - j;
      sigma[i] = exp ((1 - w) * log (table[j]) + w * log (table[j + 1]));
    }
}

const double *
ays_sigmas (bool sdxl, bool rounded)
{
  static const double sd1[AYS_POINTS] = { 14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520,
                                          1.8841921177,  1.3943805092, 0.9642583904, 0.6523686016,
                                          0.3977456272,  0.1515232662, 0.0291671582 };
  static const double xl[AYS_POINTS] = { 14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769,
                                         1.3405244945,  0.8620721141, 0.5550693289, 0.3798540708,
                                         0.2332364134,  0.1114188177, 0.0291671582 };
  static const double sd1_rounded[AYS_POINTS] = { 14.615, 6.475, 3.861, 2.697, 1.886, 1.396,
                                                  0.963,  0.652, 0.399, 0.152, 0.029 };
  static const double xl_rounded[AYS_POINTS] = { 14.615, 6.315, 3.771, 2.181, 1.342, 0.862,
                                                 0.555,  0.380, 0.234, 0.113, 0.029 };
  if (rounded)
    return sdxl ? xl_rounded : sd1_rounded;
  return sdxl ? xl : sd1;
}

const int *
ays_timesteps (bool sdxl)
{
  static const int sd1[AYS_TIMESTEPS] = { 999, 850, 736, 645, 545, 455, 343, 233, 124, 24 };
  static const int xl[AYS_TIMESTEPS] = { 999, 845, 730, 587, 443, 310, 193, 116, 53, 13 };
  return sdxl ? xl : sd1;
}
