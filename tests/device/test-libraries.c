/* SPDX-License-Identifier: MPL-2.0
 * test-libraries.c - cuBLASLt and cuDNN as alternatives, on the emulator and the tests' libraries:
 * who is chosen, what is kept of it, and what happens when a library is missing, old or broken.
 *
 * The libraries are those of fake-libraries.c, and time is what fake-driver.h says of it.
 */
#include <dlfcn.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "core/mem.h"
#include "fake-driver.h"
#include "ops/ops.h"
#include "weights/encode.h"

enum
{
  SIDE = 6,
  N_PIXELS = SIDE * SIDE,
  WIDTH = 16,
  MAX_WEIGHTS = 16,
  N_PLAIN = 5,  /* products and convolutions of the network below that libraries can do */
  N_CHOSEN = 4, /* of those, where one costs half: the fifth takes a pass of ours besides */
  N_MEASURING = 2 * N_PLAIN
};

/* Of the largest value: seven operators round to 8 bits, and libraries once more. */
static const float BF16_TOLERANCE = 0.03f;

typedef struct
{
  Weight weights[MAX_WEIGHTS];
  void *memory[MAX_WEIGHTS];
  int n;
  Layer in, out, activated, conv, half, rough;
  float x[N_PIXELS * WIDTH], time[WIDTH];
} Net;

static char *cache; /* the user's cache folder */

static FakeCuda *
fake (void)
{
  void *module = dlopen (g_getenv ("GESSO_CUDA_MODULE"), RTLD_NOW | RTLD_NOLOAD);
  FakeCudaEntry entry = module ? (FakeCudaEntry) dlsym (module, FAKE_CUDA_ENTRY) : NULL;
  g_assert_nonnull (entry);
  return entry ();
}

static const Weight *
add_weight (Net *net, GRand *random, int rank, const int64_t *ne, float scale)
{
  int64_t n = 1;
  Weight *w = &net->weights[net->n];
  for (int i = 0; i < rank; i++)
    n *= ne[i];
  float *values = g_new (float, n);
  for (int64_t i = 0; i < n; i++)
    values[i] = (float) g_rand_double_range (random, -scale, scale);
  *w = (Weight){ .name = "layer", .dtype = DTYPE_F32, .rank = rank, .data = values };
  memcpy (w->ne, ne, (size_t) rank * sizeof *ne);
  net->memory[net->n++] = values;
  return w;
}

static Layer
add_layer (Net *net, GRand *random, int64_t n_out, int64_t n_in, int64_t side)
{
  const int64_t ne[4] = { n_out, n_in, side, side };
  float scale = 1.7f / sqrtf ((float) (n_in * side * side));
  return (Layer){ add_weight (net, random, side ? 4 : 2, ne, side ? scale : 0.4f),
                  add_weight (net, random, 1, &n_out, 0.2f) };
}

static Net *
net_new (void)
{
  Net *net = g_new0 (Net, 1);
  g_autoptr (GRand) random = g_rand_new_with_seed (11);
  net->in = add_layer (net, random, 2 * WIDTH, WIDTH, 0);
  net->out = add_layer (net, random, WIDTH, 2 * WIDTH, 0);
  net->activated = add_layer (net, random, WIDTH, WIDTH, 0);
  net->conv = add_layer (net, random, WIDTH, WIDTH, 3);
  net->half = add_layer (net, random, WIDTH, WIDTH, 3);
  net->rough = add_layer (net, random, 4, WIDTH, 1);
  for (int i = 0; i < N_PIXELS * WIDTH; i++)
    net->x[i] = (float) g_rand_double_range (random, -2, 2);
  for (int i = 0; i < WIDTH; i++)
    net->time[i] = (float) g_rand_double_range (random, -1, 1);
  return net;
}

static void
net_free (Net *net)
{
  for (int i = 0; i < net->n; i++)
    g_free (net->memory[i]);
  g_free (net);
}

/* Two plain products, one of them added in place, and three plain convolutions; one product that
 * no library has, and one convolution whose channels they cannot take. */
static Tensor *
forward (Ctx *ctx, Net *net)
{
  const int64_t picture[4] = { 1, SIDE, SIDE, WIDTH }, row[2] = { 1, WIDTH };
  DType type = ctx_activation (ctx);
  Tensor *x = ctx_input (ctx, type, 4, picture, net->x);
  Tensor *time = ctx_input (ctx, type, 2, row, net->time);
  Tensor *h = op_unary (ctx, UNARY_SILU, op_linear (ctx, x, net->in, NULL));
  x = op_linear (ctx, h, net->out, op_unary (ctx, UNARY_SILU, x));
  x = op_linear_unary (ctx, x, net->activated, UNARY_GELU);
  Tensor *y = op_conv2d (ctx, x, net->conv, (ConvOptions){ .channel_add = time, .add = x });
  y = op_conv2d (ctx, y, (Layer){ net->conv.weight, NULL }, (ConvOptions){ 0 });
  y = op_conv2d (ctx, y, net->half, (ConvOptions){ .stride = 2 });
  return op_conv2d (ctx, y, net->rough, (ConvOptions){ .upsample2 = true });
}

enum
{
  N_OUT = N_PIXELS * 4
};

/* Two passes on a fresh backend; the last result.  @remarks: how many sentences it had to say. */
static float *
run_net (Backend *backend, Net *net, int *remarks, Status *status)
{
  char text[STATUS_MESSAGE_SIZE];
  Compute compute = backend->device.memory ? COMPUTE_BF16 : COMPUTE_F32;
  Ctx *ctx = ctx_new (backend, compute, NULL, status);
  float *result = NULL;
  if (!ctx)
    return NULL;
  forward (ctx, net);
  bool ok = ctx_plan (ctx);
  for (int i = 0; ok && i < 2; i++)
    {
      Tensor *out = ctx_begin_run (ctx) ? forward (ctx, net) : NULL;
      const float *values = ctx_end_run (ctx) ? ctx_read (ctx, out) : NULL;
      g_free (result);
      result = values ? g_memdup2 (values, N_OUT * sizeof *values) : NULL;
      ok = values != NULL;
      while (backend->take_remark && backend->take_remark (backend, text, sizeof text))
        {
          g_test_message ("%s", text);
          g_assert_true (g_str_has_suffix (text, "compute instead."));
          *remarks += 1;
        }
    }
  if (!ok)
    status_fail (status, ctx_status (ctx)->code, "%s", ctx_status (ctx)->message);
  ctx_free (ctx);
  return result;
}

static void
assert_nothing_left (void)
{
  const FakeCuda *f = fake ();
  g_assert_cmpint (f->n_misuses, ==, 0);
  g_assert_cmpint (f->n_contexts + f->n_streams + f->n_events + f->n_host, ==, 0);
  g_assert_cmpint (f->n_pages + f->n_ranges + f->n_mapped + f->n_library_things, ==, 0);
}

static float *
run_limited (Net *net, int64_t limit_bytes, int *remarks)
{
  Status status = { 0 };
  Backend *card = backend_cuda_new (0, limit_bytes, &status);
  g_assert_cmpstr (status.message, ==, "");
  fake ()->n_library_products = fake ()->n_launches = 0;
  float *result = run_net (card, net, remarks, &status);
  g_assert_cmpstr (status.message, ==, "");
  backend_free (card);
  assert_nothing_left ();
  return result;
}

static float *
run_card (Net *net)
{
  int remarks = 0;
  float *result = run_limited (net, 0, &remarks);
  g_assert_cmpint (remarks, ==, 0);
  return result;
}

/* Our kernels alone. */
static float *
run_own (Net *net)
{
  g_setenv ("GESSO_CUDA_LIBRARIES", "off", true);
  float *result = run_card (net);
  g_unsetenv ("GESSO_CUDA_LIBRARIES");
  g_assert_cmpint (fake ()->n_library_products, ==, 0);
  return result;
}

static float *
run_cpu (Net *net)
{
  Status status = { 0 };
  int remarks = 0;
  Backend *cpu = backend_cpu_new (NULL, 1, &status);
  float *result = run_net (cpu, net, &remarks, &status);
  backend_free (cpu);
  return result;
}

static void
assert_near (const float *have, const float *want)
{
  float largest = 0, worst = 0;
  for (int i = 0; i < N_OUT; i++)
    {
      largest = fmaxf (largest, fabsf (want[i]));
      worst = isnan (have[i]) ? INFINITY : fmaxf (worst, fabsf (have[i] - want[i]));
    }
  g_test_message ("off by %.2g of the largest value", (double) (worst / largest));
  g_assert_cmpfloat (worst, <=, BF16_TOLERANCE * largest);
}

static void
assert_same (const float *have, const float *want)
{
  g_assert_cmpmem (have, N_OUT * sizeof *have, want, N_OUT * sizeof *want);
}

/* The one file of the cache; the caller frees.  NULL: there is none */
static char *
cache_file (void)
{
  g_autofree char *folder = g_build_filename (cache, "gesso", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name = dir ? g_dir_read_name (dir) : NULL;
  char *path = name ? g_build_filename (folder, name, NULL) : NULL;
  g_assert_true (!name || !g_dir_read_name (dir)); /* nothing half-written beside it */
  return path;
}

static void
forget_cache (void)
{
  char *path;
  while ((path = cache_file ()))
    {
      g_unlink (path);
      g_free (path);
    }
}

/* As a test begins: libraries are there and twice as fast. */
static Net *
set_up (float library_ms)
{
  Status status = { 0 };
  forget_cache ();
  backend_free (backend_cuda_new (0, 0, &status)); /* now the driver is there to be asked */
  fake ()->kernel_ms = 1;
  fake ()->library_ms = library_ms;
  return net_new ();
}

/* ---- who is chosen ---- */

static void
test_libraries_faster_is_taken (void)
{
  Net *net = set_up (0.5f);
  g_autofree float *own = run_own (net), *cpu = run_cpu (net), *have = run_card (net);
  int64_t n_measured = fake ()->n_library_products;
  assert_near (have, cpu);
  assert_near (own, cpu);
  g_assert_true (memcmp (have, own, N_OUT * sizeof *own) != 0);
  g_autofree float *again = run_card (net);
  assert_same (again, have);
  g_assert_cmpint (fake ()->n_library_products, ==, 2 * N_CHOSEN);
  /* a call that long is timed once, after a run of each to get warm */
  g_assert_cmpint (n_measured, ==, N_MEASURING + 2 * N_CHOSEN);
  net_free (net);
}

static void
test_libraries_slower_is_left (void)
{
  Net *net = set_up (0.99f); /* too little faster */
  g_autofree float *own = run_own (net), *have = run_card (net);
  g_assert_cmpint (fake ()->n_library_products, ==, N_MEASURING);
  assert_same (have, own);
  g_autofree float *again = run_card (net);
  assert_same (again, own);
  g_assert_cmpint (fake ()->n_library_products, ==, 0);
  net_free (net);
}

static void
test_libraries_short_calls_are_timed_more_often (void)
{
  Net *net = set_up (0.02f);
  fake ()->kernel_ms = 0.1f;
  g_autofree float *have = run_card (net), *cpu = run_cpu (net);
  g_assert_cmpint (fake ()->n_library_products, ==, 5 * N_PLAIN + 2 * N_CHOSEN);
  assert_near (have, cpu);
  net_free (net);
}

static void
test_libraries_are_told_of (void)
{
  Net *net = set_up (0.5f);
  Status status = { 0 };
  BackendTimes times;
  g_setenv ("GESSO_CUDA_LIBRARIES", "measure", true);
  Backend *card = backend_cuda_new (0, 0, &status);
  int remarks = 0;
  g_free (run_net (card, net, &remarks, &status));
  g_assert_false (card->compared (card, &times)); /* the last one was not plain */
  backend_free (card);
  g_assert_null (cache_file ());
  g_unsetenv ("GESSO_CUDA_LIBRARIES");
  assert_nothing_left ();
  net_free (net);
}

/* ---- when there is none ---- */

static void
test_libraries_may_be_missing_or_old (void)
{
  static const char *const versions[] = { "0 0", "120900 80900" };
  Net *net = set_up (0.5f);
  g_autofree float *own = run_own (net);
  const char *before = g_getenv ("FAKE_CUDA_LIBRARIES");
  g_autofree char *both = g_strdup (before);
  for (size_t i = 0; i < G_N_ELEMENTS (versions); i++)
    {
      g_setenv ("FAKE_CUDA_LIBRARIES", versions[i], true);
      g_autofree float *have = run_card (net);
      assert_same (have, own);
      g_assert_cmpint (fake ()->n_library_products, ==, 0);
    }
  g_assert_null (cache_file ());
  g_setenv ("FAKE_CUDA_LIBRARIES", "130100 0", true); /* one without the other */
  g_autofree float *half = run_card (net);
  g_assert_cmpint (fake ()->n_library_products, ==, 2 * (2 + 2));
  g_setenv ("FAKE_CUDA_LIBRARIES", both, true);
  net_free (net);
}

/* What a library takes of the card's memory is not ours to count. */
static void
test_libraries_are_left_when_memory_is_limited (void)
{
  Net *net = set_up (0.5f);
  int remarks = 0;
  g_autofree float *own = run_own (net), *have = run_limited (net, 48 << 20, &remarks);
  assert_same (have, own);
  g_assert_cmpint (fake ()->n_library_products, ==, 0);
  size_t before = fake ()->memory_bytes;
  fake ()->memory_bytes = 24 << 20; /* no room to work in */
  g_autofree float *tight = run_card (net);
  fake ()->memory_bytes = before;
  assert_same (tight, own);
  g_assert_cmpint (fake ()->n_library_products, ==, 0);
  net_free (net);
}

/* ---- what is kept ---- */

static void
test_libraries_damaged_file_is_measured_anew (void)
{
  Net *net = set_up (0.5f);
  gsize size;
  g_autofree char *whole = NULL;
  g_autofree float *want = run_card (net);
  int64_t n_measured = fake ()->n_library_products;
  g_autofree char *path = cache_file ();
  g_assert_true (g_file_get_contents (path, &whole, &size, NULL));
  for (gsize i = 0; i < size; i += 29)
    {
      g_autofree char *bad = g_memdup2 (whole, size), *mended = NULL;
      bad[i] ^= 1;
      bool cut = i % 2;
      g_assert_true (
          g_file_set_contents (path, cut ? whole : bad, cut ? (gssize) i : (gssize) size, NULL));
      g_autofree float *have = run_card (net);
      assert_same (have, want);
      g_assert_cmpint (fake ()->n_library_products, ==, n_measured);
      g_assert_true (g_file_get_contents (path, &mended, NULL, NULL));
      g_assert_cmpstr (mended, ==, whole);
    }
  net_free (net);
}

/* Another driver, library or card has another file. */
static void
test_libraries_other_versions_are_measured_anew (void)
{
  Net *net = set_up (0.5f);
  g_autofree char *both = g_strdup (g_getenv ("FAKE_CUDA_LIBRARIES"));
  g_free (run_card (net));
  int64_t n_measured = fake ()->n_library_products;
  g_setenv ("FAKE_CUDA_LIBRARIES", "130200 91900", true);
  g_setenv ("XDG_CACHE_HOME", cache, true);
  g_free (run_card (net));
  g_assert_cmpint (fake ()->n_library_products, ==, n_measured);
  g_setenv ("FAKE_CUDA_LIBRARIES", both, true);
  g_free (run_card (net));
  g_assert_cmpint (fake ()->n_library_products, <, n_measured);
  g_autofree char *folder = g_build_filename (cache, "gesso", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while ((name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_unlink (path);
    }
  net_free (net);
}

static void
test_libraries_need_no_folder (void)
{
  Net *net = set_up (0.5f);
  g_autofree float *want = run_card (net);
  g_setenv ("XDG_CACHE_HOME", "/proc/nowhere", true);
  g_autofree float *have = run_card (net);
  assert_same (have, want);
  g_assert_cmpint (fake ()->n_library_products, ==, N_MEASURING + 2 * N_CHOSEN);
  g_setenv ("XDG_CACHE_HOME", cache, true);
  net_free (net);
}

/* ---- faults ---- */

/* Every call of a library fails once: ours goes on, and that is said at most once. */
static void
test_libraries_each_fault (void)
{
  Net *net = set_up (0.5f);
  FakeCuda *f = fake ();
  g_autofree float *own = run_own (net);
  f->n_library_calls = 0;
  g_free (run_card (net));
  int64_t n = f->n_library_calls, n_said = 0;
  f->library_error = 13; /* CUBLAS_STATUS_EXECUTION_FAILED, and unknown to cuDNN */
  for (int64_t i = 1; i <= n; i++)
    {
      int remarks = 0;
      forget_cache ();
      f->n_library_calls = 0;
      f->fail_library_at = i;
      g_autofree float *have = run_limited (net, 0, &remarks);
      f->fail_library_at = 0;
      g_assert_cmpint (remarks, <=, 1);
      n_said += remarks;
      assert_near (have, own);
    }
  g_test_message ("%d calls, %d faults said", (int) n, (int) n_said);
  g_assert_cmpint (n_said, >, n / 2);
  net_free (net);
}

/* So does every call of the driver, with libraries at work. */
static void
test_libraries_each_fault_of_the_driver (void)
{
  Net *net = set_up (0.5f);
  FakeCuda *f = fake ();
  int64_t n_heard = 0;
  f->is_idle = true;
  f->n_calls = 0;
  g_free (run_card (net));
  int64_t n = f->n_calls;
  for (int64_t i = 1; i <= n; i++)
    {
      Status status = { 0 };
      int remarks = 0;
      forget_cache ();
      f->n_calls = 0;
      f->fail_at = i;
      f->error = 700;
      Backend *card = backend_cuda_new (0, 0, &status);
      g_autofree float *have = card ? run_net (card, net, &remarks, &status) : NULL;
      backend_free (card);
      f->fail_at = 0;
      n_heard += !have;
      g_assert_true (have || strstr (status.message, "NVIDIA"));
      assert_nothing_left ();
    }
  g_test_message ("%d calls, %d faults heard", (int) n, (int) n_heard);
  g_assert_cmpint (n_heard, >, n / 2);
  f->is_idle = false;
  net_free (net);
}

static void
test_libraries_each_allocation (void)
{
  Net *net = set_up (0.5f);
  fake ()->is_idle = true;
  mem_fail_at (0);
  g_free (run_card (net));
  int64_t n = mem_count ();
  for (int64_t i = 1; i <= n; i++)
    {
      Status status = { 0 };
      int remarks = 0;
      forget_cache ();
      mem_fail_at (i);
      Backend *card = backend_cuda_new (0, 0, &status);
      g_autofree float *have = card ? run_net (card, net, &remarks, &status) : NULL;
      mem_fail_at (0);
      backend_free (card);
      g_assert_true (have || status.code == STATUS_NO_MEMORY);
      assert_nothing_left ();
    }
  fake ()->is_idle = false;
  net_free (net);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  cache = g_dir_make_tmp ("gesso-libraries-XXXXXX", NULL);
  g_setenv ("XDG_CACHE_HOME", cache, true);
  g_test_add_func ("/libraries/faster-is-taken", test_libraries_faster_is_taken);
  g_test_add_func ("/libraries/slower-is-left", test_libraries_slower_is_left);
  g_test_add_func ("/libraries/short-calls-are-timed-more-often",
                   test_libraries_short_calls_are_timed_more_often);
  g_test_add_func ("/libraries/are-told-of", test_libraries_are_told_of);
  g_test_add_func ("/libraries/may-be-missing-or-old", test_libraries_may_be_missing_or_old);
  g_test_add_func ("/libraries/are-left-when-memory-is-limited",
                   test_libraries_are_left_when_memory_is_limited);
  g_test_add_func ("/libraries/damaged-file-is-measured-anew",
                   test_libraries_damaged_file_is_measured_anew);
  g_test_add_func ("/libraries/other-versions-are-measured-anew",
                   test_libraries_other_versions_are_measured_anew);
  g_test_add_func ("/libraries/need-no-folder", test_libraries_need_no_folder);
  g_test_add_func ("/libraries/each-fault", test_libraries_each_fault);
  g_test_add_func ("/libraries/each-fault-of-the-driver", test_libraries_each_fault_of_the_driver);
  g_test_add_func ("/libraries/each-allocation", test_libraries_each_allocation);
  int failed = g_test_run ();
  forget_cache ();
  g_autofree char *folder = g_build_filename (cache, "gesso", NULL);
  g_rmdir (folder);
  g_rmdir (cache);
  return failed;
}
