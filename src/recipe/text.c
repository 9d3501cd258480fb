/* SPDX-License-Identifier: MPL-2.0
 * text.c - building text, numbers as text, lists of notes.
 */
#define _GNU_SOURCE
#include "recipe/text.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"

static const char no_memory[] = "Out of memory: close other programs and retry.";

static bool
text_reserve (Text *text, size_t n_more)
{
  Status status = { 0 };
  if (!text->failed && n_more < SIZE_MAX - text->length - 1)
    text->failed = !mem_grow (&text->data, &text->capacity, text->length + n_more + 1, 1, &status);
  else
    text->failed = true;
  return !text->failed;
}

void
text_append_n (Text *text, const char *piece, size_t n_bytes)
{
  if (!text_reserve (text, n_bytes))
    return;
  memcpy (text->data + text->length, piece, n_bytes);
  text->length += n_bytes;
  text->data[text->length] = '\0';
}

void
text_append (Text *text, const char *piece)
{
  text_append_n (text, piece, strlen (piece));
}

static void
text_vprintf (Text *text, const char *format, va_list args)
{
  va_list again;
  va_copy (again, args);
  int n = vsnprintf (NULL, 0, format, again);
  va_end (again);
  if (n < 0)
    text->failed = true;
  else if (text_reserve (text, (size_t) n))
    {
      vsnprintf (text->data + text->length, (size_t) n + 1, format, args);
      text->length += (size_t) n;
    }
}

void
text_printf (Text *text, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  text_vprintf (text, format, args);
  va_end (args);
}

void
text_clear (Text *text)
{
  mem_free (text->data);
  *text = (Text){ 0 };
}

char *
text_steal (Text *text, Status *status)
{
  text_append_n (text, "", 0);
  char *data = text->failed ? NULL : text->data;
  if (data)
    *text = (Text){ 0 };
  else
    {
      text_clear (text);
      status_fail (status, STATUS_NO_MEMORY, "%s", no_memory);
    }
  return data;
}

/* The "C" locale: a constant object of the C library, never freed, so that asking for it is cheap.
 */
static locale_t
c_locale (void)
{
  return newlocale (LC_ALL_MASK, "C", (locale_t) 0);
}

void
text_from_double (char out[TEXT_NUMBER_SIZE], double value)
{
  enum
  {
    DIGITS_ALWAYS_EXACT = 17
  };
  locale_t before = uselocale (c_locale ());
  int digits = 1;
  while (snprintf (out, TEXT_NUMBER_SIZE, "%.*g", digits, value), strtod (out, NULL) != value)
    if (++digits > DIGITS_ALWAYS_EXACT)
      break;
  /* "1e+03" is exact but no way to say 1000. */
  char plain[TEXT_NUMBER_SIZE];
  snprintf (plain, sizeof plain, "%.*g", DIGITS_ALWAYS_EXACT, value);
  if (strchr (out, 'e') && !strchr (plain, 'e') && strlen (plain) < DIGITS_ALWAYS_EXACT)
    strcpy (out, plain);
  uselocale (before);
}

static bool
is_space (char c)
{
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool
text_to_double (const char *text, double *value)
{
  while (is_space (*text))
    text++;
  size_t n = strspn (text, "+-.0123456789eE"); /* keeps out "inf", "nan" and hexadecimal */
  if (n == 0)
    return false;
  char *end;
  double v = strtod_l (text, &end, c_locale ());
  if (end == text || end > text + n || !isfinite (v))
    return false;
  while (is_space (*end))
    end++;
  if (*end)
    return false;
  *value = v;
  return true;
}

const char *
text_excerpt (char out[TEXT_EXCERPT_SIZE], const char *text)
{
  static const char more[] = "...";
  size_t n = 0, left = strlen (text);
  while (left > 0)
    {
      uint32_t code;
      int step = utf8_next (text, left, &code);
      if (n + UTF8_MAX_BYTES + sizeof more > TEXT_EXCERPT_SIZE)
        {
          memcpy (out + n, more, sizeof more - 1);
          n += sizeof more - 1;
          break;
        }
      n += (size_t) utf8_put (out + n, step == 0                    ? UTF8_REPLACEMENT
                                       : code < ' ' || code == 0x7f ? ' '
                                                                    : code);
      text += step ? step : 1;
      left -= step ? (size_t) step : 1;
    }
  out[n] = '\0';
  return out;
}

bool
text_replace (char **field, const char *text, Status *status)
{
  char *copy = text_is_empty (text) ? NULL : mem_strdup (text);
  if (!copy && !text_is_empty (text))
    return status_fail (status, STATUS_NO_MEMORY, "%s", no_memory);
  mem_free (*field);
  *field = copy;
  return true;
}

size_t
text_stem_length (const char *name)
{
  static const char *const extensions[] = { ".safetensors", ".sft", ".ckpt", ".gguf",
                                            ".pt",          ".pth", ".bin" };
  for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++)
    if (text_ends_with (name, extensions[i]))
      return strlen (name) - strlen (extensions[i]);
  return strlen (name);
}

bool
text_is_empty (const char *text)
{
  return !text || !*text;
}

static int
lower (char c)
{
  return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : (unsigned char) c;
}

bool
text_equal_nocase (const char *a, const char *b)
{
  while (*a && lower (*a) == lower (*b))
    a++, b++;
  return lower (*a) == lower (*b);
}

bool
text_starts_with (const char *text, const char *prefix)
{
  return strncmp (text, prefix, strlen (prefix)) == 0;
}

bool
text_ends_with (const char *text, const char *suffix)
{
  size_t n = strlen (text), m = strlen (suffix);
  return n >= m && memcmp (text + n - m, suffix, m) == 0;
}

bool
notes_add (Notes *notes, Status *status, const char *format, ...)
{
  if (notes->n >= NOTES_MAX)
    {
      notes->n_dropped++;
      return true;
    }
  Text text = { 0 };
  va_list args;
  va_start (args, format);
  text_vprintf (&text, status_text (format), args);
  va_end (args);
  char *sentence = text_steal (&text, status);
  if (!sentence ||
      !mem_grow (&notes->items, &notes->capacity, notes->n + 1, sizeof *notes->items, status))
    {
      mem_free (sentence);
      return false;
    }
  notes->items[notes->n++] = sentence;
  return true;
}

void
notes_clear (Notes *notes)
{
  for (size_t i = 0; i < notes->n; i++)
    mem_free (notes->items[i]);
  mem_free (notes->items);
  *notes = (Notes){ 0 };
}
