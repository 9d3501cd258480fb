/* SPDX-License-Identifier: MPL-2.0
 * sd-run.c - a job from prompt to pixels.
 */
#include <string.h>
#include <time.h>

#include "core/mem.h"
#include "pipelines/sd-private.h"

typedef struct
{
  SdPipeline *sd;
  const SdJob *job;
  SdResult *result;
  NoiseTable table;
  Schedule schedule;
  SdText text;
  SdDenoiser *denoiser;
  Rng *rngs;        /* one a picture, so that each can be made alone */
  float *x;         /* (pictures, C, h, w) in sigma space */
  float *last_x0;   /* of the first picture, for previews */
  int64_t n_values; /* of one picture's latent */
} Run;

static double
seconds_now (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static void
draw_noise (void *data, float *out, int64_t n)
{
  Run *r = data;
  int64_t each = n / r->job->batch_size;
  for (int i = 0; i < r->job->batch_size; i++)
    rng_normal (&r->rngs[i], out + i * each, each);
}

static bool
denoise (void *data, const float *x, double sigma, double timestep, float *x0, Status *status)
{
  Run *r = data;
  if (!sd_denoise (r->denoiser, x, sigma, timestep, x0, status))
    return false;
  memcpy (r->last_x0, x0, (size_t) r->n_values * sizeof *x0);
  return true;
}

/* diffusers' samplers that divide by alpha are kept off alpha = 0; the others compute with it. */
static bool
computes_with_zero_alpha (const SdJob *job)
{
  return job->convention == CONVENTION_DIFFUSERS &&
         (job->sampler == SAMPLER_DDIM || job->sampler == SAMPLER_LCM ||
          job->sampler == SAMPLER_TCD);
}

static bool
make_schedule (Run *r, Status *status)
{
  const ModelConfig *c = &r->sd->checkpoint->config;
  const SdJob *job = r->job;
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
  s.from_image = job->init_rgb != NULL;
  s.sdxl = c->family == FAMILY_SDXL;
  s.steps_offset = c->steps_offset;
  s.set_alpha_to_one = c->set_alpha_to_one;
  s.spacing = job->spacing;
  return noise_table_init (&r->table, &t, status) &&
         schedule_init (&r->schedule, &r->table, &s, status);
}

/* x = latent (or nothing) + first sigma * noise. */
static bool
start (Run *r, Status *status)
{
  const SdJob *job = r->job;
  int64_t n = r->n_values, all = n * job->batch_size;
  float *noise = mem_calloc ((size_t) all, sizeof *noise),
        *latent = mem_calloc ((size_t) n, sizeof (float));
  bool ok = noise && latent;
  if (!ok)
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller picture or batch.");
  if (ok && job->init_rgb)
    {
      double t0 = seconds_now ();
      int tile = sd_vae_tile (r->sd, job, status);
      ok = tile >= 0 && sd_vae_encode (r->sd, job, job->init_rgb, job->height, job->width, latent,
                                       tile, NULL, status);
      r->result->seconds[SD_PHASE_ENCODE] = seconds_now () - t0;
    }
  if (ok)
    {
      draw_noise (r, noise, all);
      for (int64_t i = 0; i < all; i++)
        r->x[i] = latent[i % n] + r->schedule.init_noise_sigma * noise[i];
    }
  mem_free (noise);
  mem_free (latent);
  return ok;
}

static bool
run_steps (Run *r, Status *status)
{
  const SdJob *job = r->job;
  Sampler sampler = { 0 };
  SamplerOptions options = sampler_options_default (job->sampler, job->convention);
  if (job->eta >= 0)
    options.eta = job->eta;
  const Denoiser d = { denoise, r };
  const NoiseSource noise = { draw_noise, r };
  int64_t all = r->n_values * job->batch_size;
  bool ok = sampler_init (&sampler, job->sampler, &r->table, &r->schedule, &options, all, status);
  for (int i = 0; ok && i < r->schedule.n; i++)
    {
      sd_denoiser_set_step (r->denoiser, i + 1);
      ok = sampler_step (&sampler, i, r->x, &d, &noise, status);
      if (ok && job->progress)
        job->progress (job->data, SD_PHASE_DENOISE, i + 1, r->schedule.n);
      if (ok && job->preview)
        sd_preview (r->sd, job, r->last_x0, r->result->latent_height, r->result->latent_width,
                    i + 1);
    }
  sampler_clear (&sampler);
  return ok;
}

static bool
allocate (Run *r, Status *status)
{
  const SdJob *job = r->job;
  SdResult *out = r->result;
  size_t n = (size_t) job->batch_size;
  r->x = mem_calloc (n * (size_t) r->n_values, sizeof *r->x);
  r->last_x0 = mem_calloc ((size_t) r->n_values, sizeof *r->last_x0);
  r->rngs = mem_calloc (n, sizeof *r->rngs);
  out->rgb = mem_calloc (n * (size_t) out->width * (size_t) out->height, 3);
  if (!r->x || !r->last_x0 || !r->rngs || !out->rgb)
    return status_fail (status, STATUS_NO_MEMORY,
                        "Out of memory: choose a smaller picture or batch.");
  for (int i = 0; i < job->batch_size; i++)
    rng_init (&r->rngs[i], job->noise, job->seed + (uint64_t) i);
  return true;
}

static bool
encode_text (Run *r, Status *status)
{
  double t0 = seconds_now ();
  bool ok = sd_text_encode (r->sd, r->job, &r->text, NULL, status);
  if (ok && r->job->progress)
    r->job->progress (r->job->data, SD_PHASE_TEXT, 1, 1);
  memcpy (r->result->n_tokens, r->text.prompts.n_tokens, sizeof r->result->n_tokens);
  r->result->seconds[SD_PHASE_TEXT] = seconds_now () - t0;
  return ok;
}

static bool
denoise_all (Run *r, Status *status)
{
  if (!start (r, status))
    return false;
  double t0 = seconds_now ();
  r->denoiser = sd_denoiser_new (r->sd, r->job, &r->text, NULL, status);
  bool ok = r->denoiser && run_steps (r, status);
  sd_denoiser_free (r->denoiser); /* its activations go before the decoder's come */
  r->denoiser = NULL;
  r->result->seconds[SD_PHASE_DENOISE] = seconds_now () - t0;
  return ok;
}

static bool
decode_all (Run *r, Status *status)
{
  SdResult *out = r->result;
  double t0 = seconds_now ();
  int tile = sd_vae_tile (r->sd, r->job, status);
  bool ok = tile >= 0;
  for (int i = 0; ok && i < out->n; i++)
    ok = sd_vae_decode (
        r->sd, r->job, r->x + i * r->n_values, out->latent_height, out->latent_width,
        out->rgb + (size_t) i * 3 * (size_t) out->width * (size_t) out->height, tile, NULL, status);
  out->seconds[SD_PHASE_DECODE] = seconds_now () - t0;
  return ok;
}

bool
sd_generate (SdPipeline *sd, const SdJob *job, SdResult *result, Status *status)
{
  *result = (SdResult){ 0 };
  if (!sd_job_check (sd, job, status))
    return false;
  int f = vae_factor (&sd->checkpoint->config.vae);
  *result = (SdResult){ .n = job->batch_size,
                        .width = job->width,
                        .height = job->height,
                        .latent_channels = sd->checkpoint->config.vae.latent_channels,
                        .latent_width = job->width / f,
                        .latent_height = job->height / f };
  Run r = { .sd = sd, .job = job, .result = result };
  r.n_values = (int64_t) result->latent_channels * result->latent_height * result->latent_width;
  sd->backend->cancel = job->cancel;
  bool ok = allocate (&r, status) && make_schedule (&r, status) && encode_text (&r, status) &&
            denoise_all (&r, status);
  result->latents = r.x;
  ok = ok && decode_all (&r, status);
  sd->backend->cancel = NULL;
  sd_text_clear (&r.text);
  schedule_clear (&r.schedule);
  mem_free (r.rngs);
  mem_free (r.last_x0);
  if (!ok)
    sd_result_clear (result);
  return ok;
}

void
sd_result_clear (SdResult *result)
{
  mem_free (result->rgb);
  mem_free (result->latents);
  *result = (SdResult){ 0 };
}
