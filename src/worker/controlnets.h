/* SPDX-License-Identifier: MPL-2.0
 * controlnets.h - a recipe's ControlNets, found on disk, and their pictures as the networks see
 * them.
 */
#pragma once

#include "media/mask.h"
#include "pipelines/pipeline.h"
#include "recipe/controls.h"
#include "worker/paths.h"

_Static_assert((int) RECIPE_MAX_CONTROLS == PIPELINE_MAX_CONTROLS, "as many in both");

/* Zero-initialise. */
typedef struct
{
  RecipeControls list;               /* those that are on; model is the path found */
  Image images[RECIPE_MAX_CONTROLS]; /* as read; after job_controls_give as the networks see them */
} JobControls;

/* job_controls_load:
 * @recipe: its list gets the paths that were found
 *
 * Reads what is on, for models of SD 1.5 and SDXL.
 * Fails: NOT_FOUND, ARGUMENT for one without a model or picture, as frames_read_picture; empty then
 */
bool job_controls_load (JobControls *controls, Recipe *recipe, Status *status);

/* What of a picture is drawn: all of it, or @box of one of @width x @height. */
typedef struct
{
  int width, height; /* 0: the whole */
  MaskBox box;
} ControlFrame;

/* Sizes and preprocesses the pictures and lets @job borrow them.  Call it once.
 * Fails: NO_MEMORY */
bool job_controls_give (JobControls *controls,
                        const ControlFrame *frame,
                        PipelineJob *job,
                        Status *status);
/* All but the pictures, which a plan has no use for. */
void job_controls_name (const JobControls *controls, PipelineJob *job);
void job_controls_clear (JobControls *controls);

/* @image: changed in place to @width x @height, as @resize says.  Fails: NO_MEMORY */
bool control_fit (Image *image, RecipeResize resize, int width, int height, Status *status);

/* Calls @func for each ControlNet file or folder and picture that the recipe names, "" for none. */
void
job_controls_paths (const Recipe *recipe, void (*func) (void *data, const char *path), void *data);
