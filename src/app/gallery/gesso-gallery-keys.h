/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-keys.h - the gallery's single-letter keys and its context menu.
 *
 * The keys belong to a widget and not to the window: letters stay free for text fields.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef enum
{
  GESSO_KEYS_GRID = 1 << 0,
  GESSO_KEYS_VIEWER = 1 << 1,
  GESSO_KEYS_COMPARE = 1 << 2
} GessoKeysPlace;

/* gesso_gallery_keys_add:
 * @compare: void (*) (GtkWidget *, gpointer) for X, or NULL
 *
 * The keys of @place act on "gallery" actions while the focus is in @widget.
 */
void gesso_gallery_keys_add (GtkWidget *widget,
                             GessoKeysPlace place,
                             GCallback compare,
                             gpointer user_data);
/* What can be done with pictures; made once. */
GMenu *gesso_gallery_menu (void);

G_END_DECLS
