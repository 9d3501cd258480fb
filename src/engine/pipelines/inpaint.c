/* SPDX-License-Identifier: MPL-2.0
 * inpaint.c - painting only where a mask is white.
 *
 * Any network: whenever it is asked, the unmasked part of x is the start picture noised to that
 * level, and the unmasked part of its answer is the start picture (ComfyUI's KSamplerX0Inpaint).
 * diffusers' StableDiffusionInpaintPipeline blends x after each step instead; since all else in a
 * step is done value by value, that is the same for a mask of 0 and 1, but for the first call of
 * the network, which sees x as it was drawn.
 *
 * Inpainting checkpoints read the mask and the picture without its masked part besides the latent:
 * what exactly, the family knows.
 */
#include <string.h>

#include "core/mem.h"
#include "pipelines/pipeline-private.h"

static float
unit (uint8_t v)
{
  return (float) v / 255.0f;
}

/* torch's "nearest" takes each block's first pixel; diffusers makes the mask 0 or 1 before. */
static float
nearest (const PipelineJob *job, int f, int64_t y, int64_t x)
{
  return job->mask[y * f * job->width + x * f] >= MASK_HALF ? 1 : 0;
}

/* torch's "bilinear" without antialias: of each block only the pixels around its middle. */
static float
bilinear (const PipelineJob *job, int f, int64_t y, int64_t x)
{
  const uint8_t *p = job->mask + (y * f + (f - 1) / 2) * job->width + x * f + (f - 1) / 2;
  int down = f % 2 ? 0 : job->width, right = f % 2 ? 0 : 1;
  return (unit (p[0]) + unit (p[right]) + unit (p[down]) + unit (p[down + right])) / 4;
}

static bool
shrink_mask (Inpaint *in, const PipelineJob *job, int f, Status *status)
{
  int64_t h = job->height / f, w = job->width / f;
  float most = 0;
  for (int64_t y = 0; y < h; y++)
    for (int64_t x = 0; x < w; x++)
      {
        float v = job->convention == CONVENTION_DIFFUSERS ? nearest (job, f, y, x)
                                                          : bilinear (job, f, y, x);
        in->mask[y * w + x] = v;
        most = v > most ? v : most;
      }
  return most > 0 ||
         status_fail (status, STATUS_ARGUMENT,
                      "The mask is all black, or its white part is smaller than %d x %d pixels: "
                      "paint white over what is to be drawn anew.",
                      f, f);
}

/* ComfyUI's DDIM noises the original with the next seed's numbers. */
static void
draw_other_noise (Inpaint *in, const PipelineJob *job, Rng *rng)
{
  int64_t n = in->channels * in->n_pixels;
  for (int64_t i = 0; i < in->n_pictures; i++)
    {
      rng_init (rng, job->noise, job->seed + (uint64_t) i + 1);
      rng_normal (rng, in->noise + i * n, n);
    }
}

static bool
allocate (Inpaint *in, Status *status)
{
  size_t pixels = (size_t) in->n_pixels, n = (size_t) in->channels * pixels;
  in->mask = mem_calloc (pixels, sizeof (float));
  in->original = mem_calloc (n, sizeof (float));
  in->noise = mem_calloc ((size_t) in->n_pictures * n, sizeof (float));
  in->x = mem_calloc ((size_t) in->n_pictures * n, sizeof (float));
  return (in->mask && in->original && in->noise && in->x) ||
         status_fail (status, STATUS_NO_MEMORY,
                      "Out of memory: choose a smaller picture or batch.");
}

bool
inpaint_init (Inpaint *in,
              Pipeline *pipeline,
              const PipelineJob *job,
              const float *original,
              const float *noise,
              Status *status)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  int f = vae_factor (&c->vae);
  bool diffusers = job->convention == CONVENTION_DIFFUSERS;
  bool reads_mask = pipeline->family->reads_mask (c);
  *in = (Inpaint){ .n_pictures = job->batch_size,
                   .channels = c->vae.latent_channels,
                   .n_pixels = (int64_t) (job->width / f) * (job->height / f),
                   .blends = !(diffusers && reads_mask),
                   .first_call_free = diffusers,
                   .ends_exact = diffusers,
                   .flow = job->prediction == PREDICTION_FLOW };
  if (!allocate (in, status) || !shrink_mask (in, job, f, status))
    return false;
  size_t n = (size_t) (in->channels * in->n_pixels);
  memcpy (in->original, original, n * sizeof (float));
  memcpy (in->noise, noise, (size_t) in->n_pictures * n * sizeof (float));
  if (!diffusers && job->sampler == SAMPLER_DDIM)
    draw_other_noise (in, job, &(Rng){ 0 });
  return true;
}

void
inpaint_clear (Inpaint *in)
{
  mem_free (in->mask);
  mem_free (in->original);
  mem_free (in->noise);
  mem_free (in->x);
  *in = (Inpaint){ 0 };
}

void
inpaint_content (const Inpaint *in, const float *noise, MaskedContent content, float *start)
{
  int64_t n = in->channels * in->n_pixels;
  if (content == MASKED_ORIGINAL)
    return;
  for (int64_t i = 0; i < in->n_pictures * n; i++)
    {
      float m = in->mask[i % in->n_pixels];
      start[i] = start[i] * (1 - m) + (content == MASKED_LATENT_NOISE ? noise[i] * m : 0);
    }
}

const float *
inpaint_input (Inpaint *in, const float *x, double sigma, bool first_call)
{
  int64_t n = in->channels * in->n_pixels;
  float share = in->flow ? 1 - (float) sigma : 1;
  if (!in->blends || (first_call && in->first_call_free))
    return x;
  for (int64_t i = 0; i < in->n_pictures * n; i++)
    {
      float m = in->mask[i % in->n_pixels];
      in->x[i] = x[i] * m + (share * in->original[i % n] + (float) sigma * in->noise[i]) * (1 - m);
    }
  return in->x;
}

void
inpaint_keep (const Inpaint *in, float *x0)
{
  int64_t n = in->channels * in->n_pixels;
  for (int64_t i = 0; in->blends && i < in->n_pictures * n; i++)
    {
      float m = in->mask[i % in->n_pixels];
      x0[i] = x0[i] * m + in->original[i % n] * (1 - m);
    }
}
