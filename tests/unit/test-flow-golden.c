/* SPDX-License-Identifier: MPL-2.0
 * test-flow-golden.c - Euler, UniPC and DPM++ 2M over the levels of flow matching, call by call
 * against trajectories of diffusers' schedulers (tests/golden/flow_sampler_cases.py).
 */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "samplers/sampler.h"
#include "weights/mapped.h"
#include "weights/safetensors.h"

enum
{
  N_VALUES = 24,
  LEVELS = 1000
};

/* Of the largest value of a row.  diffusers computes coefficients in f32, here they are f64: that
 * leaves 2e-6 over these cases, and a wrong coefficient, shift or timestep 1e-3 or more. */
static const double tolerance = 5e-6;

typedef struct
{
  MappedFile file;
  Pool pool;
  TensorTable table;
} Fixtures;

static void
fixtures_open (Fixtures *f)
{
  Status status = { 0 };
  const char *source = g_getenv ("GESSO_SOURCE");
  g_autofree char *path = g_build_filename (
      source ? source : ".", "tests/golden/fixtures/flow-samplers.safetensors", NULL);
  *f = (Fixtures){ .pool = { 0 } };
  table_init (&f->table, &f->pool);
  g_assert_true (mapped_open (&f->file, path, &status));
  g_assert_true (safetensors_parse (&f->table, f->file.data, f->file.size, path, &status));
}

static void
fixtures_close (Fixtures *f)
{
  table_clear (&f->table);
  mapped_close (&f->file);
  pool_clear (&f->pool);
}

/* One trajectory while it is followed. */
typedef struct
{
  const Fixtures *fixtures;
  char *name; /* "unipc/3/9" */
  int n_calls;
} Case;

static const float *
values_of (const Case *c, const char *part, int *n_rows)
{
  g_autofree char *key = g_strconcat (c->name, ".", part, NULL);
  const FileTensor *t = table_find (&c->fixtures->table, key);
  g_assert_nonnull (t);
  if (n_rows)
    *n_rows = (int) t->ne[0];
  return (const float *) (const void *) t->data;
}

static void
check_row (const Case *c, const char *part, int row, const float *got)
{
  const float *want = values_of (c, part, NULL) + row * N_VALUES;
  double largest = 0;
  for (int i = 0; i < N_VALUES; i++)
    largest = fmax (largest, fabs ((double) want[i]));
  for (int i = 0; i < N_VALUES; i++)
    if (!(fabs ((double) got[i] - (double) want[i]) <= tolerance * largest))
      g_error ("%s: %s[%d][%d] is %.7g, diffusers has %.7g", c->name, part, row, i, (double) got[i],
               (double) want[i]);
}

static bool
denoise_cb (void *data, const float *x, double sigma, double timestep, float *x0, Status *status)
{
  Case *c = data;
  int n_rows;
  float out[N_VALUES];
  double want = (double) values_of (c, "timesteps", &n_rows)[c->n_calls];
  g_assert_cmpint (c->n_calls, <, n_rows);
  if (!(fabs (timestep - want) <= 1e-3))
    g_error ("%s: timestep %d is %.7g, diffusers has %.7g", c->name, c->n_calls, timestep, want);
  for (int i = 0; i < N_VALUES; i++)
    out[i] = tanhf (0.7f * x[i]) + 0.1f * sinf ((float) timestep / 100);
  check_row (c, "out", c->n_calls, out);
  prediction_to_x0 (PREDICTION_FLOW, x0, x, out, sigma, N_VALUES);
  c->n_calls++;
  return true;
}

static void
no_noise_cb (void *data, double sigma, double sigma_next, float *out, int64_t n)
{
  g_error ("%s: noise was asked for", ((Case *) data)->name);
}

static void
check_sigmas (const Case *c, const Schedule *schedule)
{
  int n_rows;
  const float *want = values_of (c, "sigmas", &n_rows);
  g_assert_cmpint (n_rows, ==, schedule->n + 1);
  for (int i = 0; i <= schedule->n; i++)
    {
      double got = (double) (i == schedule->n ? schedule->target[i - 1] : schedule->sigma[i]);
      g_assert_cmpfloat_with_epsilon (got, (double) want[i], 2e-7);
    }
}

/* As wan_schedule_params and wan_job_defaults have it. */
static ScheduleParams
params_of (SamplerKind sampler, double shift, int n_steps)
{
  ScheduleParams p = schedule_params_default (sampler, CONVENTION_DIFFUSERS);
  p.kind = schedule_default (sampler, CONVENTION_DIFFUSERS, true);
  p.spacing = SCHEDULE_LINSPACE;
  p.n_steps = n_steps;
  p.flow = p.flow_clip = true;
  p.flow_shift = log (shift);
  p.flow_levels = LEVELS;
  return p;
}

static void
follow (Case *c, SamplerKind kind, double shift, int n_steps)
{
  Status status = { 0 };
  Schedule schedule = { 0 };
  Sampler sampler = { 0 };
  ScheduleParams params = params_of (kind, shift, n_steps);
  SamplerOptions options = sampler_options_default (kind, CONVENTION_DIFFUSERS);
  const FileTensor *start = table_find (&c->fixtures->table, "start");
  float x[N_VALUES];
  if (!schedule_init (&schedule, NULL, &params, &status) ||
      !sampler_init (&sampler, kind, NULL, &schedule, &options, N_VALUES, &status))
    g_error ("%s: %s", c->name, status.message);
  check_sigmas (c, &schedule);
  memcpy (x, start->data, sizeof x);
  for (int i = 0; i < N_VALUES; i++)
    x[i] *= schedule.init_noise_sigma;
  Denoiser denoiser = { denoise_cb, c };
  NoiseSource noise = { no_noise_cb, c };
  for (int i = 0; i <= schedule.n; i++)
    {
      check_row (c, "x", i, x);
      if (i < schedule.n && !sampler_step (&sampler, i, x, &denoiser, &noise, &status))
        g_error ("%s: %s", c->name, status.message);
    }
  g_assert_cmpint (c->n_calls, ==, schedule.n);
  sampler_clear (&sampler);
  schedule_clear (&schedule);
}

static const struct
{
  const char *name;
  SamplerKind kind;
} samplers[] = {
  { "euler", SAMPLER_EULER },
  { "unipc", SAMPLER_UNIPC_BH2 },
  { "dpmpp_2m", SAMPLER_DPMPP_2M },
};

static void
test_flow_follows_diffusers (gconstpointer data)
{
  static const double shifts[] = { 1, 3, 5, 12 };
  static const int steps[] = { 1, 2, 4, 9, 20 };
  gsize which = GPOINTER_TO_SIZE (data);
  Fixtures f;
  fixtures_open (&f);
  for (gsize i = 0; i < G_N_ELEMENTS (shifts); i++)
    for (gsize k = 0; k < G_N_ELEMENTS (steps); k++)
      {
        Case c = { .fixtures = &f };
        c.name = g_strdup_printf ("%s/%g/%d", samplers[which].name, shifts[i], steps[k]);
        follow (&c, samplers[which].kind, shifts[i], steps[k]);
        g_free (c.name);
      }
  fixtures_close (&f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (samplers); i++)
    {
      g_autofree char *path = g_strdup_printf ("/flow/follows-diffusers/%s", samplers[i].name);
      g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_flow_follows_diffusers);
    }
  return g_test_run ();
}
