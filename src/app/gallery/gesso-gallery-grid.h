/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-grid.h - the thumbnails with search, star filter, date while scrolling, and the bar
 * for several selected pictures.
 *
 * Signals: "opened" (uint: position), "key-compare" (X was pressed, whatever is selected).
 */
#pragma once

#include "library/gesso-library.h"
#include <gtk/gtk.h>

G_BEGIN_DECLS

#define GESSO_TYPE_GALLERY_GRID (gesso_gallery_grid_get_type ())
G_DECLARE_FINAL_TYPE (GessoGalleryGrid, gesso_gallery_grid, GESSO, GALLERY_GRID, GtkWidget)

/* @selection: over @list */
GtkWidget *gesso_gallery_grid_new (GessoLibrary *library,
                                   GessoPictureList *list,
                                   GtkMultiSelection *selection);
/* @steps: of the five sizes, larger when positive.  Returns: FALSE at the end of them */
gboolean gesso_gallery_grid_resize (GessoGalleryGrid *self, int steps);
void gesso_gallery_grid_focus_search (GessoGalleryGrid *self);
void gesso_gallery_grid_clear_search (GessoGalleryGrid *self);
/* Brings the picture into view and gives it the keyboard. */
void gesso_gallery_grid_focus_position (GessoGalleryGrid *self, guint position);
/* The context menu, at the picture that has the focus. */
void gesso_gallery_grid_popup_menu (GessoGalleryGrid *self);
GtkAdjustment *gesso_gallery_grid_get_adjustment (GessoGalleryGrid *self);
GtkWidget *gesso_gallery_grid_get_view (GessoGalleryGrid *self); /* the GtkGridView */

G_END_DECLS
