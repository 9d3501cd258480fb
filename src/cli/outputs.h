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

/* output_latents_new:
 * @first, @n: which of the result's pictures or clips
 *
 * One f32 tensor "latent" as a safetensors file: (n, c, h, w), of clips (n, c, t, h, w).
 *
 * Returns: the file of *@n_bytes, the caller's to mem_free; NULL and NO_MEMORY
 */
uint8_t *output_latents_new (
    const PipelineResult *result, int first, int n, size_t *n_bytes, Status *status);

/* All of them, into a file. */
bool output_write_latents (const char *path, const PipelineResult *result, Status *status);
