/* SPDX-License-Identifier: MPL-2.0
 * exif-write.c - the recipe as an EXIF structure, for WebP files (TIFF 6.0, EXIF 2.3).
 */
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "media/exif.h"

enum
{
  HEADER_BYTES = 8,
  ENTRY_BYTES = 12,
  TAG_DESCRIPTION = 0x010e,
  TAG_EXIF_IFD = 0x8769,
  TAG_USER_COMMENT = 0x9286,
  TYPE_ASCII = 2,
  TYPE_LONG = 4,
  TYPE_UNDEFINED = 7,
  CHARSET_BYTES = 8
};

static const char gesso_mark[] = "gesso:";

typedef struct
{
  uint8_t *data;
  size_t n;
} Out;

static void
put (Out *o, uint32_t value, int n_bytes)
{
  for (int i = n_bytes - 1; i >= 0; i--)
    o->data[o->n++] = (uint8_t) (value >> (8 * i));
}

static void
put_bytes (Out *o, const void *data, size_t n_bytes)
{
  memcpy (o->data + o->n, data, n_bytes);
  o->n += n_bytes;
}

static void
put_entry (Out *o, uint32_t tag, uint32_t type, size_t count, size_t value)
{
  put (o, tag, 2);
  put (o, type, 2);
  put (o, (uint32_t) count, 4);
  put (o, (uint32_t) value, 4);
}

/* Big-endian, as piexif and so A1111 write it.  @o: NULL only counts */
static size_t
put_utf16 (Out *o, const char *text)
{
  size_t left = strlen (text), n_units = 0;
  while (left > 0)
    {
      uint32_t code = 0;
      int step = utf8_next (text, left, &code);
      bool pair = code > 0xffff;
      if (o && pair)
        put (o, 0xd800 + ((code - 0x10000) >> 10), 2);
      if (o)
        put (o, pair ? 0xdc00 + ((code - 0x10000) & 0x3ff) : code, 2);
      n_units += pair ? 2 : 1;
      text += step;
      left -= (size_t) step;
    }
  return 2 * n_units;
}

/* Two directories, the second only with a comment; the values behind them. */
static void
lay_out (Out *o, const char *parameters, const char *gesso)
{
  size_t n_entries = (gesso != NULL) + (parameters != NULL);
  size_t second = HEADER_BYTES + 2 + n_entries * ENTRY_BYTES + 4;
  size_t values = second + (parameters ? 2 + ENTRY_BYTES + 4 : 0);
  size_t n_gesso = gesso ? strlen (gesso_mark) + strlen (gesso) + 1 : 0;
  put_bytes (o, "MM\0*\0\0\0\x08", HEADER_BYTES);
  put (o, (uint32_t) n_entries, 2);
  if (gesso)
    put_entry (o, TAG_DESCRIPTION, TYPE_ASCII, n_gesso, values);
  if (parameters)
    put_entry (o, TAG_EXIF_IFD, TYPE_LONG, 1, second);
  put (o, 0, 4);
  if (parameters)
    {
      put (o, 1, 2);
      put_entry (o, TAG_USER_COMMENT, TYPE_UNDEFINED, CHARSET_BYTES + put_utf16 (NULL, parameters),
                 values + n_gesso);
      put (o, 0, 4);
    }
  if (gesso)
    {
      put_bytes (o, gesso_mark, strlen (gesso_mark));
      put_bytes (o, gesso, strlen (gesso) + 1);
    }
  if (parameters)
    {
      put_bytes (o, "UNICODE", CHARSET_BYTES);
      put_utf16 (o, parameters);
    }
}

static bool
is_fit (const char *text)
{
  return !text || (strlen (text) <= TEXT_MAX_BYTES && utf8_is_valid (text, strlen (text)));
}

uint8_t *
exif_write (const char *parameters, const char *gesso, size_t *n_bytes, Status *status)
{
  enum
  {
    FIXED_BYTES = 128 /* header, directories and marks */
  };
  if (!is_fit (parameters) || !is_fit (gesso))
    {
      status_fail (status, STATUS_ARGUMENT, "The recipe is not valid UTF-8 or too long to save.");
      return NULL;
    }
  size_t room =
      FIXED_BYTES + (gesso ? strlen (gesso) : 0) + (parameters ? put_utf16 (NULL, parameters) : 0);
  Out o = { mem_calloc (room, 1), 0 };
  if (!o.data)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  lay_out (&o, parameters, gesso);
  *n_bytes = o.n;
  return o.data;
}
