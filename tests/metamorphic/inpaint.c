/* SPDX-License-Identifier: MPL-2.0
 * inpaint.c - what must hold for any picture drawn with a mask.
 *
 * inpaint; GESSO_SOURCE names the source tree.  Small models with random weights, f32.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "pipelines/pipeline-private.h"
#include "support/fixtures.h"
#include "support/tap.h"

/* Layers of up to 4 rows (the time embedding of a picture alone) are summed in another order than
 * those of more. */
static const double BATCH_TOLERANCE = 1e-4;
/* After its last step a sampler's x is the network's answer but for a rounding. */
static const double KEPT_TOLERANCE = 1e-5;
/* ComfyUI's UniPC ends at sigma 0.001, not at 0, and leaves as much noise in x. */
static const double KEPT_TOLERANCE_UNIPC = 3e-3;

enum
{
  STEPS = 3,
  SIDE = 64,
  HALF = SIDE / 2
};

typedef struct
{
  Backend *backend;
  Pipeline *pipeline;
  uint8_t rgb[SIDE * SIDE * 3], mask[SIDE * SIDE];
} Suite;

static PipelineJob
masked_job (const Suite *s, SamplerKind sampler, Convention convention)
{
  PipelineJob job;
  const SamplerInfo *info = sampler_info (sampler);
  pipeline_job_defaults (pipeline_checkpoint (s->pipeline), &job);
  job.prompt = "a red apple";
  job.width = job.height = SIDE;
  job.steps = STEPS;
  job.seed = 41;
  job.compute = COMPUTE_F32;
  job.init_rgb = s->rgb;
  job.mask = s->mask;
  job.denoise = 0.7;
  job.sampler = sampler;
  job.convention = convention;
  job.schedule =
      convention == CONVENTION_DIFFUSERS ? info->diffusers_schedule : info->comfyui_schedule;
  return job;
}

/* White in the right half. */
static void
make_pictures (Suite *s)
{
  for (int i = 0; i < SIDE * SIDE; i++)
    {
      int x = i % SIDE, y = i / SIDE;
      s->mask[i] = x >= HALF ? 255 : 0;
      for (int k = 0; k < 3; k++)
        s->rgb[3 * i + k] = (uint8_t) (3 * x + 60 * k + y);
    }
}

/* Largest difference from the start picture's latent in one half, relative to its largest value. */
static double
off_from_start (const Suite *s, const PipelineJob *job, const PipelineResult *r, bool right)
{
  Status status = { 0 };
  float *z = mem_calloc (n_latent (r), sizeof *z);
  if (!pipeline_vae_encode (s->pipeline, job, s->rgb, NULL, SIDE, SIDE, z, 0, NULL, &status))
    tap_bail_out (&status);
  double worst = 0, largest = 0;
  for (size_t i = 0; i < n_latent (r); i++)
    {
      bool is_right = (int) i % r->latent_width >= r->latent_width / 2;
      largest = fmax (largest, fabs ((double) z[i]));
      if (is_right == right)
        worst = fmax (worst, fabs ((double) z[i] - (double) r->latents[i]));
    }
  mem_free (z);
  return worst / largest;
}

static void
test_unmasked_is_kept (Suite *s)
{
  for (int i = 0; i < SAMPLER_COUNT; i++)
    for (int convention = 0; convention < 2; convention++)
      {
        char name[96];
        if (!sampler_is_of ((SamplerKind) i, (Convention) convention))
          continue;
        PipelineJob job = masked_job (s, (SamplerKind) i, (Convention) convention);
        PipelineResult r = generate_or_exit (s->pipeline, &job);
        double kept = off_from_start (s, &job, &r, false),
               anew = off_from_start (s, &job, &r, true);
        snprintf (name, sizeof name, "kept/%s/%s", sampler_name ((SamplerKind) i),
                  convention == CONVENTION_DIFFUSERS ? "diffusers" : "comfyui");
        bool unipc = i == SAMPLER_UNIPC || i == SAMPLER_UNIPC_BH2;
        bool noise_left = unipc && convention == CONVENTION_COMFYUI;
        tap_ok (kept <= (noise_left ? KEPT_TOLERANCE_UNIPC : KEPT_TOLERANCE) && anew > 0.1, name,
                "%.1e and %.1e off", kept, anew);
        pipeline_result_clear (&r);
      }
}

static void
test_white_is_no_mask (Suite *s, Convention convention)
{
  PipelineJob job = masked_job (s, SAMPLER_EULER_ANCESTRAL, convention);
  memset (s->mask, 255, sizeof s->mask);
  PipelineResult masked = generate_or_exit (s->pipeline, &job);
  job.mask = NULL;
  PipelineResult plain = generate_or_exit (s->pipeline, &job);
  bool same = !memcmp (masked.latents, plain.latents, n_latent (&plain) * sizeof (float));
  tap_ok (same, convention == CONVENTION_DIFFUSERS ? "white/diffusers" : "white/comfyui", "%s", "");
  pipeline_result_clear (&masked);
  pipeline_result_clear (&plain);
  make_pictures (s);
}

static void
test_contents_differ (Suite *s)
{
  PipelineResult r[3];
  bool differ = true;
  for (int i = 0; i < 3; i++)
    {
      PipelineJob job = masked_job (s, SAMPLER_EULER, CONVENTION_COMFYUI);
      job.masked_content = (MaskedContent) i;
      r[i] = generate_or_exit (s->pipeline, &job);
      differ = differ && off_from_start (s, &job, &r[i], false) <= KEPT_TOLERANCE;
      for (int k = 0; k < i; k++)
        differ = differ && memcmp (r[i].latents, r[k].latents, n_latent (r) * sizeof (float)) != 0;
    }
  tap_ok (differ, "contents-differ", "%s", "");
  for (int i = 0; i < 3; i++)
    pipeline_result_clear (&r[i]);
}

/* Picture i of a batch is the picture of seed + i made alone, whatever the masked part starts from.
 */
static void
test_batch (Suite *s, SamplerKind sampler)
{
  PipelineJob job = masked_job (s, sampler, CONVENTION_COMFYUI);
  job.masked_content = MASKED_LATENT_NOISE;
  job.batch_size = 2;
  PipelineResult both = generate_or_exit (s->pipeline, &job);
  job.batch_size = 1;
  job.seed++;
  PipelineResult alone = generate_or_exit (s->pipeline, &job);
  const float *second = both.latents + n_latent (&both);
  double worst = 0, largest = 0;
  for (size_t i = 0; i < n_latent (&both); i++)
    {
      worst = fmax (worst, fabs ((double) second[i] - (double) alone.latents[i]));
      largest = fmax (largest, fabs ((double) alone.latents[i]));
    }
  tap_ok (worst / largest <= BATCH_TOLERANCE, sampler_name (sampler), "batch differs by %.1e",
          worst / largest);
  pipeline_result_clear (&both);
  pipeline_result_clear (&alone);
}

static void
refused (Suite *s, const PipelineJob *job, const char *name, const char *says)
{
  PipelineResult r;
  Status status = { 0 };
  bool ok = pipeline_generate (s->pipeline, job, &r, &status);
  tap_ok (!ok && status.code == STATUS_ARGUMENT && strstr (status.message, says), name, "%s",
          ok ? "went on" : status.message);
}

static void
test_refused (Suite *s)
{
  PipelineJob job = masked_job (s, SAMPLER_EULER, CONVENTION_COMFYUI);
  job.init_rgb = NULL;
  refused (s, &job, "refused/no-start-picture", "no start picture");
  job.init_rgb = s->rgb;
  memset (s->mask, 0, sizeof s->mask);
  refused (s, &job, "refused/black", "all black");
  make_pictures (s);
}

int
main (void)
{
  Status status = { 0 };
  Suite *s = mem_calloc (1, sizeof *s);
  if (!(s->backend = backend_cpu_new (NULL, 1, &status)))
    tap_bail_out (&status);
  s->pipeline = fixture_open_or_exit ("sd15-tiny", s->backend);
  make_pictures (s);
  test_unmasked_is_kept (s);
  test_white_is_no_mask (s, CONVENTION_COMFYUI);
  test_white_is_no_mask (s, CONVENTION_DIFFUSERS);
  test_contents_differ (s);
  test_batch (s, SAMPLER_EULER_ANCESTRAL);
  test_batch (s, SAMPLER_DDIM);
  test_refused (s);
  pipeline_free (s->pipeline);
  backend_free (s->backend);
  mem_free (s);
  return tap_end ();
}
