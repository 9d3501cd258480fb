/* SPDX-License-Identifier: MPL-2.0
 * import-invokeai.c - InvokeAI's metadata: invokeai_metadata (3.0 on), sd-metadata (2.x), Dream
 * (1.x).
 */
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "recipe/import-programs.h"
#include "recipe/json.h"

/* Names of schedulers; "_k" means Karras and is taken off before. */
static bool
set_scheduler (Import *im, const char *full_name)
{
  static const struct
  {
    const char *name;
    RecipeSampler sampler;
  } names[] = { { "euler", RECIPE_SAMPLER_EULER },
                { "euler_a", RECIPE_SAMPLER_EULER_A },
                { "heun", RECIPE_SAMPLER_HEUN },
                { "kdpm_2", RECIPE_SAMPLER_DPM_2 },
                { "kdpm_2_a", RECIPE_SAMPLER_DPM_2_A },
                { "dpm_2", RECIPE_SAMPLER_DPM_2 }, /* its first versions, as "k_dpm_2" */
                { "dpm_2_a", RECIPE_SAMPLER_DPM_2_A },
                { "lms", RECIPE_SAMPLER_LMS },
                { "ddpm", RECIPE_SAMPLER_DDPM },
                { "ddim", RECIPE_SAMPLER_DDIM },
                { "dpmpp_2m", RECIPE_SAMPLER_DPMPP_2M },
                { "dpmpp_2m_sde", RECIPE_SAMPLER_DPMPP_2M_SDE },
                { "dpmpp_sde", RECIPE_SAMPLER_DPMPP_SDE },
                { "unipc", RECIPE_SAMPLER_UNIPC },
                { "lcm", RECIPE_SAMPLER_LCM },
                { "tcd", RECIPE_SAMPLER_TCD } };
  const char *name = text_starts_with (full_name, "k_") ? full_name + 2 : full_name;
  size_t n = strlen (name);
  bool karras = text_ends_with (name, "_k");
  if (karras)
    {
      n -= 2;
      im->recipe->schedule = RECIPE_SCHEDULE_KARRAS;
    }
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strlen (names[i].name) == n && memcmp (name, names[i].name, n) == 0)
      {
        im->recipe->sampler = names[i].sampler;
        return true;
      }
  return import_unknown_name (im, "sampler", full_name);
}

static bool
note_syntax (Import *im)
{
  const char *p = recipe_str (im->recipe->prompt);
  if (!strstr (p, "++") && !strstr (p, "--") && !strchr (p, '('))
    return true;
  return notes_add (im->notes, im->status,
                    "InvokeAI's prompt weights (word+, (words)1.2) are not applied: they are taken "
                    "literally.");
}

static void
set_conventions (Import *im)
{
  im->recipe->noise = RECIPE_NOISE_CPU;
  im->recipe->weighting = RECIPE_WEIGHTING_NONE;
  im->recipe->convention = RECIPE_CONVENTION_DIFFUSERS;
}

/* A model or VAE is an object with a name and a hash, in older versions a plain name. */
static bool
set_model (Import *im, struct json_object *model, const char *key)
{
  const char *name = json_member_text (model, "name");
  if (!name)
    name = json_member_text (model, "model_name");
  if (!name && json_object_is_type (model, json_type_string))
    name = json_object_get_string (model);
  const char *hash = json_member_text (model, "hash");
  bool is_model = strcmp (key, "model") == 0;
  return (!name || import_set (im, key, name)) &&
         (!hash || !is_model || import_set (im, "model_hash", hash));
}

static bool
take_loras (Import *im, struct json_object *loras)
{
  size_t n = json_object_is_type (loras, json_type_array) ? json_object_array_length (loras) : 0;
  for (size_t i = 0; i < n && i < NOTES_MAX; i++)
    {
      struct json_object *item = json_object_array_get_idx (loras, i);
      struct json_object *model = json_member (item, "model");
      struct json_object *weight = json_member (item, "weight");
      const char *name = json_member_text (model ? model : json_member (item, "lora"), "name");
      const char *text = weight ? json_object_get_string (weight) : NULL;
      if (name && !import_adapter (im, name, text, NULL))
        return false;
    }
  return true;
}

/* FLUX.1's metadata (6.14's window) have no guidance by a negative prompt unless it was used. */
static bool
set_flux_defaults (Import *im, struct json_object *m)
{
  const char *mode = json_member_text (m, "generation_mode");
  if (!mode || !text_starts_with (mode, "flux_") || json_member (m, "cfg_scale"))
    return true;
  return import_set (im, "guidance_scale", "1");
}

/* Positions stretched for large pictures. */
static bool
note_dype (Import *im, struct json_object *m)
{
  const char *preset = json_member_text (m, "dype_preset");
  return !preset || strcmp (preset, "off") == 0 || import_left_out (im, "dype_preset");
}

bool
import_invokeai (Import *im, struct json_object *m)
{
  static const char *const fields[][2] = { { "positive_prompt", "prompt" },
                                           { "negative_prompt", "negative_prompt" },
                                           { "width", "width" },
                                           { "height", "height" },
                                           { "seed", "seed" },
                                           { "cfg_scale", "guidance_scale" },
                                           { "guidance", "distilled_guidance" }, /* FLUX */
                                           { "steps", "steps" },
                                           { "cfg_rescale_multiplier", "guidance_rescale" },
                                           { "clip_skip", "clip_skip" } };
  static const char *const read[] = { "positive_prompt", "negative_prompt", "width", "height",
                                      "seed", "cfg_scale", "guidance", "steps",
                                      "cfg_rescale_multiplier", "clip_skip", "scheduler", "model",
                                      "vae", "loras", "strength", "init_image", "rand_device",
                                      "generation_mode",
                                      /* FLUX.1's encoders are found beside the model */
                                      "t5_encoder", "clip_embed_model", "dype_preset", "dype_scale",
                                      "dype_exponent", "app_version", NULL };
  const char *scheduler = json_member_text (m, "scheduler");
  const char *device = json_member_text (m, "rand_device");
  set_conventions (im);
  if (device && strcmp (device, "cpu") != 0)
    im->recipe->noise = RECIPE_NOISE_NV;
  bool from_image = !import_is_nothing (json_member (m, "init_image"));
  bool ok = import_set_fields (im, m, fields, sizeof fields / sizeof fields[0]) &&
            (!scheduler || set_scheduler (im, scheduler)) &&
            set_model (im, json_member (m, "model"), "model") &&
            set_model (im, json_member (m, "vae"), "vae") &&
            take_loras (im, json_member (m, "loras")) && set_flux_defaults (im, m) &&
            note_dype (im, m);
  if (from_image)
    ok = ok && import_set_json (im, "denoise", json_member (m, "strength")) &&
         import_note_initial_image (im);
  /* InvokeAI counts skipped layers from 0 (none), a recipe the layer itself from 1. */
  if (ok && im->recipe->clip_skip > 0)
    im->recipe->clip_skip++;
  return ok && import_note_rest (im, m, read) && note_syntax (im);
}

static bool
note_brackets (Import *im)
{
  return !strchr (recipe_str (im->recipe->prompt), '[') ||
         notes_add (im->notes, im->status,
                    "Words in [brackets] were InvokeAI's negative prompt: move them there.");
}

/* A text, or an array of {prompt, weight}. */
static bool
set_weighted_prompt (Import *im, struct json_object *prompt)
{
  if (!json_object_is_type (prompt, json_type_array))
    return import_set_json (im, "prompt", prompt);
  size_t n = json_object_array_length (prompt);
  const char *text = n ? json_member_text (json_object_array_get_idx (prompt, 0), "prompt") : NULL;
  bool ok = !text || import_set (im, "prompt", text);
  return ok && (n < 2 || notes_add (im->notes, im->status,
                                    "Only the first of %zu weighted prompts was read.", n));
}

bool
import_invokeai_sd (Import *im, struct json_object *root)
{
  static const char *const fields[][2] = { { "seed", "seed" },
                                           { "steps", "steps" },
                                           { "cfg_scale", "guidance_scale" },
                                           { "width", "width" },
                                           { "height", "height" } };
  static const char *const read[] = { "prompt", "seed",    "steps",    "cfg_scale", "width",
                                      "height", "sampler", "strength", "type",      NULL };
  struct json_object *image = json_member (root, "image");
  if (!json_object_is_type (image, json_type_object))
    return status_fail (im->status, STATUS_FORMAT,
                        "InvokeAI's sd-metadata has no image settings: it is damaged.");
  set_conventions (im);
  const char *sampler = json_member_text (image, "sampler");
  const char *type = json_member_text (image, "type");
  bool ok = import_set_fields (im, image, fields, sizeof fields / sizeof fields[0]) &&
            set_weighted_prompt (im, json_member (image, "prompt")) &&
            (!sampler || set_scheduler (im, sampler)) &&
            set_model (im, json_member (root, "model_weights"), "model") &&
            import_set_json (im, "model_hash", json_member (root, "model_hash"));
  if (type && strcmp (type, "img2img") == 0)
    ok = ok && import_set_json (im, "denoise", json_member (image, "strength")) &&
         import_note_initial_image (im);
  return ok && import_note_rest (im, image, read) && note_brackets (im);
}

/* Cuts the next word or "quoted text" off @p.  Returns: NULL at the end. */
static char *
next_word (char **p)
{
  char *at = *p + strspn (*p, " \t\n");
  if (!*at)
    return NULL;
  bool quoted = *at == '"';
  at += quoted;
  size_t n = strcspn (at, quoted ? "\"" : " \t\n");
  *p = at + n + (at[n] != '\0');
  at[n] = '\0';
  return at;
}

static bool
set_dream_flag (Import *im, char flag, const char *value)
{
  static const struct
  {
    char flag;
    const char *key;
  } keys[] = { { 's', "steps" },  { 'S', "seed" },           { 'W', "width" },
               { 'H', "height" }, { 'C', "guidance_scale" }, { 'f', "denoise" } };
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    if (keys[i].flag == flag)
      return import_set (im, keys[i].key, value);
  if (flag == 'A')
    return set_scheduler (im, value);
  char what[TEXT_EXCERPT_SIZE], excerpt[TEXT_EXCERPT_SIZE];
  if (flag == 'I')
    return import_note_initial_image (im);
  snprintf (what, sizeof what, "-%c %.60s", flag, text_excerpt (excerpt, value));
  return import_left_out (im, what);
}

static bool
read_dream (Import *im, char *command)
{
  Text prompt = { 0 };
  bool ok = true;
  for (char *word; ok && (word = next_word (&command));)
    if (word[0] == '-' && word[1])
      {
        char flag = word[1];
        char *value = word[2] ? word + 2 : next_word (&command); /* "-s50" and "-s 50" */
        ok = set_dream_flag (im, flag, value ? value : "");
      }
    else
      text_printf (&prompt, "%s%s", prompt.length ? " " : "", word);
  char *text = text_steal (&prompt, im->status);
  ok = ok && text && recipe_set (im->recipe, "prompt", text, im->status);
  mem_free (text);
  return ok && note_brackets (im);
}

bool
import_invokeai_dream (Import *im, const char *command)
{
  set_conventions (im);
  char *copy = mem_strdup (command);
  if (!copy)
    return status_fail (im->status, STATUS_NO_MEMORY,
                        "Out of memory: close other programs and retry.");
  bool ok = read_dream (im, copy);
  mem_free (copy);
  return ok;
}
