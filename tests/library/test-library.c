/* SPDX-License-Identifier: MPL-2.0
 * test-library.c - the library as a whole: scanning, watching, lists, searching, recipes.
 *
 * Run alone: build/tests/library/test-library.  With "--scan DB FOLDER" it is a second process of a
 * test: it scans, prints "scanning" at the first change, and goes on until it is killed.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "library/gesso-library-private.h"
#include "media/clip.h"
#include "tree.h"

static const char *program;

typedef struct
{
  char *dir, *db, *cache, *files;
  GessoLibrary *library;
} Fixture;

static GessoLibrary *
open_library (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  GessoLibrary *library = gesso_library_new (f->db, f->cache, NULL, &error);
  g_assert_no_error (error);
  return library;
}

static void
close_library (GessoLibrary **library)
{
  gesso_library_close (*library);
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  g_assert_finalize_object (g_steal_pointer (library));
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->dir = tree_new ();
  f->db = g_build_filename (f->dir, "data", "library.db", NULL);
  f->cache = g_build_filename (f->dir, "cache", NULL);
  f->files = tree_mkdir (f->dir, "files");
  f->library = open_library (f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  if (f->library)
    close_library (&f->library);
  g_free (f->db);
  g_free (f->cache);
  g_free (f->files);
  tree_remove (f->dir);
}

static guint
n_of (Fixture *f, GessoFileKind kind)
{
  return g_list_model_get_n_items (gesso_library_get_models (f->library, kind));
}

static int
n_pictures (Fixture *f)
{
  int n;
  g_object_get (f->library, "n-pictures", &n, NULL);
  return n;
}

/* -- waiting */

typedef struct
{
  Fixture *f;
  GessoFileKind kind;
  GListModel *list;
  guint n;
  const char *name;
} Expected;

static gboolean
has_models (gpointer data)
{
  Expected *e = data;
  return n_of (e->f, e->kind) == e->n;
}

static gboolean
has_items (gpointer data)
{
  Expected *e = data;
  return g_list_model_get_n_items (e->list) == e->n;
}

static void
wait_models (Fixture *f, GessoFileKind kind, guint n)
{
  Expected e = { .f = f, .kind = kind, .n = n };
  tree_wait (has_models, &e);
}

static void
wait_items (gpointer list, guint n)
{
  Expected e = { .list = G_LIST_MODEL (list), .n = n };
  tree_wait (has_items, &e);
}

static gboolean
is_loaded (gpointer data)
{
  gboolean loading;
  g_object_get (data, "loading", &loading, NULL);
  return !loading;
}

static GessoPicture *
picture_at (gpointer list, guint i)
{
  g_autoptr (GessoPicture) picture = g_list_model_get_item (G_LIST_MODEL (list), i);
  g_assert_nonnull (picture);
  return picture; /* the list keeps it */
}

static gboolean
is_filled (gpointer data)
{
  return *gesso_picture_get_path (data) != '\0';
}

/* -- models */

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
  /* until the hashes are there, files may still change */
  while (!*gesso_model_file_get_hash (tree_find (f->library, GESSO_FILE_LORA, "a")) ||
         !*gesso_model_file_get_hash (tree_find (f->library, GESSO_FILE_LORA, "b")))
    g_main_context_iteration (NULL, TRUE);
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
assert_outputs (Fixture *f, const char *const *names)
{
  g_auto (GStrv) found = gesso_library_find_outputs (f->library);
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

static void
test_library_hashes_and_finds (Fixture *f, gconstpointer data)
{
  g_autofree char *path = tree_lora (f->files, "deep/My Style.safetensors", 768), *bytes = NULL;
  gsize n = 0;
  gesso_library_add_folder (f->library, f->files);
  wait_models (f, GESSO_FILE_LORA, 1);
  while (!*gesso_model_file_get_hash (tree_find (f->library, GESSO_FILE_LORA, "My Style")))
    g_main_context_iteration (NULL, TRUE);
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
  gint64 id = gesso_model_file_get_id (tree_find (f->library, GESSO_FILE_LORA, "a"));
  g_assert_cmpint (g_rename (f->files, away), ==, 0);
  gesso_library_rescan (f->library);
  wait_models (f, GESSO_FILE_LORA, 0);
  g_assert_cmpint (g_rename (away, f->files), ==, 0);
  gesso_library_rescan (f->library);
  wait_models (f, GESSO_FILE_LORA, 1);
  g_assert_cmpint (gesso_model_file_get_id (tree_find (f->library, GESSO_FILE_LORA, "a")), ==, id);
}

/* -- pictures */

static void
make_pictures (Fixture *f, const char *folder, int n)
{
  for (int i = 0; i < n; i++)
    {
      g_autofree char *name = g_strdup_printf ("%s/p%03d.png", folder, i);
      g_autofree char *parameters = g_strdup_printf (
          "a %s in the snow, number%d\nNegative prompt: blurry\nSteps: 5, Sampler: Euler, CFG "
          "scale: 7, Seed: %d, Size: 20x10, Model: %s",
          i % 2 ? "Fuchs" : "crème brûlée", i, i, i % 3 ? "zebra" : "okapi");
      g_autofree char *path = tree_picture (f->files, name, 20, 10, i, parameters);
      const struct timespec times[2] = { { .tv_sec = 1000000 + i }, { .tv_sec = 1000000 + i } };
      g_assert_cmpint (utimensat (AT_FDCWD, path, times, 0), ==, 0);
    }
}

static void
add_pictures (Fixture *f, const char *folder, guint n)
{
  g_autofree char *path = g_build_filename (f->files, folder, NULL);
  make_pictures (f, folder, (int) n);
  gesso_library_add_pictures_folder (f->library, path);
}

static void
assert_search (GessoPictureList *list, const char *text, guint n)
{
  gesso_picture_list_set_search (list, text);
  tree_wait (is_loaded, list);
  g_assert_cmpint (g_list_model_get_n_items (G_LIST_MODEL (list)), ==, n);
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
  g_assert_cmpint (g_rename (gesso_picture_get_path (p), moved), ==, 0);
  while (!g_str_equal (gesso_picture_get_path (p), moved))
    {
      gesso_library_rescan (f->library);
      tree_settle (f->library);
    }
  g_assert_cmpint (g_list_model_get_n_items (G_LIST_MODEL (all)), ==, 5);
  g_free (tree_picture (f->files, "pics/elsewhere.png", 30, 30, 9, NULL));
  while (gesso_picture_get_width (p) != 30)
    g_main_context_iteration (NULL, TRUE);
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
keep_result_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

static GAsyncResult *
await (GAsyncResult **result)
{
  while (!*result)
    g_main_context_iteration (NULL, TRUE);
  return *result;
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

static void
test_library_trashes_and_undoes (Fixture *f, gconstpointer data)
{
  g_autoptr (GessoPictureList) list = gesso_picture_list_new (f->library);
  g_autoptr (GListStore) chosen = g_list_store_new (GESSO_TYPE_PICTURE);
  add_pictures (f, "pics", 6);
  wait_items (list, 6);
  tree_settle (f->library);
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
  g_autoptr (GessoPictureList) list = gesso_picture_list_new (f->library);
  g_autoptr (GListStore) chosen = g_list_store_new (GESSO_TYPE_PICTURE);
  add_pictures (f, "pics", 3);
  wait_items (list, 3);
  tree_settle (f->library);
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

static char *
read_recipe (Fixture *f, const char *path, char **source, char ***notes, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  gesso_library_read_recipe_async (f->library, path, NULL, keep_result_cb, &result);
  return gesso_library_read_recipe_finish (f->library, await (&result), source, notes, error);
}

static void
test_library_reads_recipes (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *model = tree_checkpoint (f->files, "zebra.safetensors"), *source = NULL;
  gesso_library_add_folder (f->library, f->files);
  wait_models (f, GESSO_FILE_CHECKPOINT, 1);
  g_autofree char *known = tree_picture (
      f->dir, "known.png", 8, 8, 1,
      "a fox\nSteps: 5, Sampler: Euler, CFG scale: 7, Seed: 3, Size: 64x64, Model: zebra");
  g_autofree char *unknown = tree_picture (
      f->dir, "unknown.png", 8, 8, 1,
      "a fox\nSteps: 5, Sampler: Euler, CFG scale: 7, Seed: 3, Size: 64x64, Model: okapi");
  g_autofree char *plain = tree_picture (f->dir, "plain.png", 8, 8, 1, NULL);
  g_auto (GStrv) notes = NULL, more = NULL;
  g_autofree char *json = read_recipe (f, known, &source, &notes, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (source, ==, "A1111");
  g_assert_nonnull (strstr (json, "a fox"));
  g_autofree char *base = g_path_get_basename (model);
  g_assert_nonnull (strstr (json, base));
  for (char **note = notes; *note; note++)
    g_assert_null (strstr (*note, "zebra"));
  g_autofree char *second = read_recipe (f, unknown, NULL, &more, &error);
  g_assert_no_error (error);
  gboolean named = FALSE;
  for (char **note = more; *note; note++)
    named |= strstr (*note, "okapi") != NULL;
  g_assert_true (named);
  g_assert_null (read_recipe (f, plain, NULL, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (read_recipe (f, model, NULL, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
}

static int
count_notes (char **notes, const char *word)
{
  int n = 0;
  for (char **note = notes; *note; note++)
    n += strstr (*note, word) != NULL;
  return n;
}

/* Settings were offered without a word, and then the job failed for want of its LoRA. */
static void
test_library_names_missing_loras (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *lora = tree_lora (f->files, "gouache.safetensors", 768);
  gesso_library_add_folder (f->library, f->files);
  wait_models (f, GESSO_FILE_LORA, 1);
  g_autofree char *path =
      tree_picture (f->dir, "loras.png", 8, 8, 1,
                    "a fox <lora:gouache:0.5> <lora:film_grain:1> <lora:film_grain:0.3>\n"
                    "Steps: 5, Sampler: Euler, CFG scale: 7, Seed: 3, Size: 64x64");
  g_auto (GStrv) notes = NULL;
  g_autofree char *json = read_recipe (f, path, NULL, &notes, &error);
  g_assert_no_error (error);
  g_assert_cmpint (count_notes (notes, "gouache"), ==, 0);
  g_assert_cmpint (count_notes (notes, "film_grain"), ==, 1);
}

/* -- two at once, and sudden ends */

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

static void
add (const char *path, void (*test) (Fixture *, gconstpointer))
{
  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  program = argv[0];
  if (argc == 4 && !strcmp (argv[1], "--scan"))
    return scan_for_ever (argv[2], argv[3]);
  char *home = tree_new ();
  g_setenv ("XDG_DATA_HOME", home, TRUE); /* the desktop's trash lies there */
  g_test_init (&argc, &argv, NULL);
  add ("/library/models/finds", test_library_finds_models);
  add ("/library/models/scan-twice", test_library_scan_twice_changes_nothing);
  add ("/library/pictures/outputs", test_library_finds_outputs);
  add ("/library/pictures/stars-of-nested-folders",
       test_library_keeps_stars_when_a_folder_around_goes);
  add ("/library/models/shared-names", test_library_tells_shared_names_apart);
  add ("/library/scan/after-an-update", test_library_looks_again_after_an_update);
  add ("/library/models/hash-and-find", test_library_hashes_and_finds);
  add ("/library/models/damaged", test_library_lists_what_is_damaged);
  add ("/library/models/odd-trees", test_library_walks_odd_trees);
  add ("/library/models/watches", test_library_watches);
  add ("/library/models/polls", test_library_looks_itself_where_nobody_watches);
  add ("/library/models/away", test_library_remembers_what_is_away);
  add ("/library/pictures/search", test_library_lists_and_searches_pictures);
  add ("/library/pictures/stale", test_library_drops_stale_searches);
  add ("/library/pictures/pages", test_library_loads_pages);
  add ("/library/pictures/stars", test_library_stars);
  add ("/library/pictures/add", test_library_adds_a_picture);
  add ("/library/pictures/trash", test_library_trashes_and_undoes);
  add ("/library/pictures/trash-failure", test_library_trash_goes_on_after_a_failure);
  add ("/library/pictures/trash-films", test_library_trashes_films_with_their_clip);
  add ("/library/pictures/trash-without-films", test_library_brings_clips_back_without_films);
  add ("/library/pictures/thumbnails", test_library_makes_thumbnails);
  add ("/library/pictures/recipes", test_library_reads_recipes);
  add ("/library/pictures/missing-loras", test_library_names_missing_loras);
  add ("/library/ends/two", test_library_two_on_one_file);
  add ("/library/ends/killed", test_library_killed_while_it_scans);
  add ("/library/ends/closes", test_library_closes_in_the_middle);
  add ("/library/ends/damaged", test_library_survives_a_damaged_database);
  int result = g_test_run ();
  tree_remove (home);
  return result;
}
