/* SPDX-License-Identifier: MPL-2.0 */
#include <glib.h>
#include <string.h>

#include "backend/backend.h"
#include "core/arena.h"
#include "core/ctx.h"
#include "core/mem.h"
#include "core/plan.h"
#include "models/unet.h"
#include "weights/checkpoint.h"

enum
{
  MAX_OPS = 64,
  TAG_WORDS = 64 /* 256 bytes: PLAN_ALIGNMENT, so that a tensor has no slack */
};

static Tensor *
emit (Ctx *ctx, OpKind kind, const Tensor *a, const Tensor *b, int inplace, int64_t n)
{
  OpRecord record = { .kind = kind, .source = { a, b }, .inplace = inplace };
  return ctx_emit (ctx, record, DTYPE_F32, 1, &n);
}

static Ctx *
new_ctx (Backend *backend, const atomic_bool *cancel)
{
  Status status = { 0 };
  Ctx *ctx = ctx_new (backend, COMPUTE_F32, cancel, &status);
  g_assert_nonnull (ctx);
  return ctx;
}

/* ---- runs and their plan ---- */

/* out[i]: 0 -> 1 -> 2 (in place) -> 3 = 0 + 2. */
static void
four_ops (Ctx *ctx, Tensor *out[4])
{
  out[0] = emit (ctx, OP_UNARY, NULL, NULL, -1, 1000);
  out[1] = emit (ctx, OP_LINEAR, out[0], NULL, -1, 1000);
  out[2] = emit (ctx, OP_UNARY, out[1], NULL, 0, 1000);
  out[3] = emit (ctx, OP_ADD, out[2], out[0], 0, 1000);
}

static void
test_ctx_run_repeats_its_offsets (void)
{
  Ctx *ctx = new_ctx (NULL, NULL);
  Tensor *out[4];
  void *first[4];
  four_ops (ctx, out);
  g_assert_true (ctx_plan (ctx));
  g_assert_null (out[0]->data);
  for (int run = 0; run < 3; run++)
    {
      g_assert_true (ctx_begin_run (ctx));
      four_ops (ctx, out);
      g_assert_true (ctx_end_run (ctx));
      for (int i = 0; i < 4; i++)
        {
          g_assert_nonnull (out[i]->data);
          g_assert_cmpuint ((uintptr_t) out[i]->data % PLAN_ALIGNMENT, ==, 0);
          if (run == 0)
            first[i] = out[i]->data;
          g_assert_true (first[i] == out[i]->data);
        }
    }
  g_assert_true (out[1]->data == out[2]->data);
  g_assert_true (out[2]->data == out[3]->data);
  g_assert_true (out[0]->data != out[3]->data);
  g_assert_cmpuint (ctx_peak_bytes (ctx), ==, 8192); /* two of 4000 bytes, rounded up */
  g_assert_cmpuint (ctx_bound_bytes (ctx), ==, 8192);
  g_assert_cmpint (ctx_op (ctx, 2)->n_runs, ==, 3);
  ctx_free (ctx);
}

typedef enum
{
  STRAY_KIND,
  STRAY_SIZE,
  STRAY_SHAPE,
  STRAY_SOURCE,
  STRAY_MORE,
  STRAY_FEWER,
  STRAY_COUNT
} Stray;

/* Returns: what the operator that leaves the plan gave */
static Tensor *
stray (Ctx *ctx, Stray how)
{
  int64_t square[2] = { 10, 100 };
  OpRecord linear = { .kind = OP_LINEAR, .inplace = -1 };
  Tensor *out[4], *a = emit (ctx, OP_UNARY, NULL, NULL, -1, 1000);
  switch (how)
    {
    case STRAY_KIND:
      return emit (ctx, OP_CONV2D, a, NULL, -1, 1000);
    case STRAY_SIZE:
      return emit (ctx, OP_LINEAR, a, NULL, -1, 1001);
    case STRAY_SHAPE:
      linear.source[0] = a;
      return ctx_emit (ctx, linear, DTYPE_F32, 2, square);
    case STRAY_SOURCE:
      return emit (ctx, OP_LINEAR, NULL, NULL, -1, 1000);
    case STRAY_MORE:
      ctx_begin_run (ctx);
      four_ops (ctx, out);
      return emit (ctx, OP_UNARY, out[3], NULL, 0, 1000);
    case STRAY_FEWER:
    case STRAY_COUNT:
      break;
    }
  return NULL;
}

/* No operator gets a place to write to once the run has left its plan. */
static void
test_ctx_stray_run_fails (void)
{
  for (int how = 0; how < STRAY_COUNT; how++)
    {
      Ctx *ctx = new_ctx (NULL, NULL);
      Tensor *out[4];
      four_ops (ctx, out);
      g_assert_true (ctx_plan (ctx));
      g_assert_true (ctx_begin_run (ctx));
      g_assert_null (stray (ctx, (Stray) how));
      g_assert_null (how == STRAY_FEWER ? NULL : emit (ctx, OP_UNARY, NULL, NULL, -1, 1000));
      g_assert_false (ctx_end_run (ctx));
      g_assert_cmpint (ctx_status (ctx)->code, ==, STATUS_PLAN);
      g_assert_nonnull (strstr (ctx_status (ctx)->message, "its plan"));
      g_assert_false (ctx_begin_run (ctx));
      ctx_free (ctx);
    }
}

static void
test_ctx_run_needs_a_plan (void)
{
  Ctx *ctx = new_ctx (NULL, NULL);
  g_assert_false (ctx_begin_run (ctx));
  g_assert_cmpint (ctx_status (ctx)->code, ==, STATUS_PLAN);
  ctx_free (ctx);
}

static void
test_ctx_cancel_stops (void)
{
  atomic_bool cancel = false;
  Tensor *out[4];
  Ctx *ctx = new_ctx (NULL, &cancel);
  four_ops (ctx, out);
  g_assert_true (ctx_plan (ctx) && ctx_begin_run (ctx));
  g_assert_nonnull (emit (ctx, OP_UNARY, NULL, NULL, -1, 1000));
  atomic_store (&cancel, true);
  g_assert_null (emit (ctx, OP_LINEAR, NULL, NULL, -1, 1000));
  g_assert_false (ctx_end_run (ctx));
  g_assert_cmpint (ctx_status (ctx)->code, ==, STATUS_CANCELLED);
  ctx_free (ctx);
}

/* The backend may have cut the last operator short: the results are not whole. */
static void
test_ctx_cancel_in_last_op_fails_the_run (void)
{
  atomic_bool cancel = false;
  Tensor *out[4];
  Ctx *ctx = new_ctx (NULL, &cancel);
  four_ops (ctx, out);
  g_assert_true (ctx_plan (ctx) && ctx_begin_run (ctx));
  four_ops (ctx, out);
  atomic_store (&cancel, true);
  g_assert_false (ctx_end_run (ctx));
  g_assert_cmpint (ctx_status (ctx)->code, ==, STATUS_CANCELLED);
  ctx_free (ctx);
}

static void
test_ctx_keeps_the_first_failure (void)
{
  Ctx *ctx = new_ctx (NULL, NULL);
  g_assert_null (ctx_fail (ctx, STATUS_SHAPE, "First, with %d.", 7));
  g_assert_null (ctx_fail (ctx, STATUS_ARGUMENT, "Second."));
  g_assert_null (emit (ctx, OP_UNARY, NULL, NULL, -1, 8));
  g_assert_null (ctx_input (ctx, DTYPE_F32, 1, (int64_t[]){ 8 }, NULL));
  g_assert_false (ctx_plan (ctx));
  g_assert_false (ctx_begin_run (ctx));
  g_assert_cmpint (ctx_status (ctx)->code, ==, STATUS_SHAPE);
  g_assert_cmpstr (ctx_status (ctx)->message, ==, "First, with 7.");
  g_assert_cmpint (ctx_op_count (ctx), ==, 0);
  ctx_free (ctx);
}

static void
test_ctx_view_stays_inside (void)
{
  Ctx *ctx = new_ctx (NULL, NULL);
  Tensor *t = emit (ctx, OP_UNARY, NULL, NULL, -1, 16);
  int64_t half = 8;
  g_assert_nonnull (ctx_view (ctx, t, 1, &half, 8 * sizeof (float)));
  g_assert_null (ctx_view (ctx, t, 1, &half, 9 * sizeof (float)));
  g_assert_cmpint (ctx_status (ctx)->code, ==, STATUS_SHAPE);
  ctx_free (ctx);
}

/* Measure, plan and run, with the n-th allocation failing. */
static StatusCode
run_short_of_memory (int64_t nth)
{
  Status status = { 0 };
  Tensor *out[4];
  mem_fail_at (nth);
  Ctx *ctx = ctx_new (NULL, COMPUTE_F32, NULL, &status);
  if (ctx)
    {
      four_ops (ctx, out);
      if (ctx_plan (ctx) && ctx_begin_run (ctx))
        four_ops (ctx, out);
      ctx_end_run (ctx);
      if (ctx_failed (ctx))
        status = *ctx_status (ctx);
    }
  mem_fail_at (0);
  ctx_free (ctx);
  g_assert_true (status_ok (&status) == (*status.message == '\0'));
  return status.code;
}

static void
test_ctx_survives_every_failed_allocation (void)
{
  int64_t n = 1;
  while (run_short_of_memory (n) == STATUS_NO_MEMORY)
    n++;
  g_assert_cmpint (run_short_of_memory (n), ==, STATUS_OK);
  g_assert_cmpint (n, >, 6); /* ctx, tensors, trace, buffers, plan, memory */
}

/* ---- random traces ---- */

typedef struct
{
  Tensor *t[MAX_OPS];
  int n;
} Trace;

static void
fill_tag (const Tensor *t, uint32_t tag)
{
  uint32_t *words = t->data;
  for (size_t i = 0; i < tensor_bytes (t) / sizeof *words; i++)
    words[i] = tag;
}

static void
check_tag (const Tensor *t, uint32_t tag)
{
  const uint32_t *words = t->data;
  for (size_t i = 0; i < tensor_bytes (t) / sizeof *words; i++)
    g_assert_cmphex (words[i], ==, tag);
}

static bool
overlap (const Tensor *a, const Tensor *b)
{
  const char *p = a->data, *q = b->data;
  return p < q + tensor_bytes (b) && q < p + tensor_bytes (a);
}

/* A source that is still unwritten or overwritten would not hold its tag; a source that lies where
 * the result goes is allowed only where the operator asked for it. */
static void
check_and_write (const OpRecord *record, Tensor *out, uint32_t tag)
{
  for (int k = 0; k < 2; k++)
    if (record->source[k])
      {
        check_tag (record->source[k], (uint32_t) record->source[k]->buffer + 1);
        g_assert_true (k == record->inplace || !overlap (record->source[k], out));
        if (overlap (record->source[k], out))
          g_assert_true (record->source[k]->data == out->data);
      }
  fill_tag (out, tag);
}

/* One random program, the same for the same seed: it measures, or runs and checks. */
static void
random_trace (Ctx *ctx, guint32 seed, Trace *trace)
{
  GRand *r = g_rand_new_with_seed (seed);
  uint64_t kept = 0;
  trace->n = g_rand_int_range (r, 1, MAX_OPS);
  for (int i = 0; i < trace->n; i++)
    {
      OpRecord record = { .kind = (OpKind) g_rand_int_range (r, 0, OP_KIND_COUNT),
                          .inplace = g_rand_int_range (r, -1, 2) };
      for (int k = 0; k < 2 && i > 0; k++)
        {
          int wanted = g_rand_boolean (r) ? 2 : 12, back = MIN (i, wanted);
          record.source[k] = trace->t[i - 1 - g_rand_int_range (r, 0, back)];
        }
      if (i > 0 && g_rand_int_range (r, 0, 4) == 0) /* a view of the first half, or the second */
        {
          const Tensor *t = record.source[0];
          int64_t half = t->ne[0] / 2;
          size_t offset = g_rand_boolean (r) ? (size_t) half * sizeof (float) : 0;
          record.source[0] = ctx_view (ctx, t, 1, &half, offset);
        }
      int64_t n = (int64_t) TAG_WORDS << g_rand_int_range (r, 1, 4);
      Tensor *out = trace->t[i] = ctx_emit (ctx, record, DTYPE_F32, 1, &n);
      g_assert_nonnull (out);
      if (ctx_running (ctx))
        check_and_write (&record, out, (uint32_t) i + 1);
      if (g_rand_int_range (r, 0, 10) == 0)
        {
          ctx_keep (ctx, out);
          kept |= UINT64_C (1) << i;
        }
    }
  for (int i = 0; ctx_running (ctx) && i < trace->n; i++)
    if (kept >> i & 1)
      check_tag (trace->t[i], (uint32_t) i + 1);
  g_rand_free (r);
}

static size_t
span (const Trace *t)
{
  const char *low = t->t[0]->data, *high = low;
  for (int i = 0; i < t->n; i++)
    {
      const char *p = t->t[i]->data;
      low = MIN (low, p);
      high = MAX (high, p + tensor_bytes (t->t[i]));
    }
  return (size_t) (high - low);
}

static void
test_plan_keeps_live_buffers_apart (void)
{
  for (guint32 seed = 1; seed <= 3000; seed++)
    {
      Trace trace;
      Ctx *ctx = new_ctx (NULL, NULL);
      size_t sum = 0;
      random_trace (ctx, seed, &trace);
      for (int i = 0; i < trace.n; i++)
        sum += tensor_bytes (trace.t[i]);
      g_assert_true (ctx_plan (ctx));
      for (int run = 0; run < 2; run++)
        {
          g_assert_true (ctx_begin_run (ctx));
          random_trace (ctx, seed, &trace);
          g_assert_true (ctx_end_run (ctx));
          g_assert_cmpuint (span (&trace), <=, ctx_peak_bytes (ctx));
        }
      g_assert_cmpuint (ctx_peak_bytes (ctx), >=, ctx_bound_bytes (ctx));
      g_assert_cmpuint (ctx_peak_bytes (ctx), <=, sum);
      ctx_free (ctx);
    }
}

/* y = conv (x) + x may not overwrite x while the convolution still reads its neighbours. */
static void
test_plan_spares_a_source_read_twice (void)
{
  Ctx *ctx = new_ctx (NULL, NULL);
  Tensor *x = NULL, *y = NULL;
  for (int pass = 0; pass < 2; pass++)
    {
      x = emit (ctx, OP_UNARY, NULL, NULL, -1, 64);
      y = emit (ctx, OP_CONV2D, x, x, 1, 64);
      if (pass == 0)
        g_assert_true (ctx_plan (ctx) && ctx_begin_run (ctx));
    }
  g_assert_true (ctx_end_run (ctx));
  g_assert_false (overlap (x, y));
  ctx_free (ctx);
}

/* ---- a real network ---- */

typedef struct
{
  Unet *unet;
  float *x, *context;
  float t;
} Net;

enum
{
  NET_H = 8,
  NET_W = 12,
  NET_TOKENS = 77
};

static Tensor *
net_forward (Ctx *ctx, Net *n, const UnetConfig *c)
{
  Tensor *x = ctx_input (ctx, DTYPE_F32, 4, (int64_t[]){ 1, NET_H, NET_W, c->in_channels }, n->x);
  Tensor *t = ctx_input (ctx, DTYPE_F32, 1, (int64_t[]){ 1 }, &n->t);
  Tensor *context =
      ctx_input (ctx, DTYPE_F32, 3, (int64_t[]){ 1, NET_TOKENS, c->context_dim }, n->context);
  return unet_forward (ctx, n->unet, x, t, context, NULL);
}

/* @apart: every buffer outlives the run, so that none shares its place with another. */
static float *
net_run (Backend *backend, Net *n, const UnetConfig *c, bool apart, size_t *peak)
{
  Ctx *ctx = new_ctx (backend, NULL);
  g_assert_nonnull (net_forward (ctx, n, c));
  for (int i = 0; apart && i < ctx_op_count (ctx); i++)
    ctx_keep (ctx, ctx_op (ctx, i)->out);
  g_assert_true (ctx_plan (ctx));
  float *copy = NULL;
  for (int run = 0; run < 2; run++) /* the second finds the remains of the first */
    {
      g_assert_true (ctx_begin_run (ctx));
      Tensor *y = net_forward (ctx, n, c);
      g_assert_true (ctx_end_run (ctx));
      if (copy)
        g_assert_cmpmem (copy, tensor_bytes (y), y->data, tensor_bytes (y));
      else
        copy = g_memdup2 (y->data, tensor_bytes (y));
    }
  *peak = ctx_peak_bytes (ctx);
  ctx_free (ctx);
  return copy;
}

static float *
random_floats (GRand *r, int64_t n)
{
  float *out = g_new (float, (gsize) n);
  for (int64_t i = 0; i < n; i++)
    out[i] = (float) g_rand_double_range (r, -1, 1);
  return out;
}

static void
test_ctx_planned_equals_unplanned (void)
{
  Status status = { 0 };
  Arena arena = { 0 };
  g_autofree char *path =
      g_build_filename (g_getenv ("GESSO_SOURCE"), "tests/golden/fixtures/sd15-tiny", NULL);
  Checkpoint *model = checkpoint_open (path, false, &status);
  g_assert_cmpstr (status.message, ==, "");
  const UnetConfig *c = &model->config.unet;
  Binder b = { model->weights, &arena, &status };
  GRand *r = g_rand_new_with_seed (7);
  Net n = { .unet = unet_bind (&b, c),
            .x = random_floats (r, NET_H * NET_W * c->in_channels),
            .context = random_floats (r, NET_TOKENS * c->context_dim),
            .t = 481.25f };
  Backend *backend = backend_cpu_new (NULL, 1, &status);
  g_assert_nonnull (backend);
  size_t planned_peak, apart_peak,
      bytes = NET_H * NET_W * (size_t) c->out_channels * sizeof (float);
  float *planned = net_run (backend, &n, c, false, &planned_peak);
  float *apart = net_run (backend, &n, c, true, &apart_peak);
  g_assert_cmpmem (planned, bytes, apart, bytes);
  g_assert_cmpuint (planned_peak * 4, <, apart_peak);
  g_free (planned);
  g_free (apart);
  g_free (n.x);
  g_free (n.context);
  g_rand_free (r);
  backend_free (backend);
  arena_clear (&arena);
  checkpoint_free (model);
}

/* ---- the arena of small objects ---- */

static void
test_arena_gives_zeroed_aligned_memory (void)
{
  Arena arena = { 0 };
  Status status = { 0 };
  for (int round = 0; round < 3; round++)
    {
      for (size_t size = 1; size < 70000; size = size * 3 + 1)
        {
          unsigned char *p = arena_alloc (&arena, size, &status);
          g_assert_nonnull (p);
          g_assert_cmpuint ((uintptr_t) p % 16, ==, 0);
          for (size_t i = 0; i < size; i++)
            g_assert_cmpint (p[i], ==, 0);
          memset (p, 0xee, size);
        }
      arena_reset (&arena);
    }
  arena_clear (&arena);
  g_assert_null (arena.first);
}

static void
test_arena_reuses_after_reset (void)
{
  Arena arena = { 0 };
  Status status = { 0 };
  for (int i = 0; i < 100; i++)
    g_assert_nonnull (arena_alloc (&arena, 5000, &status));
  arena_reset (&arena);
  mem_fail_at (1);
  for (int i = 0; i < 100; i++)
    g_assert_nonnull (arena_alloc (&arena, 5000, &status));
  g_assert_cmpint (mem_count (), ==, 0);
  mem_fail_at (0);
  arena_clear (&arena);
}

static void
test_arena_reports_failure (void)
{
  Arena arena = { 0 };
  Status status = { 0 };
  g_assert_nonnull (arena_strdup (&arena, "first", &status));
  mem_fail_at (1);
  g_assert_null (arena_alloc (&arena, 1 << 20, &status));
  mem_fail_at (0);
  g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
  status = (Status){ 0 };
  g_assert_cmpstr (arena_strdup (&arena, "again", &status), ==, "again");
  arena_clear (&arena);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/ctx/run-repeats-its-offsets", test_ctx_run_repeats_its_offsets);
  g_test_add_func ("/core/ctx/stray-run-fails", test_ctx_stray_run_fails);
  g_test_add_func ("/core/ctx/run-needs-a-plan", test_ctx_run_needs_a_plan);
  g_test_add_func ("/core/ctx/cancel-stops", test_ctx_cancel_stops);
  g_test_add_func ("/core/ctx/cancel-in-last-op-fails-the-run",
                   test_ctx_cancel_in_last_op_fails_the_run);
  g_test_add_func ("/core/ctx/keeps-the-first-failure", test_ctx_keeps_the_first_failure);
  g_test_add_func ("/core/ctx/view-stays-inside", test_ctx_view_stays_inside);
  g_test_add_func ("/core/ctx/survives-every-failed-allocation",
                   test_ctx_survives_every_failed_allocation);
  g_test_add_func ("/core/ctx/planned-equals-unplanned", test_ctx_planned_equals_unplanned);
  g_test_add_func ("/core/plan/keeps-live-buffers-apart", test_plan_keeps_live_buffers_apart);
  g_test_add_func ("/core/plan/spares-a-source-read-twice", test_plan_spares_a_source_read_twice);
  g_test_add_func ("/core/arena/gives-zeroed-aligned-memory",
                   test_arena_gives_zeroed_aligned_memory);
  g_test_add_func ("/core/arena/reuses-after-reset", test_arena_reuses_after_reset);
  g_test_add_func ("/core/arena/reports-failure", test_arena_reports_failure);
  return g_test_run ();
}
