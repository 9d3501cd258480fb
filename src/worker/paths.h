/* SPDX-License-Identifier: MPL-2.0
 * paths.h - where the program's own files are.
 */
#pragma once

#include <stdbool.h>

#include "core/status.h"

enum
{
  GESSO_PATH_SIZE = 4096
};

/* The program's data: beside the sources when run from a build tree, else share/gesso; or what the
 * environment's GESSO_DATA names. */
bool path_data_dir (char out[GESSO_PATH_SIZE], Status *status);
/* path_locale_dir:
 * @installed: where it is looked for when it is not beside the program
 *
 * The translations: in the build tree or share/locale.
 */
void path_locale_dir (char out[GESSO_PATH_SIZE], const char *installed);
bool path_make_dirs (const char *dir, Status *status);
