/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-viewer.h - a picture, or two to compare, as large as the page.
 */
#pragma once

#include "app/gallery/gesso-clip-bar.h"
#include "app/gallery/gesso-picture-view.h"

G_BEGIN_DECLS

#define GESSO_TYPE_GALLERY_VIEWER (gesso_gallery_viewer_get_type ())
G_DECLARE_FINAL_TYPE (GessoGalleryViewer, gesso_gallery_viewer, GESSO, GALLERY_VIEWER, GtkWidget)

/* @compare: made for two pictures */
GtkWidget *gesso_gallery_viewer_new (GessoLibrary *library, gboolean compare);
/* @second: only for a viewer made for two; both NULL lets the pixels go */
void
gesso_gallery_viewer_show (GessoGalleryViewer *self, GessoPicture *first, GessoPicture *second);
GessoPicture *gesso_gallery_viewer_get_picture (GessoGalleryViewer *self, int i);
GessoPictureView *gesso_gallery_viewer_get_view (GessoGalleryViewer *self);
/* NULL in a viewer made for two */
GessoClipBar *gesso_gallery_viewer_get_clip_bar (GessoGalleryViewer *self);
/* TRUE once everything that it shows is decoded, or known to be undecodable. */
gboolean gesso_gallery_viewer_is_complete (GessoGalleryViewer *self);

G_END_DECLS
