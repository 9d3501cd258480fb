/* SPDX-License-Identifier: MPL-2.0
 * mp4-texts.c - metadata of MP4 and MOV files (ISO 14496-12; QuickTime file format, metadata).
 */
#include <string.h>

#include "core/mem.h"
#include "media/film-file.h"

enum
{
  MAX_BOXES = 10000,
  MAX_KEYS = 256,
  KEY_SIZE = 80,
  FULL_BOX_BYTES = 4 /* version and flags */
};

typedef struct
{
  uint8_t type[4];
  uint64_t start, end; /* of what is inside */
} Box;

typedef struct
{
  const MediaSource *source;
  MediaTexts *texts;
  Status *status;
  int n_boxes;            /* looked at: a file cannot keep us busy */
  char (*keys)[KEY_SIZE]; /* names of numbered items; NULL without */
  uint32_t n_keys;
} Mp4;

static uint64_t
be (const uint8_t *p, int n)
{
  uint64_t v = 0;
  for (int i = 0; i < n; i++)
    v = v << 8 | p[i];
  return v;
}

static bool
is_type (const Box *box, const char *type)
{
  return memcmp (box->type, type, 4) == 0;
}

/* The box at @at.  Returns: false when there is none; one that is longer than its surroundings ends
 * behind them, which the caller sees by @box->end */
static bool
read_box (const MediaSource *source, uint64_t at, uint64_t end, Box *box)
{
  uint8_t head[16];
  if (end < at || end - at < 8 || !media_source_read (source, at, head, 8))
    return false;
  uint64_t size = be (head, 4), n_head = 8;
  memcpy (box->type, head + 4, 4);
  if (size == 1)
    {
      n_head = 16;
      if (!media_source_read (source, at, head, n_head))
        return false;
      size = be (head + 8, 8);
    }
  if (size == 0)
    size = end - at;
  if (size < n_head || size > UINT64_MAX - at)
    return false;
  box->start = at + n_head;
  box->end = at + size;
  return true;
}

bool
mp4_is_whole (const MediaSource *source)
{
  Box box;
  uint64_t at = 0;
  bool movie = false;
  for (int i = 0; i < MAX_BOXES && read_box (source, at, source->size_bytes, &box); i++)
    {
      movie |= is_type (&box, "moov");
      if (box.end > source->size_bytes)
        return false;
      at = box.end;
    }
  return movie; /* the part that says where everything is often comes last */
}

/* Finds a box inside @parent.  Returns: false when there is none */
static bool
find_box (Mp4 *m, const Box *parent, const char *type, Box *box)
{
  for (uint64_t at = parent->start; read_box (m->source, at, parent->end, box); at = box->end)
    {
      if (box->end > parent->end || ++m->n_boxes > MAX_BOXES)
        return false;
      if (is_type (box, type))
        return true;
    }
  return false;
}

static bool
add_text (Mp4 *m, const char *key, uint64_t start, uint64_t end)
{
  size_t n = (size_t) (end - start);
  if (end - start > TEXT_MAX_BYTES)
    {
      m->texts->n_skipped++;
      return true;
    }
  uint8_t *text = mem_calloc (n + 1, 1);
  if (!text)
    return status_fail (m->status, STATUS_NO_MEMORY,
                        "Out of memory: close other programs and retry.");
  bool ok = true;
  if (media_source_read (m->source, start, text, n))
    ok = media_texts_add_field (m->texts, key, text, n, m->status);
  else
    m->texts->damaged = true;
  mem_free (text);
  return ok;
}

/* Size, "mdta", name, for each key; items are numbered from 1. */
static bool
read_keys (Mp4 *m, const Box *keys)
{
  uint8_t head[8];
  uint64_t at = keys->start + FULL_BOX_BYTES;
  if (!media_source_read (m->source, at, head, 4))
    return true;
  uint32_t n = (uint32_t) be (head, 4);
  m->n_keys = n < MAX_KEYS ? n : MAX_KEYS;
  m->keys = mem_calloc (m->n_keys + 1, sizeof *m->keys);
  if (!m->keys)
    return status_fail (m->status, STATUS_NO_MEMORY,
                        "Out of memory: close other programs and retry.");
  at += 4;
  for (uint32_t i = 0; i < m->n_keys && media_source_read (m->source, at, head, 8); i++)
    {
      uint64_t size = be (head, 4);
      if (size < 8 || at + size > keys->end)
        break;
      size_t n_name = size - 8 < KEY_SIZE - 1 ? (size_t) size - 8 : KEY_SIZE - 1;
      if (!media_source_read (m->source, at + 8, m->keys[i], n_name))
        break;
      at += size;
    }
  return true;
}

/* Returns: the name under which an item's text goes; NULL for one that does not matter */
static const char *
item_key (const Mp4 *m, const Box *item)
{
  static const struct
  {
    const char *type, *key;
  } names[] = { { "\251cmt", "comment" }, { "\251nam", "title" }, { "desc", "description" } };
  uint32_t number = (uint32_t) be (item->type, 4);
  if (m->keys)
    return number >= 1 && number <= m->n_keys && *m->keys[number - 1] ? m->keys[number - 1] : NULL;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (is_type (item, names[i].type))
      return names[i].key;
  return NULL;
}

static bool
read_items (Mp4 *m, const Box *list)
{
  enum
  {
    DATA_HEAD_BYTES = 8 /* type and locale */
  };
  Box item, data;
  for (uint64_t at = list->start; read_box (m->source, at, list->end, &item); at = item.end)
    {
      if (item.end > list->end || ++m->n_boxes > MAX_BOXES)
        {
          m->texts->damaged = true;
          return true;
        }
      const char *key = item_key (m, &item);
      if (key && find_box (m, &item, "data", &data) && data.end - data.start >= DATA_HEAD_BYTES &&
          !add_text (m, key, data.start + DATA_HEAD_BYTES, data.end))
        return false;
    }
  return true;
}

/* QuickTime's older way: a text with its length and language straight in "udta". */
static bool
read_plain_comment (Mp4 *m, const Box *user_data)
{
  Box text;
  uint8_t head[4];
  if (!find_box (m, user_data, "\251cmt", &text) ||
      !media_source_read (m->source, text.start, head, sizeof head))
    return true;
  uint64_t n = be (head, 2);
  return text.start + 4 + n > text.end ||
         add_text (m, "comment", text.start + 4, text.start + 4 + n);
}

/* "meta" begins with version and flags in MP4 and without in QuickTime. */
static bool
read_meta (Mp4 *m, const Box *parent)
{
  Box meta, keys, list, inner;
  if (!find_box (m, parent, "meta", &meta))
    return true;
  inner = meta;
  if (!find_box (m, &meta, "ilst", &list))
    {
      inner.start += FULL_BOX_BYTES;
      if (!find_box (m, &inner, "ilst", &list))
        return true;
    }
  mem_free (m->keys);
  m->keys = NULL;
  if (find_box (m, &inner, "keys", &keys) && !read_keys (m, &keys))
    return false;
  return read_items (m, &list);
}

bool
mp4_read_texts (MediaTexts *texts, const MediaSource *source, Status *status)
{
  Mp4 m = { .source = source, .texts = texts, .status = status };
  Box file = { .start = 0, .end = source->size_bytes }, movie, user_data;
  bool ok = true;
  if (!find_box (&m, &file, "moov", &movie))
    texts->damaged = true;
  else
    {
      ok = read_meta (&m, &movie);
      if (ok && find_box (&m, &movie, "udta", &user_data))
        ok = read_meta (&m, &user_data) && read_plain_comment (&m, &user_data);
    }
  mem_free (m.keys);
  return ok;
}
