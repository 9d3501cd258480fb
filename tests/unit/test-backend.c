/* SPDX-License-Identifier: MPL-2.0 */
#include <glib.h>
#include <string.h>

#include "backend/cpu.h"
#include "core/mem.h"

static Backend *
new_backend (const char *level, int n_threads)
{
  Status status = { 0 };
  Backend *b = backend_cpu_new (level, n_threads, &status);
  g_assert_cmpstr (status.message, ==, "");
  g_assert_nonnull (b);
  return b;
}

static void
test_backend_names_every_level (void)
{
  for (int level = 0; level < CPU_LEVEL_COUNT; level++)
    {
      Status status = { 0 };
      const char *name = cpu_level_name ((CpuLevel) level);
      Backend *b = backend_cpu_new (name, 1, &status);
      if (cpu_has_level ((CpuLevel) level))
        g_assert_cmpstr (b->level, ==, name);
      else
        {
          g_assert_null (b);
          g_assert_cmpint (status.code, ==, STATUS_UNSUPPORTED);
          g_assert_nonnull (strstr (status.message, "ref"));
        }
      backend_free (b);
    }
}

static void
test_backend_refuses_an_unknown_level (void)
{
  Status status = { 0 };
  g_assert_null (backend_cpu_new ("mmx", 1, &status));
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  g_assert_nonnull (strstr (status.message, "avx2"));
}

static void
test_backend_level_comes_from_the_environment (void)
{
  Status status = { 0 };
  g_setenv ("GESSO_LEVEL", "ref", TRUE);
  Backend *b = new_backend (NULL, 1);
  g_assert_cmpstr (b->level, ==, "ref");
  g_assert_cmpint (b->fastest, ==, COMPUTE_F32);
  backend_free (b);
  g_setenv ("GESSO_LEVEL", "mmx", TRUE);
  g_assert_null (backend_cpu_new (NULL, 1, &status));
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  b = new_backend ("ref", 1); /* what the caller asks for wins */
  backend_free (b);
  g_unsetenv ("GESSO_LEVEL");
}

static void
assert_no_empty_slot (const Backend *b)
{
  void *slots[sizeof (BackendOps) / sizeof (void *)];
  memcpy (slots, &b->ops, sizeof slots);
  for (size_t i = 0; i < G_N_ELEMENTS (slots); i++)
    g_assert_nonnull (slots[i]);
}

static void
test_backend_has_no_empty_slot (void)
{
  Status status = { 0 };
  for (int level = 0; level < CPU_LEVEL_COUNT; level++)
    if (cpu_has_level ((CpuLevel) level))
      {
        Backend *b = new_backend (cpu_level_name ((CpuLevel) level), 1);
        assert_no_empty_slot (b);
        backend_free (b);
      }
  Backend *null = backend_null_new (&status);
  assert_no_empty_slot (null);
  backend_free (null);
}

static void
test_backend_survives_failed_allocations (void)
{
  Status status = { 0 };
  Backend *b = NULL;
  for (int nth = 1; !b; nth++)
    {
      g_assert_cmpint (nth, <, 1000);
      status = (Status){ 0 };
      mem_fail_at (nth);
      b = backend_cpu_new (NULL, 2, &status);
      if (!b)
        g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
    }
  mem_fail_at (0);
  backend_free (b);
}

enum
{
  N_PIXELS = 3001,
  N_CHANNELS = 64
};

/* Everything that is cut into tasks: one after another over the same picture. */
static void
run_chain (Backend *b, const float *x, float *y)
{
  int64_t n = N_PIXELS * N_CHANNELS;
  float row[N_CHANNELS];
  for (int i = 0; i < N_CHANNELS; i++)
    row[i] = (float) i / 7;
  b->ops.group_norm (b, &(GroupNormArgs){ .n = 1,
                                          .n_pixels = N_PIXELS,
                                          .n_channels = N_CHANNELS,
                                          .n_groups = 8,
                                          .eps = 1e-5f,
                                          .silu = true,
                                          .x = x,
                                          .y = y });
  b->ops.add (b, &(AddArgs){ .n = n, .n_b = N_CHANNELS, .x = y, .b = row, .y = y });
  b->ops.unary (b, &(UnaryArgs){ .kind = UNARY_GELU, .n = n, .x = y, .y = y });
  b->ops.layer_norm (
      b, &(LayerNormArgs){ .n_rows = N_PIXELS, .dim = N_CHANNELS, .eps = 1e-5f, .x = y, .y = y });
}

static void
test_backend_result_does_not_depend_on_threads (void)
{
  size_t n = N_PIXELS * N_CHANNELS;
  float *x = g_new (float, n), *one = g_new (float, n), *many = g_new (float, n);
  for (size_t i = 0; i < n; i++)
    x[i] = (float) (i * 7919 % 4001) / 1000;
  for (int level = 0; level < CPU_LEVEL_COUNT; level++)
    for (int n_threads = 2; cpu_has_level ((CpuLevel) level) && n_threads < 6; n_threads += 3)
      {
        Backend *a = new_backend (cpu_level_name ((CpuLevel) level), 1);
        Backend *b = new_backend (cpu_level_name ((CpuLevel) level), n_threads);
        run_chain (a, x, one);
        run_chain (b, x, many);
        g_assert_cmpmem (one, n * sizeof *one, many, n * sizeof *many);
        backend_free (a);
        backend_free (b);
      }
  g_free (x);
  g_free (one);
  g_free (many);
}

static void
test_backend_does_nothing_once_cancelled (void)
{
  atomic_bool cancel = true;
  float x[N_CHANNELS] = { 1 }, y[N_CHANNELS] = { 0 };
  for (int level = 0; level < CPU_LEVEL_COUNT; level++)
    if (cpu_has_level ((CpuLevel) level))
      {
        Backend *b = new_backend (cpu_level_name ((CpuLevel) level), 2);
        UnaryArgs unary = { .kind = UNARY_RELU, .n = N_CHANNELS, .x = x, .y = y };
        GroupNormArgs norm = {
          .n = 1, .n_pixels = 1, .n_channels = N_CHANNELS, .n_groups = 8, .x = x, .y = y
        };
        b->cancel = &cancel;
        b->ops.unary (b, &unary);
        b->ops.group_norm (b, &norm);
        for (int i = 0; i < N_CHANNELS; i++)
          g_assert_cmpfloat (y[i], ==, 0);
        b->cancel = NULL;
        b->ops.unary (b, &unary);
        g_assert_cmpfloat (y[0], ==, 1);
        y[0] = 0;
        backend_free (b);
      }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("GESSO_LEVEL");
  g_test_add_func ("/backend/names-every-level", test_backend_names_every_level);
  g_test_add_func ("/backend/refuses-an-unknown-level", test_backend_refuses_an_unknown_level);
  g_test_add_func ("/backend/level-comes-from-the-environment",
                   test_backend_level_comes_from_the_environment);
  g_test_add_func ("/backend/has-no-empty-slot", test_backend_has_no_empty_slot);
  g_test_add_func ("/backend/survives-failed-allocations",
                   test_backend_survives_failed_allocations);
  g_test_add_func ("/backend/result-does-not-depend-on-threads",
                   test_backend_result_does_not_depend_on_threads);
  g_test_add_func ("/backend/does-nothing-once-cancelled",
                   test_backend_does_nothing_once_cancelled);
  return g_test_run ();
}
