/* SPDX-License-Identifier: MPL-2.0
 * webp-write.c - writing a picture as WebP, whole or not at all.
 */
#include <string.h>

#include <webp/encode.h>
#include <webp/mux.h>

#include "core/mem.h"
#include "media/exif.h"
#include "media/pixels.h"
#include "media/webp.h"

typedef struct
{
  const char *path;
  const WebpOptions *options;
  Status *status;
  WebPPicture picture;
  WebPMemoryWriter pixels; /* what the encoder made */
  WebPData file;
} WebpWriter;

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
}

/* Returns: 0 stops the encoder */
static int
progress_cb (int percent, const WebPPicture *picture)
{
  const WebpWriter *w = picture->user_data;
  return !w->options->cancel || !atomic_load (w->options->cancel);
}

static bool
import (WebpWriter *w, const Image *image)
{
  size_t n_pixels = (size_t) image->width * (size_t) image->height;
  if (!w->options->alpha)
    return WebPPictureImportRGB (&w->picture, image->rgb, image->width * IMAGE_CHANNELS) ||
           no_memory (w->status);
  uint8_t *rgba = mem_calloc (n_pixels, RGBA_CHANNELS);
  for (size_t i = 0; rgba && i < n_pixels; i++)
    {
      memcpy (rgba + i * RGBA_CHANNELS, image->rgb + i * IMAGE_CHANNELS, IMAGE_CHANNELS);
      rgba[i * RGBA_CHANNELS + 3] = w->options->alpha[i];
    }
  bool ok = rgba && WebPPictureImportRGBA (&w->picture, rgba, image->width * RGBA_CHANNELS);
  mem_free (rgba);
  return ok || no_memory (w->status);
}

static bool
configure (WebpWriter *w, const Image *image, WebPConfig *config)
{
  const WebpOptions *o = w->options;
  if (!WebPConfigPreset (config, WEBP_PRESET_PICTURE, (float) o->quality) ||
      !WebPPictureInit (&w->picture))
    return status_fail (w->status, STATUS_ARGUMENT, "WebP takes a quality from 0 to 100, not %g.",
                        o->quality);
  config->lossless = o->lossless;
  config->exact = o->lossless;
  config->use_sharp_yuv = !o->lossless;
  w->picture.use_argb = true;
  w->picture.width = image->width;
  w->picture.height = image->height;
  w->picture.writer = WebPMemoryWrite;
  w->picture.custom_ptr = &w->pixels;
  w->picture.progress_hook = progress_cb;
  w->picture.user_data = w;
  return true;
}

static bool
encode (WebpWriter *w, const Image *image)
{
  WebPConfig config;
  if (!configure (w, image, &config) || !import (w, image))
    return false;
  if (WebPEncode (&config, &w->picture))
    return true;
  if (w->picture.error_code == VP8_ENC_ERROR_USER_ABORT)
    return status_fail (w->status, STATUS_CANCELLED, "Cancelled.");
  return w->picture.error_code == VP8_ENC_ERROR_OUT_OF_MEMORY
             ? no_memory (w->status)
             : status_fail (w->status, STATUS_IO, "Cannot write \"%.300s\": WebP error %d.",
                            w->path, (int) w->picture.error_code);
}

/* Puts the texts beside the pixels. */
static bool
assemble (WebpWriter *w)
{
  WebPData pixels = { w->pixels.mem, w->pixels.size };
  const WebpOptions *o = w->options;
  size_t n_bytes = 0;
  uint8_t *exif = NULL;
  if ((o->parameters || o->gesso) &&
      !(exif = exif_write (o->parameters, o->gesso, &n_bytes, w->status)))
    return false;
  WebPData chunk = { exif, n_bytes };
  WebPMux *mux = WebPMuxNew ();
  bool ok = mux && WebPMuxSetImage (mux, &pixels, false) == WEBP_MUX_OK &&
            (!exif || WebPMuxSetChunk (mux, "EXIF", &chunk, true) == WEBP_MUX_OK) &&
            WebPMuxAssemble (mux, &w->file) == WEBP_MUX_OK;
  WebPMuxDelete (mux);
  mem_free (exif);
  return ok || no_memory (w->status);
}

static bool
save (WebpWriter *w)
{
  AtomicFile file = { 0 };
  bool ok = atomic_file_open (&file, w->path, w->status) &&
            atomic_file_write (&file, w->file.bytes, w->file.size, w->status) &&
            atomic_file_commit (&file, w->options->overwrite, w->status);
  atomic_file_discard (&file);
  return ok;
}

bool
webp_write_file (const char *path, const Image *image, const WebpOptions *options, Status *status)
{
  if (image->width < 1 || image->height < 1 || image->width > WEBP_MAX_SIDE ||
      image->height > WEBP_MAX_SIDE)
    return status_fail (status, STATUS_ARGUMENT,
                        "A picture of %d x %d px cannot be saved as WebP: choose PNG.",
                        image->width, image->height);
  WebpWriter w = { .path = path, .options = options, .status = status };
  WebPMemoryWriterInit (&w.pixels);
  WebPDataInit (&w.file);
  bool ok = encode (&w, image) && assemble (&w) && save (&w);
  WebPPictureFree (&w.picture);
  WebPMemoryWriterClear (&w.pixels);
  WebPDataClear (&w.file);
  return ok;
}
