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
#include "recipe/import-comfyui.h"
#include "recipe/import-programs.h"
#include "recipe/json.h"

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
  return (graph_has (node, "width") && graph_has (node, "height") &&
          (comfy_class_has (node, "Latent") || comfy_has_frames (node))) ||
         (graph_has (node, "empty_latent_width") && graph_has (node, "empty_latent_height"));
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

/* Every node is visited once. */
GraphNode *
comfy_find_upstream (Comfy *w, GraphNode *start, ComfyTest test)
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
find_last_sampler (Comfy *w)
{
  static const char *const outputs[] = { "SaveImage", "Save", "VideoCombine", "Preview", "" };
  GraphNode *found = NULL;
  for (size_t k = 0; k < sizeof outputs / sizeof outputs[0]; k++)
    for (size_t i = 0; i < w->graph.n && !found && status_ok (w->im->status); i++)
      {
        GraphNode *node = &w->graph.nodes[i];
        if (!*outputs[k])
          found = is_sampler (node) ? node : NULL; /* no output leads to one: take any */
        else if (comfy_class_has (node, outputs[k]))
          found = comfy_find_upstream (w, node, is_sampler);
      }
  return found;
}

GraphNode *
comfy_latent_of (Comfy *w, const GraphNode *sampler)
{
  static const char *const keys[] = { "latent_image", "latent",       "samples", "optional_latent",
                                      "latent_opt",   "image_embeds", NULL };
  return graph_follow_any (&w->graph, sampler, keys);
}

static bool
note_second_pass (Comfy *w, GraphNode *sampler)
{
  char what[TEXT_EXCERPT_SIZE], class_type[TEXT_EXCERPT_SIZE], denoise[TEXT_EXCERPT_SIZE];
  struct json_object *value = graph_value (&w->graph, sampler, "denoise");
  const char *text = value ? json_object_get_string (value) : NULL;
  snprintf (what, sizeof what, status_text ("A second pass (%.30s, denoise %.10s)"),
            text_excerpt (class_type, sampler->class_type),
            text_excerpt (denoise, text ? text : "?"));
  return import_left_out (w->im, what);
}

/* The recipe is the first pass; passes after it are noted, but for one that goes on in the same run
 * with the other of two experts.
 * @expert: receives that one, or NULL */
static GraphNode *
find_first_sampler (Comfy *w, GraphNode **expert)
{
  GraphNode *sampler = find_last_sampler (w);
  *expert = NULL;
  w->is_clip =
      sampler && comfy_find_upstream (w, comfy_latent_of (w, sampler), comfy_has_frames) != NULL;
  for (int i = 0; sampler && i < GRAPH_MAX_WALK; i++)
    {
      sampler->understood = true;
      GraphNode *earlier = comfy_find_upstream (w, comfy_latent_of (w, sampler), is_sampler);
      if (!earlier || earlier->understood)
        break;
      if (!*expert && comfy_is_second_expert (w, sampler, earlier))
        *expert = sampler;
      else if (!note_second_pass (w, sampler))
        return NULL;
      sampler = earlier;
    }
  return sampler;
}

static bool
read_size (Comfy *w, GraphNode *sampler)
{
  GraphNode *latent = comfy_latent_of (w, sampler);
  GraphNode *sized = comfy_find_upstream (w, latent, is_sized_latent);
  GraphNode *loaded = sized ? NULL : comfy_find_upstream (w, latent, comfy_is_loaded_image);
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
  return comfy_set (w, sized, plain ? "width" : "empty_latent_width", "width") &&
         comfy_set (w, sized, plain ? "height" : "empty_latent_height", "height") &&
         comfy_set (w, sized, "batch_size", "batch_size") &&
         (!comfy_has_frames (sized) || comfy_read_frames (w, sized));
}

static bool
read_vae (Comfy *w)
{
  for (size_t i = 0; i < w->graph.n; i++)
    {
      GraphNode *decode = &w->graph.nodes[i];
      GraphNode *vae = text_starts_with (decode->class_type, "VAEDecode") ||
                               strcmp (decode->class_type, "WanVideoDecode") == 0
                           ? graph_follow (&w->graph, decode, "vae")
                           : NULL;
      if (vae && (graph_has (vae, "vae_name") || comfy_class_has (vae, "VAELoader")))
        {
          vae->understood = true;
          return comfy_set_vae (w, vae);
        }
    }
  return true;
}

static bool
does_not_matter (const GraphNode *node)
{
  static const char *const parts[] = { "SaveImage",      "PreviewImage",
                                       "VAEDecode",      "Note",
                                       "Reroute",        "Primitive",
                                       "CLIPLoader",     "PreviewAny",
                                       "ShowText",       "SaveVideo",
                                       "SaveWEBM",       "SaveAnimated",
                                       "CreateVideo", /* of WanVideoWrapper: where it computes */
                                       "WanVideoDecode", "WanVideoT5TextEncoder",
                                       "BlockSwap",      "TorchCompile",
                                       "VRAMManagement" };
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    if (comfy_class_has (node, parts[i]))
      return true;
  return false;
}

/* Once for each class of nodes that nothing above has understood. */
static bool
note_rest (Comfy *w)
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
read_all (Comfy *w)
{
  GraphNode *expert, *sampler = find_first_sampler (w, &expert);
  if (!sampler)
    return status_fail (
        w->im->status, STATUS_FORMAT,
        "The ComfyUI graph has no sampler that can be read: set the recipe by hand.");
  Recipe *r = w->im->recipe;
  r->noise = RECIPE_NOISE_CPU;
  r->weighting = RECIPE_WEIGHTING_COMFYUI;
  r->convention = RECIPE_CONVENTION_COMFYUI;
  r->empty_negative = RECIPE_EMPTY_ENCODE;
  GraphNode *guider = comfy_read_sampler (w, sampler) ? comfy_read_guider (w, sampler) : NULL;
  if (!guider)
    return false;
  const char *positive = graph_has (guider, "positive") ? "positive" : "conditioning";
  return comfy_read_models (w, guider) && comfy_settle_shift (w) &&
         comfy_read_prompt (w, guider, positive, "prompt") &&
         comfy_read_prompt (w, guider, "negative", "negative_prompt") && read_size (w, sampler) &&
         comfy_note_partial_steps (w, sampler, expert ? expert : sampler) &&
         (!expert || comfy_read_second_expert (w, expert)) && comfy_read_rate (w) && read_vae (w) &&
         note_rest (w) && import_note_extra_networks (w->im);
}

bool
import_comfyui (Import *im, struct json_object *graph)
{
  Comfy w = { .im = im };
  bool ok = graph_read (&w.graph, graph, im->status) && read_all (&w) && status_ok (im->status);
  graph_clear (&w.graph);
  return ok;
}
