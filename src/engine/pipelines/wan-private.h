/* SPDX-License-Identifier: MPL-2.0
 * wan-private.h - what the files of Wan share.
 *
 * A clip's latents lie (channels, latent frames, h, w).  The network sees tokens of 2 x 2 latent
 * pixels of one latent frame; behind the noise's channels stand those of what it reads besides: a
 * mask of the frames that are known and their latents (image to video).  Models with a time for
 * each frame see a known first frame in the noise's place instead.
 */
#pragma once

#include "models/clip-vision.h"
#include "models/t5.h"
#include "models/wan-vae.h"
#include "models/wan.h"
#include "pipelines/clip-vae.h"
#include "pipelines/pipeline-private.h"
#include "text/unigram.h"

enum
{
  WAN_MAX_TEXTS = 2,   /* prompt and negative prompt */
  WAN_MAX_EXPERTS = 2, /* for much noise, or all of it, and for little */
  WAN_MASK_CHANNELS = 4
};

/* A pipeline's networks. */
typedef struct
{
  T5 *t5;
  Unigram *unigram;
  Wan *experts[WAN_MAX_EXPERTS]; /* the second NULL: there is one only */
  WanVae *vae;
  ClipVision *vision; /* NULL: the model does not look at pictures through CLIP */
} WanNetworks;

static inline WanNetworks *
wan_networks (const Pipeline *pipeline)
{
  return pipeline->networks;
}

/* Whether the model sees a known first frame in the clip itself. */
static inline bool
wan_expands_times (const ModelConfig *c)
{
  return c->wan.variant == WAN_TI2V;
}

/* ---- text (wan-text.c) ---- */

typedef struct
{
  float *states; /* (length, text_dim): zeros behind the words */
  int n_tokens;  /* the text's own */
} WanEncoding;

typedef struct
{
  PipelineText base;
  int64_t length;  /* of each: 512 unless the job says otherwise */
  int64_t n_image; /* tokens of pictures beside them: wan_image_tokens */
  int n_texts;     /* 2 with guidance: the negative prompt is the second */
  WanEncoding texts[WAN_MAX_TEXTS];
} WanText;

/* ---- pictures through CLIP (wan-vision.c) ---- */

/* Of what the clip begins and ends with, one behind the other; 0 where the model does not look at
 * pictures so.  A clip that goes on from another begins with that one's last frame. */
int64_t wan_image_tokens (const Pipeline *pipeline, const PipelineJob *job);
/* Whether that frame is known from latents alone. */
bool wan_looks_at_latents (const Pipeline *pipeline, const PipelineJob *job);
/* @out: receives (tokens, image_dim) */
bool wan_look (Pipeline *pipeline, const PipelineJob *job, float *out, Status *status);
/* Adds the encoder to the plan of a phase. */
bool wan_plan_look (Pipeline *pipeline, const PipelineJob *job, PhasePlan *plan, Status *status);

/* ---- the family's functions: see PipelineFamily ---- */

void wan_job_defaults (const ModelConfig *config, PipelineJob *job);
bool wan_job_check (const Pipeline *pipeline, const PipelineJob *job, Status *status);
uint64_t wan_job_digest (uint64_t digest, const PipelineJob *job);
void wan_schedule_params (const Pipeline *pipeline, const PipelineJob *job, ScheduleParams *params);

PipelineText *
wan_text_encode (Pipeline *pipeline, const PipelineJob *job, PhasePlan *plan, Status *status);
void wan_text_free (PipelineText *text);

/* Whether the network reads a mask of what is known and its latents besides the noise. */
static inline bool
wan_reads_known (const ModelConfig *c)
{
  return c->wan.variant == WAN_I2V;
}

bool wan_encode_before (Pipeline *pipeline, const PipelineJob *job, float *latents, Status *status);
/* The last frame of the clip before, from its latents.  @rgb: receives (height, width, 3) */
bool wan_decode_before (Pipeline *pipeline, const PipelineJob *job, uint8_t *rgb, Status *status);

/* @extra: (extra channels, t, h, w) and, behind them, wan_look's tokens; or with a time for each
 * frame (channels, 1, h, w): the first frame; NULL when the job has none */
bool wan_make_extra (Pipeline *pipeline,
                     const PipelineJob *job,
                     const Inpaint *inpaint,
                     float **extra,
                     Status *status);
bool
wan_plan_pixels (Pipeline *pipeline, const PipelineJob *job, PipelinePlan *plan, Status *status);
bool wan_decode (Pipeline *pipeline,
                 const PipelineJob *job,
                 const float *latent,
                 int tile_px,
                 const FrameSink *sink,
                 Status *status);

PipelineDenoiser *wan_denoiser_new (Pipeline *pipeline,
                                    const PipelineJob *job,
                                    const PipelineText *text,
                                    const Sampler *sampler,
                                    PhasePlan *plan,
                                    Status *status);
void wan_denoiser_free (PipelineDenoiser *denoiser);
void wan_denoiser_set_step (PipelineDenoiser *denoiser, int step);
void wan_denoiser_set_extra (PipelineDenoiser *denoiser, const float *extra);
bool wan_denoise (PipelineDenoiser *denoiser,
                  const float *x,
                  double sigma,
                  double timestep,
                  float *x0,
                  Status *status);
