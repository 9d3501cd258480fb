/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture-pages.c - rows by pages from the database's thread, objects of the latest kept.
 */
#define G_LOG_DOMAIN "gesso-library"

#include "library/gesso-picture-pages.h"

#include "library/gesso-index.h"
#include "library/gesso-library-private.h"
#include "library/gesso-picture.h"

enum
{
  PAGE_ROWS = 64,
  PAGES_AT_ONCE = 6,
  KEPT_PICTURES = 1024
};

struct _GessoPicturePages
{
  GessoLibrary *library;
  GArray *ids;        /* guint64 */
  GQueue kept;        /* GessoPicture, the latest first */
  GHashTable *links;  /* GessoPicture -> its link in @kept */
  GQueue wanted;      /* numbers of pages to read, the latest wanted first */
  gboolean in_flight; /* one request at a time: what scrolled by must not pile up */
  gboolean closed;
  guint idle_id;
};

GessoPicturePages *
gesso_picture_pages_new (GessoLibrary *library, GArray *ids)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (library) && ids != NULL, NULL);
  GessoPicturePages *self = g_rc_box_new0 (GessoPicturePages);
  self->library = g_object_ref (library);
  self->ids = g_array_ref (ids);
  self->links = g_hash_table_new (NULL, NULL);
  g_queue_init (&self->wanted);
  g_queue_init (&self->kept);
  return self;
}

static void
clear (gpointer data)
{
  GessoPicturePages *self = data;
  g_object_unref (self->library);
  g_array_unref (self->ids);
  g_hash_table_unref (self->links);
  g_queue_clear (&self->wanted);
  g_queue_clear_full (&self->kept, g_object_unref);
}

void
gesso_picture_pages_unref (GessoPicturePages *self)
{
  g_rc_box_release_full (self, clear);
}

void
gesso_picture_pages_close (GessoPicturePages *self)
{
  g_return_if_fail (self != NULL);
  self->closed = TRUE;
  g_clear_handle_id (&self->idle_id, g_source_remove);
}

static void
keep (GessoPicturePages *self, GessoPicture *picture)
{
  GList *link = g_hash_table_lookup (self->links, picture);
  if (link)
    {
      g_queue_unlink (&self->kept, link);
      g_queue_push_head_link (&self->kept, link);
      return;
    }
  g_queue_push_head (&self->kept, g_object_ref (picture));
  g_hash_table_insert (self->links, picture, self->kept.head);
  if (self->kept.length <= KEPT_PICTURES)
    return;
  GessoPicture *oldest = g_queue_pop_tail (&self->kept);
  g_hash_table_remove (self->links, oldest);
  g_object_unref (oldest);
}

void
gesso_picture_pages_fill (GessoPicturePages *self, GPtrArray *rows)
{
  g_return_if_fail (self != NULL && rows != NULL);
  for (guint i = 0; i < rows->len; i++)
    {
      GessoPictureRow *row = rows->pdata[i];
      g_autoptr (GessoPicture) picture = gesso_library_ref_picture (self->library, row->id);
      gesso_picture_fill (picture, row);
      keep (self, picture);
    }
}

/* -- reading ------------------------------------------------------------------------------------
 */

typedef struct
{
  GessoPicturePages *pages; /* a reference */
  GArray *ids;
  GPtrArray *rows;
} Request;

static gboolean
read_rows (sqlite3 *db, gpointer data, GError **error)
{
  Request *r = data;
  if (!gesso_sql_exec (db, "BEGIN", error)) /* one snapshot, one lock for all rows */
    return FALSE;
  for (guint i = 0; i < r->ids->len; i++)
    {
      g_autoptr (GError) local = NULL;
      GessoPictureRow *row =
          gesso_index_picture (db, (gint64) g_array_index (r->ids, guint64, i), &local);
      if (row)
        g_ptr_array_add (r->rows, row); /* one that went meanwhile is missing */
      else if (local)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
    }
  return gesso_sql_exec (db, "COMMIT", error);
}

static void
add_page (GessoPicturePages *self, GArray *ids, guint page)
{
  for (guint i = page * PAGE_ROWS; i < (page + 1) * PAGE_ROWS && i < self->ids->len; i++)
    {
      guint64 id = g_array_index (self->ids, guint64, i);
      GessoPicture *known = gesso_library_peek_picture (self->library, (gint64) id);
      if (!known || !gesso_picture_is_filled (known))
        g_array_append_val (ids, id);
    }
}

static void
begin (GessoPicturePages *self, GAsyncReadyCallback callback)
{
  Request *r = g_new0 (Request, 1);
  r->pages = g_rc_box_acquire (self);
  r->ids = g_array_new (FALSE, FALSE, sizeof (guint64));
  r->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) gesso_picture_row_free);
  for (int n = 0; n < PAGES_AT_ONCE && self->wanted.length; n++)
    add_page (self, r->ids, GPOINTER_TO_UINT (g_queue_pop_head (&self->wanted)));
  self->in_flight = TRUE;
  gesso_database_run_async (gesso_library_get_reader (self->library), FALSE, read_rows, r, NULL,
                            NULL, callback, r);
}

static void
request_free (Request *r)
{
  g_array_unref (r->ids);
  g_ptr_array_unref (r->rows);
  gesso_picture_pages_unref (r->pages);
  g_free (r);
}

static void
read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Request *r = user_data;
  GessoPicturePages *self = r->pages;
  g_autoptr (GError) error = NULL;
  self->in_flight = FALSE;
  if (!gesso_database_run_finish (GESSO_DATABASE (source), result, &error))
    g_message ("Pictures cannot be read: %s", error->message);
  else if (!self->closed)
    gesso_picture_pages_fill (self, r->rows);
  if (self->wanted.length && !self->in_flight && !self->closed)
    begin (self, read_cb);
  request_free (r);
}

static gboolean
begin_cb (gpointer data)
{
  GessoPicturePages *self = data;
  self->idle_id = 0;
  if (!self->in_flight && self->wanted.length)
    begin (self, read_cb);
  return G_SOURCE_REMOVE;
}

static void
want_page (GessoPicturePages *self, guint page)
{
  g_queue_remove (&self->wanted, GUINT_TO_POINTER (page));
  g_queue_push_head (&self->wanted, GUINT_TO_POINTER (page));
}

/* The page that @position lies in, and those beside it: scrolling goes on. */
static void
want (GessoPicturePages *self, guint position)
{
  guint page = position / PAGE_ROWS;
  if (self->closed)
    return;
  if (page > 0)
    want_page (self, page - 1);
  want_page (self, page + 1);
  want_page (self, page);
  if (!self->idle_id && !self->in_flight)
    self->idle_id = g_idle_add_full (G_PRIORITY_DEFAULT, begin_cb, self, NULL);
}

GessoPicture *
gesso_picture_pages_ref_picture (GessoPicturePages *self, guint position)
{
  g_return_val_if_fail (self != NULL && position < self->ids->len, NULL);
  GessoPicture *picture = gesso_library_ref_picture (
      self->library, (gint64) g_array_index (self->ids, guint64, position));
  keep (self, picture);
  if (!gesso_picture_is_filled (picture))
    want (self, position);
  return picture;
}
