/* SPDX-License-Identifier: MPL-2.0
 * webp-frames.c - a moving WebP as frames.
 *
 * A still one is a film of one frame.  The file has pictures and durations and puts those that are
 * alike together; the frames are the pictures at a rate that fits to all durations.
 */
#include <string.h>

#include <webp/demux.h>

#include "core/mem.h"
#include "media/frames.h"
#include "media/pixels.h"

enum
{
  MS_PER_SECOND = 1000
};

typedef struct
{
  char *path;
  uint8_t *data; /* the file */
  WebPAnimDecoder *decoder;
  FilmInfo info;
  int64_t *ends_ms; /* of the pictures, n_pictures */
  int n_pictures;
  int next;      /* the picture that the decoder gives next */
  uint8_t *rgba; /* picture next - 1, the decoder's; NULL for none */
  const FrameLimits *limits;
} WebpFrames;

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
}

static bool
damaged (const WebpFrames *w, Status *status)
{
  return status_fail (status, STATUS_FORMAT,
                      "Cannot read \"%.300s\": the WebP is damaged or cut off. Get the file again.",
                      w->path);
}

static void
webp_close (void *self)
{
  WebpFrames *w = self;
  WebPAnimDecoderDelete (w->decoder);
  mem_free (w->data);
  mem_free (w->ends_ms);
  mem_free (w->path);
  mem_free (w);
}

/* Ends of the pictures, without decoding them. */
static bool
read_times (WebpFrames *w, const WebPData *data, Status *status)
{
  WebPDemuxer *demuxer = WebPDemux (data);
  WebPIterator at;
  bool more = demuxer && WebPDemuxGetFrame (demuxer, 1, &at);
  int n = 0;
  int64_t end_ms = 0;
  w->ends_ms = mem_calloc ((size_t) w->n_pictures, sizeof *w->ends_ms);
  for (; w->ends_ms && more && n < w->n_pictures; more = WebPDemuxNextFrame (&at))
    w->ends_ms[n++] = end_ms += at.duration > 0 ? at.duration : 1;
  if (n > 0)
    WebPDemuxReleaseIterator (&at);
  WebPDemuxDelete (demuxer);
  if (!w->ends_ms)
    return no_memory (status);
  return n == w->n_pictures || damaged (w, status);
}

static void
choose_rate (WebpFrames *w)
{
  w->info.n_frames = 1;
  if (w->n_pictures == 1)
    return;
  w->info.rate = frame_rate_of_ends (w->ends_ms, w->n_pictures, MS_PER_SECOND);
  w->info.n_frames = frame_rate_count (w->info.rate, w->ends_ms[w->n_pictures - 1], MS_PER_SECOND);
}

static bool
start (WebpFrames *w, const MediaSource *source, Status *status)
{
  WebPAnimDecoderOptions options;
  WebPAnimInfo info;
  w->data = media_source_read_all (source, status);
  if (!w->data)
    return false;
  const WebPData data = { w->data, (size_t) source->size_bytes };
  WebPDemuxer *probe = WebPDemux (&data);
  if (!probe)
    return damaged (w, status);
  w->info = (FilmInfo){ (int) WebPDemuxGetI (probe, WEBP_FF_CANVAS_WIDTH),
                        (int) WebPDemuxGetI (probe, WEBP_FF_CANVAS_HEIGHT),
                        { 0, 1 },
                        (int) WebPDemuxGetI (probe, WEBP_FF_FRAME_COUNT) };
  w->n_pictures = w->info.n_frames;
  WebPDemuxDelete (probe);
  if (!frames_check_limits (&w->info, w->limits, w->path, status))
    return false;
  WebPAnimDecoderOptionsInit (&options);
  options.color_mode = MODE_RGBA;
  w->decoder = WebPAnimDecoderNew (&data, &options);
  if (!w->decoder || !WebPAnimDecoderGetInfo (w->decoder, &info))
    return damaged (w, status);
  if (!read_times (w, &data, status))
    return false;
  choose_rate (w);
  return frames_check_limits (&w->info, w->limits, w->path, status);
}

/* Pictures build on those before them, so going back begins anew. */
static bool
webp_get (void *self, int n, uint8_t *rgb, bool *end, Status *status)
{
  WebpFrames *w = self;
  int picture = frame_rate_find (w->info.rate, w->ends_ms, w->n_pictures, n, MS_PER_SECOND);
  int end_ms;
  if (picture < w->next - 1)
    {
      WebPAnimDecoderReset (w->decoder);
      w->next = 0;
    }
  for (; w->next <= picture; w->next++)
    {
      if (frames_is_cancelled (w->limits, status))
        return false;
      if (!WebPAnimDecoderGetNext (w->decoder, &w->rgba, &end_ms))
        return damaged (w, status);
    }
  pixels_lay_over_white (rgb, w->rgba, (size_t) w->info.width * (size_t) w->info.height);
  return true;
}

FrameSource *
frames_of_webp (const char *path, const FrameLimits *limits, Status *status)
{
  static const FrameSourceKind kind = { webp_get, webp_close };
  MediaSource file;
  if (!media_source_open (&file, path, status))
    return NULL;
  WebpFrames *w = mem_calloc (1, sizeof *w);
  bool ok = w || no_memory (status);
  if (ok)
    {
      *w = (WebpFrames){ .path = mem_strdup (path), .limits = limits };
      ok = (w->path || no_memory (status)) && start (w, &file, status);
    }
  media_source_close (&file);
  if (w && !ok)
    webp_close (w);
  FrameSource *source = ok ? frames_new (&kind, w, status) : NULL;
  if (!source)
    return NULL;
  source->info = w->info;
  source->description = "moving WebP";
  if (media_texts_read (&source->texts, path, status))
    return source;
  frames_close (source);
  return NULL;
}
