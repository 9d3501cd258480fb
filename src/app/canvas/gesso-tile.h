/* SPDX-License-Identifier: MPL-2.0
 * gesso-tile.h - a square of pixels that is shared by reference and never changed while shared.
 *
 * Picture tiles hold 4 bytes a pixel in the order blue, green, red, alpha, premultiplied: the one
 * that GTK's renderers take without a conversion.  Mask tiles hold one byte, 255 = paint anew.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

enum
{
  GESSO_PICTURE_TILE = 512, /* pixels a side */
  GESSO_MASK_TILE = 256,
  GESSO_PICTURE_BPP = 4, /* bytes a pixel */
  GESSO_MASK_BPP = 1,
  GESSO_TILE_N_LEVELS = 7 /* 512, 256 ... 8 pixels a side */
};

typedef struct _GessoTile GessoTile;

/* Zero-filled, side * side * bpp bytes; NULL when out of memory. */
GessoTile *gesso_tile_new (int side, int bpp);
/* NULL when out of memory. */
GessoTile *gesso_tile_copy (const GessoTile *self);
GessoTile *gesso_tile_ref (GessoTile *self);
void gesso_tile_unref (GessoTile *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoTile, gesso_tile_unref)

gboolean gesso_tile_is_shared (const GessoTile *self);
int gesso_tile_get_side (const GessoTile *self);
gsize gesso_tile_get_size_bytes (const GessoTile *self);
const guint8 *gesso_tile_peek (const GessoTile *self);
/* For writing: the tile must not be shared.  Forgets what was derived from the pixels. */
guint8 *gesso_tile_begin_write (GessoTile *self);
gboolean gesso_tile_is_filled_with (const GessoTile *self, guint8 value);
gboolean gesso_tile_equal (const GessoTile *a, const GessoTile *b);

/* gesso_tile_peek_level:
 * @level: 0 for the pixels, each further one with half the side, averaged 2 x 2
 *
 * A picture tile's smaller versions, made at the first call (about 1 ms) and kept; from any thread.
 *
 * Returns: NULL when out of memory
 */
const guint8 *gesso_tile_peek_level (GessoTile *self, int level);

/* The pixels deflated with zlib, made at the first call and kept; from any thread. */
GBytes *gesso_tile_dup_packed (GessoTile *self);
/* Returns: NULL when @data does not inflate to exactly such a tile, or out of memory */
GessoTile *gesso_tile_new_unpacked (int side, int bpp, const guint8 *data, gsize n_bytes);

G_END_DECLS
