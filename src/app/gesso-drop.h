/* SPDX-License-Identifier: MPL-2.0
 * gesso-drop.h - a file was dropped on the window: a picture, a model, a folder of models?
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

/* gesso_drop_file:
 *
 * A folder is searched for models from now on, a model file becomes the model, a picture offers its
 * settings.  Each says what it did; looks at the file without blocking.
 */
void gesso_drop_file (GessoWindow *window, GFile *file);

G_END_DECLS
