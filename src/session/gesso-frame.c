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
  *frame = (GessoFrame){ width, height, g_bytes_ref (rgb), 1, 0 };
  return frame;
}

/* The pixels are not copied. */
GessoFrame *
gesso_frame_copy (const GessoFrame *frame)
{
  g_return_val_if_fail (frame, NULL);
  GessoFrame *copy = gesso_frame_new (frame->width, frame->height, frame->rgb);
  copy->n_frames = frame->n_frames;
  copy->rate = frame->rate;
  return copy;
}

GBytes *
gesso_frame_dup_rgb (const GessoFrame *frame, int n)
{
  g_return_val_if_fail (frame && n >= 0 && n < frame->n_frames, NULL);
  gsize n_bytes = (gsize) frame->width * (gsize) frame->height * 3;
  return g_bytes_new_from_bytes (frame->rgb, (gsize) n * n_bytes, n_bytes);
}

void
gesso_frame_free (GessoFrame *frame)
{
  if (!frame)
    return;
  g_bytes_unref (frame->rgb);
  g_free (frame);
}
