/* SPDX-License-Identifier: MPL-2.0 */
#include <glib.h>
#include <string.h>

#include "core/mem.h"
#include "recipe/infotext.h"

typedef struct
{
  Recipe recipe;
  Notes notes;
} Parsed;

static Parsed
parse (const char *text)
{
  Parsed p = { .notes = { 0 } };
  Status status = { 0 };
  recipe_init (&p.recipe);
  if (!infotext_parse (&p.recipe, text, &p.notes, &status))
    g_error ("%s", status.message);
  return p;
}

static void
done (Parsed *p)
{
  recipe_clear (&p->recipe);
  notes_clear (&p->notes);
}

static gboolean
has_note (const Parsed *p, const char *part)
{
  for (size_t i = 0; i < p->notes.n; i++)
    if (strstr (p->notes.items[i], part))
      return TRUE;
  return FALSE;
}

static void
assert_value (const Recipe *recipe, const char *key, const char *expected)
{
  Status status = { 0 };
  char *text = recipe_get_text (recipe, key, &status);
  g_assert_cmpstr (text, ==, expected);
  mem_free (text);
}

#define SETTINGS                                                                                   \
  "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 965400086, Size: 512x768, Model hash: "        \
  "45dee52b"

static void
test_reads_the_usual_text (void)
{
  Parsed p = parse ("a cat,\n(sitting:1.2)\nNegative prompt: dog\nbird\n" SETTINGS
                    ", Model: v1-5, VAE: mse.pt, Clip skip: 2, Version: v1.10.1");
  g_assert_cmpstr (p.recipe.prompt, ==, "a cat,\n(sitting:1.2)");
  g_assert_cmpstr (p.recipe.negative_prompt, ==, "dog\nbird");
  g_assert_cmpint (p.recipe.steps, ==, 20);
  g_assert_cmpint (p.recipe.sampler, ==, RECIPE_SAMPLER_EULER_A);
  g_assert_cmpint (p.recipe.schedule, ==, RECIPE_SCHEDULE_NORMAL);
  g_assert_cmpfloat (p.recipe.guidance_scale, ==, 7);
  g_assert_cmpuint (p.recipe.seed, ==, 965400086);
  g_assert_cmpint (p.recipe.width, ==, 512);
  g_assert_cmpint (p.recipe.height, ==, 768);
  g_assert_cmpstr (p.recipe.model_hash, ==, "45dee52b");
  g_assert_cmpstr (p.recipe.model, ==, "v1-5");
  g_assert_cmpstr (p.recipe.vae, ==, "mse.pt");
  g_assert_cmpint (p.recipe.clip_skip, ==, 2);
  g_assert_cmpint (p.recipe.noise, ==, RECIPE_NOISE_NV); /* a missing RNG means the GPU's */
  g_assert_cmpint (p.recipe.weighting, ==, RECIPE_WEIGHTING_A1111);
  g_assert_cmpint (p.notes.n, ==, 0);
  done (&p);
}

/* As Forge writes FLUX's pictures. */
static void
test_reads_forge_flux (void)
{
  Parsed p =
      parse ("a fox (in snow)\nSteps: 20, Sampler: Euler, Schedule type: Simple, CFG scale: 1, "
             "Distilled CFG Scale: 3.5, Seed: 7, Size: 1024x1024, Model: flux1-dev, "
             "Version: f2.0.1v1.10.1");
  g_assert_cmpfloat (p.recipe.guidance_scale, ==, 1);
  g_assert_cmpfloat (p.recipe.distilled_guidance, ==, 3.5);
  g_assert_cmpint (p.recipe.schedule, ==, RECIPE_SCHEDULE_SIMPLE);
  g_assert_cmpint (p.notes.n, ==, 0);
  Status status = { 0 };
  char *text = infotext_write (&p.recipe, &status);
  g_assert_nonnull (strstr (text, "CFG scale: 1, Distilled CFG Scale: 3.5"));
  mem_free (text);
  done (&p);
}

/* A prompt may say "Steps: 5": only the last line counts. */
static void
test_prompt_may_look_like_settings (void)
{
  Parsed p = parse ("Steps: 5, Sampler: DDIM, CFG scale: 3, stairs\n" SETTINGS);
  g_assert_cmpstr (p.recipe.prompt, ==, "Steps: 5, Sampler: DDIM, CFG scale: 3, stairs");
  g_assert_cmpint (p.recipe.steps, ==, 20);
  done (&p);
}

static void
test_fewer_than_three_pairs_belong_to_the_prompt (void)
{
  Parsed p = parse ("a cat\nSteps: 20, Seed: 3");
  g_assert_cmpstr (p.recipe.prompt, ==, "a cat\nSteps: 20, Seed: 3");
  g_assert_cmpint (p.recipe.steps, ==, 0);
  g_assert_true (has_note (&p, "no line of settings"));
  done (&p);
  p = parse ("a cat\nSteps: 20, Seed: 3, CFG scale: 4");
  g_assert_cmpstr (p.recipe.prompt, ==, "a cat");
  g_assert_cmpint (p.recipe.steps, ==, 20);
  done (&p);
}

static void
test_negative_mark_counts_at_line_start_only (void)
{
  Parsed p = parse ("a sign: Negative prompt: x\n" SETTINGS);
  g_assert_cmpstr (p.recipe.prompt, ==, "a sign: Negative prompt: x");
  g_assert_null (p.recipe.negative_prompt);
  done (&p);
  p = parse ("Negative prompt: only this\n" SETTINGS);
  g_assert_null (p.recipe.prompt);
  g_assert_cmpstr (p.recipe.negative_prompt, ==, "only this");
  done (&p);
}

static void
test_windows_line_ends_and_empty_text (void)
{
  Parsed p = parse ("a cat\r\nNegative prompt: dog\r\n" SETTINGS "\r\n");
  g_assert_cmpstr (p.recipe.prompt, ==, "a cat");
  g_assert_cmpstr (p.recipe.negative_prompt, ==, "dog");
  done (&p);
  p = parse ("");
  g_assert_null (p.recipe.prompt);
  done (&p);
}

static void
test_quoted_values (void)
{
  Parsed p =
      parse ("x\n" SETTINGS ", Model: \"a, \\\"b\\\": c\\n\\u72d0\", VAE: \"open, Clip skip: 3");
  g_assert_true (
      has_note (&p, "model contains a line break")); /* unescaped, then refused as a path */
  g_assert_cmpstr (p.recipe.vae, ==, "\"open");
  g_assert_cmpint (p.recipe.clip_skip, ==, 3);
  done (&p);
  p = parse (
      "x\n" SETTINGS
      ", Model: \"a, \\\"b\\\": \\u72d0\", Lora hashes: \"one: 0123, two: 4567\", Clip skip: 3");
  g_assert_cmpstr (p.recipe.model, ==, "a, \"b\": 狐");
  g_assert_cmpint (p.recipe.clip_skip, ==, 3);
  g_assert_nonnull (strstr (p.recipe.adapters, "\"name\":\"one\",\"autov3\":\"0123\""));
  g_assert_nonnull (strstr (p.recipe.adapters, "\"name\":\"two\",\"autov3\":\"4567\""));
  done (&p);
}

static void
test_civitai_arrays_do_not_break_the_line (void)
{
  Parsed p = parse (
      "x\n" SETTINGS
      ", Civitai resources: [{\"type\":\"lora\",\"weight\":0.8,\"modelName\":\"a ] b, Steps: 3\"},"
      "{\"air\":\"urn:air:sdxl:lora:civitai:1@2\"}], Civitai metadata: {\"remixOfId\":1}, Clip "
      "skip: 2");
  g_assert_cmpint (p.recipe.steps, ==, 20);
  g_assert_cmpint (p.recipe.clip_skip, ==, 2);
  g_assert_cmpint (p.notes.n, ==, 2);
  g_assert_true (has_note (&p, "Civitai resources: [{\"type\":\"lora\""));
  done (&p);
  p = parse ("x\n" SETTINGS ", Civitai resources: [{\"type\", Clip skip: 2"); /* cut off */
  g_assert_cmpint (p.recipe.clip_skip, ==, 2);
  done (&p);
}

static void
test_old_sampler_names_carry_the_schedule (void)
{
  static const struct
  {
    const char *fields;
    RecipeSampler sampler;
    RecipeSchedule schedule;
  } cases[] = {
    { "DPM++ 2M Karras", RECIPE_SAMPLER_DPMPP_2M, RECIPE_SCHEDULE_KARRAS },
    { "DPM++ 2M SDE Exponential", RECIPE_SAMPLER_DPMPP_2M_SDE, RECIPE_SCHEDULE_EXPONENTIAL },
    { "DPM++ SDE Karras", RECIPE_SAMPLER_DPMPP_SDE, RECIPE_SCHEDULE_KARRAS },
    { "Euler SGM Uniform", RECIPE_SAMPLER_EULER, RECIPE_SCHEDULE_SGM_UNIFORM },
    { "DPM++ 2M", RECIPE_SAMPLER_DPMPP_2M, RECIPE_SCHEDULE_NORMAL }, /* before 1.9: uniform */
    { "DPM++ 2M, Schedule type: Automatic", RECIPE_SAMPLER_DPMPP_2M, RECIPE_SCHEDULE_KARRAS },
    { "DPM++ 2M SDE, Schedule type: Automatic", RECIPE_SAMPLER_DPMPP_2M_SDE,
      RECIPE_SCHEDULE_EXPONENTIAL },
    { "Euler, Schedule type: Automatic", RECIPE_SAMPLER_EULER, RECIPE_SCHEDULE_NORMAL },
    { "DPM++ 2M, Schedule type: Karras", RECIPE_SAMPLER_DPMPP_2M, RECIPE_SCHEDULE_KARRAS },
    { "k_euler_a", RECIPE_SAMPLER_EULER_A, RECIPE_SCHEDULE_NORMAL },
    { "DDIM", RECIPE_SAMPLER_DDIM, RECIPE_SCHEDULE_DDIM_UNIFORM },
    { "LCM, Schedule type: Automatic", RECIPE_SAMPLER_LCM, RECIPE_SCHEDULE_AUTO },
    { "DPM2 a Karras", RECIPE_SAMPLER_DPM_2_A, RECIPE_SCHEDULE_KARRAS },
    { "DPM2, Schedule type: Automatic", RECIPE_SAMPLER_DPM_2, RECIPE_SCHEDULE_KARRAS },
    { "DPM++ 2S a, Schedule type: Automatic", RECIPE_SAMPLER_DPMPP_2S_A, RECIPE_SCHEDULE_KARRAS },
    { "DPM++ 2S a", RECIPE_SAMPLER_DPMPP_2S_A, RECIPE_SCHEDULE_NORMAL },
    { "DPM++ 2M SDE Heun, Schedule type: Automatic", RECIPE_SAMPLER_DPMPP_2M_SDE_HEUN,
      RECIPE_SCHEDULE_EXPONENTIAL },
    { "LMS Karras", RECIPE_SAMPLER_LMS, RECIPE_SCHEDULE_KARRAS },
    { "LMS, Schedule type: Polyexponential", RECIPE_SAMPLER_LMS, RECIPE_SCHEDULE_POLYEXPONENTIAL },
    { "UniPC, Schedule type: Automatic, UniPC variant: bh2", RECIPE_SAMPLER_UNIPC_BH2,
      RECIPE_SCHEDULE_AUTO },
    { "Euler, Schedule type: Automatic, Version: Gesso 0.1.0", RECIPE_SAMPLER_EULER,
      RECIPE_SCHEDULE_AUTO },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text =
          g_strdup_printf ("x\nSteps: 20, Seed: 1, CFG scale: 7, Sampler: %s", cases[i].fields);
      Parsed p = parse (text);
      g_test_message ("%s", cases[i].fields);
      g_assert_cmpint (p.recipe.sampler, ==, cases[i].sampler);
      g_assert_cmpint (p.recipe.schedule, ==, cases[i].schedule);
      g_assert_cmpint (p.notes.n, ==, 0);
      done (&p);
    }
}

/* Where A1111's arithmetic is its own, a note says so. */
static void
test_other_arithmetic_is_noted (void)
{
  Parsed p = parse ("x\nSteps: 20, Sampler: DPM++ 3M SDE Exponential, CFG scale: 7, Seed: 1, "
                    "Schedule type: KL Optimal");
  g_assert_cmpint (p.recipe.sampler, ==, RECIPE_SAMPLER_DPMPP_3M_SDE);
  g_assert_cmpint (p.recipe.schedule, ==, RECIPE_SCHEDULE_KL_OPTIMAL);
  g_assert_true (has_note (&p, "last noise level but one for DPM++ 3M SDE"));
  g_assert_true (has_note (&p, "schedule KL Optimal slightly differently"));
  g_assert_cmpint (p.notes.n, ==, 2);
  done (&p);
}

static void
test_unknown_values_become_notes (void)
{
  Parsed p = parse ("x <lora:rain:0.7> <lora:open\nSteps: 9999, Sampler: DPM fast Karras, CFG "
                    "scale: 7, Seed: -1, "
                    "Schedule type: Turbo, Size: big, RNG: TPU, Emphasis: Ignore, Frobnicate: 3");
  g_assert_cmpint (p.recipe.steps, ==, 0);
  g_assert_true (has_note (&p, "steps has to be"));
  g_assert_true (
      has_note (&p, "sampler: \"DPM fast Karras\" is not available, the recipe uses auto"));
  g_assert_true (has_note (&p, "\"Turbo\""));
  g_assert_true (has_note (&p, "seed has to be"));
  g_assert_true (has_note (&p, "The size"));
  g_assert_true (has_note (&p, "\"TPU\""));
  g_assert_true (has_note (&p, "\"Ignore\""));
  g_assert_true (has_note (&p, "Frobnicate: 3 is left out"));
  g_assert_cmpint (p.notes.n, ==, 8);
  done (&p);
}

/* With a hires pass "Denoising strength" is that pass's, and "Size" the size before it. */
static void
test_hires_pass_is_noted (void)
{
  Parsed p =
      parse ("x\n" SETTINGS ", Denoising strength: 0.4, Hires upscale: 2, Hires upscaler: Latent");
  g_assert_cmpfloat (p.recipe.denoise, ==, 1);
  g_assert_cmpint (p.recipe.width, ==, 512);
  g_assert_true (has_note (&p, "Denoising strength: 0.4"));
  g_assert_true (has_note (&p, "Hires upscale: 2"));
  g_assert_true (has_note (&p, "Hires upscaler: Latent"));
  done (&p);
  p = parse ("x\n" SETTINGS ", Denoising strength: 0.4");
  g_assert_cmpfloat (p.recipe.denoise, ==, 0.4);
  g_assert_true (has_note (&p, "made from another picture"));
  done (&p);
}

static void
test_comfyui_text_means_comfyui_ways (void)
{
  Parsed p = parse ("x\n" SETTINGS ", Version: ComfyUI");
  g_assert_cmpint (p.recipe.noise, ==, RECIPE_NOISE_CPU);
  g_assert_cmpint (p.recipe.weighting, ==, RECIPE_WEIGHTING_COMFYUI);
  g_assert_cmpint (p.recipe.convention, ==, RECIPE_CONVENTION_COMFYUI);
  done (&p);
}

static Recipe
sample_recipe (void)
{
  Recipe r;
  Status status = { 0 };
  recipe_init (&r);
  recipe_set (&r, "model", "/m/dream, v1.5: \"x\".safetensors", &status);
  recipe_set (&r, "vae", "/m/vae/mse-840000.ckpt", &status);
  recipe_set (&r, "model_hash", "879db523c30d3b9017143d56705015e15a2cb5628762c11d086fed9538abd7fd",
              &status);
  recipe_set (&r, "seed", "18446744073709551615", &status);
  recipe_set (&r, "width", "832", &status);
  recipe_set (&r, "height", "1216", &status);
  recipe_set (&r, "steps", "28", &status);
  recipe_set (&r, "guidance_scale", "6.5", &status);
  recipe_set (&r, "clip_skip", "2", &status);
  recipe_set (&r, "denoise", "0.35", &status);
  recipe_set (&r, "eta", "0.5", &status);
  recipe_set (&r, "zero_terminal_snr", "on", &status);
  g_assert_true (status_ok (&status));
  return r;
}

static void
test_writes_what_others_read (void)
{
  Recipe r = sample_recipe ();
  Status status = { 0 };
  recipe_set (&r, "prompt", "a fox", &status);
  recipe_set (&r, "negative_prompt", "blur", &status);
  char *text = infotext_write (&r, &status);
  g_assert_cmpstr (
      text, ==,
      "a fox\nNegative prompt: blur\nSteps: 28, Sampler: Automatic, Schedule type: Automatic, "
      "CFG scale: 6.5, Seed: 18446744073709551615, Size: 832x1216, Model hash: 879db523c3, "
      "Model: \"dream, v1.5: \\\"x\\\"\", VAE: mse-840000.ckpt, Denoising strength: 0.35, "
      "Clip skip: 2, RNG: CPU, Eta: 0.5, Noise Schedule: Zero Terminal SNR, "
      "Version: Gesso 0.1.0");
  mem_free (text);
  recipe_clear (&r);
}

static void
test_writes_and_reads_masks (void)
{
  Recipe r = sample_recipe ();
  Status status = { 0 };
  recipe_set (&r, "init_image", "/p/start.png", &status);
  recipe_set (&r, "mask_blur", "9", &status);
  recipe_set (&r, "inpaint_fill", "latent_noise", &status);
  recipe_set (&r, "inpaint_area", "masked", &status);
  recipe_set (&r, "inpaint_padding", "40", &status);
  char *without = infotext_write (&r, &status);
  g_assert_null (strstr (without, "Mask"));
  recipe_set (&r, "mask_image", "/p/mask.png", &status);
  char *text = infotext_write (&r, &status);
  g_assert_nonnull (strstr (text, "RNG: CPU, Mask blur: 9, Masked content: latent noise, Inpaint "
                                  "area: Only masked, Masked area padding: 40, Eta: 0.5"));
  Parsed p = parse (text);
  static const char *const keys[] = { "mask_blur", "inpaint_fill", "inpaint_area",
                                      "inpaint_padding" };
  for (size_t k = 0; k < G_N_ELEMENTS (keys); k++)
    {
      char *expected = recipe_get_text (&r, keys[k], &status);
      assert_value (&p.recipe, keys[k], expected);
      mem_free (expected);
    }
  g_assert_true (has_note (&p, "with a mask, which is not in it"));
  done (&p);
  p = parse ("a\nSteps: 5, Seed: 3, Size: 8x8, Mask blur: 4, Mask mode: Inpaint not masked");
  g_assert_true (has_note (&p, "invert the mask"));
  done (&p);
  mem_free (without);
  mem_free (text);
  recipe_clear (&r);
}

static void
test_write_and_read_give_the_same (void)
{
  static const char *const prompts[] = {
    "",
    "a fox",
    "two\nlines",
    "Steps: 5, Sampler: DDIM, Seed: 3",
    "\"quoted\", and: colons, {a|b}",
    "狐 🦊 naïve",
    "x\nSteps: 5, CFG scale: 2, Seed: 9, Size: 1x1",
  };
  static const char *const same[] = {
    "prompt",           "negative_prompt", "seed",      "width",   "height", "steps",     "sampler",
    "schedule",         "guidance_scale",  "clip_skip", "denoise", "noise",  "weighting", "eta",
    "zero_terminal_snr"
  };
  const RecipeParam *samplers = recipe_find_param ("sampler"),
                    *schedules = recipe_find_param ("schedule");
  int n_samplers = param_n_choices (samplers), n_schedules = param_n_choices (schedules);
  for (int i = 0; i < n_samplers * n_schedules; i++)
    {
      Recipe r = sample_recipe ();
      Status status = { 0 };
      recipe_set (&r, "prompt", prompts[i % 7], &status);
      recipe_set (&r, "negative_prompt", prompts[i / 7 % 7], &status);
      recipe_set (&r, "sampler", samplers->choices[i % n_samplers], &status);
      recipe_set (&r, "schedule", schedules->choices[i / n_samplers], &status);
      r.noise = (RecipeNoise) (i % 2);
      /* a job has settled "auto" by the time that it is written */
      r.weighting = (RecipeWeighting) (1 + i % 4);
      char *text = infotext_write (&r, &status);
      Parsed p = parse (text);
      for (size_t k = 0; k < G_N_ELEMENTS (same); k++)
        {
          char *expected = recipe_get_text (&r, same[k], &status);
          assert_value (&p.recipe, same[k], expected);
          mem_free (expected);
        }
      g_assert_cmpstr (p.recipe.model, ==, "dream, v1.5: \"x\"");
      g_assert_cmpstr (p.recipe.vae, ==, "mse-840000.ckpt");
      mem_free (text);
      recipe_clear (&r);
      done (&p);
    }
}

static void
test_too_long_or_not_utf8_is_refused (void)
{
  g_autofree char *text = g_strnfill (INFOTEXT_MAX_BYTES + 1, 'a');
  Recipe recipe;
  Notes notes = { 0 };
  Status status = { 0 };
  recipe_init (&recipe);
  g_assert_false (infotext_parse (&recipe, text, &notes, &status));
  g_assert_cmpint (status.code, ==, STATUS_FORMAT);
  status = (Status){ 0 };
  g_assert_false (infotext_parse (&recipe, "a\xff", &notes, &status));
  g_assert_cmpint (status.code, ==, STATUS_FORMAT);
}

/* What a parameter is called there, not its key. */
static void
test_notes_in_the_window_use_its_names (void)
{
  static const char text[] =
      "x\nSteps: 20, Sampler: Nonesuch, CFG scale: 7, Seed: 1, Mask blur: 4, "
      "Masked content: foam, Noise Schedule: Odd";
  static const char *const keys[] = { "sampler: \"Nonesuch\" is not",
                                      "inpaint_fill: \"foam\" is not",
                                      "zero_terminal_snr: \"Odd\" is not", "it as mask_image." };
  static const char *const labels[] = { "Sampler: \"Nonesuch\" is not",
                                        "Masked content: \"foam\" is",
                                        "Zero terminal SNR: \"Odd\" is not", "it as Mask." };
  for (int window = 0; window < 2; window++)
    {
      status_set_in_window (window);
      Parsed p = parse (text);
      for (size_t i = 0; i < G_N_ELEMENTS (keys); i++)
        if (!has_note (&p, window ? labels[i] : keys[i]))
          g_error ("no note says %s", window ? labels[i] : keys[i]);
      done (&p);
    }
  status_set_in_window (false);
}

/* Open quotes and brackets are looked ahead for: not over and over to the end. */
static void
test_hostile_text_is_quick (void)
{
  GString *text = g_string_new ("x\n");
  while (text->len < INFOTEXT_MAX_BYTES - 100)
    g_string_append (text, "aa: [,bb: \"\\,");
  Recipe recipe;
  Notes notes = { 0 };
  Status status = { 0 };
  recipe_init (&recipe);
  g_assert_false (infotext_parse (&recipe, text->str, &notes, &status));
  g_assert_nonnull (strstr (status.message, "more than 4096 settings"));
  g_string_free (text, TRUE);
  notes_clear (&notes);
  recipe_clear (&recipe);
}

static bool
write_and_parse (const Recipe *from, Status *status)
{
  Recipe read;
  Notes notes = { 0 };
  recipe_init (&read);
  char *text = infotext_write (from, status);
  bool ok = text && infotext_parse (&read, text, &notes, status) &&
            infotext_parse (&read, "x <lora:a:1>\nSteps: x, Foo: \"a, b\", Sampler: y, Size: 3",
                            &notes, status);
  mem_free (text);
  notes_clear (&notes);
  recipe_clear (&read);
  return ok;
}

static void
test_every_allocation_may_fail (void)
{
  Recipe r = sample_recipe ();
  Status status = { 0 };
  mem_fail_at (0);
  g_assert_true (write_and_parse (&r, &status));
  int64_t n = mem_count ();
  g_assert_cmpint (n, >, 30);
  for (int64_t i = 1; i <= n; i++)
    {
      status = (Status){ 0 };
      mem_fail_at (i);
      g_assert_false (write_and_parse (&r, &status));
      g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
    }
  mem_fail_at (0);
  recipe_clear (&r);
}

/* The form of 2023 and that of Forge and of later versions; a unit without a model is none. */
static void
test_reads_controls (void)
{
  Parsed p = parse (
      "fox\n" SETTINGS
      ", ControlNet 0: \"preprocessor: canny, model: control_v11p_sd15_canny [d14c016b], weight: "
      "0.7, starting/ending: (0.2, 0.8), resize mode: Resize and Fill, pixel perfect: True, "
      "control "
      "mode: Balanced, preprocessor params: (512, 80, 160)\", ControlNet 1: \"Module: "
      "depth_midas, Model: depth, Weight: 30, Resize Mode: Just Resize, Processor Res: 512, "
      "Threshold A: -1, Guidance Start: 0, Guidance End: 1, Control Mode: My prompt is more "
      "important\", ControlNet 2: \"Module: none, Model: None, Weight: 1\"");
  assert_value (&p.recipe, "controls",
                "[{\"model\":\"control_v11p_sd15_canny\",\"preprocessor\":\"canny\",\"resize\":"
                "\"fill\",\"a\":80,\"b\":160,\"weight\":0.7,\"start\":0.2,\"end\":0.8},"
                "{\"model\":\"depth\",\"preprocessor\":\"none\",\"resize\":\"stretch\","
                "\"weight\":10,\"start\":0,\"end\":1}]");
  g_assert_true (has_note (&p, "\"control_v11p_sd15_canny\" followed a picture"));
  g_assert_true (has_note (&p, "The preprocessor \"depth_midas\" is not available"));
  g_assert_true (has_note (&p, "My prompt is more important is left out"));
  done (&p);
}

/* Whatever changed the picture and cannot be had here is said. */
static void
test_fields_of_controls_are_not_lost (void)
{
  static const char *const notes[] = {
    "ControlNet Weight: heavy is left out",
    "ControlNet Resize Mode: Envelope is left out",
    "ControlNet Hr Option: High res only is left out",
    "ControlNet Effective Region Mask: mask.png is left out",
    "ControlNet starting/ending: (0.2) is left out",
    "The preprocessor \"canny\" worked on a picture of 640 pixels",
    "\"two\" had a weight of 30, which does not fit: the recipe has 10",
    "ControlNet Module: reference_only is left out",
    "ControlNet: stray is left out",
    "\"one\" followed a picture",
    "\"two\" followed a picture",
  };
  Parsed p = parse (
      "fox\n" SETTINGS
      ", ControlNet 0: \"Module: canny, Model: one, Weight: heavy, Resize Mode: Envelope, Low "
      "Vram: False, Processor Res: 640, Hr Option: High res only, Effective Region Mask: "
      "mask.png, starting/ending: (0.2)\", ControlNet 1: \"Module: canny, Model: two, Weight: "
      "30, Processor Res: 512, Hr Option: Both\", ControlNet 2: \"Module: reference_only, "
      "Model: None, Weight: 1\", ControlNet 3: \"stray, Model: None\"");
  for (size_t i = 0; i < G_N_ELEMENTS (notes); i++)
    if (!has_note (&p, notes[i]))
      g_error ("no note says %s", notes[i]);
  g_assert_cmpint (p.notes.n, ==, G_N_ELEMENTS (notes));
  done (&p);
}

static void
test_names_may_have_commas_and_brackets (void)
{
  Parsed p = parse ("fox\n" SETTINGS
                    ", Lora hashes: \"ink (v2, soft): 0123, a: nib, c: 45AB, d(: 67, none: \", "
                    "ControlNet 0: \"Module: none, Model: my(net, v2 [d14c016b], Weight: 0.5, "
                    "Guidance End: 0.5\", ControlNet 1: \"preprocessor: none, model: other) [one], "
                    "weight: 1, starting/ending: (0.25, 1)\"");
  assert_value (&p.recipe, "adapters",
                "[{\"name\":\"ink (v2, soft)\",\"autov3\":\"0123\",\"weight\":1,\"text_weight\":1,"
                "\"from_prompt\":true},"
                "{\"name\":\"a: nib, c\",\"autov3\":\"45AB\",\"weight\":1,\"text_weight\":1,"
                "\"from_prompt\":true},"
                "{\"name\":\"d(\",\"autov3\":\"67\",\"weight\":1,\"text_weight\":1,\"from_prompt\":"
                "true},"
                "{\"name\":\"none\",\"weight\":1,\"text_weight\":1,\"from_prompt\":true}]");
  assert_value (
      &p.recipe, "controls",
      "[{\"model\":\"my(net, v2\",\"preprocessor\":\"none\",\"resize\":\"crop\",\"weight\":"
      "0.5,\"start\":0,\"end\":0.5},"
      "{\"model\":\"other)\",\"preprocessor\":\"none\",\"resize\":\"crop\",\"weight\":1,"
      "\"start\":0.25,\"end\":1}]");
  g_assert_cmpint (p.notes.n, ==, 2); /* the pictures of both */
  done (&p);
  p = parse ("fox\n" SETTINGS ", Lora hashes: \"one: 01, what is that\"");
  g_assert_true (has_note (&p, "what is that is left out"));
  done (&p);
}

static void
test_writes_and_reads_controls (void)
{
  static const char controls[] =
      "[{\"model\":\"/nets/scribble.pth\",\"image\":\"/fox.png\",\"preprocessor\":\"threshold\","
      "\"resize\":\"crop\",\"a\":99,\"weight\":0.5,\"start\":0,\"end\":0.75},"
      "{\"model\":\"off\",\"preprocessor\":\"none\",\"resize\":\"crop\",\"weight\":1,\"start\":0,"
      "\"end\":1,\"off\":true}]";
  Recipe recipe;
  Status status = { 0 };
  recipe_init (&recipe);
  g_assert_true (recipe_set (&recipe, "prompt", "fox", &status));
  g_assert_true (recipe_set (&recipe, "steps", "9", &status));
  g_assert_true (recipe_set (&recipe, "controls", controls, &status));
  char *text = infotext_write (&recipe, &status);
  g_assert_nonnull (strstr (
      text,
      "ControlNet 0: \"Module: threshold, Model: scribble, Weight: 0.5, Resize Mode: Crop and "
      "Resize, Threshold A: 99, Guidance Start: 0, Guidance End: 0.75, Pixel Perfect: True, "
      "Control Mode: Balanced\""));
  g_assert_null (strstr (text, "ControlNet 1"));
  Parsed p = parse (text);
  assert_value (&p.recipe, "controls",
                "[{\"model\":\"scribble\",\"preprocessor\":\"threshold\",\"resize\":\"crop\","
                "\"a\":99,\"weight\":0.5,\"start\":0,\"end\":0.75}]");
  done (&p);
  mem_free (text);
  recipe_clear (&recipe);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/recipe/infotext/controls", test_reads_controls);
  g_test_add_func ("/recipe/infotext/controls-fields", test_fields_of_controls_are_not_lost);
  g_test_add_func ("/recipe/infotext/names", test_names_may_have_commas_and_brackets);
  g_test_add_func ("/recipe/infotext/controls-written", test_writes_and_reads_controls);
  g_test_add_func ("/recipe/infotext/usual", test_reads_the_usual_text);
  g_test_add_func ("/recipe/reads-forge-flux", test_reads_forge_flux);
  g_test_add_func ("/recipe/infotext/prompt-like-settings", test_prompt_may_look_like_settings);
  g_test_add_func ("/recipe/infotext/fewer-than-three-pairs",
                   test_fewer_than_three_pairs_belong_to_the_prompt);
  g_test_add_func ("/recipe/infotext/negative-at-line-start",
                   test_negative_mark_counts_at_line_start_only);
  g_test_add_func ("/recipe/infotext/line-ends", test_windows_line_ends_and_empty_text);
  g_test_add_func ("/recipe/infotext/quoted", test_quoted_values);
  g_test_add_func ("/recipe/infotext/civitai", test_civitai_arrays_do_not_break_the_line);
  g_test_add_func ("/recipe/infotext/sampler-names", test_old_sampler_names_carry_the_schedule);
  g_test_add_func ("/recipe/infotext/unknown-values", test_unknown_values_become_notes);
  g_test_add_func ("/recipe/infotext/other-arithmetic", test_other_arithmetic_is_noted);
  g_test_add_func ("/recipe/infotext/hires", test_hires_pass_is_noted);
  g_test_add_func ("/recipe/infotext/comfyui", test_comfyui_text_means_comfyui_ways);
  g_test_add_func ("/recipe/infotext/write", test_writes_what_others_read);
  g_test_add_func ("/recipe/infotext/masks", test_writes_and_reads_masks);
  g_test_add_func ("/recipe/infotext/round-trip", test_write_and_read_give_the_same);
  g_test_add_func ("/recipe/infotext/refused", test_too_long_or_not_utf8_is_refused);
  g_test_add_func ("/recipe/infotext/window", test_notes_in_the_window_use_its_names);
  g_test_add_func ("/recipe/infotext/hostile", test_hostile_text_is_quick);
  g_test_add_func ("/recipe/infotext/memory", test_every_allocation_may_fail);
  return g_test_run ();
}
