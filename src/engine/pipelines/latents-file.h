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
 *
 * Returns: the file, the caller's to mem_free; NULL and NO_MEMORY
 */
uint8_t *
latents_file (const PipelineResult *result, int first, int n, size_t *n_bytes, Status *status);
