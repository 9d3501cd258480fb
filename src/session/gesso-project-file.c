/* SPDX-License-Identifier: MPL-2.0
 * gesso-project-file.c - a .gesso file.
 *
 *   "GESSOPRJ"  u32 version  u32 n_parts, for each:
 *     u32 kind (Part)  u64 n_bytes  bytes
 *   u32 CRC-32 of everything before
 *
 * All numbers are little-endian.  A part of an unknown kind is passed over: what an older Gesso can
 * do without gets a new kind, what it would get wrong without gets a new version.
 */
#include "session/gesso-project-file.h"

#include <glib/gi18n.h>
#include <string.h>
#include <zlib.h>

#include "media/file.h"

#define MAGIC "GESSOPRJ"

enum
{
  VERSION = 1,
  MAGIC_BYTES = 8,
  HEAD_BYTES = MAGIC_BYTES + 4 + 4,
  PART_BYTES = 4 + 8,
  CRC_BYTES = 4
};

typedef enum
{
  PART_RECIPE = 1, /* JSON, UTF-8 without a zero at its end */
  PART_CANVAS = 2  /* gesso_document_serialise */
} Part;

/* ---- packing ---- */

static void
put_u32 (GByteArray *out, guint32 value)
{
  value = GUINT32_TO_LE (value);
  g_byte_array_append (out, (const guint8 *) &value, sizeof value);
}

static void
put_part_head (GByteArray *out, Part kind, gsize n_bytes)
{
  guint64 n = GUINT64_TO_LE ((guint64) n_bytes);
  put_u32 (out, kind);
  g_byte_array_append (out, (const guint8 *) &n, sizeof n);
}

/* Everything before the canvas's bytes, which are large and are not copied. */
static GByteArray *
pack_head (const char *recipe, gsize canvas_bytes)
{
  GByteArray *out = g_byte_array_new ();
  g_byte_array_append (out, (const guint8 *) MAGIC, MAGIC_BYTES);
  put_u32 (out, VERSION);
  put_u32 (out, 2);
  put_part_head (out, PART_RECIPE, strlen (recipe));
  g_byte_array_append (out, (const guint8 *) recipe, (guint) strlen (recipe));
  put_part_head (out, PART_CANVAS, canvas_bytes);
  return out;
}

static guint32
crc_of (const GByteArray *head, GBytes *canvas)
{
  gsize n;
  const guint8 *data = g_bytes_get_data (canvas, &n);
  uLong crc = crc32_z (crc32_z (0, NULL, 0), head->data, head->len);
  return GUINT32_TO_LE ((guint32) crc32_z (crc, data, n));
}

GBytes *
gesso_project_file_pack (const char *recipe, GBytes *canvas)
{
  g_return_val_if_fail (recipe && canvas, NULL);
  gsize n;
  const guint8 *data = g_bytes_get_data (canvas, &n);
  GByteArray *out = pack_head (recipe, n);
  guint32 crc = crc_of (out, canvas);
  g_byte_array_append (out, data, (guint) n);
  g_byte_array_append (out, (const guint8 *) &crc, sizeof crc);
  return g_byte_array_free_to_bytes (out);
}

/* ---- unpacking ---- */

typedef struct
{
  const guint8 *data;
  gsize at, n_bytes;
} Reader;

/* The caller has looked that there are as many. */
static guint64
get_number (Reader *r, int n_bytes)
{
  guint64 value = 0;
  memcpy (&value, r->data + r->at, (gsize) n_bytes);
  r->at += (gsize) n_bytes;
  return GUINT64_FROM_LE (value);
}

static gboolean
fail (GError **error, const char *sentence)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, sentence);
  return FALSE;
}

static gboolean
check_ends (Reader *r, GError **error)
{
  if (r->n_bytes < MAGIC_BYTES || memcmp (r->data, MAGIC, MAGIC_BYTES) != 0)
    return fail (error, _ ("This is not a Gesso project."));
  if (r->n_bytes < HEAD_BYTES + CRC_BYTES)
    return fail (error, _ ("The project is cut short and cannot be opened."));
  Reader end = { r->data, r->n_bytes - CRC_BYTES, r->n_bytes };
  r->n_bytes -= CRC_BYTES;
  if (get_number (&end, CRC_BYTES) != crc32_z (crc32_z (0, NULL, 0), r->data, r->n_bytes))
    return fail (error, _ ("The project is damaged or cut short and cannot be opened."));
  r->at = MAGIC_BYTES;
  if (get_number (r, 4) > VERSION)
    return fail (error, _ ("This project was made by a newer Gesso: update to open it."));
  return TRUE;
}

static gboolean
get_part (Reader *r, GBytes *bytes, char **recipe, GBytes **canvas)
{
  if (r->n_bytes - r->at < PART_BYTES)
    return FALSE;
  guint64 kind = get_number (r, 4), n = get_number (r, 8);
  if (n > r->n_bytes - r->at)
    return FALSE;
  gsize from = r->at;
  r->at += (gsize) n;
  if (kind == PART_RECIPE && !*recipe)
    *recipe = g_strndup ((const char *) r->data + from, (gsize) n);
  else if (kind == PART_CANVAS && !*canvas)
    *canvas = g_bytes_new_from_bytes (bytes, from, (gsize) n);
  return TRUE;
}

gboolean
gesso_project_file_unpack (GBytes *bytes, char **recipe, GBytes **canvas, GError **error)
{
  g_return_val_if_fail (bytes && recipe && canvas, FALSE);
  g_autofree char *found_recipe = NULL;
  g_autoptr (GBytes) found_canvas = NULL;
  Reader r = { 0 };
  r.data = g_bytes_get_data (bytes, &r.n_bytes);
  if (!check_ends (&r, error))
    return FALSE;
  guint64 n_parts = get_number (&r, 4);
  for (guint64 i = 0; i < n_parts; i++)
    if (!get_part (&r, bytes, &found_recipe, &found_canvas))
      return fail (error, _ ("The project is damaged and cannot be opened."));
  if (!found_recipe || !found_canvas || r.at != r.n_bytes)
    return fail (error, _ ("The project is damaged and cannot be opened."));
  *recipe = g_steal_pointer (&found_recipe);
  *canvas = g_steal_pointer (&found_canvas);
  return TRUE;
}

/* ---- files, on a thread ---- */

typedef struct
{
  char *path, *recipe;
  GBytes *canvas;
} Work;

static void
work_free (gpointer data)
{
  Work *work = data;
  g_free (work->path);
  g_free (work->recipe);
  g_clear_pointer (&work->canvas, g_bytes_unref);
  g_free (work);
}

static gboolean
write_parts (AtomicFile *file, const Work *work, Status *status)
{
  gsize n;
  const guint8 *data = g_bytes_get_data (work->canvas, &n);
  g_autoptr (GByteArray) head = pack_head (work->recipe, n);
  guint32 crc = crc_of (head, work->canvas);
  return atomic_file_write (file, head->data, head->len, status) &&
         atomic_file_write (file, data, n, status) &&
         atomic_file_write (file, &crc, sizeof crc, status);
}

static void
write_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const Work *work = data;
  AtomicFile file = { 0 };
  Status status = { 0 };
  gboolean ok = atomic_file_open (&file, work->path, &status) &&
                write_parts (&file, work, &status) && atomic_file_commit (&file, true, &status);
  atomic_file_discard (&file);
  if (ok)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_FAILED, "%s", status.message);
}

void
gesso_project_file_write_async (const char *path,
                                const char *recipe,
                                GBytes *canvas,
                                GAsyncReadyCallback callback,
                                gpointer user_data)
{
  g_return_if_fail (path && recipe && canvas);
  Work *work = g_new (Work, 1);
  *work = (Work){ g_strdup (path), g_strdup (recipe), g_bytes_ref (canvas) };
  g_autoptr (GTask) task = g_task_new (NULL, NULL, callback, user_data);
  g_task_set_source_tag (task, gesso_project_file_write_async);
  g_task_set_task_data (task, work, work_free);
  g_task_run_in_thread (task, write_thread);
}

gboolean
gesso_project_file_write_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, gesso_project_file_write_async), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
read_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *work = data;
  char *contents;
  gsize n;
  GError *error = NULL;
  if (g_file_get_contents (work->path, &contents, &n, &error))
    {
      g_autoptr (GBytes) bytes = g_bytes_new_take (contents, n);
      gesso_project_file_unpack (bytes, &work->recipe, &work->canvas, &error);
    }
  if (error)
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);
}

void
gesso_project_file_read_async (const char *path, GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (path != NULL);
  Work *work = g_new0 (Work, 1);
  work->path = g_strdup (path);
  g_autoptr (GTask) task = g_task_new (NULL, NULL, callback, user_data);
  g_task_set_source_tag (task, gesso_project_file_read_async);
  g_task_set_task_data (task, work, work_free);
  g_task_run_in_thread (task, read_thread);
}

gboolean
gesso_project_file_read_finish (GAsyncResult *result,
                                char **recipe,
                                GBytes **canvas,
                                GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, gesso_project_file_read_async), FALSE);
  if (!g_task_propagate_boolean (G_TASK (result), error))
    return FALSE;
  Work *work = g_task_get_task_data (G_TASK (result));
  *recipe = g_steal_pointer (&work->recipe);
  *canvas = g_steal_pointer (&work->canvas);
  return TRUE;
}
