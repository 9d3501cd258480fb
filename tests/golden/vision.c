/* SPDX-License-Identifier: MPL-2.0
 * vision.c - CLIP's image encoder, and pictures as it is shown them, against what transformers and
 * torch compute.
 *
 * vision [--level NAME] [--precision f32|bf16]; GESSO_SOURCE names the source tree.  The files are
 * made by vision_cases.py.
 */
#include "pass.h"

#include <stdio.h>

#include "core/mem.h"
#include "models/clip-vision.h"
#include "pipelines/vision-input.h"
#include "support/tap.h"

enum
{
  SIDE = 12
};

/* Of the largest value of a result: sums in another order than the reference's. */
static const double TOLERANCE_F32 = 3e-6;
/* Factors keep 8 bits. */
static const double TOLERANCE_BF16 = 0.02;
/* Of a normalised pixel, of about 2; a byte is 0.015.  Bytes leave roundings of f32 only; torch
 * rounds the places that it interpolates at to f32, 1e-5 of a pixel in a picture of 200. */
static const double TOLERANCE_CROP = 1e-6, TOLERANCE_SQUEEZE = 1e-4;

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
        bool ok = rgb && vision_pixels (pixels, rgb->data, (int) rgb->ne[1], (int) rgb->ne[0], SIDE,
                                        (VisionFit) fit, &status);
        Got got = got_floats (s, ok ? pixels : NULL);
        got.unit = 1;
        got.tolerance_f32 = fit == VISION_CROP ? TOLERANCE_CROP : TOLERANCE_SQUEEZE;
        got.tolerance_bf16 = got.tolerance_f32; /* no network has a part in them */
        compare (s, sizes[i], fits[fit], got);
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
vision_pass (Ctx *ctx, void *data)
{
  const Pass *p = data;
  int64_t ne[] = { 1, p->config->n_positions - 1, clip_vision_patch_size (p->config) };
  return clip_vision_forward (ctx, p->vision, ctx_input (ctx, DTYPE_F32, 3, ne, p->patches));
}

static void
run_model (Suite *s, Model *m, const char *path, const char *want)
{
  Binder b = model_binder (m);
  const ClipVisionConfig *config = &m->checkpoint->config.vision;
  Pass p = { .config = config, .vision = clip_vision_bind (&b, config) };
  size_t n = (size_t) ((config->n_positions - 1) * clip_vision_patch_size (config));
  p.patches = mem_calloc (n, sizeof *p.patches);
  clip_vision_patchify (p.patches, floats (expected (s, "pixels", "")), config);
  Tensor *y = p.vision ? model_run (m, vision_pass, &p) : NULL;
  printf ("# %s\n", path);
  compare (s, want, "y", got_floats (s, y ? y->data : NULL));
  int n_left = m->checkpoint->n_unknown + weights_unused_count (m->checkpoint->weights, "");
  tap_ok (n_left == 0, path, "%d tensors that nobody knows or uses", n_left);
  mem_free (p.patches);
}

static void
test_model (Suite *s, const char *path, const char *want)
{
  Model m;
  if (model_open (&m, s, path) && m.checkpoint->config.has_vision)
    run_model (s, &m, path, want);
  else
    tap_ok (false, path, "is no image encoder");
  model_close (&m, path);
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

int
main (int argc, char **argv)
{
  Suite s = { .fixtures = "vision",
              .expectation = "expect.safetensors",
              .tolerance_f32 = TOLERANCE_F32,
              .tolerance_bf16 = TOLERANCE_BF16,
              .test_all = test_all };
  return suite_main (&s, argc, argv);
}
