/* SPDX-License-Identifier: MPL-2.0
 * xmp.h - the few properties of an XMP packet that programs keep a recipe in.
 */
#pragma once

#include "media/texts.h"

/* xmp_read_texts:
 * @packet: @n_bytes of XML in UTF-8
 *
 * Adds exif:UserComment as "UserComment" and dc:description as "ImageDescription", unless @texts
 * has them from EXIF already.  What is no XMP adds nothing.
 *
 * Fails: NO_MEMORY only
 */
bool xmp_read_texts (MediaTexts *texts, const uint8_t *packet, size_t n_bytes, Status *status);
