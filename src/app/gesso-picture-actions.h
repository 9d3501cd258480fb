/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture-actions.h - the canvas as a picture file.
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

/* win.save-picture asks where; win.save-picture-to takes the path.  Enabled while there is one. */
void gesso_picture_actions_add (GessoWindow *window);

G_END_DECLS
