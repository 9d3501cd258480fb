/* SPDX-License-Identifier: MPL-2.0
 * adapter-args.c - the small languages inside of an adapter's tag.
 */
#include "worker/adapter-args.h"

#include <stdlib.h>
#include <string.h>

#include "recipe/text.h"

enum
{
  MAX_NUMBERS = ADAPTER_BLOCK_COUNT,
  MAX_WEIGHT = 100
};

#define IN(n) (ADAPTER_BLOCK_IN + (n))
#define OUT(n) (ADAPTER_BLOCK_OUT + (n))

/* Which blocks the numbers of a list stand for. */
typedef struct
{
  int n;
  int blocks[26];
} BlockList;

static const BlockList block_lists[] = {
  { 12,
    { 0, IN (4), IN (5), IN (7), IN (8), ADAPTER_BLOCK_MIDDLE, OUT (0), OUT (1), OUT (2), OUT (3),
      OUT (4), OUT (5) } },
  { 17,
    { 0, IN (1), IN (2), IN (4), IN (5), IN (7), IN (8), ADAPTER_BLOCK_MIDDLE, OUT (3), OUT (4),
      OUT (5), OUT (6), OUT (7), OUT (8), OUT (9), OUT (10), OUT (11) } },
  { 20,
    { 0,
      IN (0),
      IN (1),
      IN (2),
      IN (3),
      IN (4),
      IN (5),
      IN (6),
      IN (7),
      IN (8),
      ADAPTER_BLOCK_MIDDLE,
      OUT (0),
      OUT (1),
      OUT (2),
      OUT (3),
      OUT (4),
      OUT (5),
      OUT (6),
      OUT (7),
      OUT (8) } },
  { 26, { 0,       IN (0),  IN (1),  IN (2),   IN (3),  IN (4),  IN (5),
          IN (6),  IN (7),  IN (8),  IN (9),   IN (10), IN (11), ADAPTER_BLOCK_MIDDLE,
          OUT (0), OUT (1), OUT (2), OUT (3),  OUT (4), OUT (5), OUT (6),
          OUT (7), OUT (8), OUT (9), OUT (10), OUT (11) } },
};

static const struct
{
  const char *name, *numbers;
} presets[] = {
  { "NONE", "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0" },
  { "ALL", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1" },
  { "INS", "1,1,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0" },
  { "IND", "1,0,0,0,1,1,1,0,0,0,0,0,0,0,0,0,0" },
  { "INALL", "1,1,1,1,1,1,1,0,0,0,0,0,0,0,0,0,0" },
  { "MIDD", "1,0,0,0,1,1,1,1,1,1,1,1,0,0,0,0,0" },
  { "OUTD", "1,0,0,0,0,0,0,0,1,1,1,1,0,0,0,0,0" },
  { "OUTS", "1,0,0,0,0,0,0,0,0,0,0,0,1,1,1,1,1" },
  { "OUTALL", "1,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1" },
};

static bool
read_number (const char *text, size_t n, double *out)
{
  char copy[TEXT_NUMBER_SIZE];
  if (n == 0 || n >= sizeof copy)
    return false;
  memcpy (copy, text, n);
  copy[n] = '\0';
  return text_to_double (copy, out) && *out >= -MAX_WEIGHT && *out <= MAX_WEIGHT;
}

/* Numbers between commas.  Returns: how many, -1 when one is none */
static int
read_numbers (const char *text, double *out)
{
  int n = 0;
  for (;; text++)
    {
      size_t length = strcspn (text, ",");
      if (n == MAX_NUMBERS || !read_number (text, length, &out[n++]))
        return -1;
      text += length;
      if (*text == '\0')
        return n;
    }
}

static bool
place (PipelineAdapter *a, const double *numbers, int n)
{
  for (size_t i = 0; i < sizeof block_lists / sizeof *block_lists; i++)
    if (block_lists[i].n == n)
      {
        for (int k = 0; k < n; k++)
          a->blocks[block_lists[i].blocks[k]] = numbers[k];
        return true;
      }
  int n_flux = ADAPTER_BLOCK_COUNT - ADAPTER_BLOCK_DOUBLE;
  if (n != 1 + n_flux)
    return false;
  a->blocks[ADAPTER_BLOCK_BASE] = numbers[0];
  memcpy (a->blocks + ADAPTER_BLOCK_DOUBLE, numbers + 1, (size_t) n_flux * sizeof *numbers);
  return true;
}

bool
adapter_parse_blocks (PipelineAdapter *a, const char *text, Status *status)
{
  double numbers[MAX_NUMBERS];
  const char *list = text;
  for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
    if (text_equal_nocase (text, presets[i].name))
      list = presets[i].numbers;
  int n = read_numbers (list, numbers);
  memset (a->blocks, 0, sizeof a->blocks);
  a->has_blocks = n > 0 && place (a, numbers, n);
  return a->has_blocks ||
         status_fail (
             status, STATUS_ARGUMENT,
             "\"%.100s\" is no list of block weights: give 12 or 20 numbers for SDXL, 17 or "
             "26 for SD 1.5, 58 for FLUX.1, or a preset such as OUTALL.",
             text);
}

static bool
bad_curve (const char *text, Status *status)
{
  return status_fail (status, STATUS_ARGUMENT,
                      "\"%.100s\" is no weight over steps: write it as 0@0,1@0.5 (weight@when), at "
                      "most %d points in rising order.",
                      text, ADAPTER_MAX_POINTS);
}

bool
adapter_parse_curve (PipelineAdapter *a, const char *text, int n_steps, Status *status)
{
  const char *p = text;
  a->n_points = 0;
  if (!strchr (text, '@'))
    return read_number (text, strlen (text), &a->weight) || bad_curve (text, status);
  for (int i = 0;; i++, p++)
    {
      size_t n = strcspn (p, ","), at = strcspn (p, "@");
      double weight, when;
      if (i == ADAPTER_MAX_POINTS || at >= n || !read_number (p, at, &weight))
        return bad_curve (text, status);
      char *end;
      when = strtod (p + at + 1, &end);
      if (end != p + n || !(when >= 0) || end == p + at + 1)
        return bad_curve (text, status);
      when = when > 1 || (when >= 1 && !memchr (p + at, '.', n - at)) ? when / n_steps : when;
      if (i && when <= a->points[i - 1].at)
        return bad_curve (text, status);
      a->points[i].at = when;
      a->points[i].weight = weight;
      a->n_points = i + 1;
      p += n;
      if (*p == '\0')
        return true;
    }
}

/* Digits up to @end.  0 for none; -1 for what is no step */
static int
read_step (const char *p, const char *end)
{
  int v = 0;
  for (; p < end; p++)
    {
      if (*p < '0' || *p > '9' || v > 100000)
        return -1;
      v = v * 10 + (*p - '0');
    }
  return v;
}

bool
adapter_parse_steps (PipelineAdapter *a, const char *text, Status *status)
{
  const char *dash = strchr (text, '-'), *end = text + strlen (text);
  int first = dash ? read_step (text, dash) : -1, last = dash ? read_step (dash + 1, end) : -1;
  if (first < 0 || last < 0 || (last && last < first))
    return status_fail (status, STATUS_ARGUMENT,
                        "\"%.100s\" is no range of steps: write it as 5-15, 5- or -15.", text);
  a->first_step = first;
  a->last_step = last;
  return true;
}
