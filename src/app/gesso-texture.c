/* SPDX-License-Identifier: MPL-2.0
 * gesso-texture.c - pixels of the session and the library as textures.
 */
#include "app/gesso-texture.h"

#include "media/image.h"

GdkTexture *
gesso_texture_new (GBytes *rgb, int width, int height)
{
  g_return_val_if_fail (rgb && width > 0 && height > 0, NULL);
  g_return_val_if_fail (g_bytes_get_size (rgb) >= (gsize) width * (gsize) height * IMAGE_CHANNELS,
                        NULL);
  return gdk_memory_texture_new (width, height, GDK_MEMORY_R8G8B8, rgb,
                                 (gsize) width * IMAGE_CHANNELS);
}

static void
thumbnail_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GtkPicture) picture = user_data;
  int width, height;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) rgb =
      gesso_library_thumbnail_finish (GESSO_LIBRARY (source), result, &width, &height, &error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  g_autoptr (GdkTexture) texture = rgb ? gesso_texture_new (rgb, width, height) : NULL;
  gtk_picture_set_paintable (picture, GDK_PAINTABLE (texture));
}

static void
cancel_and_unref (gpointer data)
{
  g_cancellable_cancel (data);
  g_object_unref (data);
}

void
gesso_texture_show_thumbnail (GtkPicture *picture,
                              GessoLibrary *library,
                              const char *path,
                              int size)
{
  g_return_if_fail (GTK_IS_PICTURE (picture) && GESSO_IS_LIBRARY (library));
  GCancellable *cancellable = path ? g_cancellable_new () : NULL;
  g_object_set_data_full (G_OBJECT (picture), "thumbnail", cancellable,
                          cancellable ? cancel_and_unref : NULL);
  if (path)
    gesso_library_thumbnail_async (library, path, size, cancellable, thumbnail_cb,
                                   g_object_ref (picture));
  else
    gtk_picture_set_paintable (picture, NULL);
}

static void
load_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;
  GdkTexture *texture = gdk_texture_new_from_filename (data, &error);
  if (texture)
    g_task_return_pointer (task, texture, g_object_unref);
  else
    g_task_return_error (task, error);
}

void
gesso_texture_load_async (const char *path,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_return_if_fail (path != NULL);
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  g_task_set_source_tag (task, gesso_texture_load_async);
  g_task_set_task_data (task, g_strdup (path), g_free);
  g_task_run_in_thread (task, load_thread);
}

GdkTexture *
gesso_texture_load_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
