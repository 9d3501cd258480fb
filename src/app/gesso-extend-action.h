/* SPDX-License-Identifier: MPL-2.0
 * gesso-extend-action.h - the commands that set a clip as what the next one goes on from.
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

/* "extend", with the path of a clip or film; "stop-extending", and "extend-again" to undo that. */
void gesso_extend_action_add (GessoWindow *window);

G_END_DECLS
