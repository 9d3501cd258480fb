/* SPDX-License-Identifier: MPL-2.0
 * gesso-worker-client.c - our end of the socket to one worker process.
 */
#define G_LOG_DOMAIN "gesso-session"

#include "session/gesso-worker-client.h"

#include "ipc/gesso-ipc.h"
#include "ipc/peer.h"

struct _GessoWorkerClient
{
  GObject parent_instance;
  GDBusConnection *connection;
  GessoIpcClient1 *skeleton;
  GessoIpcWorker1 *proxy; /* NULL until the worker has answered */
  GCancellable *cancellable;
  GessoWorkerEvents events;
  gpointer data;
  gboolean closed; /* by us */
  gboolean gone;   /* the worker has hung up */
};

G_DEFINE_FINAL_TYPE (GessoWorkerClient, gesso_worker_client, G_TYPE_OBJECT)

static guint signal_closed;

/* Returns: the pixels where they are in the worker's memory; NULL for anything that is no frame */
static GessoFrame *
map_frame (GUnixFDList *fds, GVariant *handle, int width, int height)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) rgb = gesso_ipc_frame_receive (fds, handle, width, height, &error);
  if (!rgb)
    g_warning ("The worker sent a frame that is none: %s", error->message);
  return rgb ? gesso_frame_new (width, height, rgb) : NULL;
}

static void
refuse_frame (GDBusMethodInvocation *invocation)
{
  g_dbus_method_invocation_return_error_literal (invocation, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                                                 "Not a sealed memfd of width * height * 3 bytes");
}

static gboolean
on_progress (GessoWorkerClient *self,
             GDBusMethodInvocation *invocation,
             const char *batch,
             const char *phase,
             int done,
             int total,
             double eta)
{
  gesso_ipc_client1_complete_progress (self->skeleton, invocation);
  if (!self->closed)
    self->events.progress (self->data, batch, phase, done, total, eta);
  return TRUE;
}

static gboolean
on_preview (GessoWorkerClient *self,
            GDBusMethodInvocation *invocation,
            GUnixFDList *fds,
            const char *batch,
            int step,
            int width,
            int height,
            int n_frames,
            double rate,
            GVariant *handle)
{
  gboolean possible = n_frames > 0 && height > 0 && height <= G_MAXINT / n_frames;
  g_autoptr (GessoFrame) frame =
      possible ? map_frame (fds, handle, width, height * n_frames) : NULL;
  if (!frame)
    {
      refuse_frame (invocation);
      return TRUE;
    }
  frame->height = height;
  frame->n_frames = n_frames;
  frame->rate = rate >= 0 && rate <= G_MAXINT ? rate : 0;
  gesso_ipc_client1_complete_preview (self->skeleton, invocation, NULL);
  if (!self->closed)
    self->events.preview (self->data, batch, step, frame);
  return TRUE;
}

static gboolean
on_picture (GessoWorkerClient *self,
            GDBusMethodInvocation *invocation,
            GUnixFDList *fds,
            const char *batch,
            guint index,
            int width,
            int height,
            GVariant *handle,
            const char *recipe)
{
  g_autoptr (GessoFrame) frame = map_frame (fds, handle, width, height);
  if (!frame || index > G_MAXINT)
    refuse_frame (invocation);
  else if (self->closed)
    g_dbus_method_invocation_return_error_literal (invocation, G_IO_ERROR, G_IO_ERROR_CLOSED,
                                                   "Closing");
  else
    self->events.picture (self->data, batch, (int) index, frame, recipe, invocation);
  return TRUE;
}

static gboolean
on_clip (GessoWorkerClient *self,
         GDBusMethodInvocation *invocation,
         GUnixFDList *fds,
         const char *batch,
         guint index,
         int width,
         int height,
         GVariant *handle,
         const char *recipe,
         const char *path)
{
  g_autoptr (GessoFrame) frame = map_frame (fds, handle, width, height);
  if (!frame || index > G_MAXINT)
    refuse_frame (invocation);
  else if (self->closed)
    g_dbus_method_invocation_return_error_literal (invocation, G_IO_ERROR, G_IO_ERROR_CLOSED,
                                                   "Closing");
  else
    self->events.clip (self->data, batch, (int) index, frame, recipe, path, invocation);
  return TRUE;
}

static gboolean
on_note (GessoWorkerClient *self,
         GDBusMethodInvocation *invocation,
         const char *batch,
         const char *sentence)
{
  gesso_ipc_client1_complete_note (self->skeleton, invocation);
  if (!self->closed)
    self->events.note (self->data, batch, sentence);
  return TRUE;
}

static gboolean
on_finished (GessoWorkerClient *self, GDBusMethodInvocation *invocation, const char *batch)
{
  gesso_ipc_client1_complete_finished (self->skeleton, invocation);
  if (!self->closed)
    self->events.finished (self->data, batch);
  return TRUE;
}

static gboolean
on_parked (GessoWorkerClient *self, GDBusMethodInvocation *invocation, const char *batch, int step)
{
  gesso_ipc_client1_complete_parked (self->skeleton, invocation);
  if (!self->closed)
    self->events.parked (self->data, batch, step);
  return TRUE;
}

static gboolean
on_failed (GessoWorkerClient *self,
           GDBusMethodInvocation *invocation,
           const char *batch,
           const char *code,
           const char *sentence)
{
  gesso_ipc_client1_complete_failed (self->skeleton, invocation);
  if (!self->closed)
    self->events.failed (self->data, batch, code, sentence);
  return TRUE;
}

static void
on_closed (GessoWorkerClient *self)
{
  if (self->closed || self->gone)
    return;
  self->gone = TRUE;
  g_signal_emit (self, signal_closed, 0);
}

static void
on_proxy_ready_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  GessoWorkerClient *self = g_task_get_source_object (task);
  GError *error = NULL;
  GessoIpcWorker1 *proxy = gesso_ipc_worker1_proxy_new_finish (result, &error);
  if (!proxy)
    {
      g_task_return_error (task, error);
      return;
    }
  g_dbus_proxy_set_default_timeout (G_DBUS_PROXY (proxy), G_MAXINT);
  self->proxy = proxy;
  if (gesso_ipc_worker1_get_backend (proxy) && !self->gone)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_FAILED, "The worker does not answer.");
}

static void
on_connected_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  GessoWorkerClient *self = g_task_get_source_object (task);
  GError *error = NULL;
  GDBusConnection *connection = gesso_ipc_peer_new_finish (result, &error);
  if (connection && self->closed)
    {
      g_dbus_connection_close (connection, NULL, NULL, NULL);
      g_object_unref (connection);
      g_set_error_literal (&error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "Closed");
      connection = NULL;
    }
  self->connection = connection;
  if (!connection || !g_dbus_interface_skeleton_export (G_DBUS_INTERFACE_SKELETON (self->skeleton),
                                                        connection, GESSO_IPC_CLIENT_PATH, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  g_signal_connect_object (connection, "closed", G_CALLBACK (on_closed), self, G_CONNECT_SWAPPED);
  g_dbus_connection_start_message_processing (connection);
  if (g_dbus_connection_is_closed (connection)) /* maybe before anyone listened to "closed" */
    on_closed (self);
  gesso_ipc_worker1_proxy_new (connection, G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START, NULL,
                               GESSO_IPC_WORKER_PATH, self->cancellable, on_proxy_ready_cb,
                               g_steal_pointer (&task));
}

static void
gesso_worker_client_dispose (GObject *object)
{
  GessoWorkerClient *self = GESSO_WORKER_CLIENT (object);
  gesso_worker_client_close (self);
  g_clear_object (&self->proxy);
  if (self->skeleton)
    g_signal_handlers_disconnect_by_data (self->skeleton, self);
  g_clear_object (&self->skeleton);
  g_clear_object (&self->connection);
  g_clear_object (&self->cancellable);
  G_OBJECT_CLASS (gesso_worker_client_parent_class)->dispose (object);
}

static void
gesso_worker_client_class_init (GessoWorkerClientClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_worker_client_dispose;
  signal_closed = g_signal_new ("closed", GESSO_TYPE_WORKER_CLIENT, G_SIGNAL_RUN_LAST, 0, NULL,
                                NULL, NULL, G_TYPE_NONE, 0);
}

static void
gesso_worker_client_init (GessoWorkerClient *self)
{
  static const struct
  {
    const char *signal;
    GCallback handler;
  } handlers[] = {
    { "handle-progress", G_CALLBACK (on_progress) },
    { "handle-preview", G_CALLBACK (on_preview) },
    { "handle-picture", G_CALLBACK (on_picture) },
    { "handle-clip", G_CALLBACK (on_clip) },
    { "handle-note", G_CALLBACK (on_note) },
    { "handle-finished", G_CALLBACK (on_finished) },
    { "handle-parked", G_CALLBACK (on_parked) },
    { "handle-failed", G_CALLBACK (on_failed) },
  };
  self->cancellable = g_cancellable_new ();
  self->skeleton = gesso_ipc_client1_skeleton_new ();
  for (guint i = 0; i < G_N_ELEMENTS (handlers); i++)
    g_signal_connect_swapped (self->skeleton, handlers[i].signal, handlers[i].handler, self);
}

GessoWorkerClient *
gesso_worker_client_new (int fd,
                         const GessoWorkerEvents *events,
                         gpointer data,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_return_val_if_fail (fd >= 0 && events, NULL);
  GessoWorkerClient *self = g_object_new (GESSO_TYPE_WORKER_CLIENT, NULL);
  self->events = *events;
  self->data = data;
  gesso_ipc_peer_new (fd, GESSO_IPC_CLIENT, self->cancellable, on_connected_cb,
                      g_task_new (self, NULL, callback, user_data));
  return self;
}

gboolean
gesso_worker_client_connect_finish (GessoWorkerClient *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

void
gesso_worker_client_close (GessoWorkerClient *self)
{
  g_return_if_fail (GESSO_IS_WORKER_CLIENT (self));
  if (self->closed)
    return;
  self->closed = TRUE;
  g_cancellable_cancel (self->cancellable);
  if (self->connection)
    g_dbus_connection_close (self->connection, NULL, NULL, NULL);
}

const char *
gesso_worker_client_get_device (GessoWorkerClient *self)
{
  const char *device = self->proxy ? gesso_ipc_worker1_get_device (self->proxy) : NULL;
  return device ? device : "";
}

const char *
gesso_worker_client_get_backend (GessoWorkerClient *self)
{
  const char *backend = self->proxy ? gesso_ipc_worker1_get_backend (self->proxy) : NULL;
  return backend ? backend : "";
}

void
gesso_worker_client_run (GessoWorkerClient *self,
                         const char *batch,
                         const char *recipe,
                         const char *journal,
                         const GArray *skip,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_return_if_fail (GESSO_IS_WORKER_CLIENT (self) && self->proxy);
  GVariant *indices =
      g_variant_new_fixed_array (G_VARIANT_TYPE_UINT32, skip->data, skip->len, sizeof (guint32));
  gesso_ipc_worker1_call_run (self->proxy, batch, recipe, journal, indices, NULL, callback,
                              user_data);
}

/* The worker's sentence without D-Bus' name of the error before it. */
static gboolean
strip_error (gboolean ok, GError **error)
{
  if (!ok && error && *error)
    g_dbus_error_strip_remote_error (*error);
  return ok;
}

gboolean
gesso_worker_client_run_finish (GessoWorkerClient *self, GAsyncResult *result, GError **error)
{
  return strip_error (gesso_ipc_worker1_call_run_finish (self->proxy, result, error), error);
}

void
gesso_worker_client_park (GessoWorkerClient *self, const char *batch)
{
  g_return_if_fail (GESSO_IS_WORKER_CLIENT (self) && self->proxy);
  gesso_ipc_worker1_call_park (self->proxy, batch, NULL, NULL, NULL);
}

void
gesso_worker_client_cancel (GessoWorkerClient *self, const char *batch)
{
  g_return_if_fail (GESSO_IS_WORKER_CLIENT (self) && self->proxy);
  gesso_ipc_worker1_call_cancel (self->proxy, batch, NULL, NULL, NULL);
}

void
gesso_worker_client_answer (GDBusMethodInvocation *answer, const GError *error)
{
  if (error)
    g_dbus_method_invocation_return_error_literal (answer, G_IO_ERROR, G_IO_ERROR_FAILED,
                                                   error->message);
  else
    g_dbus_method_invocation_return_value (answer, NULL);
}

void
gesso_worker_client_plan (GessoWorkerClient *self,
                          const char *recipe,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_return_if_fail (GESSO_IS_WORKER_CLIENT (self) && self->proxy);
  gesso_ipc_worker1_call_plan (self->proxy, recipe, cancellable, callback, user_data);
}

GVariant *
gesso_worker_client_plan_finish (GessoWorkerClient *self, GAsyncResult *result, GError **error)
{
  GVariant *plan = NULL;
  strip_error (gesso_ipc_worker1_call_plan_finish (self->proxy, &plan, result, error), error);
  return plan;
}

void
gesso_worker_client_ask_to_quit (GessoWorkerClient *self)
{
  g_return_if_fail (GESSO_IS_WORKER_CLIENT (self));
  if (self->proxy && !self->closed)
    gesso_ipc_worker1_call_quit (self->proxy, NULL, NULL, NULL);
}

gboolean
gesso_worker_client_quit (GessoWorkerClient *self, int timeout_ms, GError **error)
{
  g_return_val_if_fail (GESSO_IS_WORKER_CLIENT (self), FALSE);
  if (!self->proxy || self->closed)
    return TRUE;
  g_autoptr (GVariant) reply =
      g_dbus_proxy_call_sync (G_DBUS_PROXY (self->proxy), "Quit", NULL,
                              G_DBUS_CALL_FLAGS_NO_AUTO_START, timeout_ms, NULL, error);
  return reply != NULL;
}
