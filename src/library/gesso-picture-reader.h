/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture-reader.h - size and prompt of a picture, without its pixels.
 */
#pragma once

#include "library/gesso-picture.h"

G_BEGIN_DECLS

/* gesso_picture_read_header:
 * @path: a PNG, JPEG, WebP or GIF file or a clip; any thread
 *
 * Fills width, height, duration_ms, prompt, negative and model (empty texts where the picture has
 * no recipe); texts are valid UTF-8.
 *
 * Returns: FALSE when it is no picture that can be shown
 */
gboolean gesso_picture_read_header (GessoPictureRow *row, const char *path);

G_END_DECLS
