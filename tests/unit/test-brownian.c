/* SPDX-License-Identifier: MPL-2.0
 * test-brownian.c - the Brownian path and the SDE samplers on it, against torchsde and against
 * ComfyUI's arithmetic (tests/golden/brownian_cases.py); what a path promises; failures.
 */
#include <glib.h>
#include <json-c/json.h>
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "samplers/brownian.h"
#include "samplers/sampler.h"
#include "weights/mapped.h"
#include "weights/safetensors.h"

/* Standard normals that are sums of up to 50 numbers in f32, added in another order. */
static const double tolerance_noise = 3e-6;

enum
{
  MAX_VALUES = 64
};

typedef struct
{
  MappedFile file;
  Pool pool;
  TensorTable table;
  json_object *manifest;
} Fixtures;

static void
fixtures_open (Fixtures *f)
{
  Status status = { 0 };
  const char *source = g_getenv ("GESSO_SOURCE");
  g_assert_nonnull (source);
  *f = (Fixtures){ 0 };
  g_autofree char *folder = g_build_filename (source, "tests", "golden", "fixtures", NULL);
  g_autofree char *tensors = g_build_filename (folder, "brownian.safetensors", NULL);
  g_autofree char *manifest = g_build_filename (folder, "brownian.json", NULL);
  table_init (&f->table, &f->pool);
  if (!mapped_open (&f->file, tensors, &status) ||
      !safetensors_parse (&f->table, f->file.data, f->file.size, tensors, &status))
    g_error ("%s", status.message);
  f->manifest = json_object_from_file (manifest);
  g_assert_nonnull (f->manifest);
}

static void
fixtures_close (Fixtures *f)
{
  json_object_put (f->manifest);
  table_clear (&f->table);
  pool_clear (&f->pool);
  mapped_close (&f->file);
}

/* @n: receives the number of values */
static const float *
fixture (const Fixtures *f, const char *group, const char *name, const char *part, int64_t *n)
{
  g_autofree char *key = g_strdup_printf ("%s.%s.%s", group, name, part);
  const FileTensor *t = table_find (&f->table, key);
  if (t == NULL)
    g_error ("fixture %s is missing", key);
  *n = 1;
  for (int i = 0; i < t->rank; i++)
    *n *= t->ne[i];
  return (const float *) (const void *) t->data;
}

static Brownian *
open_path (uint64_t seed, double start, double end, int n_pictures, int64_t n_values)
{
  Status status = { 0 };
  Brownian *b = brownian_new (RNG_CPU, seed, start, end, n_pictures, n_values, &status);
  if (b == NULL)
    g_error ("%s", status.message);
  return b;
}

static void
check_path (const Fixtures *f, const char *name)
{
  int64_t n_times, n_noise, n;
  const float *times = fixture (f, "path", name, "times", &n_times);
  const float *want = fixture (f, "path", name, "noise", &n_noise);
  const float *ends = fixture (f, "path", name, "ends", &n);
  const float *words = fixture (f, "path", name, "seed", &n);
  uint64_t seed = 0;
  for (int i = 0; i < 4; i++)
    seed |= (uint64_t) words[i] << 16 * i;
  n = n_noise / (n_times - 1);
  g_assert_cmpint (n, <=, MAX_VALUES);
  Brownian *b = open_path (seed, ends[0], ends[1], 1, n);
  for (int64_t i = 0; i + 1 < n_times; i++)
    {
      float got[MAX_VALUES];
      brownian_normal (b, times[i], times[i + 1], got, n);
      for (int64_t k = 0; k < n; k++)
        if (!(fabsf (got[k] - want[i * n + k]) <= tolerance_noise))
          g_error ("%s: %.9g to %.9g [%d] is %.7g, torchsde has %.7g", name, times[i], times[i + 1],
                   (int) k, got[k], want[i * n + k]);
    }
  brownian_free (b);
}

static void
test_brownian_equals_torchsde (void)
{
  Fixtures f;
  fixtures_open (&f);
  json_object *paths = json_object_object_get (f.manifest, "paths");
  g_assert_cmpint (json_object_array_length (paths), >=, 9);
  for (size_t i = 0; i < json_object_array_length (paths); i++)
    check_path (&f, json_object_get_string (json_object_array_get_idx (paths, i)));
  fixtures_close (&f);
}

/* What has been asked for before must not count, to the bit: a resumed run starts in the middle. */
static void
test_brownian_does_not_depend_on_the_past (void)
{
  static const double times[] = { 14.6, 9, 8.999, 3, 1, 0.3, 0.03 };
  enum
  {
    N = 40
  };
  float want[G_N_ELEMENTS (times)][N], got[N];
  Brownian *b = open_path (3, 0.03, 14.6, 1, N);
  for (unsigned i = 0; i + 1 < G_N_ELEMENTS (times); i++)
    brownian_normal (b, times[i], times[i + 1], want[i], N);
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  for (int k = 0; k < 200; k++)
    {
      int i = g_rand_int_range (rand, 0, G_N_ELEMENTS (times) - 1);
      if (k % 5 == 0)
        brownian_normal (b, times[i], g_rand_double_range (rand, 0.03, times[i]), got, N);
      brownian_normal (b, times[i], times[i + 1], got, N);
      g_assert_cmpmem (got, sizeof got, want[i], sizeof want[i]);
    }
  brownian_free (b);
}

static void
test_brownian_pictures_can_be_made_alone (void)
{
  enum
  {
    N = 20,
    PICTURES = 3
  };
  float batch[PICTURES * N], alone[N];
  const uint64_t seed = UINT64_MAX - 1; /* the third is seed 0 */
  Brownian *all = open_path (seed, 0.1, 10, PICTURES, N);
  brownian_normal (all, 10, 5, batch, PICTURES * N);
  brownian_normal (all, 5, 0.1, batch, PICTURES * N);
  for (int i = 0; i < PICTURES; i++)
    {
      Brownian *one = open_path (seed + (uint64_t) i, 0.1, 10, 1, N);
      brownian_normal (one, 5, 0.1, alone, N);
      g_assert_cmpmem (alone, sizeof alone, batch + i * N, sizeof alone);
      brownian_free (one);
    }
  brownian_free (all);
}

/* 20000 values: standard error of the mean 0.007, of the variance and the product 0.01; four of
 * them.  The intervals share an end, touch in the middle of the path or are tiny. */
static void
test_brownian_is_white_noise (void)
{
  static const double times[] = { 10, 5.05, 5.0, 0.7, 0.69999, 0.1 };
  enum
  {
    N = 20000
  };
  g_autofree float *last = g_new0 (float, N), *noise = g_new (float, N);
  Brownian *b = open_path (99, 0.1, 10, 1, N);
  for (unsigned i = 0; i + 1 < G_N_ELEMENTS (times); i++)
    {
      double sum = 0, squares = 0, product = 0;
      brownian_normal (b, times[i], times[i + 1], noise, N);
      for (int k = 0; k < N; k++)
        {
          sum += noise[k];
          squares += noise[k] * noise[k];
          product += noise[k] * last[k];
        }
      g_assert_cmpfloat_with_epsilon (sum / N, 0, 0.03);
      g_assert_cmpfloat_with_epsilon (squares / N, 1, 0.04);
      g_assert_cmpfloat_with_epsilon (product / N, 0, 0.04);
      memcpy (last, noise, N * sizeof *last);
    }
  brownian_free (b);
}

/* W itself: the noise is divided by the root of a difference in f32. */
static double
increment (Brownian *b, double sigma, double sigma_next)
{
  float noise;
  brownian_normal (b, sigma, sigma_next, &noise, 1);
  return noise * sqrt ((double) ((float) sigma - (float) sigma_next));
}

/* Every time that a short path resolves; the increments between them, some 1e-3, add up. */
static void
test_brownian_reaches_every_tick (void)
{
  for (int span = 1; span < 70; span++)
    {
      double start = 0.25, end = (250000 + span) / 1e6, sum = 0;
      Brownian *b = open_path (1, start, end, 1, 1);
      double whole = increment (b, end, start);
      for (int k = span; k > 0; k--)
        sum += increment (b, (250000 + k) / 1e6, (250000 + k - 1) / 1e6);
      g_assert_cmpfloat_with_epsilon (sum, whole, 1e-8);
      brownian_free (b);
    }
}

static void
test_brownian_without_length_is_zero (void)
{
  float noise[2] = { 5, 5 };
  Brownian *b = open_path (1, 0.5, 0.5, 1, 2); /* a run of one step */
  brownian_normal (b, 0.5, 0.5, noise, 2);
  g_assert_true (noise[0] == 0 && noise[1] == 0);
  brownian_free (b);
  b = open_path (1, 0.5, 2, 1, 2);
  brownian_normal (b, 1, 1, noise, 2);
  g_assert_true (noise[0] == 0 && noise[1] == 0);
  brownian_normal (b, 1.0000001, 1, noise, 2); /* closer than torchsde resolves */
  g_assert_true (noise[0] == 0 && noise[1] == 0);
  brownian_free (b);
}

/* numpy.random.SeedSequence (1234, pool_size=24).generate_state (1), and A1111's "NV" source. */
static void
test_brownian_draws_from_the_source_asked_for (void)
{
  const uint32_t root_seed = 4280268349u;
  static const RngKind kinds[] = { RNG_CPU, RNG_NV };
  for (int k = 0; k < 2; k++)
    {
      float noise[20], want[20];
      Status status = { 0 };
      Rng rng;
      Brownian *b = brownian_new (kinds[k], 1234, 1, 5, 1, 20, &status);
      brownian_normal (b, 5, 1, noise, 20);
      rng_init (&rng, kinds[k], root_seed);
      rng_normal (&rng, want, 20);
      for (int i = 0; i < 20; i++)
        g_assert_cmpfloat (noise[i], ==, -want[i]);
      brownian_free (b);
    }
}

static void
test_brownian_refuses_what_is_no_path (void)
{
  static const double bad[][2] = { { 2, 1 },
                                   { NAN, 1 },
                                   { 1, NAN },
                                   { -1, 1 },
                                   { 0, INFINITY },
                                   { 0, 1e12 },
                                   { INFINITY, INFINITY } };
  for (unsigned i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      Status status = { 0 };
      g_assert_null (brownian_new (RNG_CPU, 1, bad[i][0], bad[i][1], 1, 16, &status));
      g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
    }
  Status status = { 0 };
  g_assert_null (brownian_new (RNG_CPU, 1, 0.1, 10, 1, 0, &status));
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  status = (Status){ 0 };
  g_assert_null (brownian_new (RNG_CPU, 1, 0.1, 10, INT_MAX, INT64_MAX / 4, &status));
  g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
  brownian_free (NULL);
}

static void
test_brownian_survives_every_failed_allocation (void)
{
  int64_t live = mem_live ();
  for (int64_t nth = 1;; nth++)
    {
      Status status = { 0 };
      mem_fail_at (nth);
      Brownian *b = brownian_new (RNG_CPU, 1, 0.1, 10, 2, 16, &status);
      mem_fail_at (0);
      g_assert_cmpint (status.code, ==, b ? STATUS_OK : STATUS_NO_MEMORY);
      bool done = b != NULL;
      brownian_free (b);
      g_assert_cmpint (mem_live (), ==, live);
      if (done)
        {
          g_assert_cmpint (nth, >, 2);
          return;
        }
    }
}

/* ---- samplers on the path ---- */

enum
{
  PICTURES = 2
};

typedef struct
{
  const char *name;
  ScheduleParams params;
  SamplerOptions options;
  uint64_t seed;
  NoiseTable table;
  Schedule schedule;
  Sampler sampler;
  Brownian *path;
  int64_t n; /* values of the batch */
} Run;

static bool
tanh_cb (void *data, const float *x, double sigma, double timestep, float *x0, Status *status)
{
  const Run *r = data;
  for (int64_t i = 0; i < r->n; i++)
    x0[i] = (float) tanh (x[i] / sqrt (1 + sigma * sigma));
  return true;
}

static void
run_describe (Run *r, json_object *o)
{
  SamplerKind kind;
  g_assert_true (
      sampler_from_name (json_object_get_string (json_object_object_get (o, "sampler")), &kind));
  *r = (Run){ .name = json_object_get_string (json_object_object_get (o, "name")),
              .params = schedule_params_default (kind, CONVENTION_COMFYUI),
              .options = sampler_options_default (kind, CONVENTION_COMFYUI),
              .seed = json_object_get_uint64 (json_object_object_get (o, "seed")) };
  r->params.kind = SCHEDULE_KARRAS;
  r->params.n_steps = json_object_get_int (json_object_object_get (o, "steps"));
  r->params.denoise = json_object_get_double (json_object_object_get (o, "denoise"));
  r->params.from_image = r->params.denoise < 1;
  r->options.eta = json_object_get_double (json_object_object_get (o, "eta"));
}

static void
run_open (Run *r)
{
  Status status = { 0 };
  NoiseTableParams table = noise_table_params_default (r->params.convention);
  bool ok = noise_table_init (&r->table, &table, &status) &&
            schedule_init (&r->schedule, &r->table, &r->params, &status);
  ok = ok && sampler_init (&r->sampler, r->params.sampler, &r->table, &r->schedule, &r->options,
                           r->n, &status);
  if (ok)
    r->path = brownian_new (RNG_CPU, r->seed, r->schedule.path_start, r->schedule.path_end,
                            PICTURES, r->n / PICTURES, &status);
  if (r->path == NULL)
    g_error ("%s: %s", r->name, status.message);
}

static void
run_close (Run *r)
{
  brownian_free (r->path);
  sampler_clear (&r->sampler);
  schedule_clear (&r->schedule);
}

static void
run_step (Run *r, int step, float *x)
{
  Status status = { 0 };
  Denoiser denoiser = { tanh_cb, r };
  NoiseSource noise = { brownian_normal, r->path };
  if (!sampler_step (&r->sampler, step, x, &denoiser, &noise, &status))
    g_error ("%s: %s", r->name, status.message);
}

/* @xs: (steps + 1, n) x before each step and after the last.  ComfyUI's coefficients are f32: that
 * leaves 2.5e-6 of the largest value.  Sigmas off by one digit in f32 leave 3e-4 or more, because
 * the path is resolved to 1e-6. */
static void
check_trajectory (Run *r, const float *xs)
{
  const double tolerance = 5e-6;
  float x[MAX_VALUES];
  run_open (r);
  memcpy (x, xs, (size_t) r->n * sizeof *x);
  for (int step = 0; step < r->schedule.n; step++)
    {
      run_step (r, step, x);
      const float *want = xs + (step + 1) * r->n;
      double largest = 0, worst = 0;
      for (int64_t i = 0; i < r->n; i++)
        {
          largest = fmax (largest, fabsf (want[i]));
          worst = fmax (worst, fabsf (x[i] - want[i]));
        }
      if (!(worst <= tolerance * largest))
        g_error ("%s, step %d: off by %.2g of the largest value", r->name, step, worst / largest);
    }
  run_close (r);
}

static void
test_samplers_follow_comfyui (void)
{
  Fixtures f;
  fixtures_open (&f);
  json_object *runs = json_object_object_get (f.manifest, "runs");
  for (size_t i = 0; i < json_object_array_length (runs); i++)
    {
      Run r;
      int64_t n_x;
      run_describe (&r, json_object_array_get_idx (runs, i));
      const float *xs = fixture (&f, "run", r.name, "x", &n_x);
      r.n = n_x / (r.params.n_steps + 1);
      g_assert_cmpint (r.n, <=, MAX_VALUES);
      g_assert_true (sampler_noise_is_path (r.params.sampler, CONVENTION_COMFYUI));
      check_trajectory (&r, xs);
    }
  g_assert_cmpint (json_object_array_length (runs), >=, 10);
  fixtures_close (&f);
}

/* Nothing of the path is saved: it is laid again and gives the same, to the bit. */
static void
check_resume (SamplerKind kind, Convention convention, int cut)
{
  enum
  {
    STEPS = 6
  };
  Run whole = { .name = sampler_name (kind), .seed = 8, .n = 40 };
  whole.params = schedule_params_default (kind, convention);
  whole.params.n_steps = STEPS;
  whole.options = sampler_options_default (kind, convention);
  Run first = whole, second = whole;
  float x[40], y[40];
  for (int i = 0; i < 40; i++)
    x[i] = y[i] = (float) i - 20;
  run_open (&whole);
  for (int i = 0; i < whole.schedule.n; i++)
    run_step (&whole, i, x);
  run_open (&first);
  for (int i = 0; i < cut; i++)
    run_step (&first, i, y);
  Status status = { 0 };
  size_t size = sampler_save_size (&first.sampler);
  g_autofree char *saved = g_malloc (size);
  sampler_save (&first.sampler, saved);
  run_close (&first);
  run_open (&second);
  g_assert_true (sampler_restore (&second.sampler, saved, size, &status));
  for (int i = cut; i < second.schedule.n; i++)
    run_step (&second, i, y);
  g_assert_cmpmem (x, sizeof x, y, sizeof y);
  run_close (&second);
  run_close (&whole);
}

static void
test_sampler_on_a_path_resumed_equals_uninterrupted (void)
{
  int n_checked = 0;
  for (int kind = 0; kind < SAMPLER_COUNT; kind++)
    for (int convention = 0; convention < 2; convention++)
      for (int cut = 0; cut <= 6; cut++)
        if (sampler_noise_is_path ((SamplerKind) kind, (Convention) convention))
          {
            check_resume ((SamplerKind) kind, (Convention) convention, cut);
            n_checked++;
          }
  g_assert_cmpint (n_checked, ==,
                   5 * 7); /* SDE twice, 2M SDE, its Heun form and 3M SDE in ComfyUI */
}

/* ComfyUI's samplers see only the sigmas that are left; diffusers' scheduler and A1111 lay the
 * path over the whole run. */
static void
test_schedule_knows_the_ends_of_the_path (void)
{
  static const struct
  {
    Convention convention;
    DenoiseRule rule;
    bool whole_run;
  } cases[] = {
    { CONVENTION_COMFYUI, DENOISE_BY_CONVENTION, false },
    { CONVENTION_COMFYUI, DENOISE_A1111, true },
    { CONVENTION_COMFYUI, DENOISE_A1111_EXACT, true },
    { CONVENTION_DIFFUSERS, DENOISE_BY_CONVENTION, true },
  };
  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Status status = { 0 };
      NoiseTable table;
      Schedule s = { 0 };
      NoiseTableParams t = noise_table_params_default (cases[i].convention);
      ScheduleParams p = schedule_params_default (SAMPLER_DPMPP_SDE, cases[i].convention);
      p.kind = SCHEDULE_KARRAS;
      p.spacing = SCHEDULE_LINSPACE;
      p.denoise = 0.5;
      p.denoise_rule = cases[i].rule;
      p.from_image = true;
      g_assert_true (noise_table_init (&table, &t, &status));
      g_assert_true (schedule_init (&s, &table, &p, &status));
      g_assert_cmpfloat (s.sigma[s.n], ==, 0);
      g_assert_cmpfloat (s.path_start, ==, s.sigma[s.n - 1]);
      if (cases[i].whole_run)
        g_assert_cmpfloat_with_epsilon (s.path_end, noise_table_sigma_max (&table), 1e-5);
      else
        g_assert_cmpfloat (s.path_end, ==, s.sigma[0]);
      g_assert_cmpfloat (s.sigma[0], <, 5);
      schedule_clear (&s);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, name) g_test_add_func ("/samplers/" path, test_##name)
  ADD ("brownian/equals-torchsde", brownian_equals_torchsde);
  ADD ("brownian/does-not-depend-on-the-past", brownian_does_not_depend_on_the_past);
  ADD ("brownian/pictures-can-be-made-alone", brownian_pictures_can_be_made_alone);
  ADD ("brownian/is-white-noise", brownian_is_white_noise);
  ADD ("brownian/reaches-every-tick", brownian_reaches_every_tick);
  ADD ("brownian/without-length-is-zero", brownian_without_length_is_zero);
  ADD ("brownian/draws-from-the-source-asked-for", brownian_draws_from_the_source_asked_for);
  ADD ("brownian/refuses-what-is-no-path", brownian_refuses_what_is_no_path);
  ADD ("brownian/survives-every-failed-allocation", brownian_survives_every_failed_allocation);
  ADD ("path/follow-comfyui", samplers_follow_comfyui);
  ADD ("path/resumed-equals-uninterrupted", sampler_on_a_path_resumed_equals_uninterrupted);
  ADD ("path/schedule-knows-its-ends", schedule_knows_the_ends_of_the_path);
#undef ADD
  return g_test_run ();
}
