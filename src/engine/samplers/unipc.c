/* SPDX-License-Identifier: MPL-2.0
 * unipc.c - UniPC (Zhao et al. 2023), multistep, predicting x0, variants bh1 and bh2.
 *
 * A step first corrects the present x with the model output just obtained for it, then predicts
 * the next x.  Notation of the paper: lambda = ln (alpha / sigma), h = lambda_t - lambda_0, r_k the
 * place of the k-th older output in units of h, R rho = b with B (h) = -h (bh1) or e^-h - 1 (bh2).
 */
#include <math.h>

#include "samplers/step.h"

enum
{
  MAX_ORDER = SAMPLER_MAX_HISTORY
};

typedef struct
{
  int order;
  double keep;         /* sigma_t / sigma_0 */
  double alpha;        /* at t */
  double ratio;        /* e^-h */
  double r[MAX_ORDER]; /* of the order - 1 older outputs, then 1 */
  double b[MAX_ORDER];
  double scale; /* alpha_t B (h) */
} Update;

/* ComfyUI ends at this sigma instead of 0, where lambda is infinite. */
static const double comfyui_last_sigma = 0.001;

static double
half_log_snr (const Schedule *s, double sigma)
{
  return log (step_alpha (s, sigma) / sigma);
}

/* The move from sigma[from] to @target, with outputs known at from, from - 1, ... */
static Update
make_update (const Sampler *s, int from, double target, int order)
{
  const float *sigma = s->schedule->sigma;
  Update u = { .order = order,
               .keep = target / sigma[from],
               .alpha = step_alpha (s->schedule, target) };
  double lambda = half_log_snr (s->schedule, sigma[from]);
  double h = half_log_snr (s->schedule, target) - lambda;
  u.ratio = u.keep * step_alpha (s->schedule, sigma[from]) / u.alpha;
  for (int k = 0; k < order - 1; k++)
    u.r[k] = (half_log_snr (s->schedule, sigma[from - 1 - k]) - lambda) / h;
  u.r[order - 1] = 1;
  double b_of_h = s->kind == SAMPLER_UNIPC ? -h : expm1 (-h);
  u.scale = u.alpha * b_of_h;
  double phi = expm1 (-h) / -h - 1;
  double factorial = 1;
  for (int k = 0; k < order; k++)
    {
      u.b[k] = phi * factorial / b_of_h;
      factorial *= k + 2;
      phi = phi / -h - 1 / factorial;
    }
  return u;
}

/* Solves sum_j r_j^k rho_j = b_k for the first @n of both, by elimination with pivoting. */
static void
solve_rho (const Update *u, int n, double *rho)
{
  double m[MAX_ORDER][MAX_ORDER + 1];
  for (int k = 0; k < n; k++)
    {
      for (int j = 0; j < n; j++)
        m[k][j] = k == 0 ? 1 : m[k - 1][j] * u->r[j];
      m[k][n] = u->b[k];
    }
  for (int c = 0; c < n; c++)
    {
      int pivot = c;
      for (int k = c + 1; k < n; k++)
        if (fabs (m[k][c]) > fabs (m[pivot][c]))
          pivot = k;
      for (int j = 0; j <= n; j++)
        {
          double t = m[c][j];
          m[c][j] = m[pivot][j];
          m[pivot][j] = t;
        }
      for (int k = 0; k < n; k++)
        for (int j = n; k != c && j >= c; j--)
          m[k][j] -= m[k][c] / m[c][c] * m[c][j];
    }
  for (int k = 0; k < n; k++)
    rho[k] = m[k][n] / m[k][k];
}

/* out = keep base + alpha (1 - ratio) m0 - alpha B sum rho_k (m_k - m0) / r_k, with @older the m_k
 * for the first order - 1 of them and @fresh (r = 1), NULL in a prediction, for the last. */
static void
apply_update (const Step *step,
              const Update *u,
              const double *rho,
              float *out,
              const float *base,
              const float *m0,
              float *const *older,
              const float *fresh)
{
  Term terms[MAX_ORDER + 2] = { { u->keep, base }, { u->alpha * (1 - u->ratio), m0 } };
  int n_terms = 2;
  int n_rho = fresh != NULL ? u->order : u->order - 1;
  for (int k = 0; k < n_rho; k++)
    {
      double factor = -u->scale * rho[k] / u->r[k];
      terms[n_terms++] = (Term){ factor, k < u->order - 1 ? older[k] : fresh };
      terms[1].factor -= factor;
    }
  combine (out, step->n, terms, n_terms);
}

/* The present x again, now that the model has been asked about it; into @out. */
static void
correct (const Step *step, float *out, const float *fresh)
{
  Sampler *s = step->sampler;
  Update u = make_update (s, step->index - 1, step->sigma, s->last_order);
  double rho[MAX_ORDER] = { 0.5 };
  if (u.order > 1)
    solve_rho (&u, u.order, rho);
  apply_update (step, &u, rho, out, s->last_x, s->history[0], s->history + 1, fresh);
}

static void
predict (const Step *step, const float *x, double target, int order)
{
  Sampler *s = step->sampler;
  Update u = make_update (s, step->index, target, order);
  double rho[MAX_ORDER] = { 0.5 };
  if (order > 2)
    solve_rho (&u, order - 1, rho);
  apply_update (step, &u, rho, step->x, x, s->history[0], s->history + 1, NULL);
}

/* The formulas divide by every difference of lambda: levels that repeat allow order 1 only. */
static bool
levels_differ (const Sampler *s, int index, int order)
{
  for (int i = index; i > index - order + 1; i--)
    if (s->schedule->sigma[i] == s->schedule->sigma[i - 1])
      return false;
  return true;
}

static int
order_now (const Sampler *s, int index)
{
  int n = s->schedule->n;
  int order = s->options.order;
  /* ComfyUI never goes above n - 1 */
  if (s->schedule->convention == CONVENTION_COMFYUI && order > n - 1)
    order = n > 1 ? n - 1 : 1;
  if (order > n - index)
    order = n - index;
  if (order > s->n_history)
    order = s->n_history;
  return levels_differ (s, index, order) ? order : 1;
}

bool
step_unipc (const Step *step)
{
  Sampler *s = step->sampler;
  float *x0 = s->scratch[0], *corrected = s->scratch[1];
  if (!step_denoise (step, step->x, step->sigma, step->timestep, x0))
    return false;
  const float *x = step->x;
  if (s->n_history > 0 && s->schedule->sigma[step->index - 1] != s->schedule->sigma[step->index])
    {
      correct (step, corrected, x0);
      x = corrected;
    }
  step_remember (step);
  combine (s->last_x, step->n, (Term[]){ { 1, x } }, 1);
  s->last_order = order_now (s, step->index);
  double target = step->target;
  if (target <= 0 && s->schedule->convention == CONVENTION_COMFYUI)
    target = comfyui_last_sigma;
  if (target <= 0) /* every term but D vanishes */
    combine (step->x, step->n, (Term[]){ { 1, s->history[0] } }, 1);
  else if (target == step->sigma)
    combine (step->x, step->n, (Term[]){ { 1, s->last_x } }, 1);
  else
    predict (step, s->last_x, target, s->last_order);
  return true;
}
