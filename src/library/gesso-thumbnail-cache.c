/* SPDX-License-Identifier: MPL-2.0
 * gesso-thumbnail-cache.c - keyed by path, time and size of the picture, and thumbnail's size.
 *
 * On the disk a thumbnail is a JPEG of about 15 kB, so that the bound holds those of tens of
 * thousands of pictures.  A file's time says when it was last asked for, to the day.
 */
#define G_LOG_DOMAIN "gesso-library"

#include "library/gesso-thumbnail-cache.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include <jpeglib.h>

#include "library/gesso-index.h"
#include "library/gesso-walk.h"
#include "media/frames.h"
#include "media/resize.h"

enum
{
  JPEG_QUALITY = 90,
  MEMORY_BYTES = 96 << 20,
  WRITES_BETWEEN_TRIMS = 500,
  TRIM_TO_PERCENT = 80,
  TOUCH_AFTER_S = 24 * 3600
};

typedef struct
{
  char *key, *identity;
  GessoThumbnail *thumbnail;
  GList link; /* in the order of use, the newest first */
} Entry;

struct _GessoThumbnailCache
{
  char *dir;
  gint64 max_bytes;
  GMutex mutex;
  GHashTable *entries; /* under @mutex: "SIZE:PATH" -> Entry */
  GQueue used;
  gsize n_bytes;
  int n_writes; /* atomic */
};

void
gesso_thumbnail_free (GessoThumbnail *thumbnail)
{
  if (!thumbnail)
    return;
  g_bytes_unref (thumbnail->rgb);
  g_free (thumbnail);
}

static GessoThumbnail *
thumbnail_copy (const GessoThumbnail *thumbnail)
{
  GessoThumbnail *copy = g_new (GessoThumbnail, 1);
  *copy = *thumbnail;
  g_bytes_ref (copy->rgb);
  return copy;
}

static GessoThumbnail *
thumbnail_from_image (const Image *image)
{
  GessoThumbnail *t = g_new (GessoThumbnail, 1);
  t->width = image->width;
  t->height = image->height;
  t->rgb = g_bytes_new (image->rgb, (gsize) image->width * (gsize) image->height * IMAGE_CHANNELS);
  return t;
}

/* -- memory -------------------------------------------------------------------------------------
 */

static void
entry_free (gpointer data)
{
  Entry *entry = data;
  g_free (entry->key);
  g_free (entry->identity);
  gesso_thumbnail_free (entry->thumbnail);
  g_free (entry);
}

static gsize
entry_bytes (const Entry *entry)
{
  return g_bytes_get_size (entry->thumbnail->rgb);
}

static void
drop (GessoThumbnailCache *cache, Entry *entry)
{
  cache->n_bytes -= entry_bytes (entry);
  g_queue_unlink (&cache->used, &entry->link);
  g_hash_table_remove (cache->entries, entry->key);
}

static GessoThumbnail *
recall (GessoThumbnailCache *cache, const char *key, const char *identity)
{
  GessoThumbnail *found = NULL;
  g_mutex_lock (&cache->mutex);
  Entry *entry = g_hash_table_lookup (cache->entries, key);
  if (entry && g_str_equal (entry->identity, identity))
    {
      g_queue_unlink (&cache->used, &entry->link);
      g_queue_push_head_link (&cache->used, &entry->link);
      found = thumbnail_copy (entry->thumbnail);
    }
  g_mutex_unlock (&cache->mutex);
  return found;
}

static void
remember (GessoThumbnailCache *cache,
          const char *key,
          const char *identity,
          const GessoThumbnail *t)
{
  Entry *entry = g_new0 (Entry, 1);
  entry->key = g_strdup (key);
  entry->identity = g_strdup (identity);
  entry->thumbnail = thumbnail_copy (t);
  entry->link.data = entry;
  g_mutex_lock (&cache->mutex);
  Entry *old = g_hash_table_lookup (cache->entries, key);
  if (old)
    drop (cache, old);
  g_hash_table_insert (cache->entries, entry->key, entry);
  g_queue_push_head_link (&cache->used, &entry->link);
  cache->n_bytes += entry_bytes (entry);
  while (cache->n_bytes > MEMORY_BYTES && cache->used.length > 1)
    drop (cache, cache->used.tail->data);
  g_mutex_unlock (&cache->mutex);
}

/* -- disk ---------------------------------------------------------------------------------------
 */

typedef struct
{
  struct jpeg_error_mgr base;
  jmp_buf jump;
} JpegError;

static void
jpeg_error_cb (j_common_ptr info)
{
  longjmp (((JpegError *) (gpointer) info->err)->jump, 1);
}

static void
jpeg_quiet_cb (j_common_ptr info)
{
}

/* Returns: bytes of libjpeg's, for free(); NULL when it failed */
static unsigned char *
encode (const Image *image, unsigned long *n_bytes)
{
  struct jpeg_compress_struct c;
  JpegError error;
  unsigned char *volatile bytes = NULL;
  c.err = jpeg_std_error (&error.base);
  error.base.error_exit = jpeg_error_cb;
  error.base.output_message = jpeg_quiet_cb;
  if (setjmp (error.jump))
    {
      jpeg_destroy_compress (&c);
      (free) (bytes);
      return NULL;
    }
  jpeg_create_compress (&c);
  jpeg_mem_dest (&c, (unsigned char **) &bytes, n_bytes);
  c.image_width = (JDIMENSION) image->width;
  c.image_height = (JDIMENSION) image->height;
  c.input_components = IMAGE_CHANNELS;
  c.in_color_space = JCS_RGB;
  jpeg_set_defaults (&c);
  jpeg_set_quality (&c, JPEG_QUALITY, TRUE);
  jpeg_start_compress (&c, TRUE);
  while (c.next_scanline < c.image_height)
    {
      JSAMPROW row = image->rgb + (gsize) c.next_scanline * (gsize) image->width * IMAGE_CHANNELS;
      jpeg_write_scanlines (&c, &row, 1);
    }
  jpeg_finish_compress (&c);
  jpeg_destroy_compress (&c);
  return bytes;
}

/* Of no importance when it fails: the thumbnail is made again.  So nothing waits for the disk. */
static void
store (GessoThumbnailCache *cache, const char *file, const Image *image)
{
  unsigned long n_bytes = 0;
  unsigned char *bytes = encode (image, &n_bytes);
  g_autofree char *temp = g_strconcat (file, ".XXXXXX", NULL);
  int fd = bytes && g_mkdir_with_parents (cache->dir, 0700) == 0 ? g_mkstemp (temp) : -1;
  if (fd >= 0)
    {
      gboolean whole = write (fd, bytes, n_bytes) == (gssize) n_bytes;
      if (close (fd) != 0 || !whole || g_rename (temp, file) != 0)
        g_unlink (temp);
    }
  (free) (bytes);
  if (g_atomic_int_add (&cache->n_writes, 1) % WRITES_BETWEEN_TRIMS == WRITES_BETWEEN_TRIMS - 1)
    gesso_thumbnail_cache_trim (cache);
}

static GessoThumbnail *
load (const char *file)
{
  struct stat info;
  Status status = { 0 };
  Image image = { 0 };
  if (g_stat (file, &info) != 0 || !image_read (&image, file, &status))
    return NULL;
  if (g_get_real_time () / G_USEC_PER_SEC - info.st_mtim.tv_sec > TOUCH_AFTER_S)
    g_utime (file, NULL);
  GessoThumbnail *t = thumbnail_from_image (&image);
  image_clear (&image);
  return t;
}

typedef struct
{
  char *path;
  gint64 used_s, n_bytes;
} CacheFile;

static void
clear_cache_file (gpointer data)
{
  g_free (((CacheFile *) data)->path);
}

static int
compare_use (gconstpointer a, gconstpointer b)
{
  const CacheFile *x = a, *y = b;
  return x->used_s < y->used_s ? -1 : x->used_s > y->used_s;
}

void
gesso_thumbnail_cache_trim (GessoThumbnailCache *cache)
{
  g_autoptr (GDir) dir = g_dir_open (cache->dir, 0, NULL);
  g_autoptr (GArray) files = g_array_new (FALSE, FALSE, sizeof (CacheFile));
  g_array_set_clear_func (files, clear_cache_file);
  gint64 sum = 0;
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    {
      struct stat info;
      CacheFile file = { .path = g_build_filename (cache->dir, name, NULL) };
      if (g_stat (file.path, &info) == 0)
        {
          file.used_s = info.st_mtim.tv_sec;
          file.n_bytes = info.st_size;
          sum += info.st_size;
        }
      g_array_append_val (files, file);
    }
  if (sum <= cache->max_bytes)
    return;
  g_array_sort (files, compare_use);
  for (guint i = 0; i < files->len && sum > cache->max_bytes / 100 * TRIM_TO_PERCENT; i++)
    {
      CacheFile *file = &g_array_index (files, CacheFile, i);
      if (g_unlink (file->path) == 0)
        sum -= file->n_bytes;
    }
}

/* -- making -------------------------------------------------------------------------------------
 */

static void
fit (const Image *image, int size, int *width, int *height)
{
  int longest = MAX (image->width, image->height);
  *width = MAX (1, (int) ((gint64) image->width * size / longest));
  *height = MAX (1, (int) ((gint64) image->height * size / longest));
}

static GIOErrorEnum
error_code (const Status *status)
{
  switch (status->code)
    {
    case STATUS_NOT_FOUND:
      return G_IO_ERROR_NOT_FOUND;
    case STATUS_UNSUPPORTED:
      return G_IO_ERROR_NOT_SUPPORTED;
    case STATUS_FORMAT:
      return G_IO_ERROR_INVALID_DATA;
    default:
      return G_IO_ERROR_FAILED;
    }
}

static gboolean
make (Image *image, const char *path, int size, GError **error)
{
  Status status = { 0 };
  int width = 0, height = 0;
  gboolean ok = frames_read_picture (image, path, NULL, &status);
  if (ok && MAX (image->width, image->height) > size) /* small ones stay as they are */
    {
      fit (image, size, &width, &height);
      ok = image_resize (image, width, height, &status);
    }
  if (!ok)
    {
      g_autofree char *message = g_utf8_make_valid (status.message, -1);
      g_set_error_literal (error, G_IO_ERROR, (int) error_code (&status), message);
      image_clear (image);
    }
  return ok;
}

static GessoThumbnail *
make_and_store (
    GessoThumbnailCache *cache, const char *path, int size, const char *file, GError **error)
{
  Image image = { 0 };
  if (!make (&image, path, size, error))
    return NULL;
  store (cache, file, &image);
  GessoThumbnail *t = thumbnail_from_image (&image);
  image_clear (&image);
  return t;
}

GessoThumbnail *
gesso_thumbnail_cache_get (GessoThumbnailCache *cache, const char *path, int size, GError **error)
{
  g_return_val_if_fail (cache != NULL && path != NULL && size > 0, NULL);
  GessoIdentity now;
  if (!gesso_walk_identify (path, &now))
    {
      g_autofree char *display = g_filename_display_name (path);
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _ ("There is no picture %s any more."),
                   display);
      return NULL;
    }
  g_autofree char *key = g_strdup_printf ("%d:%s", size, path);
  g_autofree char *identity =
      g_strdup_printf ("%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT, now.mtime_ns, now.size_bytes);
  GessoThumbnail *t = recall (cache, key, identity);
  if (t)
    return t;
  g_autofree char *all = g_strconcat (identity, ":", key, NULL);
  g_autofree char *digest = g_compute_checksum_for_string (G_CHECKSUM_SHA256, all, -1);
  g_autofree char *file = g_strconcat (cache->dir, "/", digest, ".jpg", NULL);
  t = load (file);
  if (!t)
    t = make_and_store (cache, path, size, file, error);
  if (t)
    remember (cache, key, identity, t);
  return t;
}

GessoThumbnailCache *
gesso_thumbnail_cache_new (const char *dir, gint64 max_bytes)
{
  g_return_val_if_fail (dir != NULL, NULL);
  GessoThumbnailCache *cache = g_new0 (GessoThumbnailCache, 1);
  cache->dir = g_strdup (dir);
  cache->max_bytes = max_bytes;
  g_mutex_init (&cache->mutex);
  cache->entries = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, entry_free);
  g_queue_init (&cache->used);
  return cache;
}

void
gesso_thumbnail_cache_free (GessoThumbnailCache *cache)
{
  if (!cache)
    return;
  g_hash_table_unref (cache->entries);
  g_mutex_clear (&cache->mutex);
  g_free (cache->dir);
  g_free (cache);
}
