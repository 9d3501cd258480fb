/* SPDX-License-Identifier: MPL-2.0
 * test-result.c - a picture on its way to the disk, with a death at each of gesso-result.h's
 * states.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "media/clip.h"
#include "session/gesso-queue-store.h"
#include "session/gesso-recover.h"
#include "session/gesso-result.h"

static const char RECIPE[] =
    "{\"version\": 1, \"model\": \"m\", \"prompt\": \"Ein Gemälde: (Öl)\", \"seed\": 5}";
static const char OTHER[] =
    "{\"version\": 1, \"model\": \"m\", \"prompt\": \"other\", \"seed\": 5}";

typedef struct
{
  char *folder, *db_path, *pictures;
  GessoDatabase *database;
  GessoResultWriter *writer;
  gint64 job;
} Fixture;

static gboolean
add_job (sqlite3 *db, gpointer data, GError **error)
{
  static const char recipe[] =
      "{\"version\": 1, \"model\": \"m\", \"prompt\": \"x\", \"batch_size\": 2}";
  const char *recipes[] = { recipe, NULL };
  g_autoptr (GPtrArray) rows = g_ptr_array_new_with_free_func ((GDestroyNotify) gesso_job_row_free);
  gboolean ok = gesso_store_add (db, recipes, GESSO_QUEUE_LAST, 0, rows, NULL, error);
  if (ok)
    *(gint64 *) data = ((GessoJobRow *) g_ptr_array_index (rows, 0))->id;
  return ok;
}

static void
run (Fixture *f, GessoDatabaseFunc func, gpointer data)
{
  g_autoptr (GError) error = NULL;
  gesso_database_run (f->database, TRUE, func, data, &error);
  g_assert_no_error (error);
}

static void
open_database (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  f->database = gesso_database_new (f->db_path, GESSO_DATABASE_DURABLE, gesso_store_migrations,
                                    gesso_store_n_migrations, &error);
  g_assert_no_error (error);
  f->writer = gesso_result_writer_new (f->database, f->pictures);
}

static void
close_database (Fixture *f)
{
  g_clear_pointer (&f->writer, gesso_result_writer_free);
  g_clear_object (&f->database);
}

static void
set_up (Fixture *f, gconstpointer unused)
{
  f->folder = g_dir_make_tmp ("gesso-result-XXXXXX", NULL);
  f->db_path = g_build_filename (f->folder, "session.db", NULL);
  f->pictures = g_build_filename (f->folder, "pictures", NULL);
  open_database (f);
  run (f, add_job, &f->job);
}

static void
remove_folder (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      if (g_file_test (path, G_FILE_TEST_IS_DIR))
        remove_folder (path);
      else
        g_unlink (path);
    }
  g_rmdir (folder);
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  close_database (f);
  remove_folder (f->folder);
  g_free (f->folder);
  g_free (f->db_path);
  g_free (f->pictures);
}

static void
on_saved_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  *(GAsyncResult **) data = g_object_ref (result);
}

static void
recovered_cb (const GPtrArray *rows, const GError *error, gpointer n)
{
  g_assert_no_error (error);
  *(int *) n = (int) rows->len;
}

/* A start of the program after a death.  Returns: how many pictures were marked */
static int
start_again (Fixture *f)
{
  int n = -1;
  close_database (f);
  open_database (f);
  GessoRecovery *recovery = gesso_recovery_new (f->database, recovered_cb, &n);
  while (n < 0)
    g_main_context_iteration (NULL, TRUE);
  gesso_recovery_free (recovery);
  return n;
}

/* @clip: NULL, or the file of one.  Returns: the path */
static char *
save_as (Fixture *f, int index, const char *recipe, const char *clip, int *n_done)
{
  static const guint8 rgb[2 * 2 * 3] = { 1, 2, 3 };
  g_autoptr (GBytes) bytes = g_bytes_new_static (rgb, sizeof rgb);
  g_autoptr (GessoFrame) frame = gesso_frame_new (2, 2, bytes);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  gesso_result_save_async (f->writer, f->job, index, frame, recipe, clip, on_saved_cb, &result);
  while (!result)
    g_main_context_iteration (NULL, TRUE);
  char *path = gesso_result_save_finish (result, n_done, &error);
  g_assert_no_error (error);
  return path;
}

static char *
save (Fixture *f, int index, const char *recipe, int *n_done)
{
  return save_as (f, index, recipe, NULL, n_done);
}

/* What the worker left beside its journal. */
static char *
make_clip (Fixture *f, const char *recipe)
{
  static const guint8 rgb[2 * 2 * 3] = { 1, 2, 3 };
  const FilmInfo info = { 2, 2, { 16, 1 }, 1 };
  ClipWriter clip = { 0 };
  Status status = { 0 };
  char *path = g_build_filename (f->folder, "journal-0.gclip", NULL);
  clip_writer_open (&clip, path, &info, &status);
  clip_writer_add (&clip, rgb, &status);
  clip_writer_add_recipe (&clip, recipe, &status);
  clip_writer_commit (&clip, true, &status);
  g_assert_cmpstr (status.message, ==, "");
  return path;
}

typedef struct
{
  gint64 job;
  const char *folder, *recipe;
  char *path;
  gboolean done;
} Reserved;

static gboolean
reserve (sqlite3 *db, gpointer data, GError **error)
{
  Reserved *r = data;
  int n = 0;
  gboolean known;
  g_autofree char *of_file = NULL;
  return gesso_store_find_name (db, r->job, 0, r->folder, "p", ".png", &n, &r->path, &known,
                                error) &&
         gesso_store_reserve (db, r->job, 0, r->recipe, r->path, FALSE, &of_file, &r->done, error);
}

/* State 2. */
static char *
reserve_name (Fixture *f, const char *recipe)
{
  Reserved r = { f->job, f->pictures, recipe, NULL, FALSE };
  g_assert_cmpint (g_mkdir_with_parents (f->pictures, 0700), ==, 0);
  run (f, reserve, &r);
  g_assert_false (r.done);
  return r.path;
}

static gboolean
is_done (sqlite3 *db, gpointer data, GError **error)
{
  Reserved *r = data;
  gint64 done;
  gboolean ok = gesso_sql_int (
      db, error, &done, 0, "SELECT done FROM pictures WHERE job = ? AND picture = 0", "i", r->job);
  r->done = done != 0;
  return ok;
}

static gboolean
picture_is_done (Fixture *f)
{
  Reserved r = { .job = f->job };
  run (f, is_done, &r);
  return r.done;
}

static guint
count_files (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  guint n = 0;
  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      n += g_file_test (path, G_FILE_TEST_IS_DIR) ? count_files (path) : 1;
    }
  return n;
}

static void
test_saves_once (Fixture *f, gconstpointer unused)
{
  int n_done = 0;
  g_autofree char *first = save (f, 0, RECIPE, &n_done);
  g_assert_cmpint (n_done, ==, 1);
  g_assert_true (g_str_has_suffix (first, "/ein-gemälde-öl-00001.png"));
  g_autofree char *again = save (f, 0, RECIPE, &n_done);
  g_assert_cmpstr (again, ==, first);
  g_autofree char *second = save (f, 1, RECIPE, &n_done);
  g_assert_cmpint (n_done, ==, 2);
  g_assert_true (g_str_has_suffix (second, "/ein-gemälde-öl-00002.png"));
  g_assert_cmpuint (count_files (f->pictures), ==, 2);
}

static void
test_names_that_are_taken_are_left_out (Fixture *f, gconstpointer unused)
{
  int n_done = 0;
  g_autofree char *first = save (f, 0, RECIPE, &n_done), *folder = g_path_get_dirname (first);
  for (int i = 2; i < 5; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/ein-gemälde-öl-0000%d.png", folder, i);
      g_assert_true (g_file_set_contents (path, "not ours", -1, NULL));
    }
  g_autofree char *second = save (f, 1, RECIPE, &n_done);
  g_assert_true (g_str_has_suffix (second, "/ein-gemälde-öl-00005.png"));
}

static void
test_died_with_the_name (Fixture *f, gconstpointer unused)
{
  int n_done;
  g_autofree char *path = reserve_name (f, RECIPE);
  g_autofree char *temp = g_strdup_printf ("%s/.gesso-%ld-0.part", f->pictures, (long) getpid ());
  g_autofree char *stranger = g_strdup_printf ("%s/.gesso-1-0.part", f->pictures);
  g_assert_true (g_file_set_contents (temp, "half", -1, NULL));
  g_assert_true (g_file_set_contents (stranger, "of another program", -1, NULL));
  start_again (f);
  g_assert_false (g_file_test (temp, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (stranger, G_FILE_TEST_EXISTS));
  g_assert_false (picture_is_done (f));
  g_autofree char *saved = save (f, 0, RECIPE, &n_done);
  g_assert_cmpstr (saved, ==, path);
  g_assert_true (picture_is_done (f));
  g_assert_cmpuint (count_files (f->pictures), ==, 2);
}

/* Brings a whole file of @recipe under the reserved name. */
static void
put_file (Fixture *f, const char *path, const char *recipe)
{
  int n_done;
  g_autofree char *made = save (f, 1, recipe, &n_done);
  g_assert_cmpint (g_rename (made, path), ==, 0);
}

static void
test_died_with_the_file (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = reserve_name (f, RECIPE);
  put_file (f, path, RECIPE);
  g_assert_false (picture_is_done (f));
  g_assert_cmpint (start_again (f), ==, 1);
  g_assert_true (picture_is_done (f));
  g_assert_cmpuint (count_files (f->pictures), ==, 1);
}

/* The same, but the picture comes again before anybody has looked. */
static void
test_file_is_recognised_when_it_comes_again (Fixture *f, gconstpointer unused)
{
  int n_done;
  g_autofree char *path = reserve_name (f, RECIPE);
  put_file (f, path, RECIPE);
  g_autofree char *saved = save (f, 0, RECIPE, &n_done);
  g_assert_cmpstr (saved, ==, path);
  g_assert_true (picture_is_done (f));
  g_assert_cmpuint (count_files (f->pictures), ==, 1);
}

/* The disk was full when the mark was to be made; now the worker knows the model's hash, too. */
static void
test_file_is_recognised_by_its_own_recipe (Fixture *f, gconstpointer unused)
{
  int n_done;
  g_autofree char *path = reserve_name (f, RECIPE);
  put_file (f, path, RECIPE);
  g_autofree char *saved = save (f, 0, OTHER, &n_done);
  g_assert_cmpstr (saved, ==, path);
  g_assert_true (picture_is_done (f));
  g_assert_cmpuint (count_files (f->pictures), ==, 1);
}

static void
test_file_of_another_program_stays (Fixture *f, gconstpointer unused)
{
  int n_done;
  g_autofree char *text = NULL;
  g_autofree char *path = reserve_name (f, RECIPE);
  g_assert_true (g_file_set_contents (path, "not ours", -1, NULL));
  start_again (f);
  g_assert_false (picture_is_done (f));
  g_autofree char *saved = save (f, 0, RECIPE, &n_done);
  g_assert_cmpstr (saved, !=, path);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "not ours");
  g_assert_true (picture_is_done (f));
}

static void
test_picture_of_another_recipe_stays (Fixture *f, gconstpointer unused)
{
  int n_done;
  g_autofree char *path = reserve_name (f, RECIPE);
  put_file (f, path, OTHER);
  start_again (f);
  g_assert_false (picture_is_done (f));
  g_autofree char *saved = save (f, 0, RECIPE, &n_done);
  g_assert_cmpstr (saved, !=, path);
  g_assert_cmpuint (count_files (f->pictures), ==, 2);
}

/* The second time the worker knew the model's hash as well. */
static void
test_died_with_a_file_of_the_second_recipe (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = reserve_name (f, RECIPE), *again = reserve_name (f, OTHER);
  g_assert_cmpstr (again, ==, path);
  put_file (f, path, OTHER);
  start_again (f);
  g_assert_true (picture_is_done (f));
}

/* Moved, numbered together with the pictures, and taken once. */
static void
test_clip_is_moved (Fixture *f, gconstpointer unused)
{
  int n_done = 0;
  g_autofree char *picture = save (f, 1, RECIPE, &n_done);
  g_autofree char *clip = make_clip (f, RECIPE);
  g_autofree char *saved = save_as (f, 0, RECIPE, clip, &n_done);
  g_assert_cmpint (n_done, ==, 2);
  g_assert_true (g_str_has_suffix (saved, "/ein-gemälde-öl-00002.gclip"));
  g_assert_false (g_file_test (clip, G_FILE_TEST_EXISTS));
  g_free (make_clip (f, RECIPE)); /* the worker died before it heard */
  g_autofree char *again = save_as (f, 0, RECIPE, clip, &n_done);
  g_assert_cmpstr (again, ==, saved);
  g_assert_false (g_file_test (clip, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (count_files (f->pictures), ==, 2);
}

static void
test_died_with_the_clip_moved (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = reserve_name (f, RECIPE);
  g_autofree char *clip = make_clip (f, RECIPE);
  g_assert_cmpint (g_rename (clip, path), ==, 0);
  start_again (f);
  g_assert_true (picture_is_done (f));
}

#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/session/result/saves-once", test_saves_once);
  ADD ("/session/result/names-that-are-taken-are-left-out", test_names_that_are_taken_are_left_out);
  ADD ("/session/result/died-with-the-name", test_died_with_the_name);
  ADD ("/session/result/died-with-the-file", test_died_with_the_file);
  ADD ("/session/result/file-is-recognised-when-it-comes-again",
       test_file_is_recognised_when_it_comes_again);
  ADD ("/session/result/file-is-recognised-by-its-own-recipe",
       test_file_is_recognised_by_its_own_recipe);
  ADD ("/session/result/file-of-another-program-stays", test_file_of_another_program_stays);
  ADD ("/session/result/picture-of-another-recipe-stays", test_picture_of_another_recipe_stays);
  ADD ("/session/result/died-with-a-file-of-the-second-recipe",
       test_died_with_a_file_of_the_second_recipe);
  ADD ("/session/result/clip-is-moved", test_clip_is_moved);
  ADD ("/session/result/died-with-the-clip-moved", test_died_with_the_clip_moved);
  return g_test_run ();
}
