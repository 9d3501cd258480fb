/* SPDX-License-Identifier: MPL-2.0
 * exif.h - the few fields of EXIF that matter here, and where JPEG and WebP files keep it.
 */
#pragma once

#include "media/texts.h"

/* exif_read_texts:
 * @data: @n_bytes of TIFF structure, with or without "Exif\0\0" before it
 *
 * Fails: NO_MEMORY only; what is damaged sets @texts->damaged
 */
bool exif_read_texts (MediaTexts *texts, const uint8_t *data, size_t n_bytes, Status *status);

/* Finds the EXIF part of a JPEG or WebP file.  @damaged: set when the file is cut off before. */
bool
exif_find_in_jpeg (const MediaSource *source, uint64_t *offset, size_t *n_bytes, bool *damaged);
bool
exif_find_in_webp (const MediaSource *source, uint64_t *offset, size_t *n_bytes, bool *damaged);

/* Orientation of a JPEG or WebP, 1 to 8; 1 (upright) when it does not say. */
int exif_orientation (const MediaSource *source);

/* exif_write:
 * @parameters: for UserComment, where A1111 and its readers look; NULL for none
 * @gesso: for ImageDescription, as "gesso:...", the way ComfyUI keeps its graph; NULL for none
 *
 * Returns: a TIFF structure of *@n_bytes without "Exif\0\0" before it, the caller's to mem_free;
 * NULL and NO_MEMORY, or ARGUMENT for text that is not UTF-8
 */
uint8_t *exif_write (const char *parameters, const char *gesso, size_t *n_bytes, Status *status);
