/* SPDX-License-Identifier: MPL-2.0 */
#include <glib.h>
#include <inttypes.h>
#include <locale.h>
#include <string.h>

#include "core/mem.h"
#include "recipe/adapters.h"
#include "recipe/controls.h"
#include "recipe/recipe.h"

/* A value of each parameter that is not its default, in the table's order of the fixture. */
static const char *const other_values[][2] = {
  { "model", "/models/dreamer_8.safetensors" },
  { "model_2", "/models/low_noise.safetensors" },
  { "vae", "/models/vae/mse.safetensors" },
  { "text_encoder", "/models/clip_l.safetensors" },
  { "text_encoder_2", "/models/t5xxl_fp16.safetensors" },
  { "image_encoder", "/models/clip_vision_h.safetensors" },
  { "tiny_vae", "/models/taesd.safetensors" },
  { "prompt", "a fox, \"quoted\", 狐 🦊\nsecond line" },
  { "negative_prompt", "blurry" },
  { "adapters", "[{\"name\":\"style\",\"weight\":0.8,\"text_weight\":0.6}]" },
  { "seed", "18446744073709551615" },
  { "width", "832" },
  { "height", "1216" },
  { "steps", "25" },
  { "sampler", "dpmpp_2m_sde" },
  { "schedule", "karras" },
  { "guidance_scale", "6.35" },
  { "guidance_rescale", "0.7" },
  { "distilled_guidance", "3.5" },
  { "flow_shift", "0.85" },
  { "max_tokens", "512" },
  { "frames", "81" },
  { "fps", "23.976" },
  { "shift", "12" },
  { "guidance_scale_2", "3.5" },
  { "boundary", "0.875" },
  { "clip_skip", "2" },
  { "denoise", "0.55" },
  { "init_image", "/pictures/start.png" },
  { "mask_image", "/pictures/mask.png" },
  { "mask_blur", "7" },
  { "inpaint_fill", "latent_nothing" },
  { "inpaint_area", "masked" },
  { "inpaint_padding", "48" },
  { "reference_image", "/pictures/reference.png" },
  { "reference_image_2", "/pictures/second.png" },
  { "reference_image_3", "/pictures/third.png" },
  { "reference_image_4", "/pictures/fourth.png" },
  { "reference_places", "index" },
  { "control_image", "/pictures/edges.png" },
  { "controls", "[{\"model\":\"/nets/canny.safetensors\",\"image\":\"/pictures/"
                "fox.png\",\"preprocessor\":\"canny\",\"resize\":\"fill\",\"a\":50,\"b\":150.5,"
                "\"weight\":0.7,\"start\":0.2,\"end\":0.8,\"off\":true}]" },
  { "first_frame", "/pictures/first.png" },
  { "last_frame", "/pictures/last.png" },
  { "extend", "/clips/boat.gclip" },
  { "overlap", "3" },
  { "window", "49" },
  { "batch_count", "3" },
  { "batch_size", "4" },
  { "noise", "nv" },
  { "weighting", "comfyui" },
  { "empty_negative", "zeros" },
  { "convention", "diffusers" },
  { "prediction", "v" },
  { "zero_terminal_snr", "on" },
  { "eta", "0.1" },
  { "precision", "bf16" },
  { "vae_tile", "512" },
  { "model_hash", "879db523c30d3b9017143d56705015e15a2cb5628762c11d086fed9538abd7fd" },
};

static void
fill (Recipe *recipe)
{
  Status status = { 0 };
  recipe_init (recipe);
  for (size_t i = 0; i < G_N_ELEMENTS (other_values); i++)
    g_assert_true (recipe_set (recipe, other_values[i][0], other_values[i][1], &status));
}

static void
assert_text (const Recipe *recipe, const char *key, const char *expected)
{
  Status status = { 0 };
  char *text = recipe_get_text (recipe, key, &status);
  g_assert_cmpstr (text, ==, expected);
  mem_free (text);
}

/* As a recipe of @version holds it: what came later has its default. */
static void
assert_filled_since (const Recipe *recipe, int version)
{
  for (size_t i = 0; i < G_N_ELEMENTS (other_values); i++)
    {
      const RecipeParam *p = recipe_find_param (other_values[i][0]);
      assert_text (recipe, p->key, p->since > version ? p->default_text : other_values[i][1]);
    }
}

static void
assert_filled (const Recipe *recipe)
{
  assert_filled_since (recipe, RECIPE_VERSION);
}

static void
test_table_is_complete_and_consistent (void)
{
  gboolean letters[128] = { FALSE };
  g_assert_cmpint (recipe_table_count (), ==, G_N_ELEMENTS (other_values));
  for (int i = 0; i < recipe_table_count (); i++)
    {
      const RecipeParam *p = &recipe_table ()[i];
      Recipe recipe;
      Status status = { 0 };
      recipe_init (&recipe);
      g_assert_cmpstr (p->key, ==, other_values[i][0]);
      g_assert_true (recipe_find_param (p->key) == p);
      g_assert_true (p->label && *p->label && p->help && g_str_has_suffix (p->help, "."));
      g_assert_null (strstr (p->help, "--")); /* the window shows it, too */
      g_assert_cmpint (p->since, >=, 1);
      g_assert_cmpint (p->since, <=, RECIPE_VERSION);
      g_assert_true (g_ascii_islower (p->flag[0]) && !strchr (p->flag, '_'));
      g_assert_true ((p->type == PARAM_ENUM) == (p->choices != NULL));
      if (p->letter)
        g_assert_false (letters[(int) p->letter]);
      letters[(int) p->letter] = TRUE;
      g_assert_true (param_set (p, &recipe, p->default_text, &status));
      assert_text (&recipe, p->key, p->default_text);
      g_assert_cmpstr (other_values[i][1], !=, p->default_text);
      recipe_clear (&recipe);
    }
}

/* Each choice has its enum constant: the last of each list. */
static void
test_choices_match_their_enums (void)
{
  static const struct
  {
    const char *key, *last;
    int value;
  } lists[] = { { "sampler", "tcd", RECIPE_SAMPLER_TCD },
                { "schedule", "linspace", RECIPE_SCHEDULE_LINSPACE },
                { "inpaint_fill", "fill", RECIPE_INPAINT_FILL },
                { "inpaint_area", "masked", RECIPE_INPAINT_MASKED },
                { "noise", "nv", RECIPE_NOISE_NV },
                { "weighting", "none", RECIPE_WEIGHTING_NONE },
                { "empty_negative", "encode", RECIPE_EMPTY_ENCODE },
                { "convention", "diffusers", RECIPE_CONVENTION_DIFFUSERS },
                { "prediction", "v", RECIPE_PREDICTION_V },
                { "zero_terminal_snr", "off", RECIPE_SNR_OFF },
                { "precision", "fp8", RECIPE_PRECISION_FP8 } };
  for (size_t i = 0; i < G_N_ELEMENTS (lists); i++)
    {
      const RecipeParam *p = recipe_find_param (lists[i].key);
      g_assert_cmpint (param_n_choices (p), ==, lists[i].value + 1);
      g_assert_cmpstr (p->choices[lists[i].value], ==, lists[i].last);
    }
}

static void
test_every_parameter_round_trips_as_text (void)
{
  Recipe recipe, copy;
  Status status = { 0 };
  fill (&recipe);
  assert_filled (&recipe);
  recipe_init (&copy);
  g_assert_true (recipe_copy (&copy, &recipe, &status));
  recipe_clear (&recipe);
  assert_filled (&copy);
  recipe_clear (&copy);
}

static void
test_every_parameter_round_trips_as_json (void)
{
  Recipe recipe, read;
  Status status = { 0 };
  Notes notes = { 0 };
  fill (&recipe);
  char *json = recipe_to_json (&recipe, &status);
  recipe_init (&read);
  g_assert_true (recipe_from_json (&read, json, strlen (json), &notes, &status));
  assert_filled (&read);
  g_assert_cmpint (notes.n, ==, 0);
  char *again = recipe_to_json (&read, &status);
  g_assert_cmpstr (json, ==, again);
  mem_free (json);
  mem_free (again);
  recipe_clear (&recipe);
  recipe_clear (&read);
}

static void
test_fixture_of_each_version_is_read (void)
{
  for (int v = 1; v <= RECIPE_VERSION; v++)
    {
      g_autofree char *path =
          g_strdup_printf ("%s/tests/unit/recipes/v%d.json", g_getenv ("GESSO_SOURCE"), v);
      g_autofree char *json = NULL;
      gsize n;
      Recipe recipe;
      Status status = { 0 };
      Notes notes = { 0 };
      g_assert_true (g_file_get_contents (path, &json, &n, NULL));
      recipe_init (&recipe);
      g_assert_true (recipe_from_json (&recipe, json, n, &notes, &status));
      assert_filled_since (&recipe, v);
      g_assert_cmpint (notes.n, ==, 0);
      recipe_clear (&recipe);
    }
}

static void
test_bad_values_get_a_sentence (void)
{
  static const char *const cases[][3] = {
    { "steps", "1001", "steps has to be a whole number from 0 to 1000, not \"1001\"." },
    { "steps", "2.5", "steps has to be a whole number from 0 to 1000, not \"2.5\"." },
    { "steps", "", "steps has to be a whole number from 0 to 1000, not \"\"." },
    { "steps", "20x", "steps has to be a whole number from 0 to 1000, not \"20x\"." },
    { "batch_size", "0", "batch_size has to be a whole number from 1 to 64, not \"0\"." },
    { "denoise", "1.5", "denoise has to be a number from 0 to 1, not \"1.5\"." },
    { "denoise", "nan", "denoise has to be a number from 0 to 1, not \"nan\"." },
    { "denoise", "0,5", "denoise has to be a number from 0 to 1, not \"0,5\"." },
    { "guidance_scale", "inf", "guidance_scale has to be a number from 0 to 100, not \"inf\"." },
    { "guidance_scale", "0x10", "guidance_scale has to be a number from 0 to 100, not \"0x10\"." },
    { "seed", "-1", "seed has to be a whole number from 0 to 18446744073709551615, not \"-1\"." },
    { "seed", "18446744073709551616",
      "seed has to be a whole number from 0 to 18446744073709551615, not "
      "\"18446744073709551616\"." },
    { "noise", "gpu", "noise has to be one of cpu, nv, not \"gpu\"." },
    { "sampler", "plms",
      "sampler has to be one of auto, euler, euler_a, heun, dpm_2, dpm_2_a, lms, ddim, ddpm, "
      "dpmpp_2s_a, dpmpp_2m, dpmpp_2m_sde, dpmpp_2m_sde_heun, dpmpp_sde, dpmpp_3m_sde, "
      "res_multistep, unipc, unipc_bh2, lcm, tcd, not \"plms\"." },
    { "model", "a\nb", "model contains a line break: rename the file to a name of one line." },
    { "prompt", "\xff", "prompt is not valid UTF-8: use names and text in UTF-8." },
    { "adapters", "{}", "adapters has to be a JSON list of at most 64 objects." },
    { "adapters", "[1]", "adapters has to be a JSON list of at most 64 objects." },
    { "colour", "red",
      "There is no parameter \"colour\": see the list of parameters for its name." },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Recipe recipe;
      Status status = { 0 };
      fill (&recipe);
      g_assert_false (recipe_set (&recipe, cases[i][0], cases[i][1], &status));
      g_assert_cmpstr (status.message, ==, cases[i][2]);
      assert_filled (&recipe); /* nothing has changed */
      recipe_clear (&recipe);
    }
}

static void
test_long_bad_value_is_cut_between_characters (void)
{
  GString *text = g_string_new (NULL);
  Recipe recipe;
  Status status = { 0 };
  for (int i = 0; i < 100; i++)
    g_string_append (text, "狐");
  recipe_init (&recipe);
  g_assert_false (recipe_set (&recipe, "noise", text->str, &status));
  g_assert_true (g_utf8_validate (status.message, -1, NULL));
  g_assert_true (g_str_has_suffix (status.message, "...\"."));
  g_string_free (text, TRUE);
}

static void
test_too_long_text_is_refused (void)
{
  g_autofree char *text = g_strnfill (PARAM_TEXT_MAX_BYTES + 1, 'a');
  Recipe recipe;
  Status status = { 0 };
  recipe_init (&recipe);
  g_assert_false (recipe_set (&recipe, "prompt", text, &status));
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  status = (Status){ 0 };
  text[PARAM_TEXT_MAX_BYTES] = '\0';
  g_assert_true (recipe_set (&recipe, "prompt", text, &status));
  recipe_clear (&recipe);
}

static void
test_bool_parameter (void)
{
  struct
  {
    bool on;
  } record = { false };
  const RecipeParam p = { .key = "on", .type = PARAM_BOOL };
  Status status = { 0 };
  g_assert_true (param_set (&p, &record, "True", &status));
  g_assert_true (record.on);
  char *text = param_get_text (&p, &record, &status);
  g_assert_cmpstr (text, ==, "true");
  mem_free (text);
  g_assert_false (param_set (&p, &record, "yes", &status));
  g_assert_cmpstr (status.message, ==, "on has to be one of true, false, not \"yes\".");
}

static void
test_numbers_do_not_depend_on_the_locale (void)
{
  Recipe recipe;
  Status status = { 0 };
  Notes notes = { 0 };
  if (!setlocale (LC_NUMERIC, "de_DE.UTF-8") && !setlocale (LC_NUMERIC, "fr_FR.UTF-8"))
    {
      g_test_skip ("no locale with a decimal comma is installed");
      return;
    }
  fill (&recipe);
  char *json = recipe_to_json (&recipe, &status);
  g_assert_nonnull (strstr (json, "6.35"));
  g_assert_true (recipe_from_json (&recipe, json, strlen (json), &notes, &status));
  assert_filled (&recipe);
  setlocale (LC_NUMERIC, "C");
  mem_free (json);
  recipe_clear (&recipe);
}

static void
assert_json_refused (const char *json, const char *part)
{
  Recipe recipe;
  Status status = { 0 };
  Notes notes = { 0 };
  fill (&recipe);
  if (recipe_from_json (&recipe, json, strlen (json), &notes, &status))
    g_error ("\"%s\" was accepted", json);
  if (!strstr (status.message, part))
    g_error ("\"%s\" says \"%s\", not \"%s\"", json, status.message, part);
  assert_filled (&recipe);
  notes_clear (&notes);
  recipe_clear (&recipe);
}

static void
test_damaged_json_is_refused (void)
{
  g_autofree char *open = g_strnfill (100, '[');
  g_autofree char *deep = g_strdup_printf ("{\"version\": 1, \"x\": %s", open);
  assert_json_refused ("", "ends too early");
  assert_json_refused ("{\"version\": 1", "ends too early");
  assert_json_refused ("{\"version\": 1} x", "not valid JSON");
  assert_json_refused ("{\"version\": 1,}", "not valid JSON");
  assert_json_refused ("{\"version\": 1, \"prompt\": \"\xff\"}", "not valid JSON");
  assert_json_refused ("[1]", "no JSON object");
  assert_json_refused ("{}", "no version");
  assert_json_refused ("{\"version\": 0}", "no version");
  assert_json_refused ("{\"version\": \"1\"}", "no version");
  assert_json_refused (deep, "nested too deeply");
  assert_json_refused ("{\"version\": 1, \"steps\": \"20\"}",
                       "steps in the recipe has to be a whole number");
  assert_json_refused ("{\"version\": 1, \"steps\": 20.5}",
                       "steps in the recipe has to be a whole number");
  assert_json_refused ("{\"version\": 1, \"steps\": null}", "steps in the recipe has to be");
  assert_json_refused ("{\"version\": 1, \"denoise\": NaN}",
                       "denoise has to be a number from 0 to 1");
  assert_json_refused ("{\"version\": 1, \"prompt\": \"a\\u0000b\"}",
                       "prompt in the recipe has to be a text");
  assert_json_refused ("{\"version\": 1, \"prompt\": [\"a\"]}",
                       "prompt in the recipe has to be a text");
  assert_json_refused ("{\"version\": 1, \"sampler\": \"plms\"}", "has to be one of auto");
}

static void
test_seed_is_exact_or_refused (void)
{
  static const char *const seeds[] = { "0", "9007199254740993", "9223372036854775807",
                                       "9223372036854775808", "18446744073709551615" };
  for (size_t i = 0; i < G_N_ELEMENTS (seeds); i++)
    {
      g_autofree char *json = g_strdup_printf ("{\"version\": 1, \"seed\": %s}", seeds[i]);
      Recipe recipe;
      Status status = { 0 };
      Notes notes = { 0 };
      recipe_init (&recipe);
      g_assert_true (recipe_from_json (&recipe, json, strlen (json), &notes, &status));
      assert_text (&recipe, "seed", seeds[i]);
    }
  assert_json_refused ("{\"version\": 1, \"seed\": 18446744073709551616}", "too large");
  assert_json_refused ("{\"version\": 1, \"seed\": 99999999999999999999999}", "too large");
  assert_json_refused ("{\"version\": 1, \"x\": [-9223372036854775809]}", "too large");
  assert_json_refused ("{\"version\": 1, \"seed\": 1e30}",
                       "seed in the recipe has to be a whole number");
  assert_json_refused ("{\"version\": 1, \"seed\": -1}", "seed has to be");
}

/* Digits in texts and fractions are no integers. */
static void
test_long_digits_elsewhere_are_fine (void)
{
  static const char json[] = "{\"version\": 1, \"prompt\": \"\\\"99999999999999999999999\", "
                             "\"denoise\": 0.1234567890123456789012345, "
                             "\"x\": [-9223372036854775808, 1.5e-000000000000000000000001]}";
  Recipe recipe;
  Status status = { 0 };
  Notes notes = { 0 };
  recipe_init (&recipe);
  if (!recipe_from_json (&recipe, json, strlen (json), &notes, &status))
    g_error ("%s", status.message);
  g_assert_cmpstr (recipe.prompt, ==, "\"99999999999999999999999");
  notes_clear (&notes);
  recipe_clear (&recipe);
}

static void
test_unknown_keys_are_reported_and_kept (void)
{
  static const char json[] = "{\"version\": 99, \"prompt\": \"fox\", \"mood\": {\"warm\": [1, 2]}}";
  Recipe recipe, copy;
  Status status = { 0 };
  Notes notes = { 0 };
  recipe_init (&recipe);
  recipe_init (&copy);
  g_assert_true (recipe_from_json (&recipe, json, strlen (json), &notes, &status));
  g_assert_cmpint (notes.n, ==, 1);
  g_assert_nonnull (strstr (notes.items[0], "\"mood\""));
  g_assert_true (recipe_copy (&copy, &recipe, &status));
  char *out = recipe_to_json (&copy, &status);
  g_assert_nonnull (strstr (out, "\"mood\""));
  g_assert_nonnull (strstr (out, "\"warm\""));
  g_assert_nonnull (strstr (out, "\"version\":7"));
  mem_free (out);
  notes_clear (&notes);
  recipe_clear (&recipe);
  recipe_clear (&copy);
}

static void
assert_invalid (const char *key, const char *value, const char *sentence)
{
  Recipe recipe;
  Status status = { 0 };
  fill (&recipe);
  recipe_set (&recipe, "seed", "7", &status);
  g_assert_true (recipe_set (&recipe, key, value, &status));
  g_assert_false (recipe_validate (&recipe, &status));
  if (!strstr (status.message, sentence))
    g_error ("%s=%s says \"%s\"", key, value, status.message);
  recipe_clear (&recipe);
}

static void
test_validate_checks_what_belongs_together (void)
{
  Recipe recipe;
  Status status = { 0 };
  fill (&recipe);
  recipe_set (&recipe, "seed", "7", &status);
  g_assert_true (recipe_validate (&recipe, &status));
  recipe_clear (&recipe);
  assert_invalid ("model", "", "No model is chosen");
  assert_invalid ("width", "836", "try 840 x 1216");
  assert_invalid ("height", "0", "Only one of width and height");
  assert_invalid ("denoise", "0", "set it above 0");
  assert_invalid ("init_image", "", "there is no init_image");
  assert_invalid ("seed", "18446744073709551605", "The seeds of 12 pictures from");
  assert_invalid ("eta", "-0.5", "eta has to be -1");
  assert_invalid ("vae_tile", "8", "vae_tile has to be 0 or a multiple of 8 from 64 on");
  status_set_in_window (true);
  assert_invalid ("vae_tile", "8", "VAE tile has to be 0 or a multiple of 8 from 64 on");
  assert_invalid ("init_image", "", "Denoise is below 1 but there is no Initial image");
  status_set_in_window (false);
  fill (&recipe);
  recipe_set (&recipe, "seed", "7", &status);
  recipe_set (&recipe, "init_image", "", &status);
  recipe_set (&recipe, "denoise", "1", &status);
  g_assert_false (recipe_validate (&recipe, &status));
  g_assert_nonnull (strstr (status.message, "a mask_image but no init_image"));
  status = (Status){ 0 };
  recipe_clear (&recipe);
  fill (&recipe);
  recipe_set (&recipe, "seed", "18446744073709551612", &status);
  recipe_set (&recipe, "batch_count", "1", &status);
  g_assert_true (recipe_validate (&recipe, &status)); /* the last of 4 seeds is still one */
  recipe_clear (&recipe);
}

static bool
work_with_memory (Status *status)
{
  Recipe recipe, copy;
  Notes notes = { 0 };
  recipe_init (&recipe);
  recipe_init (&copy);
  bool ok =
      recipe_set (&recipe, "prompt", "fox", status) && recipe_set (&recipe, "model", "m", status);
  char *json = ok ? recipe_to_json (&recipe, status) : NULL;
  ok = json && recipe_from_json (&copy, json, strlen (json), &notes, status);
  static const char newer[] = "{\"version\": 2, \"x\": 1, \"prompt\": \"y\"}";
  ok = ok && recipe_from_json (&copy, newer, strlen (newer), &notes, status) &&
       recipe_copy (&recipe, &copy, status);
  mem_free (json);
  json = ok ? recipe_to_json (&recipe, status) : NULL;
  ok = json != NULL;
  mem_free (json);
  notes_clear (&notes);
  recipe_clear (&recipe);
  recipe_clear (&copy);
  return ok;
}

static void
test_every_allocation_may_fail (void)
{
  Status status = { 0 };
  mem_fail_at (0);
  g_assert_true (work_with_memory (&status));
  int64_t n = mem_count ();
  g_assert_cmpint (n, >, 20);
  for (int64_t i = 1; i <= n; i++)
    {
      status = (Status){ 0 };
      mem_fail_at (i);
      g_assert_false (work_with_memory (&status));
      g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
    }
  mem_fail_at (0);
}

static void
assert_controls_refused (const char *json, const char *sentence)
{
  Recipe recipe;
  RecipeControls list = { .n = 0 };
  Status status = { 0 };
  recipe_init (&recipe);
  g_assert_true (recipe_set (&recipe, "controls", json, &status));
  g_assert_false (recipe_controls_read (&list, &recipe, &status));
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  g_assert_cmpstr (status.message, ==, sentence);
  g_assert_cmpint (list.n, ==, 0);
  recipe_clear (&recipe);
}

static void
test_controls_are_checked (void)
{
  assert_controls_refused (
      "[{\"weight\": 11}]",
      "weight of ControlNet 1 in the recipe has to be a number from -10 to 10.");
  assert_controls_refused ("[{}, {\"start\": \"x\"}]",
                           "start of ControlNet 2 in the recipe has to be a number from 0 to 1.");
  assert_controls_refused (
      "[{\"preprocessor\": \"hed\"}]",
      "preprocessor of ControlNet 1 in the recipe has to be one of its choices.");
  assert_controls_refused ("[{\"model\": 3}]",
                           "model of ControlNet 1 in the recipe has to be a text.");
  assert_controls_refused ("[{\"off\": 1}]",
                           "off of ControlNet 1 in the recipe has to be true or false.");
  assert_controls_refused (
      "[{\"start\": 0.5, \"end\": 0.5}]",
      "ControlNet 1 in the recipe ends at 0.5 of the steps, before it starts at 0.5.");
  assert_controls_refused ("[{},{},{},{},{},{},{},{},{}]",
                           "At most 8 ControlNets go into one picture.");
}

static void
assert_adapters_refused (const char *json, const char *sentence)
{
  Recipe recipe;
  RecipeAdapters list = { 0 };
  Status status = { 0 };
  recipe_init (&recipe);
  g_assert_true (recipe_set (&recipe, "adapters", json, &status));
  g_assert_false (recipe_adapters_read (&list, &recipe, &status));
  g_assert_cmpstr (status.message, ==, sentence);
  g_assert_null (list.items);
  recipe_clear (&recipe);
}

static void
test_adapters_are_checked (void)
{
  assert_adapters_refused (
      "[{\"name\": \"a\"}, {\"name\": \"b\", \"text_weight\": -101}]",
      "text_weight of adapter 2 in the recipe has to be a number from -100 to 100.");
  assert_adapters_refused ("[{\"name\": 1}]", "name of adapter 1 in the recipe has to be a text.");
  assert_adapters_refused ("[{}]", "name of adapter 1 in the recipe has to be given, or a path.");
  assert_adapters_refused ("[{\"name\": \"a\", \"muted\": 1}]",
                           "muted of adapter 1 in the recipe has to be true or false.");
}

static void
test_controls_round_trip (void)
{
  Recipe recipe;
  RecipeControls list = { .n = 0 };
  Status status = { 0 };
  fill (&recipe);
  g_assert_true (recipe_controls_read (&list, &recipe, &status));
  g_assert_cmpint (list.n, ==, 1);
  const RecipeControl *c = &list.items[0];
  g_assert_cmpstr (c->image, ==, "/pictures/fox.png");
  g_assert_cmpint (c->preprocess, ==, RECIPE_PREPROCESS_CANNY);
  g_assert_cmpint (c->resize, ==, RECIPE_RESIZE_FILL);
  g_assert_cmpfloat (c->b, ==, 150.5);
  g_assert_true (c->off);
  g_assert_true (recipe_controls_write (&list, &recipe, &status));
  assert_filled (&recipe);
  recipe_controls_remove (&list, 0);
  g_assert_true (recipe_controls_write (&list, &recipe, &status));
  g_assert_null (recipe.controls);
  recipe_controls_clear (&list);
  recipe_clear (&recipe);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/recipe/controls/checked", test_controls_are_checked);
  g_test_add_func ("/recipe/adapters/checked", test_adapters_are_checked);
  g_test_add_func ("/recipe/controls/round-trip", test_controls_round_trip);
  g_test_add_func ("/recipe/table/complete", test_table_is_complete_and_consistent);
  g_test_add_func ("/recipe/table/choices-match-enums", test_choices_match_their_enums);
  g_test_add_func ("/recipe/set/round-trip", test_every_parameter_round_trips_as_text);
  g_test_add_func ("/recipe/set/bad-values", test_bad_values_get_a_sentence);
  g_test_add_func ("/recipe/set/long-bad-value", test_long_bad_value_is_cut_between_characters);
  g_test_add_func ("/recipe/set/too-long", test_too_long_text_is_refused);
  g_test_add_func ("/recipe/set/bool", test_bool_parameter);
  g_test_add_func ("/recipe/set/locale", test_numbers_do_not_depend_on_the_locale);
  g_test_add_func ("/recipe/json/round-trip", test_every_parameter_round_trips_as_json);
  g_test_add_func ("/recipe/json/fixtures", test_fixture_of_each_version_is_read);
  g_test_add_func ("/recipe/json/damaged", test_damaged_json_is_refused);
  g_test_add_func ("/recipe/json/seed-exact", test_seed_is_exact_or_refused);
  g_test_add_func ("/recipe/json/long-digits", test_long_digits_elsewhere_are_fine);
  g_test_add_func ("/recipe/json/unknown-keys", test_unknown_keys_are_reported_and_kept);
  g_test_add_func ("/recipe/validate", test_validate_checks_what_belongs_together);
  g_test_add_func ("/recipe/memory/every-allocation-may-fail", test_every_allocation_may_fail);
  return g_test_run ();
}
