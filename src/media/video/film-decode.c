/* SPDX-License-Identifier: MPL-2.0
 * film-decode.c - any frame of a film, exactly.
 *
 * A frame's number is its place in the order of showing, counted from the beginning; nothing a file
 * says about rates or times is believed for that.  The start of each frame that was seen is kept,
 * so that going back is a seek into the middle of a known frame (at its very start a seek may end
 * in the one before).  Where a seek leads elsewhere, counting begins anew.
 */
#include "media/video/film-decode.h"

#include <gst/video/video.h>
#include <string.h>

#include "core/mem.h"
#include "media/film-file.h"
#include "media/pixels.h"
#include "media/video/decode-pipeline.h"
#include "media/video/video.h"
#include "media/video/watchdog.h"

enum
{
  WAIT_MS = 50,
  STUCK_SECONDS = 30, /* without a frame and without reading */
  NEAR_FRAMES = 8     /* ahead: decoding them is cheaper than a seek */
};

typedef struct
{
  char *path;
  const FrameLimits *limits;
  FrameSource *source; /* whose number of frames is set once the end was seen */
  DecodePipeline pipeline;
  GstClockTime *starts; /* of the frames seen so far */
  size_t n_seen, capacity;
  bool in_order;     /* the starts grow: they can be searched */
  int next;          /* number of the frame that comes next */
  GstSample *sample; /* frame next - 1; or NULL */
  Watchdog dog;
} FilmDecode;

static bool
damaged (const FilmDecode *d, const char *how, Status *status)
{
  return status_fail (status, STATUS_FORMAT, "Cannot read \"%.300s\": %s.", d->path, how);
}

/* ---- the next frame ---- */

/* Returns: false at the end, and with a status when it failed */
static bool
wait_for_sample (FilmDecode *d, Status *status)
{
  g_clear_pointer (&d->sample, gst_sample_unref);
  watchdog_rest (&d->dog);
  for (;;)
    {
      if (frames_is_cancelled (d->limits, status) || !decode_pipeline_check (&d->pipeline, status))
        return false;
      d->sample = gst_app_sink_try_pull_sample (d->pipeline.sink, WAIT_MS * GST_MSECOND);
      if (d->sample)
        return true;
      if (gst_app_sink_is_eos (d->pipeline.sink))
        return decode_pipeline_check (&d->pipeline, status) && false;
      if (watchdog_is_stuck (&d->dog, atomic_load (&d->pipeline.n_reads), g_get_monotonic_time ()))
        return damaged (d, "no frames come any more; the film is damaged", status);
    }
}

static bool
remember_start (FilmDecode *d, GstClockTime start, Status *status)
{
  if (!mem_grow (&d->starts, &d->capacity, d->n_seen + 1, sizeof *d->starts, status))
    return false;
  if (!GST_CLOCK_TIME_IS_VALID (start) || (d->n_seen && start <= d->starts[d->n_seen - 1]))
    d->in_order = false;
  d->starts[d->n_seen++] = start;
  return true;
}

/* Takes in frame @d->next.  Returns: as wait_for_sample */
static bool
step (FilmDecode *d, Status *status)
{
  int max_frames = d->limits && d->limits->max_frames ? d->limits->max_frames : FILM_MAX_FRAMES;
  if (!wait_for_sample (d, status))
    return false;
  if (d->next >= max_frames)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "\"%.300s\" has more than %d frames: cut it first.", d->path, max_frames);
  if ((size_t) d->next == d->n_seen &&
      !remember_start (d, GST_BUFFER_PTS (gst_sample_get_buffer (d->sample)), status))
    return false;
  d->next++;
  return true;
}

/* ---- any frame ---- */

static bool
restart (FilmDecode *d, Status *status)
{
  g_clear_pointer (&d->sample, gst_sample_unref);
  decode_pipeline_stop (&d->pipeline);
  d->next = 0;
  return decode_pipeline_start (&d->pipeline, status);
}

/* The number of the seen frame that is shown at @time; -1 when there is none. */
static int
number_at (const FilmDecode *d, GstClockTime time)
{
  size_t low = 0, high = d->n_seen;
  while (low < high)
    {
      size_t middle = (low + high) / 2;
      if (d->starts[middle] <= time)
        low = middle + 1;
      else
        high = middle;
    }
  return (int) low - 1;
}

static GstClockTime
middle_of (const FilmDecode *d, int n)
{
  static const GstClockTime half_ms = GST_MSECOND / 2;
  if ((size_t) n + 1 < d->n_seen)
    return (d->starts[n] + d->starts[n + 1]) / 2;
  FrameRate rate = d->source->info.rate;
  return d->starts[n] + (frame_rate_is_valid (rate)
                             ? (GstClockTime) frame_rate_time (rate, 1, GST_SECOND / 2)
                             : half_ms);
}

/* Goes to frame @n, seen before, and takes it in.  Returns: false, perhaps without a status, when
 * the seek led elsewhere */
static bool
seek (FilmDecode *d, int n, Status *status)
{
  /* appsink writes to its sample after the flush, which it may not while that is held */
  g_clear_pointer (&d->sample, gst_sample_unref);
  if (!d->in_order ||
      !gst_element_seek (d->pipeline.pipeline, 1, GST_FORMAT_TIME,
                         GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, GST_SEEK_TYPE_SET,
                         (gint64) middle_of (d, n), GST_SEEK_TYPE_NONE, -1))
    return false;
  while (wait_for_sample (d, status))
    {
      GstClockTime start = GST_BUFFER_PTS (gst_sample_get_buffer (d->sample));
      int number = GST_CLOCK_TIME_IS_VALID (start) ? number_at (d, start) : n + 1;
      d->next = number + 1;
      if (number == n)
        return true;
      if (number > n)
        return false;
    }
  return false;
}

/* Takes in frame @n, or finds the end.  Returns: false and a status when it failed */
static bool
go_to (FilmDecode *d, int n, bool *end, Status *status)
{
  int known = n < (int) d->n_seen ? n : (int) d->n_seen - 1;
  bool near = n >= d->next && n - d->next <= NEAR_FRAMES;
  if (n == d->next - 1 && d->sample)
    return true;
  if (!near && known >= 0 && known != d->next - 1 && !seek (d, known, status) &&
      (!status_ok (status) || !restart (d, status)))
    return false;
  while (d->next <= n)
    if (!step (d, status))
      {
        *end = status_ok (status);
        if (*end)
          d->source->info.n_frames = d->next;
        return *end;
      }
  return true;
}

/* ---- pixels ---- */

/* A, R, G, B of 16 bits each. */
static void
copy_rows (const GstVideoFrame *frame, uint8_t *rgb)
{
  enum
  {
    ARGB_CHANNELS = 4,
    MAX_16 = 65535
  };
  int width = GST_VIDEO_FRAME_WIDTH (frame), height = GST_VIDEO_FRAME_HEIGHT (frame);
  const uint8_t *row = GST_VIDEO_FRAME_PLANE_DATA (frame, 0);
  for (int y = 0; y < height; y++, row += GST_VIDEO_FRAME_PLANE_STRIDE (frame, 0))
    {
      const uint16_t *in = (const uint16_t *) (const void *) row;
      for (int x = 0; x < width; x++, in += ARGB_CHANNELS)
        for (int c = 1; c < ARGB_CHANNELS; c++)
          *rgb++ = (uint8_t) ((in[c] * 255u + MAX_16 / 2) / MAX_16);
    }
}

static bool
turn (
    const FilmDecode *d, const GstVideoFrame *frame, uint8_t *rgb, int orientation, Status *status)
{
  size_t n = frames_size_bytes (&d->source->info);
  Image image = { GST_VIDEO_FRAME_WIDTH (frame), GST_VIDEO_FRAME_HEIGHT (frame),
                  mem_calloc (n, 1) };
  if (!image.rgb)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  copy_rows (frame, image.rgb);
  bool ok = pixels_turn_upright (&image, orientation, status);
  if (ok)
    memcpy (rgb, image.rgb, n);
  image_clear (&image);
  return ok;
}

static bool
is_sideways (int orientation)
{
  return orientation >= 5;
}

static bool
take_pixels (FilmDecode *d, uint8_t *rgb, Status *status)
{
  GstVideoInfo video;
  GstVideoFrame frame;
  int orientation = atomic_load (&d->pipeline.orientation);
  const FilmInfo *info = &d->source->info;
  int width = is_sideways (orientation) ? info->height : info->width;
  int height = is_sideways (orientation) ? info->width : info->height;
  if (!gst_video_info_from_caps (&video, gst_sample_get_caps (d->sample)) ||
      GST_VIDEO_INFO_WIDTH (&video) != width || GST_VIDEO_INFO_HEIGHT (&video) != height)
    return damaged (d, "the size of its frames changes in the middle", status);
  if (!gst_video_frame_map (&frame, &video, gst_sample_get_buffer (d->sample), GST_MAP_READ))
    return damaged (d, "a frame is damaged", status);
  bool ok = orientation == 1 || turn (d, &frame, rgb, orientation, status);
  if (orientation == 1)
    copy_rows (&frame, rgb);
  gst_video_frame_unmap (&frame);
  return ok;
}

static bool
decode_get (void *self, int n, uint8_t *rgb, bool *end, Status *status)
{
  FilmDecode *d = self;
  return go_to (d, n, end, status) && (*end || take_pixels (d, rgb, status));
}

static void
decode_close (void *self)
{
  FilmDecode *d = self;
  g_clear_pointer (&d->sample, gst_sample_unref);
  decode_pipeline_stop (&d->pipeline);
  mem_free (d->starts);
  mem_free (d->path);
  mem_free (d);
}

/* ---- opening ---- */

/* The first frame says how large all are. */
static bool
measure (FilmDecode *d, Status *status)
{
  GstVideoInfo video;
  gint64 duration = 0;
  FilmInfo *info = &d->source->info;
  if (!step (d, status))
    return damaged (d, "there is no frame in it", status);
  if (!decode_pipeline_check (&d->pipeline, status)) /* what its caps said */
    return false;
  if (!gst_video_info_from_caps (&video, gst_sample_get_caps (d->sample)))
    return damaged (d, "a frame is damaged", status);
  bool sideways = is_sideways (atomic_load (&d->pipeline.orientation));
  int width = GST_VIDEO_INFO_WIDTH (&video), height = GST_VIDEO_INFO_HEIGHT (&video);
  FrameRate rate = { GST_VIDEO_INFO_FPS_N (&video), GST_VIDEO_INFO_FPS_D (&video) };
  info->width = sideways ? height : width;
  info->height = sideways ? width : height;
  info->rate = frame_rate_is_valid (rate) ? frame_rate_reduce (rate) : (FrameRate){ 0, 1 };
  if (frame_rate_is_valid (rate) &&
      gst_element_query_duration (d->pipeline.pipeline, GST_FORMAT_TIME, &duration))
    d->source->n_expected = (int) gst_util_uint64_scale_round (
        (guint64) duration, (guint64) rate.num, GST_SECOND * (guint64) rate.den);
  return frames_check_limits (info, d->limits, d->path, status);
}

static bool
read_texts (FilmDecode *d, Status *status)
{
  Status mine = { 0 };
  return media_texts_read (&d->source->texts, d->path, &mine) || mine.code != STATUS_NO_MEMORY ||
         status_fail (status, STATUS_NO_MEMORY, "%s", mine.message);
}

bool
film_decode_knows (const char *path)
{
  MediaSource file;
  Status status = { 0 };
  if (!media_source_open (&file, path, &status))
    return false;
  bool known = film_file_kind (&file) != FILM_FILE_OTHER;
  media_source_close (&file);
  return known;
}

static bool
look_at_file (const char *path, FilmFileKind *kind, Status *status)
{
  MediaSource file;
  if (!media_source_open (&file, path, status))
    return false;
  *kind = film_file_kind (&file);
  bool ok = film_file_check (&file, status);
  media_source_close (&file);
  return ok;
}

FrameSource *
film_decode_open (const char *path, const FrameLimits *limits, Status *status)
{
  static const FrameSourceKind kind = { decode_get, decode_close };
  FilmFileKind file_kind;
  if (!video_start (status) || !look_at_file (path, &file_kind, status))
    return NULL;
  FilmDecode *d = mem_calloc (1, sizeof *d);
  if (d)
    *d = (FilmDecode){ .path = mem_strdup (path), .limits = limits, .in_order = true };
  if (!d || !d->path)
    {
      mem_free (d);
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  d->dog.limit_us = (int64_t) STUCK_SECONDS * G_USEC_PER_SEC;
  d->pipeline = (DecodePipeline){ .path = d->path,
                                  .kind = file_kind,
                                  .orientation = 1,
                                  .max_pixels = limits && limits->max_pixels
                                                    ? limits->max_pixels
                                                    : (int64_t) FILM_MAX_SIDE * FILM_MAX_SIDE };
  FrameSource *source = frames_new (&kind, d, status);
  if (!source)
    return NULL;
  d->source = source;
  source->description = "film";
  if (decode_pipeline_start (&d->pipeline, status) && measure (d, status) && read_texts (d, status))
    return source;
  frames_close (source);
  return NULL;
}
