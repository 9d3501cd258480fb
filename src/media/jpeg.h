/* SPDX-License-Identifier: MPL-2.0
 * jpeg.h - reading JPEG pictures.
 */
#pragma once

#include "media/file.h"
#include "media/image.h"

bool jpeg_is (const uint8_t *data, size_t n_bytes);
/* Turned upright as its EXIF orientation says.  CMYK is not supported. */
bool jpeg_decode (Image *image, const MediaSource *source, Status *status);
