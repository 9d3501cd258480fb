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

G_END_DECLS
