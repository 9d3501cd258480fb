/* SPDX-License-Identifier: MPL-2.0
 * gesso-refresh.h - what a widget shows, brought up to date once a frame.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef void (*GessoRefresh) (GtkWidget *widget);

/* gesso_refresh_queue:
 * @refresh: always the same one for a widget
 *
 * Calls @refresh before the next frame is laid out, once however often it was asked for: news of
 * jobs come in bursts.  Not after the widget's disposal.
 */
void gesso_refresh_queue (GtkWidget *widget, GessoRefresh refresh);

G_END_DECLS
