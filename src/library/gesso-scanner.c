/* SPDX-License-Identifier: MPL-2.0
 * gesso-scanner.c - compares folders with the index; reads what is new, forgets what is gone.
 *
 * Rows are written in batches: searches go on between them, and a scan that is killed has lost at
 * most one batch.  A file that was not seen is forgotten only when its folder was read; a folder
 * that cannot be read (a disk that is not plugged in) only hides its files.
 */
#define G_LOG_DOMAIN "gesso-library"

#include "library/gesso-scanner.h"

#include <glib/gstdio.h>
#include <string.h>

#include "library/gesso-layouts.h"
#include "library/gesso-picture-reader.h"
#include "library/gesso-schema.h"
#include "library/gesso-walk.h"

enum
{
  BATCH_ENTRIES = 64,
  BATCH_INTERVAL_US = 250000
};

/* What a folder that was read belongs to. */
typedef struct
{
  gboolean pictures;
  GessoFileKind hint;
} Role;

typedef struct
{
  gboolean quit;
  char **folders; /* NULL: all */
} Job;

struct _GessoScanner
{
  GObject parent_instance;
  GessoDatabase *database;
  char *bundled_dir;
  GMainContext *context;
  GThread *thread;
  GAsyncQueue *jobs;
  GCancellable *cancellable;
  int n_jobs; /* atomic */

  GMutex mutex;
  GHashTable *fresh_folders; /* under @mutex, as the next two: for the watcher */
  gboolean fresh_all;
  GArray *fresh_pictures;

  GHashTable *roles; /* folder -> Role; of the thread */
};

G_DEFINE_FINAL_TYPE (GessoScanner, gesso_scanner, G_TYPE_OBJECT)

enum
{
  WRITTEN,
  SCANNED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

typedef struct
{
  gint64 id;
  char *path;
} Removal;

/* One walk and what it changes. */
typedef struct
{
  GessoScanner *self;
  GHashTable *known;
  GPtrArray *entries; /* to put */
  GArray *removed;    /* Removal */
  GArray *hidden;     /* ids */
  GArray *shown;
  gint64 last_write_us;
} Scan;

/* -- telling the main thread --------------------------------------------------------------------
 */

typedef struct
{
  GessoScanner *self;
  guint signal;
} Emission;

static gboolean
emit_cb (gpointer data)
{
  Emission *e = data;
  if (!g_cancellable_is_cancelled (e->self->cancellable))
    g_signal_emit (e->self, e->signal, 0);
  return G_SOURCE_REMOVE;
}

static void
free_emission (gpointer data)
{
  Emission *e = data;
  g_object_unref (e->self);
  g_free (e);
}

static void
post (GessoScanner *self, guint signal)
{
  Emission *e = g_new0 (Emission, 1);
  e->self = g_object_ref (self);
  e->signal = signal;
  GSource *source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, emit_cb, e, free_emission);
  g_source_attach (source, self->context);
  g_source_unref (source);
}

/* -- reading a file -----------------------------------------------------------------------------
 */

GessoEntry *
gesso_scanner_read (const char *path,
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
  Scan *scan = data;
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
note_pictures (Scan *scan)
{
  GessoScanner *self = scan->self;
  g_mutex_lock (&self->mutex);
  if (!self->fresh_pictures)
    self->fresh_pictures = g_array_new (FALSE, FALSE, sizeof (gint64));
  for (guint i = 0; i < scan->entries->len; i++)
    {
      GessoEntry *entry = scan->entries->pdata[i];
      if (entry->kind == GESSO_FILE_PICTURE)
        g_array_append_val (self->fresh_pictures, entry->id);
    }
  g_mutex_unlock (&self->mutex);
}

static void
flush (Scan *scan)
{
  g_autoptr (GError) error = NULL;
  scan->last_write_us = g_get_monotonic_time ();
  if (!scan->entries->len && !scan->removed->len && !scan->hidden->len && !scan->shown->len)
    return;
  if (!gesso_database_run (scan->self->database, TRUE, write_batch, scan, &error))
    g_message ("Scanned files cannot be noted: %s", error->message);
  else
    note_pictures (scan);
  g_ptr_array_set_size (scan->entries, 0);
  g_array_set_size (scan->removed, 0);
  g_array_set_size (scan->hidden, 0);
  g_array_set_size (scan->shown, 0);
  post (scan->self, signals[WRITTEN]);
}

static void
clear_removal (gpointer data)
{
  g_free (((Removal *) data)->path);
}

static void
remove_later (Scan *scan, const GessoKnown *known, const char *path)
{
  Removal removal = { known->id, g_strdup (path) };
  g_array_append_val (scan->removed, removal);
}

/* -- walking ------------------------------------------------------------------------------------
 */

static void
found_cb (const GessoFound *found, gpointer data)
{
  Scan *scan = data;
  GessoKnown *known = g_hash_table_lookup (scan->known, found->path);
  if (known)
    known->seen = TRUE;
  if (known && gesso_identity_equal (&known->identity, &found->identity) &&
      (found->is_picture || g_str_equal (known->thumbnail, found->thumbnail)))
    {
      if (known->state != GESSO_STATE_PRESENT)
        g_array_append_val (scan->shown, known->id);
      return;
    }
  g_ptr_array_add (scan->entries,
                   gesso_scanner_read (found->path, &found->identity, found->is_picture,
                                       found->hint, found->thumbnail));
  if (scan->entries->len >= BATCH_ENTRIES ||
      g_get_monotonic_time () - scan->last_write_us > BATCH_INTERVAL_US)
    flush (scan);
}

static gboolean
is_new_cb (const char *folder, gpointer data)
{
  Scan *scan = data;
  return !g_hash_table_contains (scan->self->roles, folder);
}

static gboolean
is_picture (const GessoKnown *known)
{
  return known->kind == GESSO_FILE_PICTURE;
}

static gboolean
is_below (const char *path, const char *folder)
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
static char *
dup_sub_folder (const char *path, const char *folder)
{
  const char *rest = path + strlen (folder) + 1;
  const char *slash = strlen (path) > strlen (folder) ? strchr (rest, '/') : NULL;
  return slash ? g_strndup (path, (gsize) (slash - path)) : NULL;
}

/* Files below a folder that was walked and that were not found there. */
static void
forget_unseen (Scan *scan, GessoWalk *walk, const char *folder)
{
  GHashTableIter iter;
  gpointer path, value;
  g_hash_table_iter_init (&iter, scan->known);
  while (g_hash_table_iter_next (&iter, &path, &value))
    {
      GessoKnown *known = value;
      g_autofree char *sub = dup_sub_folder (path, folder);
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
lose_all (Scan *scan, gboolean pictures, gboolean for_good)
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

static gboolean
scan_init (Scan *scan, GessoScanner *self, const char *folder)
{
  g_autoptr (GError) error = NULL;
  Question q = { .folder = folder };
  if (!gesso_database_run (self->database, FALSE, load_known, &q, &error))
    {
      g_message ("The index cannot be read: %s", error->message);
      return FALSE;
    }
  *scan = (Scan){
    .self = self,
    .known = q.known,
    .entries = g_ptr_array_new_with_free_func ((GDestroyNotify) gesso_entry_free),
    .removed = g_array_new (FALSE, FALSE, sizeof (Removal)),
    .hidden = g_array_new (FALSE, FALSE, sizeof (gint64)),
    .shown = g_array_new (FALSE, FALSE, sizeof (gint64)),
    .last_write_us = g_get_monotonic_time (),
  };
  g_array_set_clear_func (scan->removed, clear_removal);
  return TRUE;
}

static void
scan_clear (Scan *scan)
{
  flush (scan);
  g_hash_table_unref (scan->known);
  g_ptr_array_unref (scan->entries);
  g_array_unref (scan->removed);
  g_array_unref (scan->hidden);
  g_array_unref (scan->shown);
}

/* Folders that the walk has read get the role of where it began. */
static void
note_folders (GessoScanner *self, GessoWalk *walk)
{
  GHashTableIter iter;
  gpointer path;
  g_mutex_lock (&self->mutex);
  if (!self->fresh_folders)
    self->fresh_folders = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_hash_table_iter_init (&iter, walk->folders);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    {
      Role *role = g_new0 (Role, 1);
      role->pictures = walk->pictures;
      role->hint = walk->hint;
      g_hash_table_replace (self->roles, g_strdup (path), role);
      g_hash_table_add (self->fresh_folders, g_strdup (path));
    }
  g_mutex_unlock (&self->mutex);
}

/* Sub-folders that are gone are new when they come back. */
static void
forget_roles (GessoScanner *self, GessoWalk *walk, const char *folder)
{
  GHashTableIter iter;
  gpointer path;
  g_hash_table_iter_init (&iter, self->roles);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    {
      if (!is_below (path, folder) || g_str_equal (path, folder))
        continue;
      g_autofree char *below = g_strconcat (path, "/", NULL);
      g_autofree char *sub = dup_sub_folder (below, folder);
      if (!g_hash_table_contains (walk->sub_folders, sub))
        g_hash_table_iter_remove (&iter);
    }
}

static void
scan_folder (GessoScanner *self, const char *folder, const Role *role, gboolean recursive)
{
  Scan scan;
  if (!scan_init (&scan, self, folder))
    return;
  GessoWalk walk = { .pictures = role->pictures,
                     .hint = role->hint,
                     .recursive = recursive,
                     .is_new = is_new_cb,
                     .found = found_cb,
                     .data = &scan,
                     .cancellable = self->cancellable };
  gesso_walk_init (&walk);
  gboolean walked = gesso_walk_folder (&walk, folder);
  if (walked)
    forget_unseen (&scan, &walk, folder);
  else if (!g_cancellable_is_cancelled (self->cancellable))
    {
      g_autofree char *parent = g_path_get_dirname (folder);
      /* a sub-folder that was deleted, or a named folder whose disk is away */
      gboolean gone = !recursive && g_access (folder, F_OK) != 0 && g_access (parent, R_OK) == 0;
      lose_all (&scan, role->pictures, gone);
    }
  forget_roles (self, &walk, folder);
  note_folders (self, &walk);
  scan_clear (&scan);
  gesso_walk_clear (&walk);
}

/* -- jobs ---------------------------------------------------------------------------------------
 */

typedef struct
{
  GPtrArray *models, *pictures;
} Named;

static gboolean
load_named (sqlite3 *db, gpointer data, GError **error)
{
  Named *named = data;
  return gesso_index_folders (db, named->models, named->pictures, error);
}

/* What lies below no folder any more: the user took it out of the library.  A picture that was
 * added by itself stays as long as its file. */
static void
forget_outside (GessoScanner *self, GPtrArray *roots)
{
  Scan scan;
  GHashTableIter iter;
  gpointer path, value;
  if (!scan_init (&scan, self, NULL))
    return;
  g_hash_table_iter_init (&iter, scan.known);
  while (g_hash_table_iter_next (&iter, &path, &value))
    {
      GessoKnown *known = value;
      gboolean inside = FALSE;
      for (guint i = 0; i < roots->len && !inside; i++)
        inside = is_below (path, roots->pdata[i]);
      if (!inside && (known->kind != GESSO_FILE_PICTURE || g_access (path, F_OK) != 0))
        remove_later (&scan, known, path);
    }
  scan_clear (&scan);
}

static void
scan_models_root (GessoScanner *self, const char *root, GPtrArray *roots)
{
  g_autoptr (GPtrArray) folders = gesso_layouts_resolve (root);
  for (guint i = 0; i < folders->len; i++)
    {
      GessoScanFolder *folder = folders->pdata[i];
      Role role = { .hint = folder->hint };
      g_ptr_array_add (roots, g_strdup (folder->path));
      if (!g_cancellable_is_cancelled (self->cancellable))
        scan_folder (self, folder->path, &role, TRUE);
    }
}

static void
scan_all (GessoScanner *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) models = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) pictures = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) roots = g_ptr_array_new_with_free_func (g_free);
  Named named = { models, pictures };
  if (!gesso_database_run (self->database, FALSE, load_named, &named, &error))
    {
      g_message ("The index cannot be read: %s", error->message);
      return;
    }
  g_hash_table_remove_all (self->roles);
  g_mutex_lock (&self->mutex);
  g_clear_pointer (&self->fresh_folders, g_hash_table_unref);
  self->fresh_all = TRUE;
  g_mutex_unlock (&self->mutex);
  if (self->bundled_dir)
    g_ptr_array_insert (models, 0, g_strdup (self->bundled_dir));
  for (guint i = 0; i < models->len; i++)
    scan_models_root (self, models->pdata[i], roots);
  for (guint i = 0; i < pictures->len; i++)
    {
      Role role = { .pictures = TRUE };
      g_ptr_array_add (roots, g_strdup (pictures->pdata[i]));
      if (!g_cancellable_is_cancelled (self->cancellable))
        scan_folder (self, pictures->pdata[i], &role, TRUE);
    }
  if (!g_cancellable_is_cancelled (self->cancellable))
    forget_outside (self, roots);
}

static void
scan_some (GessoScanner *self, char **folders)
{
  for (char **folder = folders; *folder; folder++)
    {
      const Role *known = g_hash_table_lookup (self->roles, *folder);
      if (!known || g_cancellable_is_cancelled (self->cancellable))
        continue;
      Role role = *known;
      g_autofree char *dir = g_strdup (*folder);
      scan_folder (self, dir, &role, FALSE);
    }
}

static gpointer
run_thread (gpointer data)
{
  GessoScanner *self = data;
  for (;;)
    {
      Job *job = g_async_queue_pop (self->jobs);
      gboolean quit = job->quit, all = !job->folders;
      if (!quit && !g_cancellable_is_cancelled (self->cancellable))
        {
          if (all)
            scan_all (self);
          else
            scan_some (self, job->folders);
        }
      g_strfreev (job->folders);
      g_free (job);
      g_atomic_int_add (&self->n_jobs, -1);
      if (quit)
        return NULL;
      post (self, signals[SCANNED]);
    }
}

/* -- the object ---------------------------------------------------------------------------------
 */

static void
push (GessoScanner *self, gboolean quit, char **folders)
{
  Job *job = g_new0 (Job, 1);
  job->quit = quit;
  job->folders = folders;
  g_atomic_int_inc (&self->n_jobs);
  g_async_queue_push (self->jobs, job);
}

static void
gesso_scanner_finalize (GObject *object)
{
  GessoScanner *self = GESSO_SCANNER (object);
  g_assert (!self->thread); /* stopped by its owner: the thread uses the object */
  g_clear_object (&self->database);
  g_free (self->bundled_dir);
  g_main_context_unref (self->context);
  g_async_queue_unref (self->jobs);
  g_object_unref (self->cancellable);
  g_mutex_clear (&self->mutex);
  g_clear_pointer (&self->fresh_folders, g_hash_table_unref);
  g_clear_pointer (&self->fresh_pictures, g_array_unref);
  g_hash_table_unref (self->roles);
  G_OBJECT_CLASS (gesso_scanner_parent_class)->finalize (object);
}

static void
gesso_scanner_class_init (GessoScannerClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gesso_scanner_finalize;
  signals[WRITTEN] = g_signal_new ("written", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                   NULL, NULL, G_TYPE_NONE, 0);
  signals[SCANNED] = g_signal_new ("scanned", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                   NULL, NULL, G_TYPE_NONE, 0);
}

static void
gesso_scanner_init (GessoScanner *self)
{
  self->context = g_main_context_ref_thread_default ();
  self->jobs = g_async_queue_new ();
  self->cancellable = g_cancellable_new ();
  self->roles = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_mutex_init (&self->mutex);
}

GessoScanner *
gesso_scanner_new (GessoDatabase *database, const char *bundled_dir)
{
  g_return_val_if_fail (GESSO_IS_DATABASE (database), NULL);
  GessoScanner *self = g_object_new (GESSO_TYPE_SCANNER, NULL);
  self->database = g_object_ref (database);
  self->bundled_dir = bundled_dir ? g_canonicalize_filename (bundled_dir, NULL) : NULL;
  self->thread = g_thread_new ("scanner", run_thread, self);
  return self;
}

void
gesso_scanner_stop (GessoScanner *self)
{
  g_return_if_fail (GESSO_IS_SCANNER (self));
  if (!self->thread)
    return;
  g_cancellable_cancel (self->cancellable);
  push (self, TRUE, NULL);
  g_thread_join (g_steal_pointer (&self->thread));
}

void
gesso_scanner_scan_all (GessoScanner *self)
{
  g_return_if_fail (GESSO_IS_SCANNER (self));
  push (self, FALSE, NULL);
}

void
gesso_scanner_scan_folders (GessoScanner *self, const char *const *folders)
{
  g_return_if_fail (GESSO_IS_SCANNER (self));
  g_return_if_fail (folders != NULL);
  push (self, FALSE, g_strdupv ((char **) folders));
}

gboolean
gesso_scanner_is_busy (GessoScanner *self)
{
  g_return_val_if_fail (GESSO_IS_SCANNER (self), FALSE);
  return g_atomic_int_get (&self->n_jobs) > 0;
}

GHashTable *
gesso_scanner_steal_folders (GessoScanner *self, gboolean *all)
{
  g_return_val_if_fail (GESSO_IS_SCANNER (self), NULL);
  g_mutex_lock (&self->mutex);
  GHashTable *folders = g_steal_pointer (&self->fresh_folders);
  *all = self->fresh_all;
  self->fresh_all = FALSE;
  g_mutex_unlock (&self->mutex);
  return folders;
}

GArray *
gesso_scanner_steal_pictures (GessoScanner *self)
{
  g_return_val_if_fail (GESSO_IS_SCANNER (self), NULL);
  g_mutex_lock (&self->mutex);
  GArray *pictures = g_steal_pointer (&self->fresh_pictures);
  g_mutex_unlock (&self->mutex);
  return pictures;
}
