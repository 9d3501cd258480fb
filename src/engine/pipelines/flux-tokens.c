/* SPDX-License-Identifier: MPL-2.0
 * flux-tokens.c - pictures and masks as the tokens that FLUX.1 reads.
 */
#include <string.h>

#include "core/mem.h"
#include "pipelines/flux-private.h"

static int64_t
half_up (int64_t n)
{
  return (n + FLUX_PATCH - 1) / FLUX_PATCH;
}

/* As ComfyUI's transformer does (ldm/flux/model.py). */
static void
place_references (FluxShape *s, ReferencePlaces places)
{
  int64_t h = 0, w = 0; /* of those before */
  for (int i = 1; i < s->n_grids; i++)
    {
      FluxGrid *g = &s->grids[i];
      g->index = places == REFERENCES_INDEX ? i : places == REFERENCES_UXO ? 0 : 1;
      if (places == REFERENCES_UXO)
        {
          g->row = (int) (s->grids[0].h + h);
          g->column = (int) (s->grids[0].w + w);
          h += g->h;
          w += g->w;
        }
      else if (places == REFERENCES_OFFSET)
        {
          bool right = g->h + h > g->w + w;
          g->row = right ? 0 : (int) h;
          g->column = right ? (int) w : 0;
          h = g->row + g->h > h ? g->row + g->h : h;
          w = g->column + g->w > w ? g->column + g->w : w;
        }
    }
}

FluxShape
flux_shape (const Pipeline *pipeline, const PipelineJob *job)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  int f = vae_factor (&c->vae);
  FluxShape s = { .grids = { { .h = half_up (job->height / f), .w = half_up (job->width / f) } },
                  .n_grids = 1 + job->n_references,
                  .n_noise = c->flux.out_channels,
                  .n_extra = flux_n_in (flux_networks (pipeline)->flux) - c->flux.out_channels };
  s.n_target = s.n_image = s.grids[0].h * s.grids[0].w;
  for (int i = 0; i < job->n_references; i++)
    {
      FluxGrid *g = &s.grids[1 + i];
      g->h = half_up (job->references[i].height / f);
      g->w = half_up (job->references[i].width / f);
      s.n_image += g->h * g->w;
    }
  place_references (&s, job->reference_places);
  return s;
}

/* Odd sizes are continued from the other side, as ComfyUI does. */
bool
flux_to_tokens (
    float *tokens, int64_t stride, const float *latent, int64_t channels, int64_t h, int64_t w)
{
  int64_t th = half_up (h), tw = half_up (w), ph = th * FLUX_PATCH, pw = tw * FLUX_PATCH;
  float *pixels = mem_calloc ((size_t) (ph * pw * channels), sizeof *pixels);
  if (!pixels)
    return false;
  for (int64_t y = 0; y < ph; y++)
    for (int64_t x = 0; x < pw; x++)
      for (int64_t k = 0; k < channels; k++)
        pixels[(y * pw + x) * channels + k] = latent[(k * h + y % h) * w + x % w];
  flux_patchify (tokens, stride, pixels, th, tw, channels);
  mem_free (pixels);
  return true;
}

bool
flux_from_tokens (float *latent, const float *tokens, int64_t channels, int64_t h, int64_t w)
{
  int64_t th = half_up (h), tw = half_up (w), pw = tw * FLUX_PATCH;
  float *pixels = mem_calloc ((size_t) (th * FLUX_PATCH * pw * channels), sizeof *pixels);
  if (!pixels)
    return false;
  flux_unpatchify (pixels, tokens, th, tw, channels);
  for (int64_t k = 0; k < channels; k++)
    for (int64_t y = 0; y < h; y++)
      for (int64_t x = 0; x < w; x++)
        latent[(k * h + y) * w + x] = pixels[(y * pw + x) * channels + k];
  mem_free (pixels);
  return true;
}

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller picture.");
}

/* @rgb, encoded, as tokens of @stride floats. */
static bool
picture_to_tokens (Pipeline *pipeline,
                   const PipelineJob *job,
                   const uint8_t *rgb,
                   const uint8_t *hole,
                   int height,
                   int width,
                   float *tokens,
                   int64_t stride,
                   Status *status)
{
  const VaeConfig *vae = &pipeline->checkpoint->config.vae;
  int64_t f = vae_factor (vae), h = height / f, w = width / f;
  float *latent = mem_calloc ((size_t) (vae->latent_channels * h * w), sizeof *latent);
  bool ok = latent || no_memory (status);
  ok = ok && pipeline_vae_latent (pipeline, job, rgb, hole, height, width, latent, status) &&
       (flux_to_tokens (tokens, stride, latent, vae->latent_channels, h, w) || no_memory (status));
  mem_free (latent);
  return ok;
}

/* Each latent pixel's f x f pixels of the mask become its channels, row by row (BFL's fill.py).
 * diffusers makes the mask 0 or 1 before. */
static bool
mask_to_tokens (const PipelineJob *job, int64_t f, float *tokens, int64_t stride, Status *status)
{
  int64_t h = job->height / f, w = job->width / f;
  float *maps = mem_calloc ((size_t) (f * f * h * w), sizeof *maps);
  if (!maps)
    return no_memory (status);
  for (int64_t y = 0; y < h * f; y++)
    for (int64_t x = 0; x < w * f; x++)
      {
        uint8_t v = job->mask[y * job->width + x];
        float m = (float) v / 255.0f;
        if (job->convention == CONVENTION_DIFFUSERS)
          m = v >= MASK_HALF ? 1 : 0;
        maps[((y % f * f + x % f) * h + y / f) * w + x / f] = m;
      }
  bool ok = flux_to_tokens (tokens, stride, maps, f * f, h, w) || no_memory (status);
  mem_free (maps);
  return ok;
}

bool
flux_make_extra (Pipeline *pipeline,
                 const PipelineJob *job,
                 const Inpaint *inpaint,
                 float **extra,
                 Status *status)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  FluxShape s = flux_shape (pipeline, job);
  int64_t n_reference = s.n_image - s.n_target, n = s.n_target * s.n_extra;
  if (!flux_check_control (pipeline, job, status))
    return false;
  if (s.n_extra == 0 && n_reference == 0)
    return true;
  float *out = mem_calloc ((size_t) (n + n_reference * s.n_noise), sizeof *out);
  *extra = out;
  bool ok = out || no_memory (status);
  if (ok && flux_reads_mask (c))
    ok = picture_to_tokens (pipeline, job, job->init_rgb, job->mask, job->height, job->width, out,
                            s.n_extra, status) &&
         mask_to_tokens (job, vae_factor (&c->vae), out + s.n_noise, s.n_extra, status);
  else if (ok && flux_reads_control_now (pipeline))
    ok = picture_to_tokens (pipeline, job, job->control_rgb, NULL, job->height, job->width, out,
                            s.n_extra, status);
  out += ok ? n : 0;
  for (int i = 0; ok && i < job->n_references; i++)
    {
      const PipelineReference *r = &job->references[i];
      ok = picture_to_tokens (pipeline, job, r->rgb, NULL, r->height, r->width, out, s.n_noise,
                              status);
      out += s.grids[1 + i].h * s.grids[1 + i].w * s.n_noise;
    }
  return ok;
}

/* The start picture, and what Fill and the control models read. */
int
flux_n_encodes (const Pipeline *pipeline, const PipelineJob *job)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  return (job->init_rgb != NULL) + flux_reads_mask (c) + flux_reads_control_now (pipeline);
}
