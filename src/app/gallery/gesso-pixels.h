/* SPDX-License-Identifier: MPL-2.0
 * gesso-pixels.h - a decoded picture in tiles and halved levels, so that any part of it at any zoom
 * is a few small textures.
 *
 * Immutable once made, counted, and free to go between threads.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef struct _GessoPixels GessoPixels;

GessoPixels *gesso_pixels_ref (GessoPixels *self);
void gesso_pixels_unref (GessoPixels *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoPixels, gesso_pixels_unref)

/* A thumbnail that stands in for a picture of @width x @height px until that is decoded. */
GessoPixels *gesso_pixels_new_stand_in (GdkTexture *texture, int width, int height);

/* gesso_pixels_load_async:
 * @path: a picture, or a clip, whose first frame it is then
 *
 * Decodes on a thread.  A call that is cancelled before its turn decodes nothing.
 */
void gesso_pixels_load_async (const char *path,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data);
/* Fails: G_IO_ERROR_* with a sentence for the user */
GessoPixels *gesso_pixels_load_finish (GAsyncResult *result, GError **error);

/* Of the picture, px. */
int gesso_pixels_get_width (GessoPixels *self);
int gesso_pixels_get_height (GessoPixels *self);
gboolean gesso_pixels_is_stand_in (GessoPixels *self);

/* gesso_pixels_snapshot:
 * @where: where the whole picture goes
 * @visible: what of it can be seen; tiles outside are not drawn
 * @widget: that is being drawn
 */
void gesso_pixels_snapshot (GessoPixels *self,
                            GtkSnapshot *snapshot,
                            const graphene_rect_t *where,
                            const graphene_rect_t *visible,
                            GtkWidget *widget);

G_END_DECLS
