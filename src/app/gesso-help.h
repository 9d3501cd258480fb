/* SPDX-License-Identifier: MPL-2.0
 * gesso-help.h - F1: what the window can do and where to begin, on one page.
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

/* @pictures_dir: the folder that pictures go to; shown by gtk_window_present() */
GtkWindow *gesso_help_new (GtkWindow *parent, const char *pictures_dir);

G_END_DECLS
