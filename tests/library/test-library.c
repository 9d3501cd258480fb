/* SPDX-License-Identifier: MPL-2.0
 * test-library.c - the files of models: found, looked at, told apart.
 *
 * Run alone: build/tests/library/test-library
 */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "library-fixture.h"

static void
test_library_finds_models (Fixture *f, gconstpointer data)
{
  g_free (tree_checkpoint (f->files, "zebra.safetensors"));
  g_free (tree_checkpoint (f->files, "sub/Model 10.safetensors"));
  g_free (tree_checkpoint (f->files, "sub/model 9.safetensors"));
  g_free (tree_lora (f->files, "style.safetensors", 768));
  g_free (tree_write (f->files, "style.preview.png", "not looked into"));
  g_free (tree_embedding (f->files, "bad-hands.safetensors"));
  g_free (tree_vae (f->files, "my vae/diffusion_pytorch_model.safetensors"));
  g_free (tree_write (f->files, "readme.txt", "no model"));
  g_free (tree_write (f->files, ".hidden/x.safetensors", "no model"));
  gesso_library_add_folder (f->library, f->files);
  wait_models (f, GESSO_FILE_CHECKPOINT, 3);
  tree_settle (f->library);
  const char *const order[] = { "model 9", "Model 10", "zebra" };
  GListModel *checkpoints = gesso_library_get_models (f->library, GESSO_FILE_CHECKPOINT);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GessoModelFile) file = g_list_model_get_item (checkpoints, i);
      g_assert_cmpstr (gesso_model_file_get_name (file), ==, order[i]);
      g_assert_cmpstr (gesso_model_file_get_family (file), ==, "SD 1.5");
      g_assert_cmpint (gesso_model_file_get_size (file), >, 2000000000);
    }
  g_assert_cmpint (n_of (f, GESSO_FILE_LORA), ==, 1);
  g_assert_cmpint (n_of (f, GESSO_FILE_EMBEDDING), ==, 1);
  g_assert_cmpint (n_of (f, GESSO_FILE_UNKNOWN), ==, 0);
  g_assert_nonnull (tree_find (f->library, GESSO_FILE_VAE, "my vae"));
  g_autofree char *thumbnail = NULL;
  g_object_get (tree_find (f->library, GESSO_FILE_LORA, "style"), "thumbnail", &thumbnail, NULL);
  g_assert_true (g_str_has_suffix (thumbnail, "style.preview.png"));
  int n = 0;
  g_object_get (f->library, "n-models", &n, NULL);
  g_assert_cmpint (n, ==, 6);
}

static void
changed_cb (GListModel *list, guint position, guint n_removed, guint n_added, gpointer data)
{
  *(guint *) data += 1;
}

/* All LoRAs; until then files may still change. */
static gboolean
are_hashed (gpointer library)
{
  GListModel *loras = gesso_library_get_models (library, GESSO_FILE_LORA);
  for (guint i = 0; i < g_list_model_get_n_items (loras); i++)
    {
      g_autoptr (GessoModelFile) file = g_list_model_get_item (loras, i);
      if (!*gesso_model_file_get_hash (file))
        return FALSE;
    }
  return TRUE;
}

static void
test_library_scan_twice_changes_nothing (Fixture *f, gconstpointer data)
{
  guint n_changes = 0;
  g_free (tree_lora (f->files, "a.safetensors", 768));
  g_free (tree_lora (f->files, "b.safetensors", 2048));
  g_free (tree_picture (f->files, "p/one.png", 20, 20, 1, NULL));
  gesso_library_add_folder (f->library, f->files);
  wait_models (f, GESSO_FILE_LORA, 2);
  g_autofree char *pictures = g_build_filename (f->files, "p", NULL);
  gesso_library_add_pictures_folder (f->library, pictures);
  g_autoptr (GessoPictureList) list = gesso_picture_list_new (f->library);
  wait_items (list, 1);
  tree_settle (f->library);
  tree_wait (are_hashed, f->library);
  tree_settle (f->library);
  GListModel *loras = gesso_library_get_models (f->library, GESSO_FILE_LORA);
  g_signal_connect (loras, "items-changed", G_CALLBACK (changed_cb), &n_changes);
  g_signal_connect (list, "items-changed", G_CALLBACK (changed_cb), &n_changes);
  gesso_library_rescan (f->library);
  tree_settle (f->library);
  g_assert_cmpint (n_changes, ==, 0);
  /* nor does opening it again change who is who */
  gint64 id = gesso_model_file_get_id (tree_find (f->library, GESSO_FILE_LORA, "a"));
  g_signal_handlers_disconnect_by_data (loras, &n_changes);
  g_clear_object (&list);
  close_library (&f->library);
  f->library = open_library (f);
  g_assert_cmpint (n_of (f, GESSO_FILE_LORA), ==, 2); /* before the scan */
  g_assert_cmpint (gesso_model_file_get_id (tree_find (f->library, GESSO_FILE_LORA, "a")), ==, id);
  g_auto (GStrv) folders = gesso_library_dup_folders (f->library);
  g_assert_cmpint (g_strv_length (folders), ==, 1);
  g_assert_cmpstr (folders[0], ==, f->files);
}

static void
assert_title (Fixture *f, const char *path, const char *expected)
{
  g_autofree char *full = g_build_filename (f->files, path, NULL);
  GessoModelFile *file = gesso_library_find_model (f->library, GESSO_FILE_LORA, full, NULL);
  g_assert_nonnull (file);
  g_autofree char *title = gesso_library_dup_title (f->library, file);
  g_assert_cmpstr (title, ==, expected);
}

/* Wan 2.2's fast LoRAs are all called high_noise_model. */
static void
test_library_tells_shared_names_apart (Fixture *f, gconstpointer data)
{
  static const char *const files[][2] = {
    { "a/T2V-Lightning/high_noise_model.safetensors", "a/T2V-Lightning/high_noise_model" },
    { "b/T2V-Lightning/high_noise_model.safetensors", "b/T2V-Lightning/high_noise_model" },
    { "b/I2V/high_noise_model.safetensors", "I2V/high_noise_model" },
    { "b/I2V/low_noise_model.safetensors", "low_noise_model" },
    { "x/lora/pytorch_model.safetensors", "x/lora" },
    { "y/lora/pytorch_model.safetensors", "y/lora" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    g_free (tree_lora (f->files, files[i][0], 768));
  gesso_library_add_folder (f->library, f->files);
  wait_models (f, GESSO_FILE_LORA, G_N_ELEMENTS (files));
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    assert_title (f, files[i][0], files[i][1]);
}

static gboolean
is_usable (gpointer data)
{
  GessoModelFile *model = tree_find (data, GESSO_FILE_CHECKPOINT, "photo");
  return model && !*gesso_model_file_get_problem (model);
}

/* What an older version of the program wrote on a file would stay for ever otherwise. */
static void
test_library_looks_again_after_an_update (Fixture *f, gconstpointer data)
{
  sqlite3 *db = NULL;
  g_free (tree_checkpoint (f->files, "photo.safetensors"));
  gesso_library_add_folder (f->library, f->files);
  wait_models (f, GESSO_FILE_CHECKPOINT, 1);
  tree_settle (f->library);
  close_library (&f->library);
  g_assert_cmpint (sqlite3_open (f->db, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, "UPDATE models SET problem = 'not the whole', recognised = 0",
                                 NULL, NULL, NULL),
                   ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_close (db), ==, SQLITE_OK);
  f->library = open_library (f);
  g_assert_false (is_usable (f->library));
  gesso_library_rescan (f->library);
  tree_wait (is_usable, f->library);
}

static gboolean
has_words (gpointer data)
{
  GessoModelFile *lora = tree_find (data, GESSO_FILE_LORA, "coat");
  return lora && g_str_equal (gesso_model_file_get_words (lora), "zebra coat");
}

/* An index of before version 5 knew no trigger words. */
static void
test_library_learns_words_after_an_update (Fixture *f, gconstpointer data)
{
  sqlite3 *db = NULL;
  g_free (tree_lora (f->files, "coat.safetensors", 768));
  gesso_library_add_folder (f->library, f->files);
  tree_wait (has_words, f->library);
  tree_settle (f->library);
  close_library (&f->library);
  g_assert_cmpint (sqlite3_open (f->db, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db,
                                 "ALTER TABLE models DROP COLUMN words; PRAGMA user_version = 4",
                                 NULL, NULL, NULL),
                   ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_close (db), ==, SQLITE_OK);
  f->library = open_library (f);
  gesso_library_rescan (f->library);
  tree_wait (has_words, f->library);
}

static void
test_library_hashes_and_finds (Fixture *f, gconstpointer data)
{
  g_autofree char *path = tree_lora (f->files, "deep/My Style.safetensors", 768), *bytes = NULL;
  gsize n = 0;
  gesso_library_add_folder (f->library, f->files);
  wait_models (f, GESSO_FILE_LORA, 1);
  tree_wait (are_hashed, f->library);
  g_assert_true (g_file_get_contents (path, &bytes, &n, NULL));
  g_autofree char *hash = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (guchar *) bytes, n);
  GessoModelFile *file = tree_find (f->library, GESSO_FILE_LORA, "My Style");
  g_assert_cmpstr (gesso_model_file_get_hash (file), ==, hash);
  g_autofree char *short_hash = g_ascii_strup (hash, 10);
  const char *const names[] = { "My Style",
                                "My Style.safetensors",
                                "my style",
                                "deep/My Style.safetensors",
                                "deep\\My Style.safetensors",
                                "C:\\models\\My Style.safetensors",
                                "My Style.ckpt [0123456789]",
                                "trained-as",
                                path };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    g_assert_true (gesso_library_find_model (f->library, GESSO_FILE_LORA, names[i], NULL) == file);
  g_assert_true (gesso_library_find_model (f->library, GESSO_FILE_LORA, "other", short_hash) ==
                 file);
  g_assert_true (gesso_library_find_model (f->library, GESSO_FILE_LORA, NULL, short_hash) == file);
  g_assert_null (gesso_library_find_model (f->library, GESSO_FILE_LORA, "other", "0123"));
  g_assert_null (gesso_library_find_model (f->library, GESSO_FILE_LORA, "Style", NULL));
  g_assert_null (gesso_library_find_model (f->library, GESSO_FILE_LORA, "", NULL));
  g_assert_null (gesso_library_find_model (f->library, GESSO_FILE_VAE, "My Style", short_hash));
}

static void
test_library_lists_what_is_damaged (Fixture *f, gconstpointer data)
{
  g_autofree char *models = tree_mkdir (f->files, "models/checkpoints");
  g_free (tree_mkdir (f->files, "models/loras"));
  char *cut = tree_checkpoint (models, "half.safetensors");
  tree_cut (cut, 5000);
  g_free (tree_write (models, "zero.ckpt", ""));
  gesso_library_add_folder (f->library, f->files);
  wait_models (f, GESSO_FILE_CHECKPOINT, 2);
  GessoModelFile *half = tree_find (f->library, GESSO_FILE_CHECKPOINT, "half");
  g_assert_nonnull (strstr (gesso_model_file_get_problem (half), "cut short"));
  g_assert_cmpstr (
      gesso_model_file_get_problem (tree_find (f->library, GESSO_FILE_CHECKPOINT, "zero")), !=, "");
  /* the download goes on to its end */
  g_free (tree_checkpoint (models, "half.safetensors"));
  gesso_library_rescan (f->library);
  while (*gesso_model_file_get_problem (tree_find (f->library, GESSO_FILE_CHECKPOINT, "half")))
    g_main_context_iteration (NULL, TRUE);
  g_free (cut);
}

static void
test_library_walks_odd_trees (Fixture *f, gconstpointer data)
{
  g_autofree char *deep = tree_mkdir (f->files, "a/b/c");
  g_autofree char *loop = g_build_filename (deep, "loop", NULL);
  g_autofree char *broken = g_build_filename (deep, "broken.safetensors", NULL);
  g_autofree char *fifo = g_build_filename (deep, "pipe.safetensors", NULL);
  g_assert_cmpint (symlink (f->files, loop), ==, 0);
  g_assert_cmpint (symlink ("/nowhere/at/all", broken), ==, 0);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_free (tree_lora (deep, "plain.safetensors", 768));
  g_free (tree_lora (deep, "caf\xe9.safetensors", 768)); /* Latin-1 */
  g_free (tree_lora (deep, "two\nlines.safetensors", 768));
  g_autofree char *locked = tree_mkdir (f->files, "locked");
  g_free (tree_lora (locked, "unseen.safetensors", 768));
  g_chmod (locked, 0);
  gesso_library_add_folder (f->library, f->files);
  gboolean is_root = geteuid () == 0; /* who may read everything */
  wait_models (f, GESSO_FILE_LORA, is_root ? 4 : 3);
  tree_settle (f->library);
  GListModel *loras = gesso_library_get_models (f->library, GESSO_FILE_LORA);
  for (guint i = 0; i < g_list_model_get_n_items (loras); i++)
    {
      g_autoptr (GessoModelFile) file = g_list_model_get_item (loras, i);
      g_assert_true (g_utf8_validate (gesso_model_file_get_name (file), -1, NULL));
      g_assert_true (g_file_test (gesso_model_file_get_path (file), G_FILE_TEST_EXISTS));
    }
  g_assert_cmpint (n_of (f, GESSO_FILE_CHECKPOINT), ==, 0);
}

static gboolean
take_long (sqlite3 *db, gpointer data, GError **error)
{
  g_usleep (100 * G_TIME_SPAN_MILLISECOND);
  return TRUE;
}

static gboolean
is_reloading (gpointer data)
{
  return ((Fixture *) data)->library->reloading;
}

/* An answer that came later held the library, as if somebody still used it. */
static void
test_library_closes_while_it_reads (Fixture *f, gconstpointer data)
{
  tree_settle (f->library);
  f->library->reloaded_us = 0; /* it need not wait for its turn */
  gesso_database_run_async (gesso_library_get_reader (f->library), FALSE, take_long, NULL, NULL,
                            NULL, NULL, NULL);
  gesso_library_queue_reload (f->library);
  tree_wait (is_reloading, f);
  close_library (&f->library); /* asserts it */
}

int
main (int argc, char **argv)
{
  init_tests (&argc, &argv);
  add_test ("/library/models/finds", test_library_finds_models);
  add_test ("/library/models/scan-twice", test_library_scan_twice_changes_nothing);
  add_test ("/library/models/shared-names", test_library_tells_shared_names_apart);
  add_test ("/library/scan/after-an-update", test_library_looks_again_after_an_update);
  add_test ("/library/scan/words-after-an-update", test_library_learns_words_after_an_update);
  add_test ("/library/models/hash-and-find", test_library_hashes_and_finds);
  add_test ("/library/models/damaged", test_library_lists_what_is_damaged);
  add_test ("/library/models/odd-trees", test_library_walks_odd_trees);
  add_test ("/library/close-while-reading", test_library_closes_while_it_reads);
  return run_tests ();
}
