/* SPDX-License-Identifier: MPL-2.0
 * gesso-result.c - a finished picture on its way to the disk.
 */
#include "session/gesso-result.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "media/png.h"
#include "media/texts.h"
#include "recipe/infotext.h"
#include "session/gesso-queue-store.h"
#include "session/gesso-recipe.h"

struct _GessoResultWriter
{
  GessoDatabase *database;
  char *pictures_dir;
  GThreadPool *pool; /* of one thread */
};

/* One picture; lives in its task. */
typedef struct
{
  GessoResultWriter *writer; /* outlives the task: it waits for it */
  gint64 job;
  int index;
  GessoFrame *frame;
  char *recipe;
  char *clip; /* where its file lies; NULL for a picture */
  char *folder, *stem;
  char *path; /* the reserved name */
  int n;      /* in it */
  gboolean known, is_there;
  char *of_file; /* the recipe by which a file of that name is recognised */
  gboolean done;
  int n_done;
} Save;

enum
{
  MAX_NAMES = 100 /* that other programs may take from us one after the other */
};

static void
save_free (gpointer data)
{
  Save *save = data;
  gesso_frame_free (save->frame);
  g_free (save->recipe);
  g_free (save->clip);
  g_free (save->folder);
  g_free (save->stem);
  g_free (save->path);
  g_free (save->of_file);
  g_free (save);
}

static gboolean
find_name (sqlite3 *db, gpointer data, GError **error)
{
  Save *save = data;
  g_clear_pointer (&save->path, g_free);
  return gesso_store_find_name (db, save->job, save->index, save->folder, save->stem,
                                save->clip ? ".gclip" : ".png", &save->n, &save->path, &save->known,
                                error);
}

static gboolean
reserve (sqlite3 *db, gpointer data, GError **error)
{
  Save *save = data;
  g_clear_pointer (&save->of_file, g_free);
  return gesso_store_reserve (db, save->job, save->index, save->recipe, save->path, save->is_there,
                              &save->of_file, &save->done, error);
}

/* The disk is asked outside of the database: the queue goes on while it does not answer. */
static gboolean
reserve_name (Save *save, GError **error)
{
  GessoDatabase *database = save->writer->database;
  save->n = 0;
  do
    {
      if (!gesso_database_run (database, FALSE, find_name, save, error))
        return FALSE;
      save->is_there = g_access (save->path, F_OK) == 0;
    }
  while (save->is_there && !save->known);
  return gesso_database_run (database, TRUE, reserve, save, error);
}

static gboolean
release_name (sqlite3 *db, gpointer data, GError **error)
{
  Save *save = data;
  return gesso_store_release (db, save->job, save->index, error);
}

static gboolean
mark_done (sqlite3 *db, gpointer data, GError **error)
{
  Save *save = data;
  return gesso_store_mark_done (db, save->job, save->index, g_get_real_time (), &save->n_done,
                                error);
}

gboolean
gesso_result_file_is_of (const char *path, const char *recipe)
{
  g_return_val_if_fail (path && recipe, FALSE);
  Status status = { 0 };
  MediaTexts texts = { 0 };
  gboolean same = media_texts_read (&texts, path, &status) && !texts.damaged &&
                  g_strcmp0 (media_texts_find (&texts, "gesso"), recipe) == 0;
  media_texts_clear (&texts);
  return same;
}

/* @path appears complete or not at all. */
static gboolean
write_png (const Save *save, Status *status)
{
  Recipe recipe;
  gsize n_bytes;
  recipe_init (&recipe);
  Notes notes = { 0 };
  char *infotext = recipe_from_json (&recipe, save->recipe, strlen (save->recipe), &notes, status)
                       ? infotext_write (&recipe, status)
                       : NULL;
  if (infotext)
    {
      const PngText texts[] = { { "parameters", infotext }, { "gesso", save->recipe } };
      const PngOptions options = { .texts = texts, .n_texts = G_N_ELEMENTS (texts) };
      const Image image = { save->frame->width, save->frame->height,
                            (uint8_t *) g_bytes_get_data (save->frame->rgb, &n_bytes) };
      png_write_file (save->path, &image, &options, status);
    }
  mem_free (infotext);
  notes_clear (&notes);
  recipe_clear (&recipe);
  return status_ok (status);
}

/* Without a second copy where both lie on one file system.  Never over another file. */
static gboolean
move_clip (const Save *save, Status *status)
{
  return file_move_new (save->clip, save->path, status);
}

static gboolean
make_folder (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  if (g_mkdir_with_parents (folder, 0777) == 0)
    return TRUE;
  int code = errno;
  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (code),
               _ ("The folder “%s” for pictures cannot be made: %s."), folder, g_strerror (code));
  return FALSE;
}

/* States 2 and 3; @taken: the name belongs to another program's file. */
static gboolean
write_file (Save *save, gboolean *taken, GError **error)
{
  Status status = { 0 };
  *taken = FALSE;
  if (!reserve_name (save, error))
    return FALSE;
  if (save->done || !make_folder (save->path, error))
    return save->done;
  if ((save->clip ? move_clip (save, &status) : write_png (save, &status)) ||
      gesso_result_file_is_of (save->path, save->of_file))
    return TRUE;
  *taken = g_file_test (save->path, G_FILE_TEST_EXISTS);
  return gesso_status_propagate (&status, error);
}

static gboolean
save_picture (Save *save, GError **error)
{
  GessoDatabase *database = save->writer->database;
  for (int i = 0; i < MAX_NAMES; i++)
    {
      g_autoptr (GError) problem = NULL;
      gboolean taken;
      if (write_file (save, &taken, &problem))
        return gesso_database_run (database, TRUE, mark_done, save, error);
      if (!taken)
        {
          g_propagate_error (error, g_steal_pointer (&problem));
          return FALSE;
        }
      if (!gesso_database_run (database, TRUE, release_name, save, error))
        return FALSE;
    }
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS,
               _ ("No free name for the picture was found in “%s”."), save->folder);
  return FALSE;
}

static void
save_in_thread (gpointer data, gpointer unused)
{
  g_autoptr (GTask) task = data;
  Save *save = g_task_get_task_data (task);
  GError *error = NULL;
  gboolean ok = save_picture (save, &error);
  if (ok && save->clip)
    g_unlink (save->clip); /* it came again: the first one was taken before a crash */
  if (ok)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

GessoResultWriter *
gesso_result_writer_new (GessoDatabase *database, const char *pictures_dir)
{
  g_return_val_if_fail (GESSO_IS_DATABASE (database) && pictures_dir, NULL);
  GessoResultWriter *self = g_new (GessoResultWriter, 1);
  *self = (GessoResultWriter){ g_object_ref (database), g_strdup (pictures_dir),
                               g_thread_pool_new (save_in_thread, NULL, 1, FALSE, NULL) };
  return self;
}

void
gesso_result_writer_free (GessoResultWriter *self)
{
  if (!self)
    return;
  g_thread_pool_free (self->pool, FALSE, TRUE);
  g_object_unref (self->database);
  g_free (self->pictures_dir);
  g_free (self);
}

void
gesso_result_writer_set_folder (GessoResultWriter *self, const char *pictures_dir)
{
  g_return_if_fail (self && pictures_dir);
  g_free (self->pictures_dir);
  self->pictures_dir = g_strdup (pictures_dir);
}

static char *
stem_of (const char *json)
{
  g_auto (Recipe) recipe;
  return gesso_recipe_parse (&recipe, json, NULL)
             ? gesso_recipe_dup_stem (recipe_str (recipe.prompt))
             : gesso_recipe_dup_stem ("");
}

void
gesso_result_save_async (GessoResultWriter *self,
                         gint64 job,
                         int index,
                         const GessoFrame *frame,
                         const char *recipe,
                         const char *clip,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_return_if_fail (self && frame && recipe);
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *day = g_date_time_format (now, "%Y-%m-%d");
  Save *save = g_new0 (Save, 1);
  *save = (Save){ .writer = self,
                  .job = job,
                  .index = index,
                  .frame = gesso_frame_copy (frame),
                  .recipe = g_strdup (recipe),
                  .clip = g_strdup (clip),
                  .folder = g_build_filename (self->pictures_dir, day, NULL),
                  .stem = stem_of (recipe) };
  GTask *task = g_task_new (NULL, NULL, callback, user_data);
  g_task_set_source_tag (task, gesso_result_save_async);
  g_task_set_task_data (task, save, save_free);
  g_thread_pool_push (self->pool, task, NULL);
}

char *
gesso_result_save_finish (GAsyncResult *result, int *n_done, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  const Save *save = g_task_get_task_data (G_TASK (result));
  if (!g_task_propagate_boolean (G_TASK (result), error))
    return NULL;
  *n_done = save->n_done;
  return g_strdup (save->path);
}
