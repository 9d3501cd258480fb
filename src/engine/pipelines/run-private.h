/* SPDX-License-Identifier: MPL-2.0
 * run-private.h - a job under way, for the files that run, save and restore it.
 */
#pragma once

#include "pipelines/pipeline-private.h"
#include "samplers/brownian.h"

/* What the network reads besides x depends on which of a clip's windows it is. */
typedef enum
{
  EXTRA_FIRST,
  EXTRA_MIDDLE,
  EXTRA_LAST,
  EXTRA_COUNT
} ExtraKind;

/* Between steps, x, sampler, rngs, window and the new part of clip are all that changes: what
 * resume.c saves.  The rest is made anew from job and model. */
struct PipelineRun
{
  Pipeline *pipeline;  /* borrowed */
  PipelineJob job;     /* of one window; its strings and pictures are gone once the run is made */
  PipelineResult info; /* rgb NULL; latents is x */
  uint64_t fingerprint;
  int64_t n_values; /* of one picture's latent, or one window's */
  ClipWindows windows;
  int window;        /* that x is of */
  PipelineJob whole; /* of all windows; without strings and pictures, too */
  float *clip;       /* NULL: x is all there is; else (pictures, C, windows.total, h, w) */
  int64_t n_clip;    /* values of one picture's */
  NoiseTable table;
  Schedule schedule;
  PipelineText *text;
  Inpaint inpaint;
  float *extras[EXTRA_COUNT]; /* NULL, or what the family's network reads besides x */
  float *x;                   /* (pictures, C, h, w) in sigma space */
  float *last_x0;             /* of the first picture, for previews */
  Sampler sampler;
  Rng *rngs;                 /* one a picture, so that each can be made alone */
  Rng *rngs_before;          /* as they were before the step under way */
  int n_calls;               /* of the network in the step under way */
  ControlSet *control_set;   /* NULL: none */
  uint8_t *control_rgb;      /* (n_controls, height, width, 3): the job's own copies */
  AdapterSet *adapter_set;   /* NULL: none */
  PipelineAdapter *adapters; /* the job's own copies, without paths */
  /* taken with a step, given back by pipeline_run_park */
  PipelineDenoiser *denoiser;
  Brownian *path; /* NULL: steps draw from rngs */
};

/* ---- a clip's windows (run-windows.c) ---- */

/* Makes r->clip where there is one, with the clip before at its front. */
bool run_make_clip (PipelineRun *r, Status *status);
/* What all windows' networks read besides x, while the job's pictures are there. */
bool run_make_extras (PipelineRun *r, Status *status);
const float *run_extra (const PipelineRun *r);
KnownLatents run_known (const PipelineRun *r);
/* After the last step of a window: keeps it, and begins the next one if there is one. */
void run_end_window (PipelineRun *r);
/* What is new of the clip, as it is saved: floats, and copies between it and @values. */
size_t run_clip_new (const PipelineRun *r);
void run_clip_save (const PipelineRun *r, float *values);
void run_clip_restore (PipelineRun *r, const float *values);
/* The first picture from the first window to the present one, with x0 of that, as (C, t, h, w).
 * Returns: NULL: show last_x0, or the caller's to mem_free, with *@t frames */
float *run_preview_latents (const PipelineRun *r, int64_t *t);

/* x anew: pure noise. */
void run_draw_noise (PipelineRun *r);

/* Tells jobs and models apart that would not make the same latents. */
uint64_t run_fingerprint (Pipeline *pipeline, const PipelineJob *job, const AdapterSet *adapters);
