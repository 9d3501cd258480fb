/* SPDX-License-Identifier: MPL-2.0
 * matroska-texts.c - tags of Matroska and WebM files (RFC 8794, RFC 9559).
 */
#include <ctype.h>
#include <string.h>

#include "core/mem.h"
#include "media/film-file.h"

enum
{
  ID_SEGMENT = 0x18538067,
  ID_CLUSTER = 0x1f43b675,
  ID_TAGS = 0x1254c367,
  ID_TAG = 0x7373,
  ID_SIMPLE_TAG = 0x67c8,
  ID_TAG_NAME = 0x45a3,
  ID_TAG_STRING = 0x4487,
  NAME_SIZE = 80,
  MAX_ELEMENTS = 200000 /* looked at: a file cannot keep us busy */
};

static const uint64_t unknown_size = UINT64_MAX;

typedef struct
{
  uint32_t id;
  uint64_t start, size; /* of what is inside; the size may be unknown_size */
} Element;

typedef struct
{
  const MediaSource *source;
  MediaTexts *texts;
  Status *status;
  int n_elements;
} Matroska;

/* A number whose first byte says by its leading zeros how long it is.  Returns: its bytes, 0 at a
 * fault */
static size_t
read_number (const uint8_t *p, size_t left, size_t max_bytes, bool keep_mark, uint64_t *value)
{
  size_t n = 1;
  while (n <= max_bytes && !(p[0] & 0x80 >> (n - 1)))
    n++;
  if (n > max_bytes || n > left)
    return 0;
  uint64_t v = keep_mark ? p[0] : p[0] & (0xffu >> n);
  bool ones = (p[0] | (0xff00 >> n & 0xff)) == 0xff;
  for (size_t i = 1; i < n; i++)
    {
      v = v << 8 | p[i];
      ones &= p[i] == 0xff;
    }
  *value = ones && !keep_mark ? unknown_size : v;
  return n;
}

static bool
read_element (const MediaSource *source, uint64_t at, Element *e)
{
  enum
  {
    ID_BYTES = 4,
    SIZE_BYTES = 8
  };
  uint8_t head[ID_BYTES + SIZE_BYTES] = { 0 };
  if (at >= source->size_bytes)
    return false;
  uint64_t left = source->size_bytes - at, id = 0;
  size_t n = left < sizeof head ? (size_t) left : sizeof head;
  if (!media_source_read (source, at, head, n))
    return false;
  size_t n_id = read_number (head, n, ID_BYTES, true, &id);
  size_t n_size =
      n_id && n_id < n ? read_number (head + n_id, n - n_id, SIZE_BYTES, false, &e->size) : 0;
  e->id = (uint32_t) id;
  e->start = at + n_id + n_size;
  return n_size > 0;
}

static bool
fits (const Element *e, uint64_t end)
{
  return e->size != unknown_size && e->start <= end && e->size <= end - e->start;
}

bool
matroska_is_whole (const MediaSource *source)
{
  Element e;
  for (uint64_t at = 0; read_element (source, at, &e); at = e.start + e.size)
    {
      if (e.size == unknown_size) /* written as it came; only decoding tells */
        return true;
      if (!fits (&e, source->size_bytes))
        return false;
      if (e.id == ID_SEGMENT)
        return true;
    }
  return false;
}

static bool
read_simple_tag (Matroska *m, const Element *tag)
{
  Element e;
  char name[NAME_SIZE] = "";
  uint8_t *text = NULL;
  size_t n_text = 0;
  uint64_t end = tag->start + tag->size;
  bool ok = true;
  for (uint64_t at = tag->start; at < end && ok; at = e.start + e.size)
    {
      if (++m->n_elements > MAX_ELEMENTS || !read_element (m->source, at, &e) || !fits (&e, end) ||
          e.size > TEXT_MAX_BYTES)
        {
          m->texts->damaged = true;
          break;
        }
      if (e.id == ID_TAG_NAME && e.size < NAME_SIZE)
        ok = media_source_read (m->source, e.start, name, (size_t) e.size);
      else if (e.id == ID_TAG_STRING && !text)
        {
          n_text = (size_t) e.size;
          text = mem_calloc (n_text + 1, 1);
          ok = text ? media_source_read (m->source, e.start, text, n_text)
                    : status_fail (m->status, STATUS_NO_MEMORY,
                                   "Out of memory: close other programs and retry.");
        }
    }
  for (char *p = name; *p; p++)
    *p = (char) tolower ((unsigned char) *p);
  if (ok && text && *name)
    /* GStreamer writes its comments as "COMMENTS" */
    media_texts_add_field (m->texts, strcmp (name, "comments") == 0 ? "comment" : name, text,
                           n_text, m->status);
  m->texts->damaged |= !ok;
  mem_free (text);
  return status_ok (m->status);
}

/* Tags, Tag and SimpleTag nest in this order. */
static bool
read_tags (Matroska *m, const Element *parent, uint32_t id)
{
  Element e;
  uint64_t end = parent->start + parent->size;
  for (uint64_t at = parent->start; at < end; at = e.start + e.size)
    {
      if (++m->n_elements > MAX_ELEMENTS || !read_element (m->source, at, &e) || !fits (&e, end))
        {
          m->texts->damaged = true;
          return true;
        }
      if (e.id == id &&
          !(id == ID_TAG ? read_tags (m, &e, ID_SIMPLE_TAG) : read_simple_tag (m, &e)))
        return false;
    }
  return true;
}

bool
matroska_read_texts (MediaTexts *texts, const MediaSource *source, Status *status)
{
  Matroska m = { source, texts, status, 0 };
  Element e;
  for (uint64_t at = 0; at < source->size_bytes;)
    {
      if (++m.n_elements > MAX_ELEMENTS || !read_element (source, at, &e))
        {
          texts->damaged = true;
          return true;
        }
      bool inside = e.id == ID_SEGMENT || e.size == unknown_size;
      if (!inside && !fits (&e, source->size_bytes))
        {
          texts->damaged = true;
          return true;
        }
      if (e.id == ID_TAGS && fits (&e, source->size_bytes) && !read_tags (&m, &e, ID_TAG))
        return false;
      at = inside ? e.start : e.start + e.size;
    }
  return true;
}

/* ---- writing ---- */

typedef struct
{
  uint8_t *data;
  size_t n;
} Out;

static void
put (Out *out, uint64_t value, int n_bytes)
{
  for (int i = n_bytes - 1; i >= 0; i--)
    out->data[out->n++] = (uint8_t) (value >> (8 * i));
}

/* Id and a size of eight bytes. */
static void
put_head (Out *out, uint32_t id, int n_id, uint64_t size)
{
  put (out, id, n_id);
  put (out, UINT64_C (1) << 56 | size, 8);
}

enum
{
  HEAD_TAGS = 12,
  HEAD_2 = 10, /* of elements with ids of two bytes */
  ID_VOID = 0xec,
  ID_TARGETS = 0x63c0,
  VOID_HEAD = 9,
  NAME_BYTES = 7 /* COMMENT */
};

/* @n_bytes: what all has to fill; at least a void element more than it takes */
static void
put_tags (Out *out, const char *text, size_t n_bytes)
{
  size_t n_text = strlen (text), n_simple = HEAD_2 + NAME_BYTES + HEAD_2 + n_text;
  size_t n_tag = HEAD_2 + HEAD_2 + n_simple, n_tags = HEAD_2 + n_tag;
  put_head (out, ID_TAGS, 4, n_tags);
  put_head (out, ID_TAG, 2, n_tag);
  put_head (out, ID_TARGETS, 2, 0);
  put_head (out, ID_SIMPLE_TAG, 2, n_simple);
  put_head (out, ID_TAG_NAME, 2, NAME_BYTES);
  memcpy (out->data + out->n, "COMMENT", NAME_BYTES);
  out->n += NAME_BYTES;
  put_head (out, ID_TAG_STRING, 2, n_text);
  memcpy (out->data + out->n, text, n_text);
  out->n += n_text;
  put_head (out, ID_VOID, 1, n_bytes - out->n - VOID_HEAD);
}

/* The tags at the top of the segment.  Returns: where they begin, 0 when there are none */
static uint64_t
find_tags (const MediaSource *source, uint64_t *end)
{
  Element e;
  uint64_t at = 0;
  for (int i = 0; i < MAX_ELEMENTS && read_element (source, at, &e); i++)
    {
      bool inside = e.id == ID_SEGMENT || e.size == unknown_size;
      if (!inside && !fits (&e, source->size_bytes))
        return 0;
      *end = e.start + e.size;
      if (e.id == ID_TAGS && !inside)
        return at;
      at = inside ? e.start : *end;
    }
  return 0;
}

bool
matroska_set_comment (AtomicFile *file, const char *text, Status *status)
{
  MediaSource source;
  uint64_t end = 0;
  if (!media_source_open (&source, file->temp_path, status))
    return false;
  uint64_t at = find_tags (&source, &end);
  media_source_close (&source);
  size_t n_needed = HEAD_TAGS + 4 * HEAD_2 + HEAD_2 + NAME_BYTES + strlen (text) + VOID_HEAD;
  if (at == 0 || end - at < n_needed || end - at > TEXT_MAX_BYTES)
    return false;
  size_t n = (size_t) (end - at);
  Out out = { mem_calloc (n, 1), 0 };
  if (!out.data)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  put_tags (&out, text, n);
  bool ok = atomic_file_write_at (file, at, out.data, n, status);
  mem_free (out.data);
  return ok;
}
