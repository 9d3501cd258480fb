/* SPDX-License-Identifier: MPL-2.0
 * wan-job.c - what Wan's models suggest for a job, and what only they refuse.
 */
#include <math.h>

#include "pipelines/digest.h"
#include "pipelines/wan-private.h"

enum
{
  DIM_14B = 5120,
  DIM_5B = 3072,
  DIM_1B = 1536,      /* narrower ones are nobody's release */
  MOST_PLACES = 1024, /* of an axis: what the models were made for */
  MOST_TOKENS = 1 << 20,
  MOST_LATENTS = 1 << 16, /* of all windows together: what the VAE takes */
  LATENT_FRAMES = 4       /* frames of every latent but the first */
};

/* What Wan-AI's own programs sample with; the first guidance is that of much noise.  At 480 lines
 * the one-expert models want less shift, which nobody's defaults follow. */
typedef struct
{
  int width, height, frames;
  double fps;
  int steps;
  double shift, guidance, guidance_2, boundary;
} Suggestion;

static const Suggestion t2v_a14b = { 832, 480, 81, 16, 40, 12, 4, 3, 0.875 },
                        i2v_a14b = { 832, 480, 81, 16, 40, 5, 3.5, 3.5, 0.9 },
                        ti2v_5b = { 1280, 704, 121, 24, 50, 5, 5, 5, 0 },
                        t2v_14b = { 832, 480, 81, 16, 50, 5, 5, 5, 0 },
                        t2v_1b = { 832, 480, 81, 16, 50, 8, 6, 6, 0 },
                        i2v_14b = { 832, 480, 81, 16, 40, 5, 5, 5, 0 },
                        flf_14b = { 1280, 720, 81, 16, 50, 16, 5, 5, 0 },
                        small = { 256, 256, 17, 12, 20, 3, 4, 4, 0.875 };

/* What Wan's models were taught to keep away from. */
static const char negative_prompt[] =
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低"
    "质量，"
    "JPEG压缩残留，丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，"
    "形态畸形的肢体，手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走";

/* A file whose name says that it is one of two experts has another beside it. */
static bool
is_expert (const ModelConfig *c)
{
  return c->has_expert || c->wan_expert != WAN_EXPERT_UNKNOWN;
}

static const Suggestion *
suggestion_of (const ModelConfig *c)
{
  if (c->wan.dim < DIM_1B)
    return &small;
  if (c->wan.variant == WAN_TI2V)
    return &ti2v_5b;
  if (c->wan.variant == WAN_I2V)
    return c->wan.image_positions > 0               ? &flf_14b
           : c->wan.image_dim > 0 && !is_expert (c) ? &i2v_14b
                                                    : &i2v_a14b;
  if (is_expert (c))
    return &t2v_a14b;
  return c->wan.dim < DIM_5B ? &t2v_1b : &t2v_14b;
}

void
wan_job_defaults (const ModelConfig *c, PipelineJob *job)
{
  const Suggestion *s = suggestion_of (c);
  bool follows_folder = c->is_diffusers_folder && c->flow_shift.is_said;
  job->prediction = PREDICTION_FLOW;
  job->sampler = SAMPLER_UNIPC_BH2;
  job->schedule = schedule_default (job->sampler, job->convention, true);
  job->spacing = SCHEDULE_LINSPACE;
  job->width = c->suggested_width > 0 ? c->suggested_width : s->width;
  job->height = c->suggested_height > 0 ? c->suggested_height : s->height;
  job->n_frames = c->suggested_frames > 0 ? c->suggested_frames : s->frames;
  job->fps = c->suggested_fps > 0 ? c->suggested_fps : s->fps;
  job->steps = s->steps;
  job->guidance_scale = s->guidance;
  job->guidance_scale_2 = s->guidance_2;
  job->boundary = c->boundary > 0 ? c->boundary : s->boundary;
  job->window_frames = job->n_frames;
  job->shift = follows_folder ? c->flow_shift.shift : s->shift;
  if (c->wan.dim >= DIM_1B)
    job->negative_prompt = negative_prompt;
}

/* ---- what is refused ---- */

static bool
check_pictures (const ModelConfig *c, const PipelineJob *job, Status *status)
{
  if (job->init_rgb || job->mask)
    return status_fail (status, STATUS_ARGUMENT,
                        "Wan makes clips from a first frame, not from an initial image: give it "
                        "the picture as the first frame.");
  if (job->n_references > 0 || job->control_rgb)
    return status_fail (status, STATUS_ARGUMENT,
                        "There is a reference or control picture, but only FLUX.1 models read one: "
                        "take it away.");
  if ((job->first_rgb || job->last_rgb) && c->wan.variant == WAN_T2V)
    return status_fail (status, STATUS_ARGUMENT,
                        "This Wan model makes clips from words alone: take the first and last "
                        "frame away, or choose an I2V or TI2V model.");
  if (job->last_rgb && c->wan.variant == WAN_TI2V)
    return status_fail (status, STATUS_ARGUMENT,
                        "This Wan model follows a first frame, but no last one: take the last "
                        "frame away, or choose an I2V model.");
  if (!job->first_rgb && !job->last_rgb && job->n_before == 0 && c->wan.variant == WAN_I2V)
    return status_fail (
        status, STATUS_ARGUMENT,
        "This Wan model sets pictures in motion: give it a first frame, or choose a "
        "T2V model.");
  if (c->wan.image_positions > 0 && job->n_before == 0 && !(job->first_rgb && job->last_rgb))
    return status_fail (status, STATUS_ARGUMENT,
                        "This Wan model goes from a first frame to a last one: give it both.");
  if (job->last_rgb && job->n_frames == 1)
    return status_fail (status, STATUS_ARGUMENT,
                        "A clip of one frame has no last one: choose 5 frames or more.");
  return true;
}

static bool
check_overlap (const PipelineJob *job, Status *status)
{
  const ClipWindows w = clip_windows (job);
  int overlap = pipeline_overlap (job);
  if (w.n == 1 && job->n_before == 0)
    return true;
  if (overlap >= w.length)
    return status_fail (status, STATUS_ARGUMENT,
                        "An overlap of %d latent frames leaves nothing new in a window of %lld: "
                        "choose more frames, a longer window or a smaller overlap.",
                        overlap, (long long) w.length);
  return job->n_before == 0 || overlap <= job->n_before ||
         status_fail (status, STATUS_ARGUMENT,
                      "The clip to go on from has %d latent frames, fewer than the overlap of %d: "
                      "choose a smaller overlap.",
                      job->n_before, overlap);
}

static bool
check_before (const ModelConfig *c, const PipelineJob *job, Status *status)
{
  if (job->n_before == 0)
    return true;
  if (job->first_rgb)
    return status_fail (status, STATUS_ARGUMENT,
                        "A clip that goes on from another begins with that one's frames: take the "
                        "first frame away.");
  if (c->wan.image_positions > 0 && !job->last_rgb)
    return status_fail (status, STATUS_ARGUMENT,
                        "This Wan model goes on to a last frame: give it the one that the longer "
                        "clip is to end with.");
  if (job->before_rgb && !c->wan_vae.has_encoder)
    return status_fail (status, STATUS_ARGUMENT,
                        "This model's VAE cannot read frames: extend a clip whose latents were "
                        "kept (.gclip), or choose a VAE with an encoder.");
  return true;
}

static bool
check_window (const PipelineJob *job, Status *status)
{
  int n = job->window_frames;
  return n == 0 || (n > LATENT_FRAMES && (n - 1) % LATENT_FRAMES == 0) ||
         status_fail (
             status, STATUS_ARGUMENT,
             "A window has one frame more than a multiple of 4: choose %d frames, not %d.",
             (n > LATENT_FRAMES ? n + 1 : LATENT_FRAMES) / LATENT_FRAMES * LATENT_FRAMES + 1, n);
}

static bool
check_size (const Pipeline *pipeline, const PipelineJob *job, Status *status)
{
  LatentShape s = pipeline_latent_shape (pipeline, job);
  int multiple = WAN_PATCH * s.factor;
  if (job->width % multiple || job->height % multiple)
    return status_fail (status, STATUS_ARGUMENT,
                        "The size %d x %d cannot be made: with this Wan model width and height "
                        "must be multiples of %d.",
                        job->width, job->height, multiple);
  if (job->n_frames < 1 || (job->n_frames - 1) % LATENT_FRAMES != 0)
    return status_fail (
        status, STATUS_ARGUMENT,
        "A clip has one frame more than a multiple of 4: choose %d frames, not %d.",
        (job->n_frames > 0 ? job->n_frames + 1 : 0) / LATENT_FRAMES * LATENT_FRAMES + 1,
        job->n_frames);
  int64_t t = clip_windows (job).length, h = s.h / WAN_PATCH, w = s.w / WAN_PATCH;
  if (s.t > MOST_LATENTS || t > MOST_PLACES || h > MOST_PLACES || w > MOST_PLACES ||
      t * h * w > MOST_TOKENS)
    return status_fail (status, STATUS_ARGUMENT,
                        "%d frames of %d x %d are more than Wan can be asked for: choose fewer or "
                        "smaller ones.",
                        job->n_frames, job->width, job->height);
  return true;
}

static bool
check_numbers (const PipelineJob *job, Status *status)
{
  const double most = 1000;
  if (!(job->shift > 0 && job->shift <= most))
    return status_fail (status, STATUS_ARGUMENT, "Choose a clip shift of above 0 to 100, not %g.",
                        job->shift);
  if (!(job->guidance_scale_2 >= 0 && job->guidance_scale_2 <= most))
    return status_fail (status, STATUS_ARGUMENT, "Choose a second guidance of 0 to 100, not %g.",
                        job->guidance_scale_2);
  if (!(job->boundary >= 0 && job->boundary <= 1))
    return status_fail (status, STATUS_ARGUMENT, "Choose a boundary of 0 to 1, not %g.",
                        job->boundary);
  if (job->max_tokens < 0 || job->max_tokens == 1 || job->max_tokens > T5_MAX_LENGTH)
    return status_fail (status, STATUS_ARGUMENT, "Choose 2 to %d tokens for T5, not %d.",
                        T5_MAX_LENGTH, job->max_tokens);
  return true;
}

bool
wan_job_check (const Pipeline *pipeline, const PipelineJob *job, Status *status)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  return check_pictures (c, job, status) && check_window (job, status) &&
         check_size (pipeline, job, status) && check_before (c, job, status) &&
         check_overlap (job, status) && check_numbers (job, status);
}

uint64_t
wan_job_digest (uint64_t d, const PipelineJob *job)
{
  size_t n = 3 * (size_t) job->width * (size_t) job->height;
  d = digest_text (digest_text (d, job->prompt), job->negative_prompt);
  d = digest_int (digest_int (d, job->max_tokens), job->n_frames);
  d = digest_real (digest_real (d, job->guidance_scale), job->guidance_rescale);
  d = digest_real (digest_real (d, job->guidance_scale_2), job->boundary);
  d = digest_real (d, job->shift);
  d = digest_int (digest_int (d, job->first_rgb != NULL), job->last_rgb != NULL);
  if (job->first_rgb)
    d = digest_bytes (d, job->first_rgb, n);
  if (job->last_rgb)
    d = digest_bytes (d, job->last_rgb, n);
  d = digest_int (digest_int (d, job->window_frames), pipeline_overlap (job));
  return job->first_rgb || job->last_rgb ? digest_int (d, job->vae_tile) : d;
}

void
wan_schedule_params (const Pipeline *pipeline, const PipelineJob *job, ScheduleParams *params)
{
  enum
  {
    LEVELS = 1000
  };
  params->flow = true;
  params->flow_clip = true;
  params->flow_shift = log (job->shift);
  params->flow_levels = LEVELS;
}
