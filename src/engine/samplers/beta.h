/* SPDX-License-Identifier: MPL-2.0
 * beta.h - the beta distribution, for the "beta" schedule.
 */
#pragma once

/* Regularised incomplete beta function I_x (a, b); @x in 0 .. 1, @a and @b positive. */
double beta_cdf (double x, double a, double b);

/* Its inverse in x: the quantile of @p.  Relative error below 1e-12. */
double beta_quantile (double p, double a, double b);
