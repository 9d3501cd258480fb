/* SPDX-License-Identifier: MPL-2.0
 * wan.c - Wan's transformer against what diffusers computes, from files of every layout.
 *
 * wan [--level NAME] [--precision f32|bf16]; GESSO_SOURCE names the source tree.  The files are
 * made by wan_models.py.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "core/mem.h"
#include "models/wan.h"
#include "weights/checkpoint.h"
#include "weights/mapped.h"
#include "weights/safetensors.h"

/* Of the largest value of a result.  Sums in another order than the reference's round to about
 * 1e-6, and the reference makes its sinusoids' angles in f32. */
static const double TOLERANCE_F32 = 3e-5;
/* Factors keep 8 bits: 2^-9 each, and errors of the layers add up as a random walk. */
static const double TOLERANCE_BF16 = 0.03;

typedef struct
{
  char folder[2048];
  Pool pool;
  TensorTable expected;
  Backend *backend;
  Compute compute;
  int n, n_failed;
  double worst;
} Suite;

typedef struct
{
  Suite *suite;
  Checkpoint *checkpoint;
  Arena arena;
  Status status;
  Ctx *ctx;
} Model;

/* ---- reporting ---- */

static void
report (Suite *s, bool ok, const char *name, const char *detail)
{
  printf ("%s %d - %s: %s\n", ok ? "ok" : "not ok", ++s->n, name, detail);
  s->n_failed += !ok;
}

static const FileTensor *
expected (const Suite *s, const char *name, const char *key)
{
  char full[256];
  snprintf (full, sizeof full, "%s.%s", name, key);
  return table_find (&s->expected, full);
}

static int64_t
elements (const FileTensor *t)
{
  int64_t n = 1;
  for (int i = 0; i < t->rank; i++)
    n *= t->ne[i];
  return n;
}

static const float *
floats (const FileTensor *t)
{
  return (const float *) (const void *) t->data;
}

static void
compare (Suite *s, const char *name, const float *got)
{
  const FileTensor *want = expected (s, name, "y");
  char detail[128];
  if (!want || !got)
    {
      report (s, false, name, want ? "no result" : "no such fixture");
      return;
    }
  double largest = 0, worst = 0;
  for (int64_t i = 0; i < elements (want); i++)
    {
      double error = fabs ((double) got[i] - (double) floats (want)[i]);
      largest = fmax (largest, fabs ((double) floats (want)[i]));
      worst = error > worst || isnan (error) ? error : worst;
    }
  double relative = worst / largest;
  s->worst = relative > s->worst || isnan (relative) ? relative : s->worst;
  snprintf (detail, sizeof detail, "off by %.1e of its largest value", relative);
  report (s, relative <= (s->compute == COMPUTE_F32 ? TOLERANCE_F32 : TOLERANCE_BF16), name,
          detail);
}

/* ---- running ---- */

static bool
model_open (Model *m, Suite *s, const char *path)
{
  char full[2304];
  snprintf (full, sizeof full, "%s/%s", s->folder, path);
  *m = (Model){ .suite = s };
  m->checkpoint = checkpoint_open (full, false, &m->status);
  return m->checkpoint != NULL;
}

static Binder
binder (Model *m)
{
  return (Binder){ m->checkpoint->weights, &m->arena, &m->status };
}

static void
model_close (Model *m, const char *name)
{
  const char *why =
      m->ctx && ctx_failed (m->ctx) ? ctx_status (m->ctx)->message : m->status.message;
  if (*why)
    report (m->suite, false, name, why);
  ctx_free (m->ctx);
  arena_clear (&m->arena);
  checkpoint_free (m->checkpoint);
}

typedef Tensor *(*ForwardFunc) (Ctx *ctx, void *data);

/* Measures, plans and runs.  Returns: the result in the model's Ctx, NULL on failure */
static Tensor *
run (Model *m, ForwardFunc forward, void *data)
{
  if (!m->checkpoint || !weights_check (m->checkpoint->weights, &m->status))
    return NULL;
  ctx_free (m->ctx);
  m->ctx = ctx_new (m->suite->backend, m->suite->compute, NULL, &m->status);
  if (!m->ctx)
    return NULL;
  forward (m->ctx, data);
  Tensor *out = ctx_plan (m->ctx) && ctx_begin_run (m->ctx) ? forward (m->ctx, data) : NULL;
  return ctx_end_run (m->ctx) ? out : NULL;
}

static Tensor *
file_input (Ctx *ctx, const FileTensor *t)
{
  return t ? ctx_input (ctx, DTYPE_F32, t->rank, t->ne, (void *) (uintptr_t) t->data) : NULL;
}

/* ---- cases ---- */

typedef struct
{
  const Wan *wan;
  const WanConfig *config;
  const FileTensor *latent, *text, *times, *image;
  WanGrid grid;
  float *tokens, *positions;
} WanCase;

static int64_t
n_tokens (const WanCase *c)
{
  return c->grid.t * c->grid.h * c->grid.w;
}

static Tensor *
wan_pass (Ctx *ctx, void *data)
{
  WanCase *c = data;
  int64_t tokens[] = { 1, n_tokens (c), WAN_PATCH * WAN_PATCH * c->config->in_channels };
  int64_t positions[] = { n_tokens (c), c->config->head_dim };
  const WanInputs in = { .tokens = ctx_input (ctx, DTYPE_F32, 3, tokens, c->tokens),
                         .times = file_input (ctx, c->times),
                         .text = file_input (ctx, c->text),
                         .image = file_input (ctx, c->image),
                         .positions = ctx_input (ctx, DTYPE_F32, 2, positions, c->positions) };
  return wan_forward (ctx, c->wan, &in);
}

/* Tokens from a latent (1, C, T, H, W). */
static void
prepare (WanCase *c)
{
  const int64_t *ne = c->latent->ne, n_in = WAN_PATCH * WAN_PATCH * ne[1];
  c->grid = (WanGrid){ ne[2], ne[3] / WAN_PATCH, ne[4] / WAN_PATCH };
  c->tokens = mem_calloc ((size_t) (n_tokens (c) * n_in), sizeof (float));
  c->positions = mem_calloc ((size_t) (n_tokens (c) * c->config->head_dim), sizeof (float));
  wan_patchify (c->tokens, n_in, floats (c->latent), c->grid, ne[1]);
  wan_positions (c->positions, c->config, c->grid);
}

/* @inputs: whose they are; @name: whose result is expected */
static void
test_wan (Suite *s, const char *path, const char *inputs, const char *name)
{
  Model m;
  WanCase c = { .latent = expected (s, inputs, "latent"),
                .text = expected (s, inputs, "text"),
                .times = expected (s, inputs, "times"),
                .image = expected (s, inputs, "image") };
  float *answer = NULL;
  printf ("# %s\n", path);
  if (model_open (&m, s, path))
    {
      Binder b = binder (&m);
      c.config = &m.checkpoint->config.wan;
      c.wan = wan_bind (&b, c.config, "transformer");
      prepare (&c);
    }
  Tensor *y = c.wan ? run (&m, wan_pass, &c) : NULL;
  if (y)
    {
      answer = mem_calloc ((size_t) tensor_elements (y), sizeof *answer);
      wan_unpatchify (answer, y->data, c.grid, c.config->out_channels);
    }
  compare (s, name, answer);
  mem_free (answer);
  mem_free (c.tokens);
  mem_free (c.positions);
  model_close (&m, name);
}

static void
test_all (Suite *s)
{
  test_wan (s, "t2v", "t2v", "t2v");
  test_wan (s, "ti2v", "ti2v", "ti2v");
  test_wan (s, "plain.safetensors", "plain", "plain");
  test_wan (s, "plain-q8.gguf", "plain", "plain-q8");
  test_wan (s, "plain-fp8.safetensors", "plain", "plain-fp8");
  test_wan (s, "i2v.safetensors", "i2v", "i2v");
  test_wan (s, "flf.safetensors", "flf", "flf");
}

static bool
set_up (Suite *s, MappedFile *file, const char *level, const char *precision, Status *status)
{
  char path[2304];
  const char *root = getenv ("GESSO_SOURCE");
  snprintf (s->folder, sizeof s->folder, "%s/tests/golden/fixtures/wan", root ? root : ".");
  snprintf (path, sizeof path, "%s/expect.safetensors", s->folder);
  s->compute = precision && !strcmp (precision, "bf16") ? COMPUTE_BF16 : COMPUTE_F32;
  table_init (&s->expected, &s->pool);
  s->backend = backend_cpu_new (level, 0, status);
  return s->backend && mapped_open (file, path, status) &&
         safetensors_parse (&s->expected, file->data, file->size, path, status);
}

int
main (int argc, char **argv)
{
  const char *level = NULL, *precision = NULL;
  for (int i = 1; i + 1 < argc; i += 2)
    {
      level = strcmp (argv[i], "--level") == 0 ? argv[i + 1] : level;
      precision = strcmp (argv[i], "--precision") == 0 ? argv[i + 1] : precision;
    }
  Suite s = { 0 };
  MappedFile file = { 0 };
  Status status = { 0 };
  int failed = 1;
  if (set_up (&s, &file, level, precision, &status))
    {
      test_all (&s);
      printf ("1..%d\n# worst: %.2e\n", s.n, s.worst);
      failed = s.n_failed > 0;
    }
  else if (status.code == STATUS_UNSUPPORTED)
    {
      printf ("1..0 # SKIP %s\n", status.message);
      failed = 0;
    }
  else
    printf ("Bail out! %s\n", status.message);
  table_clear (&s.expected);
  mapped_close (&file);
  pool_clear (&s.pool);
  backend_free (s.backend);
  return failed;
}
