/* SPDX-License-Identifier: MPL-2.0
 * wan-vision.c - what a clip begins and ends with through CLIP's image encoder, for the models of
 * Wan 2.1 that look at it so, too.
 */
#include "core/mem.h"
#include "pipelines/digest.h"
#include "pipelines/vision-input.h"
#include "pipelines/wan-private.h"

typedef struct
{
  Pipeline *pipeline;
  float *patches; /* NULL: only planned */
} Look;

static const ClipVisionConfig *
config_of (const Pipeline *pipeline)
{
  return &pipeline->checkpoint->config.vision;
}

static int64_t
patches_floats (const ClipVisionConfig *c)
{
  return (c->n_positions - 1) * clip_vision_patch_size (c);
}

int64_t
wan_image_tokens (const Pipeline *pipeline, const PipelineJob *job)
{
  bool looks = pipeline->checkpoint->config.wan.image_dim > 0;
  int n_pictures = (job->first_rgb || job->n_before > 0) + (job->last_rgb != NULL);
  return looks ? (int64_t) n_pictures * config_of (pipeline)->n_positions : 0;
}

bool
wan_looks_at_latents (const Pipeline *pipeline, const PipelineJob *job)
{
  return pipeline->checkpoint->config.wan.image_dim > 0 && job->n_before > 0 && !job->before_rgb &&
         !job->before_last_rgb;
}

static Tensor *
forward (Ctx *ctx, const void *look)
{
  const Look *l = look;
  const ClipVisionConfig *c = config_of (l->pipeline);
  int64_t ne[] = { 1, c->n_positions - 1, clip_vision_patch_size (c) };
  return clip_vision_forward (ctx, wan_networks (l->pipeline)->vision,
                              ctx_input (ctx, DTYPE_F32, 3, ne, l->patches));
}

bool
wan_plan_look (Pipeline *pipeline, const PipelineJob *job, PhasePlan *plan, Status *status)
{
  const Look look = { pipeline, NULL };
  int64_t n_positions = config_of (pipeline)->n_positions;
  PhasePlan vision = { 0 };
  if (wan_image_tokens (pipeline, job) == 0)
    return true;
  if (!pipeline_run_network (pipeline, job, PHASE_ENCODE, forward, &look, &vision, NULL, 0, status))
    return false;
  int64_t weight_bytes = plan->weight_bytes + vision.weight_bytes;
  vision.n_passes = (int) (wan_image_tokens (pipeline, job) / n_positions);
  plan_join (plan, &vision);
  plan->weight_bytes = weight_bytes; /* two networks, one after the other */
  return true;
}

/* @patches: room for a picture's */
static bool
prepare (const Pipeline *pipeline,
         const PipelineJob *job,
         const uint8_t *rgb,
         float *patches,
         Status *status)
{
  const ClipVisionConfig *c = config_of (pipeline);
  int side = c->image_size;
  bool own = pipeline->checkpoint->config.is_wan_folder;
  float *pixels = mem_calloc ((size_t) (side * side) * 3, sizeof *pixels);
  if (!pixels)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs.");
  bool ok = vision_pixels (pixels, rgb, job->width, job->height, side,
                           own ? VISION_SQUEEZE : VISION_CROP, status);
  if (ok)
    clip_vision_patchify (patches, pixels, c);
  mem_free (pixels);
  return ok;
}

/* @out: receives (n_positions, dim) */
static bool
look_at (Pipeline *pipeline, const PipelineJob *job, const uint8_t *rgb, float *out, Status *status)
{
  const ClipVisionConfig *c = config_of (pipeline);
  Look look = { pipeline, mem_calloc ((size_t) patches_floats (c), sizeof (float)) };
  size_t n = (size_t) c->n_positions * (size_t) c->dim;
  bool ok = look.patches
                ? prepare (pipeline, job, rgb, look.patches, status) &&
                      pipeline_run_network (pipeline, job, PHASE_ENCODE, forward, &look, NULL, out,
                                            n, status)
                : status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs.");
  mem_free (look.patches);
  return ok;
}

static size_t
picture_bytes (const PipelineJob *job)
{
  return 3 * (size_t) job->width * (size_t) job->height;
}

static uint64_t
look_key (const Pipeline *pipeline, const PipelineJob *job, const char *what)
{
  uint64_t key = digest_int (digest_text (DIGEST_START, what), job->width);
  key = digest_int (key, pipeline_compute (pipeline, job, NETWORK_TEXT));
  return digest_int (key, job->height);
}

static bool
look_or_find (
    Pipeline *pipeline, const PipelineJob *job, const uint8_t *rgb, float *out, Status *status)
{
  const ClipVisionConfig *c = config_of (pipeline);
  size_t n = (size_t) c->n_positions * (size_t) c->dim;
  uint64_t key = digest_bytes (look_key (pipeline, job, "wan-vision"), rgb, picture_bytes (job));
  if (encoding_cache_get (&pipeline->cache, key, out, n))
    return true;
  if (!look_at (pipeline, job, rgb, out, status))
    return false;
  encoding_cache_put (&pipeline->cache, key, out, n);
  return true;
}

/* At the end of latents, which a clip's windows would otherwise decode again and again. */
static bool
look_at_latents (Pipeline *pipeline, const PipelineJob *job, float *out, Status *status)
{
  const ClipVisionConfig *c = config_of (pipeline);
  LatentShape s = pipeline_latent_shape (pipeline, job);
  size_t n = (size_t) c->n_positions * (size_t) c->dim;
  size_t n_latents = (size_t) (s.channels * job->n_before * s.h * s.w);
  uint64_t key = digest_bytes (look_key (pipeline, job, "wan-vision-of-latents"), job->before,
                               n_latents * sizeof *job->before);
  if (encoding_cache_get (&pipeline->cache, key, out, n))
    return true;
  uint8_t *rgb = mem_calloc (picture_bytes (job), 1);
  bool ok = rgb ? wan_decode_before (pipeline, job, rgb, status) &&
                      look_at (pipeline, job, rgb, out, status)
                : status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs.");
  if (ok)
    encoding_cache_put (&pipeline->cache, key, out, n);
  mem_free (rgb);
  return ok;
}

/* NULL: known from latents alone, or not needed. */
static const uint8_t *
begin_of (const PipelineJob *job)
{
  if (job->first_rgb)
    return job->first_rgb;
  if (job->before_last_rgb || !job->before_rgb)
    return job->before_last_rgb;
  return job->before_rgb + (size_t) (wan_vae_frames (job->n_before) - 1) * picture_bytes (job);
}

bool
wan_look (Pipeline *pipeline, const PipelineJob *job, float *out, Status *status)
{
  const ClipVisionConfig *c = config_of (pipeline);
  const uint8_t *const pictures[] = { begin_of (job), job->last_rgb };
  if (wan_image_tokens (pipeline, job) == 0)
    return true;
  if (wan_looks_at_latents (pipeline, job))
    {
      if (!look_at_latents (pipeline, job, out, status))
        return false;
      out += (int64_t) c->n_positions * c->dim;
    }
  for (int i = 0; i < 2; i++)
    if (pictures[i])
      {
        if (!look_or_find (pipeline, job, pictures[i], out, status))
          return false;
        out += (int64_t) c->n_positions * c->dim;
      }
  return true;
}
