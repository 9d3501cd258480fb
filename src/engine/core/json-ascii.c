/* SPDX-License-Identifier: MPL-2.0
 * json-ascii.c - JSON with every character beyond ASCII written as \uXXXX.
 */
#include "core/json-ascii.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"

enum
{
  ESCAPE_BYTES = 6, /* \uXXXX */
  FIRST_ASTRAL = 0x10000,
  HIGH_SURROGATE = 0xd800,
  LOW_SURROGATE = 0xdc00
};

/* Writes @code at @out unless that is NULL.  Returns: its length */
static size_t
put (char *out, uint32_t code)
{
  char text[2 * ESCAPE_BYTES + 1];
  int n = 1;
  if (code < 0x80)
    text[0] = (char) code;
  else if (code < FIRST_ASTRAL)
    n = snprintf (text, sizeof text, "\\u%04x", code);
  else
    n = snprintf (text, sizeof text, "\\u%04x\\u%04x", HIGH_SURROGATE | (code - FIRST_ASTRAL) >> 10,
                  LOW_SURROGATE | (code & 0x3ff));
  if (out)
    memcpy (out, text, (size_t) n);
  return (size_t) n;
}

/* Returns: bytes written (or needed, when @out is NULL); @invalid_at as in json_ascii */
static size_t
convert (char *out, const char *text, size_t n_bytes, size_t *invalid_at)
{
  size_t n = 0, i = 0;
  while (i < n_bytes)
    {
      uint32_t code;
      int length = utf8_next (text + i, n_bytes - i, &code);
      if (length == 0)
        break;
      n += put (out ? out + n : NULL, code);
      i += (size_t) length;
    }
  *invalid_at = i;
  return n;
}

char *
json_ascii (const char *text, size_t n_bytes, size_t *n_out, size_t *invalid_at)
{
  *n_out = convert (NULL, text, n_bytes, invalid_at);
  char *out = *invalid_at == n_bytes ? mem_calloc (*n_out + 1, 1) : NULL;
  if (out)
    convert (out, text, n_bytes, invalid_at);
  return out;
}
