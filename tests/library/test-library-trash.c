/* SPDX-License-Identifier: MPL-2.0
 * test-library-trash.c - into the trash and back, clips with their films.
 *
 * Run alone: build/tests/library/test-library-trash
 */
#include <glib/gstdio.h>

#include "library-fixture.h"
#include "media/clip.h"

static void
trash (Fixture *f, GListModel *pictures, gboolean expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  gesso_library_trash_async (f->library, pictures, NULL, keep_result_cb, &result);
  g_assert_cmpint (gesso_library_trash_finish (f->library, await (&result), &error), ==, expected);
  g_assert_cmpint (error != NULL, ==, !expected);
}

static void
untrash (Fixture *f, gboolean expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  gesso_library_untrash_async (f->library, NULL, keep_result_cb, &result);
  g_assert_cmpint (gesso_library_untrash_finish (f->library, await (&result), &error), ==,
                   expected);
  g_assert_cmpint (error != NULL, ==, !expected);
}

/* @n pictures, which no scan is still at. */
static GessoPictureList *
list_of (Fixture *f, guint n)
{
  GessoPictureList *list = gesso_picture_list_new (f->library);
  add_pictures (f, "pics", n);
  wait_items (list, n);
  tree_settle (f->library);
  return list;
}

static void
test_library_trashes_and_undoes (Fixture *f, gconstpointer data)
{
  g_autoptr (GessoPictureList) list = list_of (f, 6);
  g_autoptr (GListStore) chosen = g_list_store_new (GESSO_TYPE_PICTURE);
  g_autofree char *path = g_strdup (gesso_picture_get_path (picture_at (list, 1)));
  gesso_library_set_starred (f->library, picture_at (list, 1), TRUE);
  g_list_store_append (chosen, picture_at (list, 1));
  g_list_store_append (chosen, picture_at (list, 4));
  trash (f, G_LIST_MODEL (chosen), TRUE);
  g_assert_cmpint (g_list_model_get_n_items (G_LIST_MODEL (list)), ==, 4);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_list_store_remove_all (chosen);
  g_list_store_append (chosen, picture_at (list, 0));
  trash (f, G_LIST_MODEL (chosen), TRUE);
  g_assert_cmpint (g_list_model_get_n_items (G_LIST_MODEL (list)), ==, 3);
  tree_settle (f->library);
  gesso_library_rescan (f->library);
  tree_settle (f->library);
  g_assert_cmpint (n_pictures (f), ==, 3);
  /* the last batch first, then the one before it; also by another session */
  untrash (f, TRUE);
  g_assert_cmpint (g_list_model_get_n_items (G_LIST_MODEL (list)), ==, 4);
  g_list_store_remove_all (chosen);
  g_clear_object (&list);
  close_library (&f->library);
  f->library = open_library (f);
  list = gesso_picture_list_new (f->library);
  wait_items (list, 4);
  untrash (f, TRUE);
  g_assert_cmpint (g_list_model_get_n_items (G_LIST_MODEL (list)), ==, 6);
  g_assert_cmpstr (gesso_picture_get_path (picture_at (list, 1)), ==, path);
  g_assert_true (gesso_picture_get_starred (picture_at (list, 1)));
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  untrash (f, FALSE);
}

static void
test_library_trash_goes_on_after_a_failure (Fixture *f, gconstpointer data)
{
  g_autoptr (GessoPictureList) list = list_of (f, 3);
  g_autoptr (GListStore) chosen = g_list_store_new (GESSO_TYPE_PICTURE);
  for (guint i = 0; i < 3; i++)
    g_list_store_append (chosen, picture_at (list, i));
  g_assert_cmpint (g_remove (gesso_picture_get_path (picture_at (list, 0))), ==, 0);
  trash (f, G_LIST_MODEL (chosen), FALSE); /* one was gone before */
  gesso_library_rescan (f->library);
  wait_items (list, 0);
  untrash (f, TRUE);
  g_assert_cmpint (g_list_model_get_n_items (G_LIST_MODEL (list)), ==, 2);
}

static gboolean
is_there (Fixture *f, const char *name)
{
  g_autofree char *path = g_build_filename (f->files, "pics", name, NULL);
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static void
trash_first (Fixture *f, GessoPictureList *list)
{
  g_autoptr (GListStore) chosen = g_list_store_new (GESSO_TYPE_PICTURE);
  wait_items (list, 1);
  tree_settle (f->library);
  g_list_store_append (chosen, picture_at (list, 0));
  trash (f, G_LIST_MODEL (chosen), TRUE);
}

/* What a film of another recipe, or of none, is doing under that name is its owner's business. */
static void
test_library_trashes_films_with_their_clip (Fixture *f, gconstpointer data)
{
  g_autoptr (GessoPictureList) list = gesso_picture_list_new (f->library);
  g_autofree char *dir = tree_mkdir (f->files, "pics");
  g_autofree char *clip = tree_clip (dir, "a.gclip", "{\"seed\": 1}");
  g_autofree char *film = tree_film (dir, "a.mp4", "{\"seed\": 1}");
  g_autofree char *other = tree_film (dir, "a.mov", "{\"seed\": 2}");
  g_autofree char *none = tree_write (dir, "a.mkv", "notes");
  gesso_library_add_pictures_folder (f->library, dir);
  trash_first (f, list);
  g_assert_false (is_there (f, "a.gclip") || is_there (f, "a.mp4"));
  g_assert_true (is_there (f, "a.mov") && is_there (f, "a.mkv"));
  untrash (f, TRUE);
  g_assert_true (is_there (f, "a.gclip") && is_there (f, "a.mp4"));
  /* where their name is taken meanwhile both get the same other one */
  trash_first (f, list);
  g_autofree char *again = tree_clip (dir, "a.gclip", "{\"seed\": 3}");
  g_autofree char *again_film = tree_film (dir, "a.mp4", "{\"seed\": 3}");
  wait_items (list, 1);
  untrash (f, TRUE);
  g_assert_true (is_there (f, "a (2).gclip") && is_there (f, "a (2).mp4"));
  g_autofree char *back = g_build_filename (dir, "a (2).gclip", NULL);
  g_autofree char *film_back = g_build_filename (dir, "a (2).mp4", NULL);
  g_assert_true (clip_has_film (back, film_back) && clip_has_film (again, again_film));
}

/* A film that left the trash by another way is said, and its clip is back all the same.  Clips that
 * others delete leave the list, and their films alone. */
static void
test_library_brings_clips_back_without_films (Fixture *f, gconstpointer data)
{
  g_autoptr (GessoPictureList) list = gesso_picture_list_new (f->library);
  g_autofree char *dir = tree_mkdir (f->files, "pics");
  g_autofree char *clip = tree_clip (dir, "a.gclip", "{\"seed\": 1}");
  g_autofree char *film = tree_film (dir, "a.mp4", "{\"seed\": 1}");
  gesso_library_add_pictures_folder (f->library, dir);
  GStatBuf info;
  g_assert_cmpint (g_stat (film, &info), ==, 0);
  trash_first (f, list);
  g_autofree char *trashed =
      g_build_filename (g_get_user_data_dir (), "Trash", "files", "a.mp4", NULL);
  g_autofree char *own = g_build_filename (f->dir, "data", "Trash", "files", "a.mp4", NULL);
  g_assert_true (g_remove (trashed) == 0 || g_remove (own) == 0);
  untrash (f, FALSE);
  g_assert_true (is_there (f, "a.gclip") && !is_there (f, "a.mp4"));
  g_autofree char *new_film = tree_film (dir, "a.mp4", "{\"seed\": 1}");
  wait_items (list, 1);
  g_assert_cmpint (g_remove (clip), ==, 0);
  wait_items (list, 0);
  g_assert_true (is_there (f, "a.mp4"));
}

int
main (int argc, char **argv)
{
  init_tests (&argc, &argv);
  add_test ("/library/pictures/trash", test_library_trashes_and_undoes);
  add_test ("/library/pictures/trash-failure", test_library_trash_goes_on_after_a_failure);
  add_test ("/library/pictures/trash-films", test_library_trashes_films_with_their_clip);
  add_test ("/library/pictures/trash-without-films", test_library_brings_clips_back_without_films);
  return run_tests ();
}
