/* SPDX-License-Identifier: MPL-2.0
 * gesso-patch.c - from a file, its bytes or a job's pixels to tiles, on a thread.
 */
#include "app/canvas/gesso-state.h"

#include <glib/gi18n.h>
#include <string.h>

#include "core/mem.h"
#include "media/frames.h"
#include "media/resize.h"

void
gesso_patch_free (GessoPatch *self)
{
  g_clear_pointer (&self->plane, gesso_plane_free);
  g_free (self);
}

static gboolean
copy_pixels (Image *image, const GessoPatchSource *source, Status *status)
{
  gsize n_bytes, n = (gsize) source->width * source->height * IMAGE_CHANNELS;
  const guint8 *rgb = g_bytes_get_data (source->bytes, &n_bytes);
  if (source->height <= 0 || source->width > IMAGE_MAX_SIDE || source->height > IMAGE_MAX_SIDE ||
      n_bytes < n)
    return status_fail (status, STATUS_ARGUMENT, "%s", _ ("The picture's size is not right."));
  *image = (Image){ source->width, source->height, mem_calloc (n, 1) };
  if (!image->rgb)
    return status_fail (status, STATUS_NO_MEMORY, "%s",
                        _ ("There is not enough memory for this picture."));
  memcpy (image->rgb, rgb, n);
  return true;
}

static gboolean
read_source (Image *image, const GessoPatchSource *source, Status *status)
{
  if (source->path)
    return frames_read_picture (image, source->path, NULL, status);
  if (source->width > 0)
    return copy_pixels (image, source, status);
  gsize n_bytes;
  const void *data = g_bytes_get_data (source->bytes, &n_bytes);
  return image_read_memory (image, data, n_bytes, _ ("the picture"), status);
}

/* (row of the image) -> one row of a picture tile */
static void
put_rgb (const guint8 *rgb, int n, guint8 *out)
{
  for (int i = 0; i < n; i++, rgb += 3, out += GESSO_PICTURE_BPP)
    {
      out[0] = rgb[2];
      out[1] = rgb[1];
      out[2] = rgb[0];
      out[3] = 255;
    }
}

/* Brightness with the weights of BT.709, of the encoded values: what one sees is what is masked. */
static void
put_brightness (const guint8 *rgb, int n, guint8 *out)
{
  for (int i = 0; i < n; i++, rgb += 3)
    *out++ = (guint8) ((rgb[0] * 13933 + rgb[1] * 46871 + rgb[2] * 4732 + 32768) >> 16);
}

/* @area: of the image; @clip: what of it counts */
static GessoTile *
make_tile (GessoLayer layer,
           const Image *image,
           const GessoRect *area,
           const GessoRect *clip,
           const GessoRect *tile_rect)
{
  gboolean is_mask = layer == GESSO_LAYER_MASK;
  int bpp = is_mask ? GESSO_MASK_BPP : GESSO_PICTURE_BPP;
  GessoTile *tile = gesso_tile_new (tile_rect->width, bpp);
  if (!tile)
    return NULL;
  guint8 *pixels = gesso_tile_begin_write (tile);
  GessoRect part = gesso_rect_intersect (clip, tile_rect);
  for (int y = part.y; y < part.y + part.height; y++)
    {
      gsize in = (gsize) (y - area->y) * image->width + (gsize) (part.x - area->x);
      gsize out = (gsize) (y - tile_rect->y) * tile_rect->width + (gsize) (part.x - tile_rect->x);
      if (is_mask)
        put_brightness (image->rgb + in * IMAGE_CHANNELS, part.width, pixels + out);
      else
        put_rgb (image->rgb + in * IMAGE_CHANNELS, part.width, pixels + out * bpp);
    }
  /* Here, where there is time, and not when they are drawn. */
  if (!is_mask)
    gesso_tile_peek_level (tile, 1);
  return tile;
}

static GessoPatch *
make_patch (GessoLayer layer,
            const Image *image,
            const GessoRect *area,
            const GessoRect *clip,
            GCancellable *cancellable,
            GError **error)
{
  g_autoptr (GessoPatch) patch = g_new0 (GessoPatch, 1);
  patch->plane = gesso_layer_new_plane (layer);
  patch->area = *clip;
  GessoRect tiles = gesso_plane_tiles_of (patch->plane, clip);
  for (int ty = tiles.y; ty < tiles.y + tiles.height; ty++)
    for (int tx = tiles.x; tx < tiles.x + tiles.width; tx++)
      {
        if (g_cancellable_set_error_if_cancelled (cancellable, error))
          return NULL;
        GessoRect rect = gesso_plane_tile_rect (patch->plane, tx, ty);
        g_autoptr (GessoTile) tile = make_tile (layer, image, area, clip, &rect);
        if (!tile)
          {
            g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                                 _ ("There is not enough memory for this picture."));
            return NULL;
          }
        gesso_plane_set (patch->plane, tx, ty, tile);
      }
  return g_steal_pointer (&patch);
}

GessoPatch *
gesso_patch_new (GessoLayer layer,
                 const GessoPatchSource *source,
                 const GessoRect *where,
                 const GessoRect *clip,
                 GCancellable *cancellable,
                 GError **error)
{
  Image image = { 0 };
  Status status = { 0 };
  GessoPatch *patch = NULL;
  if (read_source (&image, source, &status) &&
      (!where || (image.width == where->width && image.height == where->height) ||
       image_resize (&image, where->width, where->height, &status)))
    {
      GessoRect area = where ? *where : (GessoRect){ 0, 0, image.width, image.height };
      patch = make_patch (layer, &image, &area, clip ? clip : &area, cancellable, error);
    }
  else
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, status.message);
  image_clear (&image);
  return patch;
}
