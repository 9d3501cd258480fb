/* SPDX-License-Identifier: MPL-2.0
 * gesso-scanner.c - the thread that scans: which folders, in which order, and who hears of it.
 *
 * What a scan of one folder does is in gesso-scan.c.
 */
#define G_LOG_DOMAIN "gesso-library"

#include "library/gesso-scanner.h"

#include "library/gesso-layouts.h"
#include "library/gesso-scan.h"

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
      if (!gesso_scan_is_below (path, folder) || g_str_equal (path, folder))
        continue;
      g_autofree char *below = g_strconcat (path, "/", NULL);
      g_autofree char *sub = gesso_scan_dup_sub_folder (below, folder);
      if (!g_hash_table_contains (walk->sub_folders, sub))
        g_hash_table_iter_remove (&iter);
    }
}

/* -- scanning -----------------------------------------------------------------------------------
 */

static void
written_cb (const GPtrArray *entries, gpointer data)
{
  GessoScanner *self = data;
  g_mutex_lock (&self->mutex);
  if (!self->fresh_pictures)
    self->fresh_pictures = g_array_new (FALSE, FALSE, sizeof (gint64));
  for (guint i = 0; entries && i < entries->len; i++)
    {
      GessoEntry *entry = entries->pdata[i];
      if (entry->kind == GESSO_FILE_PICTURE)
        g_array_append_val (self->fresh_pictures, entry->id);
    }
  g_mutex_unlock (&self->mutex);
  post (self, signals[WRITTEN]);
}

static gboolean
begin (GessoScanner *self, GessoScan *scan, const char *folder)
{
  *scan = (GessoScan){
    .database = self->database, .roles = self->roles, .written = written_cb, .data = self
  };
  return gesso_scan_begin (scan, folder);
}

static void
scan_folder (GessoScanner *self, const char *folder, const Role *role, gboolean recursive)
{
  GessoScan scan;
  if (!begin (self, &scan, folder))
    return;
  GessoWalk walk = { .pictures = role->pictures,
                     .hint = role->hint,
                     .recursive = recursive,
                     .cancellable = self->cancellable };
  gesso_walk_init (&walk);
  gesso_scan_folder (&scan, &walk, folder);
  forget_roles (self, &walk, folder);
  note_folders (self, &walk);
  gesso_scan_end (&scan);
  gesso_walk_clear (&walk);
}

static void
forget_outside (GessoScanner *self, GPtrArray *roots)
{
  GessoScan scan;
  if (!begin (self, &scan, NULL))
    return;
  gesso_scan_forget_outside (&scan, roots);
  gesso_scan_end (&scan);
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
  return gesso_index_folders (db, named->models, named->pictures, NULL, error);
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
