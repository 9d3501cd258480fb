/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-details.h - the side pane: everything that is known of one picture.
 */
#pragma once

#include "library/gesso-library.h"
#include <gtk/gtk.h>

G_BEGIN_DECLS

#define GESSO_TYPE_GALLERY_DETAILS (gesso_gallery_details_get_type ())
G_DECLARE_FINAL_TYPE (GessoGalleryDetails, gesso_gallery_details, GESSO, GALLERY_DETAILS, GtkWidget)

GtkWidget *gesso_gallery_details_new (GessoLibrary *library);
/* gesso_gallery_details_show:
 * @picture: NULL: none, or several
 *
 * The recipe follows when it is read, a moment after the last call.
 */
void
gesso_gallery_details_show (GessoGalleryDetails *self, GessoPicture *picture, guint n_selected);
/* For tests: the whole pane's text, the caller's to g_free; NULL until the recipe is there (or the
 * picture has none). */
char *gesso_gallery_details_dup_text (GessoGalleryDetails *self);

G_END_DECLS
