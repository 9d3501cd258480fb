/* SPDX-License-Identifier: MPL-2.0
 * gesso-document-picture.c - the whole picture, for a file.
 */
#include "app/canvas/gesso-state.h"

#include <glib/gi18n.h>

void
gesso_picture_pixels_free (GessoPicturePixels *pixels)
{
  g_clear_pointer (&pixels->bgra, g_bytes_unref);
  g_free (pixels);
}

GessoPicturePixels *
gesso_state_extract_picture (const GessoState *self, GError **error)
{
  const GessoRect *bounds = &self->bounds;
  if (bounds->width <= 0 || bounds->height <= 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                           _ ("There is no picture on the canvas."));
      return NULL;
    }
  gsize size = (gsize) bounds->width * (gsize) bounds->height * GESSO_PICTURE_BPP;
  guint8 *bgra = g_try_malloc (size);
  if (!bgra)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                           _ ("There is not enough memory to save the picture: close other "
                              "programs and try again."));
      return NULL;
    }
  gesso_plane_read (self->layers[GESSO_LAYER_PICTURE], bounds, bgra);
  GessoPicturePixels *pixels = g_new (GessoPicturePixels, 1);
  *pixels = (GessoPicturePixels){ bounds->width, bounds->height, g_bytes_new_take (bgra, size) };
  return pixels;
}
