/* SPDX-License-Identifier: MPL-2.0
 * gesso-library.c - holds the parts together: what the scanner writes, lists show.
 */
#define G_LOG_DOMAIN "gesso-library"

#include "library/gesso-index.h"
#include "library/gesso-library-private.h"
#include "library/gesso-schema.h"
#include "library/gesso-trash.h"

enum
{
  RELOAD_INTERVAL_MS = 250,
  THUMBNAIL_CACHE_MIB = 512
};

G_DEFINE_FINAL_TYPE (GessoLibrary, gesso_library, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_SCANNING,
  PROP_N_MODELS,
  PROP_N_PICTURES,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];
static guint changed_signal, starred_signal;

/* -- reloading ----------------------------------------------------------------------------------
 */

typedef struct
{
  GPtrArray *models;
  int n_pictures;
  GArray *picture_ids; /* to read again, or NULL */
  GPtrArray *picture_rows;
} Snapshot;

static void
snapshot_free (Snapshot *s)
{
  g_clear_pointer (&s->models, g_ptr_array_unref);
  g_clear_pointer (&s->picture_ids, g_array_unref);
  g_clear_pointer (&s->picture_rows, g_ptr_array_unref);
  g_free (s);
}

static gboolean
count_pictures (sqlite3 *db, int *n, GError **error)
{
  gboolean row = FALSE;
  sqlite3_stmt *s =
      gesso_sql_prepare (db, "SELECT count (*) FROM pictures WHERE hidden = 0", error);
  if (!s || !gesso_sql_step (s, &row, error))
    return FALSE;
  *n = sqlite3_column_int (s, 0);
  return TRUE;
}

static gboolean
take_snapshot (sqlite3 *db, gpointer data, GError **error)
{
  Snapshot *s = data;
  s->models = gesso_index_models (db, error);
  if (!s->models || !count_pictures (db, &s->n_pictures, error))
    return FALSE;
  s->picture_rows = g_ptr_array_new_with_free_func ((GDestroyNotify) gesso_picture_row_free);
  for (guint i = 0; s->picture_ids && i < s->picture_ids->len; i++)
    {
      GessoPictureRow *row =
          gesso_index_picture (db, g_array_index (s->picture_ids, gint64, i), NULL);
      if (row)
        g_ptr_array_add (s->picture_rows, row);
    }
  return TRUE;
}

static void
set_int (GessoLibrary *self, int *field, int value, int property)
{
  if (*field == value)
    return;
  *field = value;
  g_object_notify_by_pspec (G_OBJECT (self), properties[property]);
}

static void
apply_models (GessoLibrary *self, GPtrArray *models)
{
  GPtrArray *by_kind[GESSO_N_FILE_KINDS];
  for (int k = 0; k < GESSO_N_FILE_KINDS; k++)
    by_kind[k] = g_ptr_array_new ();
  for (guint i = 0; i < models->len; i++)
    g_ptr_array_add (by_kind[gesso_model_file_get_kind (models->pdata[i])], models->pdata[i]);
  for (int k = 0; k < GESSO_N_FILE_KINDS; k++)
    {
      gesso_model_list_update (self->models[k], by_kind[k]);
      g_ptr_array_unref (by_kind[k]);
    }
  set_int (self, &self->n_models, (int) models->len, PROP_N_MODELS);
}

static void
apply_snapshot (GessoLibrary *self, Snapshot *s)
{
  apply_models (self, s->models);
  for (guint i = 0; i < s->picture_rows->len; i++)
    {
      GessoPictureRow *row = s->picture_rows->pdata[i];
      GessoPicture *picture = gesso_library_peek_picture (self, row->id);
      if (picture)
        gesso_picture_fill (picture, row);
    }
  set_int (self, &self->n_pictures, s->n_pictures, PROP_N_PICTURES);
}

static void
lists_fresh_cb (gpointer data)
{
  GessoLibrary *self = data;
  self->reloading = FALSE;
  self->reloaded_us = g_get_monotonic_time ();
  if (!self->closed)
    g_signal_emit (self, changed_signal, 0);
  if (self->reload_again)
    gesso_library_queue_reload (self);
  g_object_unref (self);
}

typedef struct
{
  GessoLibrary *self;
  Snapshot *snapshot;
} Reload;

static void
reloaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Reload *r = user_data;
  GessoLibrary *self = r->self;
  g_autoptr (GError) error = NULL;
  if (!gesso_database_run_finish (GESSO_DATABASE (source), result, &error))
    g_message ("The index cannot be read: %s", error->message);
  else if (!self->closed)
    apply_snapshot (self, r->snapshot);
  snapshot_free (r->snapshot);
  g_free (r);
  gesso_library_refresh_lists (self, lists_fresh_cb, self);
}

/* Pictures whose rows were written and that somebody looks at. */
static GArray *
steal_visible_pictures (GessoLibrary *self)
{
  GArray *ids = gesso_scanner_steal_pictures (self->scanner);
  for (guint i = ids ? ids->len : 0; i-- > 0;)
    {
      GessoPicture *picture = gesso_library_peek_picture (self, g_array_index (ids, gint64, i));
      if (!picture || !gesso_picture_is_filled (picture))
        g_array_remove_index_fast (ids, i);
    }
  return ids;
}

static gboolean
reload_cb (gpointer data)
{
  GessoLibrary *self = data;
  self->reload_id = 0;
  self->reloading = TRUE;
  self->reload_again = FALSE;
  Reload *r = g_new0 (Reload, 1);
  r->self = g_object_ref (self);
  r->snapshot = g_new0 (Snapshot, 1);
  r->snapshot->picture_ids = steal_visible_pictures (self);
  gesso_database_run_async (self->reader, FALSE, take_snapshot, r->snapshot, NULL, NULL,
                            reloaded_cb, r);
  return G_SOURCE_REMOVE;
}

void
gesso_library_queue_reload (GessoLibrary *self)
{
  if (self->closed || self->reload_id)
    return;
  if (self->reloading)
    {
      self->reload_again = TRUE;
      return;
    }
  gint64 since_ms = (g_get_monotonic_time () - self->reloaded_us) / 1000;
  guint wait_ms = since_ms >= RELOAD_INTERVAL_MS ? 0 : (guint) (RELOAD_INTERVAL_MS - since_ms);
  self->reload_id = g_timeout_add (wait_ms, reload_cb, self);
}

/* -- scanning and watching ----------------------------------------------------------------------
 */

static void
update_scanning (GessoLibrary *self)
{
  gboolean scanning = gesso_scanner_is_busy (self->scanner);
  if (self->scanning == scanning)
    return;
  self->scanning = scanning;
  gesso_hasher_set_paused (self->hasher, scanning);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SCANNING]);
}

/* What changed between the scan and the first watch was seen by nobody, so new folders are looked
 * at once more. */
static void
watched_cb (GessoWatcher *watcher, char **folders, GessoLibrary *self)
{
  if (!*folders)
    return;
  gesso_scanner_scan_folders (self->scanner, (const char *const *) folders);
  update_scanning (self);
}

static void
watch_new (GessoLibrary *self)
{
  gboolean all = FALSE;
  g_autoptr (GHashTable) folders = gesso_scanner_steal_folders (self->scanner, &all);
  if (!folders)
    return;
  if (all)
    gesso_watcher_keep (self->watcher, folders);
  gesso_watcher_add (self->watcher, folders);
}

static void
scanned_cb (GessoScanner *scanner, GessoLibrary *self)
{
  if (self->closed)
    return;
  watch_new (self);
  update_scanning (self);
  /* another process may have written what this one then found unchanged */
  gesso_library_queue_reload (self);
  gesso_hasher_wake (self->hasher);
}

static void
folders_changed_cb (GessoWatcher *watcher, char **folders, GessoLibrary *self)
{
  gesso_scanner_scan_folders (self->scanner, (const char *const *) folders);
  update_scanning (self);
}

void
gesso_library_rescan (GessoLibrary *self)
{
  g_return_if_fail (GESSO_IS_LIBRARY (self));
  g_return_if_fail (!self->closed);
  gesso_scanner_scan_all (self->scanner);
  update_scanning (self);
}

gboolean
gesso_library_is_silent (GessoLibrary *self, const char *folder)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (self) && folder, FALSE);
  return self->scanner && gesso_scanner_is_silent (self->scanner, folder);
}

gboolean
gesso_library_is_behind (GessoLibrary *self)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (self), FALSE);
  return self->scanning || self->reload_id || self->reloading || self->reload_again;
}

gboolean
gesso_library_is_busy (GessoLibrary *self)
{
  return gesso_library_is_behind (self) || gesso_watcher_is_busy (self->watcher);
}

GessoDatabase *
gesso_library_get_reader (GessoLibrary *self)
{
  return self->reader;
}

/* -- models -------------------------------------------------------------------------------------
 */

GListModel *
gesso_library_get_models (GessoLibrary *self, GessoFileKind kind)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (self), NULL);
  g_return_val_if_fail ((int) kind >= 0 && (int) kind < GESSO_N_FILE_KINDS, NULL);
  return G_LIST_MODEL (self->models[kind]);
}

GessoModelFile *
gesso_library_find_model (GessoLibrary *self,
                          GessoFileKind kind,
                          const char *name,
                          const char *hash)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (self), NULL);
  g_return_val_if_fail ((int) kind >= 0 && (int) kind < GESSO_N_FILE_KINDS, NULL);
  return gesso_model_list_find (self->models[kind], name, hash);
}

char *
gesso_library_dup_title (GessoLibrary *self, GessoModelFile *file)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (self) && GESSO_IS_MODEL_FILE (file), NULL);
  return gesso_model_list_dup_title (self->models[gesso_model_file_get_kind (file)], file);
}

/* -- the object ---------------------------------------------------------------------------------
 */

void
gesso_library_close (GessoLibrary *self)
{
  g_return_if_fail (GESSO_IS_LIBRARY (self));
  if (self->closed)
    return;
  self->closed = TRUE;
  g_clear_handle_id (&self->reload_id, g_source_remove);
  for (guint i = 0; i < self->lists->len; i++)
    gesso_picture_list_detach (self->lists->pdata[i]);
  /* what was asked for is written, even if a thread below never ends */
  if (self->writer)
    gesso_database_flush (self->writer);
  if (self->watcher)
    gesso_watcher_stop (self->watcher);
  if (self->hasher)
    gesso_hasher_stop (self->hasher);
  if (self->scanner)
    gesso_scanner_stop (self->scanner);
  if (self->thumbnails)
    gesso_thumbnails_stop (self->thumbnails);
  if (self->purge)
    g_thread_join (g_steal_pointer (&self->purge));
  if (self->writer)
    gesso_database_flush (self->writer);
  if (self->reader) /* whose answers hold the library */
    gesso_database_flush (self->reader);
  g_clear_object (&self->writer);
  g_clear_object (&self->reader);
}

static void
gesso_library_dispose (GObject *object)
{
  GessoLibrary *self = GESSO_LIBRARY (object);
  gesso_library_close (self);
  g_clear_object (&self->scanner);
  g_clear_object (&self->watcher);
  g_clear_object (&self->hasher);
  g_clear_object (&self->thumbnails);
  for (int k = 0; k < GESSO_N_FILE_KINDS; k++)
    g_clear_object (&self->models[k]);
  G_OBJECT_CLASS (gesso_library_parent_class)->dispose (object);
}

static void
gesso_library_finalize (GObject *object)
{
  GessoLibrary *self = GESSO_LIBRARY (object);
  gesso_library_let_go_of_pictures (self);
  g_ptr_array_unref (self->lists);
  g_free (self->folder_file);
  g_ptr_array_unref (self->folders);
  g_ptr_array_unref (self->picture_folders);
  g_ptr_array_unref (self->own_folders);
  g_free (self->own_trash);
  G_OBJECT_CLASS (gesso_library_parent_class)->finalize (object);
}

static void
gesso_library_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GessoLibrary *self = GESSO_LIBRARY (object);
  switch (id)
    {
    case PROP_SCANNING:
      g_value_set_boolean (value, self->scanning);
      break;
    case PROP_N_MODELS:
      g_value_set_int (value, self->n_models);
      break;
    case PROP_N_PICTURES:
      g_value_set_int (value, self->n_pictures);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gesso_library_class_init (GessoLibraryClass *klass)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->dispose = gesso_library_dispose;
  object_class->finalize = gesso_library_finalize;
  object_class->get_property = gesso_library_get_property;
  properties[PROP_SCANNING] = g_param_spec_boolean ("scanning", NULL, NULL, FALSE, flags);
  properties[PROP_N_MODELS] = g_param_spec_int ("n-models", NULL, NULL, 0, G_MAXINT, 0, flags);
  properties[PROP_N_PICTURES] = g_param_spec_int ("n-pictures", NULL, NULL, 0, G_MAXINT, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  changed_signal = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                 NULL, NULL, G_TYPE_NONE, 0);
  starred_signal = g_signal_new ("starred", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                 NULL, NULL, G_TYPE_NONE, 1, GESSO_TYPE_PICTURE);
}

void
gesso_library_tell_starred (GessoLibrary *self, GessoPicture *picture)
{
  g_signal_emit (self, starred_signal, 0, picture);
}

static void
gesso_library_init (GessoLibrary *self)
{
  self->pictures = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  self->lists = g_ptr_array_new ();
  self->folders = g_ptr_array_new_with_free_func (g_free);
  self->picture_folders = g_ptr_array_new_with_free_func (g_free);
  self->own_folders = g_ptr_array_new_with_free_func (g_free);
  for (int k = 0; k < GESSO_N_FILE_KINDS; k++)
    self->models[k] = gesso_model_list_new ();
}

static gboolean
load_folders (sqlite3 *db, gpointer data, GError **error)
{
  GessoLibrary *self = data;
  return gesso_index_folders (db, self->folders, self->picture_folders, self->own_folders, error);
}

/* What was known at the last end is there before the first scan. */
static gboolean
load (GessoLibrary *self, GError **error)
{
  Snapshot *s = g_new0 (Snapshot, 1);
  gboolean ok = gesso_database_run (self->reader, FALSE, load_folders, self, error) &&
                gesso_database_run (self->reader, FALSE, take_snapshot, s, error);
  if (ok)
    apply_snapshot (self, s);
  snapshot_free (s);
  return ok;
}

static gboolean
purged_cb (gpointer self)
{
  gesso_library_queue_reload (self);
  return G_SOURCE_REMOVE;
}

/* Hands its reference on to the main loop: the library does not end here. */
static gpointer
purge_thread (gpointer data)
{
  GessoLibrary *self = data;
  g_autoptr (GError) error = NULL;
  if (!gesso_trash_purge (self->writer, &error))
    g_message ("What has left the trash is not known: %s", error->message);
  g_idle_add_full (G_PRIORITY_DEFAULT, purged_cb, self, g_object_unref);
  return NULL;
}

static void
start (GessoLibrary *self, const char *cache_dir, const char *bundled_dir)
{
  g_autofree char *thumbnails = g_build_filename (cache_dir, "thumbnails", NULL);
  self->thumbnails = gesso_thumbnails_new (thumbnails, (gint64) THUMBNAIL_CACHE_MIB << 20);
  self->watcher = gesso_watcher_new ();
  self->scanner = gesso_scanner_new (self->writer, bundled_dir);
  self->hasher = gesso_hasher_new (self->writer);
  g_signal_connect_object (self->scanner, "written", G_CALLBACK (gesso_library_queue_reload), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->scanner, "silence", G_CALLBACK (gesso_library_queue_reload), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->scanner, "scanned", G_CALLBACK (scanned_cb), self, 0);
  g_signal_connect_object (self->hasher, "hashed", G_CALLBACK (gesso_library_queue_reload), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->watcher, "changed", G_CALLBACK (folders_changed_cb), self, 0);
  g_signal_connect_object (self->watcher, "watched", G_CALLBACK (watched_cb), self, 0);
  g_signal_connect_object (self->watcher, "rescan", G_CALLBACK (gesso_library_rescan), self,
                           G_CONNECT_SWAPPED);
  /* on a thread, as the disk of a picture that was trashed may not answer */
  self->purge = g_thread_new ("purge", purge_thread, g_object_ref (self));
  gesso_library_rescan (self);
}

GessoLibrary *
gesso_library_new (const char *path, const char *cache_dir, const char *bundled_dir, GError **error)
{
  g_autofree char *file =
      path ? g_strdup (path)
           : g_build_filename (g_get_user_data_dir (), "gesso", "library.db", NULL);
  g_autofree char *cache =
      cache_dir ? g_strdup (cache_dir) : g_build_filename (g_get_user_cache_dir (), "gesso", NULL);
  g_autofree char *dir = g_path_get_dirname (file);
  g_autoptr (GessoLibrary) self = g_object_new (GESSO_TYPE_LIBRARY, NULL);
  self->own_trash = g_build_filename (dir, "trash", NULL);
  self->folder_file = g_build_filename (dir, "folders", NULL);
  self->writer = gesso_database_new (file, GESSO_DATABASE_FAST, gesso_schema_migrations,
                                     gesso_schema_version, error);
  self->reader = self->writer
                     ? gesso_database_new (file, GESSO_DATABASE_FAST, gesso_schema_migrations,
                                           gesso_schema_version, error)
                     : NULL;
  if (!self->reader || !load (self, error))
    return NULL;
  gesso_library_publish_folders (self);
  start (self, cache, bundled_dir);
  return g_steal_pointer (&self);
}
