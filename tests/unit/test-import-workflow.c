/* SPDX-License-Identifier: MPL-2.0
 * test-import-workflow.c - ComfyUI's workflows, and graphs that are damaged, odd or hostile.
 */
#include <glib.h>

#include "support/imported.h"

static void
test_subgraphs_are_opened (void)
{
  Imported im = imported_file ("workflow", "subgraph.workflow.json");
  g_assert_cmpstr (im.recipe.model, ==, "xl.safetensors");
  g_assert_cmpstr (im.recipe.prompt, ==, "a lighthouse");
  g_assert_cmpstr (im.recipe.negative_prompt, ==, "fog");
  g_assert_cmpuint (im.recipe.seed, ==, 17);
  g_assert_cmpint (im.recipe.steps, ==, 24);
  g_assert_cmpint (im.recipe.width, ==, 1216);
  g_assert_cmpint (im.recipe.schedule, ==, RECIPE_SCHEDULE_KARRAS);
  assert_note (&im, "The settings of MysteryNode have no names");
  assert_note (&im, "MysteryNode is left out");
  assert_n_notes (&im, 2);
  imported_clear (&im);
}

static void
test_damaged_workflows_are_refused (void)
{
  assert_refused ("workflow", "{\"nodes\": []}", "no sampler");
  assert_refused ("workflow", "{\"nodes\": [null, 3, {\"id\": 1}, {\"type\": 2}], \"links\": 7}",
                  "no sampler");
  assert_refused ("workflow",
                  "{\"nodes\": [{\"id\": 1, \"type\": \"a\"}], \"definitions\": {\"subgraphs\": "
                  "[{\"id\": \"a\", \"nodes\": [{\"id\": 1, \"type\": \"a\"}]}]}}",
                  "more than 16 deep");
  /* a link that goes round, and a bypassed node that hands on what it makes */
  assert_refused ("workflow",
                  "{\"nodes\": [{\"id\": 1, \"type\": \"Reroute\", \"inputs\": [{\"link\": 1}]}, "
                  "{\"id\": 2, \"type\": \"b\", \"inputs\": [{\"name\": \"x\", \"link\": 1}]}], "
                  "\"links\": [[1, 1, 0, 1, 0, \"*\"]]}",
                  "no sampler");
}

/* "[PIECE,PIECE,...]" */
static char *
list_of (size_t n, const char *piece)
{
  GString *list = g_string_new ("[");
  for (size_t i = 0; i < n; i++)
    g_string_append_printf (list, "%s%s", i ? "," : "", piece);
  return g_string_free (g_string_append_c (list, ']'), FALSE);
}

static void
test_looks_at_definitions_count (void)
{
  g_autofree char *nodes = list_of (2000, "{\"type\": \"a\"}");
  g_autofree char *definitions = list_of (30000, "null");
  g_autofree char *text =
      g_strdup_printf ("{\"nodes\": %s, \"definitions\": {\"subgraphs\": %s}}", nodes, definitions);
  assert_refused ("workflow", text, "too many links");
}

static void
test_looks_at_settings_around_count (void)
{
  g_autofree char *inner = list_of (8000, "{\"name\": \"x\", \"link\": 1}");
  g_autofree char *many = list_of (8000, "{\"widget\": {\"name\": \"z\"}}");
  g_autofree char *text = g_strdup_printf (
      "{\"nodes\": [{\"id\": 1, \"type\": \"a\", \"inputs\": %s}], \"definitions\": "
      "{\"subgraphs\": [{\"id\": \"a\", \"links\": [[1, -10, 0, 2, 0]], \"nodes\": [{\"id\": 2, "
      "\"type\": \"b\", \"inputs\": %s}]}]}}",
      many, inner);
  assert_refused ("workflow", text, "too many links");
}

static void
test_looks_through_bypassed_nodes_count (void)
{
  g_autofree char *passed = list_of (8000, "{}");
  g_autofree char *inputs = list_of (8000, "{\"name\": \"x\", \"link\": 1}");
  g_autofree char *text =
      g_strdup_printf ("{\"nodes\": [{\"id\": 1, \"type\": \"a\", \"mode\": 4, \"inputs\": %s, "
                       "\"outputs\": [{\"type\": \"MODEL\"}]}, {\"id\": 2, \"type\": \"b\", "
                       "\"inputs\": %s}], \"links\": [[1, 1, 0, 2, 0]]}",
                       passed, inputs);
  assert_refused ("workflow", text, "too many links");
}

/* A small file whose inner settings, opened again and again, would fill the memory. */
static void
test_settings_of_many_copies_count (void)
{
  g_autofree char *copies = list_of (1000, "{\"type\": \"a\"}");
  g_autofree char *values = list_of (3000, "1");
  g_autofree char *inputs = list_of (3000, "{\"widget\": {\"name\": \"x\"}}");
  g_autofree char *text =
      g_strdup_printf ("{\"nodes\": %s, \"definitions\": {\"subgraphs\": [{\"id\": \"a\", "
                       "\"nodes\": [{\"type\": \"b\", \"widgets_values\": %s, \"inputs\": "
                       "%s}]}]}}",
                       copies, values, inputs);
  assert_refused ("workflow", text, "too many links");
}

/* Walking the graph that a workflow gives, or that a file holds, counts, too: each node that saves
 * looks for its sampler. */
static void
test_looks_at_a_graph_count (void)
{
  GString *text = g_string_new ("{\"a\": {\"class_type\": \"x\", \"inputs\": {");
  for (int i = 0; i < 4000; i++)
    g_string_append_printf (text, "%s\"%d\": [\"a\", 0]", i ? "," : "", i);
  g_string_append (text, "}}");
  for (int i = 0; i < 3000; i++)
    g_string_append_printf (
        text, ", \"%d\": {\"class_type\": \"SaveImage\", \"inputs\": {\"i\": [\"a\", 0]}}", i);
  g_autofree char *graph = g_string_free (g_string_append_c (text, '}'), FALSE);
  assert_refused ("prompt", graph, "too many links");
}

static void
test_more_loras_than_a_recipe_holds_are_noted_once (void)
{
  GString *text = g_string_new (
      "{\"1\": {\"class_type\": \"KSampler\", \"inputs\": {\"seed\": 1, \"steps\": 2, \"cfg\": "
      "3, \"model\": [\"2\", 0]}}, \"2\": {\"class_type\": \"Stack\", \"inputs\": {");
  for (int i = 0; i < 500; i++)
    g_string_append_printf (text, "%s\"lora_%d\": \"lora %d\"", i ? "," : "", i, i);
  g_autofree char *graph = g_string_free (g_string_append (text, "}}}"), FALSE);
  Imported im = imported_text ("prompt", graph);
  size_t n_said = 0;
  for (size_t i = 0; i < im.notes.n; i++)
    n_said += strstr (im.notes.items[i], "at most 64 LoRAs") != NULL;
  g_assert_cmpint (n_said, ==, 1);
  g_assert_nonnull (strstr (im.recipe.adapters, "\"lora 63\""));
  g_assert_null (strstr (im.recipe.adapters, "\"lora 64\""));
  imported_clear (&im);
}

/* A name that no file has, and a weight that a recipe cannot hold. */
static void
test_odd_loras_are_noted (void)
{
  g_autofree char *letters = g_strnfill (5000, 'a');
  g_autofree char *text = g_strdup_printf (
      "{\"1\": {\"class_type\": \"KSampler\", \"inputs\": {\"seed\": 1, \"steps\": 2, \"cfg\": "
      "3, \"model\": [\"2\", 0]}}, \"2\": {\"class_type\": \"LoraLoader\", \"inputs\": "
      "{\"lora_name\": \"%s\", \"model\": [\"3\", 0]}}, \"3\": {\"class_type\": \"LoraLoader\", "
      "\"inputs\": {\"lora_name\": \"ink.sft\", \"strength_model\": 1000, \"strength_clip\": "
      "0.5}}}",
      letters);
  Imported im = imported_text ("prompt", text);
  g_assert_cmpstr (im.recipe.adapters, ==, "[{\"name\":\"ink\",\"weight\":1,\"text_weight\":0.5}]");
  assert_note (&im, "aaa... is left out");
  assert_note (&im, "\"ink.sft\" had a weight of 1000, which does not fit: the recipe has 1.");
  imported_clear (&im);
}

static const char two_nodes[] =
    "{\"nodes\": [{\"id\": 1, \"type\": \"CheckpointLoaderSimple\", \"widgets_values\": "
    "[\"m.safetensors\"]}, {\"id\": 2, \"type\": \"KSampler\", \"widgets_values\": [5, \"fixed\", "
    "20, 7, \"euler\", \"normal\", 1], \"inputs\": [{\"name\": \"model\", \"link\": %s}]}], "
    "\"links\": [[%s, 1, 0, 2, 0, \"MODEL\"]]}";

/* Comparing anything else as text takes as long as it is, for every link. */
static void
test_ids_are_numbers_or_short_texts (void)
{
  static const struct
  {
    const char *id;
    bool is;
  } ids[] = { { "7", true }, { "\"7\"", true }, { "[7]", false }, { "{\"a\": 7}", false } };
  for (size_t i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      g_autofree char *text = g_strdup_printf (two_nodes, ids[i].id, ids[i].id);
      Imported im = imported_text ("workflow", text);
      g_assert_cmpstr (im.recipe.model, ==, ids[i].is ? "m.safetensors" : NULL);
      imported_clear (&im);
    }
  g_autofree char *letters = g_strnfill (600, 'a');
  g_autofree char *id = g_strdup_printf ("\"%s\"", letters);
  g_autofree char *text = g_strdup_printf (two_nodes, id, id);
  Imported im = imported_text ("workflow", text);
  g_assert_null (im.recipe.model);
  imported_clear (&im);
}

/* The same of a graph: what is no id would be written out again at every look at the link. */
static void
test_ids_of_a_graph_are_numbers_or_short_texts (void)
{
  g_autofree char *letters = g_strnfill (1100, 'a');
  g_autofree char *quoted = g_strdup_printf ("\"%s\"", letters);
  const struct
  {
    const char *link, *id; /* as json-c writes the former */
    bool is;
  } ids[] = { { "7", "7", true },
              { "\"7:1\"", "7:1", true },
              { "[7]", "[ 7 ]", false },
              { "{\"a\": 7}", "{ \\\"a\\\": 7 }", false },
              { quoted, letters, false } };
  for (size_t i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      g_autofree char *text = g_strdup_printf (
          "{\"1\": {\"class_type\": \"KSampler\", \"inputs\": {\"seed\": 1, \"steps\": 2, "
          "\"cfg\": 3, \"model\": [%s, 0]}}, \"%s\": {\"class_type\": "
          "\"CheckpointLoaderSimple\", \"inputs\": {\"ckpt_name\": \"m.safetensors\"}}}",
          ids[i].link, ids[i].id);
      Imported im = imported_text ("prompt", text);
      g_assert_cmpstr (im.recipe.model, ==, ids[i].is ? "m.safetensors" : NULL);
      imported_clear (&im);
    }
}

/* A mode, or the end of a link, that is a text of a million digits takes as long at every look. */
static void
test_numbers_are_no_long_texts (void)
{
  g_autofree char *zeros = g_strnfill (600, '0');
  g_autofree char *muted = g_strdup_printf ("\"%s2\"", zeros);
  for (int i = 0; i < 2; i++)
    {
      g_autofree char *with = g_strdup_printf ("{\"id\": 1, \"mode\": %s,", i ? muted : "2");
      g_autofree char *plain = g_strdup_printf (two_nodes, "7", "7");
      g_auto (GStrv) parts = g_strsplit (plain, "{\"id\": 1,", 2);
      g_autofree char *text = g_strjoinv (with, parts);
      Imported im = imported_text ("workflow", text);
      g_assert_cmpstr (im.recipe.model, ==, i ? "m.safetensors" : NULL);
      imported_clear (&im);
    }
}

/* An older file lists among the inputs only settings that are linked: which values those are it
 * does not say. */
static void
test_settings_named_in_part_are_noted (void)
{
  static const char form[] =
      "{\"nodes\": [{\"id\": 1, \"type\": \"MyLoader\", \"widgets_values\": %s, \"inputs\": "
      "[{\"name\": \"ckpt_name\", \"widget\": {\"name\": \"ckpt_name\"}}, {\"name\": \"seed\", "
      "\"widget\": {\"name\": \"seed\"}}]}, {\"id\": 2, \"type\": \"KSampler\", "
      "\"widgets_values\": [5, \"fixed\", 20, 7, \"euler\", \"normal\", 1], \"inputs\": "
      "[{\"name\": "
      "\"model\", \"link\": 1}]}], \"links\": [[1, 1, 0, 2, 0, \"MODEL\"]]}";
  g_autofree char *whole = g_strdup_printf (form, "[\"m.safetensors\", 3, \"randomize\"]");
  Imported im = imported_text ("workflow", whole);
  g_assert_cmpstr (im.recipe.model, ==, "m.safetensors");
  for (size_t i = 0; i < im.notes.n; i++)
    g_assert_null (strstr (im.notes.items[i], "have no names"));
  imported_clear (&im);
  g_autofree char *part = g_strdup_printf (form, "[\"fp8\", 3, \"m.safetensors\"]");
  im = imported_text ("workflow", part);
  g_assert_null (im.recipe.model);
  assert_note (&im, "The settings of MyLoader have no names");
  imported_clear (&im);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/recipe/import/workflow/subgraphs", test_subgraphs_are_opened);
  g_test_add_func ("/recipe/import/workflow/damaged", test_damaged_workflows_are_refused);
  g_test_add_func ("/recipe/import/workflow/definitions", test_looks_at_definitions_count);
  g_test_add_func ("/recipe/import/workflow/settings-around", test_looks_at_settings_around_count);
  g_test_add_func ("/recipe/import/workflow/bypassed", test_looks_through_bypassed_nodes_count);
  g_test_add_func ("/recipe/import/workflow/copies", test_settings_of_many_copies_count);
  g_test_add_func ("/recipe/import/graph-looks", test_looks_at_a_graph_count);
  g_test_add_func ("/recipe/import/many-loras", test_more_loras_than_a_recipe_holds_are_noted_once);
  g_test_add_func ("/recipe/import/odd-loras", test_odd_loras_are_noted);
  g_test_add_func ("/recipe/import/workflow/ids", test_ids_are_numbers_or_short_texts);
  g_test_add_func ("/recipe/import/graph-ids", test_ids_of_a_graph_are_numbers_or_short_texts);
  g_test_add_func ("/recipe/import/workflow/numbers", test_numbers_are_no_long_texts);
  g_test_add_func ("/recipe/import/workflow/named-in-part", test_settings_named_in_part_are_noted);
  return g_test_run ();
}
