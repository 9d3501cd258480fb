/* SPDX-License-Identifier: MPL-2.0
 * gesso-viewport.h - which part of the document the canvas shows, and how large.
 *
 * All in device pixels, so that 100 % is exact on every screen: device = document * zoom + origin.
 */
#pragma once

#include "app/canvas/gesso-rect.h"

G_BEGIN_DECLS

#define GESSO_ZOOM_MIN 0.01
#define GESSO_ZOOM_MAX 32.0
#define GESSO_ZOOM_FIT_MAX 4.0 /* a small model's picture is not left a stamp */

typedef struct
{
  double zoom;       /* device pixels a document pixel */
  double x, y;       /* where the document's origin is */
  int width, height; /* of the widget */
} GessoViewport;

/* The document point under (@x, @y) stays there. */
void gesso_viewport_zoom_at (GessoViewport *self, double zoom, double x, double y);
/* The next larger (@direction 1) or smaller (-1) of the round zooms 100 %, 200 %, 50 % ... */
double gesso_viewport_next_zoom (const GessoViewport *self, int direction);
/* @rect in the middle with margins around it, not larger than GESSO_ZOOM_FIT_MAX. */
void
gesso_viewport_fit (GessoViewport *self, const GessoRect *rect, double margin_x, double margin_y);
/* The document pixels that are visible. */
GessoRect gesso_viewport_get_visible (const GessoViewport *self);

/* Edges land on whole device pixels, the same for two tiles that meet: no seams. */
static inline int
gesso_viewport_edge_x (const GessoViewport *self, double x)
{
  return (int) __builtin_floor (x * self->zoom + self->x + 0.5);
}

static inline int
gesso_viewport_edge_y (const GessoViewport *self, double y)
{
  return (int) __builtin_floor (y * self->zoom + self->y + 0.5);
}

/* 0 from 1:1 upwards; n where the document is shown at 1/2^n or a little larger. */
int gesso_viewport_get_level (const GessoViewport *self, int n_levels);

G_END_DECLS
