/* SPDX-License-Identifier: MPL-2.0
 * gesso-index.c - statements over the tables of gesso-schema.c.
 */
#include "library/gesso-index.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "library/gesso-schema.h"

enum
{
  NS_PER_SECOND = 1000000000
};

gboolean
gesso_identity_equal (const GessoIdentity *a, const GessoIdentity *b)
{
  return a->size_bytes == b->size_bytes && a->mtime_ns == b->mtime_ns && a->inode == b->inode;
}

void
gesso_entry_free (GessoEntry *entry)
{
  if (!entry)
    return;
  g_free (entry->path);
  g_free (entry->name);
  g_free (entry->thumbnail);
  gesso_recognised_clear (&entry->recognised);
  g_free (entry->picture.path);
  g_free (entry->picture.prompt);
  g_free (entry->picture.negative);
  g_free (entry->picture.model);
  g_free (entry);
}

static void
known_free (GessoKnown *known)
{
  g_free (known->thumbnail);
  g_free (known);
}

static void
bind_text (sqlite3_stmt *s, int column, const char *text)
{
  sqlite3_bind_text (s, column, text ? text : "", -1, SQLITE_TRANSIENT);
}

static char *
dup_column (sqlite3_stmt *s, int column)
{
  const char *text = (const char *) sqlite3_column_text (s, column);
  return g_strdup (text ? text : "");
}

static gboolean
run (sqlite3_stmt *s, GError **error)
{
  gboolean row;
  return gesso_sql_step (s, &row, error);
}

static void
bind_identity (sqlite3_stmt *s, int first, const GessoIdentity *identity)
{
  sqlite3_bind_int64 (s, first, identity->size_bytes);
  sqlite3_bind_int64 (s, first + 1, identity->mtime_ns);
  sqlite3_bind_int64 (s, first + 2, (gint64) identity->inode);
}

/* -- what is known ------------------------------------------------------------------------------
 */

static void
add_known (GHashTable *known, sqlite3_stmt *s)
{
  GessoKnown *k = g_new0 (GessoKnown, 1);
  k->id = sqlite3_column_int64 (s, 1);
  k->identity = (GessoIdentity){ sqlite3_column_int64 (s, 2), sqlite3_column_int64 (s, 3),
                                 (guint64) sqlite3_column_int64 (s, 4) };
  g_autofree char *kind = dup_column (s, 5);
  k->kind = gesso_file_kind_from_nick (kind);
  k->state = sqlite3_column_int (s, 6);
  k->thumbnail = dup_column (s, 7);
  k->recognised = sqlite3_column_int (s, 8);
  g_hash_table_insert (known, dup_column (s, 0), k);
}

GHashTable *
gesso_index_known (sqlite3 *db, const char *dir, GError **error)
{
  gboolean row = FALSE;
  sqlite3_stmt *s = gesso_sql_prepare (
      db,
      "SELECT path, files.id, size, mtime_ns, inode, kind, state, thumbnail, recognised"
      " FROM files"
      " LEFT JOIN models ON models.id = files.id"
      " WHERE state <> 2 AND (?1 IS NULL OR path = ?1 OR (path >= ?2 AND path < ?3))",
      error);
  if (!s)
    return NULL;
  if (dir)
    {
      /* '0' follows '/': all that begins with "DIR/" */
      g_autofree char *from = g_strconcat (dir, "/", NULL);
      g_autofree char *to = g_strconcat (dir, "0", NULL);
      bind_text (s, 1, dir);
      bind_text (s, 2, from);
      bind_text (s, 3, to);
    }
  g_autoptr (GHashTable) known =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) known_free);
  do
    {
      if (!gesso_sql_step (s, &row, error))
        return NULL;
      if (row)
        add_known (known, s);
    }
  while (row);
  return g_steal_pointer (&known);
}

/* -- writing ------------------------------------------------------------------------------------
 */

static gboolean
rename_row (sqlite3 *db, gint64 id, const char *from, const char *to, GError **error)
{
  sqlite3_stmt *s = gesso_sql_prepare (db, "UPDATE files SET path = ?2 WHERE id = ?1", error);
  sqlite3_stmt *h =
      gesso_sql_prepare (db, "UPDATE OR REPLACE hashes SET path = ?2 WHERE path = ?1", error);
  if (!s || !h)
    return FALSE;
  sqlite3_bind_int64 (s, 1, id);
  bind_text (s, 2, to);
  bind_text (h, 1, from);
  bind_text (h, 2, to);
  return run (s, error) && run (h, error);
}

/* Finds the row of a file that was renamed or moved to @entry's path, and gives it that path. */
static gboolean
follow_move (sqlite3 *db, const GessoEntry *entry, GError **error)
{
  gboolean row = FALSE;
  sqlite3_stmt *there = gesso_sql_prepare (db, "SELECT 1 FROM files WHERE path = ?", error);
  if (!there)
    return FALSE;
  bind_text (there, 1, entry->path);
  if (!gesso_sql_step (there, &row, error))
    return FALSE;
  sqlite3_reset (there);
  if (row)
    return TRUE;
  sqlite3_stmt *s = gesso_sql_prepare (db,
                                       "SELECT id, path FROM files WHERE size = ? AND mtime_ns = ?"
                                       " AND inode = ? AND kind = ? AND state <> 2"
                                       " LIMIT 8", /* hard links share an inode */
                                       error);
  if (!s)
    return FALSE;
  bind_identity (s, 1, &entry->identity);
  bind_text (s, 4, gesso_file_kind_nick (entry->kind));
  gint64 id = 0;
  g_autofree char *from = NULL;
  do
    {
      if (!gesso_sql_step (s, &row, error))
        return FALSE;
      g_autofree char *path = row ? dup_column (s, 1) : NULL;
      if (!row || g_access (path, F_OK) == 0 || errno != ENOENT)
        continue;
      id = sqlite3_column_int64 (s, 0);
      from = g_steal_pointer (&path);
      sqlite3_reset (s);
      break;
    }
  while (row);
  return id == 0 || rename_row (db, id, from, entry->path, error);
}

static gboolean
put_file (sqlite3 *db, GessoEntry *entry, GError **error)
{
  gboolean row = FALSE;
  sqlite3_stmt *s = gesso_sql_prepare (
      db,
      "INSERT INTO files (path, size, mtime_ns, inode, kind) VALUES (?, ?, ?, ?, ?)"
      " ON CONFLICT (path) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns,"
      " inode = excluded.inode, kind = excluded.kind, state = 0 RETURNING id",
      error);
  if (!s)
    return FALSE;
  bind_text (s, 1, entry->path);
  bind_identity (s, 2, &entry->identity);
  bind_text (s, 5, gesso_file_kind_nick (entry->kind));
  if (!gesso_sql_step (s, &row, error))
    return FALSE;
  entry->id = sqlite3_column_int64 (s, 0);
  entry->picture.id = entry->id;
  return gesso_sql_step (s, &row, error);
}

static gboolean
put_model (sqlite3 *db, const GessoEntry *entry, GError **error)
{
  sqlite3_stmt *s = gesso_sql_prepare (
      db,
      "INSERT INTO models (id, name, alias, family, format, problem, thumbnail, recognised, words)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
      " alias = excluded.alias, family = excluded.family, format = excluded.format,"
      " problem = excluded.problem, thumbnail = excluded.thumbnail,"
      " recognised = excluded.recognised, words = excluded.words",
      error);
  if (!s)
    return FALSE;
  sqlite3_bind_int64 (s, 1, entry->id);
  bind_text (s, 2, entry->name);
  bind_text (s, 3, entry->recognised.alias);
  bind_text (s, 4, entry->recognised.family);
  bind_text (s, 5, entry->recognised.format);
  bind_text (s, 6, entry->recognised.problem);
  bind_text (s, 7, entry->thumbnail);
  sqlite3_bind_int (s, 8, GESSO_RECOGNISE_VERSION);
  bind_text (s, 9, entry->recognised.words);
  return run (s, error);
}

static gboolean
put_picture (sqlite3 *db, const GessoEntry *entry, GError **error)
{
  sqlite3_stmt *s = gesso_sql_prepare (
      db,
      "INSERT INTO pictures (id, created, width, height, prompt, negative, model, name, duration)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET created = "
      "excluded.created,"
      " width = excluded.width, height = excluded.height, prompt = excluded.prompt,"
      " negative = excluded.negative, model = excluded.model, name = excluded.name,"
      " duration = excluded.duration",
      error);
  if (!s)
    return FALSE;
  sqlite3_bind_int64 (s, 1, entry->id);
  sqlite3_bind_int64 (s, 2, entry->identity.mtime_ns / NS_PER_SECOND);
  sqlite3_bind_int (s, 3, entry->picture.width);
  sqlite3_bind_int (s, 4, entry->picture.height);
  bind_text (s, 5, entry->picture.prompt);
  bind_text (s, 6, entry->picture.negative);
  bind_text (s, 7, entry->picture.model);
  bind_text (s, 8, entry->name);
  sqlite3_bind_int (s, 9, entry->picture.duration_ms);
  return run (s, error);
}

static gboolean
remove_from (sqlite3 *db, const char *sql, gint64 id, GError **error)
{
  sqlite3_stmt *s = gesso_sql_prepare (db, sql, error);
  if (!s)
    return FALSE;
  sqlite3_bind_int64 (s, 1, id);
  return run (s, error);
}

gboolean
gesso_index_put (sqlite3 *db, GessoEntry *entry, GError **error)
{
  gboolean is_picture = entry->picture.width > 0;
  if (!follow_move (db, entry, error) || !put_file (db, entry, error))
    return FALSE;
  if (entry->kind != GESSO_FILE_PICTURE)
    return remove_from (db, "DELETE FROM pictures WHERE id = ?", entry->id, error) &&
           put_model (db, entry, error);
  /* a picture that cannot be shown is known, so that it is not read again and again */
  return remove_from (db, "DELETE FROM models WHERE id = ?", entry->id, error) &&
         (is_picture ? put_picture (db, entry, error)
                     : remove_from (db, "DELETE FROM pictures WHERE id = ?", entry->id, error));
}

gboolean
gesso_index_remove (sqlite3 *db, gint64 id, const char *path, GError **error)
{
  sqlite3_stmt *s = gesso_sql_prepare (db, "DELETE FROM files WHERE id = ? AND path = ?", error);
  if (!s)
    return FALSE;
  sqlite3_bind_int64 (s, 1, id);
  bind_text (s, 2, path);
  return run (s, error);
}

gboolean
gesso_index_set_state (sqlite3 *db, gint64 id, int state, GError **error)
{
  sqlite3_stmt *s = gesso_sql_prepare (db, "UPDATE files SET state = ?2 WHERE id = ?1", error);
  if (!s)
    return FALSE;
  sqlite3_bind_int64 (s, 1, id);
  sqlite3_bind_int (s, 2, state);
  return run (s, error);
}

/* -- reading ------------------------------------------------------------------------------------
 */

static GessoModelFile *
model_of_row (sqlite3_stmt *s)
{
  g_autofree char *kind = dup_column (s, 2);
  GessoModelRow row = {
    .id = sqlite3_column_int64 (s, 0),
    .path = dup_column (s, 1),
    .kind = gesso_file_kind_from_nick (kind),
    .size_bytes = sqlite3_column_int64 (s, 3),
    .modified_s = sqlite3_column_int64 (s, 4) / NS_PER_SECOND,
    .name = dup_column (s, 5),
    .alias = dup_column (s, 6),
    .family = dup_column (s, 7),
    .format = dup_column (s, 8),
    .problem = dup_column (s, 9),
    .thumbnail = dup_column (s, 10),
    .hash = dup_column (s, 11),
    .words = dup_column (s, 12),
  };
  return gesso_model_file_new_take (&row);
}

GPtrArray *
gesso_index_models (sqlite3 *db, GError **error)
{
  gboolean row = FALSE;
  sqlite3_stmt *s = gesso_sql_prepare (
      db,
      "SELECT f.id, f.path, kind, f.size, f.mtime_ns, name, alias, family, format, problem,"
      " thumbnail, sha256, words FROM models JOIN files f ON f.id = models.id"
      " LEFT JOIN hashes h ON h.path = f.path AND h.size = f.size AND h.mtime_ns = f.mtime_ns"
      " WHERE state = 0",
      error);
  if (!s)
    return NULL;
  g_autoptr (GPtrArray) models = g_ptr_array_new_with_free_func (g_object_unref);
  do
    {
      if (!gesso_sql_step (s, &row, error))
        return NULL;
      if (row)
        g_ptr_array_add (models, model_of_row (s));
    }
  while (row);
  return g_steal_pointer (&models);
}

GessoPictureRow *
gesso_index_picture (sqlite3 *db, gint64 id, GError **error)
{
  gboolean row = FALSE;
  sqlite3_stmt *s =
      gesso_sql_prepare (db,
                         "SELECT path, created, starred, width, height, prompt, negative, model,"
                         " duration"
                         " FROM pictures JOIN files ON files.id = pictures.id WHERE files.id = ?",
                         error);
  if (!s)
    return NULL;
  sqlite3_bind_int64 (s, 1, id);
  if (!gesso_sql_step (s, &row, error) || !row)
    return NULL;
  GessoPictureRow *picture = g_new0 (GessoPictureRow, 1);
  picture->id = id;
  picture->path = dup_column (s, 0);
  picture->created_s = sqlite3_column_int64 (s, 1);
  picture->starred = sqlite3_column_int (s, 2) != 0;
  picture->width = sqlite3_column_int (s, 3);
  picture->height = sqlite3_column_int (s, 4);
  picture->prompt = dup_column (s, 5);
  picture->negative = dup_column (s, 6);
  picture->model = dup_column (s, 7);
  picture->duration_ms = sqlite3_column_int (s, 8);
  sqlite3_reset (s);
  return picture;
}

gboolean
gesso_index_folders (
    sqlite3 *db, GPtrArray *models, GPtrArray *pictures, GPtrArray *own, GError **error)
{
  gboolean row = FALSE;
  sqlite3_stmt *s = gesso_sql_prepare (db, "SELECT path, role FROM folders ORDER BY path", error);
  if (!s)
    return FALSE;
  do
    {
      if (!gesso_sql_step (s, &row, error))
        return FALSE;
      g_autofree char *role = row ? dup_column (s, 1) : NULL;
      gboolean is_own = g_strcmp0 (role, GESSO_ROLE_OWN) == 0;
      GPtrArray *to = is_own || g_strcmp0 (role, GESSO_ROLE_PICTURES) == 0 ? pictures : models;
      if (row && to)
        g_ptr_array_add (to, dup_column (s, 0));
      if (row && is_own && own)
        g_ptr_array_add (own, dup_column (s, 0));
    }
  while (row);
  return TRUE;
}
