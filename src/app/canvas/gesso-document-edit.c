/* SPDX-License-Identifier: MPL-2.0
 * gesso-document-edit.c - changes of a document's tiles, each of them one undo step.
 */
#include "app/canvas/gesso-document-private.h"

#include <glib/gi18n.h>
#include <string.h>

/* Takes all tiles of a layer away, noting them in @step. */
static void
empty_layer (GessoState *state, GessoLayer layer, GessoStep *step, GessoChanges *changes)
{
  GessoPlane *plane = state->layers[layer];
  GessoPlaneIter iter;
  int tx, ty;
  GessoTile *tile;
  gesso_plane_iter_init (&iter, plane);
  while (gesso_plane_iter_next (&iter, &tx, &ty, &tile))
    {
      GessoRect area = gesso_plane_tile_rect (plane, tx, ty);
      gesso_step_add_tile (step, layer, tx, ty, tile);
      changes->layers[layer] = gesso_rect_union (&changes->layers[layer], &area);
    }
  gesso_plane_free (plane);
  state->layers[layer] = gesso_layer_new_plane (layer);
}

/* One tile of a patch: as it is where it covers the whole tile, else copied into what was there. */
static gboolean
apply_tile (GessoPlane *plane, const GessoPatch *patch, int tx, int ty, GessoTile *tile)
{
  GessoRect rect = gesso_plane_tile_rect (plane, tx, ty);
  GessoRect part = gesso_rect_intersect (&rect, &patch->area);
  if (gesso_rect_equal (&part, &rect) || !gesso_plane_peek (plane, tx, ty))
    {
      gesso_plane_set (plane, tx, ty, tile);
      return TRUE;
    }
  guint8 *out = gesso_plane_write_tile (plane, tx, ty);
  if (!out)
    return FALSE;
  gsize bpp = gesso_tile_get_size_bytes (tile) / ((gsize) rect.width * rect.height);
  for (int y = part.y - rect.y; y < part.y - rect.y + part.height; y++)
    {
      gsize at = ((gsize) y * rect.width + (part.x - rect.x)) * bpp;
      memcpy (out + at, gesso_tile_peek (tile) + at, (gsize) part.width * bpp);
    }
  return TRUE;
}

static void
apply_patch (GessoState *state,
             GessoLayer layer,
             const GessoPatch *patch,
             GessoStep *step,
             GessoChanges *changes)
{
  GessoPlane *plane = state->layers[layer];
  GessoPlaneIter iter;
  int tx, ty;
  GessoTile *tile;
  gesso_plane_iter_init (&iter, patch->plane);
  while (gesso_plane_iter_next (&iter, &tx, &ty, &tile))
    {
      GessoTile *old = gesso_plane_peek (plane, tx, ty);
      g_autoptr (GessoTile) kept = old ? gesso_tile_ref (old) : NULL;
      if (!apply_tile (plane, patch, tx, ty, tile))
        continue;
      if (layer == GESSO_LAYER_MASK &&
          gesso_tile_is_filled_with (gesso_plane_peek (plane, tx, ty), 0))
        gesso_plane_set (plane, tx, ty, NULL);
      gesso_step_add_tile (step, layer, tx, ty, kept);
    }
  changes->layers[layer] = gesso_rect_union (&changes->layers[layer], &patch->area);
}

GessoRect
gesso_document_clip_put (GessoDocument *self, const GessoRect *where)
{
  const GessoRect *b = &gesso_document_peek_state (self)->bounds;
  if (gesso_rect_is_empty (b))
    return *where;
  int x0 = where->x, y0 = where->y, x1 = x0 + where->width, y1 = y0 + where->height;
  int bx1 = b->x + b->width, by1 = b->y + b->height;
  if (x0 < b->x && x0 > b->x - GESSO_FRAME_GRID)
    x0 = b->x;
  if (y0 < b->y && y0 > b->y - GESSO_FRAME_GRID)
    y0 = b->y;
  if (x1 > bx1 && x1 < bx1 + GESSO_FRAME_GRID)
    x1 = bx1;
  if (y1 > by1 && y1 < by1 + GESSO_FRAME_GRID)
    y1 = by1;
  return x1 > x0 && y1 > y0 ? (GessoRect){ x0, y0, x1 - x0, y1 - y0 } : *where;
}

gboolean
gesso_document_apply_result (GessoDocument *self, const GessoPatch *patch, GError **error)
{
  GessoState *state = gesso_document_begin_edit (self);
  GessoRect bounds = gesso_rect_union (&state->bounds, &patch->area);
  if (!gesso_bounds_are_allowed (&bounds))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                           _ ("The canvas cannot grow any further: start a new one."));
      return FALSE;
    }
  GessoStep *step = gesso_step_new ();
  GessoChanges changes = { .bounds = TRUE };
  gesso_document_set_before (self, state->layers[GESSO_LAYER_PICTURE]);
  gesso_step_set_bounds (step, &state->bounds);
  state->bounds = bounds;
  apply_patch (state, GESSO_LAYER_PICTURE, patch, step, &changes);
  gesso_document_end_edit (self, step, &changes);
  return TRUE;
}

void
gesso_document_apply_picture (GessoDocument *self, const GessoPatch *patch)
{
  GessoStep *step = gesso_step_new ();
  GessoChanges changes = { .bounds = TRUE, .frame = TRUE };
  GessoState *state = gesso_document_begin_edit (self);
  gesso_step_set_bounds (step, &state->bounds);
  gesso_step_set_frame (step, &state->frame);
  empty_layer (state, GESSO_LAYER_PICTURE, step, &changes);
  empty_layer (state, GESSO_LAYER_MASK, step, &changes);
  state->bounds = patch->area;
  state->frame = gesso_frame_around (&patch->area);
  gesso_step_add_missing (step, GESSO_LAYER_PICTURE, patch->plane);
  gesso_plane_free (state->layers[GESSO_LAYER_PICTURE]);
  state->layers[GESSO_LAYER_PICTURE] = gesso_plane_copy (patch->plane);
  changes.layers[GESSO_LAYER_PICTURE] =
      gesso_rect_union (&changes.layers[GESSO_LAYER_PICTURE], &patch->area);
  gesso_document_set_before (self, NULL);
  gesso_document_end_edit (self, step, &changes);
}

void
gesso_document_apply_mask (GessoDocument *self, const GessoPatch *patch)
{
  GessoStep *step = gesso_step_new ();
  GessoChanges changes = { 0 };
  GessoState *state = gesso_document_begin_edit (self);
  apply_patch (state, GESSO_LAYER_MASK, patch, step, &changes);
  gesso_document_end_edit (self, step, &changes);
}

void
gesso_document_clear (GessoDocument *self)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  GessoStep *step = gesso_step_new ();
  GessoChanges changes = { .bounds = TRUE };
  GessoState *state = gesso_document_begin_edit (self);
  gesso_step_set_bounds (step, &state->bounds);
  empty_layer (state, GESSO_LAYER_PICTURE, step, &changes);
  empty_layer (state, GESSO_LAYER_MASK, step, &changes);
  state->bounds = (GessoRect){ 0 };
  gesso_document_set_before (self, NULL);
  gesso_document_end_edit (self, step, &changes);
}

void
gesso_document_clear_mask (GessoDocument *self)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  GessoStep *step = gesso_step_new ();
  GessoChanges changes = { 0 };
  GessoState *state = gesso_document_begin_edit (self);
  empty_layer (state, GESSO_LAYER_MASK, step, &changes);
  if (gesso_step_is_empty (step))
    gesso_step_free (step);
  else
    gesso_document_end_edit (self, step, &changes);
}

/* Inverts the part of a tile that lies in @bounds; all 0 becomes no tile. */
static gboolean
invert_tile (GessoPlane *plane, int tx, int ty, const GessoRect *bounds)
{
  GessoRect rect = gesso_plane_tile_rect (plane, tx, ty);
  GessoRect part = gesso_rect_intersect (&rect, bounds);
  guint8 *pixels = gesso_plane_write_tile (plane, tx, ty);
  if (!pixels)
    return FALSE;
  for (int y = part.y - rect.y; y < part.y - rect.y + part.height; y++)
    for (int x = part.x - rect.x; x < part.x - rect.x + part.width; x++)
      pixels[y * GESSO_MASK_TILE + x] ^= 255;
  if (gesso_tile_is_filled_with (gesso_plane_peek (plane, tx, ty), 0))
    gesso_plane_set (plane, tx, ty, NULL);
  return TRUE;
}

/* Tiles that were empty and lie inside are all the same one: an 8k picture's mask costs 64 KiB. */
static gboolean
invert_or_fill (GessoPlane *plane, int tx, int ty, const GessoRect *bounds, GessoTile **full)
{
  GessoRect rect = gesso_plane_tile_rect (plane, tx, ty);
  GessoRect part = gesso_rect_intersect (&rect, bounds);
  if (gesso_plane_peek (plane, tx, ty) || !gesso_rect_equal (&part, &rect))
    return invert_tile (plane, tx, ty, bounds);
  if (!*full)
    {
      *full = gesso_tile_new (GESSO_MASK_TILE, GESSO_MASK_BPP);
      if (!*full)
        return FALSE;
      memset (gesso_tile_begin_write (*full), 255, gesso_tile_get_size_bytes (*full));
    }
  gesso_plane_set (plane, tx, ty, *full);
  return TRUE;
}

void
gesso_document_invert_mask (GessoDocument *self)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  GessoState *state = gesso_document_begin_edit (self);
  GessoStep *step = gesso_step_new ();
  GessoRect bounds = gesso_document_get_bounds (self);
  GessoPlane *plane = state->layers[GESSO_LAYER_MASK];
  GessoRect tiles = gesso_plane_tiles_of (plane, &bounds);
  g_autoptr (GessoTile) full = NULL;
  for (int ty = tiles.y; ty < tiles.y + tiles.height; ty++)
    for (int tx = tiles.x; tx < tiles.x + tiles.width; tx++)
      {
        GessoTile *old = gesso_plane_peek (plane, tx, ty);
        g_autoptr (GessoTile) kept = old ? gesso_tile_ref (old) : NULL;
        if (invert_or_fill (plane, tx, ty, &bounds, &full))
          gesso_step_add_tile (step, GESSO_LAYER_MASK, tx, ty, kept);
      }
  gesso_document_end_edit (self, step, &(GessoChanges){ .layers[GESSO_LAYER_MASK] = bounds });
}
