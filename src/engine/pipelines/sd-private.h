/* SPDX-License-Identifier: MPL-2.0
 * sd-private.h - what the files of SD 1.5 and SDXL share.
 */
#pragma once

#include "models/clip.h"
#include "models/unet.h"
#include "pipelines/pipeline-private.h"
#include "text/chunks.h"
#include "text/clip-bpe.h"
#include "text/prompt-grammar.h"

enum
{
  SD_MAX_ENCODERS = 2,
  SD_MAX_PARTS = 16 /* parts of a prompt joined by AND */
};

/* A pipeline's networks. */
typedef struct
{
  Clip *clip[SD_MAX_ENCODERS];
  ClipBpe *bpe[SD_MAX_ENCODERS];
  Unet *unet;
} SdNetworks;

static inline SdNetworks *
sd_networks (const Pipeline *pipeline)
{
  return pipeline->networks;
}

/* ---- textual inversion (sd-embeddings.c) ---- */

/* A job's embeddings; their tokens' ids begin behind each encoder's vocabulary. */
typedef struct
{
  int n;
  int64_t n_vectors;
  TokenEmbedding *tokens[SD_MAX_ENCODERS]; /* (n), names borrowed from the job */
  float *vectors[SD_MAX_ENCODERS];         /* (n_vectors, dim) */
  uint64_t digest;
} SdEmbeddings;

/* Fails: as embedding_open; UNSUPPORTED when the vectors are not as wide as the model's */
bool sd_embeddings_load (SdEmbeddings *all,
                         const Pipeline *pipeline,
                         const PipelineJob *job,
                         Status *status);
void sd_embeddings_clear (SdEmbeddings *all);

/* Whether there are vectors among @ids. */
bool sd_embeddings_used (const ClipConfig *clip, const int32_t *ids, int64_t n_ids);

/* What enters the encoder's first layer.  Returns: (@n_ids, dim), free with mem_free; NULL and
 * NO_MEMORY */
float *sd_embeddings_embed (const SdEmbeddings *all,
                            const Pipeline *pipeline,
                            int encoder,
                            const int32_t *ids,
                            int64_t n_ids,
                            Status *status);

/* ---- the prompt's grammar (sd-prompt.c) ---- */

/* Use text @index up to and including step @end_at_step (1-based). */
typedef struct
{
  int end_at_step, index;
} SdSwitch;

/* One prompt as it changes over the steps (prompt editing), or one part of an AND. */
typedef struct
{
  SdSwitch *switches;
  int n_switches;
  double weight;
} SdPart;

/* A distinct text with its tokens; tokens[1] only with a second encoder. */
typedef struct
{
  PromptPieces pieces;
  TokenChunks *tokens[SD_MAX_ENCODERS];
  bool zeros; /* an empty negative that stands for zeros: not encoded */
  char *source;
} SdPromptText;

typedef struct
{
  SdPart *positive; /* parts joined by AND */
  int n_positive;
  SdPart negative; /* n_switches 0: guidance is off */
  SdPromptText *texts;
  size_t n_texts, cap_texts;
  SdEmbeddings embeddings;
  int n_chunks; /* of every text, after padding with empty chunks */
  int n_tokens[2];
} SdPrompts;

bool sd_prompts_parse (const Pipeline *pipeline,
                       const PipelineJob *job,
                       SdPrompts *prompts,
                       Status *status);
void sd_prompts_clear (SdPrompts *prompts);
int sd_part_text (const SdPart *part, int step);

/* ---- text (sd-text.c) ---- */

/* All texts of a job, encoded; they have the same length. */
typedef struct
{
  PipelineText base;
  SdPrompts prompts;
  int64_t length, context_dim, pooled_dim;
  float *context;  /* (n_texts, length, context_dim) */
  float *pooled;   /* (n_texts, pooled_dim) behind it, NULL for SD 1.5 */
  size_t n_values; /* of both */
} SdText;

/* ---- ControlNets (sd-control.c) ---- */

/* A denoiser's. */
typedef struct
{
  int n;
  const ControlNet *nets[PIPELINE_MAX_CONTROLS];
  int first_key[PIPELINE_MAX_CONTROLS]; /* behind the U-Net's keys */
  int n_keys;                           /* of all of them */
  float *hints[PIPELINE_MAX_CONTROLS];  /* (h, w, channels): what depends on the picture alone */
  float *scales[PIPELINE_MAX_CONTROLS]; /* (width): the weight, for each channel */
  int64_t h, w, channels;               /* of the hints */
  int64_t widths[PIPELINE_MAX_CONTROLS];
} SdControls;

/* sd_controls_init:
 * @controls: zeroed; free with sd_controls_clear, also after failure
 * @plan: NULL, or receives what making the hints takes, and none are made
 *
 * Fails: NO_MEMORY, CANCELLED, ...
 */
bool sd_controls_init (SdControls *controls,
                       const Pipeline *pipeline,
                       const PipelineJob *job,
                       PhasePlan *plan,
                       Status *status);
void sd_controls_clear (SdControls *controls);
/* Adds what making the hints takes to a denoiser's plan. */
void sd_controls_plan (const PhasePlan *hints, PhasePlan *plan);

/* Which of the job's controls act: bit i for the i-th.
 * @step: from 0, of @n_steps; @sigma: what the network is asked at */
unsigned sd_controls_active (
    const PipelineJob *job, const NoiseTable *table, int step, int n_steps, double sigma);

/* What the @active ones add to the U-Net; @keys: behind the U-Net's own. */
void sd_controls_forward (Ctx *ctx,
                          const SdControls *controls,
                          unsigned active,
                          const Tensor *x,
                          const Tensor *t,
                          const PromptKeys *keys,
                          const Tensor *vector,
                          UnetControl *control);

/* ---- keys and values of the texts (sd-keys.c) ---- */

/* The texts as the U-Net takes them. */
typedef struct
{
  const Unet *unet;
  const SdControls *controls;
  int64_t n_rows, length, dim;
  float *values; /* (n_rows, length, dim), NULL while planning */
} SdContext;

/* A denoiser's, on the device for as long as it lives. */
typedef struct
{
  Ctx *ctx;
  PromptKeys *pairs; /* unet_n_keys(), then the ControlNets' */
  bool are_made;     /* from the texts as they are, by the weights as they are */
} SdKeys;

/* Measures and plans.  @k: zeroed; free with sd_keys_clear, also after failure */
bool sd_keys_init (SdKeys *k,
                   const Pipeline *pipeline,
                   const PipelineJob *job,
                   const SdContext *context,
                   Status *status);
/* Makes them unless they are made. */
bool sd_keys_make (SdKeys *k, const SdContext *context, Status *status);
/* Adds what they take to a denoiser's plan. */
void sd_keys_plan (const SdKeys *k, PhasePlan *plan);
void sd_keys_clear (SdKeys *k);

/* ---- the family's functions: see PipelineFamily ---- */

void sd_job_defaults (const ModelConfig *config, PipelineJob *job);
bool sd_job_check (const Pipeline *pipeline, const PipelineJob *job, Status *status);
uint64_t sd_job_digest (uint64_t digest, const PipelineJob *job);
bool sd_reads_mask (const ModelConfig *config);
void sd_schedule_params (const Pipeline *pipeline, const PipelineJob *job, ScheduleParams *params);

PipelineText *
sd_text_encode (Pipeline *pipeline, const PipelineJob *job, PhasePlan *plan, Status *status);
void sd_text_free (PipelineText *text);

int sd_n_encodes (const Pipeline *pipeline, const PipelineJob *job);
bool sd_make_extra (Pipeline *pipeline,
                    const PipelineJob *job,
                    const Inpaint *inpaint,
                    float **extra,
                    Status *status);
PipelineDenoiser *sd_denoiser_new (Pipeline *pipeline,
                                   const PipelineJob *job,
                                   const PipelineText *text,
                                   const Sampler *sampler,
                                   PhasePlan *plan,
                                   Status *status);
void sd_denoiser_free (PipelineDenoiser *denoiser);
void sd_denoiser_set_step (PipelineDenoiser *denoiser, int step);
bool sd_denoiser_renew (PipelineDenoiser *denoiser, Status *status);
/* @extra: (in_channels - out_channels, h, w) */
void sd_denoiser_set_extra (PipelineDenoiser *denoiser, const float *extra);
bool sd_denoise (PipelineDenoiser *denoiser,
                 const float *x,
                 double sigma,
                 double timestep,
                 float *x0,
                 Status *status);
