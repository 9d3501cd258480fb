/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-page.h - the Gallery: every picture of the user's folders, newest first.
 *
 * Signals for the window:
 *   "use-recipe" (string: JSON of recipe.h)   fill the form and show Create
 *   "use-seed" (string: the seed in decimal)  set the form's "seed" and say so; the page stays
 *   "send-to-canvas" (string: path)           open the picture on the canvas and show Create
 *   "go-to-create"                            the button of the empty gallery
 *   "ask-trash" (GListModel of GessoPicture, uint: how many of them are of other programs)
 *                                             gesso_gallery_page_trash once the user says so
 * Toasts, with their Undo, are the page's own.  Actions: group "gallery", on the page itself, so
 * that menus and tests reach them with gtk_widget_activate_action (page, "gallery.star", NULL).
 */
#pragma once

#include <gtk/gtk.h>

#include "library/gesso-library.h"
#include "session/gesso-session.h"

G_BEGIN_DECLS

#define GESSO_TYPE_GALLERY_PAGE (gesso_gallery_page_get_type ())
G_DECLARE_FINAL_TYPE (GessoGalleryPage, gesso_gallery_page, GESSO, GALLERY_PAGE, GtkWidget)

/* @session: kept for jobs whose results are shown while they run; may be NULL in tests */
GtkWidget *gesso_gallery_page_new (GessoSession *session, GessoLibrary *library);
/* For Ctrl+F of the window while the page is shown. */
void gesso_gallery_page_focus_search (GessoGalleryPage *self);
/* Selects the picture at @path, once the library lists it, and shows it large. */
void gesso_gallery_page_show_picture (GessoGalleryPage *self, const char *path);
/* Moves @pictures to the trash, whoever made them. */
void gesso_gallery_page_trash (GessoGalleryPage *self, GListModel *pictures);

G_END_DECLS
