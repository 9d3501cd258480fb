/* SPDX-License-Identifier: MPL-2.0
 * decode-pipeline.c - which plugins a file may call up, and what their messages mean.
 *
 * A film is hostile until it is proven otherwise.  Left alone, decodebin would follow a play list
 * into the network and try every plugin there is.  So the demuxer is chosen here, by the file's
 * first bytes, and decodebin only gets the stream of pictures, for which it may take parsers and
 * decoders in software; the size is looked at before a decoder makes room for it.  (It also drops
 * errors of demuxers that come early, and then waits for ever.)
 */
#include "media/video/decode-pipeline.h"

#include <gst/pbutils/missing-plugins.h>
#include <gst/video/video.h>
#include <string.h>

#include "media/video/reason.h"

enum
{
  MAX_BUFFERS = 3,
  /* decodebin's GstAutoplugSelectResult, which no header declares */
  AUTOPLUG_TRY = 0,
  AUTOPLUG_SKIP = 2
};

static int
select_cb (GstElement *bin, GstPad *pad, GstCaps *caps, GstElementFactory *factory, gpointer data)
{
  static const char *const refused[] = { "Adaptive", "Network", "Hardware", "Source", "Sink" };
  const char *class = gst_element_factory_get_metadata (factory, GST_ELEMENT_METADATA_KLASS);
  for (guint i = 0; class && i < G_N_ELEMENTS (refused); i++)
    if (strstr (class, refused[i]))
      return AUTOPLUG_SKIP;
  return AUTOPLUG_TRY;
}

/* Returns: FALSE lets decodebin leave the stream as it is */
static gboolean
continue_cb (GstElement *bin, GstPad *pad, GstCaps *caps, gpointer data)
{
  DecodePipeline *p = data;
  int width = 0, height = 0;
  const GstStructure *s =
      gst_caps_is_any (caps) || gst_caps_is_empty (caps) ? NULL : gst_caps_get_structure (caps, 0);
  if (!s)
    return TRUE;
  if (g_str_has_prefix (gst_structure_get_name (s), "audio/"))
    return FALSE;
  if (!gst_structure_get_int (s, "width", &width) ||
      !gst_structure_get_int (s, "height", &height) || (int64_t) width * height <= p->max_pixels)
    return TRUE;
  atomic_store (&p->too_wide, width);
  atomic_store (&p->too_high, height);
  return FALSE;
}

static bool
is_of (GstPad *pad, const char *type, const char *other_type)
{
  g_autoptr (GstCaps) current = gst_pad_get_current_caps (pad);
  g_autoptr (GstCaps) caps = current ? gst_caps_ref (current) : gst_pad_query_caps (pad, NULL);
  if (gst_caps_is_empty (caps) || gst_caps_is_any (caps))
    return false;
  const char *name = gst_structure_get_name (gst_caps_get_structure (caps, 0));
  return g_str_has_prefix (name, type) || g_str_has_prefix (name, other_type);
}

static void
link_to (GstPad *pad, GstElement *element)
{
  g_autoptr (GstPad) sink = gst_element_get_static_pad (element, "sink");
  if (!gst_pad_is_linked (sink))
    gst_pad_link (pad, sink);
}

/* Of several streams the first is shown. */
static void
stream_added_cb (GstElement *demuxer, GstPad *pad, gpointer data)
{
  DecodePipeline *p = data;
  if (is_of (pad, "video/", "image/"))
    link_to (pad, p->decoders);
}

static void
all_streams_cb (GstElement *demuxer, gpointer data)
{
  DecodePipeline *p = data;
  g_autoptr (GstPad) sink = gst_element_get_static_pad (p->decoders, "sink");
  if (!gst_pad_is_linked (sink))
    atomic_store (&p->no_video, true);
}

static void
decoded_cb (GstElement *bin, GstPad *pad, gpointer data)
{
  DecodePipeline *p = data;
  if (is_of (pad, "video/x-raw", "video/x-raw"))
    link_to (pad, p->first);
}

static int
orientation_of (const char *text)
{
  static const char *const names[] = { "rotate-0",        "flip-rotate-0",   "rotate-180",
                                       "flip-rotate-180", "flip-rotate-270", "rotate-90",
                                       "flip-rotate-90",  "rotate-270" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (names[i], text) == 0)
      return (int) i + 1;
  return 1;
}

/* Tags reach the end before the first frame. */
static GstPadProbeReturn
event_cb (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  DecodePipeline *p = data;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  GstTagList *tags = NULL;
  g_autofree char *text = NULL;
  if (GST_EVENT_TYPE (event) != GST_EVENT_TAG)
    return GST_PAD_PROBE_OK;
  gst_event_parse_tag (event, &tags);
  if (gst_tag_list_get_string (tags, GST_TAG_IMAGE_ORIENTATION, &text))
    atomic_store (&p->orientation, orientation_of (text));
  return GST_PAD_PROBE_OK;
}

/* Before the conversion, which would drop what the numbers mean. */
static GstPadProbeReturn
caps_cb (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  DecodePipeline *p = data;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  GstCaps *caps = NULL;
  GstVideoInfo video;
  if (GST_EVENT_TYPE (event) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  gst_event_parse_caps (event, &caps);
  if (gst_video_info_from_caps (&video, caps) &&
      (video.colorimetry.transfer == GST_VIDEO_TRANSFER_SMPTE2084 ||
       video.colorimetry.transfer == GST_VIDEO_TRANSFER_ARIB_STD_B67))
    atomic_store (&p->hdr, true);
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
read_cb (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  atomic_fetch_add (&((DecodePipeline *) data)->n_reads, 1);
  return GST_PAD_PROBE_OK;
}

static GstElement *
add (DecodePipeline *p, const char *factory)
{
  GstElement *element = gst_element_factory_make (factory, NULL);
  if (element)
    gst_bin_add (GST_BIN (p->pipeline), element);
  return element;
}

static void
configure (DecodePipeline *p, GstElement *source)
{
  g_autoptr (GstCaps) raw = gst_caps_from_string ("video/x-raw(ANY)");
  g_autoptr (GstCaps) rgb =
      gst_caps_from_string ("video/x-raw,format=ARGB64,pixel-aspect-ratio=1/1");
  g_object_set (source, "location", p->path, NULL);
  g_object_set (p->decoders, "caps", raw, "expose-all-streams", FALSE, NULL);
  gst_util_set_object_arg (G_OBJECT (p->first), "dither", "none");
  g_object_set (p->sink, "caps", rgb, "sync", FALSE, "max-buffers", MAX_BUFFERS, NULL);
  g_signal_connect (p->decoders, "autoplug-select", G_CALLBACK (select_cb), p);
  g_signal_connect (p->decoders, "autoplug-continue", G_CALLBACK (continue_cb), p);
  g_signal_connect (p->decoders, "pad-added", G_CALLBACK (decoded_cb), p);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (GST_ELEMENT (p->sink), "sink");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, event_cb, p, NULL);
  g_autoptr (GstPad) decoded = gst_element_get_static_pad (p->first, "sink");
  gst_pad_add_probe (decoded, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, caps_cb, p, NULL);
  g_autoptr (GstPad) file = gst_element_get_static_pad (source, "src");
  gst_pad_add_probe (file, GST_PAD_PROBE_TYPE_PULL | GST_PAD_PROBE_TYPE_BUFFER, read_cb, p, NULL);
}

static bool
add_demuxer (DecodePipeline *p, GstElement *source, Status *status)
{
  static const struct
  {
    const char *factory, *package;
  } demuxers[] = { [FILM_FILE_MP4] = { "qtdemux", "gstreamer1.0-plugins-good" },
                   [FILM_FILE_MATROSKA] = { "matroskademux", "gstreamer1.0-plugins-good" },
                   [FILM_FILE_AVI] = { "avidemux", "gstreamer1.0-plugins-good" },
                   [FILM_FILE_OGG] = { "oggdemux", "gstreamer1.0-plugins-base" },
                   [FILM_FILE_FLV] = { "flvdemux", "gstreamer1.0-plugins-good" },
                   [FILM_FILE_ASF] = { "asfdemux", "gstreamer1.0-plugins-ugly" },
                   [FILM_FILE_IVF] = { "ivfparse", "gstreamer1.0-plugins-bad" },
                   [FILM_FILE_MPEG_PS] = { "mpegpsdemux", "gstreamer1.0-plugins-bad" },
                   [FILM_FILE_MPEG_TS] = { "tsdemux", "gstreamer1.0-plugins-bad" } };
  p->demuxer = p->kind < G_N_ELEMENTS (demuxers) && demuxers[p->kind].factory
                   ? add (p, demuxers[p->kind].factory)
                   : NULL;
  if (!p->demuxer)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "Cannot read \"%.300s\": install the package %s.", p->path,
                        demuxers[p->kind].package);
  g_signal_connect (p->demuxer, "pad-added", G_CALLBACK (stream_added_cb), p);
  g_signal_connect (p->demuxer, "no-more-pads", G_CALLBACK (all_streams_cb), p);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (p->demuxer, "src");
  if (pad)
    link_to (pad, p->decoders);
  return gst_element_link (source, p->demuxer);
}

/* The demuxer last.  What is not linked yet would else be started in any order, and a stream that
 * comes to an element that still sleeps is given up without a word. */
static void
play (DecodePipeline *p, GstElement *source)
{
  GstElement *const late[] = { p->demuxer, source };
  for (guint i = 0; i < G_N_ELEMENTS (late); i++)
    gst_element_set_locked_state (late[i], TRUE);
  gst_element_set_state (p->pipeline, GST_STATE_PAUSED);
  for (guint i = 0; i < G_N_ELEMENTS (late); i++)
    {
      gst_element_set_locked_state (late[i], FALSE);
      gst_element_sync_state_with_parent (late[i]);
    }
  gst_element_set_state (p->pipeline, GST_STATE_PLAYING);
}

bool
decode_pipeline_start (DecodePipeline *p, Status *status)
{
  p->pipeline = gst_object_ref_sink (gst_pipeline_new (NULL));
  p->bus = gst_element_get_bus (p->pipeline);
  GstElement *source = add (p, "filesrc");
  p->decoders = add (p, "decodebin");
  p->first = add (p, "videoconvert");
  GstElement *scale = add (p, "videoscale"), *sink = add (p, "appsink");
  bool ok =
      (source && p->decoders && p->first && scale && sink) ||
      status_fail (status, STATUS_UNSUPPORTED, "Films cannot be read here: install the package %s.",
                   "gstreamer1.0-plugins-base");
  if (ok)
    {
      p->sink = GST_APP_SINK (sink);
      configure (p, source);
      ok = add_demuxer (p, source, status);
    }
  if (!ok)
    {
      decode_pipeline_stop (p);
      return false;
    }
  gst_element_link_many (p->first, scale, sink, NULL);
  play (p, source);
  return true;
}

void
decode_pipeline_stop (DecodePipeline *p)
{
  if (!p->pipeline)
    return;
  gst_element_set_state (p->pipeline, GST_STATE_NULL);
  gst_clear_object (&p->bus);
  gst_clear_object (&p->pipeline);
  p->demuxer = p->decoders = p->first = NULL;
  p->sink = NULL;
}

static bool
fail_of_error (DecodePipeline *p, GstMessage *message, Status *status)
{
  g_autoptr (GError) error = NULL;
  char reason[VIDEO_REASON_SIZE];
  gst_message_parse_error (message, &error, NULL);
  video_reason (reason, error->message);
  bool no_plugin = g_error_matches (error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN) ||
                   g_error_matches (error, GST_STREAM_ERROR, GST_STREAM_ERROR_CODEC_NOT_FOUND);
  if (*p->missing || no_plugin)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "Cannot read \"%.200s\": no decoder for %.100s is installed; install the "
                        "packages gstreamer1.0-libav and gstreamer1.0-plugins-bad.",
                        p->path, *p->missing ? p->missing : "its kind of film");
  return status_fail (status, STATUS_FORMAT, "Cannot read \"%.200s\": the film is damaged (%s).",
                      p->path, reason);
}

/* What was seen in the file explains better than the error that comes of it. */
static bool
fail_of_contents (DecodePipeline *p, Status *status)
{
  int width = atomic_load (&p->too_wide);
  if (width)
    status_fail (status, STATUS_UNSUPPORTED,
                 "\"%.200s\" has frames of %d x %d px, more than can be read: scale it down first.",
                 p->path, width, atomic_load (&p->too_high));
  else if (atomic_load (&p->hdr))
    status_fail (status, STATUS_UNSUPPORTED,
                 "\"%.300s\" is an HDR film (PQ or HLG): convert it to BT.709 first.", p->path);
  else if (atomic_load (&p->no_video))
    status_fail (status, STATUS_UNSUPPORTED, "There are no pictures in \"%.300s\".", p->path);
  return status_ok (status);
}

bool
decode_pipeline_check (DecodePipeline *p, Status *status)
{
  for (;;)
    {
      g_autoptr (GstMessage) message =
          gst_bus_pop_filtered (p->bus, GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT);
      if (!fail_of_contents (p, status) || !message)
        return status_ok (status);
      if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
        return fail_of_error (p, message, status);
      if (gst_is_missing_plugin_message (message) && !*p->missing)
        {
          g_autofree char *what = gst_missing_plugin_message_get_description (message);
          g_strlcpy (p->missing, what, sizeof p->missing);
        }
    }
}
