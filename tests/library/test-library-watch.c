/* SPDX-License-Identifier: MPL-2.0
 * test-library-watch.c - files that come and go while the program runs.
 *
 * Run alone: build/tests/library/test-library-watch
 */
#include <glib/gstdio.h>

#include "library-fixture.h"

static void
test_library_watches (Fixture *f, gconstpointer data)
{
  g_autofree char *first = tree_lora (f->files, "first.safetensors", 768);
  gesso_library_add_folder (f->library, f->files);
  wait_models (f, GESSO_FILE_LORA, 1);
  tree_settle (f->library);
  g_free (tree_lora (f->files, "second.safetensors", 768));
  wait_models (f, GESSO_FILE_LORA, 2);
  /* a folder that comes, with what is in it, and goes */
  g_autofree char *outside = tree_mkdir (f->dir, "outside");
  g_autofree char *inside = g_build_filename (f->files, "arrived", NULL);
  g_free (tree_lora (outside, "deep/third.safetensors", 768));
  g_assert_cmpint (g_rename (outside, inside), ==, 0);
  wait_models (f, GESSO_FILE_LORA, 3);
  tree_settle (f->library);
  g_free (tree_lora (inside, "deep/fourth.safetensors", 768)); /* it is watched by now */
  wait_models (f, GESSO_FILE_LORA, 4);
  g_assert_cmpint (g_rename (inside, outside), ==, 0);
  wait_models (f, GESSO_FILE_LORA, 2);
  tree_settle (f->library);
  g_assert_cmpint (g_rename (outside, inside), ==, 0); /* and comes again */
  wait_models (f, GESSO_FILE_LORA, 4);
  g_assert_cmpint (g_remove (first), ==, 0);
  wait_models (f, GESSO_FILE_LORA, 3);
  gesso_library_remove_folder (f->library, f->files);
  wait_models (f, GESSO_FILE_LORA, 0);
}

static gboolean
is_polling (gpointer data)
{
  return gesso_watcher_is_polling (((Fixture *) data)->library->watcher);
}

static void
test_library_looks_itself_where_nobody_watches (Fixture *f, gconstpointer data)
{
  g_free (tree_lora (f->files, "a/first.safetensors", 768));
  g_free (tree_lora (f->files, "b/second.safetensors", 768));
  gesso_watcher_set_limit (f->library->watcher, 1);
  g_test_expect_message ("gesso-library", G_LOG_LEVEL_MESSAGE, "*cannot be watched*");
  gesso_library_add_folder (f->library, f->files);
  wait_models (f, GESSO_FILE_LORA, 2);
  tree_wait (is_polling, f);
  g_test_assert_expected_messages ();
}

static void
test_library_remembers_what_is_away (Fixture *f, gconstpointer data)
{
  g_autofree char *away = g_build_filename (f->dir, "away", NULL);
  g_free (tree_lora (f->files, "a.safetensors", 768));
  gesso_library_add_folder (f->library, f->files);
  wait_models (f, GESSO_FILE_LORA, 1);
  tree_settle (f->library); /* what a watch sees go is deleted, not away */
  gint64 id = gesso_model_file_get_id (tree_find (f->library, GESSO_FILE_LORA, "a"));
  g_assert_cmpint (g_rename (f->files, away), ==, 0);
  gesso_library_rescan (f->library);
  wait_models (f, GESSO_FILE_LORA, 0);
  g_assert_cmpint (g_rename (away, f->files), ==, 0);
  gesso_library_rescan (f->library);
  wait_models (f, GESSO_FILE_LORA, 1);
  g_assert_cmpint (gesso_model_file_get_id (tree_find (f->library, GESSO_FILE_LORA, "a")), ==, id);
}

int
main (int argc, char **argv)
{
  init_tests (&argc, &argv);
  add_test ("/library/models/watches", test_library_watches);
  add_test ("/library/models/polls", test_library_looks_itself_where_nobody_watches);
  add_test ("/library/models/away", test_library_remembers_what_is_away);
  return run_tests ();
}
