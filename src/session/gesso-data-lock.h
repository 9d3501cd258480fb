/* SPDX-License-Identifier: MPL-2.0
 * gesso-data-lock.h - one program at a time uses a data folder.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* gesso_data_lock_take:
 *
 * Makes the folder when it is not there.  The lock goes with the process, however that ends.
 * Returns: a descriptor to close, -1 with @error: G_IO_ERROR_BUSY when another program has it
 */
int gesso_data_lock_take (const char *data_dir, GError **error);

G_END_DECLS
