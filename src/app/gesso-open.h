/* SPDX-License-Identifier: MPL-2.0
 * gesso-open.h - files came from outside: projects, pictures, models, folders of models?
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

/* gesso_open_files:
 * @files: of GFile
 *
 * For what is dropped, chosen, named on the command line or handed over by the desktop.  A project
 * is opened, a folder is searched for models from now on, a model file becomes the model, a picture
 * offers its settings, of a clip or film it is asked whether to go on from it; of several pictures
 * or models it is asked what is meant.  Each says what it did; looks at the files without blocking.
 */
void gesso_open_files (GessoWindow *window, GSList *files);

G_END_DECLS
