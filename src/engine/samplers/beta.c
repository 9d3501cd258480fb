/* SPDX-License-Identifier: MPL-2.0
 * beta.c - regularised incomplete beta function by continued fraction, and its inverse.
 */
#include "samplers/beta.h"

#include <float.h>
#include <math.h>

enum
{
  MAX_TERMS = 500,
  MAX_HALVINGS = 200,
};

static double
log_beta (double a, double b)
{
  int sign; /* lgamma would write a global */
  return lgamma_r (a, &sign) + lgamma_r (b, &sign) - lgamma_r (a + b, &sign);
}

static double
away_from_zero (double v)
{
  const double tiny = 1e-300;
  return fabs (v) < tiny ? tiny : v;
}

/* The continued fraction of DLMF 8.17.22, evaluated by Lentz's method; converges fast for
 * x < (a + 1) / (a + b + 2). */
static double
continued_fraction (double x, double a, double b)
{
  double c = 1;
  double d = 1 / away_from_zero (1 - (a + b) * x / (a + 1));
  double f = d;
  for (int m = 1; m <= MAX_TERMS; m++)
    {
      double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
      d = 1 / away_from_zero (1 + even * d);
      c = away_from_zero (1 + even / c);
      f *= d * c;
      double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
      d = 1 / away_from_zero (1 + odd * d);
      c = away_from_zero (1 + odd / c);
      f *= d * c;
      if (fabs (d * c - 1) < DBL_EPSILON)
        break;
    }
  return f;
}

double
beta_cdf (double x, double a, double b)
{
  if (x <= 0 || x >= 1)
    return x >= 1;
  if (x > (a + 1) / (a + b + 2))
    return 1 - beta_cdf (1 - x, b, a);
  double front = exp (a * log (x) + b * log1p (-x) - log_beta (a, b));
  return front * continued_fraction (x, a, b) / a;
}

/* For p below the value at one half: there x may be tiny and p ~ x^a, so the search halves the
 * interval of ln x, with Newton steps in ln x wherever they stay inside it. */
static double
lower_quantile (double p, double a, double b)
{
  /* cdf (x) <= 2 x^a / (a B (a, b)) below one half */
  double low = (log (p / 2) + log (a) + log_beta (a, b)) / a;
  double high = 0;
  double y = (low + high) / 2;
  for (int i = 0; i < MAX_HALVINGS; i++)
    {
      double x = exp (y);
      double error = beta_cdf (x, a, b) - p;
      if (error > 0)
        high = y;
      else
        low = y;
      double density = exp (a * y + (b - 1) * log1p (-x) - log_beta (a, b)); /* d cdf / d ln x */
      double next = y - error / density;
      if (!(next > low && next < high))
        next = (low + high) / 2;
      if (fabs (next - y) <= 4 * DBL_EPSILON * fmax (1, fabs (y)))
        return exp (next);
      y = next;
    }
  return exp (y);
}

double
beta_quantile (double p, double a, double b)
{
  if (p <= 0 || p >= 1)
    return p >= 1;
  if (p > beta_cdf (0.5, a, b))
    return 1 - lower_quantile (1 - p, b, a);
  return lower_quantile (p, a, b);
}
