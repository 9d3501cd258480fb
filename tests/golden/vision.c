/* SPDX-License-Identifier: MPL-2.0
 * vision.c - CLIP's image encoder, and pictures as it is shown them, against what transformers and
 * torch compute.
 *
 * vision [--level NAME] [--precision f32|bf16]; GESSO_SOURCE names the source tree.  The files are
 * made by vision_cases.py.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "core/mem.h"
#include "models/clip-vision.h"
#include "pipelines/vision-input.h"
#include "weights/checkpoint.h"
#include "weights/mapped.h"
#include "weights/safetensors.h"

enum
{
  SIDE = 12,
  PATH_SIZE = 4096
};

/* Of the largest value of a result: sums in another order than the reference's. */
static const double TOLERANCE_F32 = 3e-6;
/* Factors keep 8 bits. */
static const double TOLERANCE_BF16 = 0.02;
/* Of a normalised pixel, of about 2; a byte is 0.015.  Bytes leave roundings of f32 only; torch
 * rounds the places that it interpolates at to f32, 1e-5 of a pixel in a picture of 200. */
static const double TOLERANCE_CROP = 1e-6, TOLERANCE_SQUEEZE = 1e-4;

typedef struct
{
  char folder[PATH_SIZE / 2];
  Pool pool;
  TensorTable expected;
  Backend *backend;
  Compute compute;
  int n, n_failed;
} Suite;

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
  snprintf (full, sizeof full, "%s%s%s", name, *key ? "." : "", key);
  return table_find (&s->expected, full);
}

/* @got: as many values as @want; their largest difference in shares of @unit, 0: of the largest */
static void
compare (
    Suite *s, const char *name, const FileTensor *want, const float *got, double unit, double most)
{
  char detail[128];
  double largest = 0, worst = 0;
  int64_t n = 1;
  if (!want || !got)
    {
      report (s, false, name, want ? "no result" : "no such fixture");
      return;
    }
  for (int i = 0; i < want->rank; i++)
    n *= want->ne[i];
  const float *values = (const float *) (const void *) want->data;
  for (int64_t i = 0; i < n; i++)
    {
      double error = fabs ((double) got[i] - (double) values[i]);
      largest = fmax (largest, fabs ((double) values[i]));
      worst = error > worst || isnan (error) ? error : worst;
    }
  worst /= unit > 0 ? unit : largest;
  snprintf (detail, sizeof detail, "off by %.1e, at most %.0e", worst, most);
  report (s, worst <= most, name, detail);
}

/* ---- pictures ---- */

static void
test_pictures (Suite *s)
{
  static const char *const sizes[] = { "48x32", "19x31", "12x12", "7x5", "12x40", "200x36" };
  static const char *const fits[] = { [VISION_CROP] = "crop", [VISION_SQUEEZE] = "squeeze" };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int fit = VISION_CROP; fit <= VISION_SQUEEZE; fit++)
      {
        const FileTensor *rgb = expected (s, sizes[i], "rgb");
        float pixels[SIDE * SIDE * 3];
        Status status = { 0 };
        char name[64];
        bool ok = rgb && vision_pixels (pixels, rgb->data, (int) rgb->ne[1], (int) rgb->ne[0], SIDE,
                                        (VisionFit) fit, &status);
        snprintf (name, sizeof name, "picture/%s/%s", sizes[i], fits[fit]);
        compare (s, name, expected (s, sizes[i], fits[fit]), ok ? pixels : NULL, 1,
                 fit == VISION_CROP ? TOLERANCE_CROP : TOLERANCE_SQUEEZE);
      }
}

/* ---- encoders ---- */

typedef struct
{
  const ClipVision *vision;
  const ClipVisionConfig *config;
  float *patches;
} Pass;

static Tensor *
forward (Ctx *ctx, const Pass *p)
{
  int64_t ne[] = { 1, p->config->n_positions - 1, clip_vision_patch_size (p->config) };
  return clip_vision_forward (ctx, p->vision, ctx_input (ctx, DTYPE_F32, 3, ne, p->patches));
}

static void
run_model (Suite *s, Checkpoint *c, const char *name, const char *want, Status *status)
{
  Arena arena = { 0 };
  Binder b = { c->weights, &arena, status };
  Pass p = { clip_vision_bind (&b, &c->config.vision), &c->config.vision, NULL };
  Ctx *ctx = p.vision && weights_check (c->weights, status)
                 ? ctx_new (s->backend, s->compute, NULL, status)
                 : NULL;
  if (ctx)
    {
      const FileTensor *pixels = expected (s, "pixels", "");
      size_t n = (size_t) ((p.config->n_positions - 1) * clip_vision_patch_size (p.config));
      p.patches = mem_calloc (n, sizeof *p.patches);
      clip_vision_patchify (p.patches, (const float *) (const void *) pixels->data, p.config);
      forward (ctx, &p);
      Tensor *y = ctx_plan (ctx) && ctx_begin_run (ctx) ? forward (ctx, &p) : NULL;
      compare (s, name, expected (s, want, "y"), ctx_end_run (ctx) && y ? y->data : NULL, 0,
               s->compute == COMPUTE_F32 ? TOLERANCE_F32 : TOLERANCE_BF16);
      if (c->n_unknown > 0 || weights_unused_count (c->weights, "") > 0)
        report (s, false, name, "has tensors that nobody knows or uses");
    }
  else
    report (s, false, name, status->message);
  ctx_free (ctx);
  mem_free (p.patches);
  arena_clear (&arena);
}

static void
test_model (Suite *s, const char *file, const char *want)
{
  char path[PATH_SIZE];
  Status status = { 0 };
  snprintf (path, sizeof path, "%s/%s", s->folder, file);
  Checkpoint *c = checkpoint_open (path, false, &status);
  if (c && c->config.has_vision)
    run_model (s, c, file, want, &status);
  else
    report (s, false, file, c ? "is no image encoder" : status.message);
  checkpoint_free (c);
}

static bool
parse (Suite *s, int argc, char **argv, const char **level)
{
  for (int i = 1; i + 1 < argc; i += 2)
    if (!strcmp (argv[i], "--level"))
      *level = argv[i + 1];
    else if (!strcmp (argv[i], "--precision"))
      s->compute = strcmp (argv[i + 1], "f32") ? COMPUTE_BF16 : COMPUTE_F32;
    else
      return false;
  return argc % 2 == 1;
}

static void
test_all (Suite *s)
{
  test_pictures (s);
  test_model (s, "hf", "hf");
  test_model (s, "plain.safetensors", "single");
  test_model (s, "openclip.safetensors", "single");
  test_model (s, "wan.safetensors", "single");
  test_model (s, "wan-visual.safetensors", "single");
}

static bool
set_up (Suite *s, MappedFile *file, const char *level, Status *status)
{
  const char *source = getenv ("GESSO_SOURCE");
  char path[PATH_SIZE];
  snprintf (s->folder, sizeof s->folder, "%s/tests/golden/fixtures/vision", source ? source : ".");
  snprintf (path, sizeof path, "%s/expect.safetensors", s->folder);
  table_init (&s->expected, &s->pool);
  s->backend = backend_cpu_new (level, 2, status);
  return s->backend && mapped_open (file, path, status) &&
         safetensors_parse (&s->expected, file->data, file->size, path, status);
}

int
main (int argc, char **argv)
{
  Suite s = { .compute = COMPUTE_F32 };
  const char *level = NULL;
  Status status = { 0 };
  MappedFile file = { 0 };
  int failed = 1;
  if (!parse (&s, argc, argv, &level))
    return 2;
  if (set_up (&s, &file, level, &status))
    {
      test_all (&s);
      printf ("1..%d\n", s.n);
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
  if (s.backend)
    backend_free (s.backend);
  return failed;
}
