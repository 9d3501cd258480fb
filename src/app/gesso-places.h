/* SPDX-License-Identifier: MPL-2.0
 * gesso-places.h - where on the canvas the pictures of each job belong; survives a restart.
 */
#pragma once

#include "app/canvas/gesso-rect.h"
#include "session/gesso-session.h"

G_BEGIN_DECLS

#define GESSO_TYPE_PLACES (gesso_places_get_type ())
G_DECLARE_FINAL_TYPE (GessoPlaces, gesso_places, GESSO, PLACES, GObject)

/* Reads what an earlier start has kept. */
GessoPlaces *gesso_places_new (GessoSession *session);
/* Returns: NULL when not known; borrowed until the next call of set */
const GessoRect *gesso_places_get (GessoPlaces *self, gint64 job);
void gesso_places_set (GessoPlaces *self, const gint64 *jobs, guint n, const GessoRect *where);

G_END_DECLS
