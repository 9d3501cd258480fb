/* SPDX-License-Identifier: MPL-2.0
 * mask.h - masks: which part of a picture is painted anew, 255 white, 0 kept.
 *
 * A mask is (height, width) bytes without gaps; the caller keeps its size.
 */
#pragma once

#include <stdbool.h>

#include "media/image.h"

/* mask_read:
 * @mask: empty; receives the mask as a grey picture, so that it can be resized like one
 *
 * The opacity of a PNG or WebP that has any transparency, else the lightness.  Fails: as image_read
 */
bool mask_read (Image *mask, const char *path, Status *status);

/* Returns: (height, width) from the first channel, the caller's to mem_free; NULL and NO_MEMORY */
uint8_t *mask_from_image (const Image *image, Status *status);

/* Blurs by three running means, together close to a Gaussian that ends after three @sigma_px. */
bool mask_blur (uint8_t *mask, int width, int height, double sigma_px, Status *status);

typedef struct
{
  int x, y, width, height;
} MaskBox;

/* The smallest box around all that is not 0; of no size when there is none. */
MaskBox mask_box (const uint8_t *mask, int width, int height);

/* mask_box_fit:
 * @box: inside the picture, not empty
 *
 * @box with @padding_px around it, then grown in one direction to the shape of @width x @height
 * as far as the picture of @in_width x @in_height has room.
 */
MaskBox
mask_box_fit (MaskBox box, int padding_px, int width, int height, int in_width, int in_height);

/* Paints over the masked part with what surrounds it, ever more blurred away from the edge. */
bool mask_fill (Image *image, const uint8_t *mask, Status *status);

/* Copies of a part. */
bool image_crop (Image *out, const Image *image, MaskBox box, Status *status);
uint8_t *mask_crop (const uint8_t *mask, int width, MaskBox box, Status *status);

/* mask_overlay:
 * @base: changed in place; @top: of @box's size
 * @mask: of @base's size
 *
 * Lays @top over @base where @mask is white.  Half white is laid over whole, so that nothing of
 * @base shines through what was painted; where @mask is 0, @base stays as it is to the bit.
 */
void mask_overlay (Image *base, const Image *top, MaskBox box, const uint8_t *mask);
