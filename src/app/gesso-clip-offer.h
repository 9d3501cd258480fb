/* SPDX-License-Identifier: MPL-2.0
 * gesso-clip-offer.h - a clip or film came from outside: go on from it, or take a frame of it?
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

/* Whether a file of this name is a clip or a film, whatever is in it. */
gboolean gesso_clip_offer_is_for (const char *path);
/* Whether the GIF or WebP @path has more than one frame.  Reads it: not on the main thread. */
gboolean gesso_clip_offer_moves (const char *path);

/* Looks into the file on a thread, then asks: extend it, its first or last frame as the picture on
 * the canvas, or the settings in it. */
void gesso_clip_offer (GessoWindow *window, GFile *file);

G_END_DECLS
