/* SPDX-License-Identifier: MPL-2.0
 * gesso-scan.c - one folder against the index: what came, changed, moved and went.
 *
 * Rows are written in batches: searches go on between them, and a scan that is killed has lost at
 * most one batch.  A file that was not seen is forgotten only when its folder was read; a folder
 * that cannot be read (a disk that is not plugged in) only hides its files.
 */
#define G_LOG_DOMAIN "gesso-library"

#include "library/gesso-scan.h"

#include <glib/gstdio.h>
#include <string.h>

#include "library/gesso-picture-reader.h"
#include "library/gesso-schema.h"

enum
{
  BATCH_ENTRIES = 64,
  BATCH_INTERVAL_US = 250000
};

typedef struct
{
  gint64 id;
  char *path;
} Removal;

/* -- reading a file -----------------------------------------------------------------------------
 */

GessoEntry *
gesso_scan_read_file (const char *path,
                      const GessoIdentity *identity,
                      gboolean is_picture,
                      GessoFileKind hint,
                      const char *thumbnail)
{
  g_return_val_if_fail (path != NULL && identity != NULL, NULL);
  GessoEntry *entry = g_new0 (GessoEntry, 1);
  entry->path = g_strdup (path);
  entry->identity = *identity;
  entry->thumbnail = g_strdup (thumbnail);
  if (is_picture)
    {
      g_autofree char *base = g_path_get_basename (path);
      entry->kind = GESSO_FILE_PICTURE;
      entry->name = g_filename_display_name (base);
      if (!gesso_picture_read_header (&entry->picture, path))
        entry->picture.width = 0;
      return entry;
    }
  gesso_recognise (&entry->recognised, path, hint);
  entry->kind = entry->recognised.kind;
  entry->name = gesso_walk_dup_model_name (path);
  return entry;
}

/* -- writing ------------------------------------------------------------------------------------
 */

static gboolean
write_batch (sqlite3 *db, gpointer data, GError **error)
{
  GessoScan *scan = data;
  gboolean ok = TRUE;
  /* first what came: a file that moved takes its row along before it would be removed */
  for (guint i = 0; ok && i < scan->entries->len; i++)
    ok = gesso_index_put (db, scan->entries->pdata[i], error);
  for (guint i = 0; ok && i < scan->removed->len; i++)
    {
      const Removal *r = &g_array_index (scan->removed, Removal, i);
      ok = gesso_index_remove (db, r->id, r->path, error);
    }
  for (guint i = 0; ok && i < scan->hidden->len; i++)
    ok = gesso_index_set_state (db, g_array_index (scan->hidden, gint64, i), GESSO_STATE_ABSENT,
                                error);
  for (guint i = 0; ok && i < scan->shown->len; i++)
    ok = gesso_index_set_state (db, g_array_index (scan->shown, gint64, i), GESSO_STATE_PRESENT,
                                error);
  return ok;
}

static void
flush (GessoScan *scan)
{
  g_autoptr (GError) error = NULL;
  scan->last_write_us = g_get_monotonic_time ();
  if (!scan->entries->len && !scan->removed->len && !scan->hidden->len && !scan->shown->len)
    return;
  gboolean ok = gesso_database_run (scan->database, TRUE, write_batch, scan, &error);
  if (!ok)
    g_message ("Scanned files cannot be noted: %s", error->message);
  scan->written (ok ? scan->entries : NULL, scan->data);
  g_ptr_array_set_size (scan->entries, 0);
  g_array_set_size (scan->removed, 0);
  g_array_set_size (scan->hidden, 0);
  g_array_set_size (scan->shown, 0);
}

static void
clear_removal (gpointer data)
{
  g_free (((Removal *) data)->path);
}

static void
remove_later (GessoScan *scan, const GessoKnown *known, const char *path)
{
  Removal removal = { known->id, g_strdup (path) };
  g_array_append_val (scan->removed, removal);
}

/* -- walking ------------------------------------------------------------------------------------
 */

/* A model's row says what would be seen today. */
static gboolean
is_as_noted (const GessoKnown *known, const GessoFound *found)
{
  return known->recognised == GESSO_RECOGNISE_VERSION &&
         g_str_equal (known->thumbnail, found->thumbnail);
}

static void
found_cb (const GessoFound *found, gpointer data)
{
  GessoScan *scan = data;
  GessoKnown *known = g_hash_table_lookup (scan->known, found->path);
  if (known)
    known->seen = TRUE;
  if (known && gesso_identity_equal (&known->identity, &found->identity) &&
      (found->is_picture || is_as_noted (known, found)))
    {
      if (known->state != GESSO_STATE_PRESENT)
        g_array_append_val (scan->shown, known->id);
      return;
    }
  g_ptr_array_add (scan->entries,
                   gesso_scan_read_file (found->path, &found->identity, found->is_picture,
                                         found->hint, found->thumbnail));
  if (scan->entries->len >= BATCH_ENTRIES ||
      g_get_monotonic_time () - scan->last_write_us > BATCH_INTERVAL_US)
    flush (scan);
}

static gboolean
is_new_cb (const char *folder, gpointer data)
{
  GessoScan *scan = data;
  return !scan->is_known (folder, scan->data);
}

static gboolean
is_picture (const GessoKnown *known)
{
  return known->kind == GESSO_FILE_PICTURE;
}

gboolean
gesso_scan_is_below (const char *path, const char *folder)
{
  gsize n = strlen (folder);
  return !strncmp (path, folder, n) && (path[n] == '/' || path[n] == '\0');
}

static gboolean
is_below_any (const char *path, GHashTable *folders)
{
  g_autofree char *folder = g_strdup (path);
  for (char *slash; (slash = strrchr (folder, '/')) && slash > folder;)
    {
      if (g_hash_table_contains (folders, folder))
        return TRUE;
      *slash = '\0';
    }
  return g_hash_table_contains (folders, folder);
}

/* Which sub-folder of @folder @path lies in, NULL when it lies in @folder itself. */
char *
gesso_scan_dup_sub_folder (const char *path, const char *folder)
{
  const char *rest = path + strlen (folder) + 1;
  const char *slash = strlen (path) > strlen (folder) ? strchr (rest, '/') : NULL;
  return slash ? g_strndup (path, (gsize) (slash - path)) : NULL;
}

/* Files below a folder that was walked and that were not found there. */
static void
forget_unseen (GessoScan *scan, GessoWalk *walk, const char *folder)
{
  GHashTableIter iter;
  gpointer path, value;
  g_hash_table_iter_init (&iter, scan->known);
  while (g_hash_table_iter_next (&iter, &path, &value))
    {
      GessoKnown *known = value;
      g_autofree char *sub = gesso_scan_dup_sub_folder (path, folder);
      if (known->seen || is_picture (known) != walk->pictures ||
          (!walk->recursive && sub && g_hash_table_contains (walk->sub_folders, sub) &&
           !is_new_cb (sub, scan)))
        continue;
      if (is_below_any (path, walk->unreadable))
        g_array_append_val (scan->hidden, known->id);
      else
        remove_later (scan, known, path);
    }
}

/* The folder itself cannot be read. */
static void
lose_all (GessoScan *scan, gboolean pictures, gboolean for_good)
{
  GHashTableIter iter;
  gpointer path, value;
  g_hash_table_iter_init (&iter, scan->known);
  while (g_hash_table_iter_next (&iter, &path, &value))
    {
      GessoKnown *known = value;
      if (is_picture (known) != pictures)
        continue;
      if (for_good)
        remove_later (scan, known, path);
      else if (known->state == GESSO_STATE_PRESENT)
        g_array_append_val (scan->hidden, known->id);
    }
}

typedef struct
{
  const char *folder;
  GHashTable *known;
} Question;

static gboolean
load_known (sqlite3 *db, gpointer data, GError **error)
{
  Question *q = data;
  q->known = gesso_index_known (db, q->folder, error);
  return q->known != NULL;
}

gboolean
gesso_scan_begin (GessoScan *scan, const char *folder)
{
  g_autoptr (GError) error = NULL;
  Question q = { .folder = folder };
  if (!gesso_database_run (scan->database, FALSE, load_known, &q, &error))
    {
      g_message ("The index cannot be read: %s", error->message);
      return FALSE;
    }
  scan->known = q.known;
  scan->entries = g_ptr_array_new_with_free_func ((GDestroyNotify) gesso_entry_free);
  scan->removed = g_array_new (FALSE, FALSE, sizeof (Removal));
  scan->hidden = g_array_new (FALSE, FALSE, sizeof (gint64));
  scan->shown = g_array_new (FALSE, FALSE, sizeof (gint64));
  scan->last_write_us = g_get_monotonic_time ();
  g_array_set_clear_func (scan->removed, clear_removal);
  return TRUE;
}

void
gesso_scan_end (GessoScan *scan)
{
  flush (scan);
  g_hash_table_unref (scan->known);
  g_ptr_array_unref (scan->entries);
  g_array_unref (scan->removed);
  g_array_unref (scan->hidden);
  g_array_unref (scan->shown);
}

void
gesso_scan_folder (GessoScan *scan, GessoWalk *walk, const char *folder)
{
  walk->is_new = is_new_cb;
  walk->found = found_cb;
  walk->data = scan;
  if (gesso_walk_folder (walk, folder))
    forget_unseen (scan, walk, folder);
  else if (!g_cancellable_is_cancelled (walk->cancellable))
    {
      g_autofree char *parent = g_path_get_dirname (folder);
      /* a sub-folder that was deleted, or a named folder whose disk is away */
      gboolean gone =
          !walk->recursive && g_access (folder, F_OK) != 0 && g_access (parent, R_OK) == 0;
      lose_all (scan, walk->pictures, gone);
    }
}

void
gesso_scan_forget_outside (GessoScan *scan, GPtrArray *roots)
{
  GHashTableIter iter;
  gpointer path, value;
  g_hash_table_iter_init (&iter, scan->known);
  while (g_hash_table_iter_next (&iter, &path, &value))
    {
      GessoKnown *known = value;
      gboolean inside = FALSE;
      for (guint i = 0; i < roots->len && !inside; i++)
        inside = gesso_scan_is_below (path, roots->pdata[i]);
      /* hidden with its folder, it keeps its star */
      gboolean left_out = known->kind == GESSO_FILE_PICTURE && known->state == GESSO_STATE_ABSENT;
      if (!inside && !left_out && (known->kind != GESSO_FILE_PICTURE || g_access (path, F_OK) != 0))
        remove_later (scan, known, path);
    }
}
