/* SPDX-License-Identifier: MPL-2.0
 * sd-run-private.h - a job under way, for the files that run, save and restore it.
 */
#pragma once

#include "pipelines/sd-private.h"
#include "samplers/brownian.h"

/* Between steps, x, sampler and rngs are all that changes: what sd-resume.c saves.  The rest is
 * made anew from job and model. */
struct SdRun
{
  SdPipeline *sd; /* borrowed */
  SdJob job;      /* its strings and pictures are gone once the run is made */
  SdResult info;  /* rgb NULL; latents is x */
  uint64_t fingerprint;
  int64_t n_values; /* of one picture's latent */
  NoiseTable table;
  Schedule schedule;
  SdText text;
  SdInpaint inpaint;
  float *x;       /* (pictures, C, h, w) in sigma space */
  float *last_x0; /* of the first picture, for previews */
  Sampler sampler;
  Rng *rngs;        /* one a picture, so that each can be made alone */
  Rng *rngs_before; /* as they were before the step under way */
  int n_calls;      /* of the network in the step under way */
  /* taken with a step, given back by sd_run_park */
  SdDenoiser *denoiser;
  Brownian *path; /* NULL: steps draw from rngs */
};

/* Tells jobs and models apart that would not make the same latents. */
uint64_t sd_run_fingerprint (SdPipeline *sd, const SdJob *job);
