/* SPDX-License-Identifier: MPL-2.0
 * gesso-paths.h - where the program's own files are: in the build tree or installed.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The folder with tokenizers/ and models/: $GESSO_DATA, the source tree beside the build tree, or
 * ../share/gesso.  Returns: NULL and @error with what to do */
char *gesso_paths_dup_data_dir (GError **error);
/* The models that ship. */
char *gesso_paths_dup_bundled_dir (void);
/* The model that ships, a folder; NULL when it is not there. */
char *gesso_paths_dup_shipped_model (void);
/* gesso-worker of this build; NULL leaves the search to the session. */
char *gesso_paths_dup_worker (void);
/* Translations, LANGUAGE/LC_MESSAGES/gesso.mo: @installed, unless the program was moved or lies in
 * its build tree. */
char *gesso_paths_dup_locale_dir (const char *installed);
/* Wildcard files, NAME.txt: $XDG_DATA_HOME/gesso/wildcards. */
char *gesso_paths_dup_wildcards_dir (void);
/* Settings of the schema installed or lying in the build tree; NULL and @error when it is nowhere,
 * where g_settings_new would end the program. */
GSettings *gesso_paths_new_settings (GError **error);

G_END_DECLS
