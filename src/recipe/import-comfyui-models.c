/* SPDX-License-Identifier: MPL-2.0
 * import-comfyui-models.c - models, LoRAs, VAEs and prompts of a ComfyUI graph.
 */
#include <stdio.h>
#include <string.h>

#include "recipe/import-comfyui.h"
#include "recipe/import-control.h"
#include "recipe/import-programs.h"
#include "recipe/json.h"

static bool
note_node (Comfy *w, GraphNode *node)
{
  if (node->understood)
    return true;
  node->understood = true;
  return import_left_out (w->im, node->class_type);
}

static bool
take_lora (Comfy *w, const char *name, struct json_object *strength, struct json_object *clip)
{
  return strcmp (name, "None") == 0 ||
         import_adapter (w->im, name, strength ? json_object_get_string (strength) : NULL,
                         clip ? json_object_get_string (clip) : NULL);
}

/* LoraLoader, and custom stacks whose inputs begin with "lora": plain names, or objects with one.
 */
static bool
take_loras (Comfy *w, GraphNode *node, bool *found)
{
  struct json_object_iter it;
  bool ok = true;
  json_object_object_foreachC (node->inputs, it)
  {
    if (!ok || !text_starts_with (it.key, "lora"))
      continue;
    const char *name = json_member_text (it.val, "lora");
    struct json_object *strength = json_member (it.val, "strength"), *clip = NULL;
    struct json_object *on = json_member (it.val, "on");
    if (!name && (name = graph_text (&w->graph, node, it.key)))
      {
        strength = graph_value (&w->graph, node, "strength_model");
        clip = graph_value (&w->graph, node, "strength_clip");
      }
    bool is_off = json_object_is_type (on, json_type_boolean) && !json_object_get_boolean (on);
    *found |= name != NULL;
    ok = !name || is_off || take_lora (w, name, strength, clip);
  }
  return ok;
}

static bool
read_model_sampling (Comfy *w, GraphNode *node)
{
  const char *sampling = graph_text (&w->graph, node, "sampling");
  struct json_object *zsnr = graph_value (&w->graph, node, "zsnr");
  if (zsnr)
    w->im->recipe->zero_terminal_snr =
        json_object_get_boolean (zsnr) ? RECIPE_SNR_ON : RECIPE_SNR_OFF;
  if (sampling && strcmp (sampling, "v_prediction") == 0)
    w->im->recipe->prediction = RECIPE_PREDICTION_V;
  else if (sampling && strcmp (sampling, "eps") == 0)
    w->im->recipe->prediction = RECIPE_PREDICTION_EPSILON;
  else if (sampling)
    return import_unknown_name (w->im, "prediction", sampling);
  return true;
}

static bool
set_clip_skip (Comfy *w, GraphNode *node, const char *input)
{
  struct json_object *layer = graph_value (&w->graph, node, input);
  char number[TEXT_NUMBER_SIZE];
  int64_t v = layer ? json_object_get_int64 (layer) : 0;
  if (v == 0)
    return true;
  snprintf (number, sizeof number, "%lld", (long long) (v == INT64_MIN ? 0 : -v));
  return import_set (w->im, "clip_skip", number);
}

bool
comfy_set_vae (Comfy *w, GraphNode *node)
{
  const char *name = graph_text (&w->graph, node, "vae_name");
  if (!name && comfy_class_has (node, "VAELoader"))
    name = graph_text (&w->graph, node, "model_name");
  return !name || strcmp (name, "Baked VAE") == 0 || import_set (w->im, "vae", name);
}

/* One that has no strength is not loaded there. */
static bool
take_wan_lora (Comfy *w, GraphNode *node, const char *lora, const char *strength)
{
  const char *name = graph_text (&w->graph, node, lora);
  struct json_object *value = graph_value (&w->graph, node, strength);
  bool is_number =
      json_object_is_type (value, json_type_double) || json_object_is_type (value, json_type_int);
  bool is_off = is_number && json_object_get_double (value) == 0;
  return !name || strcmp (name, "none") == 0 || is_off || take_lora (w, name, value, NULL);
}

/* WanVideoLoraSelect has one, WanVideoLoraSelectMulti numbered ones. */
static bool
take_wan_node (Comfy *w, GraphNode *node)
{
  enum
  {
    MOST = 5
  };
  bool ok = take_wan_lora (w, node, "lora", "strength") &&
            take_wan_lora (w, node, "lora_name", "strength");
  for (int i = 0; ok && i < MOST; i++)
    {
      char lora[TEXT_NUMBER_SIZE], strength[TEXT_NUMBER_SIZE];
      snprintf (lora, sizeof lora, "lora_%d", i);
      snprintf (strength, sizeof strength, "strength_%d", i);
      ok = take_wan_lora (w, node, lora, strength);
    }
  return ok;
}

/* Kijai's WanVideoWrapper hangs its LoRAs one on the other beside the model. */
static bool
take_wan_loras (Comfy *w, const GraphNode *from)
{
  GraphNode *node = graph_follow (&w->graph, from, "lora");
  for (int i = 0; node && i < GRAPH_MAX_WALK; i++)
    {
      node->understood = true;
      if (!take_wan_node (w, node))
        return false;
      node = graph_follow (&w->graph, node, "prev_lora");
    }
  return true;
}

/* Returns: the checkpoint's name when @node is a loader. */
static const char *
model_name (Comfy *w, GraphNode *node)
{
  static const char *const keys[] = { "ckpt_name", "unet_name", "model_name", "gguf_name", NULL };
  const char *name = NULL;
  for (const char *const *key = keys; *key && !name; key++)
    name = graph_has (node, *key) ? graph_text (&w->graph, node, *key) : NULL;
  if (!name && comfy_class_has (node, "WanVideoModelLoader"))
    name = graph_text (&w->graph, node, "model");
  return name;
}

/* UNETLoader can change the type of the weights, which a recipe leaves as they are stored. */
static bool
note_weight_type (Comfy *w, GraphNode *node)
{
  const char *type = graph_text (&w->graph, node, "weight_dtype");
  char excerpt[TEXT_EXCERPT_SIZE];
  return !type || strcmp (type, "default") == 0 ||
         notes_add (w->im->notes, w->im->status,
                    "The graph turned the model's weights into %s; here they are used as they are "
                    "stored.",
                    text_excerpt (excerpt, type));
}

static bool
read_loader (Comfy *w, GraphNode *node, const char *name)
{
  bool found;
  if (comfy_class_has (node, "WanVideoModelLoader"))
    return import_set (w->im, "model", name) && take_wan_loras (w, node);
  return import_set (w->im, "model", name) && note_weight_type (w, node) &&
         comfy_set_vae (w, node) && set_clip_skip (w, node, "clip_skip") &&
         take_loras (w, node, &found);
}

static double
number_of (Comfy *w, GraphNode *node, const char *input, double otherwise)
{
  struct json_object *value = graph_value (&w->graph, node, input);
  return value ? json_object_get_double (value) : otherwise;
}

/* Its mu grows with the size from base_shift at 256 tokens to max_shift at 4096. */
static bool
read_flux_sampling (Comfy *w, GraphNode *node)
{
  const double tokens_base = 256, tokens_most = 4096, token_pixels = 16 * 16;
  char number[TEXT_NUMBER_SIZE];
  double most = number_of (w, node, "max_shift", 1.15);
  double base = number_of (w, node, "base_shift", 0.5);
  double tokens = number_of (w, node, "width", 1024) * number_of (w, node, "height", 1024);
  tokens /= token_pixels;
  double mu = base + (tokens - tokens_base) * (most - base) / (tokens_most - tokens_base);
  text_from_double (number, mu < 0 ? 0 : mu);
  return import_set (w->im, "flow_shift", number);
}

static bool
read_model_node (Comfy *w, GraphNode *node)
{
  bool is_lora = false;
  if (strcmp (node->class_type, "ModelSamplingDiscrete") == 0)
    return read_model_sampling (w, node);
  if (strcmp (node->class_type, "ModelSamplingFlux") == 0)
    return read_flux_sampling (w, node);
  if (strcmp (node->class_type, "ModelSamplingSD3") == 0 && w->is_clip)
    return comfy_set (w, node, "shift", "shift");
  if (strcmp (node->class_type, "RescaleCFG") == 0)
    return comfy_set (w, node, "multiplier", "guidance_rescale");
  if (comfy_class_has (node, "Reroute"))
    return true;
  if (strcmp (node->class_type, "WanVideoSetLoRAs") == 0)
    return take_wan_loras (w, node);
  if (!take_loras (w, node, &is_lora))
    return false;
  return is_lora || import_left_out (w->im, node->class_type);
}

static const char *const model_keys[] = { "model", "unet", "base_model", "", NULL };

const char *
comfy_peek_model (Comfy *w, const GraphNode *from)
{
  GraphNode *node = graph_follow_any (&w->graph, from, model_keys);
  const char *name = NULL;
  for (int i = 0; node && !name && i < GRAPH_MAX_WALK; i++)
    {
      name = model_name (w, node);
      node = graph_follow_any (&w->graph, node, model_keys);
    }
  return name;
}

bool
comfy_read_models (Comfy *w, const GraphNode *from)
{
  GraphNode *node = graph_follow_any (&w->graph, from, model_keys);
  for (int i = 0; node && i < GRAPH_MAX_WALK; i++)
    {
      const char *name = model_name (w, node);
      if (name)
        {
          node->understood = true;
          return read_loader (w, node, name);
        }
      if (!node->understood && !read_model_node (w, node))
        return false;
      node->understood = true;
      node = graph_follow_any (&w->graph, node, model_keys);
    }
  return notes_add (w->im->notes, w->im->status, "No model was found in the graph: choose one.");
}

/* Up to the loader; LoRAs on the way are taken with the model. */
static bool
read_clip (Comfy *w, const GraphNode *encoder)
{
  static const char *const keys[] = { "clip", "", NULL };
  GraphNode *node = graph_follow_any (&w->graph, encoder, keys);
  for (int i = 0; node && i < GRAPH_MAX_WALK; i++)
    {
      if (strcmp (node->class_type, "CLIPSetLastLayer") == 0 && !node->understood)
        {
          node->understood = true;
          if (!set_clip_skip (w, node, "stop_at_clip_layer"))
            return false;
        }
      node = graph_follow_any (&w->graph, node, keys);
    }
  return true;
}

/* SDXL's and FLUX's encoders have a text for each of their two models. */
static bool
note_second_text (Comfy *w, GraphNode *node, const char *text)
{
  const char *other = graph_text (&w->graph, node, "text_l");
  if (!other)
    other = graph_text (&w->graph, node, "clip_l");
  char excerpt[TEXT_EXCERPT_SIZE];
  return !other || strcmp (other, text) == 0 ||
         notes_add (w->im->notes, w->im->status,
                    "CLIP-L had a prompt of its own, which is left out: \"%s\".",
                    text_excerpt (excerpt, other));
}

/* All-in-one loaders hold the prompts as plain inputs named like the branch. */
static const char *
prompt_text (Comfy *w, GraphNode *node, const char *branch)
{
  static const char *const keys[] = { "text", "text_g", "t5xxl", "clip_l", "prompt" };
  const char *text = json_member_text (node->inputs, branch);
  for (size_t i = 0; i < sizeof keys / sizeof keys[0] && !text; i++)
    text = graph_has (node, keys[i]) ? graph_text (&w->graph, node, keys[i]) : NULL;
  return text;
}

static bool
note_conditioning (Comfy *w, GraphNode *node)
{
  if (graph_follow (&w->graph, node, "control_net") && graph_has (node, "strength"))
    return node->understood || import_control_node (w->im, &w->graph, node);
  /* what makes a clip's latents is read with its size */
  return comfy_class_has (node, "Reroute") || comfy_has_frames (node) || note_node (w, node);
}

/* WanVideoWrapper's encoder, past WanVideoApplyNAG, which stays for the notes; NULL for none. */
static GraphNode *
wan_encoder (Comfy *w, const GraphNode *from)
{
  GraphNode *node = graph_follow (&w->graph, from, "text_embeds"), *next;
  for (int i = 0; node && i < GRAPH_MAX_WALK; i++, node = next)
    if (!(next = graph_follow (&w->graph, node, "original_text_embeds")))
      break;
  return node;
}

/* WanVideoTextEncode holds both prompts, WanVideoTextEncodeSingle one. */
static bool
read_wan_prompt (Comfy *w, GraphNode *encoder, const char *key)
{
  bool negative = strcmp (key, "negative_prompt") == 0;
  const char *text =
      graph_text (&w->graph, encoder, negative ? "negative_prompt" : "positive_prompt");
  if (!text && !negative)
    text = graph_text (&w->graph, encoder, "prompt");
  encoder->understood = true;
  return !text || recipe_set (w->im->recipe, key, text, w->im->status);
}

/* @branch: "positive", "negative" or "conditioning"; @key: the recipe's prompt */
bool
comfy_read_prompt (Comfy *w, const GraphNode *from, const char *branch, const char *key)
{
  GraphNode *wan = wan_encoder (w, from);
  if (wan && !graph_follow (&w->graph, wan, "positive"))
    return read_wan_prompt (w, wan, key);
  if (wan) /* WanVideoTextEmbedBridge: ComfyUI's own encoders are behind it */
    {
      wan->understood = true;
      from = wan;
      branch = strcmp (key, "prompt") == 0 ? "positive" : "negative";
    }
  const char *const keys[] = {
    branch, "conditioning", "conditioning_1", "conditioning_to", "cond", "", NULL
  };
  GraphNode *node = graph_follow (&w->graph, from, branch);
  for (int i = 0; node && i < GRAPH_MAX_WALK; i++)
    {
      if (strcmp (node->class_type, "ConditioningZeroOut") == 0)
        {
          node->understood = true;
          w->im->recipe->empty_negative = RECIPE_EMPTY_ZEROS;
          return true;
        }
      /* FluxGuidance on the way, or CLIPTextEncodeFlux itself */
      if (graph_has (node, "guidance") && comfy_class_has (node, "Flux"))
        {
          node->understood = true;
          if (!comfy_set (w, node, "guidance", "distilled_guidance"))
            return false;
        }
      const char *text = prompt_text (w, node, branch);
      if (text)
        {
          node->understood = true;
          return recipe_set (w->im->recipe, key, text, w->im->status) &&
                 note_second_text (w, node, text) && read_clip (w, node);
        }
      if (!note_conditioning (w, node))
        return false;
      node = graph_follow_any (&w->graph, node, keys);
    }
  return strcmp (key, "negative_prompt") == 0 ||
         notes_add (w->im->notes, w->im->status, "No prompt was found in the graph.");
}
