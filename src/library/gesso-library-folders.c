/* SPDX-License-Identifier: MPL-2.0
 * gesso-library-folders.c - the folders that the user named.
 */
#define G_LOG_DOMAIN "gesso-library"

#include <glib/gi18n.h>
#include <string.h>

#include "library/gesso-index.h"
#include "library/gesso-library-private.h"
#include "library/gesso-scan.h"
#include "library/gesso-schema.h"

typedef struct
{
  char *path;
  const char *role; /* NULL: remove */
} FolderChange;

static void
folder_change_free (gpointer data)
{
  g_free (((FolderChange *) data)->path);
  g_free (data);
}

static gboolean
is_below_any (const char *path, GPtrArray *folders)
{
  for (guint i = 0; i < folders->len; i++)
    if (gesso_scan_is_below (path, folders->pdata[i]))
      return TRUE;
  return FALSE;
}

/* A starred one is only hidden: its star is there again with its folder. */
static gboolean
remove_picture (sqlite3 *db, gint64 id, const char *path, GError **error)
{
  gboolean found = FALSE;
  sqlite3_stmt *s =
      gesso_sql_prepare (db, "SELECT 1 FROM pictures WHERE id = ? AND starred <> 0", error);
  if (!s)
    return FALSE;
  sqlite3_bind_int64 (s, 1, id);
  if (!gesso_sql_step (s, &found, error))
    return FALSE;
  sqlite3_reset (s);
  return found ? gesso_index_set_state (db, id, GESSO_STATE_ABSENT, error)
               : gesso_index_remove (db, id, path, error);
}

/* But for those that lie in another folder, too. */
static gboolean
remove_pictures_below (sqlite3 *db, const char *path, GError **error)
{
  g_autoptr (GHashTable) known = gesso_index_known (db, path, error);
  g_autoptr (GPtrArray) others = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer file, value;
  gboolean ok = known != NULL && gesso_index_folders (db, NULL, others, NULL, error);
  if (ok)
    g_hash_table_iter_init (&iter, known);
  while (ok && g_hash_table_iter_next (&iter, &file, &value))
    if (((GessoKnown *) value)->kind == GESSO_FILE_PICTURE && !is_below_any (file, others))
      ok = remove_picture (db, ((GessoKnown *) value)->id, file, error);
  return ok;
}

static gboolean
change_folder (sqlite3 *db, gpointer data, GError **error)
{
  FolderChange *change = data;
  gboolean row;
  sqlite3_stmt *s =
      gesso_sql_prepare (db,
                         change->role ? "INSERT OR REPLACE INTO folders (path, role) VALUES (?, ?)"
                                      : "DELETE FROM folders WHERE path = ?",
                         error);
  if (!s)
    return FALSE;
  sqlite3_bind_text (s, 1, change->path, -1, SQLITE_TRANSIENT);
  if (change->role)
    sqlite3_bind_text (s, 2, change->role, -1, SQLITE_STATIC);
  return gesso_sql_step (s, &row, error) &&
         (change->role || remove_pictures_below (db, change->path, error));
}

static void
folder_changed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoLibrary) self = user_data;
  g_autoptr (GError) error = NULL;
  if (!gesso_database_run_finish (GESSO_DATABASE (source), result, &error))
    g_warning ("The folder cannot be noted: %s", error->message);
  if (!self->closed)
    gesso_library_rescan (self);
}

static void
run_folder_change (GessoLibrary *self, char *path, const char *role)
{
  FolderChange *change = g_new0 (FolderChange, 1);
  change->path = path;
  change->role = role;
  gesso_database_run_async (self->writer, TRUE, change_folder, change, folder_change_free, NULL,
                            folder_changed_cb, g_object_ref (self));
}

/* Returns: its position, the length when it is not there */
static guint
find_folder (GPtrArray *folders, const char *path)
{
  guint i = 0;
  while (i < folders->len && !g_str_equal (folders->pdata[i], path))
    i++;
  return i;
}

static void
drop_folder (GPtrArray *folders, const char *path)
{
  guint i = find_folder (folders, path);
  if (i < folders->len)
    g_ptr_array_remove_index (folders, i);
}

void
gesso_library_publish_folders (GessoLibrary *self)
{
  g_autoptr (GString) lines = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  for (guint i = 0; i < self->folders->len; i++)
    if (!strchr (self->folders->pdata[i], '\n'))
      g_string_append_printf (lines, "%s\n", (const char *) self->folders->pdata[i]);
  if (!g_file_set_contents_full (self->folder_file, lines->str, (gssize) lines->len,
                                 G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
    g_warning ("The list of model folders could not be written: %s", error->message);
}

static void
note_folder (GessoLibrary *self, GPtrArray *folders, char *folder, const char *role)
{
  if (find_folder (folders, folder) == folders->len)
    g_ptr_array_add (folders, g_strdup (folder));
  gesso_library_publish_folders (self);
  run_folder_change (self, folder, role);
}

const char *
gesso_library_add_folder (GessoLibrary *self, const char *path)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (self) && !self->closed, NULL);
  g_return_val_if_fail (path != NULL, NULL);
  g_autofree char *folder = g_canonicalize_filename (path, NULL);
  if (find_folder (self->picture_folders, folder) < self->picture_folders->len)
    return _ ("This is a folder of pictures: choose the one in it that holds the models.");
  if (find_folder (self->folders, folder) == self->folders->len)
    note_folder (self, self->folders, g_steal_pointer (&folder), GESSO_ROLE_MODELS);
  return NULL;
}

static const char *
add_pictures_folder (GessoLibrary *self, const char *path, gboolean own)
{
  g_autofree char *folder = g_canonicalize_filename (path, NULL);
  GPtrArray *known = own ? self->own_folders : self->picture_folders;
  if (find_folder (self->folders, folder) < self->folders->len)
    return _ ("This is a folder of models: choose the one in it that holds the pictures.");
  if (find_folder (known, folder) < known->len)
    return NULL;
  if (own)
    g_ptr_array_add (self->own_folders, g_strdup (folder));
  note_folder (self, self->picture_folders, g_steal_pointer (&folder),
               own ? GESSO_ROLE_OWN : GESSO_ROLE_PICTURES);
  return NULL;
}

const char *
gesso_library_add_pictures_folder (GessoLibrary *self, const char *path)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (self) && !self->closed, NULL);
  g_return_val_if_fail (path != NULL, NULL);
  return add_pictures_folder (self, path, FALSE);
}

const char *
gesso_library_add_own_folder (GessoLibrary *self, const char *path)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (self) && !self->closed, NULL);
  g_return_val_if_fail (path != NULL, NULL);
  return add_pictures_folder (self, path, TRUE);
}

void
gesso_library_remove_folder (GessoLibrary *self, const char *path)
{
  g_return_if_fail (GESSO_IS_LIBRARY (self) && !self->closed);
  g_return_if_fail (path != NULL);
  g_autofree char *folder = g_canonicalize_filename (path, NULL);
  drop_folder (self->folders, folder);
  drop_folder (self->picture_folders, folder);
  drop_folder (self->own_folders, folder);
  gesso_library_publish_folders (self);
  run_folder_change (self, g_steal_pointer (&folder), NULL);
}

gboolean
gesso_library_is_of_others (GessoLibrary *self, const char *path)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (self) && path, FALSE);
  const char *innermost = NULL;
  if (!*path)
    return self->picture_folders->len > self->own_folders->len;
  for (guint i = 0; i < self->picture_folders->len; i++)
    {
      const char *folder = self->picture_folders->pdata[i];
      if (gesso_scan_is_below (path, folder) &&
          (!innermost || strlen (folder) > strlen (innermost)))
        innermost = folder;
    }
  return innermost && find_folder (self->own_folders, innermost) == self->own_folders->len;
}

static char **
dup_all (GPtrArray *folders)
{
  GStrvBuilder *builder = g_strv_builder_new ();
  for (guint i = 0; i < folders->len; i++)
    g_strv_builder_add (builder, folders->pdata[i]);
  char **all = g_strv_builder_end (builder);
  g_strv_builder_unref (builder);
  return all;
}

char **
gesso_library_dup_folders (GessoLibrary *self)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (self), NULL);
  return dup_all (self->folders);
}

char **
gesso_library_dup_picture_folders (GessoLibrary *self)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (self), NULL);
  return dup_all (self->picture_folders);
}
