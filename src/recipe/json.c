/* SPDX-License-Identifier: MPL-2.0
 * json.c - bounded reading of JSON.
 */
#include "recipe/json.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/json-ascii.h"
#include "core/mem.h"

static bool
only_white_space (const char *text, size_t n_bytes)
{
  for (size_t i = 0; i < n_bytes; i++)
    if (!memchr (" \t\r\n", text[i], 4))
      return false;
  return true;
}

/* False for an integer that json-c would silently replace by the largest it knows. */
static bool
integer_fits (const char *digits, size_t n, bool negative)
{
  enum
  {
    MOST_DIGITS = 20 /* of UINT64_MAX */
  };
  char copy[MOST_DIGITS + 1] = "";
  if (n > MOST_DIGITS)
    return false;
  memcpy (copy, digits, n);
  errno = 0;
  uint64_t v = strtoull (copy, NULL, 10);
  return errno == 0 && !(negative && v > (uint64_t) INT64_MAX + 1);
}

static bool
integers_fit (const char *text, size_t n_bytes)
{
  bool in_string = false;
  for (size_t i = 0; i < n_bytes; i++)
    if (in_string && text[i] == '\\')
      i++;
    else if (text[i] == '"')
      in_string = !in_string;
    else if (!in_string && text[i] >= '0' && text[i] <= '9')
      {
        size_t start = i;
        bool whole = true;
        for (; i < n_bytes && memchr ("0123456789.eE+-", text[i], 15); i++)
          whole = whole && text[i] >= '0' && text[i] <= '9';
        if (whole && !integer_fits (text + start, i - start, start && text[start - 1] == '-'))
          return false;
        i--;
      }
  return true;
}

static struct json_object *
parse_with (
    struct json_tokener *tok, const char *text, size_t n_bytes, const char *what, Status *status)
{
  json_tokener_set_flags (tok, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
  struct json_object *root = json_tokener_parse_ex (tok, text, (int) n_bytes);
  enum json_tokener_error error = json_tokener_get_error (tok);
  size_t end = json_tokener_get_parse_end (tok);
  if (error == json_tokener_success && root && only_white_space (text + end, n_bytes - end))
    return root;
  json_object_put (root);
  if (error == json_tokener_error_depth)
    status_fail (status, STATUS_FORMAT, "%s is nested too deeply to be read.", what);
  else if (error == json_tokener_continue)
    status_fail (status, STATUS_FORMAT, "%s ends too early: it was cut off.", what);
  else
    status_fail (status, STATUS_FORMAT, "%s is not valid JSON (at byte %zu): it is damaged.", what,
                 end);
  return NULL;
}

struct json_object *
json_parse (const char *text, size_t n_bytes, int max_depth, const char *what, Status *status)
{
  what = status_text (what);
  const size_t most = INT_MAX / 6; /* escaped, every byte may become six */
  if (n_bytes >= most || memchr (text, '\0', n_bytes))
    {
      status_fail (status, STATUS_FORMAT, "%s is not valid JSON: it is damaged.", what);
      return NULL;
    }
  if (!integers_fit (text, n_bytes))
    {
      status_fail (status, STATUS_FORMAT, "%s holds a whole number that is too large.", what);
      return NULL;
    }
  size_t n_ascii, invalid_at;
  char *ascii = json_ascii (text, n_bytes, &n_ascii, &invalid_at);
  struct json_tokener *tok = ascii ? json_tokener_new_ex (max_depth) : NULL;
  struct json_object *root = NULL;
  if (!ascii && invalid_at < n_bytes)
    status_fail (status, STATUS_FORMAT, "%s is not valid JSON (at byte %zu): it is damaged.", what,
                 invalid_at);
  else if (!tok)
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  else
    root = parse_with (tok, ascii, n_ascii, what, status);
  if (tok)
    json_tokener_free (tok);
  mem_free (ascii);
  return root;
}

struct json_object *
json_member (struct json_object *object, const char *key)
{
  struct json_object *member = NULL;
  if (json_object_is_type (object, json_type_object))
    json_object_object_get_ex (object, key, &member);
  return member;
}

const char *
json_member_text (struct json_object *object, const char *key)
{
  struct json_object *member = json_member (object, key);
  if (!json_object_is_type (member, json_type_string))
    return NULL;
  const char *text = json_object_get_string (member);
  return strlen (text) == (size_t) json_object_get_string_len (member) ? text : NULL;
}
