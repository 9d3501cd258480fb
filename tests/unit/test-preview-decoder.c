/* SPDX-License-Identifier: MPL-2.0
 * test-preview-decoder.c - the tiny decoder that is taken for previews when nobody chooses one.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "backend/backend.h"
#include "pipelines/pipeline.h"

#define MODEL "models/checkpoints/sd15"
#define DECODER "models/vae_approx/taesd_decoder.safetensors"

typedef struct
{
  char *root;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->root = g_dir_make_tmp ("gesso-preview-XXXXXX", NULL);
  g_assert_nonnull (f->root);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  static const char *const made[] = { MODEL, DECODER, "models/checkpoints", "models/vae_approx",
                                      "models" };
  for (guint i = 0; i < G_N_ELEMENTS (made); i++)
    {
      g_autofree char *path = g_build_filename (f->root, made[i], NULL);
      g_remove (path);
    }
  g_rmdir (f->root);
  g_free (f->root);
}

static char *
fixture (const char *name)
{
  return g_build_filename (g_getenv ("GESSO_SOURCE"), "tests/golden/fixtures", name, NULL);
}

/* @name in the tree stands for a model of tests/golden. */
static void
put (Fixture *f, const char *name, const char *model)
{
  g_autofree char *path = g_build_filename (f->root, name, NULL);
  g_autofree char *folder = g_path_get_dirname (path), *target = fixture (model);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_cmpint (symlink (target, path), ==, 0);
}

static char *named; /* the folder that models are looked for in */

static void
walk_named (bool (*func) (void *data, const char *path), void *data)
{
  if (named)
    func (data, named);
}

/* Whether the model is opened with a tiny decoder; @tiny: one that was chosen, or NULL */
static gboolean
opens_with_decoder (const char *model, const char *tiny)
{
  Status status = { 0 };
  g_autofree char *data = g_build_filename (g_getenv ("GESSO_SOURCE"), "data", NULL);
  Backend *backend = backend_null_new (&status);
  Pipeline *pipeline = pipeline_open (&(PipelineSource){ .model_path = model,
                                                         .tiny_path = tiny,
                                                         .tokenizers_dir = data,
                                                         .walk_folders = walk_named,
                                                         .header_only = true },
                                      backend, &status);
  g_assert_cmpstr (status.message, ==, "");
  gboolean has = pipeline_checkpoint (pipeline)->config.has_tiny;
  pipeline_free (pipeline);
  backend_free (backend);
  return has;
}

static gboolean
has_decoder (Fixture *f, const char *tiny)
{
  g_autofree char *model = g_build_filename (f->root, MODEL, NULL);
  return opens_with_decoder (model, tiny);
}

static void
test_one_beside_the_model_is_taken (Fixture *f, gconstpointer data)
{
  put (f, MODEL, "sd15-tiny");
  g_assert_false (has_decoder (f, NULL));
  put (f, DECODER, "taesd-tiny-original.safetensors");
  g_assert_true (has_decoder (f, NULL));
}

/* Previews are worth no failure: colours do, then. */
static void
test_one_that_is_damaged_is_left_alone (Fixture *f, gconstpointer data)
{
  g_autofree char *path = g_build_filename (f->root, DECODER, NULL);
  g_autofree char *folder = g_path_get_dirname (path);
  put (f, MODEL, "sd15-tiny");
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, "no model", -1, NULL));
  g_assert_false (has_decoder (f, NULL));
}

/* Nor is another kind of model under that name. */
static void
test_one_that_is_no_decoder_is_left_alone (Fixture *f, gconstpointer data)
{
  put (f, MODEL, "sd15-tiny");
  put (f, DECODER, "transformers/ae.safetensors");
  g_assert_false (has_decoder (f, NULL));
}

/* The model lies on another disk than ComfyUI, which was named. */
static void
test_one_in_a_named_folder_is_taken (Fixture *f, gconstpointer data)
{
  g_autofree char *elsewhere = g_dir_make_tmp ("gesso-model-XXXXXX", NULL);
  g_autofree char *model = g_build_filename (elsewhere, "sd15", NULL);
  g_autofree char *target = fixture ("sd15-tiny");
  g_assert_cmpint (symlink (target, model), ==, 0);
  put (f, DECODER, "taesd-tiny-original.safetensors");
  g_assert_false (opens_with_decoder (model, NULL));
  named = f->root;
  g_assert_true (opens_with_decoder (model, NULL));
  named = NULL;
  g_unlink (model);
  g_rmdir (elsewhere);
}

static void
test_a_chosen_one_comes_first (Fixture *f, gconstpointer data)
{
  g_autofree char *chosen = fixture ("taesd-tiny");
  put (f, MODEL, "sd15-tiny");
  put (f, DECODER, "transformers/ae.safetensors");
  g_assert_true (has_decoder (f, chosen));
}

static void
add (const char *path, void (*test) (Fixture *, gconstpointer))
{
  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("/preview-decoder/beside-the-model", test_one_beside_the_model_is_taken);
  add ("/preview-decoder/damaged", test_one_that_is_damaged_is_left_alone);
  add ("/preview-decoder/no-decoder", test_one_that_is_no_decoder_is_left_alone);
  add ("/preview-decoder/in-a-named-folder", test_one_in_a_named_folder_is_taken);
  add ("/preview-decoder/chosen", test_a_chosen_one_comes_first);
  return g_test_run ();
}
