/* SPDX-License-Identifier: MPL-2.0
 * test-library-safety.c - two at once, and sudden ends.
 *
 * Run alone: build/tests/library/test-library-safety.  With "--scan DB FOLDER" it is a second
 * process of a test: it scans, and goes on until it is killed.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "library-fixture.h"

static const char *program;

static void
test_library_two_on_one_file (Fixture *f, gconstpointer data)
{
  GessoLibrary *other = open_library (f);
  Fixture g = *f;
  g.library = other;
  for (int i = 0; i < 20; i++)
    {
      g_autofree char *name = g_strdup_printf ("l%02d.safetensors", i);
      g_free (tree_lora (f->files, name, 768));
    }
  gesso_library_add_folder (f->library, f->files);
  gesso_library_add_folder (other, f->files);
  wait_models (f, GESSO_FILE_LORA, 20);
  wait_models (&g, GESSO_FILE_LORA, 20);
  tree_settle (f->library);
  tree_settle (other);
  g_free (tree_lora (f->files, "new.safetensors", 768));
  wait_models (f, GESSO_FILE_LORA, 21);
  wait_models (&g, GESSO_FILE_LORA, 21);
  close_library (&other);
}

static int
scan_for_ever (const char *db, const char *folder)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *dir = g_path_get_dirname (db);
  GessoLibrary *library = gesso_library_new (db, dir, NULL, &error);
  if (!library)
    return 1;
  gesso_library_add_pictures_folder (library, folder);
  GMainLoop *loop = g_main_loop_new (NULL, FALSE);
  g_main_loop_run (loop);
  return 0;
}

static gboolean
has_grown (gpointer data)
{
  Fixture *f = data;
  g_autofree char *wal = g_strconcat (f->db, "-wal", NULL);
  GStatBuf info;
  return g_stat (wal, &info) == 0 && info.st_size > 300000;
}

static void
test_library_killed_while_it_scans (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  const guint n = 600;
  g_autofree char *folder = g_build_filename (f->files, "pics", NULL);
  close_library (&f->library);
  make_pictures (f, "pics", (int) n);
  g_autoptr (GSubprocess) child =
      g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, &error, program, "--scan", f->db, folder, NULL);
  g_assert_no_error (error);
  tree_wait (has_grown, f);
  g_subprocess_force_exit (child);
  g_subprocess_wait (child, NULL, NULL);
  f->library = open_library (f);
  g_test_message ("%d pictures were there", n_pictures (f));
  g_autoptr (GessoPictureList) list = gesso_picture_list_new (f->library);
  gesso_library_add_pictures_folder (f->library, folder);
  wait_items (list, n);
  assert_search (list, "snow", n);
  assert_search (list, "number599", 1);
}

static void
test_library_closes_in_the_middle (Fixture *f, gconstpointer data)
{
  make_pictures (f, "pics", 50);
  for (int i = 0; i < 10; i++)
    {
      g_autoptr (GAsyncResult) result = NULL;
      g_autoptr (GessoPictureList) list = gesso_picture_list_new (f->library);
      g_autofree char *path = g_build_filename (f->files, "pics", "p001.png", NULL);
      gesso_library_add_folder (f->library, f->files);
      gesso_library_thumbnail_async (f->library, path, 128, NULL, keep_result_cb, &result);
      for (int k = 0; k < i * 3; k++)
        g_main_context_iteration (NULL, FALSE);
      gesso_library_close (f->library);
      await (&result);
      g_clear_object (&result);
      while (g_main_context_iteration (NULL, FALSE))
        continue;
      g_clear_object (&list);
      g_clear_object (&f->library);
      f->library = open_library (f);
    }
}

static void
test_library_survives_a_damaged_database (Fixture *f, gconstpointer data)
{
  g_free (tree_lora (f->files, "a.safetensors", 768));
  close_library (&f->library);
  g_assert_true (g_file_set_contents (f->db, "not a database at all", -1, NULL));
  g_test_expect_message ("gesso-library", G_LOG_LEVEL_WARNING, "*put aside*");
  f->library = open_library (f);
  g_test_assert_expected_messages ();
  gesso_library_add_folder (f->library, f->files);
  wait_models (f, GESSO_FILE_LORA, 1);
}

int
main (int argc, char **argv)
{
  program = argv[0];
  if (argc == 4 && !strcmp (argv[1], "--scan"))
    return scan_for_ever (argv[2], argv[3]);
  init_tests (&argc, &argv);
  add_test ("/library/ends/two", test_library_two_on_one_file);
  add_test ("/library/ends/killed", test_library_killed_while_it_scans);
  add_test ("/library/ends/closes", test_library_closes_in_the_middle);
  add_test ("/library/ends/damaged", test_library_survives_a_damaged_database);
  return run_tests ();
}
