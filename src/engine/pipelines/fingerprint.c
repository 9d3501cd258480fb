/* SPDX-License-Identifier: MPL-2.0
 * fingerprint.c - which job and model a saved run belongs to.
 */
#include "models/wan-vae.h"
#include "pipelines/digest.h"
#include "pipelines/run-private.h"

enum
{
  SAMPLED_WEIGHTS = 256,
  SAMPLED_VALUES = 32
};

static size_t
sampled_bytes (const Weight *w)
{
  int64_t elements = 1;
  for (int i = 0; i < w->rank; i++)
    elements *= w->ne[i];
  return (size_t) dtype_bytes (w->dtype, elements < SAMPLED_VALUES ? elements : SAMPLED_VALUES);
}

/* Names, types and shapes of all weights, and the first values of some: fine-tuned models differ
 * in those only.  Reading a whole file would take longer than many a picture. */
uint64_t
weights_digest (const WeightSet *set)
{
  uint64_t d = DIGEST_START;
  int n = weights_count (set), every = n / SAMPLED_WEIGHTS + 1;
  for (int i = 0; i < n; i++)
    {
      const Weight *w = weights_at (set, i);
      if (!strncmp (w->name, "tiny.", 5))
        continue; /* previews only */
      d = digest_int (digest_text (d, w->name), w->dtype);
      d = digest_bytes (d, w->ne, (size_t) w->rank * sizeof *w->ne);
      if (w->data && i % every == 0)
        d = digest_bytes (d, w->data, sampled_bytes (w));
    }
  return d;
}

static uint64_t
digest_pictures (uint64_t d, const PipelineJob *job)
{
  size_t n = (size_t) job->width * (size_t) job->height;
  d = digest_int (digest_int (d, job->init_rgb != NULL), job->mask != NULL);
  if (job->init_rgb)
    d = digest_real (digest_bytes (d, job->init_rgb, 3 * n), job->denoise);
  if (job->mask)
    d = digest_int (digest_bytes (d, job->mask, n), job->masked_content);
  /* the start picture's latent is encoded in tiles, too; that of a job without one is not */
  return job->init_rgb ? digest_int (d, job->vae_tile) : d;
}

static uint64_t
digest_before (uint64_t d, const Pipeline *pipeline, const PipelineJob *job)
{
  LatentShape s = pipeline_latent_shape (pipeline, job);
  size_t n = (size_t) (s.channels * s.h * s.w) * (size_t) job->n_before;
  size_t n_frames = job->n_before > 0 ? (size_t) wan_vae_frames (job->n_before) : 0;
  d = digest_int (d, job->n_before);
  if (job->before_last_rgb)
    d = digest_bytes (d, job->before_last_rgb, 3 * (size_t) job->width * (size_t) job->height);
  if (job->before)
    return digest_bytes (d, job->before, n * sizeof *job->before);
  if (!job->before_rgb)
    return d;
  return digest_bytes (d, job->before_rgb,
                       3 * n_frames * (size_t) job->width * (size_t) job->height);
}

static uint64_t
digest_sampling (uint64_t d, const PipelineJob *job)
{
  d = digest_int (digest_int (d, job->width), job->height);
  d = digest_int (digest_int (d, job->steps), job->sampler);
  d = digest_int (digest_int (d, job->schedule), job->spacing);
  d = digest_int (digest_real (d, job->eta), job->convention);
  d = digest_int (digest_int (d, job->noise), (int64_t) job->seed);
  d = digest_int (digest_int (d, job->batch_size), job->prediction);
  return digest_int (digest_int (d, job->zero_terminal_snr), job->compute);
}

/* What a folder's scheduler says, which no tensor shows. */
static uint64_t
digest_config (uint64_t d, const ModelConfig *c)
{
  d = digest_real (digest_real (d, c->beta_start), c->beta_end);
  d = digest_int (digest_int (d, c->steps_offset), c->set_alpha_to_one);
  return digest_int (digest_int (d, c->family), c->force_zeros_for_empty_prompt);
}

uint64_t
run_fingerprint (Pipeline *pipeline, const PipelineJob *job, const AdapterSet *adapters)
{
  if (pipeline->model_digest == 0)
    pipeline->model_digest = weights_digest (pipeline->checkpoint->weights);
  uint64_t d = digest_int (DIGEST_START, (int64_t) pipeline->model_digest);
  d = digest_config (d, &pipeline->checkpoint->config);
  d = adapters_digest (d, adapters, job->adapters, job->n_adapters);
  d = controls_digest (digest_before (d, pipeline, job), job);
  return digest_pictures (digest_sampling (pipeline->family->job_digest (d, job), job), job);
}
