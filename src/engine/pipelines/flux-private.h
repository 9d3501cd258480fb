/* SPDX-License-Identifier: MPL-2.0
 * flux-private.h - what the files of FLUX.1 share.
 *
 * The network sees tokens: 2 x 2 latent pixels each, the target's first, then the references'
 * (Kontext).  Behind a token's 64 values of noise stand those of what the model reads besides: the
 * picture without its masked part and the mask (Fill), or a control picture (Canny, Depth).
 */
#pragma once

#include "models/clip.h"
#include "models/flux.h"
#include "models/t5.h"
#include "pipelines/pipeline-private.h"
#include "text/chunks.h"
#include "text/prompt-grammar.h"
#include "text/unigram.h"

enum
{
  FLUX_PATCH = 2,     /* latent pixels a token's side */
  FLUX_MAX_TEXTS = 2, /* prompt and negative prompt */
  FLUX_TOKENS_DEV = 512,
  FLUX_TOKENS_SHORT = 256 /* schnell's, and what ComfyUI pads to */
};

/* A pipeline's networks. */
typedef struct
{
  Clip *clip;
  ClipBpe *bpe;
  T5 *t5;
  Unigram *unigram;
  Flux *flux;
} FluxNetworks;

static inline FluxNetworks *
flux_networks (const Pipeline *pipeline)
{
  return pipeline->networks;
}

/* ---- shapes of a job (flux-tokens.c) ---- */

/* In tokens; a latent of an odd size is repeated by one row or column. */
typedef struct
{
  FluxGrid grids[1 + PIPELINE_MAX_REFERENCES]; /* the target, then the references */
  int n_grids;
  int64_t n_target, n_image; /* n_image: with the references' */
  int64_t n_noise;           /* a token's values of noise: 64 */
  int64_t n_extra;           /* its values behind them: 0, 64 or 320 */
} FluxShape;

FluxShape flux_shape (const Pipeline *pipeline, const PipelineJob *job);

/* @latent: (channels, h, w), cut into tokens of @stride floats.  Fails: NO_MEMORY */
bool flux_to_tokens (
    float *tokens, int64_t stride, const float *latent, int64_t channels, int64_t h, int64_t w);
/* The way back.  Fails: NO_MEMORY */
bool flux_from_tokens (float *latent, const float *tokens, int64_t channels, int64_t h, int64_t w);

/* ---- text (flux-text.c) ---- */

typedef struct
{
  int64_t length;  /* T5's tokens, padding included */
  float *context;  /* (length, context_dim) */
  float *pooled;   /* (pooled_dim) behind it */
  size_t n_values; /* of both */
  int n_tokens;    /* the text's own */
} FluxEncoding;

typedef struct
{
  PipelineText base;
  int n_texts; /* 2 with guidance: the negative prompt is the second */
  FluxEncoding texts[FLUX_MAX_TEXTS];
} FluxText;

/* ---- the family's functions: see PipelineFamily ---- */

void flux_job_defaults (const ModelConfig *config, PipelineJob *job);
bool flux_job_check (const Pipeline *pipeline, const PipelineJob *job, Status *status);
uint64_t flux_job_digest (uint64_t digest, const PipelineJob *job);
bool flux_reads_mask (const ModelConfig *config);
/* By its own weights, and with the adapters that are mounted. */
bool flux_reads_control (const ModelConfig *config);
bool flux_reads_control_now (const Pipeline *pipeline);
/* With the adapters mounted: that there is a control picture where the network reads one, and only
 * there. */
bool flux_check_control (const Pipeline *pipeline, const PipelineJob *job, Status *status);
void
flux_schedule_params (const Pipeline *pipeline, const PipelineJob *job, ScheduleParams *params);

PipelineText *
flux_text_encode (Pipeline *pipeline, const PipelineJob *job, PhasePlan *plan, Status *status);
void flux_text_free (PipelineText *text);

int flux_n_encodes (const Pipeline *pipeline, const PipelineJob *job);
/* @extra: (n_target, n_extra), then the references' tokens (n_image - n_target, n_noise) */
bool flux_make_extra (Pipeline *pipeline,
                      const PipelineJob *job,
                      const Inpaint *inpaint,
                      float **extra,
                      Status *status);
PipelineDenoiser *flux_denoiser_new (Pipeline *pipeline,
                                     const PipelineJob *job,
                                     const PipelineText *text,
                                     const Sampler *sampler,
                                     PhasePlan *plan,
                                     Status *status);
void flux_denoiser_free (PipelineDenoiser *denoiser);
void flux_denoiser_set_step (PipelineDenoiser *denoiser, int step);
bool flux_denoiser_renew (PipelineDenoiser *denoiser, Status *status);
void flux_denoiser_set_extra (PipelineDenoiser *denoiser, const float *extra);
bool flux_denoise (PipelineDenoiser *denoiser,
                   const float *x,
                   double sigma,
                   double timestep,
                   float *x0,
                   Status *status);
