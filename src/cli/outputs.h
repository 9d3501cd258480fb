/* SPDX-License-Identifier: MPL-2.0
 * outputs.h - what the commands that draw write beside their pictures, and under which names.
 */
#pragma once

#include "cli/engine.h"

enum
{
  OUTPUT_STEM_SIZE = 56
};

/* Words of @prompt as a file name: letters and digits of any script, joined by dashes. */
void output_stem (char out[OUTPUT_STEM_SIZE], const char *prompt);

bool output_is_folder (const char *path); /* one that exists, or a name that ends in / */

/* Which files the recipe's model and adapters were, wherever they may be moved.  What has no hash
 * is said through the job's note. */
bool output_take_hashes (Engine *engine, Recipe *recipe, Status *status);

/* All final latents into a file of pipelines/latents-file.h. */
bool output_write_latents (const char *path, const PipelineResult *result, Status *status);
