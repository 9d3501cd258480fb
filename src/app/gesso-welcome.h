/* SPDX-License-Identifier: MPL-2.0
 * gesso-welcome.h - the first run's card: the shipped model is ready, and how to add one's own.
 */
#pragma once

#include <adwaita.h>

#include "library/gesso-library.h"

G_BEGIN_DECLS

#define GESSO_TYPE_WELCOME (gesso_welcome_get_type ())
G_DECLARE_FINAL_TYPE (GessoWelcome, gesso_welcome, GESSO, WELCOME, AdwBin)

/* Hides itself for good when closed or when a folder was added: "welcome-dismissed" in @settings.
 */
GtkWidget *gesso_welcome_new (GessoLibrary *library, GSettings *settings);

G_END_DECLS
