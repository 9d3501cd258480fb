/* SPDX-License-Identifier: MPL-2.0
 * gesso-banner.h - the one strip under the header bar that tells of a lasting state.
 */
#pragma once

#include <adwaita.h>

#include "session/gesso-session.h"

G_BEGIN_DECLS

#define GESSO_TYPE_BANNER (gesso_banner_get_type ())
G_DECLARE_FINAL_TYPE (GessoBanner, gesso_banner, GESSO, BANNER, AdwBin)

/* Follows the worker's state and the queue's failures. */
GtkWidget *gesso_banner_new (GessoSession *session);
/* @button, @action: NULL for none.  The most urgent state is shown: a stopped worker before this.
 */
void
gesso_banner_show (GessoBanner *self, const char *text, const char *button, const char *action);
void gesso_banner_hide (GessoBanner *self);
const char *gesso_banner_get_text (GessoBanner *self); /* NULL while hidden */

G_END_DECLS
