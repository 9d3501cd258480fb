/* SPDX-License-Identifier: MPL-2.0
 * gesso-film-maker.h - a film beside each clip that the queue finishes, for other programs.
 *
 * The clip is safe before the film is begun, and nothing that happens to the film harms it.  A clip
 * that is gone before its film is finished gets none.
 *
 * Signal "message" (string for a toast): why there is no film; once, until the format is another.
 */
#pragma once

#include <gio/gio.h>

#include "session/gesso-queue.h"

G_BEGIN_DECLS

#define GESSO_TYPE_FILM_MAKER (gesso_film_maker_get_type ())
G_DECLARE_FINAL_TYPE (GessoFilmMaker, gesso_film_maker, GESSO, FILM_MAKER, GObject)

/* gesso_film_maker_new:
 * @settings: "film-format" names the format, or "none"
 *
 * One film at a time.  What is not finished when the maker is disposed of is given up.
 */
GessoFilmMaker *gesso_film_maker_new (GessoQueue *queue, GSettings *settings);
/* Films that are not finished. */
guint gesso_film_maker_get_n_open (GessoFilmMaker *self);

G_END_DECLS
