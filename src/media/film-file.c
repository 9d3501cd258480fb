/* SPDX-License-Identifier: MPL-2.0
 * film-file.c - films by their first bytes; comments of GIFs.
 */
#include "media/film-file.h"

#include <string.h>

#include "core/mem.h"

enum
{
  HEAD_BYTES = 16,
  TS_PACKET_BYTES = 188,
  GIF_HEADER_BYTES = 13,
  GIF_COMMENT = 0xfe,
  GIF_EXTENSION = 0x21,
  GIF_MAX_BLOCKS = 100000
};

static bool
has (const uint8_t *head, size_t offset, const char *mark)
{
  return memcmp (head + offset, mark, strlen (mark)) == 0;
}

static bool
is_mp4 (const uint8_t *head)
{
  static const char *const boxes[] = { "ftyp", "moov", "mdat", "wide", "free", "skip" };
  for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++)
    if (has (head, 4, boxes[i]))
      return true;
  return false;
}

static bool
is_transport_stream (const MediaSource *source, const uint8_t *head)
{
  uint8_t next = 0;
  return head[0] == 0x47 && media_source_read (source, TS_PACKET_BYTES, &next, 1) && next == 0x47;
}

FilmFileKind
film_file_kind (const MediaSource *source)
{
  static const struct
  {
    char bytes[5];
    FilmFileKind kind;
  } marks[] = { { "OggS", FILM_FILE_OGG },
                { "FLV\1", FILM_FILE_FLV },
                { "\x30\x26\xb2\x75", FILM_FILE_ASF },
                { "DKIF", FILM_FILE_IVF },
                { "\0\0\1\xba", FILM_FILE_MPEG_PS } };
  uint8_t head[HEAD_BYTES];
  if (!media_source_read (source, 0, head, sizeof head))
    return FILM_FILE_OTHER;
  if (is_mp4 (head))
    return FILM_FILE_MP4;
  if (has (head, 0, "\x1a\x45\xdf\xa3"))
    return FILM_FILE_MATROSKA;
  if (has (head, 0, "GIF87a") || has (head, 0, "GIF89a"))
    return FILM_FILE_GIF;
  if (has (head, 0, "RIFF") && has (head, 8, "AVI "))
    return FILM_FILE_AVI;
  for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
    if (memcmp (head, marks[i].bytes, 4) == 0)
      return marks[i].kind;
  return is_transport_stream (source, head) ? FILM_FILE_MPEG_TS : FILM_FILE_OTHER;
}

bool
film_file_check (const MediaSource *source, Status *status)
{
  FilmFileKind kind = film_file_kind (source);
  bool whole = kind == FILM_FILE_MP4        ? mp4_is_whole (source)
               : kind == FILM_FILE_MATROSKA ? matroska_is_whole (source)
                                            : true;
  return whole ||
         status_fail (status, STATUS_FORMAT,
                      "Cannot read \"%.300s\": the film is cut off; copy it again.", source->name);
}

bool
film_file_read_texts (MediaTexts *texts,
                      const MediaSource *source,
                      FilmFileKind kind,
                      Status *status)
{
  return kind == FILM_FILE_MP4        ? mp4_read_texts (texts, source, status)
         : kind == FILM_FILE_MATROSKA ? matroska_read_texts (texts, source, status)
         : kind == FILM_FILE_GIF      ? gif_read_texts (texts, source, status)
                                      : true;
}

/* ---- GIF ---- */

typedef struct
{
  uint8_t *data;
  size_t n, capacity;
} Comment;

/* Reads sub-blocks up to the empty one.  @comment: NULL passes over them.  Returns: false at a
 * fault; @at is behind them else */
static bool
read_blocks (const MediaSource *source, uint64_t *at, Comment *comment, Status *status)
{
  for (int i = 0; i < GIF_MAX_BLOCKS; i++)
    {
      uint8_t n;
      if (!media_source_read (source, *at, &n, 1))
        return false;
      *at += 1;
      if (n == 0)
        return true;
      if (comment && (!mem_grow (&comment->data, &comment->capacity, comment->n + n, 1, status) ||
                      !media_source_read (source, *at, comment->data + comment->n, n)))
        return false;
      if (comment)
        comment->n += n;
      *at += n;
    }
  return false;
}

/* Only what stands before the first picture: nobody puts texts behind. */
bool
gif_read_texts (MediaTexts *texts, const MediaSource *source, Status *status)
{
  uint8_t head[GIF_HEADER_BYTES], mark[2];
  bool ok = media_source_read (source, 0, head, sizeof head);
  uint64_t at = GIF_HEADER_BYTES;
  if (ok && head[10] & 0x80)
    at += (uint64_t) 3 << ((head[10] & 7) + 1);
  while (ok && media_source_read (source, at, mark, 2) && mark[0] == GIF_EXTENSION)
    {
      Comment comment = { 0 };
      at += 2;
      ok = read_blocks (source, &at, mark[1] == GIF_COMMENT ? &comment : NULL, status);
      if (ok && comment.n)
        ok = media_texts_add_field (texts, "comment", comment.data, comment.n, status);
      mem_free (comment.data);
    }
  texts->damaged |= !ok;
  return status_ok (status);
}
