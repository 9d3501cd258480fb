/* SPDX-License-Identifier: MPL-2.0
 * test-sampler-steps.c - DPM2, DPM2 a, DPM++ 2S a, DPM++ 3M SDE, LMS, Res Multistep and DDPM
 * against their published formulas, written out for one value in double, of noise-predicting and of
 * flow-matching models; the orders at which they converge.
 */
#include <glib.h>
#include <math.h>

#include "core/rng.h"
#include "samplers/sampler.h"

static const double data_mean = 0.4, data_deviation = 0.6;

/* Signal over noise is (1 - flow * sigma) / sigma. */
static double
alpha_of (bool flow, double sigma)
{
  return flow ? 1 - sigma : 1;
}

/* E [x0 | x] of normal data. */
static double
gaussian_x0 (bool flow, double x, double sigma)
{
  double a = alpha_of (flow, sigma), d2 = data_deviation * data_deviation;
  return data_mean + a * d2 / (a * a * d2 + sigma * sigma) * (x - a * data_mean);
}

/* The flow carries x along with its quantile. */
static double
gaussian_flow (bool flow, double x, double from, double to)
{
  double a = alpha_of (flow, from), b = alpha_of (flow, to);
  double before = hypot (a * data_deviation, from), after = hypot (b * data_deviation, to);
  return b * data_mean + (x - a * data_mean) * after / before;
}

/* Not linear in x. */
static double
bent_x0 (bool flow, double x, double sigma)
{
  return tanh (1.5 * gaussian_x0 (flow, x, sigma)) + 0.1 * sin (3 * log (sigma));
}

typedef struct
{
  double (*x0) (bool flow, double x, double sigma);
  bool flow;
} Model;

static bool
denoise_cb (void *data, const float *x, double sigma, double timestep, float *x0, Status *status)
{
  const Model *m = data;
  *x0 = (float) m->x0 (m->flow, *x, sigma);
  return true;
}

static void
normal_cb (void *data, double sigma, double sigma_next, float *out, int64_t n)
{
  rng_normal (data, out, n);
}

typedef struct
{
  NoiseTable table;
  Schedule schedule;
  Sampler sampler;
  Rng rng;
} Run;

static void
run_open (Run *run, SamplerKind kind, ScheduleKind schedule, bool flow, double eta, int n_steps)
{
  Status status = { 0 };
  ScheduleParams params = schedule_params_default (kind, CONVENTION_COMFYUI);
  SamplerOptions options = sampler_options_default (kind, CONVENTION_COMFYUI);
  NoiseTableParams table = noise_table_params_default (CONVENTION_COMFYUI);
  params.kind = schedule;
  params.n_steps = n_steps;
  params.flow = flow;
  params.flow_shift = 1.15;
  params.flow_levels = 1000;
  options.eta = eta;
  *run = (Run){ 0 };
  if (!noise_table_init (&run->table, &table, &status) ||
      !schedule_init (&run->schedule, &run->table, &params, &status) ||
      !sampler_init (&run->sampler, kind, &run->table, &run->schedule, &options, 1, &status))
    g_error ("%s", status.message);
  rng_init (&run->rng, RNG_CPU, 1);
}

static float
run_to (Run *run, Model model, float x, int end)
{
  Status status = { 0 };
  const Denoiser denoiser = { denoise_cb, &model };
  const NoiseSource noise = { normal_cb, &run->rng };
  for (int i = 0; i < end; i++)
    if (!sampler_step (&run->sampler, i, &x, &denoiser, &noise, &status))
      g_error ("%s", status.message);
  return x;
}

static void
run_close (Run *run)
{
  sampler_clear (&run->sampler);
  schedule_clear (&run->schedule);
}

/* ---- the formulas ---- */

typedef struct
{
  bool flow;
  double eta;
  Rng rng;
  const float *s;
  int n;
} Reference;

static double
draw (Reference *r)
{
  float v;
  rng_normal (&r->rng, &v, 1);
  return v;
}

static double
model (const Reference *r, double x, double sigma)
{
  return bent_x0 (r->flow, x, sigma);
}

/* k-diffusion's get_ancestral_step, and what its *_RF samplers compute in its place. */
static void
ancestral (const Reference *r, int i, double *down, double *scale, double *noise)
{
  double a = r->s[i], b = r->s[i + 1];
  if (r->flow)
    {
      *down = b * (1 + (b / a - 1) * r->eta);
      *scale = (1 - b) / (1 - *down);
      *noise = sqrt (b * b - *down * *down * *scale * *scale);
      return;
    }
  *noise = fmin (b, r->eta * sqrt (b * b * (a * a - b * b) / (a * a)));
  *down = sqrt (b * b - *noise * *noise);
  *scale = 1;
}

/* sample_dpm_2 and sample_dpm_2_ancestral(_RF) */
static double
reference_dpm_2 (Reference *r, double x, bool draws)
{
  for (int i = 0; i < r->n; i++)
    {
      double sigma = r->s[i], down = r->s[i + 1], scale = 1, noise = 0;
      if (draws)
        ancestral (r, i, &down, &scale, &noise);
      double d = (x - model (r, x, sigma)) / sigma;
      if (down == 0)
        {
          x += d * (down - sigma);
          continue;
        }
      double middle = exp ((log (sigma) + log (down)) / 2);
      double x2 = x + d * (middle - sigma);
      double d2 = (x2 - model (r, x2, middle)) / middle;
      x += d2 * (down - sigma);
      if (draws && r->eta > 0)
        x = scale * x + noise * draw (r);
    }
  return x;
}

/* sample_dpmpp_2s_ancestral(_RF) */
static double
reference_2s (Reference *r, double x)
{
  for (int i = 0; i < r->n; i++)
    {
      double sigma = r->s[i], down, scale, noise, d = model (r, x, sigma);
      ancestral (r, i, &down, &scale, &noise);
      if (down == 0)
        return d;
      double middle = exp ((log (sigma) + log (down)) / 2);
      if (r->flow && sigma >= 1)
        middle = 0.9999;
      else if (r->flow)
        middle = 1 / (exp ((log ((1 - sigma) / sigma) + log ((1 - down) / down)) / 2) + 1);
      double u = middle / sigma * x + (1 - middle / sigma) * d;
      x = down / sigma * x + (1 - down / sigma) * model (r, u, middle);
      if (r->s[i + 1] > 0 && r->eta > 0)
        x = scale * x + noise * draw (r);
    }
  return x;
}

/* sample_dpmpp_3m_sde */
static double
reference_3m (Reference *r, double x)
{
  double d1 = 0, d2 = 0, h1 = 0, h2 = 0;
  for (int i = 0; i < r->n; i++)
    {
      double s = r->s[i], t = r->s[i + 1], d = model (r, x, s);
      if (t == 0)
        return d;
      double alpha = alpha_of (r->flow, t);
      double h = log (alpha / t) - log (alpha_of (r->flow, s) / s), he = h * (r->eta + 1);
      double phi2 = expm1 (-he) / he + 1, phi3 = phi2 / he - 0.5;
      x = t / s * exp (-h * r->eta) * x - alpha * expm1 (-he) * d;
      if (i > 1)
        {
          double r0 = h1 / h, r1 = h2 / h, a = (d - d1) / r0, b = (d1 - d2) / r1;
          x += alpha * phi2 * (a + (a - b) * r0 / (r0 + r1)) - alpha * phi3 * (a - b) / (r0 + r1);
        }
      else if (i > 0)
        x += alpha * phi2 * (d - d1) / (h1 / h);
      if (r->eta > 0)
        x += draw (r) * t * sqrt (-expm1 (-2 * h * r->eta));
      d2 = d1, d1 = d, h2 = h1, h1 = h;
    }
  return x;
}

/* linear_multistep_coeff, by Simpson's rule, which is exact for cubics, over many pieces. */
static double
lms_weight (const float *s, int i, int order, int j)
{
  enum
  {
    PIECES = 8
  };
  double sum = 0, h = ((double) s[i + 1] - s[i]) / PIECES;
  for (int p = 0; p <= 2 * PIECES; p++)
    {
      double tau = s[i] + p * h / 2, product = 1;
      for (int k = 0; k < order; k++)
        if (k != j)
          product *= (tau - s[i - k]) / ((double) s[i - j] - s[i - k]);
      sum += product * (p == 0 || p == 2 * PIECES ? 1 : p % 2 ? 4 : 2);
    }
  return sum * h / 6;
}

/* sample_lms */
static double
reference_lms (Reference *r, double x)
{
  double slopes[64];
  for (int i = 0; i < r->n; i++)
    {
      double d = model (r, x, r->s[i]);
      slopes[i] = (x - d) / r->s[i];
      if (r->s[i + 1] == 0)
        return d;
      int order = MIN (i + 1, 4);
      for (int j = 0; j < order; j++)
        x += lms_weight (r->s, i, order, j) * slopes[i - j];
    }
  return x;
}

/* res_multistep with eta 0: Zhang et al. 2023, the second-order multistep method. */
static double
reference_res (Reference *r, double x)
{
  double old = 0;
  for (int i = 0; i < r->n; i++)
    {
      double s = r->s[i], t = r->s[i + 1], d = model (r, x, s), h = log (s / t);
      if (i == 0 || t == 0)
        x += (x - d) / s * (t - s);
      else
        {
          double c2 = (log (s) - log (r->s[i - 1])) / h;
          double phi1 = expm1 (-h) / -h, phi2 = (phi1 - 1) / -h;
          x = exp (-h) * x + h * ((phi1 - phi2 / c2) * d + phi2 / c2 * old);
        }
      old = d;
    }
  return x;
}

/* DDPMSampler_step: Ho et al. 2020, algorithm 2, on x / sqrt (1 + sigma^2) */
static double
reference_ddpm (Reference *r, double x)
{
  for (int i = 0; i < r->n; i++)
    {
      double s = r->s[i], t = r->s[i + 1], d = model (r, x, s);
      double bar = 1 / (s * s + 1), bar_next = 1 / (t * t + 1), alpha = bar / bar_next;
      double y = sqrt (1 / alpha) * (x * sqrt (bar) - (1 - alpha) * (x - d) / s / sqrt (1 - bar));
      if (t > 0)
        y += sqrt ((1 - alpha) * (1 - bar_next) / (1 - bar)) * draw (r);
      x = y * sqrt (1 + t * t);
    }
  return x;
}

static double
reference (Reference *r, SamplerKind kind, double x)
{
  switch ((int) kind)
    {
    case SAMPLER_DPM_2:
    case SAMPLER_DPM_2_ANCESTRAL:
      return reference_dpm_2 (r, x, kind == SAMPLER_DPM_2_ANCESTRAL);
    case SAMPLER_DPMPP_2S_ANCESTRAL:
      return reference_2s (r, x);
    case SAMPLER_DPMPP_3M_SDE:
      return reference_3m (r, x);
    case SAMPLER_LMS:
      return reference_lms (r, x);
    case SAMPLER_RES_MULTISTEP:
      return reference_res (r, x);
    case SAMPLER_DDPM:
      return reference_ddpm (r, x);
    default:
      g_assert_not_reached ();
    }
}

static const SamplerKind kinds[] = { SAMPLER_DPM_2,        SAMPLER_DPM_2_ANCESTRAL,
                                     SAMPLER_LMS,          SAMPLER_DDPM,
                                     SAMPLER_DPMPP_3M_SDE, SAMPLER_DPMPP_2S_ANCESTRAL,
                                     SAMPLER_RES_MULTISTEP };

static void
check (SamplerKind kind, ScheduleKind schedule, bool flow, double eta, int n_steps)
{
  Run run;
  run_open (&run, kind, schedule, flow, eta, n_steps);
  Reference r = { flow, kind == SAMPLER_DDPM ? 1 : eta, run.rng, run.schedule.sigma,
                  run.schedule.n };
  float start = flow ? 1.3f : 11;
  double want = reference (&r, kind, start);
  float got = run_to (&run, (Model){ bent_x0, flow }, start, run.schedule.n);
  /* x is rounded to f32 after every step: 6e-8 of up to 15 at first; a level close to 1 leaves few
   * digits of 1 - sigma */
  if (!(fabs (got - want) <= (flow ? 1e-5 : 3e-6)))
    g_error ("%s, %s, %s, eta %g, %d steps: %.8g instead of %.8g", sampler_name (kind),
             schedule_name (schedule), flow ? "flow" : "noise", eta, n_steps, got, want);
  g_assert_cmpint (r.rng.mt_index, ==, run.rng.mt_index); /* drew as much noise */
  run_close (&run);
}

static void
test_samplers_follow_their_formulas (void)
{
  static const ScheduleKind schedules[] = { SCHEDULE_NORMAL, SCHEDULE_KARRAS, SCHEDULE_SIMPLE,
                                            SCHEDULE_POLYEXPONENTIAL, SCHEDULE_LINEAR_QUADRATIC };
  static const double etas[] = { 1, 0.6, 0 };
  for (unsigned k = 0; k < G_N_ELEMENTS (kinds); k++)
    for (unsigned s = 0; s < G_N_ELEMENTS (schedules); s++)
      for (unsigned e = 0; e < G_N_ELEMENTS (etas); e++)
        for (int n = 1; n <= 17; n += 4)
          for (int flow = 0; flow < 2; flow++)
            {
              bool has_eta = sampler_info (kinds[k])->eta > 0 && kinds[k] != SAMPLER_DDPM;
              double eta = kinds[k] == SAMPLER_DDPM ? 1 : etas[e];
              if ((has_eta || e == 0) && (!flow || sampler_info (kinds[k])->flow))
                check (kinds[k], schedules[s], flow, eta, n);
            }
}

/* Error against the exact flow at the last level above 0. */
static double
flow_error (SamplerKind kind, bool flow, int n_steps)
{
  Run run;
  run_open (&run, kind, SCHEDULE_KARRAS, flow, 0, n_steps);
  int last = run.schedule.n - 1;
  float start = flow ? 1.7f : 20;
  float x = run_to (&run, (Model){ gaussian_x0, flow }, start, last);
  double exact = gaussian_flow (flow, start, run.schedule.sigma[0], run.schedule.sigma[last]);
  run_close (&run);
  return fabs (x - exact);
}

/* Doubling the steps divides the error by 2^order; coarse runs are not yet in that range. */
static void
test_samplers_converge_at_their_order (void)
{
  static const struct
  {
    SamplerKind kind;
    bool flow;
    double order;
  } cases[] = {
    { SAMPLER_DPM_2, false, 2 },
    { SAMPLER_DPM_2, true, 2 },
    { SAMPLER_DPM_2_ANCESTRAL, true, 2 },
    { SAMPLER_DPMPP_2S_ANCESTRAL, false, 2 },
    { SAMPLER_DPMPP_3M_SDE, false, 2 }, /* its first step is of order 1: an error of h^2 */
    { SAMPLER_LMS, false, 3 },          /* as of this one */
    { SAMPLER_RES_MULTISTEP, false, 2 },
  };
  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      double coarse = flow_error (cases[i].kind, cases[i].flow, 80);
      double fine = flow_error (cases[i].kind, cases[i].flow, 160);
      g_test_message ("%s: %g, %g, order %.2f", sampler_name (cases[i].kind), coarse, fine,
                      log2 (coarse / fine));
      g_assert_cmpfloat (log2 (coarse / fine), >, cases[i].order - 0.3);
    }
}

/* What steps will ask the network about is known before, to the bit. */
typedef struct
{
  double asked[64];
  int n;
} Asked;

static bool
note_cb (void *data, const float *x, double sigma, double timestep, float *x0, Status *status)
{
  Asked *a = data;
  a->asked[a->n++] = timestep;
  *x0 = *x / 2;
  return true;
}

static void
test_timesteps_are_known_before (void)
{
  for (unsigned k = 0; k < G_N_ELEMENTS (kinds); k++)
    for (int flow = 0; flow < 2; flow++)
      {
        Run run;
        Status status = { 0 };
        Asked asked = { .n = 0 };
        double known[64];
        float x = 1;
        const Denoiser denoiser = { note_cb, &asked };
        if (flow && !sampler_info (kinds[k])->flow)
          continue;
        run_open (&run, kinds[k], SCHEDULE_SIMPLE, flow, 0.7, 9);
        const NoiseSource noise = { normal_cb, &run.rng };
        int n = sampler_timesteps (&run.sampler, known);
        for (int i = 0; i < run.schedule.n; i++)
          g_assert_true (sampler_step (&run.sampler, i, &x, &denoiser, &noise, &status));
        g_assert_cmpint (n, ==, asked.n);
        for (int i = 0; i < n; i++)
          g_assert_cmpfloat (known[i], ==, asked.asked[i]);
        run_close (&run);
      }
}

static void
test_what_diffusers_lacks_is_refused (void)
{
  static const SamplerKind absent[] = { SAMPLER_DPMPP_2S_ANCESTRAL, SAMPLER_DPMPP_3M_SDE };
  for (unsigned k = 0; k < G_N_ELEMENTS (absent); k++)
    {
      Status status = { 0 };
      Schedule schedule = { 0 };
      NoiseTable table;
      NoiseTableParams t = noise_table_params_default (CONVENTION_DIFFUSERS);
      ScheduleParams p = schedule_params_default (absent[k], CONVENTION_DIFFUSERS);
      g_assert_true (noise_table_init (&table, &t, &status));
      g_assert_false (schedule_init (&schedule, &table, &p, &status));
      g_assert_cmpint (status.code, ==, STATUS_UNSUPPORTED);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/samplers/steps/follow-their-formulas", test_samplers_follow_their_formulas);
  g_test_add_func ("/samplers/steps/converge-at-their-order",
                   test_samplers_converge_at_their_order);
  g_test_add_func ("/samplers/steps/timesteps-are-known", test_timesteps_are_known_before);
  g_test_add_func ("/samplers/steps/absent-in-diffusers", test_what_diffusers_lacks_is_refused);
  return g_test_run ();
}
