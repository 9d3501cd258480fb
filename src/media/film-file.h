/* SPDX-License-Identifier: MPL-2.0
 * film-file.h - the outside of film files: what they are, whether they are whole, their texts.
 */
#pragma once

#include "media/texts.h"

typedef enum
{
  FILM_FILE_OTHER, /* no film that is read */
  FILM_FILE_MP4,   /* and MOV: ISO base media (ISO 14496-12) */
  FILM_FILE_MATROSKA,
  FILM_FILE_GIF,
  FILM_FILE_AVI, /* from here on known by their first bytes alone */
  FILM_FILE_OGG,
  FILM_FILE_FLV,
  FILM_FILE_ASF,
  FILM_FILE_IVF,
  FILM_FILE_MPEG_PS,
  FILM_FILE_MPEG_TS
} FilmFileKind;

FilmFileKind film_file_kind (const MediaSource *source);

/* film_file_check:
 *
 * Fails: FORMAT where a part of an MP4, MOV, Matroska or WebM says it is longer than the file, as
 * after a copy that was cut off
 */
bool film_file_check (const MediaSource *source, Status *status);

/* film_file_read_texts:
 *
 * For media_texts_read().  MP4: the comment and named keys of its metadata ("comment", "prompt"
 * ...), Matroska: its tags by their names in lower case, GIF: comments as "comment".  A text that
 * begins with "gesso:", "prompt:", "workflow:" or "parameters:" comes under that name.
 *
 * Fails: NO_MEMORY only; what is damaged sets @texts->damaged
 */
bool film_file_read_texts (MediaTexts *texts,
                           const MediaSource *source,
                           FilmFileKind kind,
                           Status *status);

/* matroska_set_comment:
 * @file: a whole Matroska or WebM file whose tags GStreamer wrote, open for reading by @path
 *
 * Replaces the tags by one, COMMENT, in place: GStreamer writes texts with all marks escaped, as no
 * other program reads them.  The space left over becomes a Void element.
 *
 * Returns: false, with the file as it was, when there are no tags or they are shorter; IO,
 * NO_MEMORY
 */
bool matroska_set_comment (AtomicFile *file, const char *text, Status *status);

/* The kinds, for film_file_read_texts. */
bool mp4_read_texts (MediaTexts *texts, const MediaSource *source, Status *status);
bool matroska_read_texts (MediaTexts *texts, const MediaSource *source, Status *status);
bool gif_read_texts (MediaTexts *texts, const MediaSource *source, Status *status);
/* Whether all parts at the top end within the file. */
bool mp4_is_whole (const MediaSource *source);
bool matroska_is_whole (const MediaSource *source);
