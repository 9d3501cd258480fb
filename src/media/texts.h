/* SPDX-License-Identifier: MPL-2.0
 * texts.h - the texts that programs put into pictures and films, without reading the pixels.
 */
#pragma once

#include "media/file.h"

enum
{
  TEXTS_MAX = 1000,
  TEXT_MAX_BYTES = 20 << 20 /* of one text, also after it is unpacked */
};

/* Both UTF-8 without NUL.  The key is the PNG keyword or the name of the EXIF field. */
typedef struct
{
  char *key, *value;
} MediaText;

/* Zero-initialise. */
typedef struct
{
  MediaText *items;
  size_t n, capacity;
  bool damaged;     /* the file is cut off or a checksum is wrong: there may have been more */
  size_t n_skipped; /* texts larger than TEXT_MAX_BYTES, or more than TEXTS_MAX */
} MediaTexts;

/* media_texts_read:
 *
 * PNG: tEXt, zTXt, iTXt and eXIf chunks, before and after the pixels.  JPEG and WebP: EXIF, then
 * of WebP also XMP.  Of EXIF: "UserComment", "ImageDescription", "Make", "Model" and "Software";
 * where ComfyUI keeps its graph
 * ("prompt:{...}") or we the recipe ("gesso:{...}") in these, under that name.  Text that is not
 * valid UTF-8 is taken as Latin-1.
 *
 * Films: as film_file_read_texts().  A file of JSON, as ComfyUI's window saves a workflow: "json".
 *
 * A damaged file gives what could be read, and @texts->damaged.
 * Fails: IO, UNSUPPORTED for another format, NO_MEMORY; @texts is empty then
 */
bool media_texts_read (MediaTexts *texts, const char *path, Status *status);
bool media_texts_read_memory (
    MediaTexts *texts, const void *data, size_t n_bytes, const char *name, Status *status);
void media_texts_clear (MediaTexts *texts);

/* Returns: NULL when there is none */
const char *media_texts_find (const MediaTexts *texts, const char *key);

/* For the parsers: adds a text of @n_bytes in UTF-8 or Latin-1, without NULs at its end. */
bool media_texts_add (
    MediaTexts *texts, const char *key, const void *value, size_t n_bytes, Status *status);
/* The same for a field that may hold anything: ComfyUI puts "prompt:{graph}" and
 * "workflow:{graph}" into whatever fields there are, we "gesso:{recipe}" and "parameters:...". */
bool media_texts_add_field (
    MediaTexts *texts, const char *key, const void *value, size_t n_bytes, Status *status);
