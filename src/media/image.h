/* SPDX-License-Identifier: MPL-2.0
 * image.h - a picture in memory, and reading one from a PNG, JPEG or WebP file.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

enum
{
  IMAGE_CHANNELS = 3,
  IMAGE_MAX_SIDE = 32768,
  IMAGE_MAX_PIXELS = 1 << 27 /* 134 megapixels, 512 MiB while it is read */
};

/* sRGB, 8 bits a channel, rows from the top without gaps.  Zero-initialise. */
typedef struct
{
  int width, height;
  uint8_t *rgb; /* (height, width, 3) */
} Image;

void image_clear (Image *image);

/* image_read:
 * @image: empty; receives the picture, the caller's to image_clear; empty on failure
 *
 * PNG of every kind, JPEG and WebP, told apart by their content.  Transparency is laid over white,
 * 16 bits are cut to 8, an embedded colour profile is turned into sRGB, and a JPEG or WebP is
 * turned as its EXIF says.
 *
 * Fails: IO, FORMAT for a damaged file, UNSUPPORTED for another format or too many pixels,
 * NO_MEMORY
 */
bool image_read (Image *image, const char *path, Status *status);
/* The same, but of a PNG or WebP with any transparency its opacity, white where it is opaque. */
bool image_read_opacity (Image *image, const char *path, Status *status);
/* image_read from @n_bytes in memory; @name is for the error sentence. */
bool image_read_memory (
    Image *image, const void *data, size_t n_bytes, const char *name, Status *status);
