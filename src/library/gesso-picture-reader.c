/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture-reader.c - width and height from PNG's IHDR, JPEG's frame header and WebP's first
 * chunk, texts from media/texts.h, prompts by recipe/import.h.
 */
#include "library/gesso-picture-reader.h"

#include <string.h>

#include "core/mem.h"
#include "media/exif.h"
#include "media/frames.h"
#include "media/image.h"
#include "media/riff.h"
#include "media/texts.h"
#include "recipe/import.h"

enum
{
  PNG_SIZE_OFFSET = 16, /* behind signature, length and "IHDR" */
  JPEG_FRAME_BYTES = 9,
  MAX_JPEG_SEGMENTS = 1000,
  WEBP_CHUNK_OFFSET = 12,
  WEBP_HEAD_BYTES = 30,
  WEBP_LOSSLESS_MARK = 0x2f,
  WEBP_SIDE_MASK = 0x3fff,
  FIRST_SIDEWAYS = 5,
  MS_PER_SECOND = 1000
};

static int
be16 (const guint8 *p)
{
  return p[0] << 8 | p[1];
}

static guint32
be32 (const guint8 *p)
{
  return (guint32) be16 (p) << 16 | (guint32) be16 (p + 2);
}

static gboolean
set_size (GessoPictureRow *row, guint32 width, guint32 height)
{
  if (width < 1 || height < 1 || width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE)
    return FALSE;
  row->width = (int) width;
  row->height = (int) height;
  return TRUE;
}

static gboolean
read_png_size (GessoPictureRow *row, const MediaSource *source)
{
  guint8 head[PNG_SIZE_OFFSET + 8];
  return media_source_read (source, 0, head, sizeof head) && !memcmp (head + 12, "IHDR", 4) &&
         set_size (row, be32 (head + PNG_SIZE_OFFSET), be32 (head + PNG_SIZE_OFFSET + 4));
}

/* Frame headers are the markers C0 to CF but for three that are tables. */
static gboolean
is_frame (guint8 marker)
{
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

static gboolean
read_jpeg_size (GessoPictureRow *row, const MediaSource *source)
{
  guint64 at = 2;
  for (int i = 0; i < MAX_JPEG_SEGMENTS; i++)
    {
      guint8 head[JPEG_FRAME_BYTES] = { 0 };
      if (!media_source_read (source, at, head, 4) || head[0] != 0xff)
        return FALSE;
      if (head[1] == 0xff) /* a fill byte */
        {
          at++;
          continue;
        }
      if (is_frame (head[1]))
        return media_source_read (source, at, head, sizeof head) &&
               set_size (row, (guint32) be16 (head + 7), (guint32) be16 (head + 5));
      at += 2 + (guint64) be16 (head + 2);
    }
  return FALSE;
}

static guint32
le_bits (const guint8 *p, guint n_bytes)
{
  guint32 v = 0;
  for (guint i = n_bytes; i > 0; i--)
    v = v << 8 | p[i - 1];
  return v;
}

/* "VP8X" has the canvas less one in 24 bits each, "VP8L" the size less one in 14 bits each, "VP8 "
 * behind frame tag and start code in 14 bits of 16. */
static gboolean
read_webp_size (GessoPictureRow *row, const MediaSource *source)
{
  guint8 head[WEBP_HEAD_BYTES] = { 0 };
  if (!media_source_read (source, 0, head, MIN (sizeof head, source->size_bytes)))
    return FALSE;
  const guint8 *chunk = head + WEBP_CHUNK_OFFSET, *data = chunk + 8;
  if (!memcmp (chunk, "VP8X", 4))
    return set_size (row, le_bits (data + 4, 3) + 1, le_bits (data + 7, 3) + 1);
  guint32 bits = le_bits (data + 1, 4);
  if (!memcmp (chunk, "VP8L", 4))
    return data[0] == WEBP_LOSSLESS_MARK &&
           set_size (row, (bits & WEBP_SIDE_MASK) + 1, (bits >> 14 & WEBP_SIDE_MASK) + 1);
  return !memcmp (chunk, "VP8 ", 4) && set_size (row, le_bits (data + 6, 2) & WEBP_SIDE_MASK,
                                                 le_bits (data + 8, 2) & WEBP_SIDE_MASK);
}

/* Orientations 5 to 8 lie on their side. */
static void
turn_upright (GessoPictureRow *row, const MediaSource *source)
{
  if (exif_orientation (source) < FIRST_SIDEWAYS)
    return;
  int width = row->width;
  row->width = row->height;
  row->height = width;
}

static gboolean
read_size (GessoPictureRow *row, const char *path)
{
  Status status = { 0 };
  MediaSource source;
  guint8 begin[WEBP_CHUNK_OFFSET];
  if (!media_source_open (&source, path, &status))
    return FALSE;
  gboolean ok = media_source_read (&source, 0, begin, sizeof begin);
  if (ok && !memcmp (begin, "\x89PNG", 4))
    ok = read_png_size (row, &source);
  else if (ok && begin[0] == 0xff && begin[1] == 0xd8)
    ok = read_jpeg_size (row, &source);
  else
    ok = ok && riff_is_webp (begin, sizeof begin) && read_webp_size (row, &source);
  if (ok)
    turn_upright (row, &source);
  media_source_close (&source);
  return ok;
}

static char *
dup_valid (const char *text)
{
  return g_utf8_make_valid (recipe_str (text), -1);
}

static void
read_recipe (GessoPictureRow *row, const MediaTexts *texts)
{
  Status status = { 0 };
  Recipe recipe;
  Notes notes = { 0 };
  ImportSource source;
  g_autofree ImportText *pairs = g_new0 (ImportText, texts->n + 1);
  for (size_t i = 0; i < texts->n; i++)
    pairs[i] = (ImportText){ texts->items[i].key, texts->items[i].value };
  recipe_init (&recipe);
  if (import_recipe (&recipe, pairs, texts->n, &source, &notes, &status))
    {
      row->prompt = dup_valid (recipe.prompt);
      row->negative = dup_valid (recipe.negative_prompt);
      g_autofree char *model = g_path_get_basename (recipe_str (recipe.model));
      row->model = recipe.model ? dup_valid (model) : g_strdup ("");
    }
  notes_clear (&notes);
  recipe_clear (&recipe);
}

/* Size and duration of what consists of frames; no pixels either.  A still WebP has its size from
 * read_size, which turns it upright. */
static gboolean
read_film (GessoPictureRow *row, const char *path)
{
  Status status = { 0 };
  FrameSource *source = frames_open (path, NULL, &status);
  gboolean moves = source && source->info.n_frames > 1;
  gboolean ok = row->width > 0;
  if (source && (moves || !ok))
    ok = set_size (row, (guint32) source->info.width, (guint32) source->info.height);
  if (moves && frame_rate_is_valid (source->info.rate))
    row->duration_ms =
        (int) frame_rate_time (source->info.rate, source->info.n_frames, MS_PER_SECOND);
  frames_close (source);
  return ok;
}

static gboolean
read_outline (GessoPictureRow *row, const char *path)
{
  gboolean still = read_size (row, path);
  return frames_may_move (path) ? read_film (row, path) : still;
}

gboolean
gesso_picture_read_header (GessoPictureRow *row, const char *path)
{
  g_return_val_if_fail (row != NULL && path != NULL, FALSE);
  Status status = { 0 };
  MediaTexts texts = { 0 };
  if (!read_outline (row, path))
    return FALSE;
  if (media_texts_read (&texts, path, &status))
    read_recipe (row, &texts);
  media_texts_clear (&texts);
  if (!row->prompt)
    row->prompt = g_strdup ("");
  if (!row->negative)
    row->negative = g_strdup ("");
  if (!row->model)
    row->model = g_strdup ("");
  return TRUE;
}
