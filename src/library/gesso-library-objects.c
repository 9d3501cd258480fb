/* SPDX-License-Identifier: MPL-2.0
 * gesso-library-objects.c - one object for each picture that somebody holds, and the lists of them.
 */
#include "library/gesso-library-private.h"

/* Key of the table and what the object's end is told, in one. */
typedef struct
{
  gint64 id; /* first: the table hashes it */
  GessoLibrary *library;
} PictureKey;

static void
picture_gone_cb (gpointer data, GObject *where)
{
  PictureKey *key = data;
  g_hash_table_remove (key->library->pictures, key);
}

GessoPicture *
gesso_library_peek_picture (GessoLibrary *self, gint64 id)
{
  return g_hash_table_lookup (self->pictures, &id);
}

GessoPicture *
gesso_library_ref_picture (GessoLibrary *self, gint64 id)
{
  GessoPicture *picture = gesso_library_peek_picture (self, id);
  if (picture)
    return g_object_ref (picture);
  picture = gesso_picture_new (id);
  PictureKey *key = g_new (PictureKey, 1);
  *key = (PictureKey){ id, self };
  g_hash_table_insert (self->pictures, key, picture);
  g_object_weak_ref (G_OBJECT (picture), picture_gone_cb, key);
  return picture;
}

void
gesso_library_let_go_of_pictures (GessoLibrary *self)
{
  GHashTableIter iter;
  gpointer key, picture;
  g_hash_table_iter_init (&iter, self->pictures);
  while (g_hash_table_iter_next (&iter, &key, &picture))
    g_object_weak_unref (picture, picture_gone_cb, key);
  g_clear_pointer (&self->pictures, g_hash_table_unref);
}

void
gesso_library_add_list (GessoLibrary *self, GessoPictureList *list)
{
  g_ptr_array_add (self->lists, list);
  if (self->closed)
    gesso_picture_list_detach (list);
}

void
gesso_library_remove_list (GessoLibrary *self, GessoPictureList *list)
{
  g_ptr_array_remove (self->lists, list);
}

typedef struct
{
  int n_waiting;
  GessoRefreshed func;
  gpointer data;
} RefreshAll;

static void
refreshed_cb (gpointer data)
{
  RefreshAll *all = data;
  if (--all->n_waiting > 0)
    return;
  all->func (all->data);
  g_free (all);
}

void
gesso_library_refresh_lists (GessoLibrary *self, GessoRefreshed func, gpointer data)
{
  RefreshAll *all = g_new0 (RefreshAll, 1);
  all->func = func;
  all->data = data;
  all->n_waiting = (int) self->lists->len + 1;
  for (guint i = 0; i < self->lists->len; i++)
    gesso_picture_list_refresh (self->lists->pdata[i], refreshed_cb, all);
  refreshed_cb (all);
}
