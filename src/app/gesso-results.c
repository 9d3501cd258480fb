/* SPDX-License-Identifier: MPL-2.0
 * gesso-results.c - what the filmstrip's buttons do.
 */
#include "app/gesso-results.h"

#include <glib/gi18n.h>

#include "app/gesso-texture.h"
#include "core/mem.h"
#include "media/frames.h"

enum
{
  THUMBNAIL_SIZE = 192 /* px */
};

struct _GessoResults
{
  GObject parent_instance;
  GessoFilmstrip *filmstrip;
  GessoDocument *document;
  GessoLibrary *library;
  GessoResult *discarded;
  int discarded_position;
};

G_DEFINE_FINAL_TYPE (GessoResults, gesso_results, G_TYPE_OBJECT)

enum
{
  MESSAGE,
  DISCARDED,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

/* Of a call about one result. */
typedef struct
{
  GessoResults *self;
  GessoResult *result;
} About;

static About *
about_new (GessoResults *self, GessoResult *result)
{
  About *about = g_new (About, 1);
  *about = (About){ g_object_ref (self), g_object_ref (result) };
  return about;
}

static void
about_free (About *about)
{
  g_object_unref (about->self);
  g_object_unref (about->result);
  g_free (about);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (About, about_free)

static void
say (GessoResults *self, const char *message)
{
  g_signal_emit (self, signals[MESSAGE], 0, message);
}

/* ---- adding ---- */

static void
thumbnail_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoResult) shown = user_data;
  int width, height;
  g_autoptr (GBytes) rgb =
      gesso_library_thumbnail_finish (GESSO_LIBRARY (source), result, &width, &height, NULL);
  g_autoptr (GdkTexture) texture = rgb ? gesso_texture_new (rgb, width, height) : NULL;
  if (texture)
    gesso_result_set_paintable (shown, GDK_PAINTABLE (texture));
}

static void
cancel_and_unref (gpointer data)
{
  g_cancellable_cancel (data);
  g_object_unref (data);
}

static void
shown_cb (GessoFilmstrip *filmstrip, GessoResult *result, GessoResults *self)
{
  const char *path = gesso_result_get_path (result);
  if (!path || gesso_result_get_paintable (result))
    return;
  GCancellable *cancellable = g_cancellable_new ();
  g_object_set_data_full (G_OBJECT (result), "thumbnail", cancellable, cancel_and_unref);
  gesso_library_thumbnail_async (self->library, path, THUMBNAIL_SIZE, cancellable, thumbnail_cb,
                                 g_object_ref (result));
}

/* The pictures of a long session, 110 KB each, are not to fill the memory. */
static void
hidden_cb (GessoFilmstrip *filmstrip, GessoResult *result, GessoResults *self)
{
  g_object_set_data (G_OBJECT (result), "thumbnail", NULL);
  if (gesso_result_get_path (result))
    gesso_result_set_paintable (result, NULL);
}

void
gesso_results_add (GessoResults *self, const char *path, const char *label, const GessoRect *where)
{
  g_return_if_fail (GESSO_IS_RESULTS (self) && path);
  g_autoptr (GessoResult) result = gesso_result_new (path, NULL, label);
  if (where)
    gesso_result_set_where (result, where);
  GessoResult *selected = gesso_filmstrip_get_selected (self->filmstrip);
  gesso_filmstrip_add (self->filmstrip, result);
  if (!selected)
    gesso_filmstrip_set_selected (self->filmstrip, result);
  /* The library watches folders, but not one that the first picture only now made. */
  gesso_library_add_picture_async (self->library, path, NULL, NULL, NULL);
}

void
gesso_results_restore (GessoResults *self, guint position, GessoResult *result)
{
  g_return_if_fail (GESSO_IS_RESULTS (self) && GESSO_IS_RESULT (result));
  if (!self->filmstrip)
    return;
  gesso_filmstrip_insert (self->filmstrip, position, result);
}

/* ---- keeping ---- */

static void
put_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (About) about = user_data;
  g_autoptr (GError) error = NULL;
  if (!gesso_document_put_finish (GESSO_DOCUMENT (source), result, &error))
    {
      say (about->self, error->message);
      return;
    }
  gesso_result_set_kept (about->result, TRUE);
  if (about->self->filmstrip)
    gesso_filmstrip_set_selected (about->self->filmstrip, NULL);
}

static void
free_image (gpointer data)
{
  Image *image = data;
  image_clear (image);
  g_free (image);
}

static void
read_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_autofree Image *image = g_new0 (Image, 1);
  Status status = { 0 };
  if (frames_read_picture (image, data, NULL, &status))
    g_task_return_pointer (task, g_steal_pointer (&image), free_image);
  else
    g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_FAILED, "%s", status.message);
}

static void
read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (About) about = user_data;
  g_autoptr (GError) error = NULL;
  Image *image = g_task_propagate_pointer (G_TASK (result), &error);
  if (!image)
    {
      say (about->self, error->message);
      return;
    }
  int width = image->width, height = image->height;
  g_autoptr (GBytes) rgb = g_bytes_new_with_free_func (
      image->rgb, (gsize) width * (gsize) height * IMAGE_CHANNELS, free_image, image);
  if (!about->self->document) /* the window is closed */
    return;
  GessoRect where = gesso_result_get_where (about->result);
  if (gesso_rect_is_empty (&where))
    where = gesso_document_get_frame (about->self->document);
  GessoDocument *document = about->self->document;
  gesso_document_put_async (document, rgb, width, height, &where, NULL, put_cb,
                            g_steal_pointer (&about));
}

static void
keep_cb (GessoFilmstrip *filmstrip, GessoResult *result, gpointer user_data)
{
  GessoResults *self = user_data;
  const char *path = gesso_result_get_path (result);
  if (!path)
    return;
  /* no source: the thread may be the last to let go of the task */
  g_autoptr (GTask) task = g_task_new (NULL, NULL, read_cb, about_new (self, result));
  g_task_set_source_tag (task, keep_cb);
  g_task_set_task_data (task, g_strdup (path), g_free);
  g_task_run_in_thread (task, read_thread);
}

/* ---- starring and discarding, both by way of the library's picture ---- */

static void
star_found_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (About) about = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GessoPicture) picture =
      gesso_library_add_picture_finish (GESSO_LIBRARY (source), result, &error);
  if (!picture)
    {
      say (about->self, error->message);
      return;
    }
  gboolean starred = !gesso_result_get_starred (about->result);
  gesso_library_set_starred (GESSO_LIBRARY (source), picture, starred);
  gesso_result_set_starred (about->result, starred); /* its path may be written differently */
}

/* In the gallery. */
static void
starred_cb (GessoLibrary *library, GessoPicture *picture, GessoResults *self)
{
  GessoResult *result =
      self->filmstrip ? gesso_filmstrip_find (self->filmstrip, gesso_picture_get_path (picture))
                      : NULL;
  if (result)
    gesso_result_set_starred (result, gesso_picture_get_starred (picture));
}

static void
star_cb (GessoFilmstrip *filmstrip, GessoResult *result, gpointer user_data)
{
  GessoResults *self = user_data;
  if (gesso_result_get_path (result))
    gesso_library_add_picture_async (self->library, gesso_result_get_path (result), NULL,
                                     star_found_cb, about_new (self, result));
}

static void
trashed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (About) about = user_data;
  GessoResults *self = about->self;
  g_autoptr (GError) error = NULL;
  if (!gesso_library_trash_finish (GESSO_LIBRARY (source), result, &error))
    {
      say (self, error->message);
      return;
    }
  if (!self->filmstrip)
    return;
  self->discarded_position = gesso_filmstrip_remove (self->filmstrip, about->result);
  g_set_object (&self->discarded, about->result);
  g_signal_emit (self, signals[DISCARDED], 0, about->result);
}

static void
discard_found_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (About) about = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GessoPicture) picture =
      gesso_library_add_picture_finish (GESSO_LIBRARY (source), result, &error);
  if (!picture)
    {
      say (about->self, error->message);
      return;
    }
  g_autoptr (GListStore) pictures = g_list_store_new (GESSO_TYPE_PICTURE);
  g_list_store_append (pictures, picture);
  gesso_library_trash_async (GESSO_LIBRARY (source), G_LIST_MODEL (pictures), NULL, trashed_cb,
                             g_steal_pointer (&about));
}

static void
discard_cb (GessoFilmstrip *filmstrip, GessoResult *result, gpointer user_data)
{
  GessoResults *self = user_data;
  if (gesso_result_get_path (result))
    gesso_library_add_picture_async (self->library, gesso_result_get_path (result), NULL,
                                     discard_found_cb, about_new (self, result));
}

static void
untrashed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (About) about = user_data;
  GessoResults *self = about->self;
  g_autoptr (GError) error = NULL;
  if (!gesso_library_untrash_finish (GESSO_LIBRARY (source), result, &error))
    say (self, error->message);
  else if (self->filmstrip)
    gesso_filmstrip_insert (self->filmstrip, (guint) MAX (0, self->discarded_position),
                            about->result);
}

void
gesso_results_undo_discard (GessoResults *self)
{
  g_return_if_fail (GESSO_IS_RESULTS (self));
  g_autoptr (GessoResult) result = g_steal_pointer (&self->discarded);
  if (result)
    gesso_library_untrash_async (self->library, NULL, untrashed_cb, about_new (self, result));
}

static void
gesso_results_dispose (GObject *object)
{
  GessoResults *self = GESSO_RESULTS (object);
  g_clear_object (&self->discarded);
  g_clear_object (&self->filmstrip);
  g_clear_object (&self->document);
  g_clear_object (&self->library);
  G_OBJECT_CLASS (gesso_results_parent_class)->dispose (object);
}

static void
gesso_results_class_init (GessoResultsClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_results_dispose;
  signals[MESSAGE] = g_signal_new ("message", GESSO_TYPE_RESULTS, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  signals[DISCARDED] = g_signal_new ("discarded", GESSO_TYPE_RESULTS, G_SIGNAL_RUN_LAST, 0, NULL,
                                     NULL, NULL, G_TYPE_NONE, 1, GESSO_TYPE_RESULT);
}

static void
gesso_results_init (GessoResults *self)
{
}

GessoResults *
gesso_results_new (GessoFilmstrip *filmstrip, GessoDocument *document, GessoLibrary *library)
{
  g_return_val_if_fail (GESSO_IS_FILMSTRIP (filmstrip) && GESSO_IS_DOCUMENT (document), NULL);
  g_return_val_if_fail (GESSO_IS_LIBRARY (library), NULL);
  GessoResults *self = g_object_new (GESSO_TYPE_RESULTS, NULL);
  self->filmstrip = g_object_ref (filmstrip);
  self->document = g_object_ref (document);
  self->library = g_object_ref (library);
  g_signal_connect_object (filmstrip, "keep", G_CALLBACK (keep_cb), self, 0);
  g_signal_connect_object (filmstrip, "star", G_CALLBACK (star_cb), self, 0);
  g_signal_connect_object (library, "starred", G_CALLBACK (starred_cb), self, 0);
  g_signal_connect_object (filmstrip, "discard", G_CALLBACK (discard_cb), self, 0);
  g_signal_connect_object (filmstrip, "shown", G_CALLBACK (shown_cb), self, 0);
  g_signal_connect_object (filmstrip, "hidden", G_CALLBACK (hidden_cb), self, 0);
  return self;
}
