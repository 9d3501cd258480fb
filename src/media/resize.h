/* SPDX-License-Identifier: MPL-2.0
 * resize.h - a picture at another size.
 */
#pragma once

#include "media/image.h"

/* image_resize:
 *
 * Separable triangle filter, widened when shrinking so that nothing aliases; edges repeat.
 * Fails: NO_MEMORY, ARGUMENT for a size of 0 or beyond IMAGE_MAX_SIDE; @image is unchanged then
 */
bool image_resize (Image *image, int width, int height, Status *status);
