/* SPDX-License-Identifier: MPL-2.0
 * import-comfyui-sampling.c - samplers, schedules and guiders of a ComfyUI graph.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "recipe/import-comfyui.h"
#include "recipe/import-programs.h"
#include "recipe/json.h"

bool
comfy_class_has (const GraphNode *node, const char *part)
{
  return strstr (node->class_type, part) != NULL;
}

bool
comfy_set (Comfy *w, GraphNode *node, const char *input, const char *key)
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
    { "dpm_2", RECIPE_SAMPLER_DPM_2, true },
    { "dpm_2_ancestral", RECIPE_SAMPLER_DPM_2_A, true },
    { "lms", RECIPE_SAMPLER_LMS, true },
    { "ddim", RECIPE_SAMPLER_DDIM, true },
    { "ddpm", RECIPE_SAMPLER_DDPM, true },
    { "dpmpp_2s_ancestral", RECIPE_SAMPLER_DPMPP_2S_A, true },
    { "dpmpp_2m", RECIPE_SAMPLER_DPMPP_2M, true },
    { "dpmpp_2m_sde", RECIPE_SAMPLER_DPMPP_2M_SDE, true },
    { "dpmpp_2m_sde_gpu", RECIPE_SAMPLER_DPMPP_2M_SDE, false },
    { "dpmpp_2m_sde_heun", RECIPE_SAMPLER_DPMPP_2M_SDE_HEUN, true },
    { "dpmpp_2m_sde_heun_gpu", RECIPE_SAMPLER_DPMPP_2M_SDE_HEUN, false },
    { "dpmpp_3m_sde", RECIPE_SAMPLER_DPMPP_3M_SDE, true },
    { "dpmpp_3m_sde_gpu", RECIPE_SAMPLER_DPMPP_3M_SDE, false },
    { "res_multistep", RECIPE_SAMPLER_RES_MULTISTEP, true },
    { "dpmpp_sde", RECIPE_SAMPLER_DPMPP_SDE, true },
    { "dpmpp_sde_gpu", RECIPE_SAMPLER_DPMPP_SDE, false },
    { "uni_pc", RECIPE_SAMPLER_UNIPC, true },
    { "uni_pc_bh2", RECIPE_SAMPLER_UNIPC_BH2, true },
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
  static const RecipeSchedule known[] = {
    RECIPE_SCHEDULE_NORMAL,      RECIPE_SCHEDULE_KARRAS,           RECIPE_SCHEDULE_EXPONENTIAL,
    RECIPE_SCHEDULE_SGM_UNIFORM, RECIPE_SCHEDULE_SIMPLE,           RECIPE_SCHEDULE_BETA,
    RECIPE_SCHEDULE_KL_OPTIMAL,  RECIPE_SCHEDULE_LINEAR_QUADRATIC, RECIPE_SCHEDULE_DDIM_UNIFORM
  };
  const RecipeParam *p = recipe_find_param ("schedule");
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (strcmp (name, p->choices[known[i]]) == 0)
      {
        im->recipe->schedule = known[i];
        return true;
      }
  return import_unknown_name (im, "schedule", name);
}

/* Notes a number of a node that is not what it is in every recipe. */
static bool
note_unusual (Comfy *w, GraphNode *node, const char *input, double usual)
{
  const double digits = 1e-4; /* to which the windows show them */
  struct json_object *value = graph_value (&w->graph, node, input);
  double number = value ? json_object_get_double (value) : usual;
  char what[TEXT_EXCERPT_SIZE], shown[TEXT_NUMBER_SIZE];
  text_from_double (shown, isfinite (number) ? number : 0);
  snprintf (what, sizeof what, "%s %s", input, shown);
  return fabs (number - usual) <= digits || import_left_out (w->im, what);
}

/* Parts of SamplerCustom: a node for the sampler, by its choice or by its class. */
static bool
read_sampler_node (Comfy *w, GraphNode *node)
{
  static const struct
  {
    const char *class_type, *name;
  } classes[] = { { "SamplerEulerAncestral", "euler_ancestral" },
                  { "SamplerDPMPP_2S_Ancestral", "dpmpp_2s_ancestral" },
                  { "SamplerDPMPP_2M_SDE", "dpmpp_2m_sde" },
                  { "SamplerDPMPP_3M_SDE", "dpmpp_3m_sde" },
                  { "SamplerDPMPP_SDE", "dpmpp_sde" },
                  { "SamplerLMS", "lms" },
                  { "SamplerTCD", "tcd" } };
  const double usual_noise = 1, usual_order = 4;
  if (!node)
    return true;
  node->understood = true;
  const char *name = graph_text (&w->graph, node, "sampler_name");
  for (size_t i = 0; !name && i < sizeof classes / sizeof classes[0]; i++)
    if (strcmp (node->class_type, classes[i].class_type) == 0)
      name = classes[i].name;
  const char *type = graph_text (&w->graph, node, "solver_type");
  if (name && type && strcmp (name, "dpmpp_2m_sde") == 0 && strcmp (type, "heun") == 0)
    name = "dpmpp_2m_sde_heun";
  return import_comfyui_sampler (w->im, name ? name : node->class_type) &&
         comfy_set (w, node, "eta", "eta") && note_unusual (w, node, "s_noise", usual_noise) &&
         note_unusual (w, node, "order", usual_order);
}

/* The ends are those of SD's noise table, as the nodes have them at first. */
static bool
note_unusual_curve (Comfy *w, GraphNode *node, double rho)
{
  const double highest = 14.614642, lowest = 0.0291675, shape = 0.6;
  return note_unusual (w, node, "rho", rho) && note_unusual (w, node, "sigma_max", highest) &&
         note_unusual (w, node, "sigma_min", lowest) && note_unusual (w, node, "alpha", shape) &&
         note_unusual (w, node, "beta", shape);
}

static bool
read_sigmas_node (Comfy *w, GraphNode *node)
{
  static const struct
  {
    const char *class_type;
    RecipeSchedule schedule;
    double rho;
  } classes[] = { { "KarrasScheduler", RECIPE_SCHEDULE_KARRAS, 7 },
                  { "ExponentialScheduler", RECIPE_SCHEDULE_EXPONENTIAL, 0 },
                  { "PolyexponentialScheduler", RECIPE_SCHEDULE_POLYEXPONENTIAL, 1 },
                  { "BetaSamplingScheduler", RECIPE_SCHEDULE_BETA, 0 },
                  { "AlignYourStepsScheduler", RECIPE_SCHEDULE_AYS, 0 } };
  for (int i = 0; node && graph_follow (&w->graph, node, "sigmas") && i < GRAPH_MAX_WALK; i++)
    node =
        graph_follow (&w->graph, node, "sigmas"); /* SplitSigmas and its kin stay for the notes */
  if (!node)
    return true;
  node->understood = true;
  bool ok = comfy_set (w, node, "steps", "steps") && comfy_set (w, node, "denoise", "denoise");
  const char *name = graph_text (&w->graph, node, "scheduler");
  if (name)
    return ok && import_comfyui_scheduler (w->im, name);
  for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
    if (strcmp (node->class_type, classes[i].class_type) == 0)
      {
        w->im->recipe->schedule = classes[i].schedule;
        return ok && note_unusual_curve (w, node, classes[i].rho);
      }
  return ok && import_unknown_name (w->im, "schedule", node->class_type);
}

/* "enable" or "disable" */
static bool
is_disabled (Comfy *w, GraphNode *sampler, const char *input)
{
  const char *text = graph_text (&w->graph, sampler, input);
  return text && strcmp (text, "disable") == 0;
}

int64_t
comfy_step_of (Comfy *w, GraphNode *sampler, bool end)
{
  struct json_object *value =
      graph_value (&w->graph, sampler, end ? "end_at_step" : "start_at_step");
  if (!value)
    value = graph_value (&w->graph, sampler, end ? "end_step" : "start_step");
  return value ? json_object_get_int64 (value) : -1;
}

bool
comfy_note_partial_steps (Comfy *w, GraphNode *sampler, GraphNode *last)
{
  int64_t start = comfy_step_of (w, sampler, false), end = comfy_step_of (w, last, true);
  bool partial = start > 0 || (end >= 0 && end < w->im->recipe->steps);
  char to[TEXT_NUMBER_SIZE];
  snprintf (to, sizeof to, "%lld", (long long) end);
  if (partial &&
      !notes_add (w->im->notes, w->im->status,
                  "Only a part of the steps was drawn by this pass (%lld to %s): the "
                  "recipe draws all of them.",
                  (long long) (start > 0 ? start : 0), end >= 0 ? to : status_text ("the end")))
    return false;
  return !is_disabled (w, sampler, "add_noise") ||
         notes_add (w->im->notes, w->im->status,
                    "The graph adds no noise to what it starts from; the recipe does.");
}

bool
comfy_is_wan_wrapper (const GraphNode *sampler)
{
  return text_starts_with (sampler->class_type, "WanVideoSampler");
}

/* Its schedules are those of Wan's own program, as diffusers has them. */
static bool
read_wan_scheduler (Comfy *w, GraphNode *sampler)
{
  static const struct
  {
    const char *name;
    RecipeSampler sampler;
  } names[] = { { "unipc", RECIPE_SAMPLER_UNIPC },
                { "euler", RECIPE_SAMPLER_EULER },
                { "dpm++", RECIPE_SAMPLER_DPMPP_2M } };
  const char *name = graph_text (&w->graph, sampler, "scheduler");
  w->im->recipe->convention = RECIPE_CONVENTION_DIFFUSERS;
  for (size_t i = 0; name && i < sizeof names / sizeof names[0]; i++)
    if (strcmp (name, names[i].name) == 0)
      {
        w->im->recipe->sampler = names[i].sampler;
        return true;
      }
  return !name || import_unknown_name (w->im, "sampler", name);
}

static bool
read_wan_sampler (Comfy *w, GraphNode *s)
{
  return comfy_set (w, s, "seed", "seed") && comfy_set (w, s, "steps", "steps") &&
         comfy_set (w, s, "cfg", "guidance_scale") && comfy_set (w, s, "shift", "shift") &&
         comfy_set (w, s, "denoise_strength", "denoise") && read_wan_scheduler (w, s);
}

bool
comfy_read_sampler (Comfy *w, GraphNode *s)
{
  if (comfy_is_wan_wrapper (s))
    return read_wan_sampler (w, s);
  const char *name = graph_text (&w->graph, s, "sampler_name");
  const char *scheduler = graph_text (&w->graph, s, "scheduler");
  return comfy_set (w, s, "seed", "seed") && comfy_set (w, s, "noise_seed", "seed") &&
         comfy_set (w, s, "steps", "steps") && comfy_set (w, s, "cfg", "guidance_scale") &&
         comfy_set (w, s, "denoise", "denoise") &&
         (!name || import_comfyui_sampler (w->im, name)) &&
         (!scheduler || import_comfyui_scheduler (w->im, scheduler)) &&
         read_sampler_node (w, graph_follow (&w->graph, s, "sampler")) &&
         read_sigmas_node (w, graph_follow (&w->graph, s, "sigmas"));
}

/* SamplerCustomAdvanced: noise and guidance are nodes of their own.  Returns: the node that holds
 * model and prompts. */
GraphNode *
comfy_read_guider (Comfy *w, GraphNode *sampler)
{
  GraphNode *noise = graph_follow (&w->graph, sampler, "noise");
  GraphNode *guider = graph_follow (&w->graph, sampler, "guider");
  if (noise && graph_has (noise, "noise_seed") && !comfy_set (w, noise, "noise_seed", "seed"))
    return NULL;
  if (!guider)
    return sampler;
  guider->understood = true;
  if (graph_has (guider, "cfg"))
    return comfy_set (w, guider, "cfg", "guidance_scale") ? guider : NULL;
  return import_set (w->im, "guidance_scale", "1") ? guider : NULL;
}
