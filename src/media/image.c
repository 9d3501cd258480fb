/* SPDX-License-Identifier: MPL-2.0
 * image.c - reading a picture, whatever its format.
 */
#include "media/image.h"

#include "core/mem.h"
#include "media/jpeg.h"
#include "media/png.h"
#include "media/webp.h"

void
image_clear (Image *image)
{
  mem_free (image->rgb);
  *image = (Image){ 0 };
}

static bool
read_source (Image *image, const MediaSource *source, bool opacity, Status *status)
{
  uint8_t begin[12] = { 0 };
  size_t n = source->size_bytes < sizeof begin ? (size_t) source->size_bytes : sizeof begin;
  *image = (Image){ 0 };
  if (!media_source_read (source, 0, begin, n))
    return status_fail (status, STATUS_IO, "Cannot read \"%.300s\": reading failed.", source->name);
  if (png_is (begin, n))
    return png_decode (image, source, opacity, status);
  if (jpeg_is (begin, n))
    return jpeg_decode (image, source, status);
  if (riff_is_webp (begin, n))
    return webp_decode (image, source, opacity, status);
  return status_fail (status, STATUS_UNSUPPORTED,
                      "\"%.300s\" is neither PNG, JPEG nor WebP: convert it first.", source->name);
}

static bool
read_path (Image *image, const char *path, bool opacity, Status *status)
{
  MediaSource source;
  *image = (Image){ 0 };
  if (!media_source_open (&source, path, status))
    return false;
  bool ok = read_source (image, &source, opacity, status);
  media_source_close (&source);
  return ok;
}

bool
image_read (Image *image, const char *path, Status *status)
{
  return read_path (image, path, false, status);
}

bool
image_read_opacity (Image *image, const char *path, Status *status)
{
  return read_path (image, path, true, status);
}

bool
image_read_memory (Image *image, const void *data, size_t n_bytes, const char *name, Status *status)
{
  MediaSource source = media_source_from_memory (data, n_bytes, name);
  return read_source (image, &source, false, status);
}
