/* SPDX-License-Identifier: MPL-2.0
 * sd-preview.c - what the latent looks like so far: through a tiny decoder, else by linear factors.
 */
#include "core/mem.h"
#include "pipelines/sd-private.h"

enum
{
  FACTOR_CHANNELS = 4
};

/* rgb = sum latent_c * factor_c + bias, in -1 .. 1 (fitted by the ComfyUI project,
 * latent_formats.py). */
static const float sd15_factors[FACTOR_CHANNELS + 1][3] = {
  { 0.3512f, 0.2297f, 0.3227f },
  { 0.3250f, 0.4974f, 0.2350f },
  { -0.2829f, 0.1762f, 0.2721f },
  { -0.2120f, -0.2616f, -0.7177f },
  { 0, 0, 0 },
};
static const float sdxl_factors[FACTOR_CHANNELS + 1][3] = {
  { 0.3651f, 0.4232f, 0.4341f },    { -0.2533f, -0.0042f, 0.1068f }, { 0.1076f, 0.1111f, -0.0362f },
  { -0.3165f, -0.2492f, -0.2188f }, { 0.1084f, -0.0175f, -0.0011f },
};

static void
linear_preview (Family family, const float *x0, int64_t n, uint8_t *rgb)
{
  const float (*factors)[3] = family == FAMILY_SDXL ? sdxl_factors : sd15_factors;
  for (int64_t i = 0; i < n; i++)
    for (int k = 0; k < 3; k++)
      {
        float v = factors[FACTOR_CHANNELS][k];
        for (int c = 0; c < FACTOR_CHANNELS; c++)
          v += x0[c * n + i] * factors[c][k];
        rgb[3 * i + k] = unit_to_byte (v * 0.5f + 0.5f);
      }
}

/* Returns the decoded (f h, f w, 3) in a new Ctx's arena, or NULL: a preview may fail in silence,
 * because the picture itself does not depend on it. */
static Ctx *
tiny_preview (SdPipeline *sd, const SdJob *job, const float *x0, int64_t h, int64_t w, Tensor **out)
{
  Status status = { 0 };
  int64_t c = tiny_decoder_channels (sd->tiny);
  float *z = mem_calloc ((size_t) (c * h * w), sizeof *z);
  Ctx *ctx = ctx_new (sd->backend, job->compute, job->cancel, &status);
  *out = NULL;
  if (z && ctx)
    {
      nchw_to_nhwc (z, x0, 1, c, h, w);
      for (int pass = 0; pass < 2; pass++)
        {
          Tensor *in = ctx_input (ctx, DTYPE_F32, 4, (int64_t[]){ 1, h, w, c }, z);
          *out = tiny_decode (ctx, sd->tiny, in);
          if (pass == 0 && !(ctx_plan (ctx) && ctx_begin_run (ctx)))
            break;
        }
      if (!ctx_end_run (ctx))
        *out = NULL;
    }
  mem_free (z);
  return ctx;
}

void
sd_preview (SdPipeline *sd, const SdJob *job, const float *x0, int64_t h, int64_t w, int step)
{
  int f = 1;
  Tensor *decoded = NULL;
  Ctx *ctx = NULL;
  if (sd->tiny)
    {
      ctx = tiny_preview (sd, job, x0, h, w, &decoded);
      f = decoded ? tiny_decoder_factor (sd->tiny) : 1;
    }
  uint8_t *rgb = mem_calloc ((size_t) (h * f * w * f), 3);
  if (rgb)
    {
      for (int64_t i = 0; decoded && i < h * f * w * f * 3; i++)
        rgb[i] = unit_to_byte (((const float *) decoded->data)[i]);
      if (!decoded)
        linear_preview (sd->checkpoint->config.family, x0, h * w, rgb);
      job->preview (job->data, rgb, (int) w * f, (int) h * f, step);
    }
  mem_free (rgb);
  ctx_free (ctx);
}
