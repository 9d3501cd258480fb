/* SPDX-License-Identifier: MPL-2.0
 * vision-input.h - pictures as CLIP's image encoders were taught to see them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

typedef enum
{
  VISION_CROP,   /* transformers' CLIPImageProcessor, to the byte: shorter side, then the middle */
  VISION_SQUEEZE /* Wan-AI's own programs: both sides at once, whatever their ratio */
} VisionFit;

/* vision_pixels:
 * @pixels: receives (side, side, 3), normalised with OpenAI's mean and deviation
 * @rgb: (height, width, 3)
 *
 * VISION_CROP resizes as Pillow does: cubic with a = -1/2, widened when shrinking, in fixed point,
 * rounded to bytes after each direction.  VISION_SQUEEZE is PyTorch's bicubic interpolation:
 * a = -3/4, four samples however much is shrunk, no rounding.
 *
 * Fails: NO_MEMORY
 */
bool vision_pixels (float *pixels,
                    const uint8_t *rgb,
                    int width,
                    int height,
                    int side,
                    VisionFit fit,
                    Status *status);
