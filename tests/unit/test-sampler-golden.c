/* SPDX-License-Identifier: MPL-2.0
 * test-sampler-golden.c - every sampler and schedule that diffusers has, call by call against
 * trajectories exported from it (tests/golden/sampler_cases.py).
 */
#include <glib.h>
#include <json-c/json.h>
#include <math.h>
#include <string.h>

#include "samplers/sampler.h"

/* Relative to the largest value of the array.  diffusers computes coefficients in f32, here they
 * are f64: over these cases that leaves 1.5e-6, and a wrong coefficient or timestep 1e-3 or more.
 * From sigma 4096 (zero terminal SNR) diffusers' Euler loses more: x + (x - D) / s (s' - s) cancels
 * all but 3 digits of 7 in its first step, which leaves 4e-5 here. */
static const double tolerance = 5e-6;
static const double tolerance_zero_snr = 1e-4;

typedef struct
{
  char *bytes;
  gsize size;
  const char *data; /* after the header */
  struct json_object *header;
} Fixtures;

typedef struct
{
  const float *values;
  int rows, columns;
} Array;

static void
fixtures_open (Fixtures *f)
{
  const char *source = g_getenv ("GESSO_SOURCE");
  g_assert_nonnull (source);
  g_autofree char *path =
      g_build_filename (source, "tests", "golden", "fixtures", "samplers.safetensors", NULL);
  g_assert_true (g_file_get_contents (path, &f->bytes, &f->size, NULL));
  guint64 length;
  memcpy (&length, f->bytes, sizeof length);
  length = GUINT64_FROM_LE (length);
  g_assert_cmpuint (length, <, f->size);
  g_autofree char *text = g_strndup (f->bytes + sizeof length, length);
  f->header = json_tokener_parse (text);
  g_assert_nonnull (f->header);
  f->data = f->bytes + sizeof length + length;
}

static void
fixtures_close (Fixtures *f)
{
  json_object_put (f->header);
  g_free (f->bytes);
}

/* False when the case has no such array. */
static bool
fixtures_get (const Fixtures *f, const char *name, const char *part, Array *array)
{
  g_autofree char *key = g_strconcat (name, part, NULL);
  struct json_object *entry;
  if (!json_object_object_get_ex (f->header, key, &entry))
    return false;
  struct json_object *shape = json_object_object_get (entry, "shape");
  struct json_object *offsets = json_object_object_get (entry, "data_offsets");
  g_assert_cmpstr (json_object_get_string (json_object_object_get (entry, "dtype")), ==, "F32");
  int n_dims = (int) json_object_array_length (shape);
  gint64 begin = json_object_get_int64 (json_object_array_get_idx (offsets, 0));
  array->rows = n_dims > 1 ? json_object_get_int (json_object_array_get_idx (shape, 0)) : 1;
  array->columns = json_object_get_int (json_object_array_get_idx (shape, (size_t) n_dims - 1));
  array->values = (const float *) (f->data + begin);
  return true;
}

static Array
fixtures_need (const Fixtures *f, const char *name, const char *part)
{
  Array array;
  if (!fixtures_get (f, name, part, &array))
    g_error ("fixture %s%s is missing", name, part);
  return array;
}

static const char *
text_of (struct json_object *o, const char *key, const char *otherwise)
{
  struct json_object *v;
  return json_object_object_get_ex (o, key, &v) && v != NULL ? json_object_get_string (v)
                                                             : otherwise;
}

static bool
flag_of (struct json_object *o, const char *key)
{
  struct json_object *v;
  return json_object_object_get_ex (o, key, &v) && json_object_get_boolean (v);
}

/* One case while it runs. */
typedef struct
{
  const char *name;
  struct json_object *entry, *config;
  SamplerKind sampler;
  Prediction prediction;
  const Schedule *schedule;
  Array timesteps, in, x, noise;
  int n_calls;
  int n_values;
} Case;

static double
largest (const Array *a)
{
  double most = 0;
  for (int i = 0; i < a->rows * a->columns; i++)
    most = fmax (most, fabs (a->values[i]));
  return most;
}

static void
check_row (
    const Case *c, const char *what, int row, const Array *want, const float *got, double scale)
{
  double allowed =
      (flag_of (c->entry, "zero_snr") ? tolerance_zero_snr : tolerance) * largest (want);
  for (int i = 0; i < want->columns; i++)
    {
      double expected = want->values[row * want->columns + i];
      double error = fabs (got[i] * scale - expected);
      if (!(error <= allowed))
        g_error ("%s: %s[%d][%d] is %.7g, diffusers has %.7g", c->name, what, row, i,
                 got[i] * scale, expected);
    }
}

/* The stand-in for a network that the exporter uses. */
static bool
denoise_cb (void *data, const float *x, double sigma, double timestep, float *x0, Status *status)
{
  Case *c = data;
  g_assert_cmpint (c->n_calls, <, c->in.rows);
  float in[64], out[64];
  g_assert_cmpint (c->n_values, <=, 64);
  for (int i = 0; i < c->n_values; i++)
    {
      in[i] = (float) (x[i] * prediction_input_scale (sigma));
      out[i] = tanhf (0.7f * in[i]) + 0.1f * sinf ((float) timestep / 100);
    }
  check_row (c, "in", c->n_calls, &c->in, in, 1);
  double want = c->timesteps.values[c->n_calls];
  if (fabs (timestep - want) > 1e-3)
    g_error ("%s: timestep %d is %.7g, diffusers has %.7g", c->name, c->n_calls, timestep, want);
  prediction_to_x0 (c->prediction, x0, x, out, sigma, c->n_values);
  c->n_calls++;
  return true;
}

/* The noise that the exporter handed out at model call @call. */
static const float *
noise_of_call (const Case *c, int call)
{
  struct json_object *calls = json_object_object_get (c->entry, "noise_at_call");
  for (size_t i = 0; i < json_object_array_length (calls); i++)
    if (json_object_get_int (json_object_array_get_idx (calls, i)) == call)
      return c->noise.values + i * (size_t) c->n_values;
  g_error ("%s: noise was drawn at call %d, where diffusers draws none", c->name, call);
}

/* DPM++ SDE's second draw continues a Brownian path whose first part is the first draw: give what
 * makes the exporter's (independent) second noise of the sum. */
static void
continue_path (const Case *c, const float *whole_noise, const float *first_noise, float *out)
{
  int step = (c->n_calls - 1) / 2;
  double from = c->schedule->sigma[step], to = c->schedule->sigma[step + 1];
  double middle = sqrt (from * to);
  double whole = sqrt (from - to), first = sqrt (from - middle), second = sqrt (middle - to);
  for (int i = 0; i < c->n_values; i++)
    out[i] = (float) ((whole * whole_noise[i] - first * first_noise[i]) / second);
}

/* diffusers draws for steps that scale the noise by 0, too: take what was drawn at this call. */
static void
normal_cb (void *data, double sigma, double sigma_next, float *out, int64_t n)
{
  Case *c = data;
  int call = c->n_calls - 1;
  const float *drawn = noise_of_call (c, call);
  if (c->sampler == SAMPLER_DPMPP_SDE && call % 2 == 1)
    continue_path (c, drawn, noise_of_call (c, call - 1), out);
  else
    memcpy (out, drawn, (size_t) n * sizeof *out);
}

static SamplerKind
sampler_of (struct json_object *entry, struct json_object *config)
{
  const char *name = text_of (entry, "sampler", "");
  bool bh2 = g_str_equal (text_of (config, "solver_type", "bh2"), "bh2");
  SamplerKind kind = SAMPLER_COUNT;
  g_assert_true (sampler_from_name (name, &kind));
  return kind == SAMPLER_UNIPC && bh2 ? SAMPLER_UNIPC_BH2 : kind;
}

static ScheduleParams
schedule_params_of (const Case *c)
{
  ScheduleParams p = schedule_params_default (c->sampler, CONVENTION_DIFFUSERS);
  g_auto (GStrv) parts = g_strsplit (text_of (c->entry, "schedule", ""), "+", 2);
  const char *kind = parts[1] == NULL                          ? parts[0]
                     : g_str_equal (parts[1], "ays-timesteps") ? "ays_timesteps"
                     : g_str_equal (parts[1], "ays-sigmas")    ? "ays"
                                                               : parts[1];
  g_assert_true (schedule_from_name (kind, &p.kind));
  if (parts[1] != NULL)
    g_assert_true (schedule_from_name (parts[0], &p.spacing));
  p.n_steps = json_object_get_int (json_object_object_get (c->entry, "steps"));
  p.set_alpha_to_one = flag_of (c->config, "set_alpha_to_one");
  p.final_sigma_min = g_str_equal (text_of (c->config, "final_sigmas_type", "zero"), "sigma_min");
  return p;
}

static SamplerOptions
options_of (const Case *c)
{
  SamplerOptions o = sampler_options_default (c->sampler, CONVENTION_DIFFUSERS);
  struct json_object *v;
  if (json_object_object_get_ex (c->entry, "eta", &v) && v != NULL)
    o.eta = json_object_get_double (v);
  if (json_object_object_get_ex (c->config, "solver_order", &v))
    o.order = json_object_get_int (v);
  o.heun = g_str_equal (text_of (c->config, "solver_type", ""), "heun");
  o.first_order_last = flag_of (c->config, "euler_at_final");
  return o;
}

static NoiseTableParams
table_params_of (const Case *c)
{
  NoiseTableParams p = noise_table_params_default (CONVENTION_DIFFUSERS);
  p.zero_terminal_snr = flag_of (c->entry, "zero_snr");
  if (c->sampler == SAMPLER_DDIM || c->sampler == SAMPLER_DDPM || c->sampler == SAMPLER_LCM ||
      c->sampler == SAMPLER_TCD)
    p.terminal_alpha = NOISE_TERMINAL_NEARLY_ZERO;
  return p;
}

/* Heun, DPM2 and DPM++ SDE list a sigma twice, except the first. */
static void
check_sigmas (const Fixtures *f, const Case *c, const Schedule *schedule)
{
  Array want;
  if (!fixtures_get (f, c->name, ".sigmas", &want))
    return;
  bool vp = g_str_equal (text_of (c->entry, "space", ""), "vp");
  int stride = want.columns > schedule->n + 1 ? 2 : 1;
  for (int i = 0; i <= schedule->n; i++)
    {
      int at = i * stride < want.columns ? i * stride : want.columns - 1;
      double got = vp && i == schedule->n ? schedule->target[i - 1] : schedule->sigma[i];
      g_assert_cmpfloat_with_epsilon (got, want.values[at], 2e-6 * fmax (1, want.values[at]));
    }
}

/* Runs the case; the last row of x is the finished latent. */
static void
run_case (const Fixtures *f, Case *c)
{
  Status status = { 0 };
  NoiseTable table;
  Schedule schedule = { 0 };
  Sampler sampler = { 0 };
  NoiseTableParams table_params = table_params_of (c);
  ScheduleParams params = schedule_params_of (c);
  SamplerOptions options = options_of (c);
  bool vp = g_str_equal (text_of (c->entry, "space", ""), "vp");
  if (!noise_table_init (&table, &table_params, &status) ||
      !schedule_init (&schedule, &table, &params, &status) ||
      !sampler_init (&sampler, c->sampler, &table, &schedule, &options, c->n_values, &status))
    g_error ("%s: %s", c->name, status.message);
  check_sigmas (f, c, &schedule);
  c->schedule = &schedule;
  Array start = fixtures_need (f, "", "start");
  float x[64];
  for (int i = 0; i < c->n_values; i++)
    x[i] = start.values[i] * schedule.init_noise_sigma;
  Denoiser denoiser = { denoise_cb, c };
  NoiseSource noise = { normal_cb, c };
  for (int i = 0; i <= schedule.n; i++)
    {
      double scale = vp ? prediction_input_scale (schedule.sigma[i]) : 1;
      check_row (c, "x", c->n_calls, &c->x, x, scale);
      if (i < schedule.n && !sampler_step (&sampler, i, x, &denoiser, &noise, &status))
        g_error ("%s: %s", c->name, status.message);
    }
  g_assert_cmpint (c->n_calls, ==, c->in.rows);
  sampler_clear (&sampler);
  schedule_clear (&schedule);
}

static struct json_object *
manifest_open (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("GESSO_SOURCE"), "tests", "golden",
                                            "fixtures", "samplers.json", NULL);
  struct json_object *manifest = json_object_from_file (path);
  g_assert_nonnull (manifest);
  return manifest;
}

/* Runs the cases of one sampler of the manifest. */
static void
test_samplers_follow_diffusers (gconstpointer data)
{
  const char *wanted = data;
  Fixtures f;
  fixtures_open (&f);
  struct json_object *manifest = manifest_open ();
  struct json_object *cases = json_object_object_get (manifest, "cases");
  int n_run = 0;
  for (size_t i = 0; i < json_object_array_length (cases); i++)
    {
      struct json_object *entry = json_object_array_get_idx (cases, i);
      if (!g_str_equal (text_of (entry, "sampler", ""), wanted))
        continue;
      Case c = { .name = text_of (entry, "name", ""),
                 .entry = entry,
                 .config = json_object_object_get (entry, "config"),
                 .n_values = json_object_get_int (json_object_object_get (manifest, "n")) };
      c.sampler = sampler_of (entry, c.config);
      c.prediction = g_str_equal (text_of (entry, "prediction", ""), "v_prediction")
                         ? PREDICTION_V
                         : PREDICTION_EPSILON;
      c.timesteps = fixtures_need (&f, c.name, ".timesteps");
      c.in = fixtures_need (&f, c.name, ".in");
      c.x = fixtures_need (&f, c.name, ".x");
      fixtures_get (&f, c.name, ".noise", &c.noise);
      run_case (&f, &c);
      n_run++;
    }
  g_test_message ("%d cases", n_run);
  g_assert_cmpint (n_run, >=, 4);
  json_object_put (manifest);
  fixtures_close (&f);
}

static void
check_table (const Fixtures *f, const char *name, bool zero_snr, double terminal_alpha)
{
  Status status = { 0 };
  NoiseTable table;
  NoiseTableParams p = noise_table_params_default (CONVENTION_DIFFUSERS);
  p.zero_terminal_snr = zero_snr;
  p.terminal_alpha = terminal_alpha;
  g_assert_true (noise_table_init (&table, &p, &status));
  Array want = fixtures_need (f, "table.", name);
  g_assert_cmpint (want.columns, ==, NOISE_TABLE_STEPS);
  /* exact without the rescale; with it a few roundings of f32 fall differently */
  double allowed = zero_snr ? 1e-6 : 0;
  for (int i = 0; i < NOISE_TABLE_STEPS; i++)
    g_assert_cmpfloat_with_epsilon (table.alphas_cumprod[i], want.values[i],
                                    allowed * want.values[i] + 1e-11);
}

static void
test_noise_table_equals_diffusers (void)
{
  Fixtures f;
  fixtures_open (&f);
  check_table (&f, "alphas_cumprod", false, NOISE_TERMINAL_DIFFUSERS);
  check_table (&f, "alphas_cumprod_zsnr", true, NOISE_TERMINAL_NEARLY_ZERO);
  check_table (&f, "alphas_cumprod_zsnr_finite", true, NOISE_TERMINAL_DIFFUSERS);
  fixtures_close (&f);
}

int
main (int argc, char **argv)
{
  static const char *const samplers[] = {
    "euler", "euler_a", "heun", "ddim",  "dpmpp_2m",        "dpmpp_2m_sde", "dpmpp_sde",
    "unipc", "lcm",     "tcd",  "dpm_2", "dpm_2_ancestral", "lms",          "ddpm"
  };
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/samplers/noise-table/equals-diffusers", test_noise_table_equals_diffusers);
  for (unsigned i = 0; i < G_N_ELEMENTS (samplers); i++)
    {
      g_autofree char *path = g_strdup_printf ("/samplers/follow-diffusers/%s", samplers[i]);
      g_test_add_data_func (path, samplers[i], test_samplers_follow_diffusers);
    }
  return g_test_run ();
}
