/* SPDX-License-Identifier: MPL-2.0
 * gesso-export-actions.h - win.export, with the path (s) of what to export, and win.export-film,
 * which asks for it.
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

void gesso_export_actions_add (GessoWindow *window);

G_END_DECLS
