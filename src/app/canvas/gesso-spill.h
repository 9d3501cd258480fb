/* SPDX-License-Identifier: MPL-2.0
 * gesso-spill.h - tiles that history keeps in a temporary file when memory is bounded.
 */
#pragma once

#include "app/canvas/gesso-tile.h"

G_BEGIN_DECLS

/* Where a tile lies in the file; n_bytes 0 = nowhere. */
typedef struct
{
  goffset offset;
  gsize n_bytes;
} GessoSpillExtent;

typedef struct _GessoSpill GessoSpill;

/* The file is made at the first write, in the cache folder, and has no name: it is gone when the
 * program ends in whatever way. */
GessoSpill *gesso_spill_new (void);
void gesso_spill_free (GessoSpill *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoSpill, gesso_spill_free)

/* gesso_spill_write:
 *
 * Returns: FALSE when the disk does not take it; nothing is lost then, as the caller keeps the tile
 */
gboolean gesso_spill_write (GessoSpill *self, GessoTile *tile, GessoSpillExtent *extent);
/* Returns: NULL and @error when the file cannot be read or memory is short */
GessoTile *gesso_spill_read (
    GessoSpill *self, const GessoSpillExtent *extent, int side, int bpp, GError **error);
/* Gives the disk space back. */
void gesso_spill_forget (GessoSpill *self, GessoSpillExtent *extent);

G_END_DECLS
