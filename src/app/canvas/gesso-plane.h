/* SPDX-License-Identifier: MPL-2.0
 * gesso-plane.h - an endless plane of pixels in tiles; where there is no tile, all bytes are 0.
 */
#pragma once

#include "app/canvas/gesso-rect.h"
#include "app/canvas/gesso-tile.h"

G_BEGIN_DECLS

enum
{
  /* Tile numbers lie within +-this: more than GESSO_DOCUMENT_MAX_COORDINATE needs. */
  GESSO_PLANE_MAX_TILE = 1 << 13
};

typedef struct _GessoPlane GessoPlane;

/* @side: of a tile; @bpp: bytes a pixel */
GessoPlane *gesso_plane_new (int side, int bpp);
/* Shares the tiles. */
GessoPlane *gesso_plane_copy (const GessoPlane *self);
void gesso_plane_free (GessoPlane *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoPlane, gesso_plane_free)

int gesso_plane_get_tile_side (const GessoPlane *self);
guint gesso_plane_get_n_tiles (const GessoPlane *self);
/* Returns: (nullable): borrowed */
GessoTile *gesso_plane_peek (const GessoPlane *self, int tx, int ty);
/* @tile: (nullable) (transfer none) */
void gesso_plane_set (GessoPlane *self, int tx, int ty, GessoTile *tile);
/* The pixels of a tile for writing; made when it is not there, copied when it is shared.
 * Returns: NULL when out of memory */
guint8 *gesso_plane_write_tile (GessoPlane *self, int tx, int ty);

typedef struct
{
  GHashTableIter iter;
} GessoPlaneIter;

void gesso_plane_iter_init (GessoPlaneIter *iter, const GessoPlane *self);
gboolean gesso_plane_iter_next (GessoPlaneIter *iter, int *tx, int *ty, GessoTile **tile);

/* The tile numbers that @rect touches, as a rectangle of tiles. */
GessoRect gesso_plane_tiles_of (const GessoPlane *self, const GessoRect *rect);
/* The pixels of a tile as a document rectangle. */
GessoRect gesso_plane_tile_rect (const GessoPlane *self, int tx, int ty);
gboolean gesso_plane_has_tile_in (const GessoPlane *self, const GessoRect *rect);
/* @out: (rect height, rect width, bpp) */
void gesso_plane_read (const GessoPlane *self, const GessoRect *rect, guint8 *out);
/* @in: (rect height, rect width, bpp).  Returns: FALSE when out of memory, part may be written */
gboolean gesso_plane_write (GessoPlane *self, const GessoRect *rect, const guint8 *in);

G_END_DECLS
