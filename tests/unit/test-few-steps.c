/* SPDX-License-Identifier: MPL-2.0
 * test-few-steps.c - names by which distilled models are known, names that only look like theirs,
 * and that what is offered is what a recipe takes.
 */
#include <glib.h>

#include "recipe/few-steps.h"

static const struct
{
  const char *name;
  unsigned families;
  bool adapter;
  const char *kind; /* NULL: none */
  int steps;
} names[] = {
  { "sdxl_lightning_4step.safetensors", PARAM_FOR_SD, false, "SDXL Lightning", 4 },
  { "sdxl_lightning_8step_lora.safetensors", PARAM_FOR_SD, true, "SDXL Lightning", 8 },
  { "sdxl_lightning_2step_unet.safetensors", PARAM_FOR_SD, false, "SDXL Lightning", 2 },
  { "juggernautXL_v9Rdphoto2Lightning.safetensors", PARAM_FOR_SD, false, "SDXL Lightning", 4 },
  { "lightning_storm.safetensors", PARAM_FOR_SD, true, NULL, 0 },
  { "sd_xl_turbo_1.0_fp16.safetensors", PARAM_FOR_SD, false, "SDXL Turbo", 4 },
  { "porsche_911_turbo.safetensors", PARAM_FOR_SD, true, NULL, 0 },
  { "Hyper-SDXL-8steps-lora.safetensors", PARAM_FOR_SD, true, "Hyper-SD", 8 },
  { "Hyper-SDXL-1step-lora.safetensors", PARAM_FOR_SD, true, "Hyper-SD", 1 },
  { "Hyper-SD15-4steps-lora.safetensors", PARAM_FOR_SD, true, "Hyper-SD", 4 },
  { "Hyper-SDXL-12steps-CFG-lora.safetensors", PARAM_FOR_SD, true, NULL, 0 },
  { "hyperrealistic_skin.safetensors", PARAM_FOR_SD, true, NULL, 0 },
  { "dmd2_sdxl_4step_lora_fp16.safetensors", PARAM_FOR_SD, true, "DMD2", 4 },
  { "lcm-lora-sdxl", PARAM_FOR_SD, true, "LCM", 4 },
  { "dreamshaper_8LCM.safetensors", PARAM_FOR_SD, false, "LCM", 4 },
  { "Hyper-FLUX.1-dev-16steps-lora.safetensors", PARAM_FOR_FLUX, true, "Hyper-FLUX", 16 },
  { "FLUX.1-Turbo-Alpha/diffusion_pytorch_model.safetensors", PARAM_FOR_FLUX, true,
    "FLUX.1 Turbo Alpha", 8 },
  { "flux1-schnell.safetensors", PARAM_FOR_FLUX, false, "FLUX.1 schnell", 4 },
  { "my_face_schnell.safetensors", PARAM_FOR_FLUX, true, NULL, 0 },
  { "flux1-dev.safetensors", PARAM_FOR_FLUX, false, NULL, 0 },
  { "Wan21_T2V_14B_lightx2v_cfg_step_distill_lora_rank64.safetensors", PARAM_FOR_WAN, true,
    "LightX2V", 4 },
  { "Wan2.2-Lightning_I2V-A14B-4steps-lora_HIGH_fp16.safetensors", PARAM_FOR_WAN, true, "LightX2V",
    4 },
  { "Wan2.2-T2V-A14B-4steps-lora-rank64/high_noise_model.safetensors", PARAM_FOR_WAN, true,
    "LightX2V", 4 },
  { "wan_lightx2v.safetensors", PARAM_FOR_SD, true, NULL, 0 }, /* of another family */
  { "step by step dance 2000 steps.safetensors", PARAM_FOR_SD, true, NULL, 0 },
  { "", PARAM_FOR_SD, false, NULL, 0 },
};

static void
test_names_tell (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    {
      FewSteps found;
      const char *text = names[i].name;
      bool is = few_steps_find (&found, names[i].families, names[i].adapter, &text, 1);
      g_test_message ("%s", text);
      g_assert_cmpint (is, ==, names[i].kind != NULL);
      if (is)
        {
          g_assert_cmpstr (few_steps_name (&found), ==, names[i].kind);
          g_assert_cmpint (found.steps, ==, names[i].steps);
        }
    }
}

static void
test_what_a_file_says_comes_first (void)
{
  FewSteps found;
  const char *const texts[] = { NULL, "SDXL Lightning 8-step", "mine_4step_lightning" };
  g_assert_true (few_steps_find (&found, PARAM_FOR_SD, false, texts, G_N_ELEMENTS (texts)));
  g_assert_cmpint (found.steps, ==, 8);
}

/* Hyper-SD's variants for guidance: the title knows, whatever became of the name. */
static void
test_a_variant_is_told_by_the_text_that_tells_the_kind (void)
{
  FewSteps found;
  const char *const variant[] = { "Hyper-SDXL 12 steps CFG", NULL, "Hyper-SDXL-8steps-lora" };
  const char *const plain[] = { "Hyper-SDXL 8 steps", NULL, "no-cfg/hyper-sdxl" };
  const char *const other[] = { "cfg", NULL, "Hyper-SDXL-8steps-lora" };
  g_assert_false (few_steps_find (&found, PARAM_FOR_SD, true, variant, G_N_ELEMENTS (variant)));
  g_assert_null (found.kind);
  g_assert_true (few_steps_find (&found, PARAM_FOR_SD, true, plain, G_N_ELEMENTS (plain)));
  g_assert_true (few_steps_find (&found, PARAM_FOR_SD, true, other, G_N_ELEMENTS (other)));
}

static void
test_recipes_take_what_is_offered (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    {
      FewSteps found;
      FewStepsValue values[FEW_STEPS_VALUES];
      Status status = { 0 };
      Recipe recipe;
      if (!few_steps_find (&found, names[i].families, names[i].adapter, &names[i].name, 1))
        continue;
      recipe_init (&recipe);
      int n = few_steps_values (&found, values);
      g_assert_cmpint (n, >=, 1);
      for (int k = 0; k < n; k++)
        if (!recipe_set (&recipe, values[k].key, values[k].text, &status))
          g_error ("%s: %s", names[i].name, status.message);
      double guidance = recipe.guidance_scale > 0 ? recipe.guidance_scale : 3.5;
      g_assert_true (few_steps_fit (&found, recipe.steps, guidance));
      g_assert_false (few_steps_fit (&found, 28, guidance));
      recipe_clear (&recipe);
    }
}

static void
test_too_much_guidance_does_not_fit (void)
{
  FewSteps found;
  const char *name = "sdxl_lightning_4step";
  g_assert_true (few_steps_find (&found, PARAM_FOR_SD, false, &name, 1));
  g_assert_false (few_steps_fit (&found, 4, 7));
  g_assert_true (few_steps_fit (&found, 6, 2));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/recipe/few-steps/names", test_names_tell);
  g_test_add_func ("/recipe/few-steps/order", test_what_a_file_says_comes_first);
  g_test_add_func ("/recipe/few-steps/variant",
                   test_a_variant_is_told_by_the_text_that_tells_the_kind);
  g_test_add_func ("/recipe/few-steps/values", test_recipes_take_what_is_offered);
  g_test_add_func ("/recipe/few-steps/guidance", test_too_much_guidance_does_not_fit);
  return g_test_run ();
}
