/* SPDX-License-Identifier: MPL-2.0
 * gesso-prompt-weight.c - (words:1.1) around the selection or the word at the cursor.
 */
#include "app/gesso-prompt-weight.h"

#include <math.h>
#include <string.h>

#define WEIGHT_MAX 5.0

/* Characters [start, end) are the words; [open, close) the brackets with all they hold. */
typedef struct
{
  int open, close, start, end;
  double weight;
} Group;

static gboolean
is_delimiter (gunichar c)
{
  return g_unichar_isspace (c) || (c < 128 && strchr (",./\\!?%^*;:{}=`~()[]<>|", (int) c));
}

static gboolean
is_escaped (const gunichar *text, int i)
{
  return i > 0 && text[i - 1] == '\\';
}

/* The bracket that opens or closes around @from; -1 when there is none. */
static int
find_bracket (const gunichar *text, int from, int step)
{
  int depth = 0;
  for (int i = from; i >= 0 && text[i]; i += step)
    {
      if (is_escaped (text, i) || (text[i] != '(' && text[i] != ')'))
        continue;
      if ((text[i] == '(') == (step < 0))
        {
          if (depth-- == 0)
            return i;
        }
      else
        depth++;
    }
  return -1;
}

/* Reads ":1.25" that ends at @close; the words end before it. */
static gboolean
read_weight (const gunichar *text, Group *group)
{
  int colon = group->close - 2;
  while (colon > group->open && (g_unichar_isdigit (text[colon]) || text[colon] == '.'))
    colon--;
  if (colon <= group->open || text[colon] != ':' || colon == group->close - 2)
    return FALSE;
  g_autofree char *number =
      g_ucs4_to_utf8 (text + colon + 1, group->close - colon - 2, NULL, NULL, NULL);
  group->weight = g_ascii_strtod (number, NULL);
  group->start = group->open + 1;
  group->end = colon;
  return TRUE;
}

static gboolean
find_group (const gunichar *text, int start, int end, Group *group)
{
  group->open = start > 0 ? find_bracket (text, start - 1, -1) : -1;
  int close = find_bracket (text, end, 1);
  group->close = close + 1;
  if (group->open < 0 || close < 0 || !read_weight (text, group))
    return FALSE;
  return start == end || (start == group->start && end == group->end);
}

static gboolean
find_word (const gunichar *text, int *start, int *end)
{
  while (*start > 0 && !is_delimiter (text[*start - 1]))
    (*start)--;
  while (text[*end] && !is_delimiter (text[*end]))
    (*end)++;
  return *start < *end;
}

static void
append (GString *out, const gunichar *text, int from, int to)
{
  g_autofree char *piece = g_ucs4_to_utf8 (text + from, to - from, NULL, NULL, NULL);
  g_string_append (out, piece ? piece : "");
}

char *
gesso_prompt_weight (const char *text, int *start, int *end, double delta)
{
  g_return_val_if_fail (text && start && end && *start <= *end, NULL);
  g_autofree gunichar *chars = g_utf8_to_ucs4_fast (text, -1, NULL);
  Group g = { 0 };
  if (!find_group (chars, *start, *end, &g))
    {
      if (*start == *end && !find_word (chars, start, end))
        return NULL;
      g = (Group){ *start, *end, *start, *end, 1 };
    }
  double weight = CLAMP (round ((g.weight + delta) * 100) / 100, 0, WEIGHT_MAX);
  gboolean plain = fabs (weight - 1) < 1e-6;
  g_autoptr (GString) out = g_string_new (NULL);
  append (out, chars, 0, g.open);
  if (!plain)
    g_string_append_c (out, '(');
  append (out, chars, g.start, g.end);
  if (!plain)
    {
      char number[G_ASCII_DTOSTR_BUF_SIZE];
      g_string_append_printf (out, ":%s)", g_ascii_formatd (number, sizeof number, "%.4g", weight));
    }
  g_string_append (out, g_utf8_offset_to_pointer (text, g.close));
  *start = g.open + !plain;
  *end = *start + g.end - g.start;
  return g_string_free (g_steal_pointer (&out), FALSE);
}
