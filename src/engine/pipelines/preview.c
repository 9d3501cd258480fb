/* SPDX-License-Identifier: MPL-2.0
 * preview.c - what the latent looks like so far: through a tiny decoder, else by linear factors.
 */
#include <string.h>

#include "core/mem.h"
#include "pipelines/pipeline-private.h"

static void
linear_preview (const Pipeline *pipeline, const float *x0, int64_t n, uint8_t *rgb)
{
  const ModelConfig *config = &pipeline->checkpoint->config;
  PreviewFactors factors = pipeline->family->preview_factors (config);
  int n_channels = factors.n_channels;
  int n_latent = config->has_wan ? config->wan.out_channels : config->vae.latent_channels;
  if (n_channels > n_latent)
    n_channels = n_latent;
  for (int64_t i = 0; i < n; i++)
    for (int k = 0; k < 3; k++)
      {
        float v = factors.rows[factors.n_channels][k];
        for (int c = 0; c < n_channels; c++)
          v += x0[c * n + i] * factors.rows[c][k];
        rgb[3 * i + k] = unit_to_byte (v * 0.5f + 0.5f);
      }
}

/* Returns the decoded (f h, f w, 3) in a new Ctx's arena, or NULL: a preview may fail in silence,
 * because the picture itself does not depend on it. */
static Ctx *
tiny_preview (Pipeline *pipeline,
              const PipelineJob *job,
              const float *x0,
              int64_t h,
              int64_t w,
              const float **out)
{
  Tensor *decoded = NULL;
  Status status = { 0 };
  int64_t c = tiny_decoder_channels (pipeline->tiny);
  float *z = mem_calloc ((size_t) (c * h * w), sizeof *z);
  Compute compute = pipeline_compute (pipeline, job, NETWORK_VAE);
  Ctx *ctx = ctx_new (pipeline->backend, compute, job->cancel, &status);
  *out = NULL;
  if (z && ctx)
    {
      nchw_to_nhwc (z, x0, 1, c, h, w);
      for (int pass = 0; pass < 2; pass++)
        {
          Tensor *in = ctx_input (ctx, ctx_activation (ctx), 4, (int64_t[]){ 1, h, w, c }, z);
          decoded = tiny_decode (ctx, pipeline->tiny, in);
          if (pass == 0 && !(ctx_plan (ctx) && ctx_begin_run (ctx)))
            break;
        }
      *out = ctx_end_run (ctx) ? ctx_read (ctx, decoded) : NULL;
    }
  mem_free (z);
  return ctx;
}

static void
preview_picture (
    Pipeline *pipeline, const PipelineJob *job, const float *x0, int64_t h, int64_t w, int step)
{
  int f = 1;
  const float *decoded = NULL;
  Ctx *ctx = NULL;
  if (pipeline->tiny)
    {
      ctx = tiny_preview (pipeline, job, x0, h, w, &decoded);
      f = decoded ? tiny_decoder_factor (pipeline->tiny) : 1;
    }
  uint8_t *rgb = mem_calloc ((size_t) (h * f * w * f), 3);
  if (rgb)
    {
      for (int64_t i = 0; decoded && i < h * f * w * f * 3; i++)
        rgb[i] = unit_to_byte (decoded[i]);
      if (!decoded)
        linear_preview (pipeline, x0, h * w, rgb);
      job->preview (job->data, rgb, (int) w * f, (int) h * f, step);
    }
  mem_free (rgb);
  ctx_free (ctx);
}

/* (n_frames, h, w, 3) by linear factors, latent frame by latent frame. */
static void
preview_clip (Pipeline *pipeline, const PipelineJob *job, const float *x0, LatentShape s, int step)
{
  size_t n = (size_t) (s.h * s.w);
  uint8_t *rgb = mem_calloc ((size_t) s.t * n, 3);
  float *frame = mem_calloc ((size_t) s.channels * n, sizeof *frame);
  for (int64_t t = 0; rgb && frame && t < s.t; t++)
    {
      for (int64_t c = 0; c < s.channels; c++)
        memcpy (frame + c * (int64_t) n, x0 + (c * s.t + t) * (int64_t) n, n * sizeof *frame);
      linear_preview (pipeline, frame, (int64_t) n, rgb + (size_t) t * 3 * n);
    }
  if (rgb && frame && job->preview_clip)
    job->preview_clip (job->data, rgb, (int) s.t, (int) s.w, (int) s.h, step);
  else if (rgb && frame)
    job->preview (job->data, rgb + (size_t) (s.t / 2) * 3 * n, (int) s.w, (int) s.h, step);
  mem_free (rgb);
  mem_free (frame);
}

void
pipeline_preview (Pipeline *pipeline, const PipelineJob *job, const float *x0, int64_t t, int step)
{
  LatentShape s = pipeline_latent_shape (pipeline, job);
  s.t = t;
  if (t > 1)
    preview_clip (pipeline, job, x0, s, step);
  else if (job->preview)
    preview_picture (pipeline, job, x0, s.h, s.w, step);
}
