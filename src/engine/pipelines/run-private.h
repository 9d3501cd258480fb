/* SPDX-License-Identifier: MPL-2.0
 * run-private.h - a job under way, for the files that run, save and restore it.
 */
#pragma once

#include "pipelines/pipeline-private.h"
#include "samplers/brownian.h"

/* Between steps, x, sampler and rngs are all that changes: what resume.c saves.  The rest is
 * made anew from job and model. */
struct PipelineRun
{
  Pipeline *pipeline;  /* borrowed */
  PipelineJob job;     /* its strings and pictures are gone once the run is made */
  PipelineResult info; /* rgb NULL; latents is x */
  uint64_t fingerprint;
  int64_t n_values; /* of one picture's latent */
  NoiseTable table;
  Schedule schedule;
  PipelineText *text;
  Inpaint inpaint;
  float *before;  /* the job's own copy, or NULL */
  float *extra;   /* NULL, or what the family's network reads besides x */
  float *x;       /* (pictures, C, h, w) in sigma space */
  float *last_x0; /* of the first picture, for previews */
  Sampler sampler;
  Rng *rngs;                 /* one a picture, so that each can be made alone */
  Rng *rngs_before;          /* as they were before the step under way */
  int n_calls;               /* of the network in the step under way */
  AdapterSet *adapter_set;   /* NULL: none */
  PipelineAdapter *adapters; /* the job's own copies, without paths */
  /* taken with a step, given back by pipeline_run_park */
  PipelineDenoiser *denoiser;
  Brownian *path; /* NULL: steps draw from rngs */
};

/* Tells jobs and models apart that would not make the same latents. */
uint64_t run_fingerprint (Pipeline *pipeline, const PipelineJob *job, const AdapterSet *adapters);
