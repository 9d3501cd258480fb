/* SPDX-License-Identifier: MPL-2.0
 * test-pace.c - how far the program runs ahead of a card, and how soon it stops.
 */
#include <dlfcn.h>
#include <glib.h>
#include <string.h>

#include "backend/backend.h"
#include "fake-driver.h"
#include "ops/ops.h"

enum
{
  N_TOKENS = 520, /* parts of 128 queries, and a rest that does not fill one */
  N_HEADS = 2,
  HEAD_DIM = 64,
  DIM = N_HEADS * HEAD_DIM,
  FEW = 4,    /* operators that do little, where kernels run */
  MANY = 200, /* where they do not */
  N_VALUES = 2 * N_TOKENS * DIM
};

/* What an operator may launch before the flag is looked at again: GroupNorm's two and a rest. */
static const int MOST_PER_OPERATOR = 3;

static FakeCuda *
fake (void)
{
  void *module = dlopen (g_getenv ("GESSO_CUDA_MODULE"), RTLD_NOW | RTLD_NOLOAD);
  FakeCudaEntry entry = module ? (FakeCudaEntry) dlsym (module, FAKE_CUDA_ENTRY) : NULL;
  g_assert_nonnull (entry);
  return entry ();
}

static int n_small;

/* Attention of two entries, then many small operators. */
static Tensor *
forward (Ctx *ctx, float *values)
{
  const int64_t ne[3] = { 2, N_TOKENS, DIM };
  Tensor *x = ctx_input (ctx, ctx_activation (ctx), 3, ne, values);
  x = op_attention (ctx, x, x, x, N_HEADS, false);
  for (int i = 0; i < n_small; i++)
    x = op_unary (ctx, UNARY_SILU, x);
  return x;
}

/* The result of a pass; NULL and @status. */
static float *
run (const char *lead_ms, float *values, const atomic_bool *cancel, Status *status)
{
  if (lead_ms)
    g_setenv ("GESSO_CUDA_LEAD_MS", lead_ms, true);
  else
    g_unsetenv ("GESSO_CUDA_LEAD_MS");
  Backend *card = backend_cuda_new (0, 0, status);
  Ctx *ctx = ctx_new (card, COMPUTE_BF16, cancel, status);
  forward (ctx, values);
  bool ok = ctx_plan (ctx) && ctx_begin_run (ctx);
  fake ()->n_launches = 0;
  fake ()->most_ahead = 0;
  Tensor *out = ok ? forward (ctx, values) : NULL;
  const float *result = ctx_end_run (ctx) ? ctx_read (ctx, out) : NULL;
  float *copy = result ? g_memdup2 (result, N_VALUES * sizeof *result) : NULL;
  if (!copy)
    status_fail (status, ctx_status (ctx)->code, "%s", ctx_status (ctx)->message);
  ctx_free (ctx);
  backend_free (card);
  return copy;
}

static float *
random_values (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (3);
  float *values = g_new (float, N_VALUES);
  for (int i = 0; i < N_VALUES; i++)
    values[i] = (float) g_rand_double_range (random, -2, 2);
  return values;
}

/* On every kind of card that has attention of its own. */
static void
test_pace_parts_are_the_whole (void)
{
  static const char *const cards[] = { "8.9", "9.0" };
  g_autofree float *values = random_values ();
  Status status = { 0 };
  n_small = FEW;
  for (size_t i = 0; i < G_N_ELEMENTS (cards); i++)
    {
      g_setenv ("FAKE_CUDA_CARDS", cards[i], true);
      g_autofree float *whole = run (NULL, values, NULL, &status);
      int64_t n_whole = fake ()->n_launches;
      g_autofree float *parts = run ("1e-9", values, NULL, &status);
      g_assert_cmpstr (status.message, ==, "");
      /* 128, 128, 128, 136: a rest of less than a part goes with the last */
      g_assert_cmpint (fake ()->n_launches, ==, n_whole - 1 + 2 * 4);
      g_assert_cmpmem (parts, N_VALUES * sizeof *parts, whole, N_VALUES * sizeof *whole);
    }
  g_setenv ("FAKE_CUDA_CARDS", "8.9", true);
}

static void
test_pace_is_kept (void)
{
  g_autofree float *values = random_values ();
  Status status = { 0 };
  fake ()->is_idle = true;
  n_small = MANY;
  g_free (run (NULL, values, NULL, &status));
  g_test_message ("%d launches ahead", (int) fake ()->most_ahead);
  g_assert_cmpint (fake ()->most_ahead, <=, 3 * 32); /* three stretches: src/backend-cuda/pace.c */
  g_assert_cmpint (fake ()->most_ahead, >, 32);      /* else the card would wait */
  g_assert_cmpstr (status.message, ==, "");
  fake ()->is_idle = false;
}

static void
test_pace_cancelled_stops_at_the_next_operator (void)
{
  g_autofree float *values = random_values ();
  atomic_bool cancel;
  int worst = 0;
  fake ()->is_idle = true;
  n_small = MANY;
  for (int at = 1; at < MANY; at += 23)
    {
      Status status = { 0 };
      atomic_init (&cancel, false);
      fake ()->cancel = &cancel;
      fake ()->cancel_at = at;
      g_assert_null (run (NULL, values, &cancel, &status));
      g_assert_cmpint (status.code, ==, STATUS_CANCELLED);
      worst = MAX (worst, (int) fake ()->n_launches - at);
    }
  fake ()->cancel = NULL;
  fake ()->is_idle = false;
  g_test_message ("%d launches after the flag was set", worst);
  g_assert_cmpint (worst, <=, MOST_PER_OPERATOR);
}

int
main (int argc, char **argv)
{
  Status status = { 0 };
  g_test_init (&argc, &argv, NULL);
  backend_free (backend_cuda_new (0, 0, &status)); /* now the driver is there to be asked */
  g_test_add_func ("/pace/parts-are-the-whole", test_pace_parts_are_the_whole);
  g_test_add_func ("/pace/is-kept", test_pace_is_kept);
  g_test_add_func ("/pace/cancelled-stops-at-the-next-operator",
                   test_pace_cancelled_stops_at_the_next_operator);
  return g_test_run ();
}
