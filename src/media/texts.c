/* SPDX-License-Identifier: MPL-2.0
 * texts.c - texts of PNG chunks (PNG 1.2, chapter 11; eXIf of its extensions 1.5), and of EXIF.
 */
#include "media/texts.h"

#include <string.h>

#include <zlib.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "media/clip.h"
#include "media/exif.h"
#include "media/film-file.h"
#include "media/jpeg.h"
#include "media/png.h"
#include "media/riff.h"
#include "media/xmp.h"

enum
{
  SIGNATURE_BYTES = 8,
  CHUNK_HEAD_BYTES = 8,
  CRC_BYTES = 4,
  KEY_MAX_BYTES = 79
};

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
}

void
media_texts_clear (MediaTexts *texts)
{
  for (size_t i = 0; i < texts->n; i++)
    {
      mem_free (texts->items[i].key);
      mem_free (texts->items[i].value);
    }
  mem_free (texts->items);
  *texts = (MediaTexts){ 0 };
}

const char *
media_texts_find (const MediaTexts *texts, const char *key)
{
  for (size_t i = 0; i < texts->n; i++)
    if (strcmp (texts->items[i].key, key) == 0)
      return texts->items[i].value;
  return NULL;
}

/* UTF-8 in a Latin-1 chunk is common: it is tried first.  NULs inside become spaces. */
static char *
dup_text (const uint8_t *text, size_t n_bytes)
{
  bool is_utf8 = utf8_is_valid ((const char *) text, n_bytes);
  char *out = mem_calloc (n_bytes + 1, is_utf8 ? 1 : 2);
  size_t n = 0;
  for (size_t i = 0; out && i < n_bytes; i++)
    if (is_utf8 || text[i] < 0x80)
      out[n++] = text[i] ? (char) text[i] : ' ';
    else
      n += (size_t) utf8_put (out + n, text[i]);
  return out;
}

bool
media_texts_add (
    MediaTexts *texts, const char *key, const void *value, size_t n_bytes, Status *status)
{
  const uint8_t *text = value;
  while (n_bytes > 0 && text[n_bytes - 1] == 0)
    n_bytes--;
  if (texts->n >= TEXTS_MAX || n_bytes > TEXT_MAX_BYTES)
    {
      texts->n_skipped++;
      return true;
    }
  if (!mem_grow (&texts->items, &texts->capacity, texts->n + 1, sizeof *texts->items, status))
    return false;
  MediaText item = { dup_text ((const uint8_t *) key, strlen (key)), dup_text (text, n_bytes) };
  if (!item.key || !item.value)
    {
      mem_free (item.key);
      mem_free (item.value);
      return no_memory (status);
    }
  texts->items[texts->n++] = item;
  return true;
}

bool
media_texts_add_field (
    MediaTexts *texts, const char *key, const void *value, size_t n_bytes, Status *status)
{
  static const char *const names[] = { "prompt", "workflow", "gesso", "parameters" };
  const char *text = value;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    {
      size_t n = strlen (names[i]);
      if (n_bytes > n + 1 && memcmp (text, names[i], n) == 0 && text[n] == ':')
        return media_texts_add (texts, names[i], text + n + 1, n_bytes - n - 1, status);
    }
  return media_texts_add (texts, key, text, n_bytes, status);
}

static voidpf
zalloc_cb (voidpf opaque, uInt n, uInt size)
{
  return mem_calloc (n, size);
}

static void
zfree_cb (voidpf opaque, voidpf p)
{
  mem_free (p);
}

/* Grows the output step by step, so that a small chunk cannot claim much memory. */
static int
inflate_all (z_stream *z, uint8_t **out, size_t *capacity, Status *status)
{
  int result = Z_OK;
  while (result == Z_OK)
    {
      if (z->total_out >= TEXT_MAX_BYTES)
        return Z_BUF_ERROR;
      if (z->total_out == *capacity && !mem_grow (out, capacity, *capacity + 4096, 1, status))
        return Z_MEM_ERROR;
      size_t room = *capacity - z->total_out;
      z->next_out = *out + z->total_out;
      z->avail_out = (uInt) room;
      result = inflate (z, Z_NO_FLUSH);
    }
  return result;
}

static bool
add_packed (MediaTexts *texts, const char *key, const uint8_t *data, size_t n_bytes, Status *status)
{
  z_stream z = {
    .zalloc = zalloc_cb, .zfree = zfree_cb, .next_in = (Bytef *) data, .avail_in = (uInt) n_bytes
  };
  uint8_t *out = NULL;
  size_t capacity = 0;
  int result = inflateInit (&z);
  if (result == Z_OK)
    result = inflate_all (&z, &out, &capacity, status);
  bool ok = result != Z_MEM_ERROR || no_memory (status);
  if (result == Z_STREAM_END)
    ok = media_texts_add (texts, key, out, z.total_out, status);
  else if (z.total_out >= TEXT_MAX_BYTES)
    texts->n_skipped++;
  else
    texts->damaged = true;
  inflateEnd (&z);
  mem_free (out);
  return ok;
}

/* Returns: behind the text that ends with a NUL at @p, NULL when there is no NUL. */
static const uint8_t *
behind_nul (const uint8_t *p, const uint8_t *end)
{
  const uint8_t *nul = p ? memchr (p, 0, (size_t) (end - p)) : NULL;
  return nul ? nul + 1 : NULL;
}

/* keyword NUL compressed method language NUL translated-keyword NUL text */
static bool
add_itxt (MediaTexts *texts, const char *key, const uint8_t *p, const uint8_t *end, Status *status)
{
  const uint8_t *text = end - p < 2 ? NULL : behind_nul (behind_nul (p + 2, end), end);
  if (!text || p[0] > 1)
    texts->damaged = true;
  else if (p[0])
    return add_packed (texts, key, text, (size_t) (end - text), status);
  return !text || media_texts_add (texts, key, text, (size_t) (end - text), status);
}

static bool
add_chunk (MediaTexts *texts, const char *type, const uint8_t *data, size_t n_bytes, Status *status)
{
  const uint8_t *end = data + n_bytes, *p = behind_nul (data, end);
  const char *key = (const char *) data;
  if (strcmp (type, "eXIf") == 0)
    return exif_read_texts (texts, data, n_bytes, status);
  if (!p || p - data > KEY_MAX_BYTES + 1)
    texts->damaged = true;
  else if (strcmp (type, "iTXt") == 0)
    return add_itxt (texts, key, p, end, status);
  else if (strcmp (type, "zTXt") != 0)
    return media_texts_add (texts, key, p, (size_t) (end - p), status);
  else if (p < end) /* a byte for the method, then the packed text */
    return add_packed (texts, key, p + 1, (size_t) (end - p) - 1, status);
  else
    texts->damaged = true;
  return true;
}

/* "comf" is ComfyUI's private chunk in animated PNGs, built like tEXt. */
static bool
is_text_chunk (const char *type)
{
  static const char *const types[] = { "tEXt", "zTXt", "iTXt", "eXIf", "comf" };
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
    if (strcmp (type, types[i]) == 0)
      return true;
  return false;
}

static uint32_t
big_endian (const uint8_t *p)
{
  return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

/* @offset: of the chunk's type, which the checksum covers */
static bool
read_chunk (
    MediaTexts *texts, const MediaSource *source, uint64_t offset, size_t n_bytes, Status *status)
{
  size_t all_bytes = 4 + n_bytes + CRC_BYTES;
  uint8_t *chunk = mem_calloc (all_bytes, 1);
  if (!chunk)
    return no_memory (status);
  char type[5] = "";
  bool whole = media_source_read (source, offset, chunk, all_bytes) &&
               crc32 (0, chunk, (uInt) (4 + n_bytes)) == big_endian (chunk + 4 + n_bytes);
  memcpy (type, chunk, 4);
  texts->damaged |= !whole;
  bool ok = !whole || add_chunk (texts, type, chunk + 4, n_bytes, status);
  mem_free (chunk);
  return ok;
}

static bool
read_png (MediaTexts *texts, const MediaSource *source, Status *status)
{
  uint64_t at = SIGNATURE_BYTES;
  uint8_t head[CHUNK_HEAD_BYTES];
  while (media_source_read (source, at, head, sizeof head))
    {
      char type[5] = "";
      size_t n_bytes = big_endian (head);
      memcpy (type, head + 4, 4);
      uint64_t next = at + CHUNK_HEAD_BYTES + n_bytes + CRC_BYTES;
      if (strcmp (type, "IEND") == 0)
        return true;
      if (next > source->size_bytes)
        break;
      if (is_text_chunk (type) && n_bytes > TEXT_MAX_BYTES)
        texts->n_skipped++;
      else if (is_text_chunk (type) && !read_chunk (texts, source, at + 4, n_bytes, status))
        return false;
      at = next;
    }
  texts->damaged = true;
  return true;
}

/* Either of exif_read_texts and xmp_read_texts. */
typedef bool (*PartReader) (MediaTexts *texts, const uint8_t *data, size_t n_bytes, Status *status);

static bool
read_part (MediaTexts *texts,
           const MediaSource *source,
           PartReader reader,
           uint64_t offset,
           size_t n_bytes,
           Status *status)
{
  if (n_bytes > TEXT_MAX_BYTES)
    {
      texts->n_skipped++;
      return true;
    }
  uint8_t *data = mem_calloc (n_bytes, 1);
  if (!data)
    return no_memory (status);
  bool ok = true;
  if (media_source_read (source, offset, data, n_bytes))
    ok = reader (texts, data, n_bytes, status);
  else
    texts->damaged = true;
  mem_free (data);
  return ok;
}

static bool
read_jpeg (MediaTexts *texts, const MediaSource *source, Status *status)
{
  uint64_t offset;
  size_t n_bytes;
  return !exif_find_in_jpeg (source, &offset, &n_bytes, &texts->damaged) ||
         read_part (texts, source, exif_read_texts, offset, n_bytes, status);
}

static bool
read_webp (MediaTexts *texts, const MediaSource *source, Status *status)
{
  uint64_t offset;
  size_t n_bytes;
  if (riff_find (source, "EXIF", &offset, &n_bytes, &texts->damaged) &&
      !read_part (texts, source, exif_read_texts, offset, n_bytes, status))
    return false;
  return !riff_find (source, "XMP ", &offset, &n_bytes, &texts->damaged) ||
         read_part (texts, source, xmp_read_texts, offset, n_bytes, status);
}

static bool
add_json (MediaTexts *texts, const uint8_t *data, size_t n_bytes, Status *status)
{
  return media_texts_add (texts, "json", data, n_bytes, status);
}

static bool
is_json (const uint8_t *begin, size_t n_bytes)
{
  size_t i = 0;
  while (i < n_bytes && memchr (" \t\r\n", begin[i], 4))
    i++;
  return i < n_bytes && begin[i] == '{';
}

static bool
read_source (MediaTexts *texts, const MediaSource *source, Status *status)
{
  uint8_t begin[CLIP_HEAD_BYTES] = { 0 };
  size_t n_bytes = source->size_bytes < sizeof begin ? (size_t) source->size_bytes : sizeof begin;
  if (!media_source_read (source, 0, begin, n_bytes))
    return status_fail (status, STATUS_IO, "Cannot read \"%.300s\": reading failed.", source->name);
  if (png_is (begin, n_bytes))
    return read_png (texts, source, status);
  if (jpeg_is (begin, n_bytes))
    return read_jpeg (texts, source, status);
  if (riff_is_webp (begin, n_bytes))
    return read_webp (texts, source, status);
  if (clip_is (begin, n_bytes))
    return clip_read_texts (texts, source, status);
  if (is_json (begin, n_bytes))
    return read_part (texts, source, add_json, 0, (size_t) source->size_bytes, status);
  FilmFileKind kind = film_file_kind (source);
  return kind != FILM_FILE_OTHER ? film_file_read_texts (texts, source, kind, status)
                                 : status_fail (status, STATUS_UNSUPPORTED,
                                                "\"%.300s\" is not a picture or film that Gesso "
                                                "knows.",
                                                source->name);
}

bool
media_texts_read_memory (
    MediaTexts *texts, const void *data, size_t n_bytes, const char *name, Status *status)
{
  MediaSource source = media_source_from_memory (data, n_bytes, name);
  bool ok = read_source (texts, &source, status);
  if (!ok)
    media_texts_clear (texts);
  return ok;
}

bool
media_texts_read (MediaTexts *texts, const char *path, Status *status)
{
  MediaSource source;
  if (!media_source_open (&source, path, status))
    return false;
  bool ok = read_source (texts, &source, status);
  media_source_close (&source);
  if (!ok)
    media_texts_clear (texts);
  return ok;
}
