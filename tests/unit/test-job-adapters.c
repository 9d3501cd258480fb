/* SPDX-License-Identifier: MPL-2.0
 * test-job-adapters.c - adapters from recipes and prompts: names, tags, blocks, schedules, hashes.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "core/mem.h"
#include "recipe/infotext.h"
#include "worker/adapter-args.h"
#include "worker/adapters.h"
#include "worker/few-steps-job.h"

/* A folder like ComfyUI's, with two LoRAs; GESSO_MODELS names its checkpoints. */
typedef struct
{
  char *root, *loras, *style, *deep;
  Recipe recipe;
  JobAdapters adapters;
  Status status;
} Fixture;

static char *
copy_file (const char *name, const char *folder, const char *to)
{
  char *from =
      g_build_filename (g_getenv ("GESSO_SOURCE"), "tests/golden/fixtures/adapters", name, NULL);
  char *path = g_build_filename (folder, to, NULL), *data;
  gsize n;
  g_assert_true (g_file_get_contents (from, &data, &n, NULL));
  g_assert_true (g_file_set_contents (path, data, (gssize) n, NULL));
  g_free (data);
  g_free (from);
  return path;
}

static char *
copy_fixture (const char *folder, const char *to)
{
  return copy_file ("sd15-kohya.safetensors", folder, to);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->root = g_dir_make_tmp ("gesso-adapters-XXXXXX", NULL);
  f->loras = g_build_filename (f->root, "loras", NULL);
  char *deep = g_build_filename (f->loras, "people", NULL);
  char *models = g_build_filename (f->root, "checkpoints", NULL);
  g_mkdir_with_parents (deep, 0700);
  g_mkdir_with_parents (models, 0700);
  f->style = copy_fixture (f->loras, "style.safetensors");
  f->deep = copy_fixture (deep, "her.safetensors");
  g_setenv ("GESSO_MODELS", models, TRUE);
  g_setenv ("XDG_CACHE_HOME", f->root, TRUE);
  recipe_init (&f->recipe);
  g_free (deep);
  g_free (models);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  job_adapters_clear (&f->adapters);
  recipe_clear (&f->recipe);
  g_unlink (f->style);
  g_unlink (f->deep);
  g_free (f->style);
  g_free (f->deep);
  g_free (f->loras);
  g_free (f->root);
}

static bool
load_for (Fixture *f, const char *prompt, const char *list, Family family)
{
  job_adapters_clear (&f->adapters);
  f->status = (Status){ 0 };
  g_assert_true (recipe_set (&f->recipe, "prompt", prompt, &f->status));
  g_assert_true (recipe_set (&f->recipe, "adapters", list, &f->status));
  return job_adapters_load (&f->adapters, &f->recipe, family, &f->status);
}

static bool
load (Fixture *f, const char *prompt, const char *list)
{
  return load_for (f, prompt, list, FAMILY_SD15);
}

static void
test_found_by_name (Fixture *f, gconstpointer data)
{
  static const char *const names[] = { "style", "style.safetensors", "her", "people/her" };
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    {
      char *list = g_strdup_printf ("[{\"name\":\"%s\"}]", names[i]);
      g_assert_true (load (f, "a fox", list));
      g_assert_cmpint ((int) f->adapters.list.n, ==, 1);
      g_assert_true (
          g_str_has_suffix (f->adapters.list.items[0].path,
                            i < 2 ? "loras/style.safetensors" : "people/her.safetensors"));
      g_assert_nonnull (strstr (f->recipe.adapters, "\"path\""));
      g_free (list);
    }
  g_assert_false (load (f, "a fox", "[{\"name\":\"tyle\"}]"));
  g_assert_cmpint (f->status.code, ==, STATUS_NOT_FOUND);
  g_assert_nonnull (strstr (f->status.message, "There is no adapter \"tyle\""));
  g_assert_true (load (f, "a fox", "[{\"name\":\"tyle\",\"muted\":true}]"));
}

static void
test_tags (Fixture *f, gconstpointer data)
{
  g_assert_true (load (f,
                       "a <lora:style:0.8:0.6> fox <lyco:her:te=0.2:unet=0@0,1@0.5:lbw=INS:"
                       "start=3:stop=9> <hypernet:x:1>",
                       ""));
  g_assert_cmpint ((int) f->adapters.list.n, ==, 2);
  const RecipeAdapter *a = f->adapters.list.items;
  g_assert_cmpfloat (a[0].text_weight, ==, 0.8);
  g_assert_cmpfloat (a[0].weight, ==, 0.6);
  g_assert_true (a[0].from_prompt);
  g_assert_cmpfloat (a[1].text_weight, ==, 0.2);
  g_assert_cmpstr (a[1].curve, ==, "0@0,1@0.5");
  g_assert_cmpstr (a[1].steps, ==, "3-9");
  PipelineJob job = { .steps = 20 };
  g_assert_true (job_adapters_give (&f->adapters, &job, &f->status));
  g_assert_cmpint (job.n_adapters, ==, 2);
  g_assert_cmpint (job.adapters[1].n_points, ==, 2);
  g_assert_cmpfloat (job.adapters[1].points[1].at, ==, 0.5);
  g_assert_cmpint (job.adapters[1].first_step, ==, 3);
  g_assert_cmpint (job.adapters[1].last_step, ==, 9);
  g_assert_cmpfloat (job.adapters[1].blocks[ADAPTER_BLOCK_IN + 1], ==, 1);
  g_assert_cmpfloat (job.adapters[1].blocks[ADAPTER_BLOCK_OUT + 3], ==, 0);
  g_assert_false (load (f, "<lora:nowhere:1>", ""));
  g_assert_nonnull (strstr (f->status.message, "\"nowhere\""));
  g_assert_false (load (f, "<lora:style:much>", ""));
  g_assert_nonnull (strstr (f->status.message, "much"));
  g_assert_true (load (f, "<lora:style:1:dyn=4>", ""));
  g_assert_nonnull (strstr (f->adapters.note, "dyn="));
}

/* The recipe of a picture holds what its tags were; drawn again, they count once. */
static void
test_tags_are_not_counted_twice (Fixture *f, gconstpointer data)
{
  g_assert_true (load (f, "<lora:style:0.5>", "[{\"name\":\"her\",\"weight\":0.3}]"));
  char *list = g_strdup (f->recipe.adapters);
  g_assert_true (load (f, "<lora:style:0.5>", list));
  g_assert_cmpint ((int) f->adapters.list.n, ==, 2);
  g_assert_cmpstr (f->recipe.adapters, ==, list);
  f->recipe.weighting = RECIPE_WEIGHTING_COMFYUI; /* ComfyUI takes tags for words */
  g_assert_true (load (f, "<lora:style:0.5>", "[{\"name\":\"her\"}]"));
  g_assert_cmpint ((int) f->adapters.list.n, ==, 1);
  g_free (list);
}

/* What A1111 would read, and what we read back from it. */
static void
test_infotext_round_trip (Fixture *f, gconstpointer data)
{
  char note[STATUS_MESSAGE_SIZE];
  g_assert_true (load (f, "a fox <lora:style:0.5>", "[{\"name\":\"her\",\"weight\":0.3}]"));
  g_assert_true (job_adapters_hash (&f->recipe, NULL, note, &f->status));
  g_assert_cmpstr (note, ==, "");
  char *text = infotext_write (&f->recipe, &f->status);
  g_test_message ("%s", text);
  g_assert_nonnull (strstr (text, "a fox <lora:style:0.5> <lora:her:0.3>\n"));
  g_assert_nonnull (strstr (text, "Lora hashes: \"style: 5083f8c5af9d, her: 5083f8c5af9d\""));
  Recipe read;
  Notes notes = { 0 };
  recipe_init (&read);
  g_assert_true (infotext_parse (&read, text, &notes, &f->status));
  g_assert_cmpstr (read.prompt, ==, "a fox <lora:style:0.5> <lora:her:0.3>");
  g_assert_true (load (f, read.prompt, read.adapters));
  g_assert_cmpint ((int) f->adapters.list.n, ==, 2);
  g_assert_cmpfloat (f->adapters.list.items[1].weight, ==, 0.3);
  recipe_clear (&read);
  mem_free (text);
}

/* A1111 names the embeddings of a prompt with the first digits of their files. */
static void
test_embeddings (Fixture *f, gconstpointer data)
{
  char note[STATUS_MESSAGE_SIZE];
  char *folder = g_build_filename (f->root, "embeddings", NULL);
  g_mkdir_with_parents (folder, 0700);
  char *path = copy_file ("embeddings/fruit-params.safetensors", folder, "fruit.safetensors");
  g_assert_true (load (f, "some fruits", ""));
  g_assert_cmpuint (f->adapters.n_embeddings, ==, 0);
  g_assert_true (load (f, "some fruit <lora:style:0.5>", ""));
  g_assert_cmpuint (f->adapters.n_embeddings, ==, 1);
  PipelineJob job = { .steps = 20 };
  g_assert_true (job_adapters_give (&f->adapters, &job, &f->status));
  g_assert_cmpint (job.n_adapters, ==, 1);
  g_assert_true (job_adapters_hash (&f->recipe, NULL, note, &f->status));
  char *text = infotext_write (&f->recipe, &f->status);
  char *hash = NULL, *bytes;
  gsize n;
  g_assert_true (g_file_get_contents (path, &bytes, &n, NULL));
  hash = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) bytes, n);
  char *expected = g_strdup_printf ("TI hashes: \"fruit: %.12s\"", hash);
  g_assert_nonnull (strstr (text, expected));
  g_assert_nonnull (strstr (text, "Lora hashes: \"style: 5083f8c5af9d\""));
  Recipe read;
  Notes notes = { 0 };
  recipe_init (&read);
  g_assert_true (infotext_parse (&read, text, &notes, &f->status));
  g_assert_cmpint (notes.n, ==, 0);
  g_assert_true (load (f, read.prompt, read.adapters));
  g_assert_cmpint ((int) f->adapters.list.n, ==, 2);
  g_assert_true (job_adapters_hash (&f->recipe, NULL, note, &f->status));
  g_assert_cmpstr (note, ==, "");
  g_unlink (path);
  char *another = copy_file ("embeddings/fruit-list.pt", folder, "fruit.pt");
  g_assert_true (load (f, read.prompt, read.adapters));
  g_assert_true (job_adapters_hash (&f->recipe, NULL, note, &f->status));
  g_assert_nonnull (strstr (note, "\"fruit\" is another file"));
  recipe_clear (&read);
  mem_free (text);
  g_free (expected);
  g_free (hash);
  g_free (bytes);
  g_unlink (another);
  g_rmdir (folder);
  g_free (another);
  g_free (path);
  g_free (folder);
}

/* A LoRA brings the words that it was trained with. */
/* What FLUX and Wan do not read is said, word by word as it comes, never passed over. */
static void
test_embedding_without_effect (Fixture *f, gconstpointer data)
{
  static const Family families[] = { FAMILY_FLUX, FAMILY_WAN };
  char *path = copy_file ("embeddings/bundle-sd15.safetensors", f->loras, "bundle.safetensors");
  for (size_t i = 0; i < G_N_ELEMENTS (families); i++)
    {
      g_assert_true (load_for (f, "a fruit", "[{\"name\":\"bundle\"}]", families[i]));
      g_assert_cmpint (f->adapters.n_embeddings, ==, 0);
      g_assert_nonnull (strstr (f->adapters.note, "The word \"fruit\""));
      g_assert_nonnull (strstr (f->adapters.note, "bundle.safetensors"));
      g_assert_true (load_for (f, "a pear", "[{\"name\":\"bundle\"}]", families[i]));
      g_assert_cmpstr (f->adapters.note, ==, "");
      g_assert_true (load_for (f, "a embedding:pear", "[]", families[i]));
      g_assert_nonnull (strstr (f->adapters.note, "Embeddings have no effect"));
      recipe_set (&f->recipe, "negative_prompt", "(embedding:bad:1.2)", &f->status);
      g_assert_true (load_for (f, "a pear", "[]", families[i]));
      g_assert_nonnull (strstr (f->adapters.note, "Embeddings have no effect"));
      recipe_set (&f->recipe, "negative_prompt", "", &f->status);
    }
  g_unlink (path);
  g_free (path);
}

static void
test_bundled_embedding (Fixture *f, gconstpointer data)
{
  char *path = copy_file ("embeddings/bundle-sd15.safetensors", f->loras, "bundle.safetensors");
  g_assert_true (load (f, "a fruit", "[{\"name\":\"bundle\"}]"));
  g_assert_cmpuint (f->adapters.n_embeddings, ==, 1);
  g_assert_cmpstr (f->adapters.embeddings[0].bundle, ==, "fruit");
  g_assert_cmpint ((int) f->adapters.list.n, ==, 1); /* the LoRA stands for it */
  g_assert_true (load (f, "a pear", "[{\"name\":\"bundle\"}]"));
  g_assert_cmpuint (f->adapters.n_embeddings, ==, 0);
  f->recipe.weighting = RECIPE_WEIGHTING_COMFYUI;
  g_assert_true (load (f, "a (embedding:fruit:1.2)", "[{\"name\":\"bundle\"}]"));
  g_assert_cmpuint (f->adapters.n_embeddings, ==, 1);
  g_unlink (path);
  g_free (path);
}

/* The same name, but another file: said, not refused. */
static void
test_another_file_is_said (Fixture *f, gconstpointer data)
{
  char note[STATUS_MESSAGE_SIZE];
  g_assert_true (load (f, "x", "[{\"name\":\"style\",\"hash\":\"0000000000\"}]"));
  g_assert_true (job_adapters_hash (&f->recipe, NULL, note, &f->status));
  g_assert_nonnull (strstr (note, "\"style\" is another file"));
}

static void
test_args (void)
{
  static const char *const bad_blocks[] = {
    "", "1,2", "1,,1", "a", "FOO", "1,1,1,1,1,1,1,1,1,1,1,x"
  };
  static const char *const bad_curves[] = { "",     "a",       "1@",   "@1", "1@0,1", "1@0.5,1@0.5",
                                            "1@-1", "1@0,x@1", "1@nan" };
  static const char *const bad_steps[] = { "", "5", "a-b", "9-3", "-x", "1-2-3" };
  PipelineAdapter a = { 0 };
  for (size_t i = 0; i < G_N_ELEMENTS (bad_blocks); i++)
    g_assert_false (adapter_parse_blocks (&a, bad_blocks[i], &(Status){ 0 }));
  for (size_t i = 0; i < G_N_ELEMENTS (bad_curves); i++)
    g_assert_false (adapter_parse_curve (&a, bad_curves[i], 20, &(Status){ 0 }));
  for (size_t i = 0; i < G_N_ELEMENTS (bad_steps); i++)
    g_assert_false (adapter_parse_steps (&a, bad_steps[i], &(Status){ 0 }));
  Status status = { 0 };
  g_assert_true (adapter_parse_blocks (&a, "1,0,0,0.5,0,0,0,0,0,0,0,2", &status)); /* SDXL */
  g_assert_cmpfloat (a.blocks[ADAPTER_BLOCK_IN + 7], ==, 0.5);
  g_assert_cmpfloat (a.blocks[ADAPTER_BLOCK_OUT + 5], ==, 2);
  g_assert_cmpfloat (a.blocks[ADAPTER_BLOCK_MIDDLE], ==, 0);
  g_assert_true (adapter_parse_curve (&a, "1@0,0.5@5,0@1.0", 20, &status));
  g_assert_cmpint (a.n_points, ==, 3);
  g_assert_cmpfloat (a.points[1].at, ==, 0.25); /* the fifth of twenty steps */
  g_assert_cmpfloat (a.points[2].at, ==, 1);
  g_assert_true (adapter_parse_steps (&a, "-7", &status));
  g_assert_cmpint (a.last_step, ==, 7);
}

/* Hyper-FLUX at weight 1 draws noise: the weight belongs to the advice, unless it was chosen.  A
 * flag beside a tag would add the LoRA once more. */
static void
test_advice_of_few_steps_says_the_weight (void)
{
  g_autofree char *letters = g_strnfill (400, 'a');
  g_autofree char *far = g_build_filename ("/l", letters, "Hyper-FLUX.1-dev-8steps.sft", NULL);
  static const char near[] = "/home/someone/ComfyUI/models/loras/flux/few-steps/"
                             "Hyper-FLUX.1-dev-8steps-lora.safetensors";
  const struct
  {
    const char *path;
    double weight;
    bool from_prompt;
    const char *advice;
  } cases[] = {
    { near, 1, false,
      "makers use it with --steps 8 --lora /home/someone/ComfyUI/models/loras/flux/few-steps/"
      "Hyper-FLUX.1-dev-8steps-lora.safetensors:0.125." },
    { near, 0.2, false, "makers use it with --steps 8." },
    { near, 1, true, "makers use it with --steps 8 <lora:few:0.125>." },
    { far, 1, false, "makers use it with --steps 8 --lora few:0.125." },
  };
  char path[] = "flux1-dev.safetensors";
  Checkpoint model = { .path = path, .config = { .family = FAMILY_FLUX } };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      char sentence[STATUS_MESSAGE_SIZE];
      RecipeAdapters list = { 0 };
      Status status = { 0 };
      Recipe recipe;
      recipe_init (&recipe);
      recipe.steps = 28;
      RecipeAdapter *item = recipe_adapters_add (&list, "few", &status);
      g_assert_true (text_replace (&item->path, cases[i].path, &status));
      item->weight = cases[i].weight;
      item->from_prompt = cases[i].from_prompt;
      g_assert_true (recipe_adapters_write (&list, &recipe, &status));
      recipe_adapters_clear (&list);
      job_few_steps (&recipe, &model, sentence);
      if (!g_str_has_suffix (sentence, cases[i].advice))
        g_error ("%s", sentence);
      recipe_clear (&recipe);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add (name, Fixture, NULL, set_up, func, tear_down)
  ADD ("/job-adapters/found-by-name", test_found_by_name);
  ADD ("/job-adapters/tags", test_tags);
  ADD ("/job-adapters/tags-are-not-counted-twice", test_tags_are_not_counted_twice);
  ADD ("/job-adapters/infotext-round-trip", test_infotext_round_trip);
  ADD ("/job-adapters/embeddings", test_embeddings);
  ADD ("/job-adapters/embedding-without-effect", test_embedding_without_effect);
  ADD ("/job-adapters/bundled-embedding", test_bundled_embedding);
  ADD ("/job-adapters/another-file-is-said", test_another_file_is_said);
  g_test_add_func ("/job-adapters/args", test_args);
  g_test_add_func ("/job-adapters/few-steps", test_advice_of_few_steps_says_the_weight);
  return g_test_run ();
}
