/* SPDX-License-Identifier: MPL-2.0
 * film-encode.c - appsrc, encoder, parser, muxer, file.
 *
 * The caller's thread turns frames into planes and hands them over; GStreamer's threads encode and
 * write.  The caller waits where they are slower, and looks every WAIT_MS whether it was cancelled.
 */
#include "media/video/film-encode.h"

#include <errno.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "media/film-file.h"
#include "media/film-tags.h"
#include "media/frames.h"
#include "media/video/reason.h"
#include "media/video/video.h"
#include "media/video/watchdog.h"

/* Its place is taken by the heads of the tags that replace it. */
static const char matroska_room[] =
    "--------------------------------------------------------------------------------";

enum
{
  WAIT_MS = 50,
  REASON_MS = 1000, /* the message that says why may come after the failure itself */
  MAX_QUEUED = 4,   /* frames between the caller and the encoder */
  STUCK_SECONDS = 120,
  USUAL_SIDE = 512 /* px, which every encoder takes */
};

typedef struct
{
  AtomicFile file;
  char *comment;        /* with the recipe; or NULL */
  char *faststart_path; /* where mp4mux keeps the pictures until the end; or NULL */
  const FilmOptions *options;
  const EncoderSet *set;
  const EncoderChoice *choice;
  FilmInfo info; /* of the frames that come; n_frames: so far */
  YuvLayout layout;
  GstVideoInfo video; /* of the planes */
  GstElement *pipeline, *source, *encoder, *parser, *muxer, *sink;
  GstBus *bus;
  GMutex lock;
  GCond moved; /* a buffer passed somewhere */
  atomic_uint_fast64_t n_passed;
  Watchdog dog;
  bool ended;         /* all is in the file */
  bool has_ruled_out; /* its encoder */
  FilmWriter *writer;
} EncodeFilm;

/* ---- probes, on GStreamer's threads ---- */

static GstPadProbeReturn
count_cb (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  EncodeFilm *e = data;
  atomic_fetch_add (&e->n_passed, 1);
  g_mutex_lock (&e->lock);
  g_cond_signal (&e->moved);
  g_mutex_unlock (&e->lock);
  return GST_PAD_PROBE_OK;
}

static void
tag_av1 (GstPadProbeInfo *info, GstBuffer *buffer)
{
  GstMapInfo in, out;
  if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT) ||
      !gst_buffer_map (buffer, &in, GST_MAP_READ))
    return;
  GstBuffer *tagged = gst_buffer_new_allocate (NULL, in.size + AV1_TAG_BYTES, NULL);
  bool done = gst_buffer_map (tagged, &out, GST_MAP_WRITE);
  if (done)
    {
      done = av1_add_colour (out.data, in.data, in.size);
      gst_buffer_unmap (tagged, &out);
    }
  gst_buffer_unmap (buffer, &in);
  if (!done)
    {
      gst_buffer_unref (tagged);
      return;
    }
  gst_buffer_copy_into (tagged, buffer, GST_BUFFER_COPY_METADATA, 0, -1);
  GST_PAD_PROBE_INFO_DATA (info) = tagged;
  gst_buffer_unref (buffer);
}

static void
tag_prores (GstPadProbeInfo *info, GstBuffer *buffer)
{
  GstMapInfo map;
  buffer = gst_buffer_make_writable (buffer);
  if (gst_buffer_map (buffer, &map, GST_MAP_READWRITE))
    {
      prores_add_colour (map.data, map.size);
      gst_buffer_unmap (buffer, &map);
    }
  GST_PAD_PROBE_INFO_DATA (info) = buffer;
}

static GstPadProbeReturn
tag_cb (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  const EncodeFilm *e = data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  if (e->options->format == FILM_PRORES)
    tag_prores (info, buffer);
  else
    tag_av1 (info, buffer);
  return GST_PAD_PROBE_OK;
}

static void
add_probe (GstElement *element, GstPadProbeCallback callback, EncodeFilm *e)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "src");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, callback, e, NULL);
}

/* ---- errors ---- */

static bool
disk_full (const EncodeFilm *e, Status *status)
{
  return status_fail (status, STATUS_IO, "Cannot write \"%.300s\": the disk is full.",
                      e->file.path);
}

/* Cards lose their encoders in the middle, too: to sleep, to other programs, to a driver's fault.
 */
static void
rule_out (EncodeFilm *e)
{
  if (!e->choice->hardware)
    return;
  encoder_rule_out (e->choice, e->options->full_chroma, GST_VIDEO_INFO_WIDTH (&e->video),
                    GST_VIDEO_INFO_HEIGHT (&e->video));
  e->has_ruled_out = true;
  if (e->writer)
    e->writer->has_ruled_out = true;
}

/* GStreamer says what went wrong in the system in its debug text alone. */
static bool
is_no_space (const GError *error, const char *debug)
{
  static const int numbers[] = { ENOSPC, EFBIG, EDQUOT };
  if (g_error_matches (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT))
    return true;
  for (size_t i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (debug && strstr (debug, g_strerror (numbers[i])))
      return true;
  return false;
}

static bool
fail_of_message (EncodeFilm *e, GstMessage *message, Status *status)
{
  GstObject *encoder = GST_OBJECT (e->encoder);
  g_autoptr (GError) error = NULL;
  g_autofree char *debug = NULL;
  char reason[VIDEO_REASON_SIZE];
  gst_message_parse_error (message, &error, &debug);
  video_reason (reason, error->message);
  if (is_no_space (error, debug))
    return disk_full (e, status);
  if (GST_MESSAGE_SRC (message) == encoder ||
      gst_object_has_as_ancestor (GST_MESSAGE_SRC (message), encoder))
    rule_out (e);
  if (error->domain == GST_RESOURCE_ERROR)
    return status_fail (status, STATUS_IO, "Cannot write \"%.200s\": %s.", e->file.path, reason);
  return status_fail (status, STATUS_IO, "Cannot write \"%.200s\": the encoder %s failed (%s).",
                      e->file.path, e->choice->factory, reason);
}

/* Waits up to @wait_ms for a message; each is looked at, for the bus gives it only once.  Returns:
 * false and a status when it failed */
static bool
look_at_bus (EncodeFilm *e, int wait_ms, Status *status)
{
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
      e->bus, (GstClockTime) wait_ms * GST_MSECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    return fail_of_message (e, message, status);
  e->ended |= message != NULL;
  return true;
}

/* Whether to go on waiting. */
static bool
check (EncodeFilm *e, int wait_ms, Status *status)
{
  if (!look_at_bus (e, wait_ms, status))
    return false;
  if (e->options->cancel && atomic_load (e->options->cancel))
    return status_fail (status, STATUS_CANCELLED, "Cancelled.");
  if (!watchdog_is_stuck (&e->dog, atomic_load (&e->n_passed), g_get_monotonic_time ()))
    return true;
  rule_out (e);
  return status_fail (status, STATUS_IO,
                      "Cannot write \"%.200s\": the encoder %s stopped; choose another format.",
                      e->file.path, e->choice->factory);
}

/* ---- frames ---- */

static bool
wait_for_room (EncodeFilm *e, Status *status)
{
  guint64 most = (guint64) MAX_QUEUED * GST_VIDEO_INFO_SIZE (&e->video);
  watchdog_rest (&e->dog);
  while (check (e, 0, status))
    {
      g_mutex_lock (&e->lock);
      bool full = gst_app_src_get_current_level_bytes (GST_APP_SRC (e->source)) >= most;
      if (full)
        g_cond_wait_until (&e->moved, &e->lock,
                           g_get_monotonic_time () + WAIT_MS * G_TIME_SPAN_MILLISECOND);
      g_mutex_unlock (&e->lock);
      if (!full)
        return true;
    }
  return false;
}

static bool
fill_buffer (const EncodeFilm *e, GstBuffer *buffer, const uint8_t *rgb)
{
  GstVideoFrame frame;
  if (!gst_video_frame_map (&frame, &e->video, buffer, GST_MAP_WRITE))
    return false;
  YuvPlanes planes = { 0 };
  for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES (&frame); i++)
    {
      planes.data[i] = GST_VIDEO_FRAME_PLANE_DATA (&frame, i);
      planes.stride_bytes[i] = (size_t) GST_VIDEO_FRAME_PLANE_STRIDE (&frame, i);
    }
  yuv_from_rgb (rgb, e->info.width, e->info.height, e->layout, &planes,
                GST_VIDEO_INFO_WIDTH (&e->video), GST_VIDEO_INFO_HEIGHT (&e->video));
  gst_video_frame_unmap (&frame);
  return true;
}

/* Rounded up: encoders divide by the frame's duration and cut, and 2/3 of a tick less would give
 * two frames of 30000/1001 the same number. */
static GstClockTime
start_of (FrameRate rate, int n)
{
  return gst_util_uint64_scale_ceil ((guint64) n, GST_SECOND * (guint64) rate.den,
                                     (guint64) rate.num);
}

static bool
encode_add (void *self, const uint8_t *rgb, Status *status)
{
  EncodeFilm *e = self;
  if (!wait_for_room (e, status))
    return false;
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (&e->video), NULL);
  if (!buffer || !fill_buffer (e, buffer, rgb))
    {
      gst_clear_buffer (&buffer);
      return status_fail (status, STATUS_NO_MEMORY,
                          "Out of memory: close other programs and retry.");
    }
  int n = e->info.n_frames++;
  GST_BUFFER_PTS (buffer) = start_of (e->info.rate, n);
  GST_BUFFER_DURATION (buffer) = start_of (e->info.rate, n + 1) - GST_BUFFER_PTS (buffer);
  GstFlowReturn flow = gst_app_src_push_buffer (GST_APP_SRC (e->source), buffer);
  return flow == GST_FLOW_OK ||
         (check (e, REASON_MS, status) &&
          status_fail (status, STATUS_IO, "Cannot write \"%.200s\": the encoder %s stopped.",
                       e->file.path, e->choice->factory));
}

static bool
is_matroska (FilmFormat format)
{
  return format == FILM_VP9 || format == FILM_WEBM || format == FILM_FFV1;
}

static bool
encode_finish (void *self, Status *status)
{
  EncodeFilm *e = self;
  watchdog_rest (&e->dog);
  gst_app_src_end_of_stream (GST_APP_SRC (e->source));
  while (!e->ended)
    if (!check (e, WAIT_MS, status))
      return false;
  gst_element_set_state (e->pipeline, GST_STATE_NULL); /* closes the file */
  if (is_matroska (e->options->format) && e->comment &&
      !matroska_set_comment (&e->file, e->comment, status) && !status_ok (status))
    return false;
  return atomic_file_commit (&e->file, e->options->overwrite, status);
}

static void
encode_close (void *self)
{
  EncodeFilm *e = self;
  if (e->pipeline)
    {
      gst_element_set_state (e->pipeline, GST_STATE_NULL);
      gst_clear_object (&e->bus);
      gst_clear_object (&e->pipeline);
    }
  if (e->faststart_path)
    unlink (e->faststart_path);
  g_free (e->faststart_path);
  g_free (e->comment);
  atomic_file_discard (&e->file);
  g_mutex_clear (&e->lock);
  g_cond_clear (&e->moved);
  mem_free (e);
}

/* ---- the pipeline ---- */

static bool
not_installed (const EncoderSet *set, Status *status)
{
  return status_fail (status, STATUS_UNSUPPORTED,
                      "%s cannot be written here: install the package %s.", set->title,
                      set->package);
}

/* Returns: borrowed from the pipeline; NULL when it is not installed */
static GstElement *
add_element (EncodeFilm *e, const char *factory)
{
  GstElement *element = gst_element_factory_make (factory, NULL);
  if (element)
    gst_bin_add (GST_BIN (e->pipeline), element);
  return element;
}

static bool
make_elements (EncodeFilm *e, Status *status)
{
  const EncoderSet *set = e->set;
  e->pipeline = gst_object_ref_sink (gst_pipeline_new (NULL));
  e->bus = gst_element_get_bus (e->pipeline);
  e->source = add_element (e, "appsrc");
  e->sink = add_element (e, "filesink");
  if (!e->source || !e->sink)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "Films cannot be written here: install the package %s.",
                        e->sink ? "gstreamer1.0-plugins-base" : "libgstreamer1.0-0");
  e->encoder = add_element (e, e->choice->factory);
  e->parser = set->parser ? add_element (e, set->parser) : NULL;
  e->muxer = add_element (e, set->muxer);
  if (!e->muxer)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "%s cannot be written here: install the package %s.", set->title,
                        "gstreamer1.0-plugins-good");
  return e->encoder || not_installed (set, status);
}

/* Matroska's tags are replaced at the end, and need the room. */
static void
set_recipe (EncodeFilm *e)
{
  const char *recipe = e->options->recipe;
  GstTagSetter *tags = GST_TAG_SETTER (e->muxer);
  gst_tag_setter_set_tag_merge_mode (tags, GST_TAG_MERGE_REPLACE);
  gst_tag_setter_add_tags (tags, GST_TAG_MERGE_REPLACE, GST_TAG_APPLICATION_NAME, "Gesso", NULL);
  if (!recipe)
    return;
  e->comment = g_strconcat ("gesso:", recipe, NULL);
  g_autofree char *longer = g_strconcat (e->comment, matroska_room, NULL);
  gst_tag_setter_add_tags (tags, GST_TAG_MERGE_REPLACE, GST_TAG_COMMENT,
                           is_matroska (e->options->format) ? longer : e->comment, NULL);
}

static void
configure (EncodeFilm *e, GstCaps *caps)
{
  g_object_set (e->source, "caps", caps, "format", GST_FORMAT_TIME, "block", FALSE, "max-bytes",
                G_GUINT64_CONSTANT (0), NULL);
  g_object_set (e->sink, "location", e->file.temp_path, "sync", FALSE, "async", FALSE, NULL);
  encoder_set_properties (e->encoder, e->choice->properties[e->options->quality]);
  encoder_set_properties (e->muxer, e->set->muxer_properties);
  if (strstr (e->set->muxer_properties, "faststart"))
    {
      e->faststart_path = g_strconcat (e->file.temp_path, ".data", NULL);
      g_object_set (e->muxer, "faststart-file", e->faststart_path, NULL);
    }
  if (g_strcmp0 (e->choice->factory, "vp9enc") == 0) /* its own ticks are too coarse for 1001 */
    encoder_set_properties (e->encoder, "timebase=1/90000");
  set_recipe (e);
}

static bool
link_all (EncodeFilm *e, Status *status)
{
  g_autoptr (GstCaps) parsed =
      e->parser && e->set->parsed_caps ? gst_caps_from_string (e->set->parsed_caps) : NULL;
  GstElement *before_muxer = e->parser ? e->parser : e->encoder;
  bool ok = gst_element_link (e->source, e->encoder) &&
            (!e->parser || gst_element_link (e->encoder, e->parser)) &&
            gst_element_link_filtered (before_muxer, e->muxer, parsed) &&
            gst_element_link (e->muxer, e->sink);
  return ok || status_fail (status, STATUS_UNSUPPORTED,
                            "The encoder %s does not fit to %s here: install the package %s.",
                            e->choice->factory, e->set->muxer, "gstreamer1.0-plugins-bad");
}

static void
watch (EncodeFilm *e)
{
  FilmFormat format = e->options->format;
  if (format == FILM_AV1 || format == FILM_WEBM || format == FILM_PRORES)
    add_probe (e->encoder, tag_cb, e);
  add_probe (e->source, count_cb, e);
  add_probe (e->encoder, count_cb, e);
  add_probe (e->muxer, count_cb, e);
  e->dog.limit_us = (int64_t) STUCK_SECONDS * G_USEC_PER_SEC;
}

static bool
start (EncodeFilm *e, Status *status)
{
  bool halved = e->layout == YUV_I420 || e->layout == YUV_NV12;
  bool even = halved && !e->choice->odd_sizes;
  int width = even ? (e->info.width + 1) & ~1 : e->info.width;
  int height = even ? (e->info.height + 1) & ~1 : e->info.height;
  g_autoptr (GstCaps) caps = encoder_caps (e->layout, width, height, e->info.rate);
  gst_video_info_from_caps (&e->video, caps);
  if (!make_elements (e, status))
    return false;
  configure (e, caps);
  if (!link_all (e, status))
    {
      rule_out (e);
      return false;
    }
  watch (e);
  gst_element_set_state (e->pipeline, GST_STATE_PLAYING);
  return true;
}

static void
note_changes (FilmWriter *writer, EncodeFilm *e)
{
  int width = GST_VIDEO_INFO_WIDTH (&e->video), height = GST_VIDEO_INFO_HEIGHT (&e->video);
  e->writer = writer;
  writer->encoder = e->choice->factory;
  if (width != e->info.width || height != e->info.height)
    g_snprintf (writer->note, sizeof writer->note,
                status_text ("%s needs even sides: %d x %d px became %d x %d by repeating the "
                             "edge; 4:4:4 keeps the size."),
                e->set->title, e->info.width, e->info.height, width, height);
}

/* Why none of @set's encoders can be taken. */
static void
fail_of_choices (const EncoderSet *set, const FilmInfo *info, bool full, Status *status)
{
  if (full && encoder_choose (set->choices, false, info->width, info->height))
    status_fail (status, STATUS_UNSUPPORTED,
                 "%s with full colour (4:4:4) cannot be written here: choose 4:2:0.", set->title);
  else if (encoder_choose (set->choices, false, USUAL_SIDE, USUAL_SIDE))
    status_fail (status, STATUS_UNSUPPORTED,
                 "%s cannot be written here with %d x %d px: choose another format.", set->title,
                 info->width, info->height);
  else
    not_installed (set, status);
}

FilmWriter *
film_encode_new_with (const EncoderSet *set,
                      const char *path,
                      const FilmInfo *info,
                      const FilmOptions *options,
                      Status *status)
{
  static const FilmWriterKind kind = { encode_add, encode_finish, encode_close };
  bool full = options->full_chroma;
  const EncoderChoice *choice = encoder_choose (set->choices, full, info->width, info->height);
  if (!choice)
    {
      fail_of_choices (set, info, full, status);
      return NULL;
    }
  EncodeFilm *e = mem_calloc (1, sizeof *e);
  if (!e)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  *e = (EncodeFilm){ .options = options,
                     .set = set,
                     .choice = choice,
                     .info = *info,
                     .layout = encoder_layout (choice, full) };
  e->info.n_frames = 0;
  g_mutex_init (&e->lock);
  g_cond_init (&e->moved);
  if (!atomic_file_open (&e->file, path, status) || !start (e, status))
    {
      bool has_another = e->has_ruled_out;
      encode_close (e);
      if (!has_another)
        return NULL;
      *status = (Status){ 0 };
      return film_encode_new_with (set, path, info, options, status);
    }
  FilmWriter *writer = film_writer_new (&kind, e, info, options, status);
  if (writer)
    note_changes (writer, e);
  return writer;
}

FilmWriter *
film_encode_new (const char *path, const FilmInfo *info, const FilmOptions *options, Status *status)
{
  if (!video_start (status) || !frames_check_limits (info, NULL, path, status))
    return NULL;
  if (!frame_rate_is_valid (info->rate))
    {
      status_fail (status, STATUS_ARGUMENT, "A film needs a frame rate: name one.");
      return NULL;
    }
  return film_encode_new_with (encoder_set (options->format), path, info, options, status);
}

bool
film_can_write (FilmFormat format, const char **package)
{
  Status status = { 0 };
  const EncoderSet *set = encoder_set (format);
  if (!set)
    return true;
  if (package)
    *package = set->package;
  if (!video_start (&status))
    return false;
  g_autoptr (GstElementFactory) muxer = gst_element_factory_find (set->muxer);
  if (!muxer && package)
    *package = "gstreamer1.0-plugins-good";
  return muxer && encoder_choose (set->choices, false, USUAL_SIDE, USUAL_SIDE);
}
