/* SPDX-License-Identifier: MPL-2.0
 * gesso-texture.h - pixels of the session and the library as textures, without a copy.
 */
#pragma once

#include <gtk/gtk.h>

#include "library/gesso-library.h"

G_BEGIN_DECLS

/* @rgb: (height, width, 3) sRGB; kept */
GdkTexture *gesso_texture_new (GBytes *rgb, int width, int height);

/* gesso_texture_show_thumbnail:
 * @path: a picture file; NULL empties @picture
 *
 * Sets the thumbnail when it is there; a later call for the same widget cancels an earlier one.
 */
void gesso_texture_show_thumbnail (GtkPicture *picture,
                                   GessoLibrary *library,
                                   const char *path,
                                   int size);

/* Decodes a whole picture on a thread.  Result: GdkTexture, by gesso_texture_load_finish. */
void gesso_texture_load_async (const char *path,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
GdkTexture *gesso_texture_load_finish (GAsyncResult *result, GError **error);

/* Writes (height, width, n_channels) bytes as a PNG into @folder, named by their hash, so that the
 * same pixels are there once.  @mask: one channel, written as grey.  Blocking: for threads.
 * Returns: the path, the caller's to g_free */
char *gesso_texture_store_png (
    const char *folder, GBytes *pixels, int width, int height, gboolean mask, GError **error);

G_END_DECLS
