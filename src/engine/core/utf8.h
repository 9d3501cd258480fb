/* SPDX-License-Identifier: MPL-2.0
 * utf8.h - reading and writing UTF-8 one character at a time, strictly (RFC 3629).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum
{
  UTF8_MAX_BYTES = 4,
  UTF8_REPLACEMENT = 0xfffd
};

/* utf8_next:
 * @text: @length bytes, not necessarily terminated
 *
 * Returns: bytes of the character at @text (1 to 4) with its code point in @code; 0 at the end or
 * where the bytes are not valid UTF-8 (overlong forms, surrogates and values above U+10FFFF
 * included)
 */
static inline int
utf8_next (const char *text, size_t length, uint32_t *code)
{
  static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
  const unsigned char *p = (const unsigned char *) text;
  if (length == 0)
    return 0;
  int n = p[0] < 0x80   ? 1
          : p[0] < 0xc2 ? 0
          : p[0] < 0xe0 ? 2
          : p[0] < 0xf0 ? 3
          : p[0] < 0xf5 ? 4
                        : 0;
  if (n == 0 || (size_t) n > length)
    return 0;
  uint32_t c = n == 1 ? p[0] : p[0] & (0xff >> (n + 1));
  for (int i = 1; i < n; i++)
    {
      if ((p[i] & 0xc0) != 0x80)
        return 0;
      c = c << 6 | (p[i] & 0x3f);
    }
  if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
    return 0;
  *code = c;
  return n;
}

static inline bool
utf8_is_valid (const char *text, size_t length)
{
  uint32_t code;
  for (int n; length > 0; text += n, length -= (size_t) n)
    if ((n = utf8_next (text, length, &code)) == 0)
      return false;
  return true;
}

/* Writes one code point to @out (room for 4 bytes); what is no character becomes U+FFFD.  Returns:
 * bytes. */
static inline int
utf8_put (char *out, uint32_t code)
{
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
    code = UTF8_REPLACEMENT;
  if (code < 0x80)
    {
      out[0] = (char) code;
      return 1;
    }
  int n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (int i = n - 1; i > 0; i--, code >>= 6)
    out[i] = (char) (0x80 | (code & 0x3f));
  out[0] = (char) ((0xf00 >> n & 0xff) | code);
  return n;
}
