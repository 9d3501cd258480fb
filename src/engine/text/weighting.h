/* SPDX-License-Identifier: MPL-2.0
 * weighting.h - applies the weights of a prompt to what a text encoder made of its chunks.
 *
 * For SDXL apply it to each encoder's output, before the two are joined.  The pooled vector is
 * never weighted.
 */
#pragma once

#include "text/chunks.h"

typedef enum
{
  WEIGHTING_A1111,         /* z w, then scaled so that the mean of the chunk is what it was */
  WEIGHTING_A1111_NO_NORM, /* z w */
  WEIGHTING_COMFYUI,       /* z0 + (z - z0) w */
  WEIGHTING_NONE           /* z */
} PromptWeighting;

/* weighting_apply:
 * @z: (n_chunks, length, dim) f32, changed in place
 * @z_empty: (length, dim) the encoding of the empty prompt; needed by COMFYUI, else NULL
 * @dim: width of one encoder
 *
 * A chunk whose weights are all 1 is not touched.  Means are taken in f64.
 *
 * Returns: false with ARGUMENT when a mean cannot be restored because the weighted one is 0
 */
bool weighting_apply (PromptWeighting weighting,
                      const TokenChunks *chunks,
                      float *z,
                      const float *z_empty,
                      int dim,
                      Status *status);
