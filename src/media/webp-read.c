/* SPDX-License-Identifier: MPL-2.0
 * webp-read.c - reading WebP with libwebp, which takes its working memory from the C library
 * itself.
 */
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

#include "core/mem.h"
#include "media/exif.h"
#include "media/icc.h"
#include "media/pixels.h"
#include "media/webp.h"

typedef struct
{
  const MediaSource *source;
  Status *status;
  uint8_t *data; /* the file */
  uint8_t *rgba;
  int width, height;
} WebpReader;

static bool
damaged (const WebpReader *r)
{
  return status_fail (r->status, STATUS_FORMAT,
                      "Cannot read \"%.300s\": the WebP is damaged or cut off. Get the file again.",
                      r->source->name);
}

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
}

static bool
make_room (WebpReader *r, int width, int height)
{
  if (width < 1 || height < 1)
    return damaged (r);
  if ((int64_t) width * height > IMAGE_MAX_PIXELS)
    return status_fail (r->status, STATUS_UNSUPPORTED,
                        "\"%.300s\" has %d x %d px, more than can be read: scale it down first.",
                        r->source->name, width, height);
  r->width = width;
  r->height = height;
  r->rgba = mem_calloc ((size_t) width * (size_t) height, RGBA_CHANNELS);
  return r->rgba || no_memory (r->status);
}

static bool
decode_still (WebpReader *r)
{
  int stride = r->width * RGBA_CHANNELS;
  return WebPDecodeRGBAInto (r->data, (size_t) r->source->size_bytes, r->rgba,
                             (size_t) stride * (size_t) r->height, stride) ||
         damaged (r);
}

static bool
decode_first (WebpReader *r)
{
  WebPAnimDecoderOptions options;
  WebPData data = { r->data, (size_t) r->source->size_bytes };
  WebPAnimDecoderOptionsInit (&options);
  options.color_mode = MODE_RGBA;
  WebPAnimDecoder *decoder = WebPAnimDecoderNew (&data, &options);
  uint8_t *pixels;
  int end_ms;
  bool ok = decoder && WebPAnimDecoderGetNext (decoder, &pixels, &end_ms);
  if (ok)
    memcpy (r->rgba, pixels, (size_t) r->width * (size_t) r->height * RGBA_CHANNELS);
  WebPAnimDecoderDelete (decoder);
  return ok || damaged (r);
}

static void
apply_profile (WebpReader *r)
{
  uint64_t offset;
  size_t n_bytes;
  bool cut_off = false;
  if (riff_find (r->source, "ICCP", &offset, &n_bytes, &cut_off))
    icc_to_srgb (r->rgba, (size_t) r->width * (size_t) r->height, RGBA_CHANNELS, r->data + offset,
                 n_bytes);
}

static bool
decode (WebpReader *r)
{
  WebPBitstreamFeatures f;
  r->data = media_source_read_all (r->source, r->status);
  if (!r->data)
    return false;
  if (WebPGetFeatures (r->data, (size_t) r->source->size_bytes, &f) != VP8_STATUS_OK)
    return damaged (r);
  if (!make_room (r, f.width, f.height) || !(f.has_animation ? decode_first (r) : decode_still (r)))
    return false;
  apply_profile (r);
  return true;
}

bool
webp_decode (Image *image, const MediaSource *source, bool opacity, Status *status)
{
  WebpReader r = { .source = source, .status = status };
  bool ok = decode (&r);
  mem_free (r.data);
  if (!ok)
    {
      mem_free (r.rgba);
      return false;
    }
  pixels_take_rgba (image, r.rgba, r.width, r.height, opacity);
  if (pixels_turn_upright (image, exif_orientation (source), status))
    return true;
  image_clear (image);
  return false;
}
