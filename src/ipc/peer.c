/* SPDX-License-Identifier: MPL-2.0 */
#include "ipc/peer.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

gboolean
gesso_ipc_socket_pair (int *ours, int *theirs, GError **error)
{
  int fds[2];
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    {
      int code = errno;
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code), "No socket could be made: %s",
                   g_strerror (code));
      return FALSE;
    }
  *ours = fds[0];
  *theirs = fds[1];
  return TRUE;
}

/* The worker plays the server's part of the handshake; which side does is of no consequence. */
static GDBusConnectionFlags
flags_of (GessoIpcSide side)
{
  return G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING |
         (side == GESSO_IPC_WORKER ? G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER |
                                         G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_ALLOW_ANONYMOUS
                                   : G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT);
}

static void
connected_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  GDBusConnection *connection = g_dbus_connection_new_finish (result, &error);
  if (!connection)
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  g_dbus_connection_set_exit_on_close (connection, FALSE);
  g_task_return_pointer (task, connection, g_object_unref);
}

void
gesso_ipc_peer_new (int fd,
                    GessoIpcSide side,
                    GCancellable *cancellable,
                    GAsyncReadyCallback callback,
                    gpointer user_data)
{
  g_return_if_fail (fd >= 0);
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  g_autoptr (GError) error = NULL;
  g_task_set_source_tag (task, gesso_ipc_peer_new);
  gesso_ipc_error_quark (); /* known before the first reply that may be one */
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, &error);
  if (!socket)
    {
      close (fd);
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  g_autoptr (GSocketConnection) stream = g_socket_connection_factory_create_connection (socket);
  g_autofree char *guid = side == GESSO_IPC_WORKER ? g_dbus_generate_guid () : NULL;
  g_dbus_connection_new (G_IO_STREAM (stream), guid, flags_of (side), NULL, cancellable,
                         connected_cb, g_steal_pointer (&task));
}

GDBusConnection *
gesso_ipc_peer_new_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

gboolean
gesso_ipc_batch_name_is_valid (const char *batch)
{
  gsize n = 0;
  for (; batch[n]; n++)
    if (n >= GESSO_IPC_BATCH_NAME_MAX || (!g_ascii_isalnum (batch[n]) && batch[n] != '-'))
      return FALSE;
  return n > 0;
}
