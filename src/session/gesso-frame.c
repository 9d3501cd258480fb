/* SPDX-License-Identifier: MPL-2.0
 * gesso-frame.c - pixels of a picture or preview, shared by reference.
 */
#include "session/gesso-job.h"

G_DEFINE_BOXED_TYPE (GessoFrame, gesso_frame, gesso_frame_copy, gesso_frame_free)

GessoFrame *
gesso_frame_new (int width, int height, GBytes *rgb)
{
  g_return_val_if_fail (width > 0 && height > 0 && rgb, NULL);
  g_return_val_if_fail (g_bytes_get_size (rgb) >= (gsize) width * (gsize) height * 3, NULL);
  GessoFrame *frame = g_new (GessoFrame, 1);
  *frame = (GessoFrame){ width, height, g_bytes_ref (rgb) };
  return frame;
}

/* The pixels are not copied. */
GessoFrame *
gesso_frame_copy (const GessoFrame *frame)
{
  g_return_val_if_fail (frame, NULL);
  return gesso_frame_new (frame->width, frame->height, frame->rgb);
}

void
gesso_frame_free (GessoFrame *frame)
{
  if (!frame)
    return;
  g_bytes_unref (frame->rgb);
  g_free (frame);
}
