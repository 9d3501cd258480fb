/* SPDX-License-Identifier: MPL-2.0
 * fixtures.h - the small models of tests/golden by name, and what tests ask of their pictures.
 */
#pragma once

#include "pipelines/pipeline.h"

/* Returns: the root of the source tree, which GESSO_SOURCE names; "." without it */
const char *source_root (void);

/* Opens the model tests/golden/fixtures/@name.  Returns: NULL on failure, with @status set */
Pipeline *fixture_open (const char *name, Backend *backend, Status *status);

/* The same, where without it nothing is left to test (tap_bail_out). */
Pipeline *fixture_open_or_exit (const char *name, Backend *backend);

/* What cannot fail where the rest is to mean anything: a whole job, a run of one, @n of its steps.
 */
PipelineResult generate_or_exit (Pipeline *pipeline, const PipelineJob *job);
/* As far as the latents: nothing is decoded, and rgb is NULL. */
PipelineResult denoise_or_exit (Pipeline *pipeline, const PipelineJob *job);
PipelineRun *new_run_or_exit (Pipeline *pipeline, const PipelineJob *job);
void advance_or_exit (PipelineRun *run, int n);

/* Writes "TEST/CONVENTION/SAMPLER".  Returns: @out */
const char *
sampler_case (char *out, size_t size, const char *test, SamplerKind sampler, Convention convention);

/* Values of one picture's or clip's latent, and bytes of its RGB. */
size_t n_latent (const PipelineResult *r);
size_t n_rgb (const PipelineResult *r);

/* Largest difference relative to the largest value of @b; NaN where any value is one. */
double difference (const float *a, const float *b, size_t n);

/* The same number of pictures of the same size, and latents and pixels equal bit for bit. */
bool results_equal (const PipelineResult *a, const PipelineResult *b);
