/* SPDX-License-Identifier: MPL-2.0
 * gesso-recent.h - the projects opened last, as the desktop remembers them.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* The file was opened or saved just now. */
void gesso_recent_add (const char *path);
/* gesso_recent_fill:
 * @owner: as long as it lives, @menu follows the desktop's list
 * @action: takes the path, a string
 */
void gesso_recent_fill (GMenu *menu, GObject *owner, const char *action);

G_END_DECLS
