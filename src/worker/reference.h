/* SPDX-License-Identifier: MPL-2.0
 * reference.h - a reference picture at one of the sizes that FLUX.1 Kontext was trained on.
 */
#pragma once

#include "media/image.h"

/* The one of 17 sizes of about a megapixel whose shape is nearest (BFL's PREFERED_KONTEXT
 * resolutions). */
void reference_size (int width, int height, int *out_width, int *out_height);

/* Cuts what does not fit evenly from both sides and scales.  Fails: NO_MEMORY */
bool reference_fit (Image *image, int width, int height, Status *status);
