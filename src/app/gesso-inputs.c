/* SPDX-License-Identifier: MPL-2.0
 * gesso-inputs.c - start pictures and masks of jobs, kept beside the queue.
 */
#include "app/gesso-inputs.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <utime.h>

#include "media/image.h"
#include "media/png.h"

enum
{
  NAME_LENGTH = 32 /* hexadecimal digits before ".png" */
};

/* Between "this file is there already" and its new time, and between that time and the removal. */
static GMutex lock;

static GBytes *
grey_to_rgb (GBytes *grey)
{
  gsize n;
  const guint8 *from = g_bytes_get_data (grey, &n);
  guint8 *rgb = g_malloc (n * IMAGE_CHANNELS);
  for (gsize i = 0; i < n; i++)
    memset (rgb + i * IMAGE_CHANNELS, from[i], IMAGE_CHANNELS);
  return g_bytes_new_take (rgb, n * IMAGE_CHANNELS);
}

static char *
content_path (const char *folder, GBytes *pixels, int width, int height)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  gint32 size[] = { width, height };
  g_checksum_update (sum, (const guchar *) size, sizeof size);
  g_checksum_update (sum, g_bytes_get_data (pixels, NULL), (gssize) g_bytes_get_size (pixels));
  g_autofree char *name = g_strdup_printf ("%.32s.png", g_checksum_get_string (sum));
  return g_build_filename (folder, name, NULL);
}

/* Its time is what keeps a file that a job is about to name from being swept. */
static gboolean
take_existing (const char *path)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  return utime (path, NULL) == 0;
}

char *
gesso_inputs_store (
    const char *folder, GBytes *pixels, int width, int height, gboolean mask, GError **error)
{
  g_return_val_if_fail (folder && pixels, NULL);
  g_autoptr (GBytes) rgb = mask ? grey_to_rgb (pixels) : g_bytes_ref (pixels);
  g_autofree char *path = content_path (folder, rgb, width, height);
  if (take_existing (path))
    return g_steal_pointer (&path);
  if (g_mkdir_with_parents (folder, 0700) != 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("The folder %s could not be made."),
                   folder);
      return NULL;
    }
  Image image = { width, height, (uint8_t *) g_bytes_get_data (rgb, NULL) };
  PngOptions options = { .overwrite = true };
  Status status = { 0 };
  if (png_write_file (path, &image, &options, &status))
    return g_steal_pointer (&path);
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, status.message);
  return NULL;
}

/* ---- sweeping ---- */

typedef struct
{
  char *folder;
  GPtrArray *recipes; /* of char *, JSON */
  gint64 begun;       /* Unix seconds */
} Sweep;

static void
sweep_free (gpointer data)
{
  Sweep *sweep = data;
  g_free (sweep->folder);
  g_ptr_array_unref (sweep->recipes);
  g_free (sweep);
}

/* Only what gesso_inputs_store() names so is ours to remove. */
static gboolean
is_ours (const char *name)
{
  return strspn (name, "0123456789abcdef") == NAME_LENGTH &&
         g_str_equal (name + NAME_LENGTH, ".png");
}

/* Every name of ours that stands somewhere in @recipe, whichever key it is the value of. */
static void
add_names (GHashTable *names, const char *recipe)
{
  for (const char *p = strstr (recipe, ".png"); p; p = strstr (p + 1, ".png"))
    if (p - recipe >= NAME_LENGTH)
      g_hash_table_add (names, g_strndup (p - NAME_LENGTH, NAME_LENGTH + strlen (".png")));
}

static void
remove_old (const Sweep *sweep, const char *name)
{
  g_autofree char *path = g_build_filename (sweep->folder, name, NULL);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  GStatBuf info;
  if (g_stat (path, &info) == 0 && info.st_mtime < sweep->begun)
    g_unlink (path);
}

static void
sweep_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const Sweep *sweep = data;
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < sweep->recipes->len; i++)
    add_names (names, g_ptr_array_index (sweep->recipes, i));
  g_autoptr (GDir) folder = g_dir_open (sweep->folder, 0, NULL);
  const char *name;
  while (folder && (name = g_dir_read_name (folder)))
    if (is_ours (name) && !g_hash_table_contains (names, name))
      remove_old (sweep, name);
  g_task_return_boolean (task, TRUE);
}

void
gesso_inputs_sweep (const char *folder, GessoQueue *queue)
{
  g_return_if_fail (folder && GESSO_IS_QUEUE (queue));
  Sweep *sweep = g_new0 (Sweep, 1);
  sweep->folder = g_strdup (folder);
  sweep->recipes = g_ptr_array_new_with_free_func (g_free);
  sweep->begun = g_get_real_time () / G_USEC_PER_SEC;
  guint n = g_list_model_get_n_items (G_LIST_MODEL (queue));
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GessoJob) job = g_list_model_get_item (G_LIST_MODEL (queue), i);
      g_ptr_array_add (sweep->recipes, g_strdup (gesso_job_get_recipe (job)));
    }
  g_autoptr (GTask) task = g_task_new (NULL, NULL, NULL, NULL);
  g_task_set_source_tag (task, gesso_inputs_sweep);
  g_task_set_task_data (task, sweep, sweep_free);
  g_task_run_in_thread (task, sweep_thread);
}
