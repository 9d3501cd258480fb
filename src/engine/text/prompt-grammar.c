/* SPDX-License-Identifier: MPL-2.0
 * prompt-grammar.c - emphasis as A1111 reads it, and the splitting at AND.
 *
 * Each bracket multiplies the weights of all drafts since it opened.  A draft lies in at most
 * 2 * TEXT_MAX_NESTING open brackets, which bounds the work.
 */
#include "text/prompt-grammar.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "text/prompt-build.h"

static const double ROUND_WEIGHT = 1.1;
static const double SQUARE_WEIGHT = 1 / 1.1;

/* Drafts that were there when each bracket opened. */
typedef struct
{
  size_t first[TEXT_MAX_NESTING];
  int n;
} OpenBrackets;

bool
prompt_too_deep (Status *status)
{
  return status_fail (status, STATUS_ARGUMENT,
                      "The prompt's brackets nest more than %d deep: remove some.",
                      TEXT_MAX_NESTING);
}

bool
drafts_add (
    Drafts *d, const char *bytes, size_t n_bytes, double weight, bool is_break, Status *status)
{
  if (!mem_grow (&d->items, &d->capacity, d->n + 1, sizeof *d->items, status))
    return false;
  d->items[d->n++] = (Draft){ .start = d->text.n, .weight = weight, .is_break = is_break };
  return text_buf_add (&d->text, bytes, n_bytes, status);
}

bool
drafts_finish (const Drafts *d, PromptPieces *pieces, Status *status)
{
  pieces->items = mem_calloc (d->n, sizeof *pieces->items);
  pieces->pool = mem_calloc (d->text.n + d->n, 1);
  if (!pieces->items || !pieces->pool)
    return text_no_memory (status);
  char *to = pieces->pool;
  for (size_t i = 0; i < d->n; i++)
    {
      const Draft *draft = &d->items[i];
      size_t n = (i + 1 < d->n ? d->items[i + 1].start : d->text.n) - draft->start;
      double weight = draft->is_break ? 1 : draft->weight;
      if (!(fabs (weight) <= (double) FLT_MAX))
        return status_fail (status, STATUS_ARGUMENT,
                            "A weight in the prompt is too large: make the number smaller.");
      pieces->items[i] = (PromptPiece){ to, weight, draft->is_break };
      if (n)
        memcpy (to, d->text.data + draft->start, n);
      to += n + 1;
    }
  pieces->n = (int) d->n;
  return true;
}

void
drafts_clear (Drafts *d)
{
  text_buf_clear (&d->text);
  mem_free (d->items);
  *d = (Drafts){ 0 };
}

const char *
find_word (const char *start, const char *p, const char *end, const char *word)
{
  size_t length = strlen (word);
  int n;
  for (; (size_t) (end - p) >= length; p++)
    if (!memcmp (p, word, length) && (p == start || !char_is_word (char_before (start, p))) &&
        (p + length == end || !char_is_word (char_at (p + length, end, &n))))
      return p;
  return NULL;
}

static void
multiply_since (Drafts *d, size_t first, double weight)
{
  for (size_t i = first; i < d->n; i++)
    d->items[i].weight *= weight;
}

static bool
open_bracket (OpenBrackets *open, const Drafts *d, Status *status)
{
  if (open->n == TEXT_MAX_NESTING)
    return prompt_too_deep (status);
  open->first[open->n++] = d->n;
  return true;
}

static void
close_bracket (OpenBrackets *open, Drafts *d, double weight)
{
  multiply_since (d, open->first[--open->n], weight);
}

/* The end of @p .. @end without the white space before it. */
static const char *
trim_end (const char *p, const char *end)
{
  while (end > p && char_is_space (char_before (p, end)))
    do
      end--;
    while (end > p && ((unsigned char) *end & 0xc0) == 0x80);
  return end;
}

/* Plain text, in which the word BREAK and the white space around it is a break. */
static bool
add_run (Drafts *d, const char *p, const char *end, Status *status)
{
  static const char word[] = "BREAK";
  const char *start = p, *found;
  while ((found = find_word (start, p, end, word)))
    {
      const char *text_end = trim_end (p, found);
      if (!drafts_add (d, p, (size_t) (text_end - p), 1, false, status) ||
          !drafts_add (d, NULL, 0, 1, true, status))
        return false;
      p = found + strlen (word);
      p += text_space_length (p, end);
    }
  return drafts_add (d, p, (size_t) (end - p), 1, false, status);
}

/* ":1.3)" at @p: its length, 0 when there is none. */
static size_t
match_weight (const char *p, const char *end, double *weight)
{
  const char *q = p + 1;
  q += text_space_length (q, end);
  const char *number = q;
  if (q < end && (*q == '+' || *q == '-'))
    q++;
  while (q < end && ((*q >= '0' && *q <= '9') || *q == '.'))
    q++;
  const char *number_end = q;
  q += text_space_length (q, end);
  if (q == end || *q != ')' ||
      !decimal_parse (number, (size_t) (number_end - number), false, weight))
    return 0;
  return (size_t) (q + 1 - p);
}

/* A backslash and what it escapes.  Before anything else it is dropped, as in A1111. */
static bool
add_escape (Drafts *d, const char **p, const char *end, Status *status)
{
  bool escapes = *p + 1 < end && strchr ("()[]\\", (*p)[1]);
  const char *text = *p + 1;
  *p += escapes ? 2 : 1;
  return drafts_add (d, text, escapes ? 1 : 0, 1, false, status);
}

/* The next scanner token at @p: a bracket, a weight, an escape or a run of text. */
static bool
attention_step (Drafts *d,
                OpenBrackets *round,
                OpenBrackets *square,
                const char **at,
                const char *end,
                Status *status)
{
  const char *p = *at;
  double weight;
  size_t n;
  *at = p + 1;
  if (*p == '\\')
    {
      *at = p;
      return add_escape (d, at, end, status);
    }
  if (*p == '(')
    return open_bracket (round, d, status);
  if (*p == '[')
    return open_bracket (square, d, status);
  if (*p == ':' && round->n && (n = match_weight (p, end, &weight)))
    {
      *at = p + n;
      close_bracket (round, d, weight);
    }
  else if (*p == ')' && round->n)
    close_bracket (round, d, ROUND_WEIGHT);
  else if (*p == ']' && square->n)
    close_bracket (square, d, SQUARE_WEIGHT);
  else if (strchr (")]:", *p))
    return drafts_add (d, p, 1, 1, false, status);
  else
    {
      while (*at < end && !strchr ("\\()[]:", **at))
        ++*at;
      return add_run (d, p, *at, status);
    }
  return true;
}

static void
join_equal (Drafts *d)
{
  size_t n = 0;
  for (size_t i = 0; i < d->n; i++)
    {
      const Draft *last = n ? &d->items[n - 1] : NULL;
      bool joins =
          last && !last->is_break && !d->items[i].is_break && last->weight == d->items[i].weight;
      if (!joins)
        d->items[n++] = d->items[i];
    }
  d->n = n;
}

static bool
a1111_parse (Drafts *d, const char *text, size_t n_bytes, Status *status)
{
  OpenBrackets round = { .n = 0 }, square = { .n = 0 };
  const char *end = text + n_bytes;
  for (const char *p = text; p < end;)
    if (!attention_step (d, &round, &square, &p, end, status))
      return false;
  while (round.n)
    close_bracket (&round, d, ROUND_WEIGHT);
  while (square.n)
    close_bracket (&square, d, SQUARE_WEIGHT);
  if (!d->n && !drafts_add (d, NULL, 0, 1, false, status))
    return false;
  join_equal (d);
  return true;
}

bool
prompt_parse_attention (const char *text, PromptSyntax syntax, PromptPieces *pieces, Status *status)
{
  Drafts d = { 0 };
  size_t n;
  bool ok = text_check_length (text, &n, status);
  *pieces = (PromptPieces){ 0 };
  if (ok && syntax == PROMPT_A1111)
    ok = a1111_parse (&d, text, n, status);
  else if (ok && syntax == PROMPT_COMFYUI)
    ok = comfyui_parse (&d, text, n, status);
  else if (ok)
    ok = drafts_add (&d, text, n, 1, false, status);
  ok = ok && drafts_finish (&d, pieces, status);
  if (!ok)
    prompt_pieces_clear (pieces);
  drafts_clear (&d);
  return ok;
}

/* One part between ANDs: "text : weight", the weight optional. */
static bool
add_part (Drafts *d, const char *p, const char *end, Status *status)
{
  end = trim_end (p, end);
  const char *number = end;
  double weight = 1;
  while (number > p && ((number[-1] >= '0' && number[-1] <= '9') || number[-1] == '.'))
    number--;
  if (number > p && number < end && (number[-1] == '+' || number[-1] == '-'))
    number--;
  const char *colon = trim_end (p, number);
  if (number < end && colon > p && colon[-1] == ':' &&
      decimal_parse (number, (size_t) (end - number), false, &weight))
    end = trim_end (p, colon - 1);
  return drafts_add (d, p, (size_t) (end - p), weight, false, status);
}

bool
prompt_split_and (const char *text, PromptPieces *pieces, Status *status)
{
  static const char word[] = "AND";
  Drafts d = { 0 };
  size_t n;
  *pieces = (PromptPieces){ 0 };
  bool ok = text_check_length (text, &n, status);
  const char *end = text + n, *p = text, *found;
  while (ok && (found = find_word (text, p, end, word)))
    {
      ok = add_part (&d, p, found, status);
      p = found + strlen (word);
    }
  ok = ok && add_part (&d, p, end, status) && drafts_finish (&d, pieces, status);
  if (!ok)
    prompt_pieces_clear (pieces);
  drafts_clear (&d);
  return ok;
}

void
prompt_pieces_clear (PromptPieces *pieces)
{
  mem_free (pieces->items);
  mem_free (pieces->pool);
  *pieces = (PromptPieces){ 0 };
}
