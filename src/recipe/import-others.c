/* SPDX-License-Identifier: MPL-2.0
 * import-others.c - the metadata of SwarmUI and NovelAI.
 */
#include <stdio.h>
#include <string.h>

#include "recipe/import-programs.h"
#include "recipe/infotext.h"
#include "recipe/json.h"

static bool
take_swarm_loras (Import *im, struct json_object *params)
{
  struct json_object *loras = json_member (params, "loras");
  struct json_object *weights = json_member (params, "loraweights");
  size_t n = json_object_is_type (loras, json_type_array) ? json_object_array_length (loras) : 0;
  bool have_weights = json_object_is_type (weights, json_type_array);
  for (size_t i = 0; i < n && i < NOTES_MAX; i++)
    {
      const char *name = json_object_get_string (json_object_array_get_idx (loras, i));
      struct json_object *weight = have_weights ? json_object_array_get_idx (weights, i) : NULL;
      const char *text = weight ? json_object_get_string (weight) : NULL;
      if (name && !import_adapter (im, name, text, NULL))
        return false;
    }
  return true;
}

/* Counted from the end as -1, -2. */
static bool
set_swarm_clip_skip (Import *im, struct json_object *layer)
{
  char number[TEXT_NUMBER_SIZE];
  int64_t v = layer ? json_object_get_int64 (layer) : 0;
  if (v >= 0)
    return true;
  snprintf (number, sizeof number, "%lld", v == INT64_MIN ? 0LL : (long long) -v);
  return import_set (im, "clip_skip", number);
}

/* SwarmUI leaves out what its backend, ComfyUI, then takes: euler on the normal schedule. */
static bool
set_swarm_sampling (Import *im, struct json_object *params)
{
  const char *sampler = json_member_text (params, "sampler");
  const char *scheduler = json_member_text (params, "scheduler");
  im->recipe->schedule = RECIPE_SCHEDULE_NORMAL;
  return (!sampler || import_comfyui_sampler (im, sampler)) &&
         (!scheduler || import_comfyui_scheduler (im, scheduler));
}

bool
import_swarmui (Import *im, struct json_object *root)
{
  static const char *const fields[][2] = { { "prompt", "prompt" },
                                           { "negativeprompt", "negative_prompt" },
                                           { "model", "model" },
                                           { "seed", "seed" },
                                           { "steps", "steps" },
                                           { "cfgscale", "guidance_scale" },
                                           { "fluxguidancescale", "distilled_guidance" },
                                           { "width", "width" },
                                           { "height", "height" },
                                           { "vae", "vae" } };
  static const char *const read[] = { "prompt",
                                      "negativeprompt",
                                      "model",
                                      "seed",
                                      "steps",
                                      "cfgscale",
                                      "fluxguidancescale",
                                      "width",
                                      "height",
                                      "vae",
                                      "sampler",
                                      "scheduler",
                                      "loras",
                                      "loraweights",
                                      "clipstopatlayer",
                                      "initimagecreativity",
                                      "swarm_version",
                                      "aspectratio",
                                      "images",
                                      NULL };
  struct json_object *p = json_member (root, "sui_image_params");
  if (!json_object_is_type (p, json_type_object))
    return status_fail (im->status, STATUS_FORMAT,
                        "SwarmUI's sui_image_params is no JSON object: it is damaged.");
  struct json_object *creativity = json_member (p, "initimagecreativity");
  im->recipe->noise = RECIPE_NOISE_CPU;
  im->recipe->weighting = RECIPE_WEIGHTING_COMFYUI;
  im->recipe->convention = RECIPE_CONVENTION_COMFYUI;
  im->recipe->empty_negative = RECIPE_EMPTY_ENCODE;
  return import_set_fields (im, p, fields, sizeof fields / sizeof fields[0]) &&
         set_swarm_sampling (im, p) &&
         set_swarm_clip_skip (im, json_member (p, "clipstopatlayer")) &&
         import_set_json (im, "denoise", creativity) &&
         (!creativity || import_note_initial_image (im)) && take_swarm_loras (im, p) &&
         import_note_extra_networks (im) && import_note_rest (im, p, read);
}

static bool
set_novelai_sampling (Import *im, struct json_object *comment)
{
  const char *sampler = json_member_text (comment, "sampler");
  const char *schedule = json_member_text (comment, "noise_schedule");
  RecipeSchedule found = RECIPE_SCHEDULE_NORMAL;
  bool ok = true;
  if (sampler && !infotext_find_sampler (sampler, &im->recipe->sampler, &found))
    ok = import_unknown_name (im, "sampler", sampler);
  if (schedule && strcmp (schedule, "native") != 0 && !infotext_find_schedule (schedule, &found))
    ok = ok && import_unknown_name (im, "schedule", schedule);
  im->recipe->schedule = found;
  return ok;
}

static bool
note_novelai_syntax (Import *im)
{
  return !strpbrk (recipe_str (im->recipe->prompt), "{[") ||
         notes_add (im->notes, im->status,
                    "NovelAI's prompt weights ({words} stronger, [words] weaker) are not applied: "
                    "write them as (words:1.05).");
}

bool
import_novelai (Import *im, struct json_object *comment, const char *description)
{
  static const char *const fields[][2] = {
    { "prompt", "prompt" }, { "uc", "negative_prompt" },
    { "steps", "steps" },   { "scale", "guidance_scale" },
    { "seed", "seed" },     { "width", "width" },
    { "height", "height" }, { "cfg_rescale", "guidance_rescale" }
  };
  static const char *const read[] = {
    "prompt",   "uc",        "steps",       "scale",        "seed",
    "width",    "height",    "cfg_rescale", "sampler",      "noise_schedule",
    "strength", "n_samples", "signed_hash", "request_type", "version",
    NULL
  };
  if (!json_object_is_type (comment, json_type_object))
    return status_fail (im->status, STATUS_FORMAT,
                        "NovelAI's comment is no JSON object: it is damaged.");
  struct json_object *strength = json_member (comment, "strength");
  im->recipe->noise = RECIPE_NOISE_CPU;
  im->recipe->clip_skip = 2; /* what A1111 sets for NovelAI's pictures */
  return (!description || recipe_set (im->recipe, "prompt", description, im->status)) &&
         import_set_fields (im, comment, fields, sizeof fields / sizeof fields[0]) &&
         set_novelai_sampling (im, comment) && import_set_json (im, "denoise", strength) &&
         (import_is_nothing (strength) || import_note_initial_image (im)) &&
         note_novelai_syntax (im) && import_note_rest (im, comment, read) &&
         notes_add (
             im->notes, im->status,
             "NovelAI's models and noise (ENSD 31337) are its own: the picture will differ.");
}
