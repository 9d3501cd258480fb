/* SPDX-License-Identifier: MPL-2.0
 * preprocess.h - what ControlNets see, made of ordinary pictures; without networks.
 */
#pragma once

#include "media/image.h"

typedef enum
{
  PREPROCESS_NONE,
  PREPROCESS_CANNY,    /* white edges on black; @a, @b: OpenCV's lower and upper threshold */
  PREPROCESS_INVERT,   /* dark lines on white become light lines on black */
  PREPROCESS_BLUR,     /* @a: the Gaussian's sigma in pixels; for tile and blur networks */
  PREPROCESS_THRESHOLD /* white where every channel is above @a: scribbles */
} Preprocess;

/* What takes the place of a parameter below 0. */
double preprocess_default_a (Preprocess kind);
double preprocess_default_b (Preprocess kind);

/* image_preprocess:
 * @image: changed in place
 * @a, @b: below 0 for the usual: 100 and 200 of Canny, 9 of blur, 127 of threshold
 *
 * Fails: NO_MEMORY; @image is unchanged then
 */
bool image_preprocess (Image *image, Preprocess kind, double a, double b, Status *status);
