/* SPDX-License-Identifier: MPL-2.0
 * encoders.c - the table of encoders, and trying those that may not work.
 *
 * Hardware encoders are in the registry when a driver is there, which says little about whether
 * they work for this size and layout: too old a card, too small a picture, all sessions in use.
 */
#include "media/video/encoders.h"

#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>
#include <string.h>

enum
{
  N_PROBE_FRAMES = 3,
  PROBE_SECONDS = 10,
  N_REMEMBERED = 64,
  SVT_SURE_PX = 64 /* SVT-AV1 2.3 takes no shorter side */
};

#define COMMON_X264 "key-int-max=48 bframes=2 "
#define COMMON_X265 "key-int-max=48 "
/* No lag: at the end libvpx gives what waits only while it fills half of a buffer that small frames
 * make small, and vp9enc asks once: the last frames were lost. */
#define COMMON_VP9                                                                                 \
  "end-usage=cq target-bitrate=400000000 keyframe-max-dist=48 row-mt=true threads=0 "              \
  "lag-in-frames=0 "
#define COMMON_AV1 "end-usage=vbr target-bitrate=400000 keyframe-max-dist=48 row-mt=true threads=0 "

static const EncoderChoice h264[] = {
  { "nvh264enc",
    true,
    false,
    YUV_NV12,
    YUV_Y444,
    { "rc-mode=constqp qp-const=28 gop-size=48", "rc-mode=constqp qp-const=20 gop-size=48",
      "rc-mode=constqp qp-const=14 gop-size=48" } },
  { "vah264enc",
    true,
    false,
    YUV_NV12,
    YUV_NONE,
    { "rate-control=cqp qpi=28 qpp=28 qpb=30", "rate-control=cqp qpi=20 qpp=20 qpb=22",
      "rate-control=cqp qpi=14 qpp=14 qpb=16" } },
  { "qsvh264enc",
    true,
    false,
    YUV_NV12,
    YUV_NONE,
    { "rate-control=cqp qp-i=28 qp-p=28 qp-b=30", "rate-control=cqp qp-i=20 qp-p=20 qp-b=22",
      "rate-control=cqp qp-i=14 qp-p=14 qp-b=16" } },
  { "x264enc",
    false,
    false,
    YUV_I420,
    YUV_Y444,
    { COMMON_X264 "pass=qual quantizer=26 speed-preset=veryfast",
      COMMON_X264 "pass=qual quantizer=18 speed-preset=medium",
      COMMON_X264 "pass=qual quantizer=12 speed-preset=slow" } },
  { "openh264enc",
    false,
    false,
    YUV_I420,
    YUV_NONE,
    { "rate-control=quality bitrate=4000000 gop-size=48 complexity=low",
      "rate-control=quality bitrate=16000000 gop-size=48 qp-max=24 complexity=medium",
      "rate-control=quality bitrate=40000000 gop-size=48 qp-max=16 complexity=high" } },
  { NULL },
};

static const EncoderChoice h265[] = {
  { "nvh265enc",
    true,
    false,
    YUV_NV12,
    YUV_Y444,
    { "rc-mode=constqp qp-const=30 gop-size=48", "rc-mode=constqp qp-const=22 gop-size=48",
      "rc-mode=constqp qp-const=16 gop-size=48" } },
  { "vah265enc",
    true,
    false,
    YUV_NV12,
    YUV_NONE,
    { "rate-control=cqp qpi=30 qpp=30 qpb=32", "rate-control=cqp qpi=22 qpp=22 qpb=24",
      "rate-control=cqp qpi=16 qpp=16 qpb=18" } },
  { "qsvh265enc",
    true,
    false,
    YUV_NV12,
    YUV_NONE,
    { "rate-control=cqp qp-i=30 qp-p=30 qp-b=32", "rate-control=cqp qp-i=22 qp-p=22 qp-b=24",
      "rate-control=cqp qp-i=16 qp-p=16 qp-b=18" } },
  { "x265enc",
    false,
    false,
    YUV_I420,
    YUV_Y444,
    { COMMON_X265 "speed-preset=ultrafast option-string=crf=28:log-level=0",
      COMMON_X265 "speed-preset=fast option-string=crf=20:log-level=0",
      COMMON_X265 "speed-preset=slow option-string=crf=14:log-level=0" } },
  { NULL },
};

static const EncoderChoice av1[] = {
  { "nvav1enc",
    true,
    false,
    YUV_NV12,
    YUV_NONE,
    { "rc-mode=constqp qp-const=140 gop-size=48", "rc-mode=constqp qp-const=90 gop-size=48",
      "rc-mode=constqp qp-const=50 gop-size=48" } },
  { "vaav1enc",
    true,
    false,
    YUV_NV12,
    YUV_NONE,
    { "rate-control=cqp qp=140", "rate-control=cqp qp=90", "rate-control=cqp qp=50" } },
  { "qsvav1enc",
    true,
    false,
    YUV_NV12,
    YUV_NONE,
    { "rate-control=cqp qp-i=140 qp-p=140", "rate-control=cqp qp-i=90 qp-p=90",
      "rate-control=cqp qp-i=50 qp-p=50" } },
  { "svtav1enc",
    false,
    false,
    YUV_I420,
    YUV_NONE,
    { "preset=10 crf=38 intra-period-length=48", "preset=7 crf=25 intra-period-length=48",
      "preset=5 crf=16 intra-period-length=48" },
    SVT_SURE_PX },
  { "av1enc",
    false,
    true,
    YUV_I420,
    YUV_Y444,
    { COMMON_AV1 "cpu-used=8 min-quantizer=36 max-quantizer=36",
      COMMON_AV1 "cpu-used=6 min-quantizer=22 max-quantizer=22",
      COMMON_AV1 "cpu-used=4 min-quantizer=12 max-quantizer=12" } },
  { NULL },
};

static const EncoderChoice vp9[] = {
  { "vavp9enc",
    true,
    false,
    YUV_NV12,
    YUV_NONE,
    { "rate-control=cqp qpi=120 qpp=120", "rate-control=cqp qpi=70 qpp=70",
      "rate-control=cqp qpi=40 qpp=40" } },
  { "vp9enc",
    false,
    true,
    YUV_I420,
    YUV_Y444,
    { COMMON_VP9 "deadline=1 cpu-used=8 cq-level=36",
      COMMON_VP9 "deadline=1000000 cpu-used=5 cq-level=22",
      COMMON_VP9 "deadline=1000000 cpu-used=2 cq-level=12" } },
  { NULL },
};

static const EncoderChoice ffv1[] = {
  { "avenc_ffv1", false, true, YUV_BGRX, YUV_BGRX, { "gop-size=1", "gop-size=1", "gop-size=1" } },
  { NULL },
};

static const EncoderChoice prores[] = {
  { "avenc_prores_ks", false, true, YUV_I422_10, YUV_Y444_10, { "", "", "" } },
  { "avenc_prores", false, true, YUV_I422_10, YUV_NONE, { "", "", "" } },
  { NULL },
};

#define MP4 "mp4mux", "faststart=true"
#define PLUGINS_BAD "gstreamer1.0-plugins-bad"
#define PLUGINS_GOOD "gstreamer1.0-plugins-good"

static const EncoderSet sets[FILM_N_FORMATS] = {
  [FILM_H264] = { h264, "h264parse", "video/x-h264,stream-format=avc,alignment=au", MP4,
                  "gstreamer1.0-plugins-ugly", "H.264" },
  [FILM_H265] = { h265, "h265parse", "video/x-h265,stream-format=hvc1,alignment=au", MP4,
                  PLUGINS_BAD, "H.265" },
  [FILM_AV1] = { av1, "av1parse", NULL, MP4, PLUGINS_BAD, "AV1" },
  [FILM_VP9] = { vp9, NULL, NULL, "webmmux", "", PLUGINS_GOOD, "VP9" },
  [FILM_WEBM] = { av1, "av1parse", NULL, "webmmux", "", PLUGINS_BAD, "AV1" },
  [FILM_FFV1] = { ffv1, NULL, NULL, "matroskamux", "", "gstreamer1.0-libav", "FFV1" },
  [FILM_PRORES] = { prores, NULL, NULL, "qtmux", "faststart=true", "gstreamer1.0-libav", "ProRes" },
};

typedef struct
{
  char key[96];
  bool works;
} Remembered;

static GMutex lock;
static Remembered remembered[N_REMEMBERED];
static int n_remembered;

const EncoderSet *
encoder_set (FilmFormat format)
{
  return sets[format].choices ? &sets[format] : NULL;
}

YuvLayout
encoder_layout (const EncoderChoice *choice, bool full_chroma)
{
  return full_chroma ? choice->full : choice->half;
}

GstCaps *
encoder_caps (YuvLayout layout, int width, int height, FrameRate rate)
{
  static const char *const formats[] = {
    [YUV_I420] = "I420",         [YUV_NV12] = "NV12",         [YUV_Y444] = "Y444",
    [YUV_I422_10] = "I422_10LE", [YUV_Y444_10] = "Y444_10LE", [YUV_BGRX] = "BGRx"
  };
  bool halved = layout == YUV_I420 || layout == YUV_NV12 || layout == YUV_I422_10;
  GstCaps *caps = gst_caps_new_simple (
      "video/x-raw", "format", G_TYPE_STRING, formats[layout], "width", G_TYPE_INT, width, "height",
      G_TYPE_INT, height, "framerate", GST_TYPE_FRACTION, rate.num, rate.den, "pixel-aspect-ratio",
      GST_TYPE_FRACTION, 1, 1, "interlace-mode", G_TYPE_STRING, "progressive", "colorimetry",
      G_TYPE_STRING, layout == YUV_BGRX ? "sRGB" : "bt709", NULL);
  if (halved)
    gst_caps_set_simple (caps, "chroma-site", G_TYPE_STRING, "mpeg2", NULL);
  return caps;
}

void
encoder_set_properties (GstElement *element, const char *properties)
{
  g_auto (GStrv) pairs = g_strsplit (properties, " ", -1);
  for (char **pair = pairs; *pair; pair++)
    {
      char *value = strchr (*pair, '=');
      if (!value)
        continue;
      *value++ = '\0';
      if (g_object_class_find_property (G_OBJECT_GET_CLASS (element), *pair))
        gst_util_set_object_arg (G_OBJECT (element), *pair, value);
    }
}

/* ---- trying ---- */

static void
push_black (GstAppSrc *source, const GstVideoInfo *video)
{
  for (int i = 0; i < N_PROBE_FRAMES; i++)
    {
      GstBuffer *buffer = gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (video), NULL);
      gst_buffer_memset (buffer, 0, 0, GST_VIDEO_INFO_SIZE (video));
      GST_BUFFER_PTS (buffer) = (GstClockTime) i * GST_SECOND / 25;
      GST_BUFFER_DURATION (buffer) = GST_SECOND / 25;
      gst_app_src_push_buffer (source, buffer);
    }
  gst_app_src_end_of_stream (source);
}

static bool
run_probe (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (bus, PROBE_SECONDS * GST_SECOND,
                                                               GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  return message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
}

static bool
try_encoder (const EncoderChoice *choice, YuvLayout layout, int width, int height)
{
  static const FrameRate rate = { 25, 1 };
  GstVideoInfo video;
  g_autoptr (GstCaps) caps = encoder_caps (layout, width, height, rate);
  GstElement *source = gst_element_factory_make ("appsrc", NULL);
  GstElement *encoder = gst_element_factory_make (choice->factory, NULL);
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  GstElement *pipeline = gst_object_ref_sink (gst_pipeline_new (NULL));
  GstElement *const parts[] = { source, encoder, sink };
  bool ok = source && encoder && sink && gst_video_info_from_caps (&video, caps);
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    if (parts[i])
      gst_bin_add (GST_BIN (pipeline), parts[i]);
  if (ok)
    {
      g_object_set (source, "caps", caps, "format", GST_FORMAT_TIME, NULL);
      g_object_set (sink, "sync", FALSE, NULL);
      encoder_set_properties (encoder, choice->properties[FILM_STANDARD]);
      ok = gst_element_link_many (source, encoder, sink, NULL);
    }
  if (ok)
    {
      push_black (GST_APP_SRC (source), &video);
      ok = run_probe (pipeline);
    }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  return ok;
}

static Remembered
entry_of (const EncoderChoice *choice, YuvLayout layout, int width, int height)
{
  Remembered entry = { "", false };
  g_snprintf (entry.key, sizeof entry.key, "%s %d %dx%d", choice->factory, (int) layout, width,
              height);
  return entry;
}

/* Holding the lock.  Returns: where it is; n_remembered when it is nowhere */
static int
find (const Remembered *entry)
{
  int i = 0;
  while (i < n_remembered && strcmp (remembered[i].key, entry->key) != 0)
    i++;
  return i;
}

/* Holding the lock; in place of the last one where all places are taken. */
static void
keep (int i, const Remembered *entry)
{
  if (i == n_remembered)
    i = n_remembered < N_REMEMBERED ? n_remembered++ : N_REMEMBERED - 1;
  remembered[i] = *entry;
}

/* Once for each encoder, layout and size. */
static bool
works (const EncoderChoice *choice, YuvLayout layout, int width, int height)
{
  Remembered entry = entry_of (choice, layout, width, height);
  g_mutex_lock (&lock);
  int i = find (&entry);
  if (i < n_remembered)
    entry = remembered[i];
  else
    {
      entry.works = try_encoder (choice, layout, width, height);
      keep (i, &entry);
    }
  g_mutex_unlock (&lock);
  return entry.works;
}

void
encoder_rule_out (const EncoderChoice *choice, bool full_chroma, int width, int height)
{
  Remembered entry = entry_of (choice, encoder_layout (choice, full_chroma), width, height);
  g_mutex_lock (&lock);
  keep (find (&entry), &entry);
  g_mutex_unlock (&lock);
}

static bool
is_sure (const EncoderChoice *choice, int width, int height)
{
  return !choice->hardware && MIN (width, height) >= choice->sure_px;
}

static bool
is_installed (const char *name)
{
  g_autoptr (GstElementFactory) factory = gst_element_factory_find (name);
  return factory != NULL;
}

const EncoderChoice *
encoder_choose (const EncoderChoice *choices, bool full_chroma, int width, int height)
{
  for (const EncoderChoice *c = choices; c->factory; c++)
    {
      YuvLayout layout = encoder_layout (c, full_chroma);
      bool halved = layout == YUV_I420 || layout == YUV_NV12;
      int w = halved && !c->odd_sizes ? (width + 1) & ~1 : width;
      int h = halved && !c->odd_sizes ? (height + 1) & ~1 : height;
      if (layout != YUV_NONE && is_installed (c->factory) &&
          (is_sure (c, w, h) || works (c, layout, w, h)))
        return c;
    }
  return NULL;
}
