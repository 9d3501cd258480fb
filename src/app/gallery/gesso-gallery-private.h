/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-private.h - what the page and its actions share.
 */
#pragma once

#include <adwaita.h>

#include "app/gallery/gesso-gallery-details.h"
#include "app/gallery/gesso-gallery-grid.h"
#include "app/gallery/gesso-gallery-page.h"
#include "app/gallery/gesso-gallery-viewer.h"

G_BEGIN_DECLS

typedef enum
{
  GESSO_GALLERY_USE_RECIPE,
  GESSO_GALLERY_USE_SEED,
  GESSO_GALLERY_SEND_TO_CANVAS,
  GESSO_GALLERY_GO_TO_CREATE,
  GESSO_GALLERY_ASK_TRASH,
  GESSO_GALLERY_N_SIGNALS
} GessoGallerySignal;

struct _GessoGalleryPage
{
  GtkWidget parent_instance;
  GessoSession *session;
  GessoLibrary *library;
  GessoPictureList *list;
  GtkMultiSelection *selection;
  GSimpleActionGroup *actions;
  GtkWidget *toasts, *row, *stack, *grid, *viewer, *compare;
  GtkWidget *details, *details_revealer, *separator;
  GCancellable *cancellable; /* of what the page asked for; cancelled with it */
  guint viewed;              /* position in the viewer */
  gboolean details_wanted, quick, narrow;
  char *awaited; /* path to be shown when it is listed */
  guint n_undo;
  AdwToast *undo_toast; /* the latest that offers it; or NULL */
  guint layout_idle, update_idle;
};

void gesso_gallery_emit (GessoGalleryPage *self, GessoGallerySignal signal, const char *text);
void gesso_gallery_say (GessoGalleryPage *self, const char *message, gboolean with_undo);
/* Its Undo was done in another way. */
void gesso_gallery_dismiss_undo (GessoGalleryPage *self);

typedef enum
{
  GESSO_GALLERY_BROWSE,
  GESSO_GALLERY_VIEW,
  GESSO_GALLERY_COMPARE
} GessoGalleryMode;
GessoGalleryMode gesso_gallery_get_mode (GessoGalleryPage *self);

/* The pictures that actions are about: the one that is viewed, or the selected ones.
 * Returns: (element-type GessoPicture) at most @max */
GPtrArray *gesso_gallery_dup_pictures (GessoGalleryPage *self, guint max);
guint gesso_gallery_get_n_pictures (GessoGalleryPage *self);
/* Selected (or viewed) picture, the first of several; NULL.  The caller's to unref. */
GessoPicture *gesso_gallery_ref_picture (GessoGalleryPage *self);

void gesso_gallery_view_position (GessoGalleryPage *self, guint position, gboolean quick);
void gesso_gallery_back (GessoGalleryPage *self);
void gesso_gallery_compare_selected (GessoGalleryPage *self);
void gesso_gallery_set_details (GessoGalleryPage *self, gboolean wanted);
/* Selects @position alone, shows it, and gives it the keyboard. */
void gesso_gallery_select_position (GessoGalleryPage *self, guint position);
/* Enables the actions that make sense now. */
void gesso_gallery_actions_update (GessoGalleryPage *self);
void gesso_gallery_actions_add (GessoGalleryPage *self);

G_END_DECLS
