/* SPDX-License-Identifier: MPL-2.0
 * gesso-filmstrip-tile.h - what the filmstrip shows of one result; reused for others.
 */
#pragma once

#include "app/canvas/gesso-result.h"

G_BEGIN_DECLS

#define GESSO_TYPE_FILMSTRIP_TILE (gesso_filmstrip_tile_get_type ())
G_DECLARE_FINAL_TYPE (GessoFilmstripTile, gesso_filmstrip_tile, GESSO, FILMSTRIP_TILE, GtkWidget)

GtkWidget *gesso_filmstrip_tile_new (void);
/* @result: (nullable) */
void gesso_filmstrip_tile_set_result (GessoFilmstripTile *self, GessoResult *result);
GessoResult *gesso_filmstrip_tile_get_result (GessoFilmstripTile *self);

G_END_DECLS
