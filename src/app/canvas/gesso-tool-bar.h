/* SPDX-License-Identifier: MPL-2.0
 * gesso-tool-bar.h - the floating column of tools at the canvas's edge.
 */
#pragma once

#include "app/canvas/gesso-canvas.h"

G_BEGIN_DECLS

#define GESSO_TYPE_TOOL_BAR (gesso_tool_bar_get_type ())
G_DECLARE_FINAL_TYPE (GessoToolBar, gesso_tool_bar, GESSO, TOOL_BAR, GtkWidget)

/* @canvas: whose tool and brush it sets; put both into one GtkOverlay */
GtkWidget *gesso_tool_bar_new (GessoCanvas *canvas);

G_END_DECLS
