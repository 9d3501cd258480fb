/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-cell.h - one thumbnail of the grid: a single widget that draws it and its star.
 */
#pragma once

#include "library/gesso-library.h"
#include <gtk/gtk.h>

G_BEGIN_DECLS

#define GESSO_TYPE_GALLERY_CELL (gesso_gallery_cell_get_type ())
G_DECLARE_FINAL_TYPE (GessoGalleryCell, gesso_gallery_cell, GESSO, GALLERY_CELL, GtkWidget)

GtkWidget *gesso_gallery_cell_new (GessoLibrary *library, int size);
/* NULL: forgets it, and takes its thumbnail's request back. */
void gesso_gallery_cell_set_picture (GessoGalleryCell *self, GessoPicture *picture);
GessoPicture *gesso_gallery_cell_get_picture (GessoGalleryCell *self);
/* px, of its square */
void gesso_gallery_cell_set_size (GessoGalleryCell *self, int size);
gboolean gesso_gallery_cell_has_thumbnail (GessoGalleryCell *self);
/* For the icon of a drag; may be NULL. */
GdkTexture *gesso_gallery_cell_get_texture (GessoGalleryCell *self);

G_END_DECLS
