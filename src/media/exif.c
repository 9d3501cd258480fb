/* SPDX-License-Identifier: MPL-2.0
 * exif.c - a bounded reader of EXIF (TIFF 6.0 directories, EXIF 2.3 tags).
 */
#include "media/exif.h"

#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "media/riff.h"

enum
{
  TAG_DESCRIPTION = 0x010e,
  TAG_MAKE = 0x010f,
  TAG_MODEL = 0x0110,
  TAG_ORIENTATION = 0x0112,
  TAG_SOFTWARE = 0x0131,
  TAG_EXIF_IFD = 0x8769,
  TAG_USER_COMMENT = 0x9286,
  TYPE_SHORT = 3,
  ENTRY_BYTES = 12,
  CHARSET_BYTES = 8
};

typedef struct
{
  const uint8_t *data; /* from the TIFF header on; all offsets count from here */
  size_t n_bytes;
  bool big_endian;
} Tiff;

typedef struct
{
  uint32_t type, count;
  size_t value_at; /* of the value itself when it fits into 4 bytes, else of its offset */
} Entry;

static bool
fits (const Tiff *t, size_t offset, size_t n_bytes)
{
  return offset <= t->n_bytes && n_bytes <= t->n_bytes - offset;
}

/* 2 or 4 bytes; the caller has checked that they are there. */
static uint32_t
number (const Tiff *t, size_t offset, int n_bytes)
{
  uint32_t v = 0;
  for (int i = 0; i < n_bytes; i++)
    v = v << 8 | t->data[offset + (size_t) (t->big_endian ? i : n_bytes - 1 - i)];
  return v;
}

static bool
tiff_open (Tiff *t, const uint8_t *data, size_t n_bytes)
{
  static const uint8_t mark[] = { 'E', 'x', 'i', 'f', 0, 0 };
  if (n_bytes >= sizeof mark && memcmp (data, mark, sizeof mark) == 0)
    {
      data += sizeof mark;
      n_bytes -= sizeof mark;
    }
  *t = (Tiff){ data, n_bytes, n_bytes && data[0] == 'M' };
  return n_bytes >= 8 && (memcmp (data, "MM\0*", 4) == 0 || memcmp (data, "II*\0", 4) == 0);
}

static bool
find_entry (const Tiff *t, size_t directory, uint32_t tag, Entry *entry)
{
  if (!fits (t, directory, 2))
    return false;
  uint32_t n = number (t, directory, 2);
  for (uint32_t i = 0; i < n; i++)
    {
      size_t at = directory + 2 + (size_t) i * ENTRY_BYTES;
      if (!fits (t, at, ENTRY_BYTES))
        return false;
      if (number (t, at, 2) == tag)
        {
          *entry = (Entry){ number (t, at + 2, 2), number (t, at + 4, 4), at + 8 };
          return true;
        }
    }
  return false;
}

/* The bytes of a value of one-byte elements.  Returns: NULL when they lie outside. */
static const uint8_t *
entry_bytes (const Tiff *t, const Entry *entry)
{
  size_t at = entry->count <= 4 ? entry->value_at : number (t, entry->value_at, 4);
  return fits (t, at, entry->count) ? t->data + at : NULL;
}

/* Byte order of UTF-16 without a mark: most text has more zero bytes in its high halves. Big-endian
 * when it cannot be told, because that is what A1111 writes. */
static bool
utf16_is_big_endian (const uint8_t *p, size_t n_bytes)
{
  size_t high_zeros = 0, low_zeros = 0;
  for (size_t i = 0; i + 1 < n_bytes; i += 2)
    {
      high_zeros += p[i] == 0;
      low_zeros += p[i + 1] == 0;
    }
  return high_zeros >= low_zeros;
}

static uint32_t
utf16_unit (const uint8_t *p, bool big)
{
  return big ? (uint32_t) p[0] << 8 | p[1] : (uint32_t) p[1] << 8 | p[0];
}

/* @out: room for 3 bytes for each 2 of @p.  Returns: bytes written */
static size_t
utf16_to_utf8 (char *out, const uint8_t *p, size_t n_bytes)
{
  bool big = utf16_is_big_endian (p, n_bytes);
  size_t n = 0, i = 0;
  if (n_bytes >= 2 && (utf16_unit (p, true) == 0xfeff || utf16_unit (p, false) == 0xfeff))
    {
      big = utf16_unit (p, true) == 0xfeff;
      i = 2;
    }
  for (; i + 1 < n_bytes; i += 2)
    {
      uint32_t code = utf16_unit (p + i, big);
      uint32_t low = code >> 10 == 0x36 && i + 3 < n_bytes ? utf16_unit (p + i + 2, big) : 0;
      if (low >> 10 == 0x37)
        {
          code = 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
          i += 2;
        }
      n += (size_t) utf8_put (out + n, code);
    }
  return n;
}

/* Eight bytes name the character set, then the text. */
static bool
add_user_comment (MediaTexts *texts, const uint8_t *p, size_t n_bytes, Status *status)
{
  static const char key[] = "UserComment";
  if (n_bytes < CHARSET_BYTES)
    return true;
  bool is_utf16 = memcmp (p, "UNICODE", CHARSET_BYTES) == 0;
  bool named = is_utf16 || memcmp (p, "ASCII\0\0", CHARSET_BYTES) == 0 ||
               memcmp (p, "\0\0\0\0\0\0\0", CHARSET_BYTES) == 0;
  if (named)
    {
      p += CHARSET_BYTES;
      n_bytes -= CHARSET_BYTES;
    }
  if (!is_utf16)
    return media_texts_add (texts, key, p, n_bytes, status);
  char *text = mem_calloc (n_bytes / 2 + 1, UTF8_MAX_BYTES);
  if (!text)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  bool ok = media_texts_add (texts, key, text, utf16_to_utf8 (text, p, n_bytes), status);
  mem_free (text);
  return ok;
}

static bool
add_main_fields (MediaTexts *texts, const Tiff *t, size_t directory, Status *status)
{
  static const struct
  {
    uint32_t tag;
    const char *key;
  } fields[] = { { TAG_DESCRIPTION, "ImageDescription" },
                 { TAG_MAKE, "Make" },
                 { TAG_MODEL, "Model" },
                 { TAG_SOFTWARE, "Software" } };
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
    {
      Entry entry;
      if (!find_entry (t, directory, fields[i].tag, &entry))
        continue;
      const uint8_t *p = entry_bytes (t, &entry);
      texts->damaged |= !p;
      if (p && !media_texts_add_field (texts, fields[i].key, p, entry.count, status))
        return false;
    }
  return true;
}

bool
exif_read_texts (MediaTexts *texts, const uint8_t *data, size_t n_bytes, Status *status)
{
  Tiff t;
  Entry pointer, comment;
  if (!tiff_open (&t, data, n_bytes))
    {
      texts->damaged = true;
      return true;
    }
  size_t main_directory = number (&t, 4, 4);
  texts->damaged |= !fits (&t, main_directory, 2);
  if (!add_main_fields (texts, &t, main_directory, status))
    return false;
  if (!find_entry (&t, main_directory, TAG_EXIF_IFD, &pointer) ||
      !find_entry (&t, number (&t, pointer.value_at, 4), TAG_USER_COMMENT, &comment))
    return true;
  const uint8_t *p = entry_bytes (&t, &comment);
  texts->damaged |= !p;
  return !p || add_user_comment (texts, p, comment.count, status);
}

bool
exif_find_in_jpeg (const MediaSource *source, uint64_t *offset, size_t *n_bytes, bool *damaged)
{
  enum
  {
    MARKER_EOI = 0xd9,
    MARKER_SOS = 0xda,
    MARKER_APP1 = 0xe1
  };
  uint8_t head[4], mark[6];
  uint64_t at = 2;
  while (media_source_read (source, at, head, sizeof head) && head[0] == 0xff)
    {
      size_t length = (size_t) head[2] << 8 | head[3];
      if (head[1] == 0xff) /* fill bytes */
        {
          at++;
          continue;
        }
      if (head[1] == MARKER_SOS || head[1] == MARKER_EOI)
        return false;
      if (length < 2 || length > source->size_bytes - at - 2)
        break;
      if (head[1] == MARKER_APP1 && length >= 2 + sizeof mark &&
          media_source_read (source, at + 4, mark, sizeof mark) && memcmp (mark, "Exif\0", 6) == 0)
        {
          *offset = at + 4;
          *n_bytes = length - 2;
          return true;
        }
      at += 2 + length;
    }
  *damaged = true;
  return false;
}

bool
exif_find_in_webp (const MediaSource *source, uint64_t *offset, size_t *n_bytes, bool *damaged)
{
  return riff_find (source, "EXIF", offset, n_bytes, damaged);
}

int
exif_orientation (const MediaSource *source)
{
  enum
  {
    SEGMENT_MAX_BYTES = 1 << 16
  };
  uint64_t offset;
  size_t n_bytes;
  bool damaged;
  Tiff t;
  Entry entry;
  uint8_t data[SEGMENT_MAX_BYTES];
  bool found = exif_find_in_jpeg (source, &offset, &n_bytes, &damaged) ||
               exif_find_in_webp (source, &offset, &n_bytes, &damaged);
  if (!found || n_bytes > sizeof data || !media_source_read (source, offset, data, n_bytes) ||
      !tiff_open (&t, data, n_bytes) ||
      !find_entry (&t, number (&t, 4, 4), TAG_ORIENTATION, &entry) || entry.type != TYPE_SHORT)
    return 1;
  uint32_t orientation = number (&t, entry.value_at, 2);
  return orientation >= 1 && orientation <= 8 ? (int) orientation : 1;
}
