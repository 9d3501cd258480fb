/* SPDX-License-Identifier: MPL-2.0
 * test-library-pictures.c - pictures: lists, searching, stars, thumbnails.
 *
 * Run alone: build/tests/library/test-library-pictures
 */
#include <glib/gstdio.h>
#include <string.h>

#include "library-fixture.h"

static void
assert_outputs (Fixture *f, const char *const *names)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_auto (GStrv) found = NULL;
  gesso_library_find_others_async (f->library, NULL, keep_result_cb, &result);
  await (&result);
  g_strfreev (gesso_library_find_others_finish (f->library, result, &found));
  g_assert_cmpuint (g_strv_length (found), ==, g_strv_length ((char **) names));
  for (guint i = 0; names[i]; i++)
    {
      g_autofree char *path = g_build_filename (f->dir, names[i], NULL);
      g_assert_true (g_strv_contains ((const char *const *) found, path));
    }
}

/* The output folders of programs that models are taken from. */
static void
test_library_finds_outputs (Fixture *f, gconstpointer data)
{
  static const char *const folders[] = { "ComfyUI/models/checkpoints", "ComfyUI/output",
                                         "forge/models/Stable-diffusion", "forge/outputs/txt2img" };
  const char *const both[] = { "ComfyUI/output", "forge/outputs", NULL };
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    g_free (tree_mkdir (f->dir, folders[i]));
  g_autofree char *comfy = g_build_filename (f->dir, "ComfyUI", "models", NULL);
  g_autofree char *forge = g_build_filename (f->dir, "forge", NULL);
  g_autofree char *output = g_build_filename (f->dir, "ComfyUI", "output", NULL);
  gesso_library_add_folder (f->library, comfy);
  gesso_library_add_folder (f->library, forge);
  assert_outputs (f, both);
  gesso_library_add_pictures_folder (f->library, output);
  assert_outputs (f, both + 1);
  g_auto (GStrv) named = gesso_library_dup_picture_folders (f->library);
  g_assert_cmpuint (g_strv_length (named), ==, 1);
  g_assert_cmpstr (named[0], ==, output);
}

/* Returns: what gesso_library_add_pictures_finish does */
static const char *
add_pictures_of (Fixture *f, const char *path)
{
  g_autoptr (GAsyncResult) result = NULL;
  gesso_library_add_pictures_async (f->library, path, keep_result_cb, &result);
  return gesso_library_add_pictures_finish (f->library, await (&result));
}

/* One big folder that models are taken from was no folder of pictures to anybody. */
static void
test_library_takes_outputs_of_an_installation (Fixture *f, gconstpointer data)
{
  g_autofree char *models = tree_mkdir (f->dir, "ComfyUI/models/checkpoints");
  g_autofree char *comfy = g_build_filename (f->dir, "ComfyUI", NULL);
  g_assert_null (gesso_library_add_folder (f->library, comfy));
  g_assert_nonnull (add_pictures_of (f, comfy)); /* it wrote none */
  g_autofree char *output = tree_mkdir (comfy, "output");
  g_assert_null (add_pictures_of (f, comfy));
  g_assert_null (add_pictures_of (f, comfy));
  g_auto (GStrv) folders = gesso_library_dup_folders (f->library);
  g_auto (GStrv) named = gesso_library_dup_picture_folders (f->library);
  g_assert_cmpuint (g_strv_length (folders), ==, 1);
  g_assert_cmpstr (folders[0], ==, comfy);
  g_assert_cmpuint (g_strv_length (named), ==, 1);
  g_assert_cmpstr (named[0], ==, output);
}

/* What lies in another named folder, too, keeps its star. */
static void
test_library_keeps_stars_when_a_folder_around_goes (Fixture *f, gconstpointer data)
{
  g_autofree char *inner = g_build_filename (f->files, "gesso", NULL);
  g_free (tree_picture (f->files, "gesso/own.png", 20, 20, 1, NULL));
  g_free (tree_picture (f->files, "other.png", 20, 20, 2, NULL));
  gesso_library_add_pictures_folder (f->library, inner);
  gesso_library_add_pictures_folder (f->library, f->files);
  g_autoptr (GessoPictureList) list = gesso_picture_list_new (f->library);
  wait_items (list, 2);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GessoPicture) picture = g_list_model_get_item (G_LIST_MODEL (list), i);
      gesso_library_set_starred (f->library, picture, TRUE);
    }
  tree_settle (f->library);
  gesso_library_remove_folder (f->library, f->files);
  wait_items (list, 1);
  g_autoptr (GessoPicture) own = g_list_model_get_item (G_LIST_MODEL (list), 0);
  g_assert_true (g_str_has_suffix (gesso_picture_get_path (own), "own.png"));
  g_assert_true (gesso_picture_get_starred (own));
}

/* Its row went at one click, and with it the star: naming the folder again brought it back without.
 */
static void
test_library_keeps_stars_of_a_folder_left_out (Fixture *f, gconstpointer data)
{
  g_autofree char *folder = g_build_filename (f->files, "pics", NULL);
  g_autofree char *away = g_build_filename (f->files, "away", NULL);
  g_autoptr (GessoPictureList) list = gesso_picture_list_new (f->library);
  add_pictures (f, "pics", 3);
  wait_items (list, 3);
  gint64 id = gesso_picture_get_id (picture_at (list, 1));
  gesso_library_set_starred (f->library, picture_at (list, 1), TRUE);
  tree_settle (f->library);
  gesso_library_remove_folder (f->library, folder);
  wait_items (list, 0);
  tree_settle (f->library);
  g_assert_cmpint (n_pictures (f), ==, 0);
  g_assert_cmpint (g_rename (folder, away), ==, 0); /* its disk is away for a while */
  gesso_library_rescan (f->library);
  tree_settle (f->library);
  g_assert_cmpint (g_rename (away, folder), ==, 0);
  gesso_library_add_pictures_folder (f->library, folder);
  wait_items (list, 3);
  g_assert_cmpint (gesso_picture_get_id (picture_at (list, 1)), ==, id);
  g_assert_true (gesso_picture_get_starred (picture_at (list, 1)));
  g_assert_false (gesso_picture_get_starred (picture_at (list, 0)));
}

/* A folder of models that was chosen for its pictures, too, was one of models no more. */
static void
test_library_keeps_folders_of_models (Fixture *f, gconstpointer data)
{
  g_autofree char *pictures = tree_mkdir (f->files, "output");
  g_free (tree_lora (f->files, "a.safetensors", 768));
  g_assert_null (gesso_library_add_folder (f->library, f->files));
  wait_models (f, GESSO_FILE_LORA, 1);
  g_assert_nonnull (gesso_library_add_pictures_folder (f->library, f->files));
  g_assert_nonnull (gesso_library_add_own_folder (f->library, f->files));
  g_assert_null (gesso_library_add_pictures_folder (f->library, pictures));
  g_assert_nonnull (gesso_library_add_folder (f->library, pictures));
  tree_settle (f->library);
  g_assert_cmpint (n_of (f, GESSO_FILE_LORA), ==, 1);
  close_library (&f->library);
  f->library = open_library (f);
  g_auto (GStrv) folders = gesso_library_dup_folders (f->library);
  g_auto (GStrv) named = gesso_library_dup_picture_folders (f->library);
  g_assert_cmpstr (folders[0], ==, f->files);
  g_assert_null (folders[1]);
  g_assert_cmpstr (named[0], ==, pictures);
  g_assert_null (named[1]);
}

static void
assert_of_others (Fixture *f, const char *name, gboolean expected)
{
  g_autofree char *path = g_build_filename (f->files, name, NULL);
  g_test_message ("%s", name);
  g_assert_cmpint (gesso_library_is_of_others (f->library, path), ==, expected);
}

/* ComfyUI's went to the trash unasked where its folder lay in Gesso's, and Gesso's own were called
 * another program's once it wrote elsewhere. */
static void
test_library_knows_whose_pictures_are_whose (Fixture *f, gconstpointer data)
{
  g_autofree char *own = tree_mkdir (f->files, "own"), *next = tree_mkdir (f->files, "next");
  g_autofree char *comfy = tree_mkdir (own, "ComfyUI"), *inner = tree_mkdir (comfy, "gesso");
  gesso_library_add_pictures_folder (f->library, own); /* as older versions noted it */
  gesso_library_add_own_folder (f->library, own);
  g_assert_false (gesso_library_is_of_others (f->library, ""));
  gesso_library_add_pictures_folder (f->library, comfy);
  gesso_library_add_own_folder (f->library, inner);
  gesso_library_add_own_folder (f->library, next);
  for (int i = 0; i < 2; i++)
    {
      assert_of_others (f, "own/2026/a.png", FALSE);
      assert_of_others (f, "own/ComfyUI/a.png", TRUE);
      assert_of_others (f, "own/ComfyUI 2/a.png", FALSE);
      assert_of_others (f, "own/ComfyUI/gesso/a.png", FALSE);
      assert_of_others (f, "next/a.png", FALSE);
      assert_of_others (f, "nowhere/a.png", FALSE);
      g_assert_true (gesso_library_is_of_others (f->library, ""));
      close_library (&f->library);
      f->library = open_library (f);
    }
}

static void
test_library_lists_and_searches_pictures (Fixture *f, gconstpointer data)
{
  g_autoptr (GessoPictureList) list = gesso_picture_list_new (f->library);
  add_pictures (f, "pics", 30);
  wait_items (list, 30);
  for (guint i = 0; i < 30; i++) /* the newest first */
    {
      GessoPicture *p = picture_at (list, i);
      g_autofree char *word = g_strdup_printf ("number%d", 29 - i);
      tree_wait (is_filled, p);
      g_assert_true (g_str_has_suffix (gesso_picture_get_prompt (p), word));
      g_assert_cmpint (gesso_picture_get_created (p), ==, 1000029 - i);
      g_assert_cmpint (gesso_picture_get_width (p), ==, 20);
      g_assert_cmpint (gesso_picture_get_height (p), ==, 10);
    }
  tree_settle (f->library);
  g_assert_cmpint (n_pictures (f), ==, 30);
  assert_search (list, "fuchs", 15);
  assert_search (list, "FU", 15);
  assert_search (list, "f", 15);
  assert_search (list, "creme brul", 15); /* without the accents */
  assert_search (list, "snow fuchs", 15);
  assert_search (list, "fuchs creme", 0);
  assert_search (list, "number7", 1);
  assert_search (list, "okapi", 10);  /* the model */
  assert_search (list, "blurry", 30); /* negative */
  assert_search (list, "p012", 1);    /* file name */
  assert_search (list, "\"AND OR (* -", 0);
  assert_search (list, "\" ( *", 30); /* no word at all */
  assert_search (list, "", 30);
}

static void
test_library_drops_stale_searches (Fixture *f, gconstpointer data)
{
  g_autoptr (GessoPictureList) list = gesso_picture_list_new (f->library);
  add_pictures (f, "pics", 20);
  wait_items (list, 20);
  tree_settle (f->library);
  const char *const typed[] = {
    "n", "nu", "num", "numb", "numbe", "number", "number1", "number13"
  };
  for (guint i = 0; i < G_N_ELEMENTS (typed); i++)
    gesso_picture_list_set_search (list, typed[i]);
  tree_wait (is_loaded, list);
  g_assert_cmpint (g_list_model_get_n_items (G_LIST_MODEL (list)), ==, 1);
  g_assert_nonnull (strstr (gesso_picture_get_prompt (picture_at (list, 0)), "number13"));
}

static void
test_library_loads_pages (Fixture *f, gconstpointer data)
{
  g_autoptr (GessoPictureList) list = gesso_picture_list_new (f->library);
  add_pictures (f, "pics", 300);
  wait_items (list, 300);
  tree_settle (f->library);
  g_clear_object (&list);
  list = gesso_picture_list_new (f->library);
  wait_items (list, 300);
  /* the first are complete at once, the last when their page was read */
  g_assert_true (is_filled (picture_at (list, 0)));
  GessoPicture *last = picture_at (list, 299);
  g_assert_false (is_filled (last));
  tree_wait (is_filled, last);
  g_assert_true (g_str_has_suffix (gesso_picture_get_path (last), "p000.png"));
  g_assert_true (picture_at (list, 299) == last);
  g_assert_null (g_list_model_get_item (G_LIST_MODEL (list), 300));
}

static gboolean
is_elsewhere (gpointer picture)
{
  return g_str_has_suffix (gesso_picture_get_path (picture), "/elsewhere.png");
}

static gboolean
is_wider (gpointer picture)
{
  return gesso_picture_get_width (picture) == 30;
}

static void
test_library_stars (Fixture *f, gconstpointer data)
{
  g_autoptr (GessoPictureList) all = gesso_picture_list_new (f->library);
  g_autoptr (GessoPictureList) starred = gesso_picture_list_new (f->library);
  gesso_picture_list_set_starred_only (starred, TRUE);
  add_pictures (f, "pics", 5);
  wait_items (all, 5);
  g_assert_cmpint (g_list_model_get_n_items (G_LIST_MODEL (starred)), ==, 0);
  GessoPicture *p = picture_at (all, 2);
  gesso_library_set_starred (f->library, p, TRUE);
  g_assert_true (gesso_picture_get_starred (p));
  wait_items (starred, 1);
  g_assert_true (picture_at (starred, 0) == p);
  assert_search (starred, "snow", 1);
  assert_search (starred, "unknown", 0);
  assert_search (starred, "", 1);
  /* a star follows a file that is renamed, or changed */
  g_autofree char *moved = g_build_filename (f->files, "pics", "elsewhere.png", NULL);
  tree_settle (f->library);
  g_assert_cmpint (g_rename (gesso_picture_get_path (p), moved), ==, 0);
  gesso_library_rescan (f->library);
  tree_wait (is_elsewhere, p);
  g_assert_cmpint (g_list_model_get_n_items (G_LIST_MODEL (all)), ==, 5);
  g_free (tree_picture (f->files, "pics/elsewhere.png", 30, 30, 9, NULL));
  tree_wait (is_wider, p);
  g_assert_true (gesso_picture_get_starred (p));
  g_clear_object (&all);
  g_clear_object (&starred);
  close_library (&f->library);
  f->library = open_library (f);
  starred = gesso_picture_list_new (f->library);
  gesso_picture_list_set_starred_only (starred, TRUE);
  wait_items (starred, 1);
  gesso_library_set_starred (f->library, picture_at (starred, 0), FALSE);
  wait_items (starred, 0);
}

static void
test_library_adds_a_picture (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GAsyncResult) result = NULL, second = NULL, third = NULL;
  g_autoptr (GessoPictureList) list = gesso_picture_list_new (f->library);
  g_autoptr (GessoPictureList) searching = gesso_picture_list_new (f->library);
  add_pictures (f, "pics", 3);
  gesso_picture_list_set_search (searching, "hedgehog");
  wait_items (list, 3);
  g_autofree char *path = tree_picture (f->files, "pics/new.png", 64, 32, 3,
                                        "a hedgehog\nSteps: 2, Sampler: Euler, Seed: 5, Size: "
                                        "64x32");
  gesso_library_add_picture_async (f->library, path, NULL, keep_result_cb, &result);
  await (&result);
  /* in the lists already, at the top */
  g_assert_cmpint (g_list_model_get_n_items (G_LIST_MODEL (list)), ==, 4);
  g_assert_cmpint (g_list_model_get_n_items (G_LIST_MODEL (searching)), ==, 1);
  g_autoptr (GessoPicture) p = gesso_library_add_picture_finish (f->library, result, &error);
  g_assert_no_error (error);
  g_assert_true (p == picture_at (list, 0));
  g_assert_true (p == picture_at (searching, 0));
  g_assert_cmpstr (gesso_picture_get_path (p), ==, path);
  g_assert_cmpstr (gesso_picture_get_prompt (p), ==, "a hedgehog");
  g_assert_cmpint (gesso_picture_get_width (p), ==, 64);
  tree_settle (f->library);
  g_assert_cmpint (n_pictures (f), ==, 4);
  gesso_library_add_picture_async (f->library, "/nowhere.png", NULL, keep_result_cb, &second);
  g_assert_null (gesso_library_add_picture_finish (f->library, await (&second), &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_autofree char *bad = tree_write (f->files, "pics/bad.png", "hello");
  gesso_library_add_picture_async (f->library, bad, NULL, keep_result_cb, &third);
  g_assert_null (gesso_library_add_picture_finish (f->library, await (&third), &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
}

static void
test_library_makes_thumbnails (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GAsyncResult) result = NULL, second = NULL;
  g_autofree char *path = tree_picture (f->files, "p.png", 300, 600, 2, NULL);
  int width = 0, height = 0;
  gesso_library_thumbnail_async (f->library, path, 200, NULL, keep_result_cb, &result);
  g_autoptr (GBytes) rgb =
      gesso_library_thumbnail_finish (f->library, await (&result), &width, &height, &error);
  g_assert_no_error (error);
  g_assert_cmpint (width, ==, 100);
  g_assert_cmpint (height, ==, 200);
  g_assert_cmpuint (g_bytes_get_size (rgb), ==, 100 * 200 * 3);
  gesso_library_thumbnail_async (f->library, f->db, 200, NULL, keep_result_cb, &second);
  g_assert_null (
      gesso_library_thumbnail_finish (f->library, await (&second), &width, &height, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
}

int
main (int argc, char **argv)
{
  init_tests (&argc, &argv);
  add_test ("/library/pictures/outputs", test_library_finds_outputs);
  add_test ("/library/pictures/outputs-of-an-installation",
            test_library_takes_outputs_of_an_installation);
  add_test ("/library/pictures/stars-of-nested-folders",
            test_library_keeps_stars_when_a_folder_around_goes);
  add_test ("/library/pictures/stars-of-a-folder-left-out",
            test_library_keeps_stars_of_a_folder_left_out);
  add_test ("/library/pictures/keeps-models", test_library_keeps_folders_of_models);
  add_test ("/library/pictures/whose", test_library_knows_whose_pictures_are_whose);
  add_test ("/library/pictures/search", test_library_lists_and_searches_pictures);
  add_test ("/library/pictures/stale", test_library_drops_stale_searches);
  add_test ("/library/pictures/pages", test_library_loads_pages);
  add_test ("/library/pictures/stars", test_library_stars);
  add_test ("/library/pictures/add", test_library_adds_a_picture);
  add_test ("/library/pictures/thumbnails", test_library_makes_thumbnails);
  return run_tests ();
}
