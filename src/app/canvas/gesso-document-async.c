/* SPDX-License-Identifier: MPL-2.0
 * gesso-document-async.c - the document's slow work on threads, and the same without a thread.
 *
 * A thread gets a copy of the state or the source of a patch, never the document; what it made is
 * applied on the main thread, when the task is finished, to whatever the document is by then.
 */
#include "app/canvas/gesso-document-private.h"

#include <glib/gi18n.h>

typedef struct
{
  GessoState *state;
  int width, height;
} ExtractWork;

typedef struct
{
  GessoPatchSource source;
  GessoLayer layer;
  GessoRect where, clip;
  gboolean has_where; /* else a picture at its own size */
} PatchWork;

/* What a task of the caller's waits for. */
typedef struct
{
  GTask *task;
  GDestroyNotify free_result;
} Awaited;

static void
answer_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Awaited *awaited = user_data;
  g_autoptr (GTask) task = awaited->task;
  GError *error = NULL;
  gpointer made = g_task_propagate_pointer (G_TASK (result), &error);
  if (made)
    g_task_return_pointer (task, made, awaited->free_result);
  else
    g_task_return_error (task, error);
}

/* The thread may be the last to let go of its task, after the answer was taken: so it has one of
 * its own that knows no document, with the data of @task, which waits for it.  @func returns a
 * pointer. */
static void
run_on_thread (GTask *task, GTaskThreadFunc func, GDestroyNotify free_result)
{
  Awaited *awaited = g_new (Awaited, 1);
  *awaited = (Awaited){ g_object_ref (task), free_result };
  g_autoptr (GTask) inner = g_task_new (NULL, g_task_get_cancellable (task), answer_cb, awaited);
  g_task_set_source_tag (inner, run_on_thread);
  g_task_set_task_data (inner, g_task_get_task_data (task), NULL);
  g_task_run_in_thread (inner, func);
}

static void
extract_work_free (gpointer data)
{
  ExtractWork *work = data;
  gesso_state_free (work->state);
  g_free (work);
}

static void
patch_work_free (gpointer data)
{
  PatchWork *work = data;
  g_free (work->source.path);
  g_clear_pointer (&work->source.bytes, g_bytes_unref);
  g_free (work);
}

static void
free_frame_pixels (gpointer data)
{
  gesso_frame_pixels_free (data);
}

static void
extract_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const ExtractWork *work = data;
  GError *error = NULL;
  GessoFramePixels *pixels = gesso_state_extract (work->state, work->width, work->height, &error);
  if (pixels)
    g_task_return_pointer (task, pixels, free_frame_pixels);
  else
    g_task_return_error (task, error);
}

void
gesso_document_extract_frame_async (GessoDocument *self,
                                    int width,
                                    int height,
                                    GCancellable *cancellable,
                                    GAsyncReadyCallback callback,
                                    gpointer user_data)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, gesso_document_extract_frame_async);
  ExtractWork *work = g_new0 (ExtractWork, 1);
  *work = (ExtractWork){ gesso_state_copy (gesso_document_peek_state (self)), width, height };
  g_task_set_task_data (task, work, extract_work_free);
  run_on_thread (task, extract_thread, free_frame_pixels);
}

GessoFramePixels *
gesso_document_extract_frame_finish (GessoDocument *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

GessoFramePixels *
gesso_document_extract_frame (GessoDocument *self, int width, int height, GError **error)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), NULL);
  return gesso_state_extract (gesso_document_peek_state (self), width, height, error);
}

static void
state_free (gpointer data)
{
  gesso_state_free (data);
}

static void
free_picture_pixels (gpointer data)
{
  gesso_picture_pixels_free (data);
}

static void
picture_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;
  GessoPicturePixels *pixels = gesso_state_extract_picture (data, &error);
  if (pixels)
    g_task_return_pointer (task, pixels, free_picture_pixels);
  else
    g_task_return_error (task, error);
}

void
gesso_document_extract_picture_async (GessoDocument *self,
                                      GCancellable *cancellable,
                                      GAsyncReadyCallback callback,
                                      gpointer user_data)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, gesso_document_extract_picture_async);
  g_task_set_task_data (task, gesso_state_copy (gesso_document_peek_state (self)), state_free);
  run_on_thread (task, picture_thread, free_picture_pixels);
}

GessoPicturePixels *
gesso_document_extract_picture_finish (GessoDocument *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

static GessoPatch *
make_patch (const PatchWork *work, GCancellable *cancellable, GError **error)
{
  return gesso_patch_new (work->layer, &work->source, work->has_where ? &work->where : NULL,
                          work->has_where ? &work->clip : NULL, cancellable, error);
}

static void
free_patch (gpointer data)
{
  gesso_patch_free (data);
}

static void
patch_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;
  GessoPatch *patch = make_patch (data, cancellable, &error);
  if (patch)
    g_task_return_pointer (task, patch, free_patch);
  else
    g_task_return_error (task, error);
}

static void
run_patch (GessoDocument *self,
           PatchWork *work,
           gpointer tag,
           GCancellable *cancellable,
           GAsyncReadyCallback callback,
           gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, tag);
  g_task_set_task_data (task, work, patch_work_free);
  run_on_thread (task, patch_thread, free_patch);
}

static PatchWork *
result_work (GessoDocument *self, GBytes *rgb, int width, int height, const GessoRect *where)
{
  PatchWork *work = g_new0 (PatchWork, 1);
  work->source = (GessoPatchSource){ NULL, g_bytes_ref (rgb), width, height };
  work->layer = GESSO_LAYER_PICTURE;
  work->where = *where;
  work->clip = gesso_document_clip_put (self, where);
  work->has_where = TRUE;
  return work;
}

void
gesso_document_put_async (GessoDocument *self,
                          GBytes *rgb,
                          int width,
                          int height,
                          const GessoRect *where,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  g_return_if_fail (rgb != NULL && where != NULL && width > 0);
  run_patch (self, result_work (self, rgb, width, height, where), gesso_document_put_async,
             cancellable, callback, user_data);
}

gboolean
gesso_document_put_finish (GessoDocument *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_autoptr (GessoPatch) patch = g_task_propagate_pointer (G_TASK (result), error);
  return patch && gesso_document_apply_result (self, patch, error);
}

gboolean
gesso_document_put (
    GessoDocument *self, GBytes *rgb, int width, int height, const GessoRect *where, GError **error)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), FALSE);
  g_return_val_if_fail (rgb != NULL && where != NULL && width > 0, FALSE);
  PatchWork *work = result_work (self, rgb, width, height, where);
  g_autoptr (GessoPatch) patch = make_patch (work, NULL, error);
  patch_work_free (work);
  return patch && gesso_document_apply_result (self, patch, error);
}

static void
load (GessoDocument *self,
      GessoPatchSource source,
      gboolean as_mask,
      GCancellable *cancellable,
      GAsyncReadyCallback callback,
      gpointer user_data)
{
  PatchWork *work = g_new0 (PatchWork, 1);
  work->source = source;
  work->layer = as_mask ? GESSO_LAYER_MASK : GESSO_LAYER_PICTURE;
  work->has_where = as_mask;
  work->where = work->clip = gesso_document_get_frame (self);
  run_patch (self, work, gesso_document_load_async, cancellable, callback, user_data);
}

static void
load_file (GessoDocument *self,
           GFile *file,
           gboolean as_mask,
           GCancellable *cancellable,
           GAsyncReadyCallback callback,
           gpointer user_data)
{
  char *path = g_file_get_path (file);
  if (path)
    load (self, (GessoPatchSource){ .path = path }, as_mask, cancellable, callback, user_data);
  else
    g_task_report_new_error (self, callback, user_data, gesso_document_load_async, G_IO_ERROR,
                             G_IO_ERROR_NOT_SUPPORTED,
                             _ ("Only files on this computer can be opened: save it first."));
}

void
gesso_document_load_async (GessoDocument *self,
                           GFile *file,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  g_return_if_fail (G_IS_FILE (file));
  load_file (self, file, FALSE, cancellable, callback, user_data);
}

void
gesso_document_load_mask_async (GessoDocument *self,
                                GFile *file,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  g_return_if_fail (G_IS_FILE (file));
  load_file (self, file, TRUE, cancellable, callback, user_data);
}

void
gesso_document_load_bytes_async (GessoDocument *self,
                                 GBytes *bytes,
                                 int width,
                                 int height,
                                 gboolean as_mask,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  g_return_if_fail (bytes != NULL);
  GessoPatchSource source = { NULL, g_bytes_ref (bytes), width, height };
  load (self, source, as_mask, cancellable, callback, user_data);
}

gboolean
gesso_document_load_finish (GessoDocument *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_autoptr (GessoPatch) patch = g_task_propagate_pointer (G_TASK (result), error);
  if (!patch)
    return FALSE;
  const PatchWork *work = g_task_get_task_data (G_TASK (result));
  if (work->layer == GESSO_LAYER_MASK)
    gesso_document_apply_mask (self, patch);
  else
    gesso_document_apply_picture (self, patch);
  return TRUE;
}

static void
free_state (gpointer data)
{
  gesso_state_free (data);
}

static void
free_bytes (gpointer data)
{
  g_bytes_unref (data);
}

static void
serialise_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_task_return_pointer (task, gesso_state_serialise (data), free_bytes);
}

void
gesso_document_serialise_async (GessoDocument *self,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, gesso_document_serialise_async);
  g_task_set_task_data (task, gesso_state_copy (gesso_document_peek_state (self)), free_state);
  run_on_thread (task, serialise_thread, free_bytes);
}

GBytes *
gesso_document_serialise_finish (GessoDocument *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

GBytes *
gesso_document_serialise (GessoDocument *self)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), NULL);
  return gesso_state_serialise (gesso_document_peek_state (self));
}

static void
restore_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;
  GessoState *state = gesso_state_new_from_bytes (data, &error);
  if (state)
    g_task_return_pointer (task, state, free_state);
  else
    g_task_return_error (task, error);
}

void
gesso_document_restore_async (GessoDocument *self,
                              GBytes *bytes,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  g_return_if_fail (bytes != NULL);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, gesso_document_restore_async);
  g_task_set_task_data (task, g_bytes_ref (bytes), free_bytes);
  run_on_thread (task, restore_thread, free_state);
}

gboolean
gesso_document_restore_finish (GessoDocument *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  GessoState *state = g_task_propagate_pointer (G_TASK (result), error);
  if (state)
    gesso_document_take_state (self, state);
  return state != NULL;
}

gboolean
gesso_document_restore (GessoDocument *self, GBytes *bytes, GError **error)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), FALSE);
  g_return_val_if_fail (bytes != NULL, FALSE);
  GessoState *state = gesso_state_new_from_bytes (bytes, error);
  if (state)
    gesso_document_take_state (self, state);
  return state != NULL;
}
