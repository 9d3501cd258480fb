/* SPDX-License-Identifier: MPL-2.0
 * run.c - a job from prompt to pixels, step by step.
 */
#include <string.h>
#include <time.h>

#include "core/mem.h"
#include "models/wan-vae.h"
#include "pipelines/run-private.h"

/* Between the seeds of a clip's windows, for noise that is a function of the seed: far from those
 * of the next pictures. */
static const uint64_t SEED_STRIDE = 0x9e3779b97f4a7c15;

static double
seconds_now (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY,
                      "Out of memory: choose a smaller picture or batch.");
}

static int64_t
n_all (const PipelineRun *r)
{
  return r->n_values * r->job.batch_size;
}

static void
draw_noise (void *data, float *out, int64_t n)
{
  PipelineRun *r = data;
  int64_t each = n / r->job.batch_size;
  for (int i = 0; i < r->job.batch_size; i++)
    rng_normal (&r->rngs[i], out + i * each, each);
}

/* The pictures' generators go on, whatever the interval. */
static void
draw_step_noise (void *data, double sigma, double sigma_next, float *out, int64_t n)
{
  draw_noise (data, out, n);
}

/* The level that the unmasked part is noised to when the network is asked at @sigma.  diffusers'
 * DPM++ SDE knows no level between two steps: it noises to the end of the step. */
static double
unmasked_sigma (const PipelineRun *r, double sigma)
{
  bool between = r->job.sampler == SAMPLER_DPMPP_SDE && r->n_calls > 0;
  if (between && r->job.convention == CONVENTION_DIFFUSERS)
    return r->schedule.sigma[r->sampler.next_step + 1];
  return sigma;
}

static SamplerOptions
sampler_options (const PipelineJob *job)
{
  SamplerOptions options = sampler_options_default (job->sampler, job->convention);
  if (job->eta >= 0)
    options.eta = job->eta;
  return options;
}

/* Takes what the steps need and pipeline_run_park gave back. */
static bool
unpark (PipelineRun *r, Status *status)
{
  const PipelineJob *job = &r->job;
  const PipelineFamily *family = r->pipeline->family;
  bool on_path =
      sampler_options (job).eta > 0 && sampler_noise_is_path (job->sampler, job->convention);
  if (!r->denoiser)
    {
      r->denoiser = family->denoiser_new (r->pipeline, job, r->text, &r->sampler, NULL, status);
      if (r->denoiser)
        r->denoiser->known = run_known (r);
      if (r->denoiser && run_extra (r))
        family->denoiser_set_extra (r->denoiser, run_extra (r));
    }
  if (r->denoiser && on_path && !r->path)
    r->path = brownian_new (job->noise, job->seed + (uint64_t) r->window * SEED_STRIDE,
                            r->schedule.path_start, r->schedule.path_end, job->batch_size,
                            r->n_values, status);
  return r->denoiser && (!on_path || r->path);
}

/* In f16 a network's numbers may leave its range: then once more in bf16, rather than a black
 * picture. */
static bool
ask_network (
    PipelineRun *r, const float *x, double sigma, double timestep, float *x0, Status *status)
{
  const PipelineFamily *family = r->pipeline->family;
  NetworkRole role = family == &sd_family ? NETWORK_UNET : NETWORK_TRANSFORMER;
  while (family->denoise (r->denoiser, x, sigma, timestep, x0, status))
    {
      if (pipeline_are_numbers (x0, n_all (r)) || !pipeline_are_numbers (x, n_all (r)))
        return true;
      Compute compute = pipeline_compute (r->pipeline, &r->job, role);
      if (!pipeline_widen (&r->job, compute, STATUS_MARK ("the network"), status))
        return false;
      family->denoiser_free (r->denoiser);
      r->denoiser = NULL;
      if (!unpark (r, status))
        return false;
      family->denoiser_set_step (r->denoiser, r->sampler.next_step + 1);
    }
  return false;
}

static bool
denoise (void *data, const float *x, double sigma, double timestep, float *x0, Status *status)
{
  PipelineRun *r = data;
  bool first = r->sampler.next_step == 0 && r->n_calls == 0;
  if (r->inpaint.mask)
    x = inpaint_input (&r->inpaint, x, unmasked_sigma (r, sigma), first);
  if (!ask_network (r, x, sigma, timestep, x0, status))
    return false;
  if (r->inpaint.mask)
    inpaint_keep (&r->inpaint, x0);
  r->n_calls++;
  memcpy (r->last_x0, x0, (size_t) r->n_values * sizeof *x0);
  return true;
}

/* diffusers' samplers that divide by alpha are kept off alpha = 0; the others compute with it. */
static bool
computes_with_zero_alpha (const PipelineJob *job)
{
  return job->convention == CONVENTION_DIFFUSERS &&
         (job->sampler == SAMPLER_DDIM || job->sampler == SAMPLER_DDPM ||
          job->sampler == SAMPLER_LCM || job->sampler == SAMPLER_TCD);
}

/* diffusers' inpainting forgets the start picture at strength 1, its image to image does not. */
static bool
starts_from_image (const PipelineJob *job)
{
  bool forgets = job->mask && job->convention == CONVENTION_DIFFUSERS && job->denoise >= 1;
  return job->init_rgb && !forgets;
}

bool
pipeline_schedule (const Pipeline *pipeline,
                   const PipelineJob *job,
                   NoiseTable *table,
                   Schedule *schedule,
                   Status *status)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  NoiseTableParams t = noise_table_params_default (job->convention);
  if (computes_with_zero_alpha (job))
    t.terminal_alpha = NOISE_TERMINAL_NEARLY_ZERO;
  t.beta_start = c->beta_start;
  t.beta_end = c->beta_end;
  t.zero_terminal_snr = job->zero_terminal_snr;
  ScheduleParams s = schedule_params_default (job->sampler, job->convention);
  s.kind = job->schedule;
  s.n_steps = job->steps;
  s.denoise = job->init_rgb ? job->denoise : 1;
  s.from_image = starts_from_image (job);
  s.spacing = job->spacing;
  pipeline->family->schedule_params (pipeline, job, &s);
  return noise_table_init (table, &t, status) && schedule_init (schedule, table, &s, status);
}

static bool
make_sampler (PipelineRun *r, Status *status)
{
  SamplerOptions options = sampler_options (&r->job);
  return sampler_init (&r->sampler, r->job.sampler, &r->table, &r->schedule, &options, n_all (r),
                       status);
}

/* The start picture's latent into the first of x. */
static bool
encode_start (PipelineRun *r, Status *status)
{
  double t0 = seconds_now ();
  bool ok = pipeline_vae_latent (r->pipeline, &r->job, r->job.init_rgb, NULL, r->job.height,
                                 r->job.width, r->x, status);
  r->info.seconds[PHASE_ENCODE] += seconds_now () - t0;
  return ok;
}

static bool
start_inpaint (PipelineRun *r, const float *noise, Status *status)
{
  double t0 = seconds_now ();
  bool ok = inpaint_init (&r->inpaint, r->pipeline, &r->job, r->x, noise, status);
  r->info.seconds[PHASE_ENCODE] += seconds_now () - t0;
  return ok;
}

static bool
make_extras (PipelineRun *r, Status *status)
{
  double t0 = seconds_now ();
  bool ok = run_make_extras (r, status);
  r->info.seconds[PHASE_ENCODE] += seconds_now () - t0;
  return ok;
}

static bool
make_clip (PipelineRun *r, Status *status)
{
  double t0 = seconds_now ();
  bool ok = run_make_clip (r, status);
  r->info.seconds[PHASE_ENCODE] += seconds_now () - t0;
  return ok;
}

void
run_draw_noise (PipelineRun *r)
{
  draw_noise (r, r->x, n_all (r));
  for (int64_t i = 0; i < n_all (r); i++)
    r->x[i] *= r->schedule.init_noise_sigma;
}

/* x = a share of the latent (or nothing) + first sigma * noise. */
static bool
start (PipelineRun *r, Status *status)
{
  const PipelineJob *job = &r->job;
  float *noise = mem_calloc ((size_t) n_all (r), sizeof *noise);
  if (!noise)
    return no_memory (status);
  draw_noise (r, noise, n_all (r));
  bool ok = !job->init_rgb || encode_start (r, status);
  ok = ok && (!job->mask || start_inpaint (r, noise, status));
  for (int i = 1; ok && i < job->batch_size; i++)
    memcpy (r->x + i * r->n_values, r->x, (size_t) r->n_values * sizeof *r->x);
  if (ok && job->mask)
    inpaint_content (&r->inpaint, noise, job->masked_content, r->x);
  ok = ok && make_extras (r, status);
  bool from_image = starts_from_image (job);
  for (int64_t i = 0; ok && i < n_all (r); i++)
    r->x[i] = (from_image ? r->schedule.init_image_scale * r->x[i] : 0) +
              r->schedule.init_noise_sigma * noise[i];
  mem_free (noise);
  return ok;
}

static bool
allocate (PipelineRun *r, Status *status)
{
  const PipelineJob *job = &r->job;
  size_t n = (size_t) job->batch_size;
  r->x = mem_calloc (n * (size_t) r->n_values, sizeof *r->x);
  r->last_x0 = mem_calloc ((size_t) r->n_values, sizeof *r->last_x0);
  r->rngs = mem_calloc (n, sizeof *r->rngs);
  r->rngs_before = mem_calloc (n, sizeof *r->rngs_before);
  if (!r->x || !r->last_x0 || !r->rngs || !r->rngs_before)
    return no_memory (status);
  for (int i = 0; i < job->batch_size; i++)
    rng_init (&r->rngs[i], job->noise, job->seed + (uint64_t) i);
  r->info.latents = r->x;
  return true;
}

static bool
encode_text (PipelineRun *r, Status *status)
{
  double t0 = seconds_now ();
  r->text = r->pipeline->family->text_encode (r->pipeline, &r->job, NULL, status);
  if (!r->text)
    return false;
  if (r->job.progress)
    r->job.progress (r->job.data, PHASE_TEXT, 1, 1);
  memcpy (r->info.n_tokens, r->text->n_tokens, sizeof r->info.n_tokens);
  r->info.seconds[PHASE_TEXT] = seconds_now () - t0;
  return true;
}

static void
forget_inputs (PipelineJob *job)
{
  job->prompt = job->negative_prompt = NULL;
  job->init_rgb = job->mask = job->control_rgb = NULL;
  for (int i = 0; i < job->n_references; i++)
    job->references[i].rgb = NULL; /* their sizes are asked for again */
  job->first_rgb = job->last_rgb = job->before_rgb = job->before_last_rgb = NULL;
  job->before = NULL; /* but their number is kept: they were copied */
  job->adapters = NULL;
  job->embeddings = NULL;
}

/* The networks, and copies of what they see: every denoiser of the run begins with them. */
static bool
take_controls (PipelineRun *r, Status *status)
{
  PipelineJob *job = &r->job;
  size_t n = 3 * (size_t) job->width * (size_t) job->height;
  if (job->n_controls == 0)
    return true;
  r->control_set = control_set_get (r->pipeline, job, status);
  if (!r->control_set)
    return false;
  job->control_set = r->whole.control_set = r->control_set;
  r->control_rgb = mem_calloc ((size_t) job->n_controls, n);
  if (!r->control_rgb)
    return no_memory (status);
  for (int i = 0; i < job->n_controls; i++)
    {
      uint8_t *copy = r->control_rgb + (size_t) i * n;
      job->controls[i].rgb = memcpy (copy, job->controls[i].rgb, n);
      job->controls[i].path = NULL;
    }
  return true;
}

/* The weights are the adapted ones from here on, for the texts first. */
static bool
take_adapters (PipelineRun *r, Status *status)
{
  const PipelineJob *job = &r->job;
  size_t n = (size_t) job->n_adapters;
  adapter_set_use (r->pipeline, NULL, NULL, 0, 1, NULL,
                   status); /* the model's own are identified */
  if (n > 0)
    {
      r->adapters = mem_calloc (n, sizeof *r->adapters);
      if (!r->adapters)
        return no_memory (status);
      memcpy (r->adapters, job->adapters, n * sizeof *r->adapters);
      if (!(r->adapter_set = adapter_set_get (r->pipeline, job, status)))
        return false;
      adapter_set_report (r->adapter_set, job);
      for (size_t i = 0; i < n; i++)
        r->adapters[i].path = NULL;
    }
  r->fingerprint = run_fingerprint (r->pipeline, &r->whole, r->adapter_set);
  return adapter_set_use (r->pipeline, r->adapter_set, r->adapters, 0, job->steps, NULL, status);
}

static int
decoded_frames (const PipelineJob *job, const ClipWindows *w)
{
  return w->n_before > 0 ? (int) (w->total - w->n_before) * WAN_VAE_CHUNK : job->n_frames;
}

/* A job that is too large for the card is refused before it begins. */
static bool
fits_card (Pipeline *pipeline, const PipelineJob *job, Status *status)
{
  PipelinePlan plan;
  return !pipeline->backend->device.memory || pipeline_plan (pipeline, job, &plan, status);
}

PipelineRun *
pipeline_run_new (Pipeline *pipeline, const PipelineJob *job, Status *status)
{
  if (!pipeline_job_check (pipeline, job, status) || !fits_card (pipeline, job, status))
    return NULL;
  PipelineRun *r = mem_calloc (1, sizeof *r);
  if (!r)
    {
      no_memory (status);
      return NULL;
    }
  LatentShape s = pipeline_latent_shape (pipeline, job);
  *r = (PipelineRun){ .pipeline = pipeline, .whole = *job, .windows = clip_windows (job) };
  const ClipWindows *w = &r->windows;
  bool is_clip = w->total > 1;
  r->job = clip_window_job (job, w, 0);
  r->info = (PipelineResult){ .n = job->batch_size,
                              .width = job->width,
                              .height = job->height,
                              .n_frames = decoded_frames (job, w),
                              .fps = is_clip ? job->fps : 0,
                              .latent_channels = (int) s.channels,
                              .latent_frames = (int) w->total,
                              .latent_width = (int) s.w,
                              .latent_height = (int) s.h };
  r->n_values = s.channels * w->length * s.h * s.w;
  pipeline_latent_kind (pipeline->checkpoint, r->info.latent_kind);
  pipeline->backend->cancel = job->cancel;
  pipeline_start_loading (pipeline);
  bool ok = take_controls (r, status) && take_adapters (r, status) && allocate (r, status) &&
            make_clip (r, status) &&
            pipeline_schedule (pipeline, &r->job, &r->table, &r->schedule, status) &&
            make_sampler (r, status) && encode_text (r, status) && start (r, status);
  pipeline->backend->cancel = NULL;
  forget_inputs (&r->job);
  forget_inputs (&r->whole);
  if (ok)
    return r;
  pipeline_run_free (r);
  return NULL;
}

void
pipeline_run_free (PipelineRun *r)
{
  if (!r)
    return;
  pipeline_end_loading (r->pipeline);
  pipeline_run_park (r);
  sampler_clear (&r->sampler);
  inpaint_clear (&r->inpaint);
  mem_free (r->clip);
  for (int i = 0; i < EXTRA_COUNT; i++)
    mem_free (r->extras[i]);
  control_set_release (r->control_set);
  mem_free (r->control_rgb);
  adapter_set_release (r->adapter_set);
  mem_free (r->adapters);
  r->pipeline->family->text_free (r->text);
  schedule_clear (&r->schedule);
  mem_free (r->rngs);
  mem_free (r->rngs_before);
  mem_free (r->last_x0);
  mem_free (r->x);
  mem_free (r);
}

int
pipeline_run_step (const PipelineRun *r)
{
  return r->window * r->schedule.n + r->sampler.next_step;
}

int
pipeline_run_n_steps (const PipelineRun *r)
{
  return r->windows.n * r->schedule.n;
}

const float *
pipeline_run_latents (const PipelineRun *r)
{
  return r->info.latents;
}

const PipelineResult *
pipeline_run_result (const PipelineRun *r)
{
  return &r->info;
}

void
pipeline_run_park (PipelineRun *r)
{
  r->pipeline->family->denoiser_free (r->denoiser);
  brownian_free (r->path);
  r->denoiser = NULL;
  r->path = NULL;
}

static bool
step (PipelineRun *r, Status *status)
{
  bool moved;
  if (!adapter_set_use (r->pipeline, r->adapter_set, r->adapters, r->sampler.next_step,
                        r->schedule.n, &moved, status))
    return false;
  if (moved && r->denoiser && !r->pipeline->family->denoiser_renew (r->denoiser, status))
    return false;
  if (!unpark (r, status))
    return false;
  const Denoiser d = { denoise, r };
  const NoiseSource noise =
      r->path ? (NoiseSource){ brownian_normal, r->path } : (NoiseSource){ draw_step_noise, r };
  int i = r->sampler.next_step;
  r->n_calls = 0;
  r->pipeline->family->denoiser_set_step (r->denoiser, i + 1);
  return sampler_step (&r->sampler, i, r->x, &d, &noise, status);
}

/* What the device has to say, if anything. */
static void
report_remark (const PipelineRun *r)
{
  char text[STATUS_MESSAGE_SIZE];
  Backend *k = r->pipeline->backend;
  if (k->take_remark && k->take_remark (k, text, sizeof text) && r->job.note)
    r->job.note (r->job.data, text);
}

static void
report_step (PipelineRun *r)
{
  const PipelineJob *job = &r->job;
  int done = pipeline_run_step (r);
  if (job->progress)
    job->progress (job->data, PHASE_DENOISE, done, pipeline_run_n_steps (r));
  bool shown = job->preview || job->preview_clip;
  if (!shown || (job->preview_wanted && !job->preview_wanted (job->data)))
    return;
  int64_t t;
  float *all = run_preview_latents (r, &t);
  pipeline_preview (r->pipeline, job, all ? all : r->last_x0, all ? t : r->windows.length, done);
  mem_free (all);
}

static bool
is_done (const PipelineRun *r)
{
  return pipeline_run_step (r) >= pipeline_run_n_steps (r);
}

bool
pipeline_run_advance (PipelineRun *r, Status *status)
{
  double t0 = seconds_now ();
  size_t rng_bytes = (size_t) r->job.batch_size * sizeof *r->rngs;
  if (is_done (r))
    return status_fail (status, STATUS_ARGUMENT, "All %d steps are done: decode the picture.",
                        pipeline_run_n_steps (r));
  memcpy (r->rngs_before, r->rngs, rng_bytes);
  r->pipeline->backend->cancel = r->job.cancel;
  bool ok = step (r, status);
  if (ok && r->sampler.next_step == r->schedule.n && r->inpaint.ends_exact)
    inpaint_keep (&r->inpaint, r->x);
  if (ok)
    report_step (r);
  if (ok && r->sampler.next_step == r->schedule.n)
    run_end_window (r);
  r->pipeline->backend->cancel = NULL;
  report_remark (r);
  r->info.seconds[PHASE_DENOISE] += seconds_now () - t0;
  if (ok)
    return true;
  memcpy (r->rngs, r->rngs_before, rng_bytes);
  pipeline_run_park (r); /* a network that was interrupted cannot go on */
  return false;
}

bool
pipeline_run_decode_clip (
    PipelineRun *r, int clip, int tile_px, const FrameSink *sink, Status *status)
{
  const PipelineResult *info = &r->info;
  if (!is_done (r))
    return status_fail (status, STATUS_ARGUMENT, "Only %d of %d steps are done: do the rest first.",
                        pipeline_run_step (r), pipeline_run_n_steps (r));
  if (clip < 0 || clip >= info->n)
    return status_fail (status, STATUS_ARGUMENT, "The batch has no picture %d, only %d.", clip,
                        info->n);
  double t0 = seconds_now ();
  pipeline_run_park (r); /* its activations go before the decoder's come */
  r->pipeline->backend->cancel = r->job.cancel;
  bool ok = r->pipeline->family->decode (r->pipeline, &r->whole, r->info.latents + clip * r->n_clip,
                                         tile_px, sink, status);
  r->pipeline->backend->cancel = NULL;
  report_remark (r);
  r->info.seconds[PHASE_DECODE] += seconds_now () - t0;
  return ok;
}

/* Frames one after the other in memory. */
typedef struct
{
  uint8_t *rgb;
  size_t frame_bytes;
} FrameStore;

static bool
store_frames (void *data, const uint8_t *rgb, int first, int n, Status *status)
{
  const FrameStore *s = data;
  memcpy (s->rgb + (size_t) first * s->frame_bytes, rgb, (size_t) n * s->frame_bytes);
  return true;
}

static bool
decode_all (PipelineRun *r, int picture, int tile_px, uint8_t *rgb, Status *status)
{
  FrameStore store = { rgb, (size_t) r->info.width * (size_t) r->info.height * 3 };
  const FrameSink sink = { store_frames, &store };
  return pipeline_run_decode_clip (r, picture, tile_px, &sink, status);
}

bool
pipeline_run_decode (PipelineRun *r, int picture, int tile_px, uint8_t *rgb, Status *status)
{
  if (r->info.n_frames > 1)
    return status_fail (status, STATUS_ARGUMENT,
                        "This model makes clips of %d frames, not pictures: use the command for "
                        "clips.",
                        r->info.n_frames);
  return decode_all (r, picture, tile_px, rgb, status);
}

static bool
run_to_end (PipelineRun *r, uint8_t *rgb, Status *status)
{
  bool ok = true;
  while (ok && !is_done (r))
    ok = pipeline_run_advance (r, status);
  size_t n = (size_t) r->info.n_frames * (size_t) r->info.width * (size_t) r->info.height * 3;
  for (int i = 0; ok && i < r->info.n; i++)
    ok = decode_all (r, i, -1, rgb + (size_t) i * n, status);
  return ok;
}

bool
pipeline_generate (Pipeline *pipeline,
                   const PipelineJob *job,
                   PipelineResult *result,
                   Status *status)
{
  *result = (PipelineResult){ 0 };
  PipelineRun *r = pipeline_run_new (pipeline, job, status);
  if (!r)
    return false;
  uint8_t *rgb = mem_calloc ((size_t) r->info.n * (size_t) r->info.n_frames *
                                 (size_t) r->info.width * (size_t) r->info.height,
                             3);
  bool ok = (rgb || no_memory (status)) && run_to_end (r, rgb, status);
  if (ok)
    {
      *result = r->info;
      result->rgb = rgb;
      *(r->clip ? &r->clip : &r->x) = NULL; /* the result's now */
    }
  else
    mem_free (rgb);
  pipeline_run_free (r);
  return ok;
}

void
pipeline_result_clear (PipelineResult *result)
{
  mem_free (result->rgb);
  mem_free (result->latents);
  *result = (PipelineResult){ 0 };
}
