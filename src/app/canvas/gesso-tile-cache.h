/* SPDX-License-Identifier: MPL-2.0
 * gesso-tile-cache.h - a layer's tiles as textures, made when they are first seen.
 *
 * Below 1:1 a texture shows 2^level times as many pixels, put together from the tiles' smaller
 * levels: what is drawn is about as large as what is seen, for a picture of any size.
 */
#pragma once

#include "app/canvas/gesso-state.h"
#include "app/canvas/gesso-viewport.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef struct _GessoTileCache GessoTileCache;

GessoTileCache *gesso_tile_cache_new (GessoLayer layer);
void gesso_tile_cache_free (GessoTileCache *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoTileCache, gesso_tile_cache_free)

/* The colour of a mask; opaque, its strength is the cache's business. */
void gesso_tile_cache_set_color (GessoTileCache *self, const GdkRGBA *color);
/* @rect: NULL for everything */
void gesso_tile_cache_invalidate (GessoTileCache *self, const GessoRect *rect);
/* gesso_tile_cache_draw:
 * @snapshot: in device pixels
 * @clip: of the document, mostly its bounds
 * @software: gesso_compat_is_software
 * @budget_us: for making textures; what is not ready is drawn coarser, if at all
 *
 * Returns: FALSE when something was not ready: draw again
 */
gboolean gesso_tile_cache_draw (GessoTileCache *self,
                                const GessoPlane *plane,
                                GtkSnapshot *snapshot,
                                const GessoViewport *viewport,
                                const GessoRect *clip,
                                gboolean software,
                                gint64 budget_us);
/* Textures made since the start, for tests and the benchmark. */
guint gesso_tile_cache_get_n_made (const GessoTileCache *self);

G_END_DECLS
