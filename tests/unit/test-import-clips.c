/* SPDX-License-Identifier: MPL-2.0 */
#include <glib.h>
#include <string.h>

#include "core/mem.h"
#include "support/imported.h"

/* A level of ComfyUI's shifted list of 1000. */
static double
level (int i, double shift)
{
  double t = i / 1000.0;
  return shift * t / (1 + (shift - 1) * t);
}

static void
assert_two_passes (const Imported *im)
{
  const Recipe *r = &im->recipe;
  g_assert_cmpint (im->source, ==, IMPORT_COMFYUI);
  g_assert_cmpstr (r->model, ==, "wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors");
  g_assert_cmpstr (r->model_2, ==, "wan2.2_t2v_low_noise_14B_fp8_scaled.safetensors");
  g_assert_cmpstr (r->vae, ==, "wan_2.1_vae.safetensors");
  g_assert_cmpstr (r->prompt, ==, "a paper boat on a canal");
  g_assert_cmpstr (r->negative_prompt, ==, "still, grey");
  g_assert_cmpuint (r->seed, ==, 774388746670969);
  g_assert_cmpint (r->steps, ==, 20);
  g_assert_cmpint (r->width, ==, 832);
  g_assert_cmpint (r->height, ==, 480);
  g_assert_cmpint (r->frames, ==, 49);
  g_assert_cmpfloat (r->fps, ==, 16);
  g_assert_cmpfloat (r->shift, ==, 8);
  g_assert_cmpfloat (r->guidance_scale, ==, 3.5);
  g_assert_cmpfloat (r->guidance_scale_2, ==, 3);
  g_assert_cmpint (r->sampler, ==, RECIPE_SAMPLER_EULER);
  g_assert_cmpint (r->schedule, ==, RECIPE_SCHEDULE_SIMPLE);
  /* the ten steps of the first model begin at 1000, 950, ... 550, the second one's at 500 */
  g_assert_cmpfloat (r->boundary, <, level (550, 8));
  g_assert_cmpfloat (r->boundary, >, level (500, 8));
  g_assert_cmpstr (r->adapters, ==,
                   "[{\"name\":\"paper\",\"weight\":0.8,\"text_weight\":0.8},"
                   "{\"name\":\"style/grain_low_noise\",\"weight\":0.5,\"text_weight\":0.5}]");
  assert_n_notes (im, 0);
}

static void
test_two_passes_are_two_experts (void)
{
  Imported im = imported_file ("prompt", "wan22-t2v.prompt.json");
  assert_two_passes (&im);
  imported_clear (&im);
}

static void
test_workflow_says_the_same (void)
{
  Imported im = imported_file ("workflow", "wan22-t2v.workflow.json");
  assert_two_passes (&im);
  imported_clear (&im);
}

/* VideoHelperSuite puts both forms as one JSON into the comment, a graph as JSON or as its text. */
static void
test_film_comment (void)
{
  g_autofree char *graph = imported_graph ("wan22-t2v.prompt.json");
  g_autofree char *workflow = imported_graph ("wan22-t2v.workflow.json");
  g_autofree char *both = g_strdup_printf (
      "{\"prompt\": %s, \"workflow\": %s, \"CreationTime\": \"x\"}", graph, workflow);
  Imported im = imported_text ("comment", both);
  assert_two_passes (&im);
  imported_clear (&im);
  g_auto (GStrv) lines = g_strsplit (graph, "\n", -1);
  g_autofree char *line = g_strjoinv (" ", lines);
  g_autofree char *quoted = g_strescape (line, NULL);
  g_autofree char *text = g_strdup_printf ("{\"prompt\": \"%s\"}", quoted);
  im = imported_text ("comment", text);
  assert_two_passes (&im);
  imported_clear (&im);
}

static void
test_saved_files (void)
{
  static const char *const names[] = { "wan22-t2v.prompt.json", "wan22-t2v.workflow.json" };
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    {
      Imported im = imported_file ("json", names[i]);
      assert_two_passes (&im);
      imported_clear (&im);
    }
}

static void
test_adapters_of_one_expert_keep_to_its_steps (void)
{
  Imported im = imported_file ("prompt", "wan22-i2v-fast.prompt.json");
  g_assert_cmpstr (im.recipe.model, ==, "Wan2.2-I2V-A14B-HighNoise-Q4_K_M.gguf");
  g_assert_cmpstr (im.recipe.model_2, ==, "Wan2.2-I2V-A14B-LowNoise-Q4_K_M.gguf");
  g_assert_cmpint (im.recipe.steps, ==, 4);
  g_assert_cmpint (im.recipe.frames, ==, 81);
  g_assert_cmpint (im.recipe.height, ==, 832);
  g_assert_cmpfloat (im.recipe.guidance_scale, ==, 1);
  g_assert_cmpfloat (im.recipe.guidance_scale_2, ==, 1);
  g_assert_cmpfloat (im.recipe.fps, ==, 16); /* 32, every second one made between others */
  g_assert_cmpfloat (im.recipe.shift, ==, 8);
  g_assert_cmpfloat (im.recipe.boundary, <, level (750, 8));
  g_assert_cmpfloat (im.recipe.boundary, >, level (500, 8));
  g_assert_cmpstr (im.recipe.adapters, ==,
                   "[{\"name\":\"camera\",\"steps\":\"1-2\",\"weight\":0.7,\"text_weight\":0.7},"
                   "{\"name\":\"few_steps\",\"steps\":\"1-2\",\"weight\":3,\"text_weight\":3},"
                   "{\"name\":\"few_steps\",\"steps\":\"3-\",\"weight\":1,\"text_weight\":1}]");
  assert_note (&im,
               "The LoRA \"camera\" was on one of the two models only: it acts on the steps 1-2");
  assert_note (&im, "\"few_steps\" had a weight for each model: it acts with 3 on the steps 1-2");
  assert_note (&im, "\"few_steps\" had a weight for each model: it acts with 1 on the steps 3-");
  assert_note (&im, "It begins with the picture \"portrait.png\"");
  assert_note (&im, "RIFE VFI is left out");
  assert_note (&im, "pingpong is left out");
  assert_n_notes (&im, 6);
  imported_clear (&im);
}

static void
test_first_and_last_frame (void)
{
  Imported im = imported_file ("prompt", "wan21-flf.prompt.json");
  g_assert_cmpstr (im.recipe.prompt, ==, "dawn to dusk");
  g_assert_cmpstr (im.recipe.negative_prompt, ==, "flicker");
  g_assert_null (im.recipe.model_2);
  g_assert_cmpint (im.recipe.frames, ==, 33);
  g_assert_cmpfloat (im.recipe.fps, ==, 24);
  g_assert_cmpfloat (im.recipe.shift, ==, 16);
  g_assert_cmpfloat (im.recipe.boundary, ==, -1);
  g_assert_cmpint (im.recipe.sampler, ==, RECIPE_SAMPLER_UNIPC);
  assert_note (&im, "It begins with the picture \"dawn.png\"");
  assert_note (&im, "It ends with the picture \"dusk.png\"");
  assert_note (&im, "turned the model's weights into fp8_e4m3fn");
  assert_n_notes (&im, 3);
  imported_clear (&im);
}

static void
test_five_billion (void)
{
  Imported im = imported_file ("prompt", "wan22-5b.prompt.json");
  g_assert_cmpint (im.recipe.frames, ==, 121);
  g_assert_cmpint (im.recipe.width, ==, 1280);
  g_assert_cmpfloat (im.recipe.fps, ==, 24);
  g_assert_cmpfloat (im.recipe.shift, ==, 8); /* what ComfyUI does where no node says it */
  assert_note (&im, "It begins with the picture \"fox.png\"");
  assert_n_notes (&im, 1);
  imported_clear (&im);
}

static void
test_split_noise_levels (void)
{
  Imported im = imported_file ("prompt", "wan22-split.prompt.json");
  g_assert_cmpstr (im.recipe.model_2, ==, "wan_low.safetensors");
  g_assert_cmpfloat (im.recipe.guidance_scale, ==, 3.5);
  g_assert_cmpfloat (im.recipe.guidance_scale_2, ==, 1);
  g_assert_cmpint (im.recipe.schedule, ==, RECIPE_SCHEDULE_BETA);
  g_assert_cmpuint (im.recipe.seed, ==, 11);
  g_assert_cmpfloat (im.recipe.fps, ==, 16);
  /* beta quantiles 6/8 and 5/8 of 0.6, 0.6: levels 0.8436 and 0.6799 of the list (scipy) */
  g_assert_cmpfloat (im.recipe.boundary, <, level (844, 8));
  g_assert_cmpfloat (im.recipe.boundary, >, level (679, 8));
  assert_note (&im,
               "prompt of the second model was another one, which is left out: \"heavy rain\"");
  assert_n_notes (&im, 1);
  imported_clear (&im);
}

/* Kijai's WanVideoWrapper: other nodes, Wan's own schedules. */
static void
test_wan_wrapper (void)
{
  Imported im = imported_file ("prompt", "wan22-wrapper.prompt.json");
  g_assert_cmpstr (im.recipe.model, ==, "Wan2_2-T2V-A14B-HIGH_fp8.safetensors");
  g_assert_cmpstr (im.recipe.model_2, ==, "Wan2_2-T2V-A14B-LOW_fp8.safetensors");
  g_assert_cmpstr (im.recipe.vae, ==, "Wan2_1_VAE_bf16.safetensors");
  g_assert_cmpstr (im.recipe.prompt, ==, "waves");
  g_assert_cmpstr (im.recipe.negative_prompt, ==, "blur");
  g_assert_cmpint (im.recipe.frames, ==, 81);
  g_assert_cmpint (im.recipe.width, ==, 832);
  g_assert_cmpint (im.recipe.steps, ==, 8);
  g_assert_cmpuint (im.recipe.seed, ==, 43);
  g_assert_cmpfloat (im.recipe.shift, ==, 5);
  g_assert_cmpfloat (im.recipe.fps, ==, 16);
  g_assert_cmpfloat (im.recipe.guidance_scale, ==, 3);
  g_assert_cmpfloat (im.recipe.guidance_scale_2, ==, 1);
  g_assert_cmpint (im.recipe.sampler, ==, RECIPE_SAMPLER_EULER);
  g_assert_cmpint (im.recipe.convention, ==, RECIPE_CONVENTION_DIFFUSERS);
  /* of diffusers' list the fourth and the fifth level lie on either side of 0.8 */
  g_assert_cmpfloat (im.recipe.boundary, <, 0.9);
  g_assert_cmpfloat (im.recipe.boundary, >, 0.7);
  g_assert_cmpstr (im.recipe.adapters, ==,
                   "[{\"name\":\"paper\",\"weight\":0.6,\"text_weight\":0.6},"
                   "{\"name\":\"fast_low\",\"weight\":1,\"text_weight\":1}]");
  assert_note (&im, "WanVideoTeaCache is left out");
  assert_n_notes (&im, 1);
  imported_clear (&im);
}

/* Of the wrapper, too: several LoRAs in one node, and prompts from ComfyUI's own encoders. */
static void
test_wan_wrapper_with_other_nodes (void)
{
  Imported im = imported_file ("prompt", "wan-wrapper-bridge.prompt.json");
  g_assert_cmpstr (im.recipe.prompt, ==, "tall waves");
  g_assert_cmpstr (im.recipe.negative_prompt, ==, "blur");
  g_assert_cmpstr (im.recipe.adapters, ==,
                   "[{\"name\":\"paper\",\"weight\":0.6,\"text_weight\":0.6},"
                   "{\"name\":\"styles/grain\",\"weight\":0.25,\"text_weight\":0.25},"
                   "{\"name\":\"last\",\"weight\":1,\"text_weight\":1},"
                   "{\"name\":\"first\",\"weight\":2,\"text_weight\":2}]");
  assert_note (&im, "WanVideoApplyNAG is left out");
  assert_n_notes (&im, 1);
  imported_clear (&im);
}

/* A workflow whose inputs do not name settings: those of the nodes that are known. */
static void
test_loras_of_the_wrapper_in_a_workflow (void)
{
  Imported im = imported_text (
      "workflow",
      "{\"nodes\": [{\"id\": 1, \"type\": \"WanVideoLoraSelectMulti\", \"widgets_values\": "
      "[\"a.safetensors\", 0.5, \"c.safetensors\", \"strong\", \"none\", 1, \"none\", 1, "
      "\"b.safetensors\", 2, false, true]}, {\"id\": 2, \"type\": \"WanVideoModelLoader\", "
      "\"inputs\": [{\"name\": "
      "\"lora\", \"link\": 1}, {\"name\": \"model\", \"widget\": {\"name\": \"model\"}}], "
      "\"widgets_values\": [\"m.safetensors\"]}, {\"id\": 3, \"type\": \"KSampler\", "
      "\"widgets_values\": [5, \"fixed\", 20, 7, \"euler\", \"normal\", 1], \"inputs\": "
      "[{\"name\": \"model\", \"link\": 2}]}], \"links\": [[1, 1, 0, 2, 0], [2, 2, 0, 3, 0]]}");
  g_assert_cmpstr (im.recipe.model, ==, "m.safetensors");
  g_assert_cmpstr (im.recipe.adapters, ==,
                   "[{\"name\":\"a\",\"weight\":0.5,\"text_weight\":0.5},"
                   "{\"name\":\"c\",\"weight\":1,\"text_weight\":1},"
                   "{\"name\":\"b\",\"weight\":2,\"text_weight\":2}]");
  assert_note (&im, "\"c.safetensors\" had a weight of strong, which does not fit");
  imported_clear (&im);
}

/* Noise levels parted at an end leave one of the models nothing to do. */
static void
test_split_at_an_end_is_one_model (void)
{
  static const struct
  {
    const char *step;
    bool second; /* draws all of it */
  } cases[] = { { "\"step\": 0", true },
                { "\"step\": -2", true },
                { "\"step\": 8", false },
                { "\"step\": 9000000000", false } };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *graph = imported_graph ("wan22-split.prompt.json");
      g_auto (GStrv) parts = g_strsplit (graph, "\"step\": 3", -1);
      g_autofree char *text = g_strjoinv (cases[i].step, parts);
      Imported im = imported_text ("prompt", text);
      bool second = cases[i].second;
      g_assert_cmpstr (im.recipe.model, ==,
                       second ? "wan_low.safetensors" : "wan_high.safetensors");
      g_assert_null (im.recipe.model_2);
      g_assert_cmpstr (im.recipe.prompt, ==, second ? "heavy rain" : "rain");
      g_assert_cmpfloat (im.recipe.guidance_scale, ==, second ? 1 : 3.5);
      g_assert_cmpfloat (im.recipe.boundary, ==, -1);
      g_assert_cmpint (im.recipe.steps, ==, 8);
      g_assert_cmpuint (im.recipe.seed, ==, 11);
      g_assert_null (im.recipe.adapters);
      assert_note (&im, second ? "The first model, wan_high.safetensors, drew none of the steps"
                               : "The second model, wan_low.safetensors, drew none of the steps");
      assert_n_notes (&im, 1);
      imported_clear (&im);
    }
}

/* Passes of one model, or of pictures, are no experts. */
static void
test_other_second_passes_stay_notes (void)
{
  g_autofree char *graph = imported_graph ("wan22-t2v.prompt.json");
  g_auto (GStrv) parts = g_strsplit (graph, "t2v_low_noise", -1);
  g_autofree char *same = g_strjoinv ("t2v_high_noise", parts);
  Imported im = imported_text ("prompt", same);
  g_assert_null (im.recipe.model_2);
  assert_note (&im, "A second pass (KSamplerAdvanced");
  assert_note (&im, "Only a part of the steps was drawn by this pass (0 to 10)");
  imported_clear (&im);
}

static bool
import_all (Status *status)
{
  static const char *const names[][2] = { { "prompt", "wan22-i2v-fast.prompt.json" },
                                          { "workflow", "subgraph.workflow.json" } };
  bool ok = true;
  for (size_t i = 0; ok && i < G_N_ELEMENTS (names); i++)
    {
      Recipe recipe;
      Notes notes = { 0 };
      ImportSource source;
      g_autofree char *text = imported_graph (names[i][1]);
      recipe_init (&recipe);
      ok = import_recipe (&recipe, &(ImportText){ names[i][0], text }, 1, &source, &notes, status);
      notes_clear (&notes);
      recipe_clear (&recipe);
    }
  return ok;
}

static void
test_every_allocation_may_fail (void)
{
  Status status = { 0 };
  mem_fail_at (0);
  g_assert_true (import_all (&status));
  int64_t n = mem_count ();
  g_assert_cmpint (n, >, 30);
  for (int64_t i = 1; i <= n; i++)
    {
      status = (Status){ 0 };
      mem_fail_at (i);
      g_assert_false (import_all (&status));
      g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
    }
  mem_fail_at (0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/recipe/import/clips/two-experts", test_two_passes_are_two_experts);
  g_test_add_func ("/recipe/import/clips/workflow", test_workflow_says_the_same);
  g_test_add_func ("/recipe/import/clips/film-comment", test_film_comment);
  g_test_add_func ("/recipe/import/clips/saved-files", test_saved_files);
  g_test_add_func ("/recipe/import/clips/adapters", test_adapters_of_one_expert_keep_to_its_steps);
  g_test_add_func ("/recipe/import/clips/first-and-last", test_first_and_last_frame);
  g_test_add_func ("/recipe/import/clips/5b", test_five_billion);
  g_test_add_func ("/recipe/import/clips/split", test_split_noise_levels);
  g_test_add_func ("/recipe/import/clips/split-at-an-end", test_split_at_an_end_is_one_model);
  g_test_add_func ("/recipe/import/clips/wan-wrapper", test_wan_wrapper);
  g_test_add_func ("/recipe/import/clips/wan-wrapper-others", test_wan_wrapper_with_other_nodes);
  g_test_add_func ("/recipe/import/clips/wan-wrapper-workflow",
                   test_loras_of_the_wrapper_in_a_workflow);
  g_test_add_func ("/recipe/import/clips/other-passes", test_other_second_passes_stay_notes);
  g_test_add_func ("/recipe/import/clips/memory", test_every_allocation_may_fail);
  return g_test_run ();
}
