/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-grid-private.h - what the grid and its mouse handling share.
 */
#pragma once

#include "app/gallery/gesso-gallery-cell.h"
#include "app/gallery/gesso-gallery-grid.h"

G_BEGIN_DECLS

struct _GessoGalleryGrid
{
  GtkWidget parent_instance;
  GessoLibrary *library;
  GessoPictureList *list;
  GtkMultiSelection *selection;
  GtkWidget *box, *search, *stack, *scroller, *view, *date, *bar, *count, *menu, *empty_text;
  GPtrArray *cells; /* GessoGalleryCell, not owned */
  int size_index;
  guint date_timeout, columns_idle, focus_idle;
  guint focus_position;
  int focus_tries;
  gboolean leaves_search; /* for the pictures, once there are any again */
};

/* @x, @y: of the GtkGridView.  NULL between the pictures. */
GessoGalleryCell *gesso_gallery_grid_cell_at (GessoGalleryGrid *self, double x, double y);
/* Context menu, Ctrl and wheel, dragging files out. */
void gesso_gallery_grid_add_input (GessoGalleryGrid *self);

G_END_DECLS
