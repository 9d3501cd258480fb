/* SPDX-License-Identifier: MPL-2.0
 * test-library-recipes.c - what pictures say of how they were made.
 *
 * Run alone: build/tests/library/test-library-recipes
 */
#include <string.h>

#include "library-fixture.h"

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
  g_clear_error (&error);
  g_assert_null (read_recipe (f, "/nowhere/a.png", NULL, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED); /* and not that it says nothing */
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

int
main (int argc, char **argv)
{
  init_tests (&argc, &argv);
  add_test ("/library/pictures/recipes", test_library_reads_recipes);
  add_test ("/library/pictures/missing-loras", test_library_names_missing_loras);
  return run_tests ();
}
