/* SPDX-License-Identifier: MPL-2.0
 * job.h - from a recipe, which knows nothing of engines, to a job of the engine.
 */
#pragma once

#include "pipelines/pipeline.h"
#include "recipe/recipe.h"
#include "worker/identity.h"

/* The files that @recipe names beside its model at @path; borrowed from all three. */
PipelineSource
source_from_recipe (const Recipe *recipe, const char *path, const char *tokenizers_dir);

/* The same files: as long as their identity stays, the open pipeline is the right one. */
void identity_add_models (Identity *id, const Recipe *recipe, const char *path);

/* job_from_recipe:
 * @job: filled; strings are borrowed from @recipe
 *
 * Takes what the recipe leaves open (0, "auto") from the model and the device, and writes the
 * values taken back into @recipe, so that the picture's own recipe is complete.
 */
bool job_from_recipe (Recipe *recipe,
                      const Checkpoint *model,
                      const Backend *backend,
                      PipelineJob *job,
                      Status *status);
