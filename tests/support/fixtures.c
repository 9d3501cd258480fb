/* SPDX-License-Identifier: MPL-2.0 */
#include "support/fixtures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "support/tap.h"

const char *
source_root (void)
{
  const char *root = getenv ("GESSO_SOURCE");
  return root ? root : ".";
}

Pipeline *
fixture_open (const char *name, Backend *backend, Status *status)
{
  char model[4096], data[4096];
  snprintf (model, sizeof model, "%s/tests/golden/fixtures/%s", source_root (), name);
  snprintf (data, sizeof data, "%s/data", source_root ());
  return pipeline_open (&(PipelineSource){ .model_path = model, .tokenizers_dir = data }, backend,
                        status);
}

Pipeline *
fixture_open_or_exit (const char *name, Backend *backend)
{
  Status status = { 0 };
  Pipeline *pipeline = fixture_open (name, backend, &status);
  if (!pipeline)
    tap_bail_out (&status);
  return pipeline;
}

PipelineResult
generate_or_exit (Pipeline *pipeline, const PipelineJob *job)
{
  PipelineResult r;
  Status status = { 0 };
  if (!pipeline_generate (pipeline, job, &r, &status))
    tap_bail_out (&status);
  return r;
}

PipelineRun *
new_run_or_exit (Pipeline *pipeline, const PipelineJob *job)
{
  Status status = { 0 };
  PipelineRun *run = pipeline_run_new (pipeline, job, &status);
  if (!run)
    tap_bail_out (&status);
  return run;
}

void
advance_or_exit (PipelineRun *run, int n)
{
  Status status = { 0 };
  for (int i = 0; i < n; i++)
    if (!pipeline_run_advance (run, &status))
      tap_bail_out (&status);
}

PipelineResult
denoise_or_exit (Pipeline *pipeline, const PipelineJob *job)
{
  PipelineRun *run = new_run_or_exit (pipeline, job);
  advance_or_exit (run, pipeline_run_n_steps (run));
  PipelineResult r = *pipeline_run_result (run);
  size_t n = (size_t) r.n * n_latent (&r);
  r.latents = mem_calloc (n, sizeof *r.latents);
  memcpy (r.latents, pipeline_run_latents (run), n * sizeof *r.latents);
  pipeline_run_free (run);
  return r;
}

const char *
sampler_case (char *out, size_t size, const char *test, SamplerKind sampler, Convention convention)
{
  snprintf (out, size, "%s/%s/%s", test,
            convention == CONVENTION_DIFFUSERS ? "diffusers" : "comfyui", sampler_name (sampler));
  return out;
}

size_t
n_latent (const PipelineResult *r)
{
  return (size_t) r->latent_channels * (size_t) r->latent_frames * (size_t) r->latent_width *
         (size_t) r->latent_height;
}

size_t
n_rgb (const PipelineResult *r)
{
  return (size_t) r->n_frames * (size_t) r->width * (size_t) r->height * 3;
}

double
difference (const float *a, const float *b, size_t n)
{
  double worst = 0, largest = 0;
  for (size_t i = 0; i < n; i++)
    {
      double d = fabs ((double) a[i] - (double) b[i]);
      largest = fmax (largest, fabs ((double) b[i]));
      worst = d > worst || isnan (d) ? d : worst;
    }
  return worst / largest;
}

bool
results_equal (const PipelineResult *a, const PipelineResult *b)
{
  return a->n == b->n && n_latent (a) == n_latent (b) && n_rgb (a) == n_rgb (b) &&
         !memcmp (a->latents, b->latents, (size_t) a->n * n_latent (a) * sizeof *a->latents) &&
         !memcmp (a->rgb, b->rgb, (size_t) a->n * n_rgb (a));
}
