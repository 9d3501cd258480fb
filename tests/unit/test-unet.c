/* SPDX-License-Identifier: MPL-2.0 */
#include <glib.h>
#include <string.h>

#include "backend/backend.h"
#include "core/arena.h"
#include "models/unet.h"
#include "weights/checkpoint.h"

enum
{
  N_ROWS = 2,
  HEIGHT = 8,
  WIDTH = 12,
  N_TOKENS = 77,
  N_STEPS = 3
};

typedef struct
{
  Checkpoint *model;
  Arena arena;
  Backend *backend;
  Unet *unet;
  float *x, *context, *vector;
  float t[N_ROWS];
} Net;

static float *
random_floats (GRand *r, int64_t n)
{
  float *out = g_new (float, (gsize) n + 1);
  for (int64_t i = 0; i < n; i++)
    out[i] = (float) g_rand_double_range (r, -1, 1);
  return out;
}

static void
net_open (Net *n, const char *name)
{
  Status status = { 0 };
  g_autofree char *path =
      g_build_filename (g_getenv ("GESSO_SOURCE"), "tests/golden/fixtures", name, NULL);
  g_autoptr (GRand) r = g_rand_new_with_seed (11);
  *n = (Net){ .model = checkpoint_open (path, false, &status) };
  g_assert_cmpstr (status.message, ==, "");
  const UnetConfig *c = &n->model->config.unet;
  Binder b = { n->model->weights, &n->arena, &status };
  n->unet = unet_bind (&b, c);
  n->backend = backend_cpu_new (NULL, 1, &status);
  g_assert_true (n->unet && n->backend);
  n->x = random_floats (r, (int64_t) N_ROWS * HEIGHT * WIDTH * c->in_channels);
  n->context = random_floats (r, (int64_t) N_ROWS * N_TOKENS * c->context_dim);
  n->vector = random_floats (r, (int64_t) N_ROWS * c->adm_dim);
}

static void
net_close (Net *n)
{
  arena_clear (&n->arena);
  backend_free (n->backend);
  checkpoint_free (n->model);
  g_free (n->x);
  g_free (n->context);
  g_free (n->vector);
}

static Tensor *
context_input (Ctx *ctx, const Net *n)
{
  const int64_t ne[3] = { N_ROWS, N_TOKENS, n->model->config.unet.context_dim };
  return ctx_input (ctx, DTYPE_F32, 3, ne, n->context);
}

/* @keys NULL: with the context itself. */
static Tensor *
forward (Ctx *ctx, Net *n, const PromptKeys *keys)
{
  const UnetConfig *c = &n->model->config.unet;
  const int64_t rows = N_ROWS;
  Tensor *x =
      ctx_input (ctx, DTYPE_F32, 4, (int64_t[]){ rows, HEIGHT, WIDTH, c->in_channels }, n->x);
  Tensor *t = ctx_input (ctx, DTYPE_F32, 1, &rows, n->t), *vector = NULL;
  if (c->adm_dim > 0)
    vector = ctx_input (ctx, DTYPE_F32, 2, (int64_t[]){ rows, c->adm_dim }, n->vector);
  if (keys)
    return unet_forward_with_keys (ctx, n->unet, x, t, keys, vector, NULL);
  return unet_forward (ctx, n->unet, x, t, context_input (ctx, n), vector);
}

static Ctx *
new_ctx (Net *n, Compute compute)
{
  Status status = { 0 };
  Ctx *ctx = ctx_new (n->backend, compute, NULL, &status);
  g_assert_nonnull (ctx);
  return ctx;
}

/* Steps with keys made once, against steps that make their own. */
static void
compare (Net *n, Compute compute)
{
  int n_keys = unet_n_keys (n->unet);
  g_autofree PromptKeys *keys = g_new0 (PromptKeys, n_keys + 1);
  Ctx *kept = new_ctx (n, compute), *with = new_ctx (n, compute), *without = new_ctx (n, compute);
  unet_keys (kept, n->unet, context_input (kept, n), keys);
  g_assert_null (keys[n_keys].k);
  forward (with, n, keys);
  forward (without, n, NULL);
  g_assert_true (ctx_plan (kept) && ctx_plan (with) && ctx_plan (without));
  g_assert_true (ctx_begin_run (kept));
  unet_keys (kept, n->unet, context_input (kept, n), keys);
  g_assert_true (ctx_end_run (kept));
  g_assert_cmpint (keys[0].k->dtype, ==, compute == COMPUTE_BF16 ? DTYPE_BF16 : DTYPE_F32);
  for (int step = 0; step < N_STEPS; step++)
    {
      n->t[0] = n->t[1] = 900 - 300.5f * (float) step;
      g_assert_true (ctx_begin_run (with) && ctx_begin_run (without));
      Tensor *a = forward (with, n, keys), *b = forward (without, n, NULL);
      g_assert_true (ctx_end_run (with) && ctx_end_run (without));
      g_assert_cmpmem (a->data, tensor_bytes (a), b->data, tensor_bytes (b));
    }
  /* each block's two products are in one trace or in the other */
  g_assert_cmpint (ctx_op_count (without) - ctx_op_count (with), ==, 2 * n_keys);
  ctx_free (kept);
  ctx_free (with);
  ctx_free (without);
}

static void
test_unet_kept_keys_change_nothing (gconstpointer data)
{
  Net n;
  net_open (&n, data);
  compare (&n, COMPUTE_F32);
  compare (&n, COMPUTE_BF16);
  net_close (&n);
}

/* The names that move with adapters are those of all weights that only the keys' pass reads. */
static void
test_unet_knows_the_keys_weights (void)
{
  Net n;
  net_open (&n, "sdxl-tiny");
  g_autofree PromptKeys *keys = g_new0 (PromptKeys, unet_n_keys (n.unet));
  Ctx *kept = new_ctx (&n, COMPUTE_F32), *with = new_ctx (&n, COMPUTE_F32);
  unet_keys (kept, n.unet, context_input (kept, &n), keys);
  forward (with, &n, keys);
  int n_weights = 0;
  for (int i = 0; i < ctx_op_count (kept); i++)
    {
      g_assert_true (unet_is_key_weight (ctx_op (kept, i)->weight_name));
      n_weights++;
    }
  g_assert_cmpint (n_weights, ==, 2 * unet_n_keys (n.unet));
  for (int i = 0; i < ctx_op_count (with); i++)
    g_assert_false (ctx_op (with, i)->weight_name &&
                    unet_is_key_weight (ctx_op (with, i)->weight_name));
  ctx_free (kept);
  ctx_free (with);
  net_close (&n);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/models/unet/kept-keys-change-nothing/sd15", "sd15-tiny",
                        test_unet_kept_keys_change_nothing);
  g_test_add_data_func ("/models/unet/kept-keys-change-nothing/sdxl", "sdxl-tiny",
                        test_unet_kept_keys_change_nothing);
  g_test_add_func ("/models/unet/knows-the-keys-weights", test_unet_knows_the_keys_weights);
  return g_test_run ();
}
