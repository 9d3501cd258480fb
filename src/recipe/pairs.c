/* SPDX-License-Identifier: MPL-2.0
 * pairs.c - splitting A1111's settings line.
 */
#include "recipe/pairs.h"

#include <string.h>

#include "core/mem.h"
#include "recipe/json.h"

typedef struct
{
  const char *at, *end;
} Span;

static const char *
skip_space (const char *p, const char *end)
{
  while (p < end && (*p == ' ' || (*p >= '\t' && *p <= '\r')))
    p++;
  return p;
}

/* Letters beyond ASCII count as letters. */
static bool
is_word (char c)
{
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
         (unsigned char) c >= 0x80;
}

static bool
is_key (char c)
{
  return is_word (c) || c == ' ' || c == '-' || c == '/';
}

/* Finds the next key and its colon.  Returns: where its value begins, NULL at the end. */
static const char *
find_key (Span rest, Span *key)
{
  const char *p = rest.at;
  while (p < rest.end)
    {
      while (p < rest.end && !is_word (*p))
        p++;
      const char *start = p;
      int n_chars = 0;
      for (; p < rest.end && is_key (*p); p++)
        n_chars += n_chars < 2 && ((unsigned char) *p & 0xc0) != 0x80; /* not bytes inside UTF-8 */
      if (p < rest.end && *p == ':' && n_chars == 2)
        {
          *key = (Span){ start, p };
          return skip_space (p + 1, rest.end);
        }
    }
  return NULL;
}

/* Returns: behind the closing quote of the JSON string at @p, NULL when it is empty or open. */
static const char *
end_of_quoted (const char *p, const char *end)
{
  const char *start = ++p;
  for (; p < end && *p != '"'; p++)
    if (*p == '\\')
      p++;
  return p < end && p > start ? p + 1 : NULL;
}

/* Returns: behind the bracket that closes the one at @p, NULL when there is none. */
static const char *
end_of_brackets (const char *p, const char *end)
{
  int depth = 0;
  for (; p < end; p++)
    {
      if (*p == '"')
        {
          const char *close = p + 1;
          while (close < end && *close != '"')
            close += *close == '\\' ? 2 : 1;
          if (close >= end)
            return NULL;
          p = close;
        }
      depth += *p == '[' || *p == '{';
      depth -= *p == ']' || *p == '}';
      if (depth == 0)
        return p + 1;
    }
  return NULL;
}

/* Returns: behind the value at @p and its comma. */
static const char *
find_value (const char *p, const char *end, Span *value)
{
  const char *close = NULL;
  /* Bounded, or a text full of open brackets would take quadratic time. */
  const char *limit = end - p > PAIRS_MAX_VALUE_BYTES ? p + PAIRS_MAX_VALUE_BYTES : end;
  if (p < end && *p == '"')
    close = end_of_quoted (p, limit);
  else if (p < end && (*p == '[' || *p == '{'))
    close = end_of_brackets (p, limit);
  if (!close || (close < end && *close != ','))
    {
      close = memchr (p, ',', (size_t) (end - p));
      close = close ? close : end;
    }
  *value = (Span){ p, close };
  return close < end ? close + 1 : end;
}

static char *
dup_span (Span s, Status *status)
{
  while (s.end > s.at && s.end[-1] == ' ')
    s.end--;
  char *copy = mem_calloc ((size_t) (s.end - s.at) + 1, 1);
  if (copy)
    memcpy (copy, s.at, (size_t) (s.end - s.at));
  else
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  return copy;
}

/* What is no valid JSON string stays as it is, quotes included, as in A1111. */
static char *
dup_value (Span s, Status *status)
{
  if (s.end - s.at < 2 || *s.at != '"' || s.end[-1] != '"')
    return dup_span (s, status);
  Status bad = { 0 };
  struct json_object *root =
      json_parse (s.at, (size_t) (s.end - s.at), 1, STATUS_MARK ("A value"), &bad);
  if (!root && bad.code == STATUS_NO_MEMORY)
    {
      status_fail (status, bad.code, "%s", bad.message);
      return NULL;
    }
  if (!root)
    return dup_span (s, status);
  const char *text = json_object_get_string (root);
  char *copy = dup_span ((Span){ text, text + strlen (text) }, status);
  json_object_put (root);
  return copy;
}

static bool
add_pair (Pairs *pairs, Span key, Span value, Status *status)
{
  if (pairs->n >= PAIRS_MAX)
    return status_fail (status, STATUS_FORMAT,
                        "The generation text has more than %d settings: it is damaged.", PAIRS_MAX);
  if (!mem_grow (&pairs->items, &pairs->capacity, pairs->n + 1, sizeof *pairs->items, status))
    return false;
  Pair pair = { .key = dup_span (key, status) };
  pair.value = pair.key ? dup_value (value, status) : NULL;
  if (!pair.value)
    {
      mem_free (pair.key);
      return false;
    }
  pairs->items[pairs->n++] = pair;
  return true;
}

bool
pairs_split (Pairs *pairs, const char *line, size_t n_bytes, Status *status)
{
  Span rest = { line, line + n_bytes }, key, value;
  const char *p;
  while ((p = find_key (rest, &key)))
    {
      rest.at = find_value (p, rest.end, &value);
      if (!add_pair (pairs, key, value, status))
        return false;
    }
  return true;
}

void
pairs_clear (Pairs *pairs)
{
  for (size_t i = 0; i < pairs->n; i++)
    {
      mem_free (pairs->items[i].key);
      mem_free (pairs->items[i].value);
    }
  mem_free (pairs->items);
  *pairs = (Pairs){ 0 };
}

Pair *
pairs_take (Pairs *pairs, const char *key)
{
  for (size_t i = 0; i < pairs->n; i++)
    if (strcmp (pairs->items[i].key, key) == 0)
      {
        pairs->items[i].used = true;
        return &pairs->items[i];
      }
  return NULL;
}
