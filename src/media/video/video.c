/* SPDX-License-Identifier: MPL-2.0
 * video.c - starting GStreamer, and which format goes which way.
 */
#include "media/video/video.h"

#include <gst/gst.h>
#include <unistd.h>

#include "media/video/film-decode.h"
#include "media/video/film-encode.h"

static gpointer
start_cb (gpointer data)
{
  GError *error = NULL;
  if (gst_init_check (NULL, NULL, &error))
    return NULL;
  char *message = g_strdup (error ? error->message : "unknown reason");
  g_clear_error (&error);
  return message;
}

bool
video_start (Status *status)
{
  static GOnce once = G_ONCE_INIT;
  const char *message = g_once (&once, start_cb, NULL);
  return !message ||
         status_fail (status, STATUS_UNSUPPORTED, "GStreamer does not start: %.300s.", message);
}

void
video_hush (void)
{
  g_setenv ("SVT_LOG", "0", FALSE);
}

FilmWriter *
film_writer_open (const char *path,
                  const FilmInfo *info,
                  const FilmOptions *options,
                  Status *status)
{
  if (!options->overwrite && options->format != FILM_PNG && access (path, F_OK) == 0)
    {
      status_fail (status, STATUS_IO,
                   "Cannot write \"%.300s\": a file of that name exists already.", path);
      return NULL;
    }
  if (!film_format_info (options->format)->needs_gstreamer)
    return film_writer_new_plain (path, info, options, status);
  return film_encode_new (path, info, options, status);
}

FrameSource *
film_open (const char *path, const FrameLimits *limits, Status *status)
{
  Status plain = { 0 };
  FrameSource *source = frames_open (path, limits, &plain);
  if (source)
    return source;
  if (plain.code != STATUS_UNSUPPORTED || !film_decode_knows (path))
    {
      status_fail (status, plain.code, "%s", plain.message);
      return NULL;
    }
  return film_decode_open (path, limits, status);
}
