/* SPDX-License-Identifier: MPL-2.0
 * pipeline-private.h - what the files of all pipelines share, and what a family of models fills in.
 */
#pragma once

#include "models/controlnet.h"
#include "models/vae.h"
#include "pipelines/pipeline.h"
#include "pipelines/tiles.h"
#include "samplers/sampler.h"
#include "text/prompt-grammar.h"
#include "weights/prefetch.h"

enum
{
  VAE_TILE_OVERLAP_PX = 128,
  MASK_HALF = 128,       /* a mask's value from which on a pixel counts as painted anew */
  VAE_AUTO_TILE_PX = 768 /* bigger than most pictures' short side, small enough for any machine */
};

/* Pictures whose decoder needs more are decoded in tiles: reached at about 1280 x 1280. */
static const size_t VAE_WHOLE_LIMIT_BYTES = (size_t) 4 << 30;

/* Reads the model's weights in the background, at its first job; and lets that go. */
void pipeline_start_loading (Pipeline *pipeline);
void pipeline_end_loading (Pipeline *pipeline);

/* ---- a family of models ---- */

/* A job's texts, encoded; a family's own struct begins with it. */
typedef struct
{
  int n_tokens[2]; /* prompt, negative prompt */
} PipelineText;

/* The first latent frames of a window, where they are finished: of each picture (channels, n, h,
 * w), borrowed. */
typedef struct
{
  const float *values;
  int64_t n, channel_stride, picture_stride; /* floats */
} KnownLatents;

/* The denoising network at work on one job; a family's own struct begins with it. */
typedef struct
{
  Pipeline *pipeline;
  const PipelineJob *job;
  Ctx *ctx;
  int64_t n_pictures, channels, t, h, w; /* of the latents; t 1 of pictures */
  KnownLatents known;                    /* set anew for each window of a clip */
} PipelineDenoiser;

typedef struct Inpaint Inpaint;

/* What a latent looks like: rgb = sum latent_c * rows[c] + rows[n_channels], in -1 .. 1. */
typedef struct
{
  int n_channels;
  const float (*rows)[3];
} PreviewFactors;

/* What a job's latents look like. */
typedef struct
{
  int64_t channels, t, h, w; /* t 1: pictures */
  int factor;                /* pixels a latent pixel's side */
} LatentShape;

LatentShape pipeline_latent_shape (const Pipeline *pipeline, const PipelineJob *job);

/* What differs between families of models.  No slot is NULL. */
typedef struct
{
  /* Prefix of the weights of source->text_encoder_2_path; NULL when the model has no such. */
  const char *(*second_encoder) (const ModelConfig *config);
  /* Adds what a file alone lacks and its folders have, if the family has such files. */
  bool (*add_companions) (Pipeline *pipeline, const PipelineSource *source, Status *status);
  /* Says which part of the model is missing, in a sentence that names what to do. */
  bool (*check_parts) (const Checkpoint *model, Status *status);
  /* Makes pipeline->networks in the arena, bound but for the VAE. */
  bool (*bind) (Pipeline *pipeline, const Binder *binder, Status *status);
  bool (*load_vocabularies) (Pipeline *pipeline, const PipelineSource *source, Status *status);
  void (*close) (Pipeline *pipeline); /* frees what is not the arena's; networks may be NULL */
  /* Binds all networks but the VAE for pipeline_bind_report. */
  void (*report) (const Binder *binder, const ModelConfig *config);

  /* On a job with the defaults that all families share. */
  void (*job_defaults) (const ModelConfig *config, PipelineJob *job);
  bool (*job_check) (const Pipeline *pipeline, const PipelineJob *job, Status *status);
  /* Mixes into @digest the texts and everything that only this family's jobs have. */
  uint64_t (*job_digest) (uint64_t digest, const PipelineJob *job);

  /* text_encode:
   * @plan: NULL, or only plan into it; the text returned then has no values
   *
   * Parses and encodes prompt and negative prompt, unless the cache has them.
   *
   * Returns: free with text_free; NULL and @status
   */
  PipelineText *(*text_encode) (Pipeline *pipeline,
                                const PipelineJob *job,
                                PhasePlan *plan,
                                Status *status);
  void (*text_free) (PipelineText *text); /* may be NULL */

  /* Whether the network itself reads a job's mask and masked picture (inpainting checkpoints). */
  bool (*reads_mask) (const ModelConfig *config);
  /* Encodes the frames that the job goes on from, into (channels, n_before, h, w). */
  bool (*encode_before) (Pipeline *pipeline,
                         const PipelineJob *job,
                         float *latents,
                         Status *status);
  /* How many pictures of the job's size are encoded, whatever the batch. */
  int (*n_encodes) (const Pipeline *pipeline, const PipelineJob *job);
  /* make_extra:
   * @inpaint: the job's mask as latents have it; without a mask all of it is 0
   * @extra: receives what the network is given besides the latent, free with mem_free; NULL when it
   *   takes nothing
   */
  bool (*make_extra) (Pipeline *pipeline,
                      const PipelineJob *job,
                      const Inpaint *inpaint,
                      float **extra,
                      Status *status);

  /* What encoding the job's pictures and decoding its result need, and the tiles for it. */
  bool (*plan_pixels) (Pipeline *pipeline,
                       const PipelineJob *job,
                       PipelinePlan *plan,
                       Status *status);
  /* decode:
   * @latent: (channels, t, h, w), finished, those of the clip before first
   * @tile_px: 0 for none; below 0: as the job's plan has it
   *
   * Gives @sink the frames of one clip, or one picture, in order.
   */
  bool (*decode) (Pipeline *pipeline,
                  const PipelineJob *job,
                  const float *latent,
                  int tile_px,
                  const FrameSink *sink,
                  Status *status);

  /* denoiser_new:
   * @text: borrowed, as are @job and @sampler; all must outlive the denoiser
   * @sampler: initialised; NULL when only planning
   * @plan: NULL, or only plan into it
   *
   * Returns: free with denoiser_free; NULL and @status on failure, NULL when only planning
   */
  PipelineDenoiser *(*denoiser_new) (Pipeline *pipeline,
                                     const PipelineJob *job,
                                     const PipelineText *text,
                                     const Sampler *sampler,
                                     PhasePlan *plan,
                                     Status *status);
  /* Whether a denoiser reads the weight @name once for many steps. */
  bool (*reads_once) (const char *name);
  /* Such a weight has moved: what was made of it is made anew, at the latest in the next step. */
  bool (*denoiser_renew) (PipelineDenoiser *denoiser, Status *status);
  void (*denoiser_free) (PipelineDenoiser *denoiser); /* may be NULL */
  /* Before each step, 1-based: for texts that change. */
  void (*denoiser_set_step) (PipelineDenoiser *denoiser, int step);
  /* @extra: as make_extra made it, borrowed; NULL: this window has none */
  void (*denoiser_set_extra) (PipelineDenoiser *denoiser, const float *extra);
  /* Guided x0 of all pictures of the batch, (n, C, t, h, w): see Denoiser. */
  bool (*denoise) (PipelineDenoiser *denoiser,
                   const float *x,
                   double sigma,
                   double timestep,
                   float *x0,
                   Status *status);

  /* Which levels of noise the model knows: completes what the job says of the schedule. */
  void (*schedule_params) (const Pipeline *pipeline,
                           const PipelineJob *job,
                           ScheduleParams *params);

  PreviewFactors (*preview_factors) (const ModelConfig *config);
} PipelineFamily;

extern const PipelineFamily sd_family; /* SD 1.5 and SDXL */
extern const PipelineFamily flux_family;
extern const PipelineFamily wan_family;

const PipelineFamily *pipeline_family (Family family);

/* ---- encodings kept between jobs (cache.c) ---- */

enum
{
  CACHE_ENTRIES = 8, /* a text and two latents a job: the last few jobs */
  CACHE_MAX_BYTES = 32 << 20
};

typedef struct
{
  uint64_t key; /* digest of everything that the values depend on */
  float *values;
  size_t n;
  uint64_t last_use;
} CacheEntry;

typedef struct
{
  CacheEntry entries[CACHE_ENTRIES];
  uint64_t clock;
} EncodingCache;

/* Copies the values kept under @key.  Returns: false when there are none of that size */
bool encoding_cache_get (EncodingCache *cache, uint64_t key, float *values, size_t n);
/* Keeps a copy in place of the entry used least recently; nothing when out of memory. */
void encoding_cache_put (EncodingCache *cache, uint64_t key, const float *values, size_t n);
void encoding_cache_clear (EncodingCache *cache);

/* ---- adapters (adapters.c) ---- */

/* Opened adapters on the pipeline's model; several runs may hold one set, each with weights of its
 * own. */
typedef struct AdapterSet AdapterSet;

/* adapter_set_get:
 *
 * The set for these files, which are opened unless the last set had just them.
 *
 * Returns: release with adapter_set_release; NULL and @status: as adapter_open, adapter_fit_init
 */
AdapterSet *adapter_set_get (Pipeline *pipeline, const PipelineJob *job, Status *status);
void adapter_set_release (AdapterSet *set); /* may be NULL */

/* Says through the job's note which layers were left out. */
void adapter_set_report (const AdapterSet *set, const PipelineJob *job);

/* adapter_set_use:
 * @set: NULL for the plain model
 * @step: from 0, of @n_steps
 *
 * @moved: NULL, or receives whether a denoiser made before must be renewed
 *
 * From here on the pipeline's weights are those with @adapters at that step.  When nothing but
 * weights has moved, only scales are written.  Fails: NO_MEMORY
 */
bool adapter_set_use (Pipeline *pipeline,
                      AdapterSet *set,
                      const PipelineAdapter *adapters,
                      int step,
                      int n_steps,
                      bool *moved,
                      Status *status);

/* Tells sets apart that would not act alike, and weights. */
uint64_t adapters_digest (uint64_t digest,
                          const AdapterSet *set,
                          const PipelineAdapter *adapters,
                          int n_adapters);
int64_t adapter_set_bytes (const AdapterSet *set);

/* ---- ControlNets (controls.c) ---- */

/* control_set_get:
 *
 * The networks of the job's controls; files that the last set had are not opened again.
 *
 * Returns: release with control_set_release; NULL and @status: as checkpoint_open; UNSUPPORTED or
 * SHAPE for what does not go with the model
 */
ControlSet *control_set_get (Pipeline *pipeline, const PipelineJob *job, Status *status);
void control_set_release (ControlSet *set); /* may be NULL */
const ControlNet *control_set_net (const ControlSet *set, int i);
const ControlConfig *control_set_config (const ControlSet *set, int i);

/* What the job's controls are: files, pictures, weights. */
uint64_t controls_digest (uint64_t digest, const PipelineJob *job);

/* Whether all of a job's numbers are in range, and its model is one that ControlNets are for. */
bool controls_check (const Pipeline *pipeline, const PipelineJob *job, Status *status);

enum
{
  PIPELINE_EXPERTS = 2 /* networks that take turns: Wan's; the others have one */
};

struct Pipeline
{
  bool header_only;
  AdapterMap *adapter_maps[PIPELINE_EXPERTS]; /* NULL until there are adapters, or no such expert */
  AdapterSet *last_set;                       /* of the last job with adapters */
  ControlSet *last_controls;                  /* of the last job with ControlNets */
  AdapterSet *mounted;                        /* NULL: the weights are the model's own */
  uint64_t text_digest; /* of what adapters do to text encodings now; 0: nothing */
  const PipelineFamily *family;
  Backend *backend; /* borrowed */
  Checkpoint *checkpoint;
  Arena arena;       /* owns the bound networks */
  void *networks;    /* the family's own, in the arena */
  Vae *vae;          /* NULL of families that have another kind */
  TinyDecoder *tiny; /* NULL: previews come from linear factors */
  EncodingCache cache;
  Prefetch *loading; /* of all networks, until the first pass is done; NULL before and afterwards */
  bool was_loaded;   /* or is about to be */
  uint64_t model_digest; /* 0 until someone asks */
};

/* ---- VAE (vae-tiled.c) ---- */

/* @latent: (channels, h, w) as the network scales it; @rgb: (8 h, 8 w, 3) */
bool pipeline_vae_decode (Pipeline *pipeline,
                          const PipelineJob *job,
                          const float *latent,
                          int64_t h,
                          int64_t w,
                          uint8_t *rgb,
                          int tile_px,
                          PhasePlan *plan,
                          Status *status);

/* pipeline_vae_encode:
 * @hole: NULL, or (height, width): where it is 128 or more, mid-grey takes the picture's place
 * @latent: (channels, h, w) receives the latent's mean, scaled for the network
 */
bool pipeline_vae_encode (Pipeline *pipeline,
                          const PipelineJob *job,
                          const uint8_t *rgb,
                          const uint8_t *hole,
                          int64_t height,
                          int64_t width,
                          float *latent,
                          int tile_px,
                          PhasePlan *plan,
                          Status *status);

/* The slots plan_pixels and decode of families that draw pictures. */
bool plan_pictures (Pipeline *pipeline, const PipelineJob *job, PipelinePlan *plan, Status *status);
bool pipeline_decode_picture (Pipeline *pipeline,
                              const PipelineJob *job,
                              const float *latent,
                              int tile_px,
                              const FrameSink *sink,
                              Status *status);

/* pipeline_vae_encode in the job's tiles, unless the cache has it. */
bool pipeline_vae_latent (Pipeline *pipeline,
                          const PipelineJob *job,
                          const uint8_t *rgb,
                          const uint8_t *hole,
                          int height,
                          int width,
                          float *latent,
                          Status *status);

/* Tile size for @job in pixels, 0 for none; -1 and @status when it could not be found out.  On a
 * card: whole pictures where its memory is enough, else the largest tiles for which it is. */
int pipeline_vae_tile (Pipeline *pipeline, const PipelineJob *job, Status *status);

/* ---- inpainting (inpaint.c) ---- */

/* What a run with a mask remembers; zeroed for one without. */
struct Inpaint
{
  int64_t n_pictures, channels, n_pixels; /* of the latents */
  bool blends;                            /* the unmasked part follows the start picture */
  bool first_call_free;                   /* but not when the network is first asked (diffusers) */
  bool ends_exact; /* x is blended once more after the last step (diffusers) */
  float *mask;     /* (h, w): 1 is painted anew */
  float *original; /* (channels, h, w): the start picture's latent */
  float *noise;    /* (pictures, channels, h, w): what it is noised with */
  float *x;        /* (pictures, channels, h, w): what the network sees */
  bool flow;       /* noised by shares: (1 - sigma) original + sigma noise */
};

/* inpaint_init:
 * @in: zeroed; free with inpaint_clear, also after failure
 * @job: with a mask
 * @original: (channels, h, w) the start picture's latent
 * @noise: (pictures, channels, h, w) the run's first noise
 */
bool inpaint_init (Inpaint *in,
                   Pipeline *pipeline,
                   const PipelineJob *job,
                   const float *original,
                   const float *noise,
                   Status *status);
void inpaint_clear (Inpaint *in);

/* Puts noise or nothing in place of @start's masked part, (pictures, channels, h, w) like @noise.
 */
void inpaint_content (const Inpaint *in, const float *noise, MaskedContent content, float *start);

/* What the network sees at @sigma: @x with its unmasked part replaced by the noised original. */
const float *inpaint_input (Inpaint *in, const float *x, double sigma, bool first_call);
/* Puts the original into the unmasked part of @x0, or of the finished latents. */
void inpaint_keep (const Inpaint *in, float *x0);

/* The slot encode_before of families without clips. */
bool pipeline_encode_no_clip (Pipeline *pipeline,
                              const PipelineJob *job,
                              float *latents,
                              Status *status);

/* ---- windows (windows.c) ---- */

/* A clip's latent frames: those of the clip before, then windows of one length.  They begin evenly
 * spaced, so that the last one, too, is as long as the model was trained for. */
typedef struct
{
  int n;
  int64_t length, total, n_before;
  int64_t first; /* where the first one begins */
} ClipWindows;

ClipWindows clip_windows (const PipelineJob *job);
int64_t clip_window_start (const ClipWindows *windows, int index);
/* Latent frames at the front of window @index that are finished before it begins. */
int64_t clip_window_known (const ClipWindows *windows, int index);
/* clip_window_job:
 *
 * @job for one window alone: of its length, which begins with the first frame if it is the first
 * one, and ends with the last frame if it is the last.
 */
PipelineJob clip_window_job (const PipelineJob *job, const ClipWindows *windows, int index);

/* ---- preview (preview.c) ---- */

/* @x0: (channels, t, h, w), of pictures t 1 */
void
pipeline_preview (Pipeline *pipeline, const PipelineJob *job, const float *x0, int64_t t, int step);

/* ---- shared ---- */

/* prompt_networks_leave:
 * @networks: zeroed; receives @text without its <lora:...>, free with prompt_networks_clear
 *
 * Says so: a network that is not applied must not vanish in silence.
 */
bool prompt_networks_leave (const PipelineJob *job,
                            const char *text,
                            PromptNetworks *networks,
                            Status *status);

/* How brackets in the job's prompts are read. */
PromptSyntax pipeline_prompt_syntax (const PipelineJob *job);
bool pipeline_job_check (const Pipeline *pipeline, const PipelineJob *job, Status *status);

typedef enum
{
  NETWORK_CLIP, /* CLIP's text encoders */
  NETWORK_TEXT, /* T5, and what else is run once for all steps */
  NETWORK_UNET,
  NETWORK_TRANSFORMER,
  NETWORK_VAE
} NetworkRole;

/* What ctx_new is to be told for a network of the job. */
Compute pipeline_compute (const Pipeline *pipeline, const PipelineJob *job, NetworkRole role);
/* Whether the device and the model have what the job's precision asks for. */
bool pipeline_compute_check (const Pipeline *pipeline, const PipelineJob *job, Status *status);

/* Whether there is no infinity and no NaN among them. */
bool pipeline_are_numbers (const float *values, int64_t n);
/* pipeline_widen:
 * @compute: what gave values that are no numbers
 * @what: marked with STATUS_MARK: whose they are
 *
 * From here on @job avoids f16, which its note says.  Fails: UNSUPPORTED when that cannot help
 */
bool pipeline_widen (PipelineJob *job, Compute compute, const char *what, Status *status);

/* Whether the device's memory is enough for a phase; always where it is the program's own. */
bool room_is_enough (const Backend *backend, const PhasePlan *phase);
/* The same as a failure for the user. */
bool
room_check (const Backend *backend, const PhasePlan *phase, PipelinePhase which, Status *status);

/* The noise levels of a job's steps.  @table, @schedule: zeroed; clear the latter with
 * schedule_clear, also after failure */
bool pipeline_schedule (const Pipeline *pipeline,
                        const PipelineJob *job,
                        NoiseTable *table,
                        Schedule *schedule,
                        Status *status);

/* Copies what a measured Ctx knows into @plan. */
void plan_phase (const Ctx *ctx, PhasePlan *plan, int n_passes);
/* Adds another network of the same phase, which runs when the one before is done. */
void plan_add_network (PhasePlan *plan, const PhasePlan *network);
/* Adds passes of other shapes through the same network. */
void plan_join (PhasePlan *plan, const PhasePlan *other);
/* @data: what pipeline_run_network was given */
typedef Tensor *(*EncoderForward) (Ctx *ctx, const void *data);
/* pipeline_run_network:
 * @plan: NULL; or receives the network's part, and nothing is run
 * @out: receives the result, @n floats, when it is run
 */
bool pipeline_run_network (const Pipeline *pipeline,
                           const PipelineJob *job,
                           PipelinePhase phase,
                           EncoderForward forward,
                           const void *data,
                           PhasePlan *plan,
                           float *out,
                           size_t n,
                           Status *status);
/* Tells sets of weights apart that differ in more than a few values. */
uint64_t weights_digest (const WeightSet *set);
/* Copies a failure; true when there is none. */
bool copy_ctx_status (const Ctx *ctx, Status *status);

void nchw_to_nhwc (float *out, const float *in, int64_t n, int64_t c, int64_t h, int64_t w);
void nhwc_to_nchw (float *out, const float *in, int64_t n, int64_t c, int64_t h, int64_t w);
uint8_t unit_to_byte (float v); /* 0 .. 1, clamped and rounded */
