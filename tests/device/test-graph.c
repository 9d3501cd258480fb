/* SPDX-License-Identifier: MPL-2.0
 * test-graph.c - runs as CUDA graphs: the same bits, and never a stale argument.
 */
#include <dlfcn.h>
#include <glib.h>
#include <string.h>

#include "backend/backend.h"
#include "fake-driver.h"
#include "ops/ops.h"

enum
{
  N_TOKENS = 24,
  DIM = 32,
  RANK = 4,
  N_VALUES = N_TOKENS * DIM,
  N_PASSES = 7
};

typedef struct
{
  Weight weight, bias, down, up, table;
  SidePath side;
  float values[5][2 * DIM * DIM], scale[RANK], x[N_VALUES];
  bool looks_up;   /* an operator in the middle copies from the program's memory */
  int moves_scale; /* before the pass of that number; 0: never */
} Net;

static FakeCuda *
fake (void)
{
  void *module = dlopen (g_getenv ("GESSO_CUDA_MODULE"), RTLD_NOW | RTLD_NOLOAD);
  FakeCudaEntry entry = module ? (FakeCudaEntry) dlsym (module, FAKE_CUDA_ENTRY) : NULL;
  g_assert_nonnull (entry);
  return entry ();
}

static Weight
weight_of (const float *values, int rank, int64_t n, int64_t m)
{
  return (
      Weight){ .name = "layer", .dtype = DTYPE_F32, .rank = rank, .ne = { n, m }, .data = values };
}

static Net *
net_new (void)
{
  Net *net = g_new0 (Net, 1);
  g_autoptr (GRand) random = g_rand_new_with_seed (7);
  for (int k = 0; k < 5; k++)
    for (int i = 0; i < 2 * DIM * DIM; i++)
      net->values[k][i] = (float) g_rand_double_range (random, -0.2, 0.2);
  for (int i = 0; i < N_VALUES; i++)
    net->x[i] = (float) g_rand_double_range (random, -2, 2);
  net->weight = weight_of (net->values[0], 2, DIM, DIM);
  net->bias = weight_of (net->values[1], 1, DIM, 0);
  net->down = weight_of (net->values[2], 2, RANK, DIM);
  net->up = weight_of (net->values[3], 2, DIM, RANK);
  net->table = weight_of (net->values[4], 2, N_TOKENS, DIM);
  for (int i = 0; i < RANK; i++)
    net->scale[i] = (float) (i + 1) / 2;
  net->side = (SidePath){ &net->down, &net->up, NULL, net->scale, RANK };
  net->weight.side = &net->side;
  return net;
}

static Tensor *
forward (Ctx *ctx, Net *net)
{
  static int32_t ids[N_TOKENS];
  const int64_t ne[3] = { 1, N_TOKENS, DIM };
  const Layer layer = { &net->weight, &net->bias };
  Tensor *x = ctx_input (ctx, ctx_activation (ctx), 3, ne, net->x);
  x = op_linear_unary (ctx, x, layer, UNARY_SILU);
  if (net->looks_up)
    x = op_add (ctx, x, op_embed (ctx, ids, 1, N_TOKENS, &net->table, NULL));
  x = op_attention (ctx, x, x, x, 1, false);
  x = op_layer_norm (ctx, x, (Layer){ &net->bias, &net->bias }, 1e-5f);
  return op_concat (ctx, op_linear (ctx, x, layer, x), x);
}

static void
assert_nothing_left (void)
{
  const FakeCuda *f = fake ();
  g_assert_cmpint (f->n_misuses, ==, 0);
  g_assert_cmpint (f->n_contexts + f->n_streams + f->n_events + f->n_host + f->n_graphs, ==, 0);
  g_assert_cmpint (f->n_pages + f->n_ranges + f->n_mapped, ==, 0);
}

/* The last of several passes; every pass has another input.  NULL and @status. */
static float *
run (Net *net, const char *mode, Status *status)
{
  g_autofree float *first = g_memdup2 (net->x, sizeof net->x);
  float scale = net->scale[1], *result = NULL;
  g_setenv ("GESSO_CUDA_GRAPHS", mode, true);
  Backend *card = backend_cuda_new (0, 0, status);
  Ctx *ctx = card ? ctx_new (card, COMPUTE_BF16, NULL, status) : NULL;
  bool ok = ctx != NULL;
  if (ok)
    forward (ctx, net);
  ok = ok && ctx_plan (ctx);
  fake ()->n_graph_launches = 0;
  for (int pass = 1; ok && pass <= N_PASSES; pass++)
    {
      net->x[0] = (float) pass;
      if (pass == net->moves_scale)
        net->scale[1] = -3;
      Tensor *out = ctx_begin_run (ctx) ? forward (ctx, net) : NULL;
      const float *values = ctx_end_run (ctx) ? ctx_read (ctx, out) : NULL;
      g_free (result);
      result = values ? g_memdup2 (values, 2 * sizeof net->x) : NULL;
      ok = values != NULL;
    }
  if (ctx && !ok)
    status_fail (status, ctx_status (ctx)->code, "%s", ctx_status (ctx)->message);
  ctx_free (ctx);
  backend_free (card);
  memcpy (net->x, first, sizeof net->x);
  net->scale[1] = scale;
  return result;
}

/* The same with graphs as without, with so many graph launches. */
static void
assert_same (Net *net, int n_graphs)
{
  Status status = { 0 };
  g_autofree float *want = run (net, "off", &status);
  g_assert_cmpint (fake ()->n_graph_launches, ==, 0);
  g_autofree float *have = run (net, "always", &status);
  g_assert_cmpstr (status.message, ==, "");
  g_assert_cmpint (fake ()->n_graph_launches, ==, n_graphs);
  g_assert_cmpmem (have, 2 * sizeof net->x, want, 2 * sizeof net->x);
  assert_nothing_left ();
}

/* The first pass brings parameters, the second is timed, the third recorded and launched. */
static void
test_graph_is_bit_for_bit (void)
{
  Net *net = net_new ();
  assert_same (net, N_PASSES - 2);
  g_free (net);
}

static void
test_graph_is_left_where_something_is_copied_between (void)
{
  Net *net = net_new ();
  net->looks_up = true;
  assert_same (net, 0);
  g_free (net);
}

/* A slider moves while a graph is recorded, launched the first time, and later. */
static void
test_graph_sees_moved_scales (void)
{
  Net *net = net_new ();
  for (net->moves_scale = 1; net->moves_scale <= N_PASSES; net->moves_scale++)
    {
      Status status = { 0 };
      g_autofree float *want = run (net, "off", &status);
      g_autofree float *have = run (net, "always", &status);
      g_assert_cmpstr (status.message, ==, "");
      g_assert_cmpmem (have, 2 * sizeof net->x, want, 2 * sizeof net->x);
      assert_nothing_left ();
    }
  g_free (net);
}

/* Whatever the clock says. */
static void
test_graph_by_measurement (void)
{
  Net *net = net_new ();
  Status status = { 0 };
  g_autofree float *want = run (net, "off", &status), *have = run (net, "", &status);
  g_assert_cmpstr (status.message, ==, "");
  g_assert_cmpmem (have, 2 * sizeof net->x, want, 2 * sizeof net->x);
  assert_nothing_left ();
  g_free (net);
}

/* Of every fourth fault the result is looked at, too: kernels take their time. */
static void
test_graph_each_fault (void)
{
  Net *net = net_new ();
  Status status = { 0 };
  FakeCuda *f = fake ();
  int64_t n_heard = 0;
  g_autofree float *want = run (net, "always", &status);
  f->n_calls = 0;
  g_free (run (net, "always", &status));
  int64_t n = f->n_calls;
  for (int64_t i = 1; i <= n; i++)
    {
      status = (Status){ 0 };
      f->n_calls = 0;
      f->fail_at = i;
      f->error = 700;
      f->is_idle = i % 4 != 0;
      g_autofree float *have = run (net, "always", &status);
      f->fail_at = 0;
      n_heard += !have;
      if (have && !f->is_idle)
        g_assert_cmpmem (have, 2 * sizeof net->x, want, 2 * sizeof net->x);
      g_assert_true (have || strstr (status.message, "NVIDIA"));
      assert_nothing_left ();
    }
  f->is_idle = false;
  g_test_message ("%d calls, %d faults heard", (int) n, (int) n_heard);
  g_assert_cmpint (n_heard, >, n / 2);
  g_free (net);
}

int
main (int argc, char **argv)
{
  Status status = { 0 };
  g_test_init (&argc, &argv, NULL);
  backend_free (backend_cuda_new (0, 0, &status)); /* now the driver is there to be asked */
  g_test_add_func ("/graph/is-bit-for-bit", test_graph_is_bit_for_bit);
  g_test_add_func ("/graph/is-left-where-something-is-copied-between",
                   test_graph_is_left_where_something_is_copied_between);
  g_test_add_func ("/graph/sees-moved-scales", test_graph_sees_moved_scales);
  g_test_add_func ("/graph/by-measurement", test_graph_by_measurement);
  g_test_add_func ("/graph/each-fault", test_graph_each_fault);
  return g_test_run ();
}
