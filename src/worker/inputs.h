/* SPDX-License-Identifier: MPL-2.0
 * inputs.h - the files that a recipe names: pictures, sized as the engine takes them, and what it
 * drew put back into them; adapters.
 */
#pragma once

#include <stdint.h>

#include "media/mask.h"
#include "pipelines/pipeline.h"
#include "recipe/recipe.h"
#include "worker/adapters.h"
#include "worker/controlnets.h"
#include "worker/extend.h"

enum
{
  /* for a sentence about each picture, the clip, ControlNets, adapters and what has no effect */
  JOB_NOTE_SIZE = 16 * STATUS_MESSAGE_SIZE
};

/* Zero-initialise. */
typedef struct
{
  Image source;             /* the start picture; without a mask, none after job_inputs_give */
  Image drawn_mask;         /* as it was read, until job_inputs_give */
  uint8_t *init_rgb, *mask; /* of the job's size */
  uint8_t *edge;            /* of @source's size: where the result is laid over it */
  MaskBox box;              /* what part of @source is drawn */
  Image references[PIPELINE_MAX_REFERENCES], control; /* of FLUX only */
  int n_references;
  Image first, last;  /* of Wan only: what a clip begins and ends with */
  ExtendInput extend; /* the same: what it goes on from */
  JobAdapters adapters;
  JobControls controls;     /* of SD 1.5 and SDXL only */
  char note[JOB_NOTE_SIZE]; /* sentences for the user, or "" */
} JobInputs;

/* job_inputs_load:
 * @recipe: a width or height that it leaves open follows from the start picture's shape, unless
 *   only the masked part is drawn; without a start picture from the first reference's, of clips
 *   from the clip's that is extended, or the nearest that the model makes of the first frame's
 * shape
 * @model: which pictures have an effect
 *
 * Fails: as image_read, job_adapters_load; ARGUMENT for a mask without white; @inputs is empty then
 */
bool job_inputs_load (JobInputs *inputs, Recipe *recipe, const Checkpoint *model, Status *status);

/* job_inputs_give:
 * @recipe: complete; @job: of its size
 *
 * Cuts and sizes the pictures and lets @job borrow them, and the adapters.  Call it once.
 * Fails: NO_MEMORY, ARGUMENT
 */
bool job_inputs_give (JobInputs *inputs, const Recipe *recipe, PipelineJob *job, Status *status);

/* The same for a plan: ControlNets see no pictures. */
bool job_inputs_plan (JobInputs *inputs, const Recipe *recipe, PipelineJob *job, Status *status);

/* job_inputs_finish:
 * @rgb: (height, width, 3) as the engine decoded it
 * @out: receives the picture that the user asked for, the caller's to image_clear: @rgb itself, or
 *   with a mask the start picture with @rgb laid over its masked part
 *
 * Fails: NO_MEMORY
 */
bool job_inputs_finish (
    const JobInputs *inputs, const uint8_t *rgb, int width, int height, Image *out, Status *status);
void job_inputs_clear (JobInputs *inputs);
