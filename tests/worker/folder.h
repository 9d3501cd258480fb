/* SPDX-License-Identifier: MPL-2.0
 * folder.h - a test's own folder beside its program in the build tree, so that a test that was
 * killed leaves nothing elsewhere; what such a one left is removed by the next.
 */
#pragma once

#include <glib.h>

/* Makes PROGRAM.d/PID and names it in GESSO_TEST_DIR and XDG_CACHE_HOME.  Returns: the folder */
char *test_folder_new (void);

/* A copy of GESSO_DATA with the model that ships, for tests that compare what processes draw: the
 * original may be replaced meanwhile, as training does.  GESSO_DATA is set to it. */
void test_folder_copy_data (const char *folder);

void test_folder_free (char *folder); /* and removes it */
