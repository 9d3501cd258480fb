/* SPDX-License-Identifier: MPL-2.0
 * gesso-save-as.h - asks where a file is to be saved, and before another is replaced.
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

/* Texts are marked for translation and live as long as the program. */
typedef struct
{
  const char *title;     /* of the file chooser */
  const char *kind;      /* of files: "PNG pictures" */
  const char *suffix;    /* ".png": added to a name that lacks it */
  const char *elsewhere; /* what is said of a place that is not a folder of this computer */
} GessoSaveAs;

/* Called at most once, while the window is open. */
typedef void (*GessoSaveAsChosen) (GessoWindow *window, const char *path, gpointer user_data);

/* gesso_save_as:
 * @what: static
 * @user_data: freed with @destroy (may be NULL) when all is over, chosen or not
 *
 * The project's name is proposed.
 */
void gesso_save_as (GessoWindow *window,
                    const GessoSaveAs *what,
                    GessoSaveAsChosen chosen,
                    gpointer user_data,
                    GDestroyNotify destroy);

/* @format: of the heading, translated, with "%s" for the name of the file at @path.  Says nothing
 * when the window is closed. */
void gesso_save_as_tell (GessoWindow *window,
                         const char *format,
                         const char *path,
                         const char *sentence);

G_END_DECLS
