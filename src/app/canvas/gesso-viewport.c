/* SPDX-License-Identifier: MPL-2.0
 * gesso-viewport.c - which part of the document the canvas shows, and how large.
 */
#include "app/canvas/gesso-viewport.h"

#include <math.h>

void
gesso_viewport_zoom_at (GessoViewport *self, double zoom, double x, double y)
{
  double to = CLAMP (zoom, GESSO_ZOOM_MIN, GESSO_ZOOM_MAX), ratio = to / self->zoom;
  self->x = x - (x - self->x) * ratio;
  self->y = y - (y - self->y) * ratio;
  self->zoom = to;
}

double
gesso_viewport_next_zoom (const GessoViewport *self, int direction)
{
  /* Half steps of a power of two; a little tolerance, so that a step is never no step. */
  double step = log2 (self->zoom) * 2,
         to = direction > 0 ? floor (step + 1.01) : ceil (step - 1.01);
  return CLAMP (exp2 (to / 2), GESSO_ZOOM_MIN, GESSO_ZOOM_MAX);
}

void
gesso_viewport_fit (GessoViewport *self, const GessoRect *rect, double margin_x, double margin_y)
{
  if (gesso_rect_is_empty (rect))
    return;
  double w = MAX (self->width - 2 * margin_x, 1), h = MAX (self->height - 2 * margin_y, 1);
  double zoom = MIN (MIN (w / rect->width, h / rect->height), GESSO_ZOOM_FIT_MAX);
  /* From 2:1 on pixels are squares; a whole zoom makes them all the same size. */
  if (zoom >= 2)
    zoom = floor (zoom);
  self->zoom = CLAMP (zoom, GESSO_ZOOM_MIN, GESSO_ZOOM_MAX);
  self->x = floor ((self->width - rect->width * self->zoom) / 2 - rect->x * self->zoom);
  self->y = floor ((self->height - rect->height * self->zoom) / 2 - rect->y * self->zoom);
}

GessoRect
gesso_viewport_get_visible (const GessoViewport *self)
{
  int x0 = (int) floor (-self->x / self->zoom), y0 = (int) floor (-self->y / self->zoom);
  int x1 = (int) ceil ((self->width - self->x) / self->zoom);
  int y1 = (int) ceil ((self->height - self->y) / self->zoom);
  return (GessoRect){ x0, y0, x1 - x0, y1 - y0 };
}

int
gesso_viewport_get_level (const GessoViewport *self, int n_levels)
{
  int level = self->zoom >= 1 ? 0 : (int) floor (-log2 (self->zoom) + 1e-9);
  return MIN (level, n_levels - 1);
}
