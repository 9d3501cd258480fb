/* SPDX-License-Identifier: MPL-2.0
 * reason.h - what GStreamer says, as a part of a sentence.
 */
#pragma once

#include <glib.h>
#include <string.h>

enum
{
  VIDEO_REASON_SIZE = 160
};

/* @message without what ends it, cut to whole characters. */
static inline void
video_reason (char out[VIDEO_REASON_SIZE], const char *message)
{
  const char *end;
  g_strlcpy (out, message ? message : "", VIDEO_REASON_SIZE);
  g_utf8_validate (out, -1, &end);
  gsize n = (gsize) (end - out);
  while (n > 0 && strchr (".! \n", out[n - 1]))
    n--;
  out[n] = '\0';
}
