/* SPDX-License-Identifier: MPL-2.0
 * sd-private.h - what the files of the SD pipeline share.
 */
#pragma once

#include "models/clip.h"
#include "models/unet.h"
#include "models/vae.h"
#include "pipelines/sd.h"
#include "pipelines/tiles.h"
#include "samplers/noise-table.h"
#include "text/chunks.h"
#include "text/clip-bpe.h"
#include "text/prompt-grammar.h"

enum
{
  SD_MAX_ENCODERS = 2,
  SD_MAX_PARTS = 16, /* parts of a prompt joined by AND */
  VAE_TILE_OVERLAP_PX = 128,
  SD_MASK_HALF = 128,    /* a mask's value from which on a pixel counts as painted anew */
  VAE_AUTO_TILE_PX = 768 /* bigger than most pictures' short side, small enough for any machine */
};

/* Pictures whose decoder needs more are decoded in tiles: reached at about 1280 x 1280. */
static const size_t VAE_WHOLE_LIMIT_BYTES = (size_t) 4 << 30;

/* ---- encodings kept between jobs (sd-cache.c) ---- */

enum
{
  SD_CACHE_ENTRIES = 8, /* a text and two latents a job: the last few jobs */
  SD_CACHE_MAX_BYTES = 32 << 20
};

typedef struct
{
  uint64_t key; /* digest of everything that the values depend on */
  float *values;
  size_t n;
  uint64_t last_use;
} SdCacheEntry;

typedef struct
{
  SdCacheEntry entries[SD_CACHE_ENTRIES];
  uint64_t clock;
} SdCache;

/* Copies the values kept under @key.  Returns: false when there are none of that size */
bool sd_cache_get (SdCache *cache, uint64_t key, float *values, size_t n);
/* Keeps a copy in place of the entry used least recently; nothing when out of memory. */
void sd_cache_put (SdCache *cache, uint64_t key, const float *values, size_t n);
void sd_cache_clear (SdCache *cache);

struct SdPipeline
{
  Backend *backend; /* borrowed */
  Checkpoint *checkpoint;
  Arena arena; /* owns the bound networks */
  Clip *clip[SD_MAX_ENCODERS];
  ClipBpe *bpe[SD_MAX_ENCODERS]; /* [1] may equal [0] */
  Unet *unet;
  Vae *vae;
  TinyDecoder *tiny; /* NULL: previews come from linear factors */
  SdCache cache;
  uint64_t model_digest; /* 0 until someone asks */
};

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
  int n_chunks; /* of every text, after padding with empty chunks */
  int n_tokens[2];
} SdPrompts;

bool sd_prompts_parse (const SdPipeline *sd, const SdJob *job, SdPrompts *prompts, Status *status);
void sd_prompts_clear (SdPrompts *prompts);
int sd_part_text (const SdPart *part, int step);

/* ---- text (sd-text.c) ---- */

/* All texts of a job, encoded; they have the same length. */
typedef struct
{
  SdPrompts prompts;
  int64_t length, context_dim, pooled_dim;
  float *context;  /* (n_texts, length, context_dim) */
  float *pooled;   /* (n_texts, pooled_dim) behind it, NULL for SD 1.5 */
  size_t n_values; /* of both */
} SdText;

/* Parses and encodes prompt and negative prompt, unless the cache has them.  @plan: NULL, or only
 * plan into it. */
bool
sd_text_encode (SdPipeline *sd, const SdJob *job, SdText *text, SdPhasePlan *plan, Status *status);
void sd_text_clear (SdText *text);

/* ---- VAE (sd-vae.c) ---- */

/* @latent: (channels, h, w) as the U-Net scales it; @rgb: (8 h, 8 w, 3) */
bool sd_vae_decode (SdPipeline *sd,
                    const SdJob *job,
                    const float *latent,
                    int64_t h,
                    int64_t w,
                    uint8_t *rgb,
                    int tile_px,
                    SdPhasePlan *plan,
                    Status *status);

/* sd_vae_encode:
 * @hole: NULL, or (height, width): where it is 128 or more, mid-grey takes the picture's place
 * @latent: (channels, h, w) receives the latent's mean, scaled for the U-Net
 */
bool sd_vae_encode (SdPipeline *sd,
                    const SdJob *job,
                    const uint8_t *rgb,
                    const uint8_t *hole,
                    int64_t height,
                    int64_t width,
                    float *latent,
                    int tile_px,
                    SdPhasePlan *plan,
                    Status *status);

/* sd_vae_encode of the job's start picture, unless the cache has it. */
bool sd_vae_start_latent (
    SdPipeline *sd, const SdJob *job, const uint8_t *hole, float *latent, Status *status);

/* Tile size for @job in pixels, 0 for none; -1 and @status when it could not be found out. */
int sd_vae_tile (SdPipeline *sd, const SdJob *job, Status *status);

/* ---- denoising (sd-denoise.c) ---- */

typedef struct SdDenoiser SdDenoiser;

/* @plan: NULL, or only plan into it.  Returns: NULL and @status on failure (or when only planning)
 */
SdDenoiser *sd_denoiser_new (
    SdPipeline *sd, const SdJob *job, const SdText *text, SdPhasePlan *plan, Status *status);
void sd_denoiser_free (SdDenoiser *d);
void sd_denoiser_set_step (SdDenoiser *d, int step); /* 1-based: for prompt editing */
/* @extra: (in_channels - out_channels, h, w), borrowed: what an inpainting checkpoint reads behind
 * every picture's latent. */
void sd_denoiser_set_extra (SdDenoiser *d, const float *extra);
/* The samplers' callback: guided x0 of all pictures of the batch, (n, C, h, w). */
bool sd_denoise (
    void *denoiser, const float *x, double sigma, double timestep, float *x0, Status *status);

/* ---- inpainting (sd-inpaint.c) ---- */

/* What a run with a mask remembers; zeroed for one without. */
typedef struct
{
  int64_t n_pictures, channels, n_pixels; /* of the latents */
  bool blends;                            /* the unmasked part follows the start picture */
  bool first_call_free;                   /* but not when the network is first asked (diffusers) */
  bool ends_exact; /* x is blended once more after the last step (diffusers) */
  float *mask;     /* (h, w): 1 is painted anew */
  float *original; /* (channels, h, w): the start picture's latent */
  float *noise;    /* (pictures, channels, h, w): what it is noised with */
  float *x;        /* (pictures, channels, h, w): what the network sees */
  float *extra;    /* NULL, or (1 + channels, h, w): sd_denoiser_set_extra */
} SdInpaint;

/* sd_inpaint_init:
 * @in: zeroed; free with sd_inpaint_clear, also after failure
 * @job: with a mask
 * @original: (channels, h, w) the start picture's latent
 * @noise: (pictures, channels, h, w) the run's first noise
 */
bool sd_inpaint_init (SdInpaint *in,
                      SdPipeline *sd,
                      const SdJob *job,
                      const float *original,
                      const float *noise,
                      Status *status);
void sd_inpaint_clear (SdInpaint *in);

/* Puts noise or nothing in place of @start's masked part, (pictures, channels, h, w) like @noise.
 */
void
sd_inpaint_content (const SdInpaint *in, const float *noise, SdMaskedContent content, float *start);

/* What the network sees at @sigma: @x with its unmasked part replaced by the noised original. */
const float *sd_inpaint_input (SdInpaint *in, const float *x, double sigma, bool first_call);
/* Puts the original into the unmasked part of @x0, or of the finished latents. */
void sd_inpaint_keep (const SdInpaint *in, float *x0);

/* ---- preview (sd-preview.c) ---- */

void sd_preview (SdPipeline *sd, const SdJob *job, const float *x0, int64_t h, int64_t w, int step);

/* ---- shared ---- */

bool sd_job_check (const SdPipeline *sd, const SdJob *job, Status *status);

/* Copies what a measured Ctx knows into @plan. */
void sd_plan_phase (const Ctx *ctx, SdPhasePlan *plan, int n_passes);
bool sd_ctx_status (const Ctx *ctx, Status *status); /* copies a failure; true when there is none */

void nchw_to_nhwc (float *out, const float *in, int64_t n, int64_t c, int64_t h, int64_t w);
void nhwc_to_nchw (float *out, const float *in, int64_t n, int64_t c, int64_t h, int64_t w);
uint8_t unit_to_byte (float v); /* 0 .. 1, clamped and rounded */
