/* SPDX-License-Identifier: MPL-2.0
 * fuzz-recipe.c - damaged recipes, generation texts and graphs: accepted or refused with a
 * sentence.
 *
 * Run alone: fuzz-recipe --runs 10000 --seed 1
 */
#include "core/mem.h"
#include "core/utf8.h"
#include "mutate.h"
#include "recipe/import.h"
#include "recipe/infotext.h"

enum
{
  ROOM = 1 << 16,
  MOST_CHANGES = 12,
  WORDS_MAX = 256
};

static const struct
{
  const char *key, *text;
} seeds[] = {
  { "gesso", "{\"version\": 1, \"prompt\": \"fox\", \"seed\": 18446744073709551615, \"steps\": 20, "
             "\"sampler\": \"euler\", \"guidance_scale\": 7.5, \"mood\": {\"warm\": [1, 2.5, null, "
             "true]}}" },
  { "parameters",
    "a (cat:1.2) <lora:ink:0.7>, Steps: 5\nNegative prompt: dog\nbird\nSteps: 20, Sampler: DPM++ "
    "2M "
    "Karras, Schedule type: Automatic, CFG scale: 7, Seed: 1, Size: 512x768, Model hash: "
    "0123456789, "
    "Model: \"a, \\\"b\\\"\\u72d0\", Denoising strength: 0.4, Clip skip: 2, Emphasis: No norm, "
    "Lora hashes: \"x: 01\", Civitai resources: [{\"type\":\"lora\",\"weight\":0.8}], "
    "Hires upscale: 2, Version: v1.10.1" },
  { "prompt",
    "{\"3\": {\"class_type\": \"KSampler\", \"inputs\": {\"seed\": 3, \"steps\": 20, \"cfg\": NaN, "
    "\"sampler_name\": \"euler\", \"scheduler\": \"normal\", \"denoise\": 1, \"model\": [\"10\", "
    "0], "
    "\"positive\": [\"6\", 0], \"negative\": [\"7\", 0], \"latent_image\": [\"5\", 0]}}, "
    "\"4\": {\"class_type\": \"CheckpointLoaderSimple\", \"inputs\": {\"ckpt_name\": \"m\"}}, "
    "\"10\": {\"class_type\": \"LoraLoader\", \"inputs\": {\"lora_name\": \"l\", "
    "\"strength_model\": 0.5, "
    "\"model\": [\"4\", 0], \"clip\": [\"4\", 1]}}, "
    "\"5\": {\"class_type\": \"EmptyLatentImage\", \"inputs\": {\"width\": 512, \"height\": 512, "
    "\"batch_size\": 1}}, "
    "\"6\": {\"class_type\": \"CLIPTextEncode\", \"inputs\": {\"text\": [\"11\", 0], \"clip\": "
    "[\"12\", 0]}}, "
    "\"11\": {\"class_type\": \"Text\", \"inputs\": {\"value\": \"fox\"}}, "
    "\"12\": {\"class_type\": \"CLIPSetLastLayer\", \"inputs\": {\"stop_at_clip_layer\": -2, "
    "\"clip\": [\"10\", 1]}}, "
    "\"7\": {\"class_type\": \"ConditioningZeroOut\", \"inputs\": {\"conditioning\": [\"6\", 0]}}, "
    "\"8\": {\"class_type\": \"VAEDecode\", \"inputs\": {\"samples\": [\"3\", 0], \"vae\": [\"4\", "
    "2]}}, "
    "\"9\": {\"class_type\": \"SaveImage\", \"inputs\": {\"images\": [\"8\", 0]}}}" },
  { "prompt", "{\"3\": {\"class_type\": \"CFGGuider\", \"inputs\": {\"model\": [\"3\", 0], "
              "\"positive\": [\"3\", 0], \"cfg\": 2}}, "
              "\"7\": {\"class_type\": \"SamplerCustomAdvanced\", \"inputs\": {\"noise\": [\"4\", "
              "0], \"guider\": [\"3\", 0], "
              "\"sampler\": [\"5\", 0], \"sigmas\": [\"6\", 0], \"latent_image\": [\"7\", 0]}}, "
              "\"4\": {\"class_type\": \"RandomNoise\", \"inputs\": {\"noise_seed\": 5}}, "
              "\"5\": {\"class_type\": \"SamplerEulerAncestral\", \"inputs\": {\"eta\": 1}}, "
              "\"6\": {\"class_type\": \"SplitSigmas\", \"inputs\": {\"sigmas\": [\"6\", 0]}}}" },
  { "prompt", "{\"1\":{\"class_type\":\"UNETLoader\",\"inputs\":{\"unet_name\":\"wan_high.safetenso"
              "rs\",\"weight_dtype\":\"default\"}},\"2\":{\"class_type\":\"UNETLoader\",\"inputs\":"
              "{\"unet_name\":\"wan_low.safetensors\",\"weight_dtype\":\"default\"}},\"3\":{\"class"
              "_type\":\"CLIPTextEncode\",\"inputs\":{\"clip\":[\"4\",0],\"text\":\"rain\"}},\"4\":"
              "{\"class_type\":\"CLIPLoader\",\"inputs\":{\"clip_name\":\"umt5_xxl_fp16.safetensors"
              "\",\"type\":\"wan\"}},\"5\":{\"class_type\":\"CLIPTextEncode\",\"inputs\":{\"clip\":"
              "[\"4\",0],\"text\":\"sun\"}},\"6\":{\"class_type\":\"CLIPTextEncode\",\"inputs\":{\""
              "clip\":[\"4\",0],\"text\":\"heavy rain\"}},\"7\":{\"class_type\":\"EmptyHunyuanLaten"
              "tVideo\",\"inputs\":{\"width\":640,\"height\":640,\"length\":81,\"batch_size\":1}},"
              "\"8\":{\"class_type\":\"BasicScheduler\",\"inputs\":{\"model\":[\"1\",0],\"scheduler"
              "\":\"beta\",\"steps\":8,\"denoise\":1}},\"9\":{\"class_type\":\"SplitSigmas\",\"inpu"
              "ts\":{\"sigmas\":[\"8\",0],\"step\":3}},\"10\":{\"class_type\":\"KSamplerSelect\",\""
              "inputs\":{\"sampler_name\":\"euler\"}},\"11\":{\"class_type\":\"RandomNoise\",\"inpu"
              "ts\":{\"noise_seed\":11}},\"12\":{\"class_type\":\"DisableNoise\",\"inputs\":{}},\"1"
              "3\":{\"class_type\":\"CFGGuider\",\"inputs\":{\"model\":[\"1\",0],\"positive\":[\"3"
              "\",0],\"negative\":[\"5\",0],\"cfg\":3.5}},\"14\":{\"class_type\":\"CFGGuider\",\"in"
              "puts\":{\"model\":[\"2\",0],\"positive\":[\"6\",0],\"negative\":[\"5\",0],\"cfg\":1}"
              "},\"15\":{\"class_type\":\"SamplerCustomAdvanced\",\"inputs\":{\"noise\":[\"11\",0],"
              "\"guider\":[\"13\",0],\"sampler\":[\"10\",0],\"sigmas\":[\"9\",0],\"latent_image\":["
              "\"7\",0]}},\"16\":{\"class_type\":\"SamplerCustomAdvanced\",\"inputs\":{\"noise\":["
              "\"12\",0],\"guider\":[\"14\",0],\"sampler\":[\"10\",0],\"sigmas\":[\"9\",1],\"latent"
              "_image\":[\"15\",0]}},\"17\":{\"class_type\":\"VAEDecode\",\"inputs\":{\"samples\":["
              "\"16\",1],\"vae\":[\"18\",0]}},\"18\":{\"class_type\":\"VAELoader\",\"inputs\":{\"va"
              "e_name\":\"wan_2.1_vae.safetensors\"}},\"19\":{\"class_type\":\"SaveAnimatedWEBP\","
              "\"inputs\":{\"images\":[\"17\",0],\"filename_prefix\":\"rain\",\"fps\":16.0,\"lossle"
              "ss\":true,\"quality\":80,\"method\":\"default\"}}}" },
  { "workflow",
    "{\"version\":0.4,\"nodes\":[{\"id\":1,\"type\":\"CheckpointLoaderSimple\",\"mode\":0"
    ",\"inputs\":[{\"name\":\"ckpt_name\",\"type\":\"COMBO\",\"widget\":{\"name\":\"ckpt_"
    "name\"},\"link\":null}],\"outputs\":[{\"name\":\"MODEL\",\"type\":\"MODEL\",\"links"
    "\":[1]},{\"name\":\"CLIP\",\"type\":\"CLIP\",\"links\":[2]},{\"name\":\"VAE\",\"type"
    "\":\"VAE\",\"links\":[3]}],\"widgets_values\":[\"xl.safetensors\"]},{\"id\":2,\"type"
    "\":\"0a1b2c3d-0000-4000-8000-000000000001\",\"mode\":0,\"inputs\":[{\"name\":\"model"
    "\",\"type\":\"MODEL\",\"link\":1},{\"name\":\"clip\",\"type\":\"CLIP\",\"link\":2},{"
    "\"name\":\"words\",\"type\":\"STRING\",\"widget\":{\"name\":\"words\"},\"link\":null"
    "}],\"outputs\":[{\"name\":\"LATENT\",\"type\":\"LATENT\",\"links\":[4]}],\"widgets_v"
    "alues\":[\"a lighthouse\"]},{\"id\":3,\"type\":\"VAEDecode\",\"mode\":0,\"inputs\":["
    "{\"name\":\"samples\",\"type\":\"LATENT\",\"link\":4},{\"name\":\"vae\",\"type\":\"V"
    "AE\",\"link\":3}],\"outputs\":[{\"name\":\"IMAGE\",\"type\":\"IMAGE\",\"links\":[5]}"
    "]},{\"id\":4,\"type\":\"SaveImage\",\"mode\":0,\"inputs\":[{\"name\":\"images\",\"ty"
    "pe\":\"IMAGE\",\"link\":5}],\"outputs\":[],\"widgets_values\":[\"out\"]}],\"links\":"
    "[[1,1,0,2,0,\"MODEL\"],[2,1,1,2,1,\"CLIP\"],[3,1,2,3,1,\"VAE\"],[4,2,0,3,0,\"LATENT"
    "\"],[5,3,0,4,0,\"IMAGE\"]],\"definitions\":{\"subgraphs\":[{\"id\":\"0a1b2c3d-0000-4"
    "000-8000-000000000001\",\"name\":\"Draw\",\"inputNode\":{\"id\":-10},\"outputNode\":"
    "{\"id\":-20},\"inputs\":[{\"name\":\"model\",\"type\":\"MODEL\"},{\"name\":\"clip\","
    "\"type\":\"CLIP\"},{\"name\":\"words\",\"type\":\"STRING\"}],\"outputs\":[{\"name\":"
    "\"LATENT\",\"type\":\"LATENT\"}],\"nodes\":[{\"id\":1,\"type\":\"CLIPTextEncode\",\""
    "mode\":0,\"inputs\":[{\"name\":\"clip\",\"type\":\"CLIP\",\"link\":2},{\"name\":\"te"
    "xt\",\"type\":\"STRING\",\"widget\":{\"name\":\"text\"},\"link\":3}],\"outputs\":[{"
    "\"name\":\"CONDITIONING\",\"type\":\"CONDITIONING\",\"links\":[4]}],\"widgets_values"
    "\":[\"old words\"]},{\"id\":2,\"type\":\"CLIPTextEncode\",\"mode\":0,\"inputs\":[{\""
    "name\":\"clip\",\"type\":\"CLIP\",\"link\":5},{\"name\":\"text\",\"type\":\"STRING\""
    ",\"widget\":{\"name\":\"text\"},\"link\":null}],\"outputs\":[{\"name\":\"CONDITIONIN"
    "G\",\"type\":\"CONDITIONING\",\"links\":[6]}],\"widgets_values\":[\"fog\"]},{\"id\":"
    "3,\"type\":\"EmptyLatentImage\",\"mode\":0,\"inputs\":[{\"name\":\"width\",\"type\":"
    "\"INT\",\"widget\":{\"name\":\"width\"},\"link\":null},{\"name\":\"height\",\"type\""
    ":\"INT\",\"widget\":{\"name\":\"height\"},\"link\":null},{\"name\":\"batch_size\",\""
    "type\":\"INT\",\"widget\":{\"name\":\"batch_size\"},\"link\":null}],\"outputs\":[{\""
    "name\":\"LATENT\",\"type\":\"LATENT\",\"links\":[7]}],\"widgets_values\":[1216,832,1"
    "]},{\"id\":4,\"type\":\"KSampler\",\"mode\":0,\"inputs\":[{\"name\":\"model\",\"type"
    "\":\"MODEL\",\"link\":1},{\"name\":\"positive\",\"type\":\"CONDITIONING\",\"link\":4"
    "},{\"name\":\"negative\",\"type\":\"CONDITIONING\",\"link\":6},{\"name\":\"latent_im"
    "age\",\"type\":\"LATENT\",\"link\":7},{\"name\":\"seed\",\"type\":\"INT\",\"widget\""
    ":{\"name\":\"seed\"},\"link\":null},{\"name\":\"steps\",\"type\":\"INT\",\"widget\":"
    "{\"name\":\"steps\"},\"link\":null},{\"name\":\"cfg\",\"type\":\"FLOAT\",\"widget\":"
    "{\"name\":\"cfg\"},\"link\":null},{\"name\":\"sampler_name\",\"type\":\"COMBO\",\"wi"
    "dget\":{\"name\":\"sampler_name\"},\"link\":null},{\"name\":\"scheduler\",\"type\":"
    "\"COMBO\",\"widget\":{\"name\":\"scheduler\"},\"link\":null},{\"name\":\"denoise\","
    "\"type\":\"FLOAT\",\"widget\":{\"name\":\"denoise\"},\"link\":null}],\"outputs\":[{"
    "\"name\":\"LATENT\",\"type\":\"LATENT\",\"links\":[8]}],\"widgets_values\":[17,\"fix"
    "ed\",24,6,\"euler\",\"karras\",1]},{\"id\":5,\"type\":\"MysteryNode\",\"mode\":0,\"i"
    "nputs\":[],\"outputs\":[],\"widgets_values\":[1,2]}],\"links\":[{\"id\":1,\"origin_i"
    "d\":-10,\"origin_slot\":0,\"target_id\":4,\"target_slot\":0,\"type\":\"MODEL\"},{\"i"
    "d\":2,\"origin_id\":-10,\"origin_slot\":1,\"target_id\":1,\"target_slot\":0,\"type\""
    ":\"CLIP\"},{\"id\":3,\"origin_id\":-10,\"origin_slot\":2,\"target_id\":1,\"target_sl"
    "ot\":1,\"type\":\"STRING\"},{\"id\":4,\"origin_id\":1,\"origin_slot\":0,\"target_id"
    "\":4,\"target_slot\":1,\"type\":\"CONDITIONING\"},{\"id\":5,\"origin_id\":-10,\"orig"
    "in_slot\":1,\"target_id\":2,\"target_slot\":0,\"type\":\"CLIP\"},{\"id\":6,\"origin_"
    "id\":2,\"origin_slot\":0,\"target_id\":4,\"target_slot\":2,\"type\":\"CONDITIONING\""
    "},{\"id\":7,\"origin_id\":3,\"origin_slot\":0,\"target_id\":4,\"target_slot\":3,\"ty"
    "pe\":\"LATENT\"},{\"id\":8,\"origin_id\":4,\"origin_slot\":0,\"target_id\":-20,\"tar"
    "get_slot\":0,\"type\":\"LATENT\"}]}]}}" },
  { "invokeai_metadata", "{\"positive_prompt\": \"fox\", \"seed\": 1, \"scheduler\": "
                         "\"dpmpp_2m_k\", \"model\": {\"name\": "
                         "\"m\", \"hash\": \"h\"}, \"loras\": [{\"model\": {\"name\": \"l\"}, "
                         "\"weight\": 0.5}], \"clip_skip\": 1, "
                         "\"init_image\": {\"n\": 1}, \"strength\": 0.5, \"x\": 1}" },
  { "sd-metadata", "{\"model_weights\": \"m\", \"image\": {\"prompt\": [{\"prompt\": \"a [b]\"}, "
                   "{}], \"steps\": 5, \"sampler\": \"k_heun\"}}" },
  { "Dream", "\"a hut\" -s 50 -S1234 -W 640 -H 512 -C 7.5 -A k_heun -G 0.8 -I x.png" },
  { "UserComment", "{\"sui_image_params\": {\"prompt\": \"fox\", \"seed\": 3, \"sampler\": "
                   "\"ddim\", \"loras\": [\"ink\"], "
                   "\"loraweights\": [\"0.5\"], \"clipstopatlayer\": -2, \"initimagecreativity\": "
                   "0.5, \"x\": {}}}" },
  { "Comment", "{\"uc\": \"lowres\", \"steps\": 28, \"scale\": 5, \"seed\": 42, \"sampler\": "
               "\"k_euler\", \"noise_schedule\": "
               "\"karras\", \"strength\": 0.7, \"sm\": true}" },
};

/* The dictionary: every key and choice of the parameter table, and marks of the grammars. */
static size_t
make_words (const char **words)
{
  static const char *const marks[] = { "Negative prompt: ",
                                       "Steps: ",
                                       ": \"",
                                       "\\u",
                                       "Civitai resources: [",
                                       "[\"3\", 0]",
                                       "class_type",
                                       "\"link\": 3",
                                       "widgets_values",
                                       "\"mode\": 4",
                                       "SetNode",
                                       "GetNode",
                                       "Reroute",
                                       "length",
                                       "inputs",
                                       "NaN",
                                       "1e999",
                                       "-1",
                                       "18446744073709551616",
                                       "\xf0\x9f",
                                       "\xed\xa0\x80",
                                       "[[[[",
                                       "null" };
  size_t n = 0;
  for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
    words[n++] = marks[i];
  for (int i = 0; i < recipe_table_count () && n < WORDS_MAX; i++)
    {
      const RecipeParam *p = &recipe_table ()[i];
      words[n++] = p->key;
      for (int k = 0; p->choices && p->choices[k] && n < WORDS_MAX; k++)
        words[n++] = p->choices[k];
    }
  return n;
}

static void
die (const char *what, const char *text)
{
  fprintf (stderr, "fuzz-recipe: %s\n%s\n", what, text);
  exit (1);
}

/* What was accepted can be written and read back. */
static void
check_accepted (const Recipe *recipe, const char *text)
{
  Status status = { 0 };
  Recipe read;
  Notes notes = { 0 };
  recipe_init (&read);
  char *json = recipe_to_json (recipe, &status);
  if (!json || !recipe_from_json (&read, json, strlen (json), &notes, &status))
    die (status.message, text);
  char *again = recipe_to_json (&read, &status);
  if (!again || strcmp (json, again) != 0)
    die ("a recipe changed on its way through JSON", text);
  char *info = infotext_write (recipe, &status);
  if (!info)
    die (status.message, text);
  mem_free (info);
  mem_free (json);
  mem_free (again);
  notes_clear (&notes);
  recipe_clear (&read);
}

static bool
try_text (const char *key, const char *text)
{
  const ImportText texts[] = { { key, text }, { "Software", "NovelAI" }, { "Description", "fox" } };
  Recipe recipe;
  Notes notes = { 0 };
  Status status = { 0 };
  ImportSource source;
  recipe_init (&recipe);
  bool ok = import_recipe (&recipe, texts, 3, &source, &notes, &status);
  if (ok)
    check_accepted (&recipe, text);
  else if (!status.message[0] || !utf8_is_valid (status.message, strlen (status.message)))
    die ("refused without a sentence in UTF-8", text);
  recipe_validate (&recipe, &status);
  for (size_t i = 0; i < notes.n; i++)
    if (!notes.items[i][0] || !utf8_is_valid (notes.items[i], strlen (notes.items[i])))
      die ("a note is no sentence in UTF-8", text);
  notes_clear (&notes);
  recipe_clear (&recipe);
  return ok;
}

int
main (int argc, char **argv)
{
  static uint8_t data[ROOM + 1];
  const char *words[WORDS_MAX];
  size_t n_words = make_words (words);
  long n_accepted = 0;
  FuzzOptions options;
  if (fuzz_options (&options, argc, argv) != 0)
    return 2;
  FuzzRandom r = { options.seed };
  for (long run = 0; run < options.runs; run++)
    {
      size_t k = fuzz_below (&r, sizeof seeds / sizeof seeds[0]), n = strlen (seeds[k].text);
      memcpy (data, seeds[k].text, n);
      for (size_t i = fuzz_below (&r, MOST_CHANGES); i > 0; i--)
        n = fuzz_mutate (&r, data, n, ROOM, words, n_words);
      data[n] = '\0';
      n_accepted += try_text (seeds[k].key, (const char *) data);
    }
  printf ("%ld runs, %ld accepted, %ld refused\n", options.runs, n_accepted,
          options.runs - n_accepted);
  return 0;
}
