/* SPDX-License-Identifier: MPL-2.0
 * gesso-presence.h - whether a file is there, without waiting for its disk.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* gesso_presence_async:
 * @path: absolute
 *
 * Main thread only.  A network disk that does not answer keeps one thread for each path waiting,
 * however often it is asked about.
 */
void gesso_presence_async (const char *path,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data);
/* Returns: whether something is there; FALSE with @error once cancelled */
gboolean gesso_presence_finish (GAsyncResult *result, GError **error);

G_END_DECLS
