/* SPDX-License-Identifier: MPL-2.0
 * few-steps.c - the table of distilled models, and the words that tell them.
 *
 * Numbers are those of the models' cards: SDXL-Lightning (Euler, evenly spaced from the end, no
 * guidance, the steps it was made for), SDXL Turbo (1 to 4 steps, Euler a, no guidance), Hyper-SD
 * (as Lightning; of FLUX.1 a weight of 0.125), DMD2 (LCM at 999, 749, 499, 249, no guidance), LCM
 * (4 to 8 steps, guidance 1 to 2), Alimama's Turbo Alpha for FLUX.1 (8 steps), LightX2V's for Wan
 * (4 steps, no guidance, shift 5).
 */
#include "recipe/few-steps.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum
{
  MAX_PATTERNS = 4,
  MAX_TEXT = 512,
  MOST_NAMED_STEPS = 16
};

struct FewStepsKind
{
  const char *name;
  unsigned families;
  const char *patterns[MAX_PATTERNS]; /* any of them: words of small letters and digits */
  const char *unless;                 /* a word of variants that are sampled like others */
  bool plain_word;                    /* that LoRAs about other things have in their names */
  bool models_only;
  int steps, most_steps;          /* the usual number, and what is near enough */
  double guidance, most_guidance; /* 0: guidance does not matter */
  const char *sampler, *schedule; /* NULL: the model's own */
  double shift, weight;           /* 0: the model's own; 1 */
};

static const FewStepsKind kinds[] = {
  { .name = "Hyper-SD",
    .families = PARAM_FOR_SD,
    .patterns = { "hyper sd", "hypersd" },
    .unless = "cfg",
    .steps = 8,
    .most_steps = 12,
    .guidance = 1,
    .most_guidance = 2,
    .sampler = "euler",
    .schedule = "sgm_uniform" },
  { .name = "SDXL Lightning",
    .families = PARAM_FOR_SD,
    .patterns = { "lightning" },
    .plain_word = true,
    .steps = 4,
    .most_steps = 10,
    .guidance = 1,
    .most_guidance = 2.5,
    .sampler = "euler",
    .schedule = "sgm_uniform" },
  { .name = "DMD2",
    .families = PARAM_FOR_SD,
    .patterns = { "dmd2", "dmd 2" },
    .steps = 4,
    .most_steps = 10,
    .guidance = 1,
    .most_guidance = 2,
    .sampler = "lcm",
    .schedule = "sgm_uniform" },
  { .name = "LCM",
    .families = PARAM_FOR_SD,
    .patterns = { " lcm", "lcm " },
    .steps = 4,
    .most_steps = 12,
    .guidance = 1,
    .most_guidance = 2,
    .sampler = "lcm",
    .schedule = "sgm_uniform" },
  { .name = "SDXL Turbo",
    .families = PARAM_FOR_SD,
    .patterns = { "turbo" },
    .plain_word = true,
    .steps = 4,
    .most_steps = 10,
    .guidance = 1,
    .most_guidance = 2.5,
    .sampler = "euler_a",
    .schedule = "sgm_uniform" },
  { .name = "Hyper-FLUX",
    .families = PARAM_FOR_FLUX,
    .patterns = { "hyper flux", "hyperflux" },
    .steps = 8,
    .most_steps = 16,
    .weight = 0.125 },
  { .name = "FLUX.1 Turbo Alpha",
    .families = PARAM_FOR_FLUX,
    .patterns = { "turbo alpha" },
    .steps = 8,
    .most_steps = 12 },
  { .name = "FLUX.1 schnell",
    .families = PARAM_FOR_FLUX,
    .patterns = { "schnell" },
    .models_only = true,
    .steps = 4,
    .most_steps = 8,
    .guidance = 1,
    .most_guidance = 1 },
  { .name = "LightX2V",
    .families = PARAM_FOR_WAN,
    .patterns = { "lightx2v", "lightning", "4step", "step distill" },
    .steps = 4,
    .most_steps = 8,
    .guidance = 1,
    .most_guidance = 1.5,
    .sampler = "euler",
    .schedule = "simple",
    .shift = 5 },
};

/* Small letters and digits; all else becomes one space, at both ends, too. */
static void
normalise (char out[MAX_TEXT], const char *text)
{
  size_t n = 0;
  out[n++] = ' ';
  for (const char *p = text; *p && n + 2 < MAX_TEXT; p++)
    if (isalnum ((unsigned char) *p))
      out[n++] = (char) tolower ((unsigned char) *p);
    else if (out[n - 1] != ' ')
      out[n++] = ' ';
  if (out[n - 1] != ' ')
    out[n++] = ' ';
  out[n] = '\0';
}

/* "8step", "4 steps".  Returns: 0 when no number is named */
static int
named_steps (const char *text)
{
  for (const char *step = strstr (text, "step"); step; step = strstr (step + 1, "step"))
    {
      const char *p = step > text && step[-1] == ' ' ? step - 1 : step;
      int steps = 0, scale = 1;
      for (; p > text && isdigit ((unsigned char) p[-1]) && scale <= 100; p--, scale *= 10)
        steps += (p[-1] - '0') * scale;
      if (steps >= 1 && steps <= MOST_NAMED_STEPS)
        return steps;
    }
  return 0;
}

static bool
matches (const FewStepsKind *kind, const char *text, bool adapter)
{
  bool found = false;
  for (int i = 0; i < MAX_PATTERNS && kind->patterns[i]; i++)
    found |= strstr (text, kind->patterns[i]) != NULL;
  if (!found || (adapter && kind->models_only))
    return false;
  return !adapter || !kind->plain_word || named_steps (text) > 0 || strstr (text, "sdxl") ||
         strstr (text, " sd ");
}

bool
few_steps_find (
    FewSteps *found, unsigned families, bool adapter, const char *const *texts, size_t n_texts)
{
  char text[MAX_TEXT];
  *found = (FewSteps){ 0 };
  for (size_t t = 0; t < n_texts; t++)
    for (size_t k = 0; texts[t] && k < sizeof kinds / sizeof kinds[0]; k++)
      {
        normalise (text, texts[t]);
        if (!(kinds[k].families & families) || !matches (&kinds[k], text, adapter))
          continue;
        if (kinds[k].unless && strstr (text, kinds[k].unless))
          return false; /* later texts, that say less, do not know better */
        int steps = named_steps (text);
        *found = (FewSteps){ &kinds[k], steps > 0 ? steps : kinds[k].steps };
        return true;
      }
  return false;
}

const char *
few_steps_name (const FewSteps *found)
{
  return found->kind->name;
}

double
few_steps_weight (const FewSteps *found)
{
  return found->kind->weight;
}

bool
few_steps_fit (const FewSteps *found, int steps, double guidance_scale)
{
  const FewStepsKind *k = found->kind;
  int most = found->steps > k->most_steps ? found->steps : k->most_steps;
  return steps <= most && (k->most_guidance == 0 || guidance_scale <= k->most_guidance);
}

static void
add_number (FewStepsValue *values, int *n, const char *key, double number)
{
  values[*n].key = key;
  text_from_double (values[(*n)++].text, number);
}

static void
add_text (FewStepsValue *values, int *n, const char *key, const char *text)
{
  values[*n].key = key;
  snprintf (values[*n].text, sizeof values[*n].text, "%s", text);
  (*n)++;
}

int
few_steps_values (const FewSteps *found, FewStepsValue values[FEW_STEPS_VALUES])
{
  const FewStepsKind *k = found->kind;
  int n = 0;
  add_number (values, &n, "steps", found->steps);
  if (k->guidance > 0)
    add_number (values, &n, "guidance_scale", k->guidance);
  if (k->guidance > 0 && k->families & PARAM_FOR_WAN)
    add_number (values, &n, "guidance_scale_2", k->guidance);
  if (k->sampler)
    add_text (values, &n, "sampler", k->sampler);
  if (k->schedule)
    add_text (values, &n, "schedule", k->schedule);
  if (k->shift > 0)
    add_number (values, &n, "shift", k->shift);
  return n;
}
