/* SPDX-License-Identifier: MPL-2.0
 * test-flow.c - schedules and samplers of flow-matching models: x = (1 - sigma) x0 + sigma n.
 */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "samplers/sampler.h"

static const double flux_mu = 1.15;

static ScheduleParams
flow_params (SamplerKind sampler, Convention convention, double mu, int n_levels, int n_steps)
{
  ScheduleParams p = schedule_params_default (sampler, convention);
  p.kind = schedule_default (sampler, convention, true);
  p.flow = true;
  p.flow_shift = mu;
  p.flow_levels = n_levels;
  p.n_steps = n_steps;
  return p;
}

/* ---- schedules ---- */

enum
{
  N_WANT = 6
};

typedef struct
{
  Convention convention;
  ScheduleKind kind;
  double mu;
  int n_levels;
  double want[N_WANT];
} Published;

/* What ComfyUI's scheduler functions give for ModelSamplingFlux (1.15) and for schnell's
 * ModelSamplingDiscreteFlow (0), and FlowMatchEulerDiscreteScheduler for mu 0.63, in 5 steps. */
static const Published published[] = {
  { CONVENTION_COMFYUI,
    SCHEDULE_NORMAL,
    1.15,
    10000,
    { 1, 0.9045671, 0.7596263, 0.5131596, 0.000996524, 0 } },
  { CONVENTION_COMFYUI,
    SCHEDULE_SGM_UNIFORM,
    1.15,
    10000,
    { 1, 0.9266741, 0.8257774, 0.6781591, 0.4415888, 0 } },
  { CONVENTION_COMFYUI,
    SCHEDULE_SIMPLE,
    1.15,
    10000,
    { 1, 0.9266474, 0.8257016, 0.6779867, 0.4411998, 0 } },
  { CONVENTION_COMFYUI,
    SCHEDULE_DDIM_UNIFORM,
    1.15,
    10000,
    { 0.9267324, 0.8258216, 0.6781686, 0.4415079, 0.000631366, 0 } },
  { CONVENTION_COMFYUI,
    SCHEDULE_BETA,
    1.15,
    10000,
    { 1, 0.9575174, 0.847311, 0.6426232, 0.3069701, 0 } },
  { CONVENTION_COMFYUI,
    SCHEDULE_KARRAS,
    1.15,
    10000,
    { 1, 0.2691709, 0.05345028, 0.006508032, 0.0003157509, 0 } },
  { CONVENTION_COMFYUI,
    SCHEDULE_EXPONENTIAL,
    1.15,
    10000,
    { 1, 0.1333019, 0.01776939, 0.002368692, 0.0003157511, 0 } },
  { CONVENTION_COMFYUI,
    SCHEDULE_KL_OPTIMAL,
    1.15,
    10000,
    { 1, 0.6682928, 0.4143986, 0.1991586, 0.0003157512, 0 } },
  { CONVENTION_COMFYUI, SCHEDULE_NORMAL, 0, 1000, { 1, 0.75025, 0.5005, 0.25075, 0.001, 0 } },
  { CONVENTION_COMFYUI, SCHEDULE_SIMPLE, 0, 1000, { 1, 0.8, 0.6, 0.4, 0.2, 0 } },
  { CONVENTION_COMFYUI, SCHEDULE_BETA, 0, 1000, { 1, 0.877, 0.638, 0.363, 0.124, 0 } },
  { CONVENTION_DIFFUSERS,
    SCHEDULE_LINSPACE,
    0.63,
    0,
    { 1, 0.8824973, 0.737974, 0.555899, 0.3194513, 0 } },
  { CONVENTION_DIFFUSERS,
    SCHEDULE_KARRAS,
    0.63,
    0,
    { 1, 0.7646592, 0.5784826, 0.4325947, 0.3194513, 0 } },
  { CONVENTION_DIFFUSERS,
    SCHEDULE_EXPONENTIAL,
    0.63,
    0,
    { 1, 0.751798, 0.5652003, 0.4249164, 0.3194513, 0 } },
  { CONVENTION_DIFFUSERS,
    SCHEDULE_BETA,
    0.63,
    0,
    { 1, 0.880441, 0.6597257, 0.4390104, 0.3194513, 0 } },
};

static void
test_schedules_equal_the_programs (void)
{
  for (unsigned i = 0; i < G_N_ELEMENTS (published); i++)
    {
      const Published *c = &published[i];
      Status status = { 0 };
      Schedule s = { 0 };
      ScheduleParams p = flow_params (SAMPLER_EULER, c->convention, c->mu, MAX (c->n_levels, 2), 5);
      p.kind = c->kind;
      if (!schedule_init (&s, NULL, &p, &status))
        g_error ("%s", status.message);
      g_assert_cmpint (s.n, ==, 5);
      for (int k = 0; k < N_WANT; k++) /* seven digits */
        g_assert_cmpfloat_with_epsilon (s.sigma[k], c->want[k], 2e-6);
      for (int k = 0; k < 5; k++)
        g_assert_cmpfloat (s.timestep[k], ==, s.sigma[k]);
      g_assert_cmpfloat_with_epsilon (s.init_noise_sigma, c->want[0], 2e-6);
      g_assert_cmpfloat_with_epsilon (s.init_image_scale, 1 - c->want[0], 2e-6);
      schedule_clear (&s);
    }
}

/* diffusers leaves out int (n - n * strength) steps, ComfyUI does the last n of int (n / denoise).
 */
static void
test_denoise_shortens_as_the_programs_do (void)
{
  Status status = { 0 };
  Schedule s = { 0 };
  ScheduleParams p = flow_params (SAMPLER_EULER, CONVENTION_DIFFUSERS, 0, 2, 8);
  p.denoise = 0.7;
  g_assert_true (schedule_init (&s, NULL, &p, &status));
  g_assert_cmpint (s.n, ==, 6);
  g_assert_cmpfloat_with_epsilon (s.sigma[0], 0.75, 1e-6);
  g_assert_cmpfloat_with_epsilon (s.init_image_scale, 0.25, 1e-6);
  schedule_clear (&s);
  p = flow_params (SAMPLER_EULER, CONVENTION_COMFYUI, 0, 1000, 8);
  p.denoise = 0.7;
  g_assert_true (schedule_init (&s, NULL, &p, &status));
  g_assert_cmpint (s.n, ==, 8);
  g_assert_cmpfloat_with_epsilon (s.sigma[0], 1 - (int) (3 * 1000 / 11.0) / 1000.0, 1e-6);
  schedule_clear (&s);
}

static void
refused (SamplerKind sampler, Convention convention, ScheduleKind kind, const char *says)
{
  Status status = { 0 };
  Schedule s = { 0 };
  ScheduleParams p = flow_params (sampler, convention, 1, 1000, 4);
  p.kind = kind;
  g_assert_false (schedule_init (&s, NULL, &p, &status));
  g_assert_cmpint (status.code, ==, STATUS_UNSUPPORTED);
  g_assert_nonnull (strstr (status.message, says));
  schedule_clear (&s);
}

static void
test_what_is_not_defined_is_refused (void)
{
  refused (SAMPLER_TCD, CONVENTION_COMFYUI, SCHEDULE_SIMPLE, "TCD");
  refused (SAMPLER_HEUN, CONVENTION_DIFFUSERS, SCHEDULE_LINSPACE, "Heun");
  refused (SAMPLER_EULER, CONVENTION_COMFYUI, SCHEDULE_AYS, "Simple");
  refused (SAMPLER_EULER, CONVENTION_COMFYUI, SCHEDULE_LINSPACE, "Simple");
  refused (SAMPLER_EULER, CONVENTION_DIFFUSERS, SCHEDULE_LEADING, "Linspace");
  for (int k = 0; k < SAMPLER_COUNT; k++)
    for (int s = 0; s < SCHEDULE_COUNT; s++)
      for (int c = 0; c < 2; c++)
        {
          Status status = { 0 };
          Schedule schedule = { 0 };
          const ScheduleInfo *info = schedule_info ((ScheduleKind) s);
          ScheduleParams p = flow_params ((SamplerKind) k, (Convention) c, 1, 1000, 4);
          p.kind = (ScheduleKind) s;
          bool want = sampler_has_flow ((SamplerKind) k, (Convention) c, false) &&
                      (c == CONVENTION_DIFFUSERS ? info->flow_diffusers : info->flow_comfyui);
          g_assert_cmpint (schedule_init (&schedule, NULL, &p, &status), ==, want);
          schedule_clear (&schedule);
        }
}

/* ---- samplers ---- */

static const double data_mean = 0.4, data_deviation = 0.6;

/* E [x0 | x] of normal data. */
static double
gaussian_x0 (double x, double sigma)
{
  double a = 1 - sigma, d2 = data_deviation * data_deviation;
  return data_mean + a * d2 / (a * a * d2 + sigma * sigma) * (x - a * data_mean);
}

/* The flow carries x along with its quantile. */
static double
gaussian_flow (double x, double from, double to)
{
  double a = (1 - from) * data_deviation, b = (1 - to) * data_deviation;
  double ratio = sqrt ((b * b + to * to) / (a * a + from * from));
  return (1 - to) * data_mean + (x - (1 - from) * data_mean) * ratio;
}

static double
bent_x0 (double x, double sigma)
{
  return tanh (1.5 * gaussian_x0 (x, sigma)) + 0.1 * sin (10 * sigma);
}

typedef struct
{
  int64_t n;
  double (*x0) (double x, double sigma);
} Model;

static bool
denoise_cb (void *data, const float *x, double sigma, double timestep, float *x0, Status *status)
{
  Model *m = data;
  g_assert_cmpfloat_with_epsilon (sigma, timestep, 1e-7);
  for (int64_t i = 0; i < m->n; i++)
    x0[i] = (float) m->x0 (x[i], sigma);
  return true;
}

static void
normal_cb (void *data, double sigma, double sigma_next, float *out, int64_t n)
{
  rng_normal (data, out, n);
}

typedef struct
{
  NoiseTable unused;
  Schedule schedule;
  Sampler sampler;
  Model model;
  Rng rng;
} Run;

static void
run_open (Run *run, const ScheduleParams *params, const SamplerOptions *options, Model model)
{
  Status status = { 0 };
  *run = (Run){ .model = model };
  if (!schedule_init (&run->schedule, NULL, params, &status) ||
      !sampler_init (&run->sampler, params->sampler, &run->unused, &run->schedule, options, model.n,
                     &status))
    g_error ("%s", status.message);
  rng_init (&run->rng, RNG_CPU, 1);
}

static void
run_to (Run *run, float *x, int end)
{
  Status status = { 0 };
  const Denoiser d = { denoise_cb, &run->model };
  const NoiseSource noise = { normal_cb, &run->rng };
  for (int i = run->sampler.next_step; i < end; i++)
    if (!sampler_step (&run->sampler, i, x, &d, &noise, &status))
      g_error ("%s", status.message);
}

static void
run_close (Run *run)
{
  sampler_clear (&run->sampler);
  schedule_clear (&run->schedule);
}

/* Error of a run without its last step, which goes to sigma 0 whatever the step before. */
static double
flow_error (SamplerKind kind, int n_steps)
{
  Run run;
  ScheduleParams params = flow_params (kind, CONVENTION_COMFYUI, 0, 20, n_steps);
  SamplerOptions options = sampler_options_default (kind, CONVENTION_COMFYUI);
  options.order = 2;
  params.kind = SCHEDULE_NORMAL; /* from 1 to 1 / 20, evenly */
  run_open (&run, &params, &options, (Model){ 1, gaussian_x0 });
  int last = run.schedule.n - 1;
  float x = 1.7f;
  run_to (&run, &x, last);
  double exact = gaussian_flow (1.7f, 1, run.schedule.sigma[last]);
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
    double order;
  } cases[] = { { SAMPLER_EULER, 1 },    { SAMPLER_DDIM, 1 },  { SAMPLER_HEUN, 2 },
                { SAMPLER_DPMPP_2M, 2 }, { SAMPLER_UNIPC, 2 }, { SAMPLER_UNIPC_BH2, 2 } };
  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      double coarse = flow_error (cases[i].kind, 40), fine = flow_error (cases[i].kind, 80);
      g_test_message ("%s: %g, %g, order %.2f", sampler_name (cases[i].kind), coarse, fine,
                      log2 (coarse / fine));
      g_assert_cmpfloat (log2 (coarse / fine), >, cases[i].order - 0.3);
    }
}

/* Whatever its noise, a sampler delivers the data's distribution: 20000 samples, standard error of
 * the mean 0.0042, of the variance 0.0036, and what 60 steps leave. */
static void
test_samplers_deliver_the_distribution (void)
{
  enum
  {
    N = 20000
  };
  static const SamplerKind kinds[] = { SAMPLER_EULER,
                                       SAMPLER_EULER_ANCESTRAL,
                                       SAMPLER_DPMPP_2M_SDE,
                                       SAMPLER_DPMPP_2M_SDE_HEUN,
                                       SAMPLER_DPMPP_SDE,
                                       SAMPLER_UNIPC,
                                       SAMPLER_DPMPP_3M_SDE,
                                       SAMPLER_DPM_2_ANCESTRAL,
                                       SAMPLER_DPMPP_2S_ANCESTRAL };
  g_autofree float *x = g_new (float, N);
  for (unsigned k = 0; k < G_N_ELEMENTS (kinds); k++)
    {
      Run run;
      ScheduleParams params = flow_params (kinds[k], CONVENTION_COMFYUI, flux_mu, 10000, 60);
      SamplerOptions options = sampler_options_default (kinds[k], CONVENTION_COMFYUI);
      params.kind = kinds[k] == SAMPLER_EULER ? SCHEDULE_SIMPLE : SCHEDULE_KARRAS;
      run_open (&run, &params, &options, (Model){ N, gaussian_x0 });
      rng_normal (&run.rng, x, N);
      run_to (&run, x, run.schedule.n);
      double sum = 0, squares = 0;
      for (int i = 0; i < N; i++)
        {
          sum += x[i];
          squares += (x[i] - data_mean) * (x[i] - data_mean);
        }
      double variance = squares / N;
      g_test_message ("%s: mean %.4f, variance %.4f", sampler_name (kinds[k]), sum / N, variance);
      g_assert_cmpfloat_with_epsilon (sum / N, data_mean, 0.02);
      /* of the exact 0.36 ancestral steps, of first order, lose 0.042 in 60 steps, 0.019 in 120 */
      double allowed = kinds[k] == SAMPLER_EULER_ANCESTRAL ? 0.06 : 0.03;
      g_assert_cmpfloat_with_epsilon (variance, data_deviation * data_deviation, allowed);
      run_close (&run);
    }
}

/* ---- ComfyUI's formulas, written out for one value in double ---- */

static double
half_log_snr (double sigma)
{
  return log ((1 - sigma) / sigma);
}

static double
draw (Rng *rng)
{
  float v;
  rng_normal (rng, &v, 1);
  return v;
}

static void
ancestral (double from, double to, double eta, double *down, double *up)
{
  *up = fmin (to, eta * sqrt (to * to * (from * from - to * to) / (from * from)));
  *down = sqrt (to * to - *up * *up);
}

/* sample_euler_ancestral_RF */
static double
reference_ancestral (double x, const float *s, int n, double eta, Rng *rng)
{
  for (int i = 0; i < n; i++)
    {
      double d = bent_x0 (x, s[i]);
      if (s[i + 1] <= 0)
        return d;
      double down = s[i + 1] * (1 + (s[i + 1] / (double) s[i] - 1) * eta);
      double alpha = 1 - (double) s[i + 1], alpha_down = 1 - down;
      double renoise = sqrt ((double) s[i + 1] * s[i + 1] -
                             down * down * alpha * alpha / (alpha_down * alpha_down));
      x = down / s[i] * x + (1 - down / s[i]) * d;
      x = alpha / alpha_down * x + draw (rng) * renoise;
    }
  return x;
}

/* sample_dpmpp_2m_sde */
static double
reference_2m_sde (double x, const float *s, int n, double eta, bool heun, Rng *rng)
{
  double old = 0, h_last = 0;
  for (int i = 0; i < n; i++)
    {
      double d = bent_x0 (x, s[i]);
      if (s[i + 1] <= 0)
        return d;
      double h = half_log_snr (s[i + 1]) - half_log_snr (s[i]), he = h * (eta + 1);
      double alpha = s[i + 1] * exp (half_log_snr (s[i + 1]));
      x = s[i + 1] / (double) s[i] * exp (-h * eta) * x - alpha * expm1 (-he) * d;
      if (i > 0)
        x += (heun ? alpha * (-expm1 (-he) / -he + 1) : -0.5 * alpha * expm1 (-he)) * h / h_last *
             (d - old);
      x += draw (rng) * s[i + 1] * sqrt (-expm1 (-2 * h * eta));
      old = d;
      h_last = h;
    }
  return x;
}

/* sample_dpmpp_sde, r = 1/2; both noises of a step are of one path, here the mean of two draws. */
static double
reference_sde (double x, const float *s, int n, double eta, Rng *rng)
{
  for (int i = 0; i < n; i++)
    {
      double d = bent_x0 (x, s[i]), from = half_log_snr (s[i]), down, up;
      if (s[i + 1] <= 0)
        return d;
      double to = half_log_snr (s[i + 1]), middle = from + (to - from) / 2;
      double sm = 1 / (1 + exp (middle)), alpha = s[i] * exp (from), alpha_m = sm * exp (middle);
      double alpha_to = s[i + 1] * exp (to), first = draw (rng);
      ancestral (exp (-from), exp (-middle), eta, &down, &up);
      double h = -log (down) - from;
      double x2 = alpha_m / alpha * exp (-h) * x - alpha_m * expm1 (-h) * d + alpha_m * first * up;
      double d2 = bent_x0 (x2, sm), whole = s[i] - (double) s[i + 1];
      double noise =
          sqrt ((s[i] - sm) / whole) * first + sqrt ((sm - s[i + 1]) / whole) * draw (rng);
      ancestral (exp (-from), exp (-to), eta, &down, &up);
      h = -log (down) - from;
      x = alpha_to / alpha * exp (-h) * x - alpha_to * expm1 (-h) * d2 + alpha_to * noise * up;
    }
  return x;
}

/* sample_lcm with CONST.noise_scaling */
static double
reference_lcm (double x, const float *s, int n, Rng *rng)
{
  for (int i = 0; i < n; i++)
    {
      x = bent_x0 (x, s[i]);
      if (s[i + 1] > 0)
        x = s[i + 1] * draw (rng) + (1 - (double) s[i + 1]) * x;
    }
  return x;
}

static double
reference (SamplerKind kind, double x, const float *s, int n, double eta, Rng *rng)
{
  if (kind == SAMPLER_EULER_ANCESTRAL)
    return reference_ancestral (x, s, n, eta, rng);
  if (kind == SAMPLER_DPMPP_SDE)
    return reference_sde (x, s, n, eta, rng);
  if (kind == SAMPLER_LCM)
    return reference_lcm (x, s, n, rng);
  return reference_2m_sde (x, s, n, eta, kind == SAMPLER_DPMPP_2M_SDE_HEUN, rng);
}

static void
test_samplers_follow_comfyui (void)
{
  static const SamplerKind kinds[] = { SAMPLER_EULER_ANCESTRAL, SAMPLER_DPMPP_2M_SDE,
                                       SAMPLER_DPMPP_2M_SDE_HEUN, SAMPLER_DPMPP_SDE, SAMPLER_LCM };
  static const double etas[] = { 1, 0.6 };
  for (unsigned k = 0; k < G_N_ELEMENTS (kinds); k++)
    for (unsigned e = 0; e < G_N_ELEMENTS (etas); e++)
      for (int n = 2; n <= 14; n += 4)
        {
          Run run;
          ScheduleParams params = flow_params (kinds[k], CONVENTION_COMFYUI, flux_mu, 10000, n);
          SamplerOptions options = sampler_options_default (kinds[k], CONVENTION_COMFYUI);
          options.eta = etas[e];
          run_open (&run, &params, &options, (Model){ 1, bent_x0 });
          Rng rng = run.rng;
          float x = 1.3f;
          double want = reference (kinds[k], x, run.schedule.sigma, run.schedule.n, etas[e], &rng);
          run_to (&run, &x, run.schedule.n);
          /* x is rounded to f32 after every step, and sigma close to 1 leaves few digits of
           * 1 - sigma */
          if (!(fabs (x - want) < 1e-5))
            g_error ("%s, eta %g, %d steps: %.8g instead of %.8g", sampler_name (kinds[k]), etas[e],
                     n, x, want);
          g_assert_cmpint (rng.mt_index, ==, run.rng.mt_index); /* drew as much noise */
          run_close (&run);
        }
}

/* Those that divide by 1 - sigma begin below 1; the noise they begin with does not. */
static void
test_sde_samplers_leave_pure_noise (void)
{
  Status status = { 0 };
  Schedule s = { 0 };
  ScheduleParams p = flow_params (SAMPLER_DPMPP_2M_SDE, CONVENTION_COMFYUI, flux_mu, 10000, 4);
  g_assert_true (schedule_init (&s, NULL, &p, &status));
  double e = exp (flux_mu);
  g_assert_cmpfloat_with_epsilon (s.sigma[0], e / (e + (1 / (1 - 1e-4) - 1)), 1e-7);
  g_assert_cmpfloat (s.init_noise_sigma, ==, 1);
  g_assert_cmpfloat (s.init_image_scale, ==, 0);
  g_assert_cmpfloat (s.path_end, ==, 1);
  schedule_clear (&s);
}

static void
test_prediction_recovers_x0 (void)
{
  const double sigma = 0.8, x0 = 0.7, n = -1.3;
  float x = (float) ((1 - sigma) * x0 + sigma * n), v = (float) (n - x0), got;
  prediction_to_x0 (PREDICTION_FLOW, &got, &x, &v, sigma, 1);
  g_assert_cmpfloat_with_epsilon (got, x0, 1e-6);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, name) g_test_add_func ("/flow/" path, test_##name)
  ADD ("schedules-equal-the-programs", schedules_equal_the_programs);
  ADD ("denoise-shortens-as-the-programs-do", denoise_shortens_as_the_programs_do);
  ADD ("what-is-not-defined-is-refused", what_is_not_defined_is_refused);
  ADD ("samplers-converge-at-their-order", samplers_converge_at_their_order);
  ADD ("samplers-deliver-the-distribution", samplers_deliver_the_distribution);
  ADD ("samplers-follow-comfyui", samplers_follow_comfyui);
  ADD ("sde-samplers-leave-pure-noise", sde_samplers_leave_pure_noise);
  ADD ("prediction-recovers-x0", prediction_recovers_x0);
  return g_test_run ();
}
