/* SPDX-License-Identifier: MPL-2.0
 * gesso-folder-row.h - a row of Preferences: a folder that the user named, what is in it, and a
 * button that leaves it out.
 */
#pragma once

#include <adwaita.h>

#include "library/gesso-library.h"

G_BEGIN_DECLS

#define GESSO_TYPE_FOLDER_ROW (gesso_folder_row_get_type ())
G_DECLARE_FINAL_TYPE (GessoFolderRow, gesso_folder_row, GESSO, FOLDER_ROW, AdwActionRow)

/* @pictures: a folder of pictures, not of models.  The row follows the library. */
GtkWidget *gesso_folder_row_new (GessoLibrary *library, const char *path, gboolean pictures);

/* "3 models · 12 LoRAs", of a folder of models; the caller's to g_free */
char *gesso_folder_row_dup_contents (GessoLibrary *library, const char *path);

G_END_DECLS
