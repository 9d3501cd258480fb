/* SPDX-License-Identifier: MPL-2.0
 * gesso-mask-brush.c - painting one stroke into a mask plane.
 */
#include "app/canvas/gesso-mask-brush.h"

#include <math.h>
#include <string.h>

#define SPACING 0.25 /* of the radius */
#define MIN_PRESSURE 0.05

struct _GessoMaskBrush
{
  GessoPlane *mask;     /* borrowed */
  GessoPlane *before;   /* the touched tiles as they were */
  GessoPlane *coverage; /* of this stroke alone; has a tile for each that was touched */
  GessoRect clip;
  GessoBrushShape shape;
  gboolean eraser;
  double x, y, pressure; /* of the last dab */
};

/* Full inside @inner, nothing beyond @outer, a smooth step between. */
typedef struct
{
  double x, y, inner, outer;
} Dab;

static Dab
dab_of (const GessoBrushShape *shape, double x, double y, double pressure)
{
  pressure = CLAMP (pressure, MIN_PRESSURE, 1);
  double radius = shape->radius, softness = shape->softness;
  if (shape->pressure_softness)
    softness *= 1 - pressure;
  else
    radius *= pressure;
  radius = CLAMP (radius, GESSO_BRUSH_MIN_RADIUS, GESSO_BRUSH_MAX_RADIUS);
  /* At least a pixel between full and nothing, or a hard brush would have steps. */
  double inner = MIN (radius * (1 - softness), radius - 0.5);
  return (Dab){ x, y, MAX (inner, 0), radius + 0.5 };
}

static inline guint8
over (guint8 before, guint8 stroke, gboolean eraser)
{
  int rest = 255 - stroke;
  int kept = eraser ? before * rest : (255 - before) * rest;
  int rounded = (kept + 127) / 255;
  return (guint8) (eraser ? rounded : 255 - rounded);
}

static inline guint8
falloff (const Dab *dab, double distance_squared)
{
  double t = (dab->outer - sqrt (distance_squared)) / (dab->outer - dab->inner);
  t = CLAMP (t, 0, 1);
  return (guint8) lrint (255 * t * t * (3 - 2 * t));
}

/* The three buffers of one tile. */
typedef struct
{
  guint8 *mask, *coverage;
  const guint8 *before; /* NULL: all 0 */
} TilePixels;

/* One row of a dab within a tile: pixels [x0, x1) of the document, @row where pixel 0 would be. */
static void
paint_span (
    const TilePixels *p, gsize row, int x0, int x1, const Dab *dab, double dy2, gboolean eraser)
{
  double inner2 = dab->inner * dab->inner;
  for (int x = x0; x < x1; x++)
    {
      double dx = x + 0.5 - dab->x, d2 = dx * dx + dy2;
      guint8 value = d2 <= inner2 ? 255 : falloff (dab, d2);
      gsize i = row + (gsize) (x - x0);
      if (value <= p->coverage[i])
        continue;
      p->coverage[i] = value;
      p->mask[i] = over (p->before ? p->before[i] : 0, value, eraser);
    }
}

/* The part of a row that is full needs no arithmetic. */
static void
paint_row (
    const TilePixels *p, gsize row, int x0, int x1, const Dab *dab, double dy2, gboolean eraser)
{
  double inner2 = dab->inner * dab->inner - dy2;
  double half = inner2 > 0 ? sqrt (inner2) : 0;
  int full0 = CLAMP ((int) ceil (dab->x - half), x0, x1);
  int full1 = CLAMP ((int) floor (dab->x + half), full0, x1);
  paint_span (p, row, x0, full0, dab, dy2, eraser);
  memset (p->coverage + row + (full0 - x0), 255, (gsize) (full1 - full0));
  memset (p->mask + row + (full0 - x0), eraser ? 0 : 255, (gsize) (full1 - full0));
  paint_span (p, row + (gsize) (full1 - x0), full1, x1, dab, dy2, eraser);
}

static gboolean
open_tile (GessoMaskBrush *self, int tx, int ty, TilePixels *p)
{
  if (!gesso_plane_peek (self->coverage, tx, ty))
    gesso_plane_set (self->before, tx, ty, gesso_plane_peek (self->mask, tx, ty));
  p->coverage = gesso_plane_write_tile (self->coverage, tx, ty);
  p->mask = p->coverage ? gesso_plane_write_tile (self->mask, tx, ty) : NULL;
  const GessoTile *before = gesso_plane_peek (self->before, tx, ty);
  p->before = before ? gesso_tile_peek (before) : NULL;
  return p->mask != NULL;
}

static void
paint_tile (GessoMaskBrush *self, int tx, int ty, const GessoRect *area, const Dab *dab)
{
  TilePixels p;
  /* Without memory the stroke has a gap; what was painted before stays. */
  if (!open_tile (self, tx, ty, &p))
    return;
  GessoRect tile = gesso_plane_tile_rect (self->mask, tx, ty);
  GessoRect part = gesso_rect_intersect (area, &tile);
  double outer2 = dab->outer * dab->outer;
  for (int y = part.y; y < part.y + part.height; y++)
    {
      double dy = y + 0.5 - dab->y, dy2 = dy * dy;
      if (dy2 >= outer2)
        continue;
      double half = sqrt (outer2 - dy2);
      int x0 = MAX (part.x, (int) floor (dab->x - half));
      int x1 = MIN (part.x + part.width, (int) ceil (dab->x + half));
      gsize row = (gsize) (y - tile.y) * GESSO_MASK_TILE + (gsize) (x0 - tile.x);
      if (x1 > x0)
        paint_row (&p, row, x0, x1, dab, dy2, self->eraser);
    }
}

static void
paint_dab (GessoMaskBrush *self, double x, double y, double pressure, GessoRect *dirty)
{
  Dab dab = dab_of (&self->shape, x, y, pressure);
  int x0 = (int) floor (x - dab.outer), y0 = (int) floor (y - dab.outer);
  GessoRect area = { x0, y0, (int) ceil (x + dab.outer) - x0, (int) ceil (y + dab.outer) - y0 };
  area = gesso_rect_intersect (&area, &self->clip);
  GessoRect tiles = gesso_plane_tiles_of (self->mask, &area);
  for (int ty = tiles.y; ty < tiles.y + tiles.height; ty++)
    for (int tx = tiles.x; tx < tiles.x + tiles.width; tx++)
      paint_tile (self, tx, ty, &area, &dab);
  *dirty = gesso_rect_union (dirty, &area);
}

GessoMaskBrush *
gesso_mask_brush_begin (GessoPlane *mask,
                        const GessoRect *clip,
                        const GessoBrushShape *shape,
                        gboolean eraser,
                        double x,
                        double y,
                        double pressure,
                        GessoRect *dirty)
{
  GessoMaskBrush *self = g_new0 (GessoMaskBrush, 1);
  self->mask = mask;
  self->before = gesso_plane_new (GESSO_MASK_TILE, GESSO_MASK_BPP);
  self->coverage = gesso_plane_new (GESSO_MASK_TILE, GESSO_MASK_BPP);
  self->clip = *clip;
  self->shape = *shape;
  self->eraser = eraser;
  self->x = x;
  self->y = y;
  self->pressure = pressure;
  *dirty = (GessoRect){ 0 };
  paint_dab (self, x, y, pressure, dirty);
  return self;
}

/* A dab wherever the path comes a spacing away from the last one; the last point itself is painted
 * when the next one arrives, or was already covered by a dab less than a spacing away. */
void
gesso_mask_brush_move (GessoMaskBrush *self, double x, double y, double pressure, GessoRect *dirty)
{
  double dx = x - self->x, dy = y - self->y, dp = pressure - self->pressure;
  double length = hypot (dx, dy), done = 0;
  double from_x = self->x, from_y = self->y, from_pressure = self->pressure;
  *dirty = (GessoRect){ 0 };
  for (;;)
    {
      double scale = self->shape.pressure_softness ? 1 : CLAMP (self->pressure, MIN_PRESSURE, 1);
      double step = MAX (self->shape.radius * scale * SPACING, SPACING);
      if (length - done < step)
        break;
      done += step;
      double t = done / length;
      self->x = from_x + dx * t;
      self->y = from_y + dy * t;
      self->pressure = from_pressure + dp * t;
      paint_dab (self, self->x, self->y, self->pressure, dirty);
    }
}

void
gesso_mask_brush_cancel (GessoMaskBrush *self, GessoRect *dirty)
{
  GessoPlaneIter iter;
  int tx, ty;
  GessoTile *tile;
  *dirty = (GessoRect){ 0 };
  gesso_plane_iter_init (&iter, self->coverage);
  while (gesso_plane_iter_next (&iter, &tx, &ty, &tile))
    {
      gesso_plane_set (self->mask, tx, ty, gesso_plane_peek (self->before, tx, ty));
      GessoRect area = gesso_plane_tile_rect (self->mask, tx, ty);
      *dirty = gesso_rect_union (dirty, &area);
    }
}

void
gesso_mask_brush_finish (GessoMaskBrush *self, GessoBrushTileFunc func, gpointer user_data)
{
  GessoPlaneIter iter;
  int tx, ty;
  GessoTile *tile;
  gesso_plane_iter_init (&iter, self->coverage);
  while (gesso_plane_iter_next (&iter, &tx, &ty, &tile))
    {
      GessoTile *before = gesso_plane_peek (self->before, tx, ty);
      GessoTile *after = gesso_plane_peek (self->mask, tx, ty);
      if (after && gesso_tile_is_filled_with (after, 0))
        gesso_plane_set (self->mask, tx, ty, after = NULL);
      if (gesso_tile_equal (before, after))
        gesso_plane_set (self->mask, tx, ty, before);
      else
        func (tx, ty, before, user_data);
    }
}

void
gesso_mask_brush_free (GessoMaskBrush *self)
{
  gesso_plane_free (self->before);
  gesso_plane_free (self->coverage);
  g_free (self);
}
