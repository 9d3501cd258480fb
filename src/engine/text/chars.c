/* SPDX-License-Identifier: MPL-2.0
 * chars.c - classes of characters, decimal numbers, Unicode normalisation. */
#include "text/chars.h"

#include <math.h>
#include <string.h>
#include <utf8proc.h>

#include "core/mem.h"

enum
{
  REPLACEMENT = 0xfffd,
  DOTTED_CAPITAL_I = 0x130, /* its lower case is two characters */
  COMBINING_DOT_ABOVE = 0x307,
  MAX_DECOMPOSITION = 4, /* code points of the longest canonical decomposition */
  N_COMBINING_CLASSES = 256,
  ASCII_END = 0x80
};

bool
text_no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
}

bool
text_check_length (const char *text, size_t *n_bytes, Status *status)
{
  *n_bytes = strlen (text);
  if (*n_bytes > TEXT_MAX_BYTES)
    return status_fail (status, STATUS_ARGUMENT,
                        "The prompt has %zu bytes and the limit is %d: shorten it.", *n_bytes,
                        TEXT_MAX_BYTES);
  return true;
}

bool
text_buf_add (TextBuf *buf, const char *bytes, size_t n_bytes, Status *status)
{
  if (!mem_grow (&buf->data, &buf->capacity, buf->n + n_bytes, 1, status))
    return false;
  if (n_bytes)
    memcpy (buf->data + buf->n, bytes, n_bytes);
  buf->n += n_bytes;
  return true;
}

void
text_buf_clear (TextBuf *buf)
{
  mem_free (buf->data);
  *buf = (TextBuf){ 0 };
}

void
code_points_clear (CodePoints *points)
{
  mem_free (points->items);
  *points = (CodePoints){ 0 };
}

int32_t
char_at (const char *p, const char *end, int *n_bytes)
{
  *n_bytes = 1;
  if ((unsigned char) *p < ASCII_END)
    return *p;
  utf8proc_int32_t c = REPLACEMENT;
  utf8proc_ssize_t n = utf8proc_iterate ((const utf8proc_uint8_t *) p, end - p, &c);
  if (n <= 0)
    return REPLACEMENT;
  *n_bytes = (int) n;
  return c;
}

int32_t
char_before (const char *start, const char *p)
{
  const char *q = p - 1;
  while (q > start && p - q < 4 && ((unsigned char) *q & 0xc0) == 0x80)
    q--;
  int n_bytes;
  int32_t c = char_at (q, p, &n_bytes);
  return q + n_bytes == p ? c : REPLACEMENT;
}

bool
char_is_letter (int32_t c)
{
  utf8proc_category_t category = utf8proc_category (c);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool
char_is_number (int32_t c)
{
  utf8proc_category_t category = utf8proc_category (c);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool
char_is_space (int32_t c)
{
  if ((c >= '\t' && c <= '\r') || c == ' ' || c == 0x85)
    return true;
  if (c < ASCII_END)
    return false;
  utf8proc_category_t category = utf8proc_category (c);
  return category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP;
}

bool
char_is_word (int32_t c)
{
  return c == '_' || char_is_letter (c) || char_is_number (c);
}

size_t
text_space_length (const char *p, const char *end)
{
  const char *start = p;
  int n_bytes;
  while (p < end && char_is_space (char_at (p, end, &n_bytes)))
    p += n_bytes;
  return (size_t) (p - start);
}

/* Digits of an exponent, "-12"; NULL when there are none. */
static const char *
read_exponent (const char *p, const char *end, int *exponent)
{
  bool negative = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+'))
    p++;
  if (p == end)
    return NULL;
  int value = 0;
  for (; p < end && *p >= '0' && *p <= '9'; p++)
    value = value < 1000 ? value * 10 + (*p - '0') : value; /* beyond it is 0 or infinite */
  *exponent += negative ? -value : value;
  return p;
}

bool
decimal_parse (const char *p, size_t n_bytes, bool exponent, double *value)
{
  const char *end = p + n_bytes;
  bool negative = n_bytes && *p == '-';
  if (n_bytes && (*p == '-' || *p == '+'))
    p++;
  uint64_t digits = 0;
  int n_digits = 0, n_points = 0, power = 0;
  for (; p < end && (*p == '.' || (*p >= '0' && *p <= '9')); p++)
    {
      if (*p == '.')
        {
          n_points++;
          continue;
        }
      n_digits++;
      bool fits = digits < UINT64_MAX / 10 - 1;
      digits = fits ? digits * 10 + (uint64_t) (*p - '0') : digits;
      power += (fits ? 0 : 1) - (n_points ? 1 : 0);
    }
  if (!n_digits || n_points > 1)
    return false;
  if (exponent && p < end && (*p == 'e' || *p == 'E'))
    p = read_exponent (p + 1, end, &power);
  if (p != end)
    return false;
  /* Powers up to 10^22 are exact, so this rounds once. */
  double magnitude = (double) digits;
  magnitude = power < 0 ? magnitude / pow (10, -power) : magnitude * pow (10, power);
  *value = digits ? (negative ? -magnitude : magnitude) : 0;
  return true;
}

static bool
decompose (const char *text, size_t n_bytes, CodePoints *out, Status *status)
{
  const char *end = text + n_bytes;
  while (text < end)
    {
      int n;
      int32_t c = char_at (text, end, &n);
      text += n;
      if (!mem_grow (&out->items, &out->capacity, out->n + MAX_DECOMPOSITION, sizeof *out->items,
                     status))
        return false;
      int32_t *to = out->items + out->n;
      utf8proc_ssize_t n_points = utf8proc_decompose_char (
          c, to, MAX_DECOMPOSITION, UTF8PROC_STABLE | UTF8PROC_COMPOSE, NULL);
      if (n_points < 0 || n_points > MAX_DECOMPOSITION)
        {
          to[0] = c;
          n_points = 1;
        }
      out->n += (size_t) n_points;
    }
  return true;
}

static int
combining_class (int32_t c)
{
  return c < ASCII_END ? 0 : utf8proc_get_property (c)->combining_class;
}

/* A stable counting sort: a prompt of nothing but accents must not take quadratic time. */
static void
sort_marks (int32_t *marks, int32_t *scratch, size_t n)
{
  size_t first[N_COMBINING_CLASSES + 1] = { 0 };
  for (size_t i = 0; i < n; i++)
    first[(combining_class (marks[i]) & 0xff) + 1]++;
  for (int k = 0; k < N_COMBINING_CLASSES; k++)
    first[k + 1] += first[k];
  for (size_t i = 0; i < n; i++)
    scratch[first[combining_class (marks[i]) & 0xff]++] = marks[i];
  memcpy (marks, scratch, n * sizeof *marks);
}

/* Canonical ordering: each run of combining marks by class. */
static void
order_marks (CodePoints *points, int32_t *scratch)
{
  for (size_t i = 0; i < points->n;)
    {
      size_t run = i;
      bool sorted = true;
      for (int last = 0, k; run < points->n; run++, last = k)
        {
          k = combining_class (points->items[run]);
          if (!k)
            break;
          sorted = sorted && k >= last;
        }
      if (!sorted)
        sort_marks (points->items + i, scratch, run - i);
      i = run > i ? run : i + 1;
    }
}

/* @scratch: room for as many code points as there are, twice. */
static size_t
collapse_and_lower (const CodePoints *points, int32_t *out)
{
  size_t n = 0;
  for (size_t i = 0; i < points->n; i++)
    {
      int32_t c = points->items[i];
      if (char_is_space (c))
        {
          if (i == 0 || !char_is_space (points->items[i - 1]))
            out[n++] = ' ';
          continue;
        }
      if (c == DOTTED_CAPITAL_I)
        {
          out[n++] = 'i';
          out[n++] = COMBINING_DOT_ABOVE;
          continue;
        }
      out[n++] = utf8proc_tolower (c);
    }
  return n;
}

bool
text_normalise (const char *text, CodePoints *out, Status *status)
{
  size_t n_bytes;
  CodePoints points = { 0 };
  bool ok =
      text_check_length (text, &n_bytes, status) && decompose (text, n_bytes, &points, status) &&
      mem_grow (&out->items, &out->capacity, out->n + 2 * points.n, sizeof *out->items, status);
  if (ok && points.n)
    {
      int32_t *free_end = out->items + out->n;
      order_marks (&points, free_end);
      utf8proc_ssize_t n = utf8proc_normalize_utf32 (points.items, (utf8proc_ssize_t) points.n,
                                                     UTF8PROC_STABLE | UTF8PROC_COMPOSE);
      points.n = n >= 0 ? (size_t) n : points.n;
      out->n += collapse_and_lower (&points, free_end);
    }
  code_points_clear (&points);
  return ok;
}
