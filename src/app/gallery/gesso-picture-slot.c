/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture-slot.c - one picture of the library being shown large.
 */
#include "app/gallery/gesso-picture-slot.h"

#include "media/image.h"

enum
{
  STAND_IN_SIZE = 512 /* px, longest side */
};

struct _GessoPictureSlot
{
  GObject parent_instance;
  GessoLibrary *library;
  GessoPicture *picture;
  gulong picture_handler;
  GessoPixels *pixels;
  GdkTexture *frame; /* of a clip that plays, in place of @pixels */
  char *problem;
  GCancellable *cancellable; /* of what @picture asked for */
  gboolean decoding, again;
};

G_DEFINE_FINAL_TYPE (GessoPictureSlot, gesso_picture_slot, G_TYPE_OBJECT)

static guint changed_signal;

static void
set_pixels (GessoPictureSlot *self, GessoPixels *pixels, const char *problem)
{
  g_clear_pointer (&self->pixels, gesso_pixels_unref);
  self->pixels = pixels;
  g_free (self->problem);
  self->problem = g_strdup (problem);
  g_signal_emit (self, changed_signal, 0);
}

static void
thumbnail_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoPictureSlot) self = user_data;
  g_autoptr (GError) error = NULL;
  int width, height;
  g_autoptr (GBytes) rgb =
      gesso_library_thumbnail_finish (GESSO_LIBRARY (source), result, &width, &height, &error);
  if (!rgb || self->pixels || !self->picture)
    return; /* cancelled, came too late, or not to be read: then the decoder says why */
  g_autoptr (GdkTexture) texture = gdk_memory_texture_new (width, height, GDK_MEMORY_R8G8B8, rgb,
                                                           (gsize) width * IMAGE_CHANNELS);
  int full_width = gesso_picture_get_width (self->picture);
  int full_height = gesso_picture_get_height (self->picture);
  if (full_width > 0 && full_height > 0)
    set_pixels (self, gesso_pixels_new_stand_in (texture, full_width, full_height), NULL);
}

static void
decode (GessoPictureSlot *self, GAsyncReadyCallback callback)
{
  const char *path = self->picture ? gesso_picture_get_path (self->picture) : "";
  self->again = FALSE;
  if (!*path)
    return;
  self->decoding = TRUE;
  gesso_pixels_load_async (path, self->cancellable, callback, g_object_ref (self));
}

static void
decoded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoPictureSlot) self = user_data;
  g_autoptr (GError) error = NULL;
  GessoPixels *pixels = gesso_pixels_load_finish (result, &error);
  self->decoding = FALSE;
  if (self->again)
    {
      g_clear_pointer (&pixels, gesso_pixels_unref);
      decode (self, decoded_cb);
    }
  else if (pixels)
    set_pixels (self, pixels, NULL);
  else if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    set_pixels (self, NULL, error->message);
}

static void
load (GessoPictureSlot *self)
{
  const char *path = self->picture ? gesso_picture_get_path (self->picture) : "";
  if (!*path)
    return;
  gesso_library_thumbnail_async (self->library, path, STAND_IN_SIZE, self->cancellable,
                                 thumbnail_cb, g_object_ref (self));
  if (self->decoding)
    self->again = TRUE;
  else
    decode (self, decoded_cb);
}

static void
disconnect (GessoPictureSlot *self)
{
  if (self->cancellable)
    g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  g_clear_signal_handler (&self->picture_handler, self->picture);
  g_clear_object (&self->picture);
}

void
gesso_picture_slot_set_picture (GessoPictureSlot *self, GessoPicture *picture)
{
  g_return_if_fail (GESSO_IS_PICTURE_SLOT (self));
  if (picture == self->picture)
    return;
  disconnect (self);
  g_clear_object (&self->frame);
  self->again = self->decoding; /* what is decoded now is of no use */
  if (picture)
    {
      self->picture = g_object_ref (picture);
      self->cancellable = g_cancellable_new ();
      /* rows that were never looked at get their path a little later */
      self->picture_handler =
          g_signal_connect_swapped (picture, "notify::path", G_CALLBACK (load), self);
    }
  set_pixels (self, NULL, NULL);
  load (self);
}

GessoPicture *
gesso_picture_slot_get_picture (GessoPictureSlot *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE_SLOT (self), NULL);
  return self->picture;
}

GessoPixels *
gesso_picture_slot_get_pixels (GessoPictureSlot *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE_SLOT (self), NULL);
  return self->pixels;
}

void
gesso_picture_slot_set_frame (GessoPictureSlot *self, GdkTexture *frame)
{
  g_return_if_fail (GESSO_IS_PICTURE_SLOT (self));
  if (g_set_object (&self->frame, frame))
    g_signal_emit (self, changed_signal, 0);
}

GdkTexture *
gesso_picture_slot_get_frame (GessoPictureSlot *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE_SLOT (self), NULL);
  return self->frame;
}

const char *
gesso_picture_slot_get_problem (GessoPictureSlot *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE_SLOT (self), NULL);
  return self->problem;
}

static void
gesso_picture_slot_dispose (GObject *object)
{
  GessoPictureSlot *self = GESSO_PICTURE_SLOT (object);
  disconnect (self);
  self->again = FALSE;
  g_clear_pointer (&self->pixels, gesso_pixels_unref);
  g_clear_pointer (&self->problem, g_free);
  g_clear_object (&self->frame);
  g_clear_object (&self->library);
  G_OBJECT_CLASS (gesso_picture_slot_parent_class)->dispose (object);
}

static void
gesso_picture_slot_class_init (GessoPictureSlotClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_picture_slot_dispose;
  changed_signal = g_signal_new ("changed", GESSO_TYPE_PICTURE_SLOT, G_SIGNAL_RUN_LAST, 0, NULL,
                                 NULL, NULL, G_TYPE_NONE, 0);
}

static void
gesso_picture_slot_init (GessoPictureSlot *self)
{
}

GessoPictureSlot *
gesso_picture_slot_new (GessoLibrary *library)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (library), NULL);
  GessoPictureSlot *self = g_object_new (GESSO_TYPE_PICTURE_SLOT, NULL);
  self->library = g_object_ref (library);
  return self;
}
