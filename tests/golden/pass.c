/* SPDX-License-Identifier: MPL-2.0
 * pass.c - opens fixtures and models, runs a network once, says how far it is off.
 */
#include "pass.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "support/tap.h"
#include "weights/safetensors.h"

/* ---- fixtures ---- */

const FileTensor *
expected (const Suite *s, const char *name, const char *key)
{
  char full[256];
  snprintf (full, sizeof full, "%s%s%s", name, *key ? "." : "", key);
  return table_find (&s->expected, full);
}

int64_t
elements (const FileTensor *t)
{
  int64_t n = 1;
  for (int i = 0; i < t->rank; i++)
    n *= t->ne[i];
  return n;
}

const float *
floats (const FileTensor *t)
{
  return (const float *) (const void *) t->data;
}

int64_t
our_index (const FileTensor *t, int64_t i, int64_t stride)
{
  if (t->rank != 4)
    return i;
  int64_t c = t->ne[1], hw = t->ne[2] * t->ne[3];
  return (i / (c * hw) * hw + i % hw) * stride + i / hw % c;
}

float *
new_channels_last (const FileTensor *t)
{
  float *out = mem_calloc ((size_t) elements (t), sizeof *out);
  for (int64_t i = 0; out && i < elements (t); i++)
    out[our_index (t, i, t->ne[1])] = floats (t)[i];
  return out;
}

/* ---- models ---- */

bool
model_open (Model *m, Suite *s, const char *path)
{
  char full[2304];
  snprintf (full, sizeof full, "%s/%s", s->folder, path);
  *m = (Model){ .suite = s };
  m->checkpoint = checkpoint_open (full, false, &m->status);
  return m->checkpoint != NULL;
}

Binder
model_binder (Model *m)
{
  return (Binder){ m->checkpoint->weights, &m->arena, &m->status };
}

Tensor *
model_run (Model *m, ForwardFunc forward, void *data)
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

void
model_close (Model *m, const char *name)
{
  const char *why =
      m->ctx && ctx_failed (m->ctx) ? ctx_status (m->ctx)->message : m->status.message;
  if (*why)
    tap_ok (false, name, "%s", why);
  ctx_free (m->ctx);
  arena_clear (&m->arena);
  checkpoint_free (m->checkpoint);
}

Tensor *
file_input (Ctx *ctx, const FileTensor *t)
{
  return t ? ctx_input (ctx, DTYPE_F32, t->rank, t->ne, (void *) (uintptr_t) t->data) : NULL;
}

Tensor *
image_input (Ctx *ctx, const FileTensor *t, float *data)
{
  return ctx_input (ctx, DTYPE_F32, 4, (int64_t[]){ t->ne[0], t->ne[2], t->ne[3], t->ne[1] }, data);
}

/* ---- results ---- */

Got
got_floats (const Suite *s, const float *data)
{
  return (Got){ .data = data,
                .scale = 1,
                .least = -INFINITY,
                .tolerance_f32 = s->tolerance_f32,
                .tolerance_bf16 = s->tolerance_bf16 };
}

Got
got_whole (const Suite *s, const Tensor *t)
{
  Got got = got_floats (s, t ? t->data : NULL);
  got.stride = t ? tensor_last (t) : 1;
  return got;
}

static int64_t
index_of (const Got *got, const FileTensor *want, int64_t i)
{
  int64_t in_entry = elements (want) / want->ne[0];
  if (got->entry)
    return i / in_entry * got->entry + i % in_entry;
  return got->stride ? our_index (want, i, got->stride) : i;
}

/* Its largest distance, as a share of its unit. */
static double
distance (const FileTensor *want, const Got *got)
{
  double largest = 0, worst = 0;
  for (int64_t i = 0; i < elements (want); i++)
    {
      float g = got->data[index_of (got, want, i)] * got->scale + got->shift;
      double w = (double) floats (want)[i], error = fabs ((double) fmaxf (g, got->least) - w);
      largest = fmax (largest, fabs (w));
      worst = error > worst || isnan (error) ? error : worst;
    }
  return worst / (got->unit > 0 ? got->unit : largest);
}

void
compare (Suite *s, const char *name, const char *key, Got got)
{
  const FileTensor *want = expected (s, name, key);
  char full[256];
  snprintf (full, sizeof full, "%s.%s", name, key);
  if (!want || !got.data)
    {
      tap_ok (false, full, "%s", want ? "no result" : "no such fixture");
      return;
    }
  double d = distance (want, &got);
  s->worst = d > s->worst || isnan (d) ? d : s->worst;
  double most = s->compute == COMPUTE_F32 ? got.tolerance_f32 : got.tolerance_bf16;
  tap_ok (d <= most, full, "off by %.1e of %s", d, got.unit > 0 ? "1" : "its largest value");
}

/* ---- main ---- */

static bool
set_up (Suite *s, const char *level, Status *status)
{
  char path[2304];
  const char *root = getenv ("GESSO_SOURCE");
  snprintf (s->folder, sizeof s->folder, "%s/tests/golden/fixtures/%s", root ? root : ".",
            s->fixtures);
  snprintf (path, sizeof path, "%s/%s", s->folder, s->expectation);
  table_init (&s->expected, &s->pool);
  s->backend = backend_cpu_new (level, 0, status);
  return s->backend && mapped_open (&s->file, path, status) &&
         safetensors_parse (&s->expected, s->file.data, s->file.size, path, status);
}

static int
run_all (Suite *s, const char *level)
{
  Status status = { 0 };
  if (!set_up (s, level, &status))
    {
      if (s->backend || status.code != STATUS_UNSUPPORTED)
        tap_bail_out (&status);
      printf ("1..0 # SKIP %s\n", status.message);
      return 0;
    }
  s->test_all (s);
  printf ("# worst %.2e on %s, %s\n", s->worst, s->backend->level,
          s->compute == COMPUTE_F32 ? "f32" : "bf16");
  return tap_end ();
}

int
suite_main (Suite *s, int argc, char **argv)
{
  const char *level = NULL;
  for (int i = 1; i + 1 < argc; i += 2)
    if (!strcmp (argv[i], "--level"))
      level = argv[i + 1];
    else if (!strcmp (argv[i], "--precision"))
      s->compute = strcmp (argv[i + 1], "bf16") ? COMPUTE_F32 : COMPUTE_BF16;
  int failed = run_all (s, level);
  table_clear (&s->expected);
  mapped_close (&s->file);
  pool_clear (&s->pool);
  backend_free (s->backend);
  return failed;
}
