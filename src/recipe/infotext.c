/* SPDX-License-Identifier: MPL-2.0
 * infotext.c - reading A1111's "parameters" text into a recipe.
 */
#define _GNU_SOURCE
#include "recipe/infotext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "recipe/import-control.h"
#include "recipe/import-set.h"
#include "recipe/pairs.h"

static const char negative_mark[] = "Negative prompt:";

/* Who wrote the text: what a missing or "Automatic" field means depends on it. */
typedef enum
{
  BY_A1111,
  BY_COMFYUI,
  BY_GESSO
} Writer;

typedef struct
{
  const char *at, *end;
} Line;

static bool
is_space (char c)
{
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static Line
strip (Line line)
{
  while (line.at < line.end && is_space (*line.at))
    line.at++;
  while (line.end > line.at && is_space (line.end[-1]))
    line.end--;
  return line;
}

static void
append_line (Text *text, Line line)
{
  if (text->length)
    text_append (text, "\n");
  text_append_n (text, line.at, (size_t) (line.end - line.at));
}

/* A line that begins with "Negative prompt:" starts the negative prompt. */
static void
split_prompts (Line body, Text *prompt, Text *negative)
{
  Text *current = prompt;
  while (body.at < body.end)
    {
      const char *nl = memchr (body.at, '\n', (size_t) (body.end - body.at));
      Line line = strip ((Line){ body.at, nl ? nl : body.end });
      body.at = nl ? nl + 1 : body.end;
      size_t n = sizeof negative_mark - 1;
      if ((size_t) (line.end - line.at) >= n && memcmp (line.at, negative_mark, n) == 0)
        {
          current = negative;
          line = strip ((Line){ line.at + n, line.end });
        }
      append_line (current, line);
    }
}

static bool
set_prompts (Import *im, Line body)
{
  Text prompt = { 0 }, negative = { 0 };
  split_prompts (body, &prompt, &negative);
  char *p = text_steal (&prompt, im->status);
  char *n = text_steal (&negative, im->status);
  bool ok = p && n && recipe_set (im->recipe, "prompt", p, im->status) &&
            recipe_set (im->recipe, "negative_prompt", n, im->status);
  mem_free (p);
  mem_free (n);
  return ok;
}

static Writer
find_writer (Pairs *pairs)
{
  Pair *version = pairs_take (pairs, "Version");
  if (!version)
    return BY_A1111;
  return text_starts_with (version->value, "Gesso")     ? BY_GESSO
         : text_starts_with (version->value, "ComfyUI") ? BY_COMFYUI
                                                        : BY_A1111;
}

/* A1111 from 1.9 on picks the schedule that suits the sampler; before, a name without a schedule
 * meant the uniform one. */
static RecipeSchedule
automatic_schedule (RecipeSampler sampler, bool picks)
{
  switch (sampler)
    {
    case RECIPE_SAMPLER_DPM_2:
    case RECIPE_SAMPLER_DPM_2_A:
    case RECIPE_SAMPLER_DPMPP_2S_A:
    case RECIPE_SAMPLER_DPMPP_2M:
    case RECIPE_SAMPLER_DPMPP_SDE:
      return picks ? RECIPE_SCHEDULE_KARRAS : RECIPE_SCHEDULE_NORMAL;
    case RECIPE_SAMPLER_DPMPP_2M_SDE:
    case RECIPE_SAMPLER_DPMPP_2M_SDE_HEUN:
    case RECIPE_SAMPLER_DPMPP_3M_SDE:
      return picks ? RECIPE_SCHEDULE_EXPONENTIAL : RECIPE_SCHEDULE_NORMAL;
    case RECIPE_SAMPLER_EULER:
    case RECIPE_SAMPLER_EULER_A:
    case RECIPE_SAMPLER_HEUN:
    case RECIPE_SAMPLER_LMS:
    case RECIPE_SAMPLER_DDPM:
    case RECIPE_SAMPLER_RES_MULTISTEP:
      return RECIPE_SCHEDULE_NORMAL;
    case RECIPE_SAMPLER_DDIM:
      return RECIPE_SCHEDULE_DDIM_UNIFORM;
    case RECIPE_SAMPLER_AUTO:
    case RECIPE_SAMPLER_UNIPC: /* have schedules of their own */
    case RECIPE_SAMPLER_UNIPC_BH2:
    case RECIPE_SAMPLER_LCM:
    case RECIPE_SAMPLER_TCD:
      return RECIPE_SCHEDULE_AUTO;
    }
  return RECIPE_SCHEDULE_AUTO;
}

static bool
note_other_formula (Import *im, Writer writer, RecipeSchedule schedule)
{
  bool differs = schedule == RECIPE_SCHEDULE_BETA || schedule == RECIPE_SCHEDULE_AYS ||
                 schedule == RECIPE_SCHEDULE_KL_OPTIMAL;
  if (writer == BY_A1111 && im->recipe->sampler == RECIPE_SAMPLER_DPMPP_3M_SDE &&
      !notes_add (im->notes, im->status,
                  "A1111 leaves out the last noise level but one for DPM++ 3M SDE: the picture may "
                  "differ."))
    return false;
  return writer != BY_A1111 || !differs ||
         notes_add (im->notes, im->status,
                    "A1111 computes the schedule %s slightly differently: the picture may differ.",
                    infotext_schedule_label (schedule));
}

/* A1111 writes which of UniPC's it was when that is not its default, bh1. */
static bool
read_unipc_variant (Import *im, Pairs *pairs)
{
  Pair *variant = pairs_take (pairs, "UniPC variant");
  bool bh2 = variant && strcmp (variant->value, "bh2") == 0;
  if (bh2 && im->recipe->sampler == RECIPE_SAMPLER_UNIPC)
    im->recipe->sampler = RECIPE_SAMPLER_UNIPC_BH2;
  return !variant || bh2 || strcmp (variant->value, "bh1") == 0 ||
         import_unknown_name (im, "sampler", variant->value);
}

static bool
read_sampler (Import *im, Pairs *pairs, Writer writer)
{
  Recipe *r = im->recipe;
  Pair *sampler = pairs_take (pairs, "Sampler"), *type = pairs_take (pairs, "Schedule type");
  RecipeSchedule schedule = RECIPE_SCHEDULE_AUTO;
  bool ok = true;
  if (sampler && !infotext_find_sampler (sampler->value, &r->sampler, &schedule))
    ok = import_unknown_name (im, "sampler", sampler->value);
  if (type && !infotext_find_schedule (type->value, &schedule))
    ok = ok && import_unknown_name (im, "schedule", type->value);
  else if (schedule == RECIPE_SCHEDULE_AUTO && sampler && writer != BY_GESSO)
    schedule = automatic_schedule (r->sampler, type != NULL);
  r->schedule = schedule;
  return ok && read_unipc_variant (im, pairs) && note_other_formula (im, writer, schedule);
}

static bool
read_size (Import *im, Pairs *pairs)
{
  Pair *size = pairs_take (pairs, "Size");
  if (!size)
    return true;
  char *x = strchr (size->value, 'x');
  if (!x)
    return notes_add (im->notes, im->status, "The size was left out: it is not understood.");
  *x = '\0';
  return import_set (im, "width", size->value) && import_set (im, "height", x + 1);
}

static bool
read_noise (Import *im, Pairs *pairs, Writer writer)
{
  Pair *rng = pairs_take (pairs, "RNG");
  bool cpu = rng ? text_equal_nocase (rng->value, "CPU") : writer == BY_COMFYUI;
  im->recipe->noise = cpu ? RECIPE_NOISE_CPU : RECIPE_NOISE_NV;
  if (rng && !cpu && !text_equal_nocase (rng->value, "NV") &&
      !text_equal_nocase (rng->value, "GPU"))
    return import_unknown_name (im, "noise", rng->value);
  return true;
}

static bool
read_weighting (Import *im, Pairs *pairs, Writer writer)
{
  static const struct
  {
    const char *name;
    RecipeWeighting weighting;
  } names[] = { { "Original", RECIPE_WEIGHTING_A1111 },
                { "No norm", RECIPE_WEIGHTING_A1111_NO_NORM },
                { "ComfyUI", RECIPE_WEIGHTING_COMFYUI },
                { "None", RECIPE_WEIGHTING_NONE } };
  Pair *emphasis = pairs_take (pairs, "Emphasis");
  im->recipe->weighting = writer == BY_COMFYUI ? RECIPE_WEIGHTING_COMFYUI : RECIPE_WEIGHTING_A1111;
  for (size_t i = 0; emphasis && i < sizeof names / sizeof names[0]; i++)
    if (text_equal_nocase (emphasis->value, names[i].name))
      {
        im->recipe->weighting = names[i].weighting;
        return true;
      }
  return !emphasis || import_unknown_name (im, "weighting", emphasis->value);
}

static bool
has_hires (const Pairs *pairs)
{
  for (size_t i = 0; i < pairs->n; i++)
    if (text_starts_with (pairs->items[i].key, "Hires "))
      return true;
  return false;
}

/* With a hires pass the strength is that pass's; without, the picture was made from another one. */
static bool
read_denoise (Import *im, Pairs *pairs)
{
  if (has_hires (pairs))
    return true;
  Pair *strength = pairs_take (pairs, "Denoising strength");
  return !strength ||
         (import_set (im, "denoise", strength->value) && import_note_initial_image (im));
}

static bool
read_masked_content (Import *im, Pairs *pairs)
{
  static const struct
  {
    const char *name;
    RecipeInpaintFill fill;
  } names[] = { { "original", RECIPE_INPAINT_ORIGINAL },
                { "latent noise", RECIPE_INPAINT_LATENT_NOISE },
                { "latent nothing", RECIPE_INPAINT_LATENT_NOTHING },
                { "fill", RECIPE_INPAINT_FILL } };
  Pair *content = pairs_take (pairs, "Masked content");
  for (size_t i = 0; content && i < sizeof names / sizeof names[0]; i++)
    if (text_equal_nocase (content->value, names[i].name))
      {
        im->recipe->inpaint_fill = names[i].fill;
        return true;
      }
  return !content || import_unknown_name (im, "inpaint_fill", content->value);
}

/* A1111 writes "Mask blur" whenever there is a mask, and other areas than the whole picture. */
static bool
read_mask (Import *im, Pairs *pairs)
{
  Pair *blur = pairs_take (pairs, "Mask blur"), *area = pairs_take (pairs, "Inpaint area");
  Pair *padding = pairs_take (pairs, "Masked area padding"),
       *mode = pairs_take (pairs, "Mask mode");
  if (area && text_equal_nocase (area->value, "Only masked"))
    im->recipe->inpaint_area = RECIPE_INPAINT_MASKED;
  bool ok = read_masked_content (im, pairs) &&
            (!blur || import_set (im, "mask_blur", blur->value)) &&
            (!padding || import_set (im, "inpaint_padding", padding->value));
  if (ok && mode && text_equal_nocase (mode->value, "Inpaint not masked"))
    ok = notes_add (im->notes, im->status,
                    "The mask's black part was painted anew: invert the mask before you use it.");
  return ok && (!blur || notes_add (im->notes, im->status,
                                    "The picture was made with a mask, which is not in it: choose "
                                    "it as %s.",
                                    recipe_param_name ("mask_image")));
}

static bool
read_vae (Import *im, Pairs *pairs)
{
  Pair *vae = pairs_take (pairs, "VAE");
  if (!vae || text_equal_nocase (vae->value, "None") || text_equal_nocase (vae->value, "Automatic"))
    return true;
  return import_set (im, "vae", vae->value);
}

static bool
read_zero_snr (Import *im, Pairs *pairs)
{
  Pair *noise = pairs_take (pairs, "Noise Schedule");
  if (!noise || text_equal_nocase (noise->value, "Default"))
    return true;
  if (!text_equal_nocase (noise->value, "Zero Terminal SNR"))
    return import_unknown_name (im, "zero_terminal_snr", noise->value);
  im->recipe->zero_terminal_snr = RECIPE_SNR_ON;
  return true;
}

/* Where the entry "NAME: HASH" at @p ends.  Names may have commas and colons of their own; there is
 * no hash where the file was not found.
 * @colon: receives the one before the hash
 *
 * Returns: NULL when there is none */
static char *
end_of_entry (char *p, char **colon)
{
  enum
  {
    MOST_DIGITS = 64 /* of a whole SHA-256 */
  };
  int n_digits = 0;
  bool is_hash = false;
  for (char *end = p;; end++)
    if (*end == ':' && end > p)
      {
        *colon = end;
        n_digits = 0;
        is_hash = true;
      }
    else if (is_hash && (*end == ',' || !*end))
      return end;
    else if (!*end)
      return NULL;
    else if (strchr ("0123456789abcdefABCDEF", *end))
      is_hash = is_hash && ++n_digits <= MOST_DIGITS;
    else
      is_hash = is_hash && *end == ' ';
}

/* "one: 0123, two: 4567": the names are those of tags and words in the prompt. */
static bool
read_hashes (Import *im,
             Pairs *pairs,
             const char *field,
             bool (*add) (Import *im, const char *name, const char *hash))
{
  Pair *hashes = pairs_take (pairs, field);
  char *colon, *end;
  for (char *p = hashes ? hashes->value : ""; *p; p = end)
    {
      p += strspn (p, " ");
      if (!*p)
        return true;
      if (!(end = end_of_entry (p, &colon)))
        return import_left_out (im, p);
      if (*end)
        *end++ = '\0';
      *colon = '\0';
      if (!add (im, p, colon + 1 + strspn (colon + 1, " ")))
        return false;
    }
  return true;
}

static bool
read_plain_fields (Import *im, Pairs *pairs)
{
  static const struct
  {
    const char *field, *key;
  } fields[] = { { "Steps", "steps" },
                 { "CFG scale", "guidance_scale" },
                 { "Distilled CFG Scale", "distilled_guidance" },
                 { "Seed", "seed" },
                 { "Model hash", "model_hash" },
                 { "Model", "model" },
                 { "Clip skip", "clip_skip" },
                 { "Eta", "eta" },
                 { "Eta DDIM", "eta" } };
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
    {
      Pair *pair = pairs_take (pairs, fields[i].field);
      if (pair && !import_set (im, fields[i].key, pair->value))
        return false;
    }
  return true;
}

static bool
note_unused (Import *im, const Pairs *pairs)
{
  for (size_t i = 0; i < pairs->n; i++)
    {
      const Pair *pair = &pairs->items[i];
      char what[TEXT_EXCERPT_SIZE], key[TEXT_EXCERPT_SIZE], value[TEXT_EXCERPT_SIZE];
      if (pair->used || strcmp (pair->key, "User") == 0)
        continue;
      snprintf (what, sizeof what, "%.40s: %s", text_excerpt (key, pair->key),
                text_excerpt (value, pair->value));
      if (!import_left_out (im, what))
        return false;
    }
  return true;
}

static bool
read_fields (Import *im, Pairs *pairs)
{
  Writer writer = find_writer (pairs);
  if (writer == BY_COMFYUI)
    im->recipe->convention = RECIPE_CONVENTION_COMFYUI;
  return read_plain_fields (im, pairs) &&
         read_hashes (im, pairs, "Lora hashes", import_adapter_hash) &&
         read_hashes (im, pairs, "TI hashes", import_embedding_hash) &&
         read_sampler (im, pairs, writer) && read_size (im, pairs) &&
         read_noise (im, pairs, writer) && read_weighting (im, pairs, writer) &&
         read_denoise (im, pairs) && read_mask (im, pairs) && read_vae (im, pairs) &&
         read_zero_snr (im, pairs) && import_control_pairs (im, pairs) && note_unused (im, pairs);
}

/* The last line holds the settings when it has enough pairs; else it belongs to the prompt. */
static bool
parse_body (Import *im, Line body, Pairs *pairs)
{
  const char *nl = memrchr (body.at, '\n', (size_t) (body.end - body.at));
  Line last = strip ((Line){ nl ? nl + 1 : body.at, body.end });
  if (!pairs_split (pairs, last.at, (size_t) (last.end - last.at), im->status))
    return false;
  if (pairs->n >= INFOTEXT_MIN_PAIRS)
    return set_prompts (im, (Line){ body.at, nl ? nl : body.at }) && read_fields (im, pairs) &&
           import_note_extra_networks (im);
  return set_prompts (im, body) && import_note_extra_networks (im) &&
         notes_add (im->notes, im->status,
                    "The text has no line of settings: only the prompt was read.");
}

bool
infotext_parse (Recipe *recipe, const char *text, Notes *notes, Status *status)
{
  size_t n = strlen (text);
  if (n > INFOTEXT_MAX_BYTES || !utf8_is_valid (text, n))
    return status_fail (status, STATUS_FORMAT,
                        "The generation text is too long or not valid UTF-8: it is damaged.");
  Import im = { recipe, notes, status };
  Pairs pairs = { 0 };
  bool ok = parse_body (&im, strip ((Line){ text, text + n }), &pairs);
  pairs_clear (&pairs);
  return ok;
}
