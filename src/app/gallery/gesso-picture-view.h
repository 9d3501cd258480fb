/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture-view.h - a picture with zoom and pan, or two with a divider between them.
 *
 * Wheel zooms at the pointer, two fingers pan, pinching zooms, dragging pans.  With two pictures
 * the divider is dragged, or moved by gesso_picture_view_set_divider.  Signal "view-changed": zoom,
 * mode or divider are different.
 */
#pragma once

#include "app/gallery/gesso-picture-slot.h"

G_BEGIN_DECLS

typedef enum
{
  GESSO_VIEW_ONE,
  GESSO_VIEW_SIDES, /* both whole, beside each other, at the same zoom */
  GESSO_VIEW_WIPE   /* one over the other, cut at the divider */
} GessoViewMode;

#define GESSO_TYPE_PICTURE_VIEW (gesso_picture_view_get_type ())
G_DECLARE_FINAL_TYPE (GessoPictureView, gesso_picture_view, GESSO, PICTURE_VIEW, GtkWidget)

/* @second: NULL for a view of one picture */
GtkWidget *gesso_picture_view_new (GessoPictureSlot *first, GessoPictureSlot *second);
void gesso_picture_view_set_mode (GessoPictureView *self, GessoViewMode mode);
GessoViewMode gesso_picture_view_get_mode (GessoPictureView *self);

/* The whole picture, never larger than its own size. */
void gesso_picture_view_fit (GessoPictureView *self);
/* A pixel of the picture for a pixel of the screen. */
void gesso_picture_view_set_original (GessoPictureView *self);
void gesso_picture_view_zoom_by (GessoPictureView *self, double factor);
gboolean gesso_picture_view_is_fit (GessoPictureView *self);
/* Device pixels a pixel of the (first) picture; 0 while nothing is shown. */
double gesso_picture_view_get_zoom (GessoPictureView *self);
/* 0 to 1, of the width. */
void gesso_picture_view_set_divider (GessoPictureView *self, double divider);
double gesso_picture_view_get_divider (GessoPictureView *self);

G_END_DECLS
