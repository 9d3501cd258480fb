/* SPDX-License-Identifier: MPL-2.0
 * gesso-application.h - one program, one session: starts it, shows the window, ends it in order.
 */
#pragma once

#include <adwaita.h>

#include "app/gesso-window.h"

G_BEGIN_DECLS

#define GESSO_APPLICATION_ID "io.github.gesso_studio.Gesso"

enum
{
  GESSO_EXIT_NO_DISPLAY = 4 /* the program's exit status; 0, 1, 2 as in gesso-cli */
};

#define GESSO_TYPE_APPLICATION (gesso_application_get_type ())
G_DECLARE_FINAL_TYPE (GessoApplication, gesso_application, GESSO, APPLICATION, AdwApplication)

GessoApplication *gesso_application_new (void);
/* What --data-dir and --backend say, and how soon a worker starts again; for tests.  Copied; before
 * activation. */
void gesso_application_set_options (GessoApplication *self, const GessoSessionOptions *options);
/* How long the end waits for threads that wait for a disk (gesso-ending.h); for tests. */
void gesso_application_set_patience (GessoApplication *self, int patience_ms);
/* NULL before activation, and when it could not start. */
GessoWindow *gesso_application_get_window (GessoApplication *self);

/* The command line says what computes, not the settings. */
gboolean gesso_application_has_backends (GessoApplication *self);

G_END_DECLS
