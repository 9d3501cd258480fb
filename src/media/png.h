/* SPDX-License-Identifier: MPL-2.0
 * png.h - PNG pictures with text chunks.
 *
 * Reading is image_read() and media_text_read(); this is writing, and the parts that they share.
 */
#pragma once

#include <stdatomic.h>

#include "media/file.h"
#include "media/image.h"

/* Both UTF-8, borrowed.  The key: 1 to 79 printable ASCII characters. */
typedef struct
{
  const char *key, *value;
} PngText;

typedef struct
{
  const PngText *texts; /* @n_texts; "parameters", "gesso" */
  size_t n_texts;
  bool fast;                 /* a third larger, several times as fast */
  bool overwrite;            /* replace a file of that name; else it is an error */
  const atomic_bool *cancel; /* NULL, or looked at before each row */
} PngOptions;

/* png_write_file:
 * @path: where the picture appears once it is complete; there is nothing on failure
 * @options: NULL for none
 *
 * Writes a temporary file in the same folder, brings it to the disk, then renames it.  A text in
 * Latin-1 becomes a tEXt chunk, which every program reads, any other iTXt in UTF-8.
 *
 * Fails: IO (disk full, not permitted, exists), ARGUMENT for a bad key or size, CANCELLED,
 * NO_MEMORY
 */
bool
png_write_file (const char *path, const Image *image, const PngOptions *options, Status *status);

/* png_write_memory:
 * @options: .overwrite is without meaning
 *
 * Returns: true with *@n_bytes of a PNG in *@data, the caller's to mem_free; else as png_write_file
 */
bool png_write_memory (
    uint8_t **data, size_t *n_bytes, const Image *image, const PngOptions *options, Status *status);

/* png_new_name:
 * @stem: beginning of the file name, without "/"
 *
 * Returns: "@folder/@stem-00001.png" with the first number that is free, the caller's to mem_free.
 * Another program may take the name meanwhile: write with overwrite = false and ask again.
 */
char *png_new_name (const char *folder, const char *stem, Status *status);

/* For image_read().  @opacity: as image_read_opacity() */
bool png_is (const uint8_t *data, size_t n_bytes);
bool png_decode (Image *image, const MediaSource *source, bool opacity, Status *status);
