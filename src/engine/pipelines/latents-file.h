/* SPDX-License-Identifier: MPL-2.0
 * latents-file.h - final latents as a safetensors file.
 */
#pragma once

#include "pipelines/pipeline.h"

/* latents_file:
 * @first, @n: of the result's pictures or clips
 * @n_bytes: receives the file's length
 *
 * One f32 tensor "latent" as the network scales it: (n, c, h, w), of clips (n, c, frames, h, w).
 * The metadata "vae" is pipeline_latent_kind.
 *
 * Returns: the file, the caller's to mem_free; NULL and NO_MEMORY
 */
uint8_t *
latents_file (const PipelineResult *result, int first, int n, size_t *n_bytes, Status *status);

typedef struct
{
  int channels, frames, height, width;
  const float *values;           /* (channels, frames, height, width), in the file */
  char kind[PIPELINE_KIND_SIZE]; /* "" when the file does not say */
} ClipLatents;

/* latents_read_clip:
 * @file: @n_bytes of a file that latents_file made of one clip, aligned as memory of mem_calloc is;
 *   must outlive @latents
 * @name: for the sentence
 *
 * Fails: FORMAT, NO_MEMORY
 */
bool latents_read_clip (
    ClipLatents *latents, const uint8_t *file, size_t n_bytes, const char *name, Status *status);
