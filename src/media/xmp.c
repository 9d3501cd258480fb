/* SPDX-License-Identifier: MPL-2.0
 * xmp.c - looks for properties by name (XMP specification part 1, 7.5 and 7.9); no XML parser.
 */
#define _GNU_SOURCE
#include "media/xmp.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"

typedef struct
{
  const char *p, *end;
} Span;

/* Moves behind the next @mark.  Returns: false when there is none; @s is unchanged then */
static bool
skip_behind (Span *s, const char *mark)
{
  const char *at = memmem (s->p, (size_t) (s->end - s->p), mark, strlen (mark));
  if (at)
    s->p = at + strlen (mark);
  return at != NULL;
}

static Span
up_to (Span s, const char *mark)
{
  const char *at = memmem (s.p, (size_t) (s.end - s.p), mark, strlen (mark));
  return (Span){ s.p, at ? at : s.p };
}

/* name="value" in a tag, or <name>value</name>, the value perhaps in the first item of a list. */
static Span
find_value (Span packet, const char *name)
{
  Span s = packet, none = { packet.p, packet.p };
  if (!skip_behind (&s, name) || s.p == s.end)
    return none;
  if (*s.p == '=' && s.end - s.p > 2)
    {
      char quote[] = { s.p[1], '\0' };
      return up_to ((Span){ s.p + 2, s.end }, quote);
    }
  if (!skip_behind (&s, ">"))
    return none;
  Span element = up_to (s, name), item = element;
  if (skip_behind (&item, "<rdf:li") && skip_behind (&item, ">"))
    return up_to (item, "</rdf:li");
  return up_to (element, "</");
}

/* The character that the entity at @s stands for, and how many bytes it takes. */
static size_t
read_entity (Span s, uint32_t *code)
{
  static const struct
  {
    const char *name;
    uint32_t code;
  } names[] = {
    { "&lt;", '<' }, { "&gt;", '>' }, { "&amp;", '&' }, { "&quot;", '"' }, { "&apos;", '\'' }
  };
  enum
  {
    NUMBER_BYTES = 12
  };
  size_t left = (size_t) (s.end - s.p);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    {
      size_t n = strlen (names[i].name);
      if (left >= n && memcmp (s.p, names[i].name, n) == 0)
        {
          *code = names[i].code;
          return n;
        }
    }
  const char *semicolon = memchr (s.p, ';', left < NUMBER_BYTES ? left : NUMBER_BYTES);
  if (!semicolon || left < 2 || s.p[1] != '#')
    return 0;
  char number[NUMBER_BYTES + 1] = "";
  memcpy (number, s.p + 2, (size_t) (semicolon - s.p) - 2);
  bool hex = number[0] == 'x';
  *code = (uint32_t) strtoul (number + hex, NULL, hex ? 16 : 10);
  return *code > 0 && *code < 0x110000 ? (size_t) (semicolon - s.p) + 1 : 0;
}

static bool
add_value (MediaTexts *texts, const char *key, Span value, Status *status)
{
  size_t n = 0;
  char *text = mem_calloc ((size_t) (value.end - value.p) + UTF8_MAX_BYTES, 1);
  if (!text)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  while (value.p < value.end)
    {
      uint32_t code;
      size_t n_entity = *value.p == '&' ? read_entity (value, &code) : 0;
      if (n_entity)
        n += (size_t) utf8_put (text + n, code); /* never longer than its entity */
      else
        text[n++] = *value.p;
      value.p += n_entity ? n_entity : 1;
    }
  bool ok = media_texts_add (texts, key, text, n, status);
  mem_free (text);
  return ok;
}

bool
xmp_read_texts (MediaTexts *texts, const uint8_t *packet, size_t n_bytes, Status *status)
{
  static const struct
  {
    const char *name, *key;
  } properties[] = { { "exif:UserComment", "UserComment" },
                     { "dc:description", "ImageDescription" } };
  const Span whole = { (const char *) packet, (const char *) packet + n_bytes };
  for (size_t i = 0; n_bytes && i < sizeof properties / sizeof properties[0]; i++)
    {
      Span value = find_value (whole, properties[i].name);
      if (value.p < value.end && !media_texts_find (texts, properties[i].key) &&
          !add_value (texts, properties[i].key, value, status))
        return false;
    }
  return true;
}
