/* SPDX-License-Identifier: MPL-2.0
 * test-schedules.c - noise table, schedules of the ComfyUI convention, denoise rules, names.
 * (The diffusers convention is checked by test-sampler-golden.)
 */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "samplers/beta.h"
#include "samplers/schedule.h"

/* Published values have five decimals or seven digits. */
static const double relative = 1e-4;

static NoiseTable
make_table (bool zero_snr)
{
  Status status = { 0 };
  NoiseTable table;
  NoiseTableParams p = noise_table_params_default (CONVENTION_COMFYUI);
  p.zero_terminal_snr = zero_snr;
  g_assert_true (noise_table_init (&table, &p, &status));
  return table;
}

static void
assert_close (double got, double want)
{
  g_assert_cmpfloat_with_epsilon (got, want, relative * fmax (fabs (want), 0.05));
}

static void
test_noise_table_holds_published_sigmas (void)
{
  NoiseTable t = make_table (false);
  static const struct
  {
    int index;
    double sigma;
  } want[] = { { 0, 0.0291672 },   { 1, 0.0413144 },    { 499, 1.6128862 },
               { 500, 1.6182788 }, { 998, 14.5262757 }, { 999, 14.6146412 } };
  for (unsigned i = 0; i < G_N_ELEMENTS (want); i++)
    g_assert_cmpfloat_with_epsilon (t.sigma[want[i].index], want[i].sigma,
                                    1e-6 * want[i].sigma + 5e-8);
}

static void
test_noise_table_reaches_zero_terminal_snr (void)
{
  NoiseTable t = make_table (true);
  assert_close (t.sigma[0], 0.02917);
  assert_close (t.sigma[500], 1.77456);
  assert_close (t.sigma[998], 2254.238);
  assert_close (t.sigma[999], 4518.7637);
}

static void
test_noise_table_makes_linear_betas (void)
{
  Status status = { 0 };
  NoiseTable t;
  NoiseTableParams p = { .beta_start = 0.0001, .beta_end = 0.02, .linear = true };
  g_assert_true (noise_table_init (&t, &p, &status));
  /* DDPM's schedule ends with 4.04e-5 of the signal's power */
  g_assert_cmpfloat_with_epsilon (t.alphas_cumprod[0], 1 - 0.0001, 1e-7);
  g_assert_cmpfloat_with_epsilon (t.alphas_cumprod[999], 4.0358e-5, 1e-8);
}

static void
test_noise_table_converts_sigma_and_timestep (void)
{
  NoiseTable t = make_table (false);
  assert_close (noise_table_sigma_log_linear (&t, 0.5), 0.0347135);
  assert_close (noise_table_sigma_log_linear (&t, 499.5), 1.6155803);
  g_assert_cmpint (noise_table_nearest (&t, 1.0), ==, 354);
  g_assert_cmpint (noise_table_nearest (&t, 14.0), ==, 992);
  g_assert_cmpint (noise_table_nearest (&t, 0.1), ==, 10);
  for (double step = 0; step < 999; step += 37.31)
    {
      double sigma = noise_table_sigma_log_linear (&t, step);
      g_assert_cmpfloat_with_epsilon (noise_table_timestep (&t, sigma), step, 1e-3);
      g_assert_cmpint (noise_table_nearest (&t, sigma), ==, (int) floor (step + 0.5));
    }
}

static void
test_noise_table_clamps_out_of_range (void)
{
  NoiseTable t = make_table (false);
  g_assert_cmpint (noise_table_nearest (&t, 0), ==, 0);
  g_assert_cmpint (noise_table_nearest (&t, 1e9), ==, 999);
  g_assert_cmpfloat (noise_table_timestep (&t, 0), ==, 0);
  g_assert_cmpfloat (noise_table_timestep (&t, 1e9), ==, 999);
  g_assert_cmpfloat (noise_table_sigma_linear (&t, 1000), ==, t.sigma[999]);
  g_assert_cmpfloat (noise_table_sigma_linear (&t, -1), ==, t.sigma[0]);
}

static void
test_noise_table_refuses_bad_parameters (void)
{
  NoiseTable t;
  NoiseTableParams bad[] = { { 0, 0.02, .terminal_alpha = 0.1 },
                             { 0.02, 0.01 },
                             { 0.001, 1.5 },
                             { NAN, 0.02 },
                             { 0.001, 0.02, .zero_terminal_snr = true } };
  for (unsigned i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      Status status = { 0 };
      g_assert_false (noise_table_init (&t, &bad[i], &status));
      g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
    }
}

/* x and n known, the network's answer made from them: both parametrisations give x0 back. */
static void
test_prediction_recovers_x0 (void)
{
  const double sigma = 2.5, x0 = 0.7, n = -1.3;
  double a = 1 / sqrt (1 + sigma * sigma), b = sigma * a;
  float x = (float) (x0 + sigma * n), got;
  float epsilon = (float) n, v = (float) (a * n - b * x0);
  prediction_to_x0 (PREDICTION_EPSILON, &got, &x, &epsilon, sigma, 1);
  g_assert_cmpfloat_with_epsilon (got, x0, 1e-6);
  prediction_to_x0 (PREDICTION_V, &got, &x, &v, sigma, 1);
  g_assert_cmpfloat_with_epsilon (got, x0, 1e-6);
}

/* Quantiles as SciPy computes them. */
static void
test_beta_quantile_equals_scipy (void)
{
  static const double want[][4] = {
    { 0.05, 0.6, 0.6, 0.012554456873611399 }, { 0.2, 0.6, 0.6, 0.12292175045833292 },
    { 0.35, 0.6, 0.6, 0.2967352964353557 },   { 0.5, 0.6, 0.6, 0.5 },
    { 0.8, 0.6, 0.6, 0.8770782495416671 },    { 0.3, 2, 5, 0.18180347131894917 }
  };
  for (unsigned i = 0; i < G_N_ELEMENTS (want); i++)
    g_assert_cmpfloat_with_epsilon (beta_quantile (want[i][0], want[i][1], want[i][2]), want[i][3],
                                    1e-13);
  g_assert_cmpfloat (beta_quantile (0, 0.6, 0.6), ==, 0);
  g_assert_cmpfloat (beta_quantile (1, 0.6, 0.6), ==, 1);
}

static void
test_beta_quantile_inverts_cdf (void)
{
  static const double shapes[][2] = { { 0.6, 0.6 }, { 0.1, 0.1 }, { 1, 3 }, { 8, 1.5 } };
  for (unsigned i = 0; i < G_N_ELEMENTS (shapes); i++)
    for (double p = 1e-9; p < 1; p = p < 0.01 ? p * 10 : p + 0.07)
      {
        double x = beta_quantile (p, shapes[i][0], shapes[i][1]);
        double back = beta_cdf (x, shapes[i][0], shapes[i][1]);
        if (x < 0.99) /* close to 1 the quantile has fewer digits than p asks for */
          g_assert_cmpfloat_with_epsilon (back, p, 1e-11 * p);
      }
}

static Schedule
make_schedule (const NoiseTable *table, const ScheduleParams *params)
{
  Status status = { 0 };
  Schedule s = { 0 };
  if (!schedule_init (&s, table, params, &status))
    g_error ("%s", status.message);
  return s;
}

static ScheduleParams
comfyui (ScheduleKind kind, int n)
{
  ScheduleParams p = schedule_params_default (SAMPLER_EULER, CONVENTION_COMFYUI);
  p.kind = kind;
  p.n_steps = n;
  return p;
}

static void
check_sigmas (const ScheduleParams *params, const double *want, int n)
{
  NoiseTable table = make_table (false);
  Schedule s = make_schedule (&table, params);
  g_assert_cmpint (s.n, ==, n);
  for (int i = 0; i < n; i++)
    {
      assert_close (s.sigma[i], want[i]);
      g_assert_cmpfloat (s.timestep[i], ==, noise_table_nearest (&table, s.sigma[i]));
      g_assert_cmpfloat (s.target[i], ==, s.sigma[i + 1]);
    }
  g_assert_cmpfloat (s.sigma[n], ==, 0);
  schedule_clear (&s);
}

static void
test_schedules_hold_published_sigmas (void)
{
  static const struct
  {
    ScheduleKind kind;
    double sigma[5];
  } want[] = {
    { SCHEDULE_NORMAL, { 14.61464, 4.08608, 1.61558, 0.69515, 0.02917 } },
    { SCHEDULE_SGM_UNIFORM, { 14.61464, 5.09241, 2.27973, 1.16286, 0.57119 } },
    { SCHEDULE_SIMPLE, { 14.61464, 5.08776, 2.27646, 1.16058, 0.56928 } },
    { SCHEDULE_DDIM_UNIFORM, { 5.13443, 2.29285, 1.16822, 0.57405, 0.04131 } },
    { SCHEDULE_KARRAS, { 14.61464, 4.79653, 1.27410, 0.24795, 0.02917 } },
    { SCHEDULE_EXPONENTIAL, { 14.61464, 3.08898, 0.65289, 0.13800, 0.02917 } },
    { SCHEDULE_BETA, { 14.61464, 7.37184, 2.61524, 1.02733, 0.39551 } },
  };
  for (unsigned i = 0; i < G_N_ELEMENTS (want); i++)
    {
      ScheduleParams p = comfyui (want[i].kind, 5);
      check_sigmas (&p, want[i].sigma, 5);
    }
}

static void
test_schedule_karras_of_ten (void)
{
  static const double want[] = { 14.61464, 9.10293, 5.47839, 3.16860, 1.74942,
                                 0.91407,  0.44692, 0.20140, 0.08191, 0.02917 };
  ScheduleParams p = comfyui (SCHEDULE_KARRAS, 10);
  check_sigmas (&p, want, 10);
}

static void
test_schedule_beta_uses_published_indices (void)
{
  static const int want[] = { 999, 876, 637, 362, 123 };
  NoiseTable table = make_table (false);
  ScheduleParams p = comfyui (SCHEDULE_BETA, 5);
  Schedule s = make_schedule (&table, &p);
  for (int i = 0; i < 5; i++)
    g_assert_cmpfloat (s.timestep[i], ==, want[i]);
  schedule_clear (&s);
}

/* With ten steps the table is used as printed, its last value replaced by 0. */
static void
test_schedule_ays_interpolates_its_table (void)
{
  static const double sd1[] = { 14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520,
                                1.8841921177,  1.3943805092, 0.9642583904, 0.6523686016,
                                0.3977456272,  0.1515232662 };
  static const double xl[] = { 14.6146412293, 3.7681790315, 1.3405244945, 0.5550693289,
                               0.2332364134 };
  ScheduleParams p = comfyui (SCHEDULE_AYS, 10);
  check_sigmas (&p, sd1, 10);
  p.sdxl = true;
  p.n_steps = 5;
  check_sigmas (&p, xl, 5);
}

/* tan of evenly spaced angles; the ends are the table's. */
static void
test_schedule_kl_optimal_is_even_in_angle (void)
{
  NoiseTable table = make_table (false);
  ScheduleParams p = comfyui (SCHEDULE_KL_OPTIMAL, 9);
  Schedule s = make_schedule (&table, &p);
  assert_close (s.sigma[0], 14.6146412);
  assert_close (s.sigma[8], 0.0291672);
  double step = atan (s.sigma[0]) - atan (s.sigma[1]);
  for (int i = 1; i < 8; i++)
    g_assert_cmpfloat_with_epsilon (atan (s.sigma[i]) - atan (s.sigma[i + 1]), step, 1e-6);
  schedule_clear (&s);
}

/* exp of a power of an even ramp between the ends' logarithms; of the power 1 it is exponential. */
static void
test_schedule_polyexponential_is_a_power_in_log (void)
{
  NoiseTable table = make_table (false);
  ScheduleParams p = comfyui (SCHEDULE_POLYEXPONENTIAL, 9), e = comfyui (SCHEDULE_EXPONENTIAL, 9);
  Schedule s = make_schedule (&table, &p), plain = make_schedule (&table, &e);
  for (int i = 0; i < 9; i++)
    g_assert_cmpfloat_with_epsilon (s.sigma[i], plain.sigma[i], 3e-6 * plain.sigma[i]);
  schedule_clear (&s);
  schedule_clear (&plain);
  p.log_rho = 2;
  s = make_schedule (&table, &p);
  double low = log (0.0291671582), span = log (14.6146412293) - low;
  for (int i = 0; i < 9; i++)
    assert_close (s.sigma[i], exp (span * pow (1 - i / 8.0, 2) + low));
  schedule_clear (&s);
}

/* The published coefficients (Genmo, Mochi 1): a share of 0.025 in the first half of the steps. */
static void
test_schedule_linear_quadratic_uses_published_coefficients (void)
{
  NoiseTable table = make_table (false);
  for (int n = 1; n <= 25; n++)
    {
      ScheduleParams p = comfyui (SCHEDULE_LINEAR_QUADRATIC, n);
      Schedule s = make_schedule (&table, &p);
      int even = n / 2, rest = n - even;
      double lack = even - 0.025 * n;
      g_assert_cmpint (s.n, ==, n);
      assert_close (s.sigma[0], 14.6146412);
      for (int i = 1; i < n; i++)
        {
          double square = lack / (even * rest * rest);
          double linear = 0.025 / even - 2 * lack / (rest * rest);
          double done =
              i < even ? i * 0.025 / even : square * i * i + linear * i + square * even * even;
          assert_close (s.sigma[i], 14.6146412 * (1 - done));
        }
      schedule_clear (&s);
    }
}

/* 1000 / 30 = 33 leaves room for a 31st point: ComfyUI does 31 steps. */
static void
test_schedule_ddim_uniform_takes_every_point (void)
{
  NoiseTable table = make_table (false);
  ScheduleParams p = comfyui (SCHEDULE_DDIM_UNIFORM, 30);
  Schedule s = make_schedule (&table, &p);
  g_assert_cmpint (s.n, ==, 31);
  g_assert_cmpfloat (s.timestep[0], ==, 991);
  g_assert_cmpfloat (s.timestep[30], ==, 1);
  schedule_clear (&s);
}

/* So many steps that quantiles share table entries. */
static void
test_schedule_beta_drops_repeats (void)
{
  NoiseTable table = make_table (false);
  ScheduleParams p = comfyui (SCHEDULE_BETA, 500);
  Schedule s = make_schedule (&table, &p);
  g_assert_cmpint (s.n, <, 500);
  g_assert_cmpint (s.n, >, 400);
  for (int i = 0; i < s.n; i++)
    g_assert_cmpfloat (s.sigma[i], >, s.sigma[i + 1]);
  schedule_clear (&s);
}

/* One step more, less the second-last sigma. */
static void
test_schedule_discards_penultimate_for_unipc (void)
{
  NoiseTable table = make_table (false);
  ScheduleParams with = comfyui (SCHEDULE_KARRAS, 10), without = comfyui (SCHEDULE_KARRAS, 11);
  with.sampler = SAMPLER_UNIPC;
  Schedule a = make_schedule (&table, &with), b = make_schedule (&table, &without);
  g_assert_cmpint (a.n, ==, 10);
  for (int i = 0; i < 10; i++)
    g_assert_cmpfloat (a.sigma[i], ==, b.sigma[i]);
  g_assert_cmpfloat (a.sigma[10], ==, 0);
  schedule_clear (&a);
  schedule_clear (&b);
}

/* The tail of the longer run that each program makes of 20 steps at a strength of 0.6. */
static void
test_schedule_denoise_keeps_the_tail (void)
{
  static const struct
  {
    Convention convention;
    DenoiseRule rule;
    int full, n;
  } cases[] = {
    { CONVENTION_COMFYUI, DENOISE_BY_CONVENTION, 33, 20 },
    { CONVENTION_COMFYUI, DENOISE_A1111, 20, 13 },
    { CONVENTION_COMFYUI, DENOISE_A1111_EXACT, 33, 20 },
    { CONVENTION_DIFFUSERS, DENOISE_BY_CONVENTION, 20, 12 },
  };
  NoiseTable table = make_table (false);
  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      ScheduleParams p = schedule_params_default (SAMPLER_EULER, cases[i].convention);
      p.kind = SCHEDULE_KARRAS;
      p.n_steps = cases[i].full;
      Schedule whole = make_schedule (&table, &p);
      p.n_steps = 20;
      p.denoise = 0.6;
      p.from_image = true;
      p.denoise_rule = cases[i].rule;
      Schedule part = make_schedule (&table, &p);
      g_assert_cmpint (part.n, ==, cases[i].n);
      for (int k = 0; k <= part.n; k++)
        g_assert_cmpfloat (part.sigma[k], ==, whole.sigma[whole.n - part.n + k]);
      for (int k = 0; k < part.n; k++)
        g_assert_cmpfloat (part.timestep[k], ==, whole.timestep[whole.n - part.n + k]);
      g_assert_cmpfloat (part.init_noise_sigma, ==, part.sigma[0]);
      schedule_clear (&whole);
      schedule_clear (&part);
    }
}

static double
first_noise (const ScheduleParams *params)
{
  NoiseTable table = make_table (false);
  Schedule s = make_schedule (&table, params);
  double value = s.init_noise_sigma;
  schedule_clear (&s);
  return value;
}

static void
test_schedule_first_noise_follows_the_program (void)
{
  const double max = 14.6146412, whole = sqrt (1 + max * max);
  ScheduleParams p = comfyui (SCHEDULE_KARRAS, 10);
  assert_close (first_noise (&p), whole);
  p.plain_first_noise = true;
  assert_close (first_noise (&p), max);
  p = comfyui (SCHEDULE_DDIM_UNIFORM, 5); /* does not begin at sigma_max */
  assert_close (first_noise (&p), 5.13443);
  p = schedule_params_default (SAMPLER_EULER, CONVENTION_DIFFUSERS);
  p.kind = SCHEDULE_TRAILING;
  assert_close (first_noise (&p), max);
  p.sampler = SAMPLER_DPMPP_2M; /* unit noise as x_vp */
  assert_close (first_noise (&p), whole);
  p.from_image = true;
  assert_close (first_noise (&p), max);
}

static StatusCode
failure_of (const ScheduleParams *params)
{
  NoiseTable table = make_table (false);
  Status status = { 0 };
  Schedule s = { 0 };
  g_assert_false (schedule_init (&s, &table, params, &status));
  g_assert_null (s.sigma);
  g_assert_cmpuint (strlen (status.message), >, 20);
  return status.code;
}

static void
test_schedule_refuses_what_it_cannot_do (void)
{
  ScheduleParams p = comfyui (SCHEDULE_LEADING, 10);
  g_assert_cmpint (failure_of (&p), ==, STATUS_UNSUPPORTED);
  p = comfyui (SCHEDULE_KARRAS, 0);
  g_assert_cmpint (failure_of (&p), ==, STATUS_ARGUMENT);
  p = comfyui (SCHEDULE_KARRAS, 10);
  p.denoise = 0;
  g_assert_cmpint (failure_of (&p), ==, STATUS_ARGUMENT);
  p.denoise = 1e-12;
  g_assert_cmpint (failure_of (&p), ==, STATUS_ARGUMENT);
  p.denoise = NAN;
  g_assert_cmpint (failure_of (&p), ==, STATUS_ARGUMENT);
  p = schedule_params_default (SAMPLER_DDIM, CONVENTION_DIFFUSERS);
  p.kind = SCHEDULE_KARRAS;
  g_assert_cmpint (failure_of (&p), ==, STATUS_UNSUPPORTED);
  p = schedule_params_default (SAMPLER_EULER, CONVENTION_DIFFUSERS);
  p.kind = SCHEDULE_SIMPLE;
  g_assert_cmpint (failure_of (&p), ==, STATUS_UNSUPPORTED);
  p = schedule_params_default (SAMPLER_LCM, CONVENTION_DIFFUSERS);
  p.n_steps = 51;
  g_assert_cmpint (failure_of (&p), ==, STATUS_ARGUMENT);
  p = schedule_params_default (SAMPLER_EULER, CONVENTION_DIFFUSERS);
  p.n_steps = 3;
  p.denoise = 0.2; /* int (0.6) steps */
  g_assert_cmpint (failure_of (&p), ==, STATUS_ARGUMENT);
}

/* Any schedule at any length: falling, positive, finite, to 0. */
static void
test_schedules_fall_at_every_length (void)
{
  NoiseTable table = make_table (false);
  for (int kind = 0; kind < SCHEDULE_COUNT; kind++)
    for (int n = 1; n <= 1000; n = n < 40 ? n + 1 : n * 5 / 4)
      {
        ScheduleParams p = comfyui ((ScheduleKind) kind, n);
        if (!schedule_info ((ScheduleKind) kind)->comfyui)
          continue;
        Schedule s = make_schedule (&table, &p);
        for (int i = 0; i < s.n; i++)
          {
            g_assert_true (isfinite (s.sigma[i]) && s.sigma[i] > s.sigma[i + 1]);
            g_assert_true (s.timestep[i] >= 0 && s.timestep[i] <= 999);
          }
        g_assert_cmpfloat (s.sigma[s.n], ==, 0);
        schedule_clear (&s);
      }
}

static void
test_schedule_survives_every_failed_allocation (void)
{
  NoiseTable table = make_table (false);
  for (int convention = 0; convention < 2; convention++)
    for (int64_t nth = 1;; nth++)
      {
        Status status = { 0 };
        Schedule s = { 0 };
        ScheduleParams p = schedule_params_default (SAMPLER_EULER, (Convention) convention);
        mem_fail_at (nth);
        bool ok = schedule_init (&s, &table, &p, &status);
        mem_fail_at (0);
        g_assert_cmpint (status.code, ==, ok ? STATUS_OK : STATUS_NO_MEMORY);
        schedule_clear (&s);
        if (ok)
          {
            g_assert_cmpint (nth, >, 1);
            break;
          }
      }
}

static void
test_kinds_are_found_by_every_name (void)
{
  for (int i = 0; i < SAMPLER_COUNT; i++)
    {
      SamplerKind by_id = SAMPLER_COUNT, by_label = SAMPLER_COUNT;
      g_assert_true (sampler_from_name (sampler_name ((SamplerKind) i), &by_id));
      g_assert_true (sampler_from_name (sampler_info ((SamplerKind) i)->label, &by_label));
      g_assert_cmpint (by_id, ==, i);
      g_assert_cmpint (by_label, ==, i);
    }
  for (int i = 0; i < SCHEDULE_COUNT; i++)
    {
      ScheduleKind by_id = SCHEDULE_COUNT, by_label = SCHEDULE_COUNT;
      g_assert_true (schedule_from_name (schedule_name ((ScheduleKind) i), &by_id));
      g_assert_true (schedule_from_name (schedule_info ((ScheduleKind) i)->label, &by_label));
      g_assert_cmpint (by_id, ==, i);
      g_assert_cmpint (by_label, ==, i);
    }
  SamplerKind sampler = SAMPLER_COUNT;
  ScheduleKind schedule = SCHEDULE_COUNT;
  g_assert_true (sampler_from_name ("EULER A", &sampler));
  g_assert_cmpint (sampler, ==, SAMPLER_EULER_ANCESTRAL);
  g_assert_true (schedule_from_name ("Uniform", &schedule));
  g_assert_cmpint (schedule, ==, SCHEDULE_NORMAL);
  g_assert_false (sampler_from_name ("dpm_adaptive", &sampler));
  g_assert_false (schedule_from_name ("", &schedule));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, name) g_test_add_func ("/samplers/" path, test_##name)
  ADD ("noise-table/holds-published-sigmas", noise_table_holds_published_sigmas);
  ADD ("noise-table/reaches-zero-terminal-snr", noise_table_reaches_zero_terminal_snr);
  ADD ("noise-table/makes-linear-betas", noise_table_makes_linear_betas);
  ADD ("noise-table/converts-sigma-and-timestep", noise_table_converts_sigma_and_timestep);
  ADD ("noise-table/clamps-out-of-range", noise_table_clamps_out_of_range);
  ADD ("noise-table/refuses-bad-parameters", noise_table_refuses_bad_parameters);
  ADD ("prediction/recovers-x0", prediction_recovers_x0);
  ADD ("beta/quantile-equals-scipy", beta_quantile_equals_scipy);
  ADD ("beta/quantile-inverts-cdf", beta_quantile_inverts_cdf);
  ADD ("schedule/hold-published-sigmas", schedules_hold_published_sigmas);
  ADD ("schedule/karras-of-ten", schedule_karras_of_ten);
  ADD ("schedule/beta-uses-published-indices", schedule_beta_uses_published_indices);
  ADD ("schedule/ays-interpolates-its-table", schedule_ays_interpolates_its_table);
  ADD ("schedule/kl-optimal-is-even-in-angle", schedule_kl_optimal_is_even_in_angle);
  ADD ("schedule/polyexponential-is-a-power-in-log", schedule_polyexponential_is_a_power_in_log);
  ADD ("schedule/linear-quadratic-uses-published-coefficients",
       schedule_linear_quadratic_uses_published_coefficients);
  ADD ("schedule/ddim-uniform-takes-every-point", schedule_ddim_uniform_takes_every_point);
  ADD ("schedule/beta-drops-repeats", schedule_beta_drops_repeats);
  ADD ("schedule/discards-penultimate-for-unipc", schedule_discards_penultimate_for_unipc);
  ADD ("schedule/denoise-keeps-the-tail", schedule_denoise_keeps_the_tail);
  ADD ("schedule/first-noise-follows-the-program", schedule_first_noise_follows_the_program);
  ADD ("schedule/refuses-what-it-cannot-do", schedule_refuses_what_it_cannot_do);
  ADD ("schedule/fall-at-every-length", schedules_fall_at_every_length);
  ADD ("schedule/survives-every-failed-allocation", schedule_survives_every_failed_allocation);
  ADD ("kinds/are-found-by-every-name", kinds_are_found_by_every_name);
#undef ADD
  return g_test_run ();
}
