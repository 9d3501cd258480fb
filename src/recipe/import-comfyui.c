/* SPDX-License-Identifier: MPL-2.0
 * import-comfyui.c - a recipe from ComfyUI's API-format graph.
 *
 * From the node that saves the picture the links are walked back to the first sampling pass, from
 * there to prompts, model and size.  Custom nodes are read by the names of their inputs.  Whatever
 * the walk did not understand is listed in notes at the end.
 */
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "recipe/import-graph.h"
#include "recipe/import-programs.h"
#include "recipe/json.h"

typedef struct
{
  Import *im;
  Graph graph;
} Walk;

typedef bool (*NodeTest) (const GraphNode *node);

bool
import_is_comfyui (struct json_object *root)
{
  if (!json_object_is_type (root, json_type_object))
    return false;
  struct json_object_iter it;
  json_object_object_foreachC (root, it)
  {
    if (json_member_text (it.val, "class_type"))
      return true;
  }
  return false;
}

static bool
class_has (const GraphNode *node, const char *part)
{
  return strstr (node->class_type, part) != NULL;
}

static bool
is_sampler (const GraphNode *node)
{
  bool has_seed = graph_has (node, "seed") || graph_has (node, "noise_seed");
  return text_starts_with (node->class_type, "SamplerCustom") ||
         (has_seed && graph_has (node, "steps") &&
          (graph_has (node, "cfg") || graph_has (node, "sampler_name")));
}

static bool
is_sized_latent (const GraphNode *node)
{
  return (graph_has (node, "width") && graph_has (node, "height") && class_has (node, "Latent")) ||
         (graph_has (node, "empty_latent_width") && graph_has (node, "empty_latent_height"));
}

static bool
is_loaded_image (const GraphNode *node)
{
  return class_has (node, "Load") && json_member_text (node->inputs, "image");
}

/* Pictures and latents come through these links' opposites. */
static bool
carries_no_picture (const char *key)
{
  static const char *const keys[] = { "model",    "clip",         "vae",        "positive",
                                      "negative", "conditioning", "guider",     "noise",
                                      "sigmas",   "sampler",      "control_net" };
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    if (strcmp (key, keys[i]) == 0)
      return true;
  return false;
}

static size_t
queue_links (Graph *graph, const GraphNode *node, bool *seen, GraphNode **queue, size_t n)
{
  struct json_object_iter it;
  json_object_object_foreachC (node->inputs, it)
  {
    GraphNode *next = carries_no_picture (it.key) ? NULL : graph_follow (graph, node, it.key);
    if (next && !seen[next - graph->nodes])
      {
        seen[next - graph->nodes] = true;
        queue[n++] = next;
      }
  }
  return n;
}

/* Breadth first from @start (included) along pictures and latents.  Every node is visited once. */
static GraphNode *
find_upstream (Walk *w, GraphNode *start, NodeTest test)
{
  bool *seen = mem_calloc (w->graph.n, sizeof *seen);
  GraphNode **queue = mem_calloc (w->graph.n, sizeof (GraphNode *));
  GraphNode *found = NULL;
  if (seen && queue && start)
    {
      size_t n = 1;
      seen[start - w->graph.nodes] = true;
      queue[0] = start;
      for (size_t i = 0; i < n && !found; i++)
        if (test (queue[i]))
          found = queue[i];
        else
          n = queue_links (&w->graph, queue[i], seen, queue, n);
    }
  if (!seen || !queue)
    status_fail (w->im->status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  mem_free (seen);
  mem_free (queue);
  return found;
}

static GraphNode *
find_last_sampler (Walk *w)
{
  static const char *const outputs[] = { "SaveImage", "Save", "Preview", "" };
  GraphNode *found = NULL;
  for (size_t k = 0; k < sizeof outputs / sizeof outputs[0]; k++)
    for (size_t i = 0; i < w->graph.n && !found && status_ok (w->im->status); i++)
      {
        GraphNode *node = &w->graph.nodes[i];
        if (!*outputs[k])
          found = is_sampler (node) ? node : NULL; /* no output leads to one: take any */
        else if (class_has (node, outputs[k]))
          found = find_upstream (w, node, is_sampler);
      }
  return found;
}

static GraphNode *
latent_of (Walk *w, const GraphNode *sampler)
{
  static const char *const keys[] = { "latent_image",    "latent",     "samples",
                                      "optional_latent", "latent_opt", NULL };
  return graph_follow_any (&w->graph, sampler, keys);
}

static bool
note_second_pass (Walk *w, GraphNode *sampler)
{
  char what[TEXT_EXCERPT_SIZE], class_type[TEXT_EXCERPT_SIZE], denoise[TEXT_EXCERPT_SIZE];
  struct json_object *value = graph_value (&w->graph, sampler, "denoise");
  const char *text = value ? json_object_get_string (value) : NULL;
  snprintf (what, sizeof what, "A second pass (%.30s, denoise %.10s)",
            text_excerpt (class_type, sampler->class_type),
            text_excerpt (denoise, text ? text : "?"));
  return import_left_out (w->im, what);
}

/* The recipe is the first pass; passes after it are noted. */
static GraphNode *
find_first_sampler (Walk *w)
{
  GraphNode *sampler = find_last_sampler (w);
  for (int i = 0; sampler && i < GRAPH_MAX_WALK; i++)
    {
      sampler->understood = true;
      GraphNode *earlier = find_upstream (w, latent_of (w, sampler), is_sampler);
      if (!earlier || earlier->understood)
        break;
      if (!note_second_pass (w, sampler))
        return NULL;
      sampler = earlier;
    }
  return sampler;
}

static bool
set_value (Walk *w, GraphNode *node, const char *input, const char *key)
{
  return import_set_json (w->im, key, graph_value (&w->graph, node, input));
}

bool
import_comfyui_sampler (Import *im, const char *name)
{
  static const struct
  {
    const char *name;
    RecipeSampler sampler;
    bool same; /* else its noise or variant differs */
  } names[] = {
    { "euler", RECIPE_SAMPLER_EULER, true },
    { "euler_ancestral", RECIPE_SAMPLER_EULER_A, true },
    { "heun", RECIPE_SAMPLER_HEUN, true },
    { "ddim", RECIPE_SAMPLER_DDIM, true },
    { "dpmpp_2m", RECIPE_SAMPLER_DPMPP_2M, true },
    { "dpmpp_2m_sde", RECIPE_SAMPLER_DPMPP_2M_SDE, true },
    { "dpmpp_2m_sde_gpu", RECIPE_SAMPLER_DPMPP_2M_SDE, false },
    { "dpmpp_sde", RECIPE_SAMPLER_DPMPP_SDE, true },
    { "dpmpp_sde_gpu", RECIPE_SAMPLER_DPMPP_SDE, false },
    { "uni_pc", RECIPE_SAMPLER_UNIPC, true },
    { "uni_pc_bh2", RECIPE_SAMPLER_UNIPC, false },
    { "lcm", RECIPE_SAMPLER_LCM, true },
    { "tcd", RECIPE_SAMPLER_TCD, true },
  };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp (name, names[i].name) == 0)
      {
        im->recipe->sampler = names[i].sampler;
        return names[i].same ||
               notes_add (im->notes, im->status,
                          "The sampler %s draws slightly differently from the one used here: the "
                          "picture may differ.",
                          name);
      }
  return import_unknown_name (im, "sampler", name);
}

bool
import_comfyui_scheduler (Import *im, const char *name)
{
  /* These have the same names in the table. */
  static const RecipeSchedule known[] = { RECIPE_SCHEDULE_NORMAL,      RECIPE_SCHEDULE_KARRAS,
                                          RECIPE_SCHEDULE_EXPONENTIAL, RECIPE_SCHEDULE_SGM_UNIFORM,
                                          RECIPE_SCHEDULE_SIMPLE,      RECIPE_SCHEDULE_BETA,
                                          RECIPE_SCHEDULE_DDIM_UNIFORM };
  const RecipeParam *p = recipe_find_param ("schedule");
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (strcmp (name, p->choices[known[i]]) == 0)
      {
        im->recipe->schedule = known[i];
        return true;
      }
  return import_unknown_name (im, "schedule", name);
}

/* Parts of SamplerCustom: a node for the sampler, by its choice or by its class. */
static bool
read_sampler_node (Walk *w, GraphNode *node)
{
  static const struct
  {
    const char *class_type, *name;
  } classes[] = { { "SamplerEulerAncestral", "euler_ancestral" },
                  { "SamplerDPMPP_2M_SDE", "dpmpp_2m_sde" },
                  { "SamplerDPMPP_SDE", "dpmpp_sde" },
                  { "SamplerTCD", "tcd" } };
  if (!node)
    return true;
  node->understood = true;
  const char *name = graph_text (&w->graph, node, "sampler_name");
  for (size_t i = 0; !name && i < sizeof classes / sizeof classes[0]; i++)
    if (strcmp (node->class_type, classes[i].class_type) == 0)
      name = classes[i].name;
  return import_comfyui_sampler (w->im, name ? name : node->class_type) &&
         set_value (w, node, "eta", "eta");
}

static bool
read_sigmas_node (Walk *w, GraphNode *node)
{
  static const struct
  {
    const char *class_type, *key;
    RecipeSchedule schedule;
  } classes[] = { { "KarrasScheduler", "karras", RECIPE_SCHEDULE_KARRAS },
                  { "ExponentialScheduler", "exponential", RECIPE_SCHEDULE_EXPONENTIAL },
                  { "BetaSamplingScheduler", "beta", RECIPE_SCHEDULE_BETA },
                  { "AlignYourStepsScheduler", "ays", RECIPE_SCHEDULE_AYS } };
  for (int i = 0; node && graph_follow (&w->graph, node, "sigmas") && i < GRAPH_MAX_WALK; i++)
    node =
        graph_follow (&w->graph, node, "sigmas"); /* SplitSigmas and its kin stay for the notes */
  if (!node)
    return true;
  node->understood = true;
  bool ok = set_value (w, node, "steps", "steps") && set_value (w, node, "denoise", "denoise");
  const char *name = graph_text (&w->graph, node, "scheduler");
  if (name)
    return ok && import_comfyui_scheduler (w->im, name);
  for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
    if (strcmp (node->class_type, classes[i].class_type) == 0)
      {
        w->im->recipe->schedule = classes[i].schedule;
        return ok;
      }
  return ok && import_unknown_name (w->im, "schedule", node->class_type);
}

static bool
note_partial_steps (Walk *w, GraphNode *sampler)
{
  struct json_object *start = graph_value (&w->graph, sampler, "start_at_step");
  struct json_object *end = graph_value (&w->graph, sampler, "end_at_step");
  bool partial = (start && json_object_get_int64 (start) > 0) ||
                 (end && json_object_get_int64 (end) < w->im->recipe->steps);
  return !partial ||
         notes_add (w->im->notes, w->im->status,
                    "Only a part of the steps was drawn by this pass (%s to %s): the recipe draws "
                    "all of them.",
                    start ? json_object_get_string (start) : "0",
                    end ? json_object_get_string (end) : "the end");
}

static bool
read_sampler (Walk *w, GraphNode *s)
{
  const char *name = graph_text (&w->graph, s, "sampler_name");
  const char *scheduler = graph_text (&w->graph, s, "scheduler");
  return set_value (w, s, "seed", "seed") && set_value (w, s, "noise_seed", "seed") &&
         set_value (w, s, "steps", "steps") && set_value (w, s, "cfg", "guidance_scale") &&
         set_value (w, s, "denoise", "denoise") &&
         (!name || import_comfyui_sampler (w->im, name)) &&
         (!scheduler || import_comfyui_scheduler (w->im, scheduler)) &&
         read_sampler_node (w, graph_follow (&w->graph, s, "sampler")) &&
         read_sigmas_node (w, graph_follow (&w->graph, s, "sigmas")) && note_partial_steps (w, s);
}

/* SamplerCustomAdvanced: noise and guidance are nodes of their own.  Returns: the node that holds
 * model and prompts. */
static GraphNode *
read_guider (Walk *w, GraphNode *sampler)
{
  GraphNode *noise = graph_follow (&w->graph, sampler, "noise");
  GraphNode *guider = graph_follow (&w->graph, sampler, "guider");
  if (noise && graph_has (noise, "noise_seed") && !set_value (w, noise, "noise_seed", "seed"))
    return NULL;
  if (!guider)
    return sampler;
  guider->understood = true;
  if (graph_has (guider, "cfg"))
    return set_value (w, guider, "cfg", "guidance_scale") ? guider : NULL;
  return import_set (w->im, "guidance_scale", "1") ? guider : NULL;
}

static bool
note_node (Walk *w, GraphNode *node)
{
  if (node->understood)
    return true;
  node->understood = true;
  return import_left_out (w->im, node->class_type);
}

static bool
note_lora (Walk *w, const char *name, struct json_object *strength)
{
  char excerpt[TEXT_EXCERPT_SIZE], number[TEXT_EXCERPT_SIZE];
  const char *text = strength ? json_object_get_string (strength) : NULL;
  return strcmp (name, "None") == 0 ||
         notes_add (w->im->notes, w->im->status,
                    "The LoRA \"%s\" (strength %s) is left out: a recipe cannot hold it yet.",
                    text_excerpt (excerpt, name), text_excerpt (number, text ? text : "1"));
}

/* LoraLoader, and custom stacks whose inputs begin with "lora": plain names, or objects with one.
 */
static bool
note_loras (Walk *w, GraphNode *node, bool *found)
{
  struct json_object_iter it;
  bool ok = true;
  json_object_object_foreachC (node->inputs, it)
  {
    if (!ok || !text_starts_with (it.key, "lora"))
      continue;
    const char *name = json_member_text (it.val, "lora");
    struct json_object *strength = json_member (it.val, "strength");
    if (!name && (name = graph_text (&w->graph, node, it.key)))
      strength = graph_value (&w->graph, node, "strength_model");
    *found |= name != NULL;
    ok = !name || note_lora (w, name, strength);
  }
  return ok;
}

static bool
read_model_sampling (Walk *w, GraphNode *node)
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
set_clip_skip (Walk *w, GraphNode *node, const char *input)
{
  struct json_object *layer = graph_value (&w->graph, node, input);
  char number[TEXT_NUMBER_SIZE];
  int64_t v = layer ? json_object_get_int64 (layer) : 0;
  if (v == 0)
    return true;
  snprintf (number, sizeof number, "%lld", (long long) (v == INT64_MIN ? 0 : -v));
  return import_set (w->im, "clip_skip", number);
}

static bool
set_vae (Walk *w, GraphNode *node)
{
  const char *name = graph_text (&w->graph, node, "vae_name");
  return !name || strcmp (name, "Baked VAE") == 0 || import_set (w->im, "vae", name);
}

/* Returns: the checkpoint's name when @node is a loader. */
static const char *
model_name (Walk *w, GraphNode *node)
{
  static const char *const keys[] = { "ckpt_name", "unet_name", "model_name", "gguf_name", NULL };
  const char *name = NULL;
  for (const char *const *key = keys; *key && !name; key++)
    name = graph_has (node, *key) ? graph_text (&w->graph, node, *key) : NULL;
  return name;
}

static bool
read_loader (Walk *w, GraphNode *node, const char *name)
{
  bool found;
  return import_set (w->im, "model", name) && set_vae (w, node) &&
         set_clip_skip (w, node, "clip_skip") && note_loras (w, node, &found);
}

static bool
read_model_node (Walk *w, GraphNode *node)
{
  bool is_lora = false;
  if (strcmp (node->class_type, "ModelSamplingDiscrete") == 0)
    return read_model_sampling (w, node);
  if (strcmp (node->class_type, "RescaleCFG") == 0)
    return set_value (w, node, "multiplier", "guidance_rescale");
  if (class_has (node, "Reroute"))
    return true;
  if (!note_loras (w, node, &is_lora))
    return false;
  return is_lora || import_left_out (w->im, node->class_type);
}

static bool
read_models (Walk *w, const GraphNode *from)
{
  static const char *const keys[] = { "model", "unet", "base_model", "", NULL };
  GraphNode *node = graph_follow_any (&w->graph, from, keys);
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
      node = graph_follow_any (&w->graph, node, keys);
    }
  return notes_add (w->im->notes, w->im->status, "No model was found in the graph: choose one.");
}

/* Up to the loader; LoRAs on the way are noted with the model. */
static bool
read_clip (Walk *w, const GraphNode *encoder)
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

/* SDXL's encoder has a text for each of its two models. */
static bool
note_second_text (Walk *w, GraphNode *node, const char *text)
{
  const char *other = graph_text (&w->graph, node, "text_l");
  char excerpt[TEXT_EXCERPT_SIZE];
  return !other || strcmp (other, text) == 0 ||
         notes_add (w->im->notes, w->im->status,
                    "CLIP-L had a prompt of its own, which is left out: \"%s\".",
                    text_excerpt (excerpt, other));
}

static const char *
prompt_text (Walk *w, GraphNode *node, const char *branch)
{
  const char *const keys[] = { "text", "text_g", "t5xxl", "clip_l", "prompt", branch };
  const char *text = NULL;
  for (size_t i = 0; i < sizeof keys / sizeof keys[0] && !text; i++)
    text = graph_has (node, keys[i]) ? graph_text (&w->graph, node, keys[i]) : NULL;
  return text;
}

static bool
note_conditioning (Walk *w, GraphNode *node)
{
  GraphNode *net = graph_follow (&w->graph, node, "control_net");
  const char *name = net ? graph_text (&w->graph, net, "control_net_name") : NULL;
  struct json_object *strength = name ? graph_value (&w->graph, node, "strength") : NULL;
  char excerpt[TEXT_EXCERPT_SIZE];
  if (!name || node->understood)
    return class_has (node, "Reroute") || note_node (w, node);
  node->understood = true;
  return notes_add (w->im->notes, w->im->status,
                    "The ControlNet \"%s\" (strength %s) is left out: a recipe cannot hold it yet.",
                    text_excerpt (excerpt, name),
                    strength ? json_object_get_string (strength) : "1");
}

/* @branch: "positive", "negative" or "conditioning"; @key: the recipe's prompt */
static bool
read_prompt (Walk *w, const GraphNode *from, const char *branch, const char *key)
{
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

static bool
read_size (Walk *w, GraphNode *sampler)
{
  GraphNode *latent = latent_of (w, sampler);
  GraphNode *sized = find_upstream (w, latent, is_sized_latent);
  GraphNode *loaded = sized ? NULL : find_upstream (w, latent, is_loaded_image);
  char excerpt[TEXT_EXCERPT_SIZE];
  if (!status_ok (w->im->status))
    return false;
  if (loaded)
    {
      latent->understood = loaded->understood = true;
      return notes_add (w->im->notes, w->im->status,
                        "It starts from the picture \"%s\": choose that file as the initial image.",
                        text_excerpt (excerpt, json_member_text (loaded->inputs, "image")));
    }
  if (!sized)
    return notes_add (w->im->notes, w->im->status, "No size was found in the graph.");
  bool plain = graph_has (sized, "width");
  return set_value (w, sized, plain ? "width" : "empty_latent_width", "width") &&
         set_value (w, sized, plain ? "height" : "empty_latent_height", "height") &&
         set_value (w, sized, "batch_size", "batch_size");
}

static bool
read_vae (Walk *w)
{
  for (size_t i = 0; i < w->graph.n; i++)
    {
      GraphNode *decode = &w->graph.nodes[i];
      GraphNode *vae = text_starts_with (decode->class_type, "VAEDecode")
                           ? graph_follow (&w->graph, decode, "vae")
                           : NULL;
      if (vae && graph_has (vae, "vae_name"))
        {
          vae->understood = true;
          return set_vae (w, vae);
        }
    }
  return true;
}

static bool
does_not_matter (const GraphNode *node)
{
  static const char *const parts[] = { "SaveImage",  "PreviewImage", "VAEDecode",
                                       "Note",       "Reroute",      "Primitive",
                                       "CLIPLoader", "PreviewAny",   "ShowText" };
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    if (class_has (node, parts[i]))
      return true;
  return false;
}

/* Once for each class of nodes that nothing above has understood. */
static bool
note_rest (Walk *w)
{
  for (size_t i = 0; i < w->graph.n; i++)
    {
      GraphNode *node = &w->graph.nodes[i];
      bool known = node->understood || does_not_matter (node);
      for (size_t j = 0; j < i && !known; j++)
        known = !w->graph.nodes[j].understood &&
                strcmp (w->graph.nodes[j].class_type, node->class_type) == 0;
      if (!known && !import_left_out (w->im, node->class_type))
        return false;
      if (w->im->notes->n >= NOTES_MAX)
        break;
    }
  return true;
}

static bool
read_all (Walk *w)
{
  GraphNode *sampler = find_first_sampler (w);
  if (!sampler)
    return status_fail (
        w->im->status, STATUS_FORMAT,
        "The ComfyUI graph has no sampler that can be read: set the recipe by hand.");
  Recipe *r = w->im->recipe;
  r->noise = RECIPE_NOISE_CPU;
  r->weighting = RECIPE_WEIGHTING_COMFYUI;
  r->convention = RECIPE_CONVENTION_COMFYUI;
  r->empty_negative = RECIPE_EMPTY_ENCODE;
  GraphNode *guider = read_sampler (w, sampler) ? read_guider (w, sampler) : NULL;
  if (!guider)
    return false;
  const char *positive = graph_has (guider, "positive") ? "positive" : "conditioning";
  return read_models (w, guider) && read_prompt (w, guider, positive, "prompt") &&
         read_prompt (w, guider, "negative", "negative_prompt") && read_size (w, sampler) &&
         read_vae (w) && note_rest (w) && import_note_extra_networks (w->im);
}

bool
import_comfyui (Import *im, struct json_object *graph)
{
  Walk w = { .im = im };
  bool ok = graph_read (&w.graph, graph, im->status) && read_all (&w);
  graph_clear (&w.graph);
  return ok;
}
