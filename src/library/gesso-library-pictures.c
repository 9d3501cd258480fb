/* SPDX-License-Identifier: MPL-2.0
 * gesso-library-pictures.c - a new picture, stars, the trash, thumbnails.
 */
#define G_LOG_DOMAIN "gesso-library"

#include <glib/gi18n.h>

#include "library/gesso-index.h"
#include "library/gesso-library-private.h"
#include "library/gesso-scan.h"
#include "library/gesso-trash.h"
#include "library/gesso-walk.h"

enum
{
  THUMBNAIL_MIN = 96,
  THUMBNAIL_MAX = 512
};

/* Work on a thread, then the lists, then the caller's callback. */
typedef struct
{
  GessoDatabase *database;
  char *path, *own_trash;
  GArray *ids;
  GessoPictureRow *row;
  GError *error;
} Work;

static void
work_free (gpointer data)
{
  Work *w = data;
  g_clear_object (&w->database);
  g_free (w->path);
  g_free (w->own_trash);
  g_clear_pointer (&w->ids, g_array_unref);
  g_clear_pointer (&w->row, gesso_picture_row_free);
  g_clear_error (&w->error);
  g_free (w);
}

static GTask *
work_new (GessoLibrary *self,
          GCancellable *cancellable,
          GAsyncReadyCallback callback,
          gpointer data)
{
  GTask *task = g_task_new (self, cancellable, callback, data);
  Work *w = g_new0 (Work, 1);
  w->database = self->writer ? g_object_ref (self->writer) : NULL;
  w->own_trash = g_strdup (self->own_trash);
  g_task_set_task_data (task, w, work_free);
  /* files that were moved are told of, whether somebody still waits or not */
  g_task_set_check_cancellable (task, FALSE);
  return task;
}

static void
lists_show_it_cb (gpointer data)
{
  g_autoptr (GTask) task = data;
  Work *w = g_task_get_task_data (task);
  gesso_library_queue_reload (g_task_get_source_object (task)); /* counts and "changed" */
  if (w->error)
    g_task_return_error (task, g_steal_pointer (&w->error));
  else
    g_task_return_boolean (task, TRUE);
}

static void
worked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  Work *w = g_task_get_task_data (task);
  g_task_propagate_boolean (G_TASK (result), &w->error);
  gesso_library_refresh_lists (g_task_get_source_object (task), lists_show_it_cb, task);
}

/* The thread may be the last to let go of its task, after the answer was taken: so that one does
 * not hold the library, which would end there. */
static void
run_on_thread (GTask *task, GTaskThreadFunc func)
{
  g_autoptr (GTask) inner = g_task_new (NULL, g_task_get_cancellable (task), worked_cb, task);
  g_task_set_check_cancellable (inner, FALSE);
  g_task_set_task_data (inner, g_task_get_task_data (task), NULL);
  g_task_run_in_thread (inner, func);
}

static gboolean
refuse_closed (GessoLibrary *self, GTask *task)
{
  if (!self->closed)
    return FALSE;
  g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CLOSED, "%s", _ ("The library is closed."));
  g_object_unref (task);
  return TRUE;
}

/* -- a new picture ------------------------------------------------------------------------------
 */

typedef struct
{
  GessoEntry *entry;
  GessoPictureRow *row; /* as it is now: a picture that was there may have a star */
} Addition;

static gboolean
put_entry (sqlite3 *db, gpointer data, GError **error)
{
  Addition *a = data;
  if (!gesso_index_put (db, a->entry, error))
    return FALSE;
  a->row = gesso_index_picture (db, a->entry->id, error);
  return a->row != NULL;
}

static void
add_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *w = data;
  GessoIdentity identity;
  GError *error = NULL;
  g_autofree char *display = g_filename_display_name (w->path);
  if (!gesso_walk_identify (w->path, &identity))
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                               _ ("There is no picture %s any more."), display);
      return;
    }
  g_autoptr (GessoEntry) entry =
      gesso_scan_read_file (w->path, &identity, TRUE, GESSO_FILE_PICTURE, "");
  Addition addition = { .entry = entry };
  if (entry->picture.width == 0)
    g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                             _ ("%s is no PNG or JPEG picture that can be read."), display);
  else if (!gesso_database_run (w->database, TRUE, put_entry, &addition, &error))
    g_task_return_error (task, error);
  else
    {
      w->row = addition.row;
      g_task_return_boolean (task, TRUE);
    }
}

void
gesso_library_add_picture_async (GessoLibrary *self,
                                 const char *path,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data)
{
  g_return_if_fail (GESSO_IS_LIBRARY (self));
  g_return_if_fail (path != NULL);
  GTask *task = work_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, gesso_library_add_picture_async);
  ((Work *) g_task_get_task_data (task))->path = g_canonicalize_filename (path, NULL);
  if (!refuse_closed (self, task))
    run_on_thread (task, add_thread);
}

GessoPicture *
gesso_library_add_picture_finish (GessoLibrary *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  Work *w = g_task_get_task_data (G_TASK (result));
  if (!g_task_propagate_boolean (G_TASK (result), error))
    return NULL;
  GessoPicture *picture = gesso_library_ref_picture (self, w->row->id);
  gesso_picture_fill (picture, w->row);
  return picture;
}

/* -- stars --------------------------------------------------------------------------------------
 */

typedef struct
{
  gint64 id;
  gboolean starred;
} Star;

static gboolean
write_star (sqlite3 *db, gpointer data, GError **error)
{
  Star *star = data;
  gboolean row;
  sqlite3_stmt *s = gesso_sql_prepare (db, "UPDATE pictures SET starred = ?2 WHERE id = ?1", error);
  if (!s)
    return FALSE;
  sqlite3_bind_int64 (s, 1, star->id);
  sqlite3_bind_int (s, 2, star->starred);
  return gesso_sql_step (s, &row, error);
}

static void
starred_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoLibrary) self = user_data;
  g_autoptr (GError) error = NULL;
  if (!gesso_database_run_finish (GESSO_DATABASE (source), result, &error))
    g_warning ("The star cannot be noted: %s", error->message);
  gesso_library_queue_reload (self);
}

void
gesso_library_set_starred (GessoLibrary *self, GessoPicture *picture, gboolean starred)
{
  g_return_if_fail (GESSO_IS_LIBRARY (self) && !self->closed);
  g_return_if_fail (GESSO_IS_PICTURE (picture));
  Star *star = g_new (Star, 1);
  *star = (Star){ gesso_picture_get_id (picture), !!starred };
  gesso_picture_set_starred (picture, starred);
  gesso_database_run_async (self->writer, TRUE, write_star, star, g_free, NULL, starred_cb,
                            g_object_ref (self));
  gesso_library_tell_starred (self, picture);
}

/* -- trash --------------------------------------------------------------------------------------
 */

static void
trash_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *w = data;
  GError *error = NULL;
  if (gesso_trash_pictures (w->database, w->ids, w->own_trash, cancellable, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

void
gesso_library_trash_async (GessoLibrary *self,
                           GListModel *pictures,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  g_return_if_fail (GESSO_IS_LIBRARY (self));
  g_return_if_fail (G_IS_LIST_MODEL (pictures));
  GTask *task = work_new (self, cancellable, callback, user_data);
  Work *w = g_task_get_task_data (task);
  w->ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  for (guint i = 0; i < g_list_model_get_n_items (pictures); i++)
    {
      g_autoptr (GessoPicture) picture = g_list_model_get_item (pictures, i);
      gint64 id = gesso_picture_get_id (picture);
      g_array_append_val (w->ids, id);
    }
  g_task_set_source_tag (task, gesso_library_trash_async);
  if (!refuse_closed (self, task))
    run_on_thread (task, trash_thread);
}

gboolean
gesso_library_trash_finish (GessoLibrary *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
untrash_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *w = data;
  GError *error = NULL;
  if (gesso_untrash_last (w->database, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

void
gesso_library_untrash_async (GessoLibrary *self,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  g_return_if_fail (GESSO_IS_LIBRARY (self));
  GTask *task = work_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, gesso_library_untrash_async);
  if (!refuse_closed (self, task))
    run_on_thread (task, untrash_thread);
}

gboolean
gesso_library_untrash_finish (GessoLibrary *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* -- thumbnails ---------------------------------------------------------------------------------
 */

void
gesso_library_thumbnail_async (GessoLibrary *self,
                               const char *path,
                               int size,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data)
{
  g_return_if_fail (GESSO_IS_LIBRARY (self));
  g_return_if_fail (path != NULL);
  GTask *task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, gesso_library_thumbnail_async);
  gesso_thumbnails_request (self->thumbnails, path, CLAMP (size, THUMBNAIL_MIN, THUMBNAIL_MAX),
                            task);
}

GBytes *
gesso_library_thumbnail_finish (
    GessoLibrary *self, GAsyncResult *result, int *width, int *height, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_autoptr (GessoThumbnail) t = g_task_propagate_pointer (G_TASK (result), error);
  if (!t)
    return NULL;
  if (width)
    *width = t->width;
  if (height)
    *height = t->height;
  return g_bytes_ref (t->rgb);
}
