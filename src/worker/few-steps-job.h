/* SPDX-License-Identifier: MPL-2.0
 * few-steps-job.h - whether a job's model or one of its LoRAs is a distilled one.
 */
#pragma once

#include "recipe/few-steps.h"
#include "weights/checkpoint.h"

/* job_few_steps:
 * @recipe: as job_inputs_load left it, with the paths of its adapters
 * @sentence: receives what its makers sample it with, as flags; "" where the recipe does so nearly,
 * or nothing was found
 *
 * Adapters count before the model: they are what changes it.  Metadata (modelspec.title,
 * ss_output_name) count before names.
 */
void
job_few_steps (const Recipe *recipe, const Checkpoint *model, char sentence[STATUS_MESSAGE_SIZE]);
