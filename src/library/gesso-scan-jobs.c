/* SPDX-License-Identifier: MPL-2.0
 * gesso-scan-jobs.c - what a thread of the scanner does: which folders, and in which order.
 *
 * What a scan of one folder does is in gesso-scan.c.
 */
#define G_LOG_DOMAIN "gesso-library"

#include "library/gesso-layouts.h"
#include "library/gesso-scan.h"
#include "library/gesso-scanner-private.h"

static GessoScanRole *
new_role (gboolean pictures, GessoFileKind hint, const char *root)
{
  GessoScanRole *role = g_new0 (GessoScanRole, 1);
  role->pictures = pictures;
  role->hint = hint;
  role->root = g_strdup (root);
  return role;
}

void
gesso_scan_role_free (gpointer role)
{
  g_free (((GessoScanRole *) role)->root);
  g_free (role);
}

/* -- whose turn a folder is ---------------------------------------------------------------------
 */

/* The thread that waits for @root's disk. */
static GessoScanWorker *
find_lost (GessoScanner *self, const char *root)
{
  for (guint i = 0; i < self->lost->len; i++)
    {
      GessoScanWorker *w = self->lost->pdata[i];
      if (w->root && g_str_equal (w->root, root))
        return w;
    }
  return NULL;
}

/* From here on the worker looks at @root, a folder that the user named.
 * Returns: FALSE when that is not its turn, or when it is to end */
static gboolean
turn_to (GessoScanWorker *worker, const char *root)
{
  GessoScanner *self = worker->scanner;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->mutex);
  GessoScanWorker *other = find_lost (self, root);
  if (other && other != worker && !worker->job->is_again)
    other->is_missed = TRUE;
  if (other || worker->is_lost || g_cancellable_is_cancelled (worker->cancellable))
    return FALSE;
  g_free (worker->root);
  worker->root = g_strdup (root);
  g_atomic_int_inc (&worker->n_steps);
  return TRUE;
}

/* -- one folder ---------------------------------------------------------------------------------
 */

/* Folders that the walk has read get the role of where it began. */
static void
note_folders (GessoScanner *self, GessoWalk *walk, const char *root)
{
  GHashTableIter iter;
  gpointer path;
  g_mutex_lock (&self->mutex);
  if (!self->fresh_folders)
    self->fresh_folders = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_hash_table_iter_init (&iter, walk->folders);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    {
      g_hash_table_replace (self->roles, g_strdup (path),
                            new_role (walk->pictures, walk->hint, root));
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
  g_mutex_lock (&self->mutex);
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
  g_mutex_unlock (&self->mutex);
}

static gboolean
is_known_cb (const char *folder, gpointer data)
{
  GessoScanner *self = data;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->mutex);
  return g_hash_table_contains (self->roles, folder);
}

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
  gesso_scanner_tell_written (self);
}

static gboolean
begin (GessoScanner *self, GessoScan *scan, const char *folder)
{
  *scan = (GessoScan){
    .database = self->database, .is_known = is_known_cb, .written = written_cb, .data = self
  };
  return gesso_scan_begin (scan, folder);
}

static void
scan_folder (GessoScanWorker *worker,
             const char *folder,
             const GessoScanRole *role,
             gboolean recursive)
{
  GessoScan scan;
  if (!begin (worker->scanner, &scan, folder))
    return;
  GessoWalk walk = { .pictures = role->pictures,
                     .hint = role->hint,
                     .recursive = recursive,
                     .cancellable = worker->cancellable,
                     .n_steps = &worker->n_steps };
  gesso_walk_init (&walk);
  gesso_scan_folder (&scan, &walk, folder);
  if (!g_cancellable_is_cancelled (worker->cancellable))
    {
      forget_roles (worker->scanner, &walk, folder);
      note_folders (worker->scanner, &walk, role->root);
    }
  gesso_scan_end (&scan);
  gesso_walk_clear (&walk);
}

/* -- all folders --------------------------------------------------------------------------------
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

static gboolean
is_named (const Named *named, const char *root)
{
  return g_ptr_array_find_with_equal_func (named->models, root, g_str_equal, NULL) ||
         g_ptr_array_find_with_equal_func (named->pictures, root, g_str_equal, NULL);
}

/* Threads that wait for a disk are too early for this scan, or too late. */
static void
begin_anew (GessoScanner *self, const Named *named)
{
  g_mutex_lock (&self->mutex);
  g_hash_table_remove_all (self->roles);
  g_clear_pointer (&self->fresh_folders, g_hash_table_unref);
  self->fresh_all = TRUE;
  for (guint i = 0; i < self->lost->len; i++)
    {
      GessoScanWorker *w = self->lost->pdata[i];
      w->is_missed = TRUE;
      if (w->root && !is_named (named, w->root))
        g_cancellable_cancel (w->cancellable);
    }
  g_mutex_unlock (&self->mutex);
}

/* @roots: what belongs to the library, added to */
static void
scan_models_root (GessoScanWorker *worker, const char *root, GPtrArray *roots)
{
  if (!turn_to (worker, root))
    {
      g_ptr_array_add (roots, g_strdup (root));
      return;
    }
  g_autoptr (GPtrArray) folders = gesso_layouts_resolve (root);
  for (guint i = 0; i < folders->len; i++)
    {
      GessoScanFolder *folder = folders->pdata[i];
      GessoScanRole role = { .hint = folder->hint, .root = (char *) root };
      g_ptr_array_add (roots, g_strdup (folder->path));
      if (!g_cancellable_is_cancelled (worker->cancellable))
        scan_folder (worker, folder->path, &role, TRUE);
    }
}

static void
scan_pictures_root (GessoScanWorker *worker, const char *root, GPtrArray *roots)
{
  GessoScanRole role = { .pictures = TRUE, .root = (char *) root };
  g_ptr_array_add (roots, g_strdup (root));
  if (turn_to (worker, root))
    scan_folder (worker, root, &role, TRUE);
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

static void
scan_named (GessoScanWorker *worker, const Named *named)
{
  g_autoptr (GPtrArray) roots = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < named->models->len; i++)
    scan_models_root (worker, named->models->pdata[i], roots);
  for (guint i = 0; i < named->pictures->len; i++)
    scan_pictures_root (worker, named->pictures->pdata[i], roots);
  if (turn_to (worker, ""))
    forget_outside (worker->scanner, roots);
}

static void
scan_all (GessoScanWorker *worker, const GessoScanJob *job)
{
  GessoScanner *self = worker->scanner;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) models = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) pictures = g_ptr_array_new_with_free_func (g_free);
  Named named = { models, pictures };
  if (!gesso_database_run (self->database, FALSE, load_named, &named, &error))
    {
      g_message ("The index cannot be read: %s", error->message);
      return;
    }
  if (self->bundled_dir)
    g_ptr_array_insert (models, 0, g_strdup (self->bundled_dir));
  if (!job->is_again)
    begin_anew (self, &named);
  scan_named (worker, &named);
}

/* -- some folders -------------------------------------------------------------------------------
 */

/* Returns: (transfer full): NULL when nothing is known of @folder */
static GessoScanRole *
dup_role (GessoScanner *self, const char *folder)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->mutex);
  const GessoScanRole *known = g_hash_table_lookup (self->roles, folder);
  return known ? new_role (known->pictures, known->hint, known->root) : NULL;
}

static void
scan_some (GessoScanWorker *worker, char **folders)
{
  for (char **folder = folders; *folder; folder++)
    {
      GessoScanRole *role = dup_role (worker->scanner, *folder);
      if (role && turn_to (worker, role->root))
        scan_folder (worker, *folder, role, FALSE);
      g_clear_pointer (&role, gesso_scan_role_free);
    }
}

void
gesso_scan_job_run (GessoScanWorker *worker, const GessoScanJob *job)
{
  if (job->folders)
    scan_some (worker, job->folders);
  else
    scan_all (worker, job);
}
