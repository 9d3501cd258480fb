/* SPDX-License-Identifier: MPL-2.0
 * gesso-window-actions.h - the commands of the window, all of them "win." actions.
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

void gesso_window_actions_add (GessoWindow *window);

G_END_DECLS
