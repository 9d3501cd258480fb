/* SPDX-License-Identifier: MPL-2.0
 * gesso-rect.h - rectangles of document pixels.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Empty when a side is not positive. */
typedef struct
{
  int x, y, width, height;
} GessoRect;

static inline gboolean
gesso_rect_is_empty (const GessoRect *rect)
{
  return rect->width <= 0 || rect->height <= 0;
}

static inline gboolean
gesso_rect_equal (const GessoRect *a, const GessoRect *b)
{
  return a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height;
}

/* Empty when they do not meet. */
static inline GessoRect
gesso_rect_intersect (const GessoRect *a, const GessoRect *b)
{
  int x0 = MAX (a->x, b->x), y0 = MAX (a->y, b->y);
  int x1 = MIN (a->x + a->width, b->x + b->width), y1 = MIN (a->y + a->height, b->y + b->height);
  return x1 > x0 && y1 > y0 ? (GessoRect){ x0, y0, x1 - x0, y1 - y0 } : (GessoRect){ 0 };
}

/* The smallest that holds both; an empty one holds nothing. */
static inline GessoRect
gesso_rect_union (const GessoRect *a, const GessoRect *b)
{
  if (gesso_rect_is_empty (a))
    return *b;
  if (gesso_rect_is_empty (b))
    return *a;
  int x0 = MIN (a->x, b->x), y0 = MIN (a->y, b->y);
  int x1 = MAX (a->x + a->width, b->x + b->width), y1 = MAX (a->y + a->height, b->y + b->height);
  return (GessoRect){ x0, y0, x1 - x0, y1 - y0 };
}

/* Division that rounds down, as tile numbers left of the origin need it.  @b positive. */
static inline int
gesso_floor_div (int a, int b)
{
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

G_END_DECLS
