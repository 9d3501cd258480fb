/* SPDX-License-Identifier: MPL-2.0
 * library-fixture.c - a library of its own for each test.
 */
#include "library-fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

static char *home;

GessoLibrary *
open_library (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  GessoLibrary *library = gesso_library_new (f->db, f->cache, NULL, &error);
  g_assert_no_error (error);
  return library;
}

void
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

guint
n_of (Fixture *f, GessoFileKind kind)
{
  return g_list_model_get_n_items (gesso_library_get_models (f->library, kind));
}

int
n_pictures (Fixture *f)
{
  int n;
  g_object_get (f->library, "n-pictures", &n, NULL);
  return n;
}

typedef struct
{
  Fixture *f;
  GessoFileKind kind;
  GListModel *list;
  guint n;
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

void
wait_models (Fixture *f, GessoFileKind kind, guint n)
{
  Expected e = { .f = f, .kind = kind, .n = n };
  tree_wait (has_models, &e);
}

void
wait_items (gpointer list, guint n)
{
  Expected e = { .list = G_LIST_MODEL (list), .n = n };
  tree_wait (has_items, &e);
}

gboolean
is_loaded (gpointer data)
{
  gboolean loading;
  g_object_get (data, "loading", &loading, NULL);
  return !loading;
}

GessoPicture *
picture_at (gpointer list, guint i)
{
  g_autoptr (GessoPicture) picture = g_list_model_get_item (G_LIST_MODEL (list), i);
  g_assert_nonnull (picture);
  return picture; /* the list keeps it */
}

gboolean
is_filled (gpointer data)
{
  return *gesso_picture_get_path (data) != '\0';
}

void
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

void
add_pictures (Fixture *f, const char *folder, guint n)
{
  g_autofree char *path = g_build_filename (f->files, folder, NULL);
  make_pictures (f, folder, (int) n);
  gesso_library_add_pictures_folder (f->library, path);
}

void
assert_search (GessoPictureList *list, const char *text, guint n)
{
  gesso_picture_list_set_search (list, text);
  tree_wait (is_loaded, list);
  g_assert_cmpint (g_list_model_get_n_items (G_LIST_MODEL (list)), ==, n);
}

void
keep_result_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

static gboolean
has_result (gpointer result)
{
  return *(GAsyncResult **) result != NULL;
}

GAsyncResult *
await (GAsyncResult **result)
{
  tree_wait (has_result, result);
  return *result;
}

void
add_test (const char *path, void (*test) (Fixture *, gconstpointer))
{
  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

void
init_tests (int *argc, char ***argv)
{
  home = tree_new ();
  g_setenv ("HOME", home, TRUE);          /* other programs are looked for there */
  g_setenv ("XDG_DATA_HOME", home, TRUE); /* the desktop's trash lies there */
  g_test_init (argc, argv, NULL);
}

int
run_tests (void)
{
  int result = g_test_run ();
  tree_remove (g_steal_pointer (&home));
  return result;
}
