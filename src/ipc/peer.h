/* SPDX-License-Identifier: MPL-2.0
 * peer.h - the two ends of the socket between a client (window, test) and one worker.
 *
 * The client makes a socket pair, gives one end to the worker as file descriptor 3, and both make a
 * D-Bus connection without a bus on theirs.  Whoever holds an end was given it, so nobody has to
 * prove who they are.  Neither side's messages are looked at before it has exported its object:
 * export, then call g_dbus_connection_start_message_processing().  A connection may close before
 * "closed" is connected to: look at g_dbus_connection_is_closed() afterwards.
 */
#pragma once

#include <gio/gio.h>

#include "ipc/errors.h"
#include "ipc/frame.h"

G_BEGIN_DECLS

#define GESSO_IPC_WORKER_PATH "/io/github/gesso_studio/Gesso/Worker"
#define GESSO_IPC_CLIENT_PATH "/io/github/gesso_studio/Gesso/Client"

enum
{
  GESSO_IPC_WORKER_FD = 3,
  GESSO_IPC_RECIPE_MAX_BYTES = 16 << 20, /* longer ones are refused */
  GESSO_IPC_BATCH_NAME_MAX = 64
};

typedef enum
{
  GESSO_IPC_CLIENT,
  GESSO_IPC_WORKER
} GessoIpcSide;

/* gesso_ipc_socket_pair:
 * @ours, @theirs: (out): both close on exec; give @theirs to the child with
 * g_subprocess_launcher_take_fd (launcher, theirs, GESSO_IPC_WORKER_FD)
 */
gboolean gesso_ipc_socket_pair (int *ours, int *theirs, GError **error);

/* gesso_ipc_peer_new:
 * @fd: taken, also on failure
 *
 * Finished with gesso_ipc_peer_new_finish, on the caller's main context.  Does not end before the
 * other side has begun, too; a side that dies meanwhile makes it fail.
 */
void gesso_ipc_peer_new (int fd,
                         GessoIpcSide side,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data);
/* Returns: (transfer full): a connection whose messages wait until
 * g_dbus_connection_start_message_processing(); it does not end the process when it closes */
GDBusConnection *gesso_ipc_peer_new_finish (GAsyncResult *result, GError **error);

/* What names a batch: letters, digits and "-", 1 to 64 of them. */
gboolean gesso_ipc_batch_name_is_valid (const char *batch);

G_END_DECLS
