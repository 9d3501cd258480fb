/* SPDX-License-Identifier: MPL-2.0
 * prompt-comfyui.c - emphasis as ComfyUI reads it: balanced parentheses, a number sets the weight.
 *
 * A parenthesis right behind a backslash is text.  An item is what lies between two places where
 * the nesting is zero; one that begins and ends with parentheses is read again without them.
 */
#define _GNU_SOURCE
#include <string.h>

#include "text/prompt-build.h"

static const double STEP_WEIGHT = 1.1;

typedef struct
{
  Drafts *drafts;
  const char *start; /* of the prompt */
} Comfy;

static bool
is_bracket (const Comfy *c, const char *p, char bracket)
{
  return *p == bracket && (p == c->start || p[-1] != '\\');
}

/* Adds a piece without the backslashes before parentheses. */
static bool
add_text (const Comfy *c, const char *p, const char *end, double weight, Status *status)
{
  if (!drafts_add (c->drafts, NULL, 0, weight, false, status))
    return false;
  const char *run = p;
  for (; p + 1 < end; p++)
    if (*p == '\\' && (p[1] == '(' || p[1] == ')'))
      {
        if (!text_buf_add (&c->drafts->text, run, (size_t) (p - run), status))
          return false;
        run = p + 1;
      }
  return text_buf_add (&c->drafts->text, run, (size_t) (end - run), status);
}

/* The number behind the last colon of @p .. @end, if there is one; returns where the text ends. */
static const char *
cut_weight (const char *p, const char *end, double *weight)
{
  const char *colon = memrchr (p, ':', (size_t) (end - p));
  if (!colon || colon == p)
    return end;
  const char *number = colon + 1 + text_space_length (colon + 1, end), *number_end = end;
  while (number_end > number && char_is_space (number_end[-1]))
    number_end--;
  return decimal_parse (number, (size_t) (number_end - number), true, weight) ? colon : end;
}

static bool parse_level (
    const Comfy *c, const char *p, const char *end, double weight, int depth, Status *status);

static bool
add_item (const Comfy *c, const char *p, const char *end, double weight, int depth, Status *status)
{
  if (p == end)
    return true;
  bool bracketed = end - p >= 2 && is_bracket (c, p, '(') && is_bracket (c, end - 1, ')');
  if (!bracketed)
    return add_text (c, p, end, weight, status);
  weight *= STEP_WEIGHT;
  end = cut_weight (p + 1, end - 1, &weight);
  return parse_level (c, p + 1, end, weight, depth + 1, status);
}

static bool
parse_level (
    const Comfy *c, const char *p, const char *end, double weight, int depth, Status *status)
{
  if (depth > TEXT_MAX_NESTING)
    return prompt_too_deep (status);
  int64_t nesting = 0; /* may go below zero: a closing one too many is text */
  const char *item = p;
  for (; p < end; p++)
    {
      if (is_bracket (c, p, '(') && nesting++ == 0)
        {
          if (!add_item (c, item, p, weight, depth, status))
            return false;
          item = p;
        }
      else if (is_bracket (c, p, ')') && --nesting == 0)
        {
          if (!add_item (c, item, p + 1, weight, depth, status))
            return false;
          item = p + 1;
        }
    }
  return add_item (c, item, end, weight, depth, status);
}

bool
comfyui_parse (Drafts *d, const char *text, size_t n_bytes, Status *status)
{
  Comfy c = { d, text };
  return parse_level (&c, text, text + n_bytes, 1, 0, status);
}
