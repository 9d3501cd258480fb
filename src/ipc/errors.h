/* SPDX-License-Identifier: MPL-2.0
 * errors.h - what a call to the worker fails with; the message is a sentence for the user.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* In the order of their names, of which the short form is also Client1.Failed's code. */
typedef enum
{
  GESSO_IPC_ERROR_BUSY, /* a batch is running already */
  GESSO_IPC_ERROR_CANCELLED,
  GESSO_IPC_ERROR_NO_MEMORY,
  GESSO_IPC_ERROR_IO,
  GESSO_IPC_ERROR_FORMAT,
  GESSO_IPC_ERROR_NOT_FOUND,
  GESSO_IPC_ERROR_UNSUPPORTED,
  GESSO_IPC_ERROR_ARGUMENT,
  GESSO_IPC_ERROR_INTERNAL
} GessoIpcError;

/* Both ends know the domain by its D-Bus names, "io.github.gesso_studio.Gesso.Error.Busy", ...;
 * after g_dbus_error_strip_remote_error() the message is the sentence alone. */
#define GESSO_IPC_ERROR (gesso_ipc_error_quark ())
GQuark gesso_ipc_error_quark (void);

/* "busy", "cancelled", "no-memory", "io", ... */
const char *gesso_ipc_error_code_name (GessoIpcError code);
/* Returns: INTERNAL for a name that is not known */
GessoIpcError gesso_ipc_error_from_code_name (const char *name);

G_END_DECLS
