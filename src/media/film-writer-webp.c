/* SPDX-License-Identifier: MPL-2.0
 * film-writer-webp.c - moving WebP with libwebpmux, which keeps the compressed frames in memory.
 */
#include <string.h>

#include <webp/encode.h>
#include <webp/mux.h>

#include "core/mem.h"
#include "media/exif.h"
#include "media/film-writer.h"
#include "media/frames.h"
#include "media/webp.h"

enum
{
  MS_PER_SECOND = 1000,
  KEY_FRAME_MIN = 9,
  KEY_FRAME_MAX = 17
};

/* Lossless only at "high": lossy WebP has 4:2:0 alone. */
static const struct
{
  float quality;
  int method;
  bool lossless;
} settings[FILM_N_QUALITIES] = {
  [FILM_DRAFT] = { 60, 1, false },
  [FILM_STANDARD] = { 95, 4, false },
  [FILM_HIGH] = { 50, 3, true }, /* lossless: how hard it tries */
};

typedef struct
{
  char *path;
  const FilmOptions *options;
  FilmInfo info; /* n_frames: so far */
  WebPAnimEncoder *encoder;
  WebPConfig config;
} WebpFilm;

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
}

static int
time_ms (const WebpFilm *w)
{
  return (int) frame_rate_time (w->info.rate, w->info.n_frames, MS_PER_SECOND);
}

static bool
failed (const WebpFilm *w, Status *status)
{
  return status_fail (status, STATUS_IO, "Cannot write \"%.200s\": WebP says \"%.100s\".", w->path,
                      WebPAnimEncoderGetError (w->encoder));
}

static bool
webp_add (void *self, const uint8_t *rgb, Status *status)
{
  WebpFilm *w = self;
  WebPPicture picture;
  if (!WebPPictureInit (&picture))
    return no_memory (status);
  picture.use_argb = true;
  picture.width = w->info.width;
  picture.height = w->info.height;
  bool ok =
      WebPPictureImportRGB (&picture, rgb, w->info.width * IMAGE_CHANNELS) || no_memory (status);
  ok = ok &&
       (WebPAnimEncoderAdd (w->encoder, &picture, time_ms (w), &w->config) || failed (w, status));
  WebPPictureFree (&picture);
  w->info.n_frames += ok;
  return ok;
}

/* Puts the texts into the file.  @data: replaced */
static bool
add_exif (const WebpFilm *w, WebPData *data, Status *status)
{
  const FilmOptions *o = w->options;
  WebPData with = { 0 }, chunk = { 0 };
  if (!o->recipe && !o->parameters)
    return true;
  uint8_t *exif = exif_write (o->parameters, o->recipe, &chunk.size, status);
  if (!exif)
    return false;
  chunk.bytes = exif;
  WebPMux *mux = WebPMuxCreate (data, false);
  bool ok = mux && WebPMuxSetChunk (mux, "EXIF", &chunk, false) == WEBP_MUX_OK &&
            WebPMuxAssemble (mux, &with) == WEBP_MUX_OK;
  WebPMuxDelete (mux);
  mem_free (exif);
  if (!ok)
    return no_memory (status);
  WebPDataClear (data);
  *data = with;
  return true;
}

static bool
webp_finish (void *self, Status *status)
{
  WebpFilm *w = self;
  AtomicFile file = { 0 };
  WebPData data;
  WebPDataInit (&data);
  bool ok = (WebPAnimEncoderAdd (w->encoder, NULL, time_ms (w), NULL) &&
             WebPAnimEncoderAssemble (w->encoder, &data)) ||
            failed (w, status);
  ok = ok && add_exif (w, &data, status) && atomic_file_open (&file, w->path, status) &&
       atomic_file_write (&file, data.bytes, data.size, status) &&
       atomic_file_commit (&file, w->options->overwrite, status);
  atomic_file_discard (&file);
  WebPDataClear (&data);
  return ok;
}

static void
webp_close (void *self)
{
  WebpFilm *w = self;
  WebPAnimEncoderDelete (w->encoder);
  mem_free (w->path);
  mem_free (w);
}

static bool
start (WebpFilm *w, Status *status)
{
  WebPAnimEncoderOptions o;
  FilmQuality quality = w->options->quality;
  if (!WebPAnimEncoderOptionsInit (&o) || !WebPConfigInit (&w->config))
    return no_memory (status);
  o.kmin = KEY_FRAME_MIN;
  o.kmax = KEY_FRAME_MAX;
  w->config.quality = settings[quality].quality;
  w->config.method = settings[quality].method;
  w->config.lossless = settings[quality].lossless;
  w->config.exact = settings[quality].lossless;
  w->config.use_sharp_yuv = !settings[quality].lossless;
  w->encoder = WebPAnimEncoderNew (w->info.width, w->info.height, &o);
  return w->encoder || no_memory (status);
}

FilmWriter *
film_writer_webp (const char *path,
                  const FilmInfo *info,
                  const FilmOptions *options,
                  Status *status)
{
  static const FilmWriterKind kind = { webp_add, webp_finish, webp_close };
  if (info->width > WEBP_MAX_SIDE || info->height > WEBP_MAX_SIDE)
    {
      status_fail (status, STATUS_ARGUMENT, "A WebP is at most %d px wide and high.",
                   WEBP_MAX_SIDE);
      return NULL;
    }
  WebpFilm *w = mem_calloc (1, sizeof *w);
  if (!w)
    {
      no_memory (status);
      return NULL;
    }
  *w = (WebpFilm){ .path = mem_strdup (path), .options = options, .info = *info };
  w->info.n_frames = 0;
  if ((w->path || no_memory (status)) && start (w, status))
    return film_writer_new (&kind, w, info, options, status);
  webp_close (w);
  return NULL;
}
