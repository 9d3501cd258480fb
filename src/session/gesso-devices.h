/* SPDX-License-Identifier: MPL-2.0
 * gesso-devices.h - what can compute on this machine, asked of a gesso-worker of its own.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct
{
  char *name;           /* for gesso_session_set_backends(): "cpu", "cuda:0"; NULL: not usable */
  char *title;          /* for the user; of what is not usable, why */
  guint64 memory_bytes; /* of a card; 0: the machine's own */
} GessoDevice;
void gesso_device_free (GessoDevice *device);
gboolean gesso_device_is_card (const char *name);

/* gesso_devices_list_async:
 * @program: gesso-worker, which ends when it has told; a driver that crashes takes nothing along
 */
void gesso_devices_list_async (const char *program,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
/* Returns: (transfer full): of GessoDevice, cards first; NULL with @error */
GPtrArray *gesso_devices_list_finish (GAsyncResult *result, GError **error);

G_END_DECLS
