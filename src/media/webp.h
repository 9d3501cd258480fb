/* SPDX-License-Identifier: MPL-2.0
 * webp.h - WebP pictures and moving WebP.
 */
#pragma once

#include <stdatomic.h>

#include "media/file.h"
#include "media/image.h"
#include "media/riff.h"

enum
{
  WEBP_MAX_SIDE = 16383
};

/* For image_read(): the first picture of a moving one.  @opacity: as image_read_opacity() */
bool webp_decode (Image *image, const MediaSource *source, bool opacity, Status *status);

typedef struct
{
  const uint8_t *alpha;      /* (height, width), 255 opaque; NULL for an opaque picture */
  double quality;            /* 0 to 100; without meaning when lossless */
  bool lossless;             /* to the bit, also under full transparency */
  const char *parameters;    /* texts into EXIF; NULL for none */
  const char *gesso;         /* "parameters" and "gesso" as media_texts_read() gives them back */
  bool overwrite;            /* replace a file of that name; else it is an error */
  const atomic_bool *cancel; /* NULL, or looked at while encoding */
} WebpOptions;

/* webp_write_file:
 *
 * The picture appears under @path once it is complete; there is nothing on failure.
 * Fails: IO, ARGUMENT for a side beyond WEBP_MAX_SIDE or a bad text, CANCELLED, NO_MEMORY
 */
bool
webp_write_file (const char *path, const Image *image, const WebpOptions *options, Status *status);
