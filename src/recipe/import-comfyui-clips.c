/* SPDX-License-Identifier: MPL-2.0
 * import-comfyui-clips.c - what only graphs of video models say: frames, frame rate, shift, and the
 * second of Wan 2.2's two experts.
 *
 * ComfyUI's users give each expert a pass of its own and part the run by steps.  A recipe parts it
 * by noise level, which is looked up in the schedule of the first pass.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/mem.h"
#include "recipe/adapters.h"
#include "recipe/import-comfyui.h"
#include "recipe/json.h"
#include "samplers/schedule.h"

/* ComfyUI's own for Wan where no node says another. */
static const double comfyui_shift = 8;

bool
comfy_is_loaded_image (const GraphNode *node)
{
  return comfy_class_has (node, "Load") && json_member_text (node->inputs, "image");
}

/* Empty latents and what makes them of pictures, of Wan and of other models. */
bool
comfy_has_frames (const GraphNode *node)
{
  return graph_has (node, "width") && graph_has (node, "height") &&
         (graph_has (node, "length") || graph_has (node, "num_frames"));
}

/* ---- size and pictures ---- */

static bool
note_picture (Comfy *w, GraphNode *sized, const char *input, bool last)
{
  GraphNode *from = graph_follow (&w->graph, sized, input);
  GraphNode *loaded = from ? comfy_find_upstream (w, from, comfy_is_loaded_image) : NULL;
  char excerpt[TEXT_EXCERPT_SIZE];
  if (!from || !status_ok (w->im->status))
    return status_ok (w->im->status);
  if (!loaded)
    return import_left_out (w->im, input);
  from->understood = loaded->understood = true;
  text_excerpt (excerpt, json_member_text (loaded->inputs, "image"));
  return last ? notes_add (w->im->notes, w->im->status,
                           "It ends with the picture \"%s\": choose that file as the last frame.",
                           excerpt)
              : notes_add (w->im->notes, w->im->status,
                           "It begins with the picture \"%s\": choose that file as the first "
                           "frame.",
                           excerpt);
}

/* What models read that Gesso has no place for: control films, masks, voices. */
static bool
note_other_inputs (Comfy *w, const GraphNode *sized)
{
  static const char *const read[] = {
    "positive", "negative", "vae", "width", "height", "length", "batch_size", "start_image",
    "end_image", "clip_vision_output", "clip_vision_start_image", "clip_vision_end_image",
    /* of WanVideoWrapper */
    "num_frames", "clip_embeds", "force_offload", "tiled_vae", "fun_or_fl2v_model",
    "start_latent_strength", "end_latent_strength"
  };
  struct json_object_iter it;
  bool ok = true;
  json_object_object_foreachC (sized->inputs, it)
  {
    char what[TEXT_EXCERPT_SIZE], input[TEXT_EXCERPT_SIZE], class_type[TEXT_EXCERPT_SIZE];
    bool known = import_is_nothing (it.val) || (json_object_is_type (it.val, json_type_double) &&
                                                json_object_get_double (it.val) == 0);
    for (size_t i = 0; i < sizeof read / sizeof read[0]; i++)
      known |= strcmp (it.key, read[i]) == 0;
    snprintf (what, sizeof what, status_text ("%.30s of %.40s"), text_excerpt (input, it.key),
              text_excerpt (class_type, sized->class_type));
    ok = ok && (known || import_left_out (w->im, what));
  }
  return ok;
}

/* Wan 2.1 is shown its first frame through CLIP-H, as it is here. */
static void
understand_vision (Comfy *w, GraphNode *sized)
{
  static const char *const keys[] = { "clip_vision_output", "clip_vision_start_image",
                                      "clip_vision_end_image", "clip_embeds" };
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    {
      GraphNode *encoder = graph_follow (&w->graph, sized, keys[i]);
      GraphNode *loader = encoder ? graph_follow (&w->graph, encoder, "clip_vision") : NULL;
      if (encoder)
        encoder->understood = true;
      if (loader)
        loader->understood = true;
    }
}

bool
comfy_read_frames (Comfy *w, GraphNode *sized)
{
  sized->understood = true;
  understand_vision (w, sized);
  return comfy_set (w, sized, graph_has (sized, "length") ? "length" : "num_frames", "frames") &&
         note_picture (w, sized, "start_image", false) &&
         note_picture (w, sized, "end_image", true) && note_other_inputs (w, sized);
}

/* ---- frame rate ---- */

static bool
makes_frames_between (const GraphNode *node)
{
  return comfy_class_has (node, "VFI") && graph_has (node, "multiplier");
}

/* @key: of @node, which writes the film.  Frames that were put between others are not made here. */
static bool
set_rate (Comfy *w, GraphNode *node, const char *key)
{
  struct json_object *rate = graph_value (&w->graph, node, key);
  GraphNode *vfi = comfy_find_upstream (w, node, makes_frames_between);
  struct json_object *times = vfi ? graph_value (&w->graph, vfi, "multiplier") : NULL;
  double multiplier = times ? json_object_get_double (times) : 1;
  char number[TEXT_NUMBER_SIZE];
  if (vfi)
    vfi->understood = false; /* it is left out */
  if (!rate || !status_ok (w->im->status))
    return status_ok (w->im->status);
  text_from_double (number, json_object_get_double (rate) / (multiplier > 1 ? multiplier : 1));
  return import_set (w->im, "fps", number);
}

static bool
note_pingpong (Comfy *w, GraphNode *node)
{
  struct json_object *pingpong = graph_value (&w->graph, node, "pingpong");
  return !pingpong || !json_object_get_boolean (pingpong) || import_left_out (w->im, "pingpong");
}

bool
comfy_read_rate (Comfy *w)
{
  static const char *const keys[] = { "fps", "frame_rate" };
  static const char *const writers[] = { "CreateVideo", "VideoCombine", "SaveWEBM",
                                         "SaveAnimated" };
  if (!w->is_clip)
    return true;
  for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++)
    for (size_t n = 0; n < w->graph.n; n++)
      for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
        {
          GraphNode *node = &w->graph.nodes[n];
          if (comfy_class_has (node, writers[i]) && graph_has (node, keys[k]))
            return set_rate (w, node, keys[k]) && note_pingpong (w, node);
        }
  return true;
}

/* ---- two experts ---- */

static bool
is_split (const GraphNode *node)
{
  return strcmp (node->class_type, "SplitSigmas") == 0;
}

/* Returns: the node that parts a sampler's noise levels from others; NULL when it has them all. */
static GraphNode *
split_of (Comfy *w, const GraphNode *sampler)
{
  GraphNode *node = graph_follow (&w->graph, sampler, "sigmas");
  return node && is_split (node) ? node : NULL;
}

/* Straight, or through nodes that change nothing. */
static bool
comes_straight_from (Comfy *w, const GraphNode *later, const GraphNode *earlier)
{
  GraphNode *node = comfy_latent_of (w, later);
  for (int i = 0; node && comfy_class_has (node, "Reroute") && i < GRAPH_MAX_WALK; i++)
    node = graph_follow (&w->graph, node, "");
  return node == earlier;
}

static const GraphNode *
guider_of (Comfy *w, const GraphNode *sampler)
{
  const GraphNode *guider = graph_follow (&w->graph, sampler, "guider");
  return guider ? guider : sampler;
}

bool
comfy_is_second_expert (Comfy *w, const GraphNode *later, const GraphNode *earlier)
{
  if (!w->is_clip || !comes_straight_from (w, later, earlier))
    return false;
  int64_t start = comfy_step_of (w, (GraphNode *) later, false);
  GraphNode *split = split_of (w, later);
  bool goes_on = split ? split == split_of (w, earlier)
                       : start > 0 && start == comfy_step_of (w, (GraphNode *) earlier, true);
  const char *first = comfy_peek_model (w, guider_of (w, earlier));
  const char *second = comfy_peek_model (w, guider_of (w, later));
  return goes_on && first && second && strcmp (first, second) != 0;
}

static bool
note_no_boundary (Comfy *w, int step)
{
  return notes_add (w->im->notes, w->im->status,
                    "The second model took over after step %d, at a noise level that is not known: "
                    "set the boundary.",
                    step);
}

/* The names of recipes are the engine's ids.  Returns: false when memory ran out, or one is "auto"
 */
static bool
take_kinds (Comfy *w, ScheduleParams *params)
{
  const Recipe *r = w->im->recipe;
  char *sampler = recipe_get_text (r, "sampler", w->im->status);
  char *schedule = recipe_get_text (r, "schedule", w->im->status);
  bool diffusers = r->convention == RECIPE_CONVENTION_DIFFUSERS;
  bool ok = sampler && schedule && sampler_from_name (sampler, &params->sampler);
  params->convention = diffusers ? CONVENTION_DIFFUSERS : CONVENTION_COMFYUI;
  if (ok && diffusers && params->sampler == SAMPLER_UNIPC)
    params->sampler = SAMPLER_UNIPC_BH2;
  if (ok && r->schedule == RECIPE_SCHEDULE_AUTO)
    params->kind = schedule_default (params->sampler, params->convention, true);
  else
    ok = ok && schedule_from_name (schedule, &params->kind);
  mem_free (sampler);
  mem_free (schedule);
  return ok;
}

/* The boundary lies in the middle between the levels of the last step of the one and the first of
 * the other.  @step: how many the first model does */
static bool
set_boundary (Comfy *w, int step)
{
  enum
  {
    LEVELS = 1000
  };
  const Recipe *r = w->im->recipe;
  ScheduleParams params = schedule_params_default (SAMPLER_EULER, CONVENTION_COMFYUI);
  Schedule schedule = { 0 };
  Status why = { 0 };
  char number[TEXT_NUMBER_SIZE];
  params.n_steps = r->steps;
  params.flow = params.flow_clip = true;
  params.flow_shift = r->shift > 0 ? log (r->shift) : 0;
  params.flow_levels = LEVELS;
  if (!take_kinds (w, &params))
    return status_ok (w->im->status) && note_no_boundary (w, step);
  if (!schedule_init (&schedule, NULL, &params, &why) && why.code == STATUS_NO_MEMORY)
    return status_fail (w->im->status, why.code, "%s", why.message);
  bool found = step > 0 && step < schedule.n;
  if (found)
    text_from_double (number,
                      ((double) schedule.sigma[step - 1] + (double) schedule.sigma[step]) / 2);
  schedule_clear (&schedule);
  return found ? import_set (w->im, "boundary", number) : note_no_boundary (w, step);
}

/* ---- adapters of each expert ---- */

/* Whether a file's name says "high" or "low": such a one acts on that expert alone. */
static bool
name_says (const char *name, const char *word)
{
  size_t n = strlen (word);
  for (const char *p = name; *p; p++)
    {
      char before = p > name ? p[-1] : '\0', at[8] = "";
      bool begins = !isalpha ((unsigned char) before) ||
                    (islower ((unsigned char) before) && isupper ((unsigned char) *p));
      snprintf (at, n + 1 < sizeof at ? n + 1 : sizeof at, "%s", p);
      bool ends = strlen (at) == n &&
                  (!islower ((unsigned char) p[n]) || text_starts_with (p + n, "noise"));
      if (begins && ends && text_equal_nocase (at, word))
        return true;
    }
  return false;
}

static RecipeAdapter *
find_adapter (RecipeAdapters *list, const char *name)
{
  for (size_t i = 0; i < list->n; i++)
    if (strcmp (recipe_str (list->items[i].name), recipe_str (name)) == 0)
      return &list->items[i];
  return NULL;
}

/* An adapter of one expert only acts on that one's steps.  @twice: the other has it with another
 * weight */
static bool
confine (Comfy *w, RecipeAdapter *item, const char *steps, const char *word, bool twice)
{
  char excerpt[TEXT_EXCERPT_SIZE], weight[TEXT_NUMBER_SIZE];
  if (name_says (recipe_str (item->name), word))
    return true;
  text_excerpt (excerpt, item->name);
  text_from_double (weight, item->weight);
  if (!text_replace (&item->steps, steps, w->im->status))
    return false;
  return twice ? notes_add (w->im->notes, w->im->status,
                            "The LoRA \"%s\" had a weight for each model: it acts with %s on the "
                            "steps %s.",
                            excerpt, weight, steps)
               : notes_add (
                     w->im->notes, w->im->status,
                     "The LoRA \"%s\" was on one of the two models only: it acts on the steps %s.",
                     excerpt, steps);
}

static bool
join_adapters (Comfy *w, RecipeAdapters *list, RecipeAdapters *second, int step)
{
  char first_steps[TEXT_NUMBER_SIZE], second_steps[TEXT_NUMBER_SIZE];
  bool ok = true;
  snprintf (first_steps, sizeof first_steps, "1-%d", step);
  snprintf (second_steps, sizeof second_steps, "%d-", step + 1);
  for (size_t i = 0; i < list->n && ok; i++)
    if (!find_adapter (second, list->items[i].name))
      ok = confine (w, &list->items[i], first_steps, "high", false);
  for (size_t i = 0; i < second->n && ok; i++)
    {
      RecipeAdapter *there = find_adapter (list, second->items[i].name);
      bool twice = there != NULL;
      if (twice && there->weight == second->items[i].weight)
        continue;
      ok = !twice || confine (w, there, first_steps, "high", true);
      there = ok ? recipe_adapters_add (list, second->items[i].name, w->im->status) : NULL;
      if (!there)
        return false;
      there->weight = second->items[i].weight;
      there->text_weight = second->items[i].text_weight;
      ok = confine (w, there, second_steps, "low", twice);
    }
  return ok;
}

static bool
take_adapters (Comfy *w, const Recipe *other, int step)
{
  RecipeAdapters list = { 0 }, second = { 0 };
  bool ok = recipe_adapters_read (&list, w->im->recipe, w->im->status) &&
            recipe_adapters_read (&second, other, w->im->status) &&
            join_adapters (w, &list, &second, step) &&
            recipe_adapters_write (&list, w->im->recipe, w->im->status);
  recipe_adapters_clear (&second);
  recipe_adapters_clear (&list);
  return ok;
}

/* ---- the second pass ---- */

/* What a recipe has once for both. */
static bool
note_differences (Comfy *w, const Recipe *other)
{
  static const char *const keys[] = { "prompt",   "negative_prompt", "sampler",
                                      "schedule", "steps",           "shift" };
  bool ok = true;
  for (size_t i = 0; i < sizeof keys / sizeof keys[0] && ok; i++)
    {
      char excerpt[TEXT_EXCERPT_SIZE];
      char *one = recipe_get_text (w->im->recipe, keys[i], w->im->status);
      char *two = recipe_get_text (other, keys[i], w->im->status);
      ok = one && two &&
           (strcmp (one, two) == 0 ||
            notes_add (w->im->notes, w->im->status,
                       "%s of the second model was another one, which is left out: \"%s\".",
                       recipe_param_name (keys[i]), text_excerpt (excerpt, two)));
      mem_free (one);
      mem_free (two);
    }
  return ok;
}

static bool
note_noise (Comfy *w, GraphNode *sampler)
{
  GraphNode *noise = graph_follow (&w->graph, sampler, "noise");
  const char *text = graph_text (&w->graph, sampler, "add_noise");
  if (noise && strcmp (noise->class_type, "DisableNoise") == 0)
    noise->understood = true;
  else if (noise)
    return import_left_out (w->im, noise->class_type);
  return !text || strcmp (text, "enable") != 0 || import_left_out (w->im, "add_noise");
}

/* @other: receives what the pass says, as a recipe of its own */
static bool
read_pass (Comfy *w, GraphNode *sampler, Recipe *other)
{
  Import im = { other, w->im->notes, w->im->status };
  Comfy pass = *w;
  pass.im = &im;
  GraphNode *guider =
      comfy_read_sampler (&pass, sampler) ? comfy_read_guider (&pass, sampler) : NULL;
  if (!guider)
    return false;
  const char *positive = graph_has (guider, "positive") ? "positive" : "conditioning";
  return comfy_read_models (&pass, guider) && comfy_settle_shift (&pass) &&
         comfy_read_prompt (&pass, guider, positive, "prompt") &&
         comfy_read_prompt (&pass, guider, "negative", "negative_prompt");
}

/* Parted before the first step, the run is the second model's alone. */
static bool
take_second_alone (Comfy *w, const Recipe *other)
{
  static const char *const keys[] = { "model",    "guidance_scale", "adapters",
                                      "prompt",   "sampler",        "negative_prompt",
                                      "schedule", "steps",          "clip_skip",
                                      "shift" };
  char excerpt[TEXT_EXCERPT_SIZE];
  bool ok = notes_add (w->im->notes, w->im->status,
                       "The first model, %s, drew none of the steps: it is left out.",
                       text_excerpt (excerpt, recipe_str (w->im->recipe->model)));
  for (size_t i = 0; i < sizeof keys / sizeof keys[0] && ok; i++)
    {
      char *text = recipe_get_text (other, keys[i], w->im->status);
      ok = text && recipe_set (w->im->recipe, keys[i], text, w->im->status);
      mem_free (text);
    }
  return ok;
}

static bool
leave_out_second (Comfy *w, const Recipe *other)
{
  char excerpt[TEXT_EXCERPT_SIZE];
  return notes_add (w->im->notes, w->im->status,
                    "The second model, %s, drew none of the steps: it is left out.",
                    text_excerpt (excerpt, recipe_str (other->model)));
}

static bool
take_pass (Comfy *w, GraphNode *sampler, const Recipe *other)
{
  GraphNode *split = split_of (w, sampler);
  struct json_object *value = split ? graph_value (&w->graph, split, "step") : NULL;
  int64_t step =
      split ? value ? json_object_get_int64 (value) : 0 : comfy_step_of (w, sampler, false);
  char number[TEXT_NUMBER_SIZE];
  if (split)
    split->understood = true;
  if (step <= 0)
    return take_second_alone (w, other) && note_noise (w, sampler);
  if (other->steps > 0 && step >= other->steps)
    return leave_out_second (w, other) && note_noise (w, sampler);
  text_from_double (number, other->guidance_scale);
  return import_set (w->im, "model_2", recipe_str (other->model)) &&
         import_set (w->im, "guidance_scale_2", number) &&
         set_boundary (w, step < INT32_MAX ? (int) step : 0) &&
         take_adapters (w, other, step < INT32_MAX ? (int) step : 0) &&
         note_differences (w, other) && note_noise (w, sampler);
}

bool
comfy_read_second_expert (Comfy *w, GraphNode *sampler)
{
  Recipe other;
  recipe_init (&other);
  bool ok = read_pass (w, sampler, &other) && take_pass (w, sampler, &other);
  recipe_clear (&other);
  return ok;
}

static bool
is_of_wan (const char *name)
{
  for (; *name; name++)
    if (strncasecmp (name, "wan", 3) == 0)
      return true;
  return false;
}

bool
comfy_settle_shift (Comfy *w)
{
  char number[TEXT_NUMBER_SIZE];
  if (!w->is_clip || w->im->recipe->shift > 0 || !is_of_wan (recipe_str (w->im->recipe->model)))
    return true;
  text_from_double (number, comfyui_shift);
  return import_set (w->im, "shift", number);
}
