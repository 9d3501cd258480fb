/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-link.h - the gallery as a page of the window.
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

/* gesso_gallery_link_new:
 * @window: gets the action "search", and is told what to say and to show
 * @create: gets what is chosen in the gallery
 *
 * Returns: the page (floating)
 */
GtkWidget *gesso_gallery_link_new (GessoWindow *window, GessoCreatePage *create);

G_END_DECLS
