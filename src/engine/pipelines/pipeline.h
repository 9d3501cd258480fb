/* SPDX-License-Identifier: MPL-2.0
 * pipeline.h - from prompt to picture, whatever the model's family.
 *
 * A pipeline holds a model: mapped weights, bound networks, vocabularies, the last few encodings.
 * A job is one set of parameters; pipeline_plan says what it needs, pipeline_generate runs it at
 * once, and a PipelineRun runs it step by step, so that it can be parked, saved and taken up again.
 * One job at a time per pipeline; not thread-safe, but the cancel flag may be set from anywhere.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend/backend.h"
#include "core/rng.h"
#include "samplers/sampler.h"
#include "samplers/schedule.h"
#include "text/weighting.h"
#include "weights/adapter-map.h"
#include "weights/checkpoint.h"

typedef struct Pipeline Pipeline;

/* Calls @func for each folder that models are looked for in, until it returns false. */
typedef void (*FolderWalk) (bool (*func) (void *data, const char *path), void *data);

typedef struct
{
  const char *model_path;  /* file or folder */
  const char *expert_path; /* NULL, or the low-noise expert of a Wan 2.2 model */
  const char *vae_path;    /* NULL, or a VAE to use instead of the model's own */
  /* NULL, or text encoders to use instead: the second is SDXL's bigG or FLUX's T5 */
  const char *text_encoder_path, *text_encoder_2_path;
  const char
      *image_encoder_path;    /* NULL, or a CLIP-H to use instead, for models that see through it */
  const char *tiny_path;      /* NULL, or a TAESD for previews; one beside the model is found */
  const char *tokenizers_dir; /* the bundled vocabularies */
  FolderWalk walk_folders;    /* where a TAESD may lie, too; NULL for none */
  bool header_only;           /* for plans: weights are never touched */
} PipelineSource;

/* Fails: as checkpoint_open; FORMAT naming the missing tensors; UNSUPPORTED */
Pipeline *pipeline_open (const PipelineSource *source, Backend *backend, Status *status);
void pipeline_free (Pipeline *pipeline);
const Checkpoint *pipeline_checkpoint (const Pipeline *pipeline);

/* Binds every network the file has, so that its weight set knows what is missing (weights_problem)
 * and what nobody uses (Weight.used). */
void pipeline_bind_report (Checkpoint *checkpoint);

enum
{
  PIPELINE_KIND_SIZE = 24
};

typedef enum
{
  PHASE_TEXT,
  PHASE_ENCODE, /* the start picture to a latent */
  PHASE_DENOISE,
  PHASE_DECODE,
  PHASE_COUNT
} PipelinePhase;

const char *phase_name (PipelinePhase phase);

typedef enum
{
  SD_EMPTY_AUTO, /* zeros where the model's folder says so, else encoded */
  SD_EMPTY_ZEROS,
  SD_EMPTY_ENCODE
} SdEmptyNegative;

/* What SDXL is told about the picture (Podell et al. 2023, 2.2); 0 stands for the picture's own
 * size. */
typedef struct
{
  int original_width, original_height, crop_left, crop_top, target_width, target_height;
} SdSizes;

/* What the masked part starts from (A1111's names; "fill" is done to the pixels beforehand). */
typedef enum
{
  MASKED_ORIGINAL,      /* the start picture */
  MASKED_LATENT_NOISE,  /* the picture's own noise in place of its latent */
  MASKED_LATENT_NOTHING /* zeros in place of its latent */
} MaskedContent;

enum
{
  ADAPTER_MAX_POINTS = 16
};

/* A LoRA or a relative of one, and how strongly it acts. */
typedef struct
{
  const char *path;
  double weight, text_weight; /* on U-Net or transformer, and on the text encoders; 0: muted */
  bool has_blocks;
  double blocks[ADAPTER_BLOCK_COUNT]; /* factors on weight and text_weight, see adapter-map.h */
  /* Instead of weight: at so much of the steps (0 .. 1, rising) that weight, linear in between. */
  int n_points;
  struct
  {
    double at, weight;
  } points[ADAPTER_MAX_POINTS];
  int first_step, last_step; /* from 1; 0: from the first, to the last.  Off outside of them */
} PipelineAdapter;

/* Textual inversion: the word @name stands for the file's vectors. */
typedef struct
{
  const char *name, *path;
  const char *bundle; /* NULL, or the name under which a LoRA file carries it */
} PipelineEmbedding;

enum
{
  PIPELINE_MAX_REFERENCES = 4
};

/* Sides are multiples of the VAE's factor. */
typedef struct
{
  const uint8_t *rgb; /* (height, width, 3) */
  int width, height;
} PipelineReference;

enum
{
  PIPELINE_MAX_CONTROLS = 8
};

/* A ControlNet, and what it sees. */
typedef struct
{
  const char *path;
  const uint8_t *rgb; /* (height, width, 3) of the job's size, as the network reads it */
  double weight;      /* on what it adds to the U-Net */
  double start, end;  /* at which parts of the steps it acts, 0 .. 1: see sd-control.c */
} PipelineControl;

/* The opened networks of a job's controls (controls.c). */
typedef struct ControlSet ControlSet;

/* Where in the network's space several references lie (ComfyUI's reference_latents_method). */
typedef enum
{
  REFERENCES_OFFSET, /* in one plane, the next to the right of those before, or below them */
  REFERENCES_INDEX,  /* one plane each */
  REFERENCES_UXO /* in the picture's own plane, towards its lower right: for UNO's and USO's LoRAs
                  */
} ReferencePlaces;

typedef struct
{
  const char *prompt, *negative_prompt;
  PromptWeighting weighting;
  SdEmptyNegative empty_negative;
  int width, height; /* pixels, multiples of 8 */
  int steps;
  SamplerKind sampler;
  ScheduleKind schedule;
  ScheduleKind spacing; /* diffusers' convention: the time steps under a curve such as karras */
  Convention convention;
  double guidance_scale, guidance_rescale;
  SdSizes sizes;
  int clip_skip; /* 0: the model's own; 1: last layer, 2: the one before, ... */
  double eta;    /* -1: the sampler's own */
  RngKind noise;
  uint64_t seed; /* picture i of the batch uses seed + i */
  int batch_size;
  Prediction prediction;
  bool zero_terminal_snr;
  Compute compute;
  bool avoids_f16;         /* set by a run: f16's range was too small for a network of this job */
  int vae_tile;            /* pixels; 0: whole pictures while they fit, else tiles */
  const uint8_t *init_rgb; /* NULL, or (height, width, 3): image to image */
  const uint8_t *mask;     /* NULL, or (height, width) with init_rgb: 255 is painted anew */
  /* FLUX */
  double distilled_guidance; /* what guidance-distilled models are told; no effect on others */
  double flow_shift;         /* mu of the schedule; below 0: the model's own */
  int max_tokens;            /* T5's, padding included; 0: as convention and model have it */
  PipelineReference references[PIPELINE_MAX_REFERENCES]; /* pictures to follow: Kontext */
  int n_references;
  ReferencePlaces reference_places;
  PipelineControl controls[PIPELINE_MAX_CONTROLS]; /* SD 1.5 and SDXL */
  int n_controls;
  const ControlSet *control_set; /* set by a run or plan: their networks */
  const uint8_t
      *control_rgb; /* NULL, or (height, width, 3): edges or depths, as the model reads them */
  MaskedContent masked_content;
  double denoise; /* 0 .. 1: how much of it is painted anew */
  /* Clips; of models that draw pictures n_frames is 1 and the rest means nothing. */
  int n_frames;            /* one more than a multiple of the VAE's factor in time: 4 n + 1 */
  double fps;              /* how fast the clip is shown; the network does not ask */
  double shift;            /* of the noise levels, as in s sigma / (1 + (s - 1) sigma) */
  double guidance_scale_2; /* of the low-noise expert, where there are two */
  double boundary;         /* the noise level below which that expert is asked, 0 .. 1 */
  const uint8_t *first_rgb, *last_rgb; /* NULL, or (height, width, 3): what the clip begins and ends
                                        * with */
  /* The clip that this one goes on from, 0 latent frames for none: as latents, (channels, n_before,
   * h, w), or as frames, (1 + 4 (n_before - 1), height, width, 3), which are encoded.  Its last
   * n_overlap latents are the first of this one's, too; only the frames behind them are decoded. */
  int n_before;
  const float *before;
  const uint8_t *before_rgb;
  /* NULL, or (height, width, 3): that clip's last frame, for models that look at what they go on
   * from through CLIP; NULL where one does: the last of @before_rgb, or decoded from @before. */
  const uint8_t *before_last_rgb;
  /* A clip of more frames is made in windows of so many, each going on from the last n_overlap
   * latents of the one before, at least. */
  int window_frames;
  bool first_is_past, last_is_ahead; /* of one window: the picture is of the clip, but not of it */
  int n_overlap;                     /* latent frames; 0: see pipeline_overlap */
  const PipelineAdapter *adapters;   /* in the order in which they are applied */
  int n_adapters;
  const PipelineEmbedding *embeddings;
  int n_embeddings;
  const atomic_bool *cancel; /* may be NULL */

  /* May be NULL.  Called on the caller's thread. */
  void (*progress) (void *data, PipelinePhase phase, int done, int total);
  /* Whether a preview would be looked at now; NULL: always.  Nothing is computed for one that would
   * not. */
  bool (*preview_wanted) (void *data);
  /* @rgb: (h, w, 3) of the first picture, valid during the call */
  void (*preview) (void *data, const uint8_t *rgb, int width, int height, int step);
  /* May be NULL.  Called instead of preview for clips; @rgb: (n_frames, h, w, 3) of the first clip,
   * in order, perhaps fewer than the clip has. */
  void (*preview_clip) (
      void *data, const uint8_t *rgb, int n_frames, int width, int height, int step);
  /* A sentence about something in the job that has no effect. */
  void (*note) (void *data, const char *sentence);
  void *data;
} PipelineJob;

/* What the model and its family suggest: size, steps, guidance, clip skip, prediction, schedule. */
void pipeline_job_defaults (const Checkpoint *model, PipelineJob *job);

/* Pixels that width and height are multiples of. */
int pipeline_size_step (const Checkpoint *model);

/* How many latent frames a window shares with what is before it: the job's, else 5 of Wan's usual
 * 21 (17 frames: SkyReels-V2's overlap_history), and at most half of a window. */
int pipeline_overlap (const PipelineJob *job);

/* Tells VAEs apart that do not understand each other's latents; "" of families without clips. */
void pipeline_latent_kind (const Checkpoint *model, char out[PIPELINE_KIND_SIZE]);

typedef struct
{
  int n_ops;
  size_t activation_bytes, bound_bytes; /* planned peak and what no plan can beat */
  int64_t weight_bytes;                 /* read from the mapped file, each counted once */
  int64_t once_weight_bytes; /* besides, read once before the first pass and then not again */
  int64_t largest_weight_bytes;
  double flops; /* of one pass */
  int n_passes; /* text 1, denoise model calls, tiles x pictures */
} PhasePlan;

typedef struct
{
  PhasePlan phases[PHASE_COUNT];
  size_t scratch_bytes,
      peak_bytes;        /* peak: scratch + largest activations; weights stay in the page cache */
  int64_t weight_bytes;  /* all phases */
  int64_t adapter_bytes; /* side paths and merged copies, in peak_bytes, too */
  int vae_tile;          /* pixels, as chosen; 0: whole pictures */
  int n_windows;         /* that a clip is made in, one after the other */
  int window_frames;     /* of each */
} PipelinePlan;

/* Runs every network in MEASURE mode.  Works on header-only pipelines and declared weights. */
bool pipeline_plan (Pipeline *pipeline, const PipelineJob *job, PipelinePlan *plan, Status *status);

typedef struct
{
  int n, width, height;
  int n_frames; /* of each that are decoded; 1: pictures */
  double fps;   /* of clips */
  uint8_t *rgb; /* (n, n_frames, height, width, 3) */
  /* (n, latent channels, latent frames, height / 8, width / 8): final, as the network scales them.
   * Pictures have one latent frame; a clip that goes on from another has that one's first. */
  float *latents;
  int latent_channels, latent_frames, latent_height, latent_width;
  char latent_kind[PIPELINE_KIND_SIZE]; /* as pipeline_latent_kind */
  int n_tokens[2];                      /* prompt, negative prompt */
  double seconds[PHASE_COUNT];
} PipelineResult;

/* Fails: ARGUMENT, NO_MEMORY, CANCELLED, ... with @result empty */
bool pipeline_generate (Pipeline *pipeline,
                        const PipelineJob *job,
                        PipelineResult *result,
                        Status *status);
void pipeline_result_clear (PipelineResult *result);

/* ---- a job step by step ---- */

/* A job under way.  Several may exist on a pipeline (a parked batch and a small job in front of
 * it), as long as one call is made at a time. */
typedef struct PipelineRun PipelineRun;

/* pipeline_run_new:
 * @pipeline: borrowed; must outlive the run
 * @job: copied; its strings and pictures are read only during this call, its cancel flag and its
 *   callbacks' data must outlive the run
 *
 * Encodes the texts and the start picture, or takes them from the pipeline's cache, and draws the
 * noise.  Calls progress for the phases text and encode.
 *
 * Returns: a run before its first step; NULL and @status: ARGUMENT, NO_MEMORY, CANCELLED, ...
 */
PipelineRun *pipeline_run_new (Pipeline *pipeline, const PipelineJob *job, Status *status);
void pipeline_run_free (PipelineRun *run);

int pipeline_run_step (const PipelineRun *run);    /* steps done, of all windows */
int pipeline_run_n_steps (const PipelineRun *run); /* may differ from the job's: see Schedule */

/* (pictures, latent channels, latent frames, height / 8, width / 8) in sigma space, valid until the
 * run's next change; after the last step the final latents.  Of a clip in windows, or one that goes
 * on from another: what is finished, zeros behind it. */
const float *pipeline_run_latents (const PipelineRun *run);

/* What is known so far: sizes, tokens, seconds a phase; rgb is NULL, latents are the run's own. */
const PipelineResult *pipeline_run_result (const PipelineRun *run);

/* pipeline_run_advance:
 *
 * One sampler step, then the job's progress and preview.
 *
 * Fails: CANCELLED, NO_MEMORY, ...: the run is then as before the call and may be saved or, once
 * the cancel flag is cleared, go on.  ARGUMENT after the last step.
 */
bool pipeline_run_advance (PipelineRun *run, Status *status);

/* Gives the networks' working memory back; the next step takes it again.  For a run that waits. */
void pipeline_run_park (PipelineRun *run);

/* State between steps as bytes, for a journal read on the same machine: step, latents, the
 * sampler's memory, the random generators, a fingerprint of job and model, and a checksum.  @data
 * needs pipeline_run_save_size() bytes, which changes from step to step. */
size_t pipeline_run_save_size (const PipelineRun *run);
void pipeline_run_save (const PipelineRun *run, void *data);

/* pipeline_run_restore:
 * @run: just made by pipeline_run_new from the same job and model (in any process); only the
 * callbacks, the cancel flag and, without a start picture, vae_tile may differ
 *
 * The run goes on as if it had never stopped: bit for bit on the same processor level.
 *
 * Fails: FORMAT when @data is truncated, damaged or of another job or model; @run is unchanged
 */
bool pipeline_run_restore (PipelineRun *run, const void *data, size_t size_bytes, Status *status);

/* pipeline_run_decode:
 * @picture: 0 .. batch_size - 1
 * @tile_px: side of the VAE's tiles, 0 for none; below 0: as the job's plan has it
 * @rgb: receives (height, width, 3)
 *
 * After the last step, any number of times; gives the denoiser's memory back first.
 *
 * Fails: NO_MEMORY: retry with smaller tiles; ARGUMENT before the last step; CANCELLED, ...
 */
bool pipeline_run_decode (PipelineRun *run, int picture, int tile_px, uint8_t *rgb, Status *status);

/* What takes a clip's frames while they are decoded. */
typedef struct
{
  /* take:
   * @rgb: (n, height, width, 3): frames @first .. @first + @n - 1, valid during the call
   *
   * Called in order, each frame once.  Returns: false and @status to stop
   */
  bool (*take) (void *data, const uint8_t *rgb, int first, int n, Status *status);
  void *data;
} FrameSink;

/* pipeline_run_decode_clip:
 * @clip: 0 .. batch_size - 1
 * @tile_px: as for pipeline_run_decode
 *
 * The same for clips, whose frames do not have to be in memory at once; a picture is a clip of one
 * frame.  Fails: as pipeline_run_decode; whatever the sink failed with
 */
bool pipeline_run_decode_clip (
    PipelineRun *run, int clip, int tile_px, const FrameSink *sink, Status *status);
