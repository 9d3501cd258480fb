/* SPDX-License-Identifier: MPL-2.0 */
#include <glib.h>
#include <string.h>

#include "core/mem.h"
#include "recipe/import-graph.h"
#include "support/imported.h"

/* ComfyUI's default graph, with a literal NaN and a preview as some nodes add them. */
static const char simple_graph[] =
    "{\"3\": {\"class_type\": \"KSampler\", \"inputs\": {\"seed\": 18446744073709551615, "
    "\"steps\": 20, "
    "\"cfg\": 8, \"sampler_name\": \"dpmpp_2m\", \"scheduler\": \"karras\", \"denoise\": 1, "
    "\"model\": [\"4\", 0], \"positive\": [\"6\", 0], \"negative\": [\"7\", 0], \"latent_image\": "
    "[\"5\", 0]}, "
    "\"is_changed\": NaN},"
    "\"4\": {\"class_type\": \"CheckpointLoaderSimple\", \"inputs\": {\"ckpt_name\": "
    "\"sd/v1-5.safetensors\"}},"
    "\"5\": {\"class_type\": \"EmptyLatentImage\", \"inputs\": {\"width\": 512, \"height\": 768, "
    "\"batch_size\": 2}},"
    "\"6\": {\"class_type\": \"CLIPTextEncode\", \"inputs\": {\"text\": \"a fox \\u72d0\", "
    "\"clip\": [\"4\", 1]}},"
    "\"7\": {\"class_type\": \"CLIPTextEncode\", \"inputs\": {\"text\": \"blur\", \"clip\": "
    "[\"4\", 1]}},"
    "\"8\": {\"class_type\": \"VAEDecode\", \"inputs\": {\"samples\": [\"3\", 0], \"vae\": [\"4\", "
    "2]}},"
    "\"9\": {\"class_type\": \"SaveImage\", \"inputs\": {\"images\": [\"8\", 0]}}}";

static void
test_comfyui_default_graph (void)
{
  Imported im = imported_text ("prompt", simple_graph);
  g_assert_cmpint (im.source, ==, IMPORT_COMFYUI);
  g_assert_cmpstr (im.recipe.prompt, ==, "a fox 狐");
  g_assert_cmpstr (im.recipe.negative_prompt, ==, "blur");
  g_assert_cmpstr (im.recipe.model, ==, "sd/v1-5.safetensors");
  g_assert_cmpuint (im.recipe.seed, ==, G_MAXUINT64);
  g_assert_cmpint (im.recipe.steps, ==, 20);
  g_assert_cmpfloat (im.recipe.guidance_scale, ==, 8);
  g_assert_cmpint (im.recipe.sampler, ==, RECIPE_SAMPLER_DPMPP_2M);
  g_assert_cmpint (im.recipe.schedule, ==, RECIPE_SCHEDULE_KARRAS);
  g_assert_cmpint (im.recipe.width, ==, 512);
  g_assert_cmpint (im.recipe.height, ==, 768);
  g_assert_cmpint (im.recipe.batch_size, ==, 2);
  g_assert_cmpint (im.recipe.noise, ==, RECIPE_NOISE_CPU);
  g_assert_cmpint (im.recipe.weighting, ==, RECIPE_WEIGHTING_COMFYUI);
  g_assert_cmpint (im.recipe.convention, ==, RECIPE_CONVENTION_COMFYUI);
  assert_n_notes (&im, 0);
  imported_clear (&im);
}

/* ComfyUI's own FLUX example: parts as nodes of their own. */
static const char flux_graph[] =
    "{\"5\": {\"class_type\": \"EmptySD3LatentImage\", \"inputs\": {\"width\": 1024, \"height\": "
    "1024, \"batch_size\": 1}},"
    "\"6\": {\"class_type\": \"CLIPTextEncode\", \"inputs\": {\"text\": \"a fox\", \"clip\": "
    "[\"11\", 0]}},"
    "\"8\": {\"class_type\": \"VAEDecode\", \"inputs\": {\"samples\": [\"13\", 0], \"vae\": "
    "[\"10\", 0]}},"
    "\"9\": {\"class_type\": \"SaveImage\", \"inputs\": {\"images\": [\"8\", 0]}},"
    "\"10\": {\"class_type\": \"VAELoader\", \"inputs\": {\"vae_name\": \"ae.safetensors\"}},"
    "\"11\": {\"class_type\": \"DualCLIPLoader\", \"inputs\": {\"clip_name1\": "
    "\"t5xxl_fp16.safetensors\", \"clip_name2\": \"clip_l.safetensors\", \"type\": \"flux\"}},"
    "\"12\": {\"class_type\": \"UNETLoader\", \"inputs\": {\"unet_name\": "
    "\"flux1-dev.safetensors\"}},"
    "\"13\": {\"class_type\": \"SamplerCustomAdvanced\", \"inputs\": {\"noise\": [\"25\", 0], "
    "\"guider\": [\"22\", 0], \"sampler\": [\"16\", 0], \"sigmas\": [\"17\", 0], "
    "\"latent_image\": [\"5\", 0]}},"
    "\"16\": {\"class_type\": \"KSamplerSelect\", \"inputs\": {\"sampler_name\": \"euler\"}},"
    "\"17\": {\"class_type\": \"BasicScheduler\", \"inputs\": {\"scheduler\": \"simple\", "
    "\"steps\": 20, \"denoise\": 1, \"model\": [\"30\", 0]}},"
    "\"22\": {\"class_type\": \"BasicGuider\", \"inputs\": {\"model\": [\"30\", 0], "
    "\"conditioning\": [\"26\", 0]}},"
    "\"25\": {\"class_type\": \"RandomNoise\", \"inputs\": {\"noise_seed\": 42}},"
    "\"26\": {\"class_type\": \"FluxGuidance\", \"inputs\": {\"guidance\": 2.5, \"conditioning\": "
    "[\"6\", 0]}},"
    "\"30\": {\"class_type\": \"ModelSamplingFlux\", \"inputs\": {\"max_shift\": 1.15, "
    "\"base_shift\": 0.5, \"width\": 512, \"height\": 512, \"model\": [\"12\", 0]}}}";

static void
test_comfyui_flux_graph (void)
{
  Imported im = imported_text ("prompt", flux_graph);
  g_assert_cmpstr (im.recipe.prompt, ==, "a fox");
  g_assert_cmpstr (im.recipe.model, ==, "flux1-dev.safetensors");
  g_assert_cmpstr (im.recipe.vae, ==, "ae.safetensors");
  g_assert_cmpfloat (im.recipe.guidance_scale, ==, 1);
  g_assert_cmpfloat (im.recipe.distilled_guidance, ==, 2.5);
  g_assert_cmpfloat_with_epsilon (im.recipe.flow_shift, 0.63, 1e-9);
  g_assert_cmpint (im.recipe.schedule, ==, RECIPE_SCHEDULE_SIMPLE);
  g_assert_cmpint (im.recipe.steps, ==, 20);
  g_assert_cmpuint (im.recipe.seed, ==, 42);
  g_assert_cmpint (im.recipe.width, ==, 1024);
  assert_n_notes (&im, 0);
  imported_clear (&im);
}

/* Two passes, LoRAs, clip skip, ControlNet, v-prediction, text through a primitive, an upscaler. */
static const char rich_graph[] =
    "{\"1\": {\"class_type\": \"CheckpointLoaderSimple\", \"inputs\": {\"ckpt_name\": "
    "\"noob.safetensors\"}},"
    "\"2\": {\"class_type\": \"LoraLoader\", \"inputs\": {\"lora_name\": \"ink.safetensors\", "
    "\"strength_model\": 0.8, "
    "\"strength_clip\": 1, \"model\": [\"1\", 0], \"clip\": [\"1\", 1]}},"
    "\"3\": {\"class_type\": \"CLIPSetLastLayer\", \"inputs\": {\"stop_at_clip_layer\": -2, "
    "\"clip\": [\"2\", 1]}},"
    "\"4\": {\"class_type\": \"PrimitiveString\", \"inputs\": {\"value\": \"castle\"}},"
    "\"5\": {\"class_type\": \"CLIPTextEncodeSDXL\", \"inputs\": {\"text_g\": [\"4\", 0], "
    "\"text_l\": \"other\", "
    "\"width\": 1024, \"height\": 1024, \"clip\": [\"3\", 0]}},"
    "\"6\": {\"class_type\": \"ConditioningZeroOut\", \"inputs\": {\"conditioning\": [\"5\", 0]}},"
    "\"7\": {\"class_type\": \"ControlNetLoader\", \"inputs\": {\"control_net_name\": "
    "\"canny.pth\"}},"
    "\"8\": {\"class_type\": \"ControlNetApplyAdvanced\", \"inputs\": {\"strength\": 0.5, "
    "\"positive\": [\"5\", 0], "
    "\"negative\": [\"6\", 0], \"control_net\": [\"7\", 0], \"image\": [\"20\", 0]}},"
    "\"9\": {\"class_type\": \"ModelSamplingDiscrete\", \"inputs\": {\"sampling\": "
    "\"v_prediction\", \"zsnr\": true, \"model\": [\"2\", 0]}},"
    "\"10\": {\"class_type\": \"RescaleCFG\", \"inputs\": {\"multiplier\": 0.7, \"model\": [\"9\", "
    "0]}},"
    "\"11\": {\"class_type\": \"EmptyLatentImage\", \"inputs\": {\"width\": 832, \"height\": 1216, "
    "\"batch_size\": 1}},"
    "\"12\": {\"class_type\": \"KSamplerAdvanced\", \"inputs\": {\"noise_seed\": [\"21\", 0], "
    "\"steps\": 28, \"cfg\": 4.5, "
    "\"sampler_name\": \"euler_ancestral\", \"scheduler\": \"sgm_uniform\", \"start_at_step\": 0, "
    "\"end_at_step\": 20, "
    "\"model\": [\"10\", 0], \"positive\": [\"8\", 0], \"negative\": [\"8\", 1], \"latent_image\": "
    "[\"11\", 0]}},"
    "\"13\": {\"class_type\": \"LatentUpscaleBy\", \"inputs\": {\"scale_by\": 1.5, \"samples\": "
    "[\"12\", 0]}},"
    "\"14\": {\"class_type\": \"KSampler\", \"inputs\": {\"seed\": 1, \"steps\": 10, \"cfg\": 3, "
    "\"sampler_name\": \"euler\", "
    "\"scheduler\": \"normal\", \"denoise\": 0.5, \"model\": [\"10\", 0], \"positive\": [\"5\", "
    "0], \"negative\": [\"6\", 0], "
    "\"latent_image\": [\"13\", 0]}},"
    "\"15\": {\"class_type\": \"VAELoader\", \"inputs\": {\"vae_name\": \"xl.vae.safetensors\"}},"
    "\"16\": {\"class_type\": \"VAEDecode\", \"inputs\": {\"samples\": [\"14\", 0], \"vae\": "
    "[\"15\", 0]}},"
    "\"17\": {\"class_type\": \"ImageUpscaleWithModel\", \"inputs\": {\"image\": [\"16\", 0]}},"
    "\"18\": {\"class_type\": \"SaveImage\", \"inputs\": {\"images\": [\"17\", 0]}},"
    "\"20\": {\"class_type\": \"LoadImage\", \"inputs\": {\"image\": \"edges.png\"}},"
    "\"21\": {\"class_type\": \"Seed (rgthree)\", \"inputs\": {\"seed\": 77}}}";

static void
test_comfyui_rich_graph (void)
{
  Imported im = imported_text ("prompt", rich_graph);
  g_assert_cmpstr (im.recipe.prompt, ==, "castle");
  g_assert_null (im.recipe.negative_prompt);
  g_assert_cmpint (im.recipe.empty_negative, ==, RECIPE_EMPTY_ZEROS);
  g_assert_cmpstr (im.recipe.model, ==, "noob.safetensors");
  g_assert_cmpstr (im.recipe.vae, ==, "xl.vae.safetensors");
  g_assert_cmpuint (im.recipe.seed, ==, 77);
  g_assert_cmpint (im.recipe.steps, ==, 28);
  g_assert_cmpint (im.recipe.sampler, ==, RECIPE_SAMPLER_EULER_A);
  g_assert_cmpint (im.recipe.schedule, ==, RECIPE_SCHEDULE_SGM_UNIFORM);
  g_assert_cmpint (im.recipe.clip_skip, ==, 2);
  g_assert_cmpint (im.recipe.prediction, ==, RECIPE_PREDICTION_V);
  g_assert_cmpint (im.recipe.zero_terminal_snr, ==, RECIPE_SNR_ON);
  g_assert_cmpfloat (im.recipe.guidance_rescale, ==, 0.7);
  g_assert_cmpint (im.recipe.width, ==, 832);
  g_assert_cmpfloat (im.recipe.denoise, ==, 1);
  assert_note (&im, "A second pass (KSampler, denoise 0.5)");
  g_assert_cmpstr (im.recipe.adapters, ==, "[{\"name\":\"ink\",\"weight\":0.8,\"text_weight\":1}]");
  g_assert_cmpstr (im.recipe.controls, ==,
                   "[{\"model\":\"canny\",\"preprocessor\":\"none\",\"resize\":\"crop\","
                   "\"weight\":0.5,\"start\":0,\"end\":1}]");
  assert_note (&im, "The ControlNet \"canny\" followed the picture \"edges.png\", which is not");
  assert_note (&im, "CLIP-L had a prompt of its own, which is left out: \"other\"");
  assert_note (&im, "Only a part of the steps was drawn by this pass (0 to 20)");
  assert_note (&im, "LatentUpscaleBy is left out");
  assert_note (&im, "ImageUpscaleWithModel is left out");
  assert_n_notes (&im, 6);
  imported_clear (&im);
}

/* Two in a row, the first a Union behind its type, with preprocessors that are known and not. */
static const char control_graph[] =
    "{\"1\": {\"class_type\": \"CheckpointLoaderSimple\", \"inputs\": {\"ckpt_name\": "
    "\"v1-5.safetensors\"}},"
    "\"2\": {\"class_type\": \"CLIPTextEncode\", \"inputs\": {\"text\": \"fox\", \"clip\": [\"1\", "
    "1]}},"
    "\"3\": {\"class_type\": \"CLIPTextEncode\", \"inputs\": {\"text\": \"\", \"clip\": [\"1\", "
    "1]}},"
    "\"4\": {\"class_type\": \"ControlNetLoader\", \"inputs\": {\"control_net_name\": "
    "\"sdxl\\\\union.safetensors\"}},"
    "\"5\": {\"class_type\": \"SetUnionControlNetType\", \"inputs\": {\"type\": \"depth\", "
    "\"control_net\": [\"4\", 0]}},"
    "\"6\": {\"class_type\": \"LoadImage\", \"inputs\": {\"image\": \"room.png\"}},"
    "\"7\": {\"class_type\": \"MiDaS-DepthMapPreprocessor\", \"inputs\": {\"image\": [\"6\", 0]}},"
    "\"8\": {\"class_type\": \"ControlNetApplyAdvanced\", \"inputs\": {\"strength\": 0.8, "
    "\"start_percent\": 0.1, \"end_percent\": 0.9, \"positive\": [\"2\", 0], \"negative\": [\"3\", "
    "0], "
    "\"control_net\": [\"5\", 0], \"image\": [\"7\", 0]}},"
    "\"9\": {\"class_type\": \"ControlNetLoader\", \"inputs\": {\"control_net_name\": "
    "\"canny.pth\"}},"
    "\"10\": {\"class_type\": \"CannyEdgePreprocessor\", \"inputs\": {\"image\": [\"6\", 0], "
    "\"low_threshold\": 80, \"high_threshold\": 160}},"
    "\"11\": {\"class_type\": \"ControlNetApply\", \"inputs\": {\"strength\": 0.6, "
    "\"conditioning\": [\"8\", 0], \"control_net\": [\"9\", 0], \"image\": [\"10\", 0]}},"
    "\"12\": {\"class_type\": \"EmptyLatentImage\", \"inputs\": {\"width\": 512, \"height\": 512, "
    "\"batch_size\": 1}},"
    "\"13\": {\"class_type\": \"KSampler\", \"inputs\": {\"seed\": 1, \"steps\": 10, \"cfg\": 3, "
    "\"sampler_name\": \"euler\", \"scheduler\": \"normal\", \"denoise\": 1, \"model\": [\"1\", "
    "0], "
    "\"positive\": [\"11\", 0], \"negative\": [\"8\", 1], \"latent_image\": [\"12\", 0]}},"
    "\"14\": {\"class_type\": \"VAEDecode\", \"inputs\": {\"samples\": [\"13\", 0], \"vae\": "
    "[\"1\", "
    "2]}},"
    "\"15\": {\"class_type\": \"SaveImage\", \"inputs\": {\"images\": [\"14\", 0]}}}";

/* Whose thresholds of 0 .. 1 would find an edge everywhere. */
static void
test_comfyui_canny_has_other_thresholds (void)
{
  g_autoptr (GString) graph = g_string_new (control_graph);
  g_string_replace (graph, "CannyEdgePreprocessor", "Canny", 0);
  g_string_replace (graph, "\"low_threshold\": 80, \"high_threshold\": 160",
                    "\"low_threshold\": 0.4, \"high_threshold\": 0.8", 0);
  Imported im = imported_text ("prompt", graph->str);
  g_assert_true (g_str_has_prefix (im.recipe.controls,
                                   "[{\"model\":\"canny\",\"preprocessor\":\"canny\",\"resize\":"
                                   "\"crop\",\"weight\":0.6"));
  assert_note (&im, "ComfyUI finds edges in another way (Canny)");
  imported_clear (&im);
}

static void
test_comfyui_controls (void)
{
  Imported im = imported_text ("prompt", control_graph);
  g_assert_cmpstr (im.recipe.prompt, ==, "fox");
  g_assert_cmpstr (im.recipe.controls, ==,
                   "[{\"model\":\"canny\",\"preprocessor\":\"canny\",\"resize\":\"crop\",\"a\":80,"
                   "\"b\":160,\"weight\":0.6,\"start\":0,\"end\":1},"
                   "{\"model\":\"sdxl/union\",\"preprocessor\":\"none\",\"resize\":\"crop\","
                   "\"weight\":0.8,\"start\":0.1,\"end\":0.9}]");
  assert_note (&im, "SetUnionControlNetType is left out");
  assert_note (&im, "\"canny\" followed the picture \"room.png\"");
  assert_note (&im, "\"sdxl/union\" followed the picture \"room.png\"");
  assert_note (&im, "The preprocessor \"MiDaS-DepthMapPreprocessor\" is not available");
  assert_n_notes (&im, 4);
  imported_clear (&im);
}

static void
test_comfyui_names_of_samplers (void)
{
  static const struct
  {
    const char *name, *scheduler;
    RecipeSampler sampler;
    RecipeSchedule schedule;
    bool same;
  } cases[] = {
    { "dpm_2", "kl_optimal", RECIPE_SAMPLER_DPM_2, RECIPE_SCHEDULE_KL_OPTIMAL, true },
    { "dpm_2_ancestral", "linear_quadratic", RECIPE_SAMPLER_DPM_2_A,
      RECIPE_SCHEDULE_LINEAR_QUADRATIC, true },
    { "dpmpp_2s_ancestral", "karras", RECIPE_SAMPLER_DPMPP_2S_A, RECIPE_SCHEDULE_KARRAS, true },
    { "dpmpp_2m_sde_heun", "karras", RECIPE_SAMPLER_DPMPP_2M_SDE_HEUN, RECIPE_SCHEDULE_KARRAS,
      true },
    { "dpmpp_3m_sde", "karras", RECIPE_SAMPLER_DPMPP_3M_SDE, RECIPE_SCHEDULE_KARRAS, true },
    { "dpmpp_3m_sde_gpu", "karras", RECIPE_SAMPLER_DPMPP_3M_SDE, RECIPE_SCHEDULE_KARRAS, false },
    { "uni_pc_bh2", "karras", RECIPE_SAMPLER_UNIPC_BH2, RECIPE_SCHEDULE_KARRAS, true },
    { "ddpm", "karras", RECIPE_SAMPLER_DDPM, RECIPE_SCHEDULE_KARRAS, true },
    { "lms", "karras", RECIPE_SAMPLER_LMS, RECIPE_SCHEDULE_KARRAS, true },
    { "res_multistep", "karras", RECIPE_SAMPLER_RES_MULTISTEP, RECIPE_SCHEDULE_KARRAS, true },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (GStrv) by_sampler = g_strsplit (simple_graph, "dpmpp_2m", -1);
      g_autofree char *named = g_strjoinv (cases[i].name, by_sampler);
      g_auto (GStrv) by_schedule = g_strsplit (named, "karras", -1);
      g_autofree char *graph = g_strjoinv (cases[i].scheduler, by_schedule);
      Imported im = imported_text ("prompt", graph);
      g_assert_cmpint (im.recipe.sampler, ==, cases[i].sampler);
      g_assert_cmpint (im.recipe.schedule, ==, cases[i].schedule);
      assert_n_notes (&im, cases[i].same ? 0 : 1);
      imported_clear (&im);
    }
}

/* SamplerCustomAdvanced, whose parts are nodes of their own; a picture to start from. */
static const char custom_graph[] =
    "{\"1\": {\"class_type\": \"UNETLoader\", \"inputs\": {\"unet_name\": \"flux.safetensors\"}},"
    "\"2\": {\"class_type\": \"CLIPTextEncodeFlux\", \"inputs\": {\"clip_l\": \"a\", \"t5xxl\": "
    "\"a long text\", \"guidance\": 3.5}},"
    "\"3\": {\"class_type\": \"BasicGuider\", \"inputs\": {\"model\": [\"1\", 0], "
    "\"conditioning\": [\"2\", 0]}},"
    "\"4\": {\"class_type\": \"RandomNoise\", \"inputs\": {\"noise_seed\": 5}},"
    "\"5\": {\"class_type\": \"KSamplerSelect\", \"inputs\": {\"sampler_name\": "
    "\"er_sde\"}},"
    "\"6\": {\"class_type\": \"BasicScheduler\", \"inputs\": {\"scheduler\": \"beta\", \"steps\": "
    "12, \"denoise\": 0.6, \"model\": [\"1\", 0]}},"
    "\"7\": {\"class_type\": \"SamplerCustomAdvanced\", \"inputs\": {\"noise\": [\"4\", 0], "
    "\"guider\": [\"3\", 0], "
    "\"sampler\": [\"5\", 0], \"sigmas\": [\"6\", 0], \"latent_image\": [\"8\", 0]}},"
    "\"8\": {\"class_type\": \"VAEEncode\", \"inputs\": {\"pixels\": [\"9\", 0], \"vae\": [\"10\", "
    "0]}},"
    "\"9\": {\"class_type\": \"LoadImage\", \"inputs\": {\"image\": \"start.png\"}},"
    "\"10\": {\"class_type\": \"VAELoader\", \"inputs\": {\"vae_name\": \"ae.sft\"}},"
    "\"11\": {\"class_type\": \"VAEDecode\", \"inputs\": {\"samples\": [\"7\", 1], \"vae\": "
    "[\"10\", 0]}},"
    "\"12\": {\"class_type\": \"PreviewImage\", \"inputs\": {\"images\": [\"11\", 0]}}}";

static void
test_comfyui_custom_sampler (void)
{
  Imported im = imported_text ("prompt", custom_graph);
  g_assert_cmpstr (im.recipe.model, ==, "flux.safetensors");
  g_assert_cmpstr (im.recipe.prompt, ==, "a long text");
  g_assert_cmpuint (im.recipe.seed, ==, 5);
  g_assert_cmpint (im.recipe.steps, ==, 12);
  g_assert_cmpint (im.recipe.schedule, ==, RECIPE_SCHEDULE_BETA);
  g_assert_cmpfloat (im.recipe.guidance_scale, ==, 1);
  g_assert_cmpfloat (im.recipe.denoise, ==, 0.6);
  g_assert_cmpstr (im.recipe.vae, ==, "ae.sft");
  assert_note (&im, "sampler: \"er_sde\" is not available, the recipe uses auto");
  assert_note (&im, "starts from the picture \"start.png\"");
  imported_clear (&im);
}

/* Nodes for samplers and schedules say more than a recipe holds. */
static void
test_comfyui_numbers_of_nodes (void)
{
  g_auto (GStrv) parts = g_strsplit (
      custom_graph, "\"KSamplerSelect\", \"inputs\": {\"sampler_name\": \"er_sde\"}", -1);
  g_autofree char *sampler =
      g_strjoinv ("\"SamplerDPMPP_2M_SDE\", \"inputs\": {\"solver_type\": \"heun\", \"eta\": 0.5, "
                  "\"s_noise\": 1.003, \"noise_device\": \"cpu\"}",
                  parts);
  g_auto (GStrv) halves =
      g_strsplit (sampler, "\"BasicScheduler\", \"inputs\": {\"scheduler\": \"beta\", ", -1);
  g_autofree char *graph = g_strjoinv ("\"PolyexponentialScheduler\", \"inputs\": {\"sigma_max\": "
                                       "14.614642, \"sigma_min\": 0.0291675, \"rho\": 2, ",
                                       halves);
  Imported im = imported_text ("prompt", graph);
  g_assert_cmpint (im.recipe.sampler, ==, RECIPE_SAMPLER_DPMPP_2M_SDE_HEUN);
  g_assert_cmpfloat (im.recipe.eta, ==, 0.5);
  g_assert_cmpint (im.recipe.schedule, ==, RECIPE_SCHEDULE_POLYEXPONENTIAL);
  assert_note (&im, "s_noise 1.003 is left out");
  assert_note (&im, "rho 2 is left out");
  assert_note (&im, "starts from the picture");
  assert_note (&im, "CLIP-L had a prompt of its own");
  assert_n_notes (&im, 4);
  imported_clear (&im);
}

static void
test_graphs_in_circles_end (void)
{
  static const char circle[] = "{\"1\": {\"class_type\": \"KSampler\", \"inputs\": {\"seed\": "
                               "[\"1\", 0], \"steps\": [\"2\", 0], \"cfg\": 1, "
                               "\"model\": [\"2\", 0], \"positive\": [\"2\", 0], \"negative\": "
                               "[\"2\", 0], \"latent_image\": [\"1\", 0]}},"
                               "\"2\": {\"class_type\": \"Loop\", \"inputs\": {\"model\": [\"2\", "
                               "0], \"conditioning\": [\"2\", 0], "
                               "\"value\": [\"2\", 0], \"steps\": [\"2\", 0], \"images\": [\"2\", "
                               "0], \"clip\": [\"2\", 0]}},"
                               "\"3\": {\"class_type\": \"SaveImage\", \"inputs\": {\"images\": "
                               "[\"3\", 0], \"x\": [\"404\", 0], \"y\": [5, 0], \"z\": []}}}";
  Imported im = imported_text ("prompt", circle);
  assert_note (&im, "No model was found");
  assert_note (&im, "No prompt was found");
  imported_clear (&im);
}

static void
test_damaged_texts_are_refused (void)
{
  GString *deep = g_string_new (NULL);
  for (int i = 0; i < 200; i++)
    g_string_append (deep, "{\"a\":");
  assert_refused ("prompt", deep->str, "nested too deeply");
  assert_refused ("prompt", "{\"1\": {\"class_type\"", "ends too early");
  assert_refused ("prompt", "[1, 2]", "no JSON object");
  assert_refused ("prompt", "{\"1\": {\"class_type\": \"Note\", \"inputs\": {}}}", "no sampler");
  assert_refused ("parameters", "{\"fooocus\": 1}", "cannot read");
  assert_refused ("parameters", "{\"sui_image_params\": 3}", "no JSON object");
  assert_refused ("invokeai_metadata", "[3]", "no JSON object");
  assert_refused ("sd-metadata", "{}", "no image settings");
  assert_refused ("gesso", "{}", "no version");
  assert_refused ("Title", "holiday", "no settings");
  assert_refused ("UserComment", "  \n", "no settings");
  g_string_free (deep, TRUE);
}

static void
test_graph_of_many_nodes_is_bounded (void)
{
  GString *graph = g_string_new ("{");
  for (int i = 0; i <= GRAPH_MAX_NODES; i++)
    g_string_append_printf (
        graph, "%s\"%d\": {\"class_type\": \"N%d\", \"inputs\": {\"images\": [\"%d\", 0]}}",
        i ? "," : "", i, i, i + 1);
  g_string_append (graph, "}");
  assert_refused ("prompt", graph->str, "more than 10000 nodes");
  g_string_free (graph, TRUE);
}

static void
test_gesso_recipe_wins_and_is_exact (void)
{
  Recipe r;
  Status status = { 0 };
  recipe_init (&r);
  recipe_set (&r, "prompt", "exact\n  text ", &status);
  recipe_set (&r, "guidance_scale", "6.35", &status);
  char *json = recipe_to_json (&r, &status);
  ImportText texts[] = { { "parameters", "other\nSteps: 1, Seed: 2, CFG scale: 3" },
                         { "gesso", json } };
  Imported im = imported_texts (texts, 2);
  g_assert_cmpint (im.source, ==, IMPORT_GESSO);
  g_assert_cmpstr (im.recipe.prompt, ==, "exact\n  text ");
  g_assert_cmpfloat (im.recipe.guidance_scale, ==, 6.35);
  assert_n_notes (&im, 0);
  mem_free (json);
  recipe_clear (&r);
  imported_clear (&im);
}

static void
test_user_comment_replaces_parameters (void)
{
  ImportText texts[] = { { "parameters", "one\nSteps: 1, Seed: 2, CFG scale: 3" },
                         { "UserComment", "two\nSteps: 4, Seed: 5, CFG scale: 6" } };
  Imported im = imported_texts (texts, 2);
  g_assert_cmpint (im.source, ==, IMPORT_A1111);
  g_assert_cmpstr (im.recipe.prompt, ==, "two");
  g_assert_cmpint (im.recipe.steps, ==, 4);
  imported_clear (&im);
  texts[1].value = " ";
  im = imported_texts (texts, 2);
  g_assert_cmpstr (im.recipe.prompt, ==, "one");
  imported_clear (&im);
}

static void
test_text_beside_a_graph_means_comfyui (void)
{
  ImportText texts[] = { { "prompt", simple_graph },
                         { "parameters", "one\nSteps: 1, Seed: 2, CFG scale: 3" } };
  Imported im = imported_texts (texts, 2);
  g_assert_cmpint (im.source, ==, IMPORT_COMFYUI);
  g_assert_cmpint (im.recipe.noise, ==, RECIPE_NOISE_CPU);
  g_assert_cmpstr (im.recipe.prompt, ==, "one");
  assert_note (&im, "also holds its ComfyUI graph");
  imported_clear (&im);
}

static void
test_graph_in_exif (void)
{
  g_autofree char *wrapped = g_strdup_printf ("{\"prompt\": %s, \"workflow\": {}}", simple_graph);
  Imported im = imported_text ("UserComment", wrapped);
  g_assert_cmpint (im.source, ==, IMPORT_COMFYUI);
  g_assert_cmpint (im.recipe.steps, ==, 20);
  imported_clear (&im);
}

static void
test_invokeai (void)
{
  Imported im = imported_text (
      "invokeai_metadata",
      "{\"generation_mode\": \"sdxl_txt2img\", \"positive_prompt\": \"fox++\", "
      "\"negative_prompt\": \"dog\", \"width\": 1024, "
      "\"height\": 768, \"seed\": 4294967295, \"rand_device\": \"cuda\", \"cfg_scale\": 7.5, "
      "\"cfg_rescale_multiplier\": 0.5, "
      "\"steps\": 30, \"scheduler\": \"dpmpp_2m_sde_k\", \"clip_skip\": 1, \"seamless_x\": false, "
      "\"model\": {\"key\": \"1\", "
      "\"hash\": \"blake3:ab12\", \"name\": \"xl-base\"}, \"vae\": null, \"loras\": [{\"model\": "
      "{\"name\": \"ink\"}, \"weight\": 0.75}], "
      "\"controlnets\": [{\"control_weight\": 1}], \"ipAdapters\": [], \"app_version\": \"5.0\"}");
  g_assert_cmpint (im.source, ==, IMPORT_INVOKEAI);
  g_assert_cmpstr (im.recipe.prompt, ==, "fox++");
  g_assert_cmpstr (im.recipe.model, ==, "xl-base");
  g_assert_cmpstr (im.recipe.model_hash, ==, "blake3:ab12");
  g_assert_cmpint (im.recipe.sampler, ==, RECIPE_SAMPLER_DPMPP_2M_SDE);
  g_assert_cmpint (im.recipe.schedule, ==, RECIPE_SCHEDULE_KARRAS);
  g_assert_cmpint (im.recipe.noise, ==, RECIPE_NOISE_NV);
  g_assert_cmpint (im.recipe.clip_skip, ==, 2);
  g_assert_cmpfloat (im.recipe.guidance_rescale, ==, 0.5);
  g_assert_cmpint (im.recipe.convention, ==, RECIPE_CONVENTION_DIFFUSERS);
  g_assert_cmpstr (im.recipe.adapters, ==,
                   "[{\"name\":\"ink\",\"weight\":0.75,\"text_weight\":0.75}]");
  assert_note (&im, "controlnets is left out");
  assert_note (&im, "InvokeAI's prompt weights");
  assert_n_notes (&im, 2);
  imported_clear (&im);
}

/* The fields that InvokeAI 6.14's window writes for FLUX.1. */
static void
test_invokeai_flux (void)
{
  Imported im = imported_text (
      "invokeai_metadata",
      "{\"generation_mode\": \"flux_txt2img\", \"positive_prompt\": \"fox\", \"width\": 1024, "
      "\"height\": 768, \"seed\": 5, \"guidance\": 3.25, \"steps\": 28, \"scheduler\": \"heun\", "
      "\"dype_preset\": \"off\", \"model\": {\"key\": \"1\", \"hash\": \"blake3:cd34\", \"name\": "
      "\"FLUX.1 dev\", \"base\": \"flux\", \"type\": \"main\"}, \"vae\": {\"name\": "
      "\"FLUX.1-schnell_ae\"}, "
      "\"t5_encoder\": {\"name\": \"t5_bnb_int8_quantized_encoder\"}, \"clip_embed_model\": "
      "{\"name\": "
      "\"clip-vit-large-patch14\"}, \"loras\": [{\"model\": {\"name\": \"ink\"}, \"weight\": "
      "0.75}], "
      "\"app_version\": \"6.14.2\"}");
  g_assert_cmpstr (im.recipe.model, ==, "FLUX.1 dev");
  g_assert_cmpstr (im.recipe.vae, ==, "FLUX.1-schnell_ae");
  g_assert_cmpfloat (im.recipe.distilled_guidance, ==, 3.25);
  g_assert_cmpfloat (im.recipe.guidance_scale, ==, 1);
  g_assert_cmpint (im.recipe.sampler, ==, RECIPE_SAMPLER_HEUN);
  g_assert_cmpint (im.recipe.steps, ==, 28);
  g_assert_cmpstr (im.recipe.adapters, ==,
                   "[{\"name\":\"ink\",\"weight\":0.75,\"text_weight\":0.75}]");
  assert_n_notes (&im, 0);
  imported_clear (&im);
  im = imported_text ("invokeai_metadata",
                      "{\"generation_mode\": \"flux_img2img\", \"positive_prompt\": \"fox\", "
                      "\"cfg_scale\": 2, \"dype_preset\": \"4k\", \"ref_images\": [{\"id\": 1}]}");
  g_assert_cmpfloat (im.recipe.guidance_scale, ==, 2);
  assert_note (&im, "dype_preset is left out");
  assert_note (&im, "ref_images is left out");
  assert_n_notes (&im, 2);
  imported_clear (&im);
}

/* Such a recipe could not be read back. */
static void
test_lora_without_a_name_is_passed_over (void)
{
  Imported im = imported_text ("invokeai_metadata",
                               "{\"positive_prompt\": \"fox\", \"loras\": [{\"model\": {\"name\": "
                               "\".safetensors\"}, \"weight\": 0.5}]}");
  g_assert_null (im.recipe.adapters);
  imported_clear (&im);
}

static void
test_invokeai_older (void)
{
  Imported im = imported_text (
      "sd-metadata", "{\"model\": \"stable diffusion\", \"model_weights\": \"sd-1.4\", "
                     "\"model_hash\": \"fe4e\", \"image\": {\"prompt\": "
                     "[{\"prompt\": \"hut [fog]\", \"weight\": 1.0}], \"steps\": 50, "
                     "\"cfg_scale\": 7.5, \"seed\": 9, \"width\": 512, \"height\": 512, "
                     "\"sampler\": \"k_euler_a\", \"type\": \"txt2img\", \"perlin\": 0.1}}");
  g_assert_cmpstr (im.recipe.prompt, ==, "hut [fog]");
  g_assert_cmpint (im.recipe.sampler, ==, RECIPE_SAMPLER_EULER_A);
  g_assert_cmpstr (im.recipe.model, ==, "sd-1.4");
  assert_note (&im, "perlin is left out");
  assert_note (&im, "[brackets]");
  assert_n_notes (&im, 2);
  imported_clear (&im);
  im = imported_text ("Dream",
                      "\"a hut, by the sea\" -s 50 -S1234 -W 640 -H 512 -C 7.5 -A k_heun -G 0.8");
  g_assert_cmpstr (im.recipe.prompt, ==, "a hut, by the sea");
  g_assert_cmpint (im.recipe.steps, ==, 50);
  g_assert_cmpuint (im.recipe.seed, ==, 1234);
  g_assert_cmpint (im.recipe.width, ==, 640);
  g_assert_cmpint (im.recipe.sampler, ==, RECIPE_SAMPLER_HEUN);
  assert_note (&im, "-G 0.8 is left out");
  imported_clear (&im);
}

static void
test_swarmui (void)
{
  Imported im = imported_text ("parameters",
                               "{\"sui_image_params\": {\"prompt\": \"fox\", \"negativeprompt\": "
                               "\"dog\", \"model\": \"xl/base\", \"seed\": 3, \"steps\": 20, "
                               "\"cfgscale\": 7.0, \"width\": 1024, \"height\": 1024, \"sampler\": "
                               "\"dpmpp_2m\", \"scheduler\": \"karras\", \"loras\": [\"ink\"], "
                               "\"loraweights\": [\"0.5\"], \"clipstopatlayer\": -2, "
                               "\"refinerupscale\": 2.0, \"swarm_version\": \"0.9\"}}");
  g_assert_cmpint (im.source, ==, IMPORT_SWARMUI);
  g_assert_cmpstr (im.recipe.negative_prompt, ==, "dog");
  g_assert_cmpstr (im.recipe.model, ==, "xl/base");
  g_assert_cmpint (im.recipe.schedule, ==, RECIPE_SCHEDULE_KARRAS);
  g_assert_cmpint (im.recipe.clip_skip, ==, 2);
  g_assert_cmpstr (im.recipe.adapters, ==,
                   "[{\"name\":\"ink\",\"weight\":0.5,\"text_weight\":0.5}]");
  assert_note (&im, "refinerupscale is left out");
  assert_n_notes (&im, 1);
  imported_clear (&im);
}

static void
test_novelai (void)
{
  ImportText texts[] = {
    { "Software", "NovelAI" },
    { "Description", "1girl, {{fox ears}}" },
    { "Comment",
      "{\"uc\": \"lowres\", \"steps\": 28, \"scale\": 5.5, \"seed\": 42, \"sampler\": "
      "\"k_dpmpp_2m\", "
      "\"noise_schedule\": \"karras\", \"strength\": 0.7, \"sm\": true, \"skip\": null}" }
  };
  Imported im = imported_texts (texts, 3);
  g_assert_cmpint (im.source, ==, IMPORT_NOVELAI);
  g_assert_cmpstr (im.recipe.prompt, ==, "1girl, {{fox ears}}");
  g_assert_cmpstr (im.recipe.negative_prompt, ==, "lowres");
  g_assert_cmpint (im.recipe.sampler, ==, RECIPE_SAMPLER_DPMPP_2M);
  g_assert_cmpint (im.recipe.schedule, ==, RECIPE_SCHEDULE_KARRAS);
  g_assert_cmpint (im.recipe.clip_skip, ==, 2);
  g_assert_cmpfloat (im.recipe.denoise, ==, 0.7);
  assert_note (&im, "sm is left out");
  assert_note (&im, "{words} stronger");
  assert_note (&im, "made from another picture");
  imported_clear (&im);
}

static bool
import_everything (Status *status)
{
  static const ImportText texts[] = {
    { "prompt", simple_graph },
    { "prompt", rich_graph },
    { "Dream", "fox -s 5 -Q x" },
    { "parameters", "{\"sui_image_params\": {\"prompt\": \"a\", \"loras\": [\"b\"], \"c\": 1}}" }
  };
  bool ok = true;
  for (size_t i = 0; ok && i < G_N_ELEMENTS (texts); i++)
    {
      Recipe recipe;
      Notes notes = { 0 };
      ImportSource source;
      recipe_init (&recipe);
      ok = import_recipe (&recipe, &texts[i], 1, &source, &notes, status);
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
  g_assert_true (import_everything (&status));
  int64_t n = mem_count ();
  g_assert_cmpint (n, >, 30);
  for (int64_t i = 1; i <= n; i++)
    {
      status = (Status){ 0 };
      mem_fail_at (i);
      g_assert_false (import_everything (&status));
      g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
    }
  mem_fail_at (0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/recipe/import/comfyui-canny", test_comfyui_canny_has_other_thresholds);
  g_test_add_func ("/recipe/import/comfyui-controls", test_comfyui_controls);
  g_test_add_func ("/recipe/import/comfyui/default-graph", test_comfyui_default_graph);
  g_test_add_func ("/recipe/import/comfyui/default-graph-flux", test_comfyui_flux_graph);
  g_test_add_func ("/recipe/import/comfyui/rich-graph", test_comfyui_rich_graph);
  g_test_add_func ("/recipe/import/comfyui/names-of-samplers", test_comfyui_names_of_samplers);
  g_test_add_func ("/recipe/import/comfyui/numbers-of-nodes", test_comfyui_numbers_of_nodes);
  g_test_add_func ("/recipe/import/comfyui/custom-sampler", test_comfyui_custom_sampler);
  g_test_add_func ("/recipe/import/comfyui/circles", test_graphs_in_circles_end);
  g_test_add_func ("/recipe/import/comfyui/many-nodes", test_graph_of_many_nodes_is_bounded);
  g_test_add_func ("/recipe/import/comfyui/beside-text", test_text_beside_a_graph_means_comfyui);
  g_test_add_func ("/recipe/import/comfyui/exif", test_graph_in_exif);
  g_test_add_func ("/recipe/import/gesso", test_gesso_recipe_wins_and_is_exact);
  g_test_add_func ("/recipe/import/user-comment", test_user_comment_replaces_parameters);
  g_test_add_func ("/recipe/import/invokeai", test_invokeai);
  g_test_add_func ("/recipe/import/invokeai-flux", test_invokeai_flux);
  g_test_add_func ("/recipe/import/lora-without-a-name", test_lora_without_a_name_is_passed_over);
  g_test_add_func ("/recipe/import/invokeai-older", test_invokeai_older);
  g_test_add_func ("/recipe/import/swarmui", test_swarmui);
  g_test_add_func ("/recipe/import/novelai", test_novelai);
  g_test_add_func ("/recipe/import/damaged", test_damaged_texts_are_refused);
  g_test_add_func ("/recipe/import/memory", test_every_allocation_may_fail);
  return g_test_run ();
}
