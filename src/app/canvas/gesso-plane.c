/* SPDX-License-Identifier: MPL-2.0
 * gesso-plane.c - an endless plane of pixels in tiles; where there is no tile, all bytes are 0.
 */
#include "app/canvas/gesso-plane.h"

#include <string.h>

struct _GessoPlane
{
  int side, bpp;
  GHashTable *tiles; /* tile number -> GessoTile */
};

enum
{
  NUMBER_BITS = 14 /* of a tile number that was made positive */
};

static gpointer
key_of (int tx, int ty)
{
  guint x = (guint) (tx + GESSO_PLANE_MAX_TILE), y = (guint) (ty + GESSO_PLANE_MAX_TILE);
  return GUINT_TO_POINTER (x << NUMBER_BITS | y);
}

static gboolean
in_range (int tx, int ty)
{
  return tx >= -GESSO_PLANE_MAX_TILE && tx < GESSO_PLANE_MAX_TILE && ty >= -GESSO_PLANE_MAX_TILE &&
         ty < GESSO_PLANE_MAX_TILE;
}

GessoPlane *
gesso_plane_new (int side, int bpp)
{
  GessoPlane *self = g_new0 (GessoPlane, 1);
  self->side = side;
  self->bpp = bpp;
  self->tiles = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) gesso_tile_unref);
  return self;
}

GessoPlane *
gesso_plane_copy (const GessoPlane *self)
{
  GessoPlane *copy = gesso_plane_new (self->side, self->bpp);
  GHashTableIter iter;
  gpointer key, tile;
  g_hash_table_iter_init (&iter, self->tiles);
  while (g_hash_table_iter_next (&iter, &key, &tile))
    g_hash_table_insert (copy->tiles, key, gesso_tile_ref (tile));
  return copy;
}

void
gesso_plane_free (GessoPlane *self)
{
  g_hash_table_unref (self->tiles);
  g_free (self);
}

int
gesso_plane_get_tile_side (const GessoPlane *self)
{
  return self->side;
}

guint
gesso_plane_get_n_tiles (const GessoPlane *self)
{
  return g_hash_table_size (self->tiles);
}

GessoTile *
gesso_plane_peek (const GessoPlane *self, int tx, int ty)
{
  return in_range (tx, ty) ? g_hash_table_lookup (self->tiles, key_of (tx, ty)) : NULL;
}

void
gesso_plane_set (GessoPlane *self, int tx, int ty, GessoTile *tile)
{
  g_return_if_fail (in_range (tx, ty));
  if (tile)
    g_hash_table_insert (self->tiles, key_of (tx, ty), gesso_tile_ref (tile));
  else
    g_hash_table_remove (self->tiles, key_of (tx, ty));
}

guint8 *
gesso_plane_write_tile (GessoPlane *self, int tx, int ty)
{
  g_return_val_if_fail (in_range (tx, ty), NULL);
  GessoTile *tile = gesso_plane_peek (self, tx, ty);
  if (!tile || gesso_tile_is_shared (tile))
    {
      tile = tile ? gesso_tile_copy (tile) : gesso_tile_new (self->side, self->bpp);
      if (!tile)
        return NULL;
      g_hash_table_insert (self->tiles, key_of (tx, ty), tile);
    }
  return gesso_tile_begin_write (tile);
}

void
gesso_plane_iter_init (GessoPlaneIter *iter, const GessoPlane *self)
{
  g_hash_table_iter_init (&iter->iter, self->tiles);
}

gboolean
gesso_plane_iter_next (GessoPlaneIter *iter, int *tx, int *ty, GessoTile **tile)
{
  gpointer key, value;
  if (!g_hash_table_iter_next (&iter->iter, &key, &value))
    return FALSE;
  guint number = GPOINTER_TO_UINT (key);
  *tx = (int) (number >> NUMBER_BITS) - GESSO_PLANE_MAX_TILE;
  *ty = (int) (number & ((1u << NUMBER_BITS) - 1)) - GESSO_PLANE_MAX_TILE;
  *tile = value;
  return TRUE;
}

GessoRect
gesso_plane_tiles_of (const GessoPlane *self, const GessoRect *rect)
{
  if (gesso_rect_is_empty (rect))
    return (GessoRect){ 0 };
  int x0 = gesso_floor_div (rect->x, self->side), y0 = gesso_floor_div (rect->y, self->side);
  int x1 = gesso_floor_div (rect->x + rect->width - 1, self->side);
  int y1 = gesso_floor_div (rect->y + rect->height - 1, self->side);
  return (GessoRect){ x0, y0, x1 - x0 + 1, y1 - y0 + 1 };
}

GessoRect
gesso_plane_tile_rect (const GessoPlane *self, int tx, int ty)
{
  return (GessoRect){ tx * self->side, ty * self->side, self->side, self->side };
}

gboolean
gesso_plane_has_tile_in (const GessoPlane *self, const GessoRect *rect)
{
  GessoRect tiles = gesso_plane_tiles_of (self, rect);
  for (int ty = tiles.y; ty < tiles.y + tiles.height; ty++)
    for (int tx = tiles.x; tx < tiles.x + tiles.width; tx++)
      if (gesso_plane_peek (self, tx, ty))
        return TRUE;
  return FALSE;
}

/* Copies the part of @rect that lies in one tile, to or from the block of @rect's pixels. */
static void
copy_part (const GessoPlane *self,
           const GessoRect *rect,
           const GessoRect *tile,
           const guint8 *from,
           guint8 *to,
           gboolean to_tile)
{
  GessoRect part = gesso_rect_intersect (rect, tile);
  gsize n = (gsize) part.width * self->bpp;
  for (int y = part.y; y < part.y + part.height; y++)
    {
      gsize in_tile = ((gsize) (y - tile->y) * self->side + (part.x - tile->x)) * self->bpp;
      gsize in_block = ((gsize) (y - rect->y) * rect->width + (part.x - rect->x)) * self->bpp;
      if (to_tile)
        memcpy (to + in_tile, from + in_block, n);
      else
        memcpy (to + in_block, from + in_tile, n);
    }
}

void
gesso_plane_read (const GessoPlane *self, const GessoRect *rect, guint8 *out)
{
  memset (out, 0, (gsize) rect->width * rect->height * self->bpp);
  GessoRect tiles = gesso_plane_tiles_of (self, rect);
  for (int ty = tiles.y; ty < tiles.y + tiles.height; ty++)
    for (int tx = tiles.x; tx < tiles.x + tiles.width; tx++)
      {
        const GessoTile *tile = gesso_plane_peek (self, tx, ty);
        GessoRect area = gesso_plane_tile_rect (self, tx, ty);
        if (tile)
          copy_part (self, rect, &area, gesso_tile_peek (tile), out, FALSE);
      }
}

gboolean
gesso_plane_write (GessoPlane *self, const GessoRect *rect, const guint8 *in)
{
  GessoRect tiles = gesso_plane_tiles_of (self, rect);
  for (int ty = tiles.y; ty < tiles.y + tiles.height; ty++)
    for (int tx = tiles.x; tx < tiles.x + tiles.width; tx++)
      {
        guint8 *pixels = gesso_plane_write_tile (self, tx, ty);
        GessoRect area = gesso_plane_tile_rect (self, tx, ty);
        if (!pixels)
          return FALSE;
        copy_part (self, rect, &area, in, pixels, TRUE);
      }
  return TRUE;
}
