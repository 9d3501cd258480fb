/* SPDX-License-Identifier: MPL-2.0
 * icc.h - colours of an embedded profile as sRGB.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* icc_to_srgb:
 * @pixels: @n_pixels of @n_channels, 3 or 4, RGB first; changed in place
 * @profile: @n_bytes of an ICC profile; grey ones read the first channel
 *
 * Relative colorimetric with black point compensation, as the common editors do by default.  A
 * profile that is damaged, or for other channels, is left aside as viewers do; so is one that says
 * sRGB to within one step, so that such a picture stays the same to the bit.
 *
 * Returns: whether the pixels were changed
 */
bool
icc_to_srgb (uint8_t *pixels, size_t n_pixels, int n_channels, const void *profile, size_t n_bytes);
