/* SPDX-License-Identifier: MPL-2.0 */
#include <glib/gstdio.h>
#include <string.h>

#include "core/mem.h"
#include "session/gesso-expand.h"
#include "session/gesso-recipe.h"

static const char RECIPE[] =
    "{\"version\": 1, \"model\": \"m\", \"prompt\": \"a cat\", \"seed\": 5, \"steps\": 20}";

static char *
make_folder (void)
{
  g_autoptr (GError) error = NULL;
  char *folder = g_dir_make_tmp ("gesso-expand-XXXXXX", &error);
  g_assert_no_error (error);
  return folder;
}

static void
write_file (const char *folder, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
remove_folder (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      if (g_file_test (path, G_FILE_TEST_IS_DIR))
        remove_folder (path);
      else
        g_unlink (path);
    }
  g_rmdir (folder);
}

static char *
expand (const char *prompt, const char *folder, guint64 seed)
{
  g_autoptr (GError) error = NULL;
  char *text = gesso_expand_prompt (prompt, folder, seed, &error);
  g_assert_no_error (error);
  return text;
}

static void
assert_expands (const char *prompt, const char *expected)
{
  g_autofree char *text = expand (prompt, NULL, 1);
  g_assert_cmpstr (text, ==, expected);
}

static void
test_literal_text_stays (void)
{
  assert_expands ("", "");
  assert_expands ("a (cat:1.2), [dog|bird], \\(x\\) <lora:y:1>",
                  "a (cat:1.2), [dog|bird], \\(x\\) <lora:y:1>");
  assert_expands ("\\{a\\|b\\} {", "{a|b} {");
  assert_expands ("(^__^), smile, (^__^) ___ __ a_b", "(^__^), smile, (^__^) ___ __ a_b");
  assert_expands ("{one} {} }", "one  }");
}

/* Every option is taken by some seed, and the same one by the same seed. */
static void
test_choice_follows_the_seed (void)
{
  guint seen[3] = { 0 };
  for (guint64 seed = 0; seed < 300; seed++)
    {
      g_autofree char *text = expand ("{a|{b|b}|c}", NULL, seed),
                      *again = expand ("{a|{b|b}|c}", NULL, seed);
      g_assert_cmpstr (text, ==, again);
      g_assert_cmpuint (strlen (text), ==, 1);
      g_assert_true (*text >= 'a' && *text <= 'c');
      seen[*text - 'a']++;
    }
  for (int i = 0; i < 3; i++)
    g_assert_cmpuint (seen[i], >, 60); /* 100 expected, 8 standard deviation */
}

static void
test_weights_and_counts (void)
{
  guint n_heavy = 0;
  for (guint64 seed = 0; seed < 400; seed++)
    {
      g_autofree char *one = expand ("{3::x|y|0::z}", NULL, seed),
                      *two = expand ("{2$$a|b|c}", NULL, seed);
      g_autofree char *some = expand ("{1-2$$a|b}", NULL, seed),
                      *all = expand ("{9$$a|b}", NULL, seed);
      g_assert_cmpstr (one, !=, "z");
      n_heavy += *one == 'x';
      g_assert_cmpuint (strlen (two), ==, 4);
      g_assert_cmpint (two[0], !=, two[3]);
      g_assert_true (strlen (some) == 1 || strlen (some) == 4);
      g_assert_true (strcmp (all, "a, b") == 0 || strcmp (all, "b, a") == 0);
    }
  g_assert_cmpuint (n_heavy, >, 260); /* 300 expected, 9 standard deviation */
  g_assert_cmpuint (n_heavy, <, 340);
}

static void
test_wildcards_come_from_files (void)
{
  g_autofree char *folder = make_folder ();
  write_file (folder, "colour.txt", "\357\273\277# colours\n\n  red  \r\n");
  write_file (folder, "sub/animal.txt", "a __colour__ {cat|cat}\n");
  write_file (folder, "sub/animal2.txt", "0.5::a dog\n");
  g_autofree char *text = expand ("x __sub/animal__, __colour__y", folder, 3);
  g_assert_cmpstr (text, ==, "x a red cat, redy");
  gboolean cat = FALSE, dog = FALSE;
  for (guint64 seed = 0; seed < 50; seed++)
    {
      g_autofree char *any = expand ("__sub/animal*__", folder, seed);
      cat = cat || strcmp (any, "a red cat") == 0;
      dog = dog || strcmp (any, "a dog") == 0;
    }
  g_assert_true (cat && dog);
  remove_folder (folder);
}

static void
assert_fails (const char *prompt, const char *folder, int code, const char *part)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (gesso_expand_prompt (prompt, folder, 1, &error));
  g_assert_error (error, G_IO_ERROR, code);
  g_assert_nonnull (strstr (error->message, part));
}

static void
test_wildcards_fail_with_a_sentence (void)
{
  g_autofree char *folder = make_folder ();
  write_file (folder, "loop.txt", "a __loop__\n");
  write_file (folder, "many.txt", "__many2__ __many2__\n");
  write_file (folder, "many2.txt", "{9$$1|2|3|4|5|6|7|8|9}\n");
  write_file (folder, "empty.txt", "# nothing\n");
  assert_fails ("__nothing__", folder, G_IO_ERROR_NOT_FOUND, "nothing");
  assert_fails ("__empty__", folder, G_IO_ERROR_NOT_FOUND, "empty");
  assert_fails ("__a__", NULL, G_IO_ERROR_NOT_FOUND, "a");
  assert_fails ("__../etc/passwd__", folder, G_IO_ERROR_NOT_FOUND, "passwd");
  assert_fails ("__loop__", folder, G_IO_ERROR_INVALID_DATA, "without end");
  g_autofree char *text = expand ("__many__", folder, 2);
  g_assert_cmpuint (strlen (text), ==, 2 * (9 + 8 * 2) + 1);
  remove_folder (folder);
}

static void
test_deep_nesting_ends (void)
{
  g_autoptr (GString) prompt = g_string_new (NULL);
  for (int i = 0; i < 100; i++)
    g_string_append_c (prompt, '{');
  g_string_append_c (prompt, 'x');
  for (int i = 0; i < 100; i++)
    g_string_append_c (prompt, '}');
  assert_fails (prompt->str, NULL, G_IO_ERROR_INVALID_DATA, "16 deep");
  assert_expands ("{{{{{{{{{{{{{{{{x}}}}}}}}}}}}}}}}", "x");
}

static void
assert_axis (const char *key, const char *text, const char *expected)
{
  GessoAxis axis;
  g_autoptr (GError) error = NULL;
  gesso_axis_parse (&axis, key, text, &error);
  g_assert_no_error (error);
  g_autofree char *joined = g_strjoinv ("|", axis.values);
  g_assert_cmpstr (joined, ==, expected);
  gesso_axis_clear (&axis);
}

static void
test_axis_values (void)
{
  assert_axis ("steps", "20, 30,40 ,", "20|30|40");
  assert_axis ("steps", "1-5", "1|2|3|4|5");
  assert_axis ("steps", "5 - 3", "5|4|3");
  assert_axis ("steps", "1-10 (+3), 50", "1|4|7|10|50");
  assert_axis ("steps", "10-1(-4)", "10|6|2");
  assert_axis ("steps", "1-10 [4]", "1|4|7|10");
  assert_axis ("steps", "7-9 [1]", "7");
  assert_axis ("guidance_scale", "0-1 (+0.1)", "0|0.1|0.2|0.3|0.4|0.5|0.6|0.7|0.8|0.9|1");
  assert_axis ("eta", "-1, 0.5", "-1|0.5");
  assert_axis ("seed", "18446744073709551615", "18446744073709551615");
  assert_axis ("sampler", "euler, unipc", "euler|unipc");
  assert_axis ("prompt", "\"a, b\", c, \"say \"\"x\"\"\"", "a, b|c|say \"x\"");
  assert_axis ("prompt-replace", "cat, , dog", "cat||dog");
}

static void
assert_axis_fails (const char *key, const char *text)
{
  GessoAxis axis;
  g_autoptr (GError) error = NULL;
  g_assert_false (gesso_axis_parse (&axis, key, text, &error));
  g_assert_nonnull (error);
  g_assert_null (axis.values);
}

static void
test_axis_refuses (void)
{
  assert_axis_fails ("steps", "");
  assert_axis_fails ("steps", "abc");
  assert_axis_fails ("steps", "20.5");
  assert_axis_fails ("steps", "2000");
  assert_axis_fails ("steps", "1-10 (-1)");
  assert_axis_fails ("steps", "1-10 (0)");
  assert_axis_fails ("steps", "1-10 [99999999]");
  assert_axis_fails ("guidance_scale", "0-100 (+0.00001)");
  assert_axis_fails ("sampler", "magic");
  assert_axis_fails ("shoe_size", "42");
}

/* Returns: one text a recipe, "key=value ..." */
static char *
summary (char **recipes, const char *const *keys)
{
  g_autoptr (GString) out = g_string_new (NULL);
  for (int i = 0; recipes && recipes[i]; i++)
    {
      g_auto (Recipe) r;
      g_assert_true (gesso_recipe_parse (&r, recipes[i], NULL));
      g_string_append (out, i ? "; " : "");
      for (int k = 0; keys[k]; k++)
        {
          Status status = { 0 };
          char *text = recipe_get_text (&r, keys[k], &status);
          g_string_append_printf (out, "%s%s", k ? " " : "", text);
          mem_free (text);
        }
    }
  return g_strdup (out->str);
}

static void
test_grid_runs_x_fastest (void)
{
  static const char *const keys[] = { "steps", "guidance_scale", "prompt", NULL };
  GessoAxis axes[3];
  g_autoptr (GError) error = NULL;
  g_assert_true (gesso_axis_parse (&axes[0], "steps", "1,2", NULL));
  g_assert_true (gesso_axis_parse (&axes[1], "guidance_scale", "3,4", NULL));
  g_assert_true (gesso_axis_parse (&axes[2], "prompt-replace", "cat,dog", NULL));
  g_auto (GStrv) recipes = gesso_expand_recipe (RECIPE, axes, 3, NULL, NULL, &error);
  g_assert_no_error (error);
  g_autofree char *text = summary (recipes, keys);
  g_assert_cmpstr (text, ==,
                   "1 3 a cat; 2 3 a cat; 1 4 a cat; 2 4 a cat; "
                   "1 3 a dog; 2 3 a dog; 1 4 a dog; 2 4 a dog");
  for (int i = 0; i < 3; i++)
    gesso_axis_clear (&axes[i]);
}

static void
test_grid_refuses (void)
{
  GessoAxis axes[3];
  g_autoptr (GError) error = NULL;
  g_assert_true (gesso_axis_parse (&axes[0], "prompt-replace", "bird,dog", NULL));
  g_assert_null (gesso_expand_recipe (RECIPE, axes, 1, NULL, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);
  gesso_axis_clear (&axes[0]);
  g_assert_true (gesso_axis_parse (&axes[0], "steps", "1-200", NULL));
  g_assert_true (gesso_axis_parse (&axes[1], "seed", "1-200", NULL));
  g_assert_null (gesso_expand_recipe (RECIPE, axes, 2, NULL, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  gesso_axis_clear (&axes[0]);
  gesso_axis_clear (&axes[1]);
  g_assert_null (gesso_expand_recipe ("{\"version\": 1}", NULL, 0, NULL, NULL, &error));
  g_assert_nonnull (error); /* no model */
}

static void
test_batches_of_a_varying_prompt_differ (void)
{
  static const char *const keys[] = { "seed", "batch_count", "batch_size", NULL };
  static const char recipe[] =
      "{\"version\": 1, \"model\": \"m\", \"prompt\": \"{a|b}\", \"seed\": 5,"
      " \"batch_count\": 3, \"batch_size\": 2}";
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) recipes = gesso_expand_recipe (recipe, NULL, 0, NULL, NULL, &error);
  g_assert_no_error (error);
  g_autofree char *text = summary (recipes, keys);
  g_assert_cmpstr (text, ==, "5 1 2; 7 1 2; 9 1 2");
  g_auto (GStrv) plain = gesso_expand_recipe (RECIPE, NULL, 0, NULL, NULL, &error);
  g_assert_cmpuint (g_strv_length (plain), ==, 1);
}

static void
test_prompts_from_a_file (void)
{
  static const char *const keys[] = { "prompt",  "negative_prompt", "steps",
                                      "sampler", "guidance_scale",  NULL };
  g_autofree char *folder = make_folder (), *path = g_build_filename (folder, "p.txt", NULL);
  g_autoptr (GError) error = NULL;
  write_file (folder, "p.txt",
              "# comment\n\na dog -- with a bone\r\n"
              "a bird --steps 7 --negative_prompt \"blurry, --low\" --sampler_name \"Euler a\"\n"
              "--prompt \"a \\\"fish\\\"\" --cfg_scale 3.5");
  g_auto (GStrv) prompts = gesso_prompts_from_file (path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (prompts), ==, 3);
  g_auto (GStrv) recipes =
      gesso_expand_recipe (RECIPE, NULL, 0, (const char *const *) prompts, NULL, &error);
  g_assert_no_error (error);
  g_autofree char *text = summary (recipes, keys);
  g_assert_cmpstr (text, ==,
                   "a dog -- with a bone  20 euler 0; a bird blurry, --low 7 euler_a 0; "
                   "a \"fish\"  20 euler 3.5");
  write_file (folder, "p.txt", "fine\nnot fine --colour red\n");
  g_assert_null (gesso_prompts_from_file (path, &error));
  g_assert_nonnull (strstr (error->message, "2"));
  g_clear_error (&error);
  write_file (folder, "p.txt", "# nothing\n");
  g_assert_null (gesso_prompts_from_file (path, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  remove_folder (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session/expand/literal-text-stays", test_literal_text_stays);
  g_test_add_func ("/session/expand/choice-follows-the-seed", test_choice_follows_the_seed);
  g_test_add_func ("/session/expand/weights-and-counts", test_weights_and_counts);
  g_test_add_func ("/session/expand/wildcards-come-from-files", test_wildcards_come_from_files);
  g_test_add_func ("/session/expand/wildcards-fail-with-a-sentence",
                   test_wildcards_fail_with_a_sentence);
  g_test_add_func ("/session/expand/deep-nesting-ends", test_deep_nesting_ends);
  g_test_add_func ("/session/axis/values", test_axis_values);
  g_test_add_func ("/session/axis/refuses", test_axis_refuses);
  g_test_add_func ("/session/grid/runs-x-fastest", test_grid_runs_x_fastest);
  g_test_add_func ("/session/grid/refuses", test_grid_refuses);
  g_test_add_func ("/session/grid/batches-of-a-varying-prompt-differ",
                   test_batches_of_a_varying_prompt_differ);
  g_test_add_func ("/session/prompts-file/reads-lines-and-settings", test_prompts_from_a_file);
  return g_test_run ();
}
