/* SPDX-License-Identifier: MPL-2.0
 * pixels.h - what the readers of all formats do with pixels: opacity, turning upright.
 */
#pragma once

#include "media/image.h"

enum
{
  RGBA_CHANNELS = 4
};

/* pixels_take_rgba:
 * @rgba: (height, width, 4), not premultiplied; taken, whatever happens
 * @opacity: as image_read_opacity()
 *
 * Makes @image of it: transparency laid over white, or the opacity itself where it is wanted and
 * not the same everywhere.
 */
void pixels_take_rgba (Image *image, uint8_t *rgba, int width, int height, bool opacity);

/* @rgb: receives @n_pixels of @rgba laid over white; may be the same memory */
void pixels_lay_over_white (uint8_t *rgb, const uint8_t *rgba, size_t n_pixels);

/* pixels_turn_upright:
 * @orientation: of EXIF, 1 to 8; others are taken for 1
 *
 * 2 mirrored, 3 half a turn, 4 upside down mirrored, 5 to 8 with sides swapped.
 * Fails: NO_MEMORY with @image unchanged
 */
bool pixels_turn_upright (Image *image, int orientation, Status *status);
