/* SPDX-License-Identifier: MPL-2.0 */
#include "ipc/errors.h"

#define PREFIX "io.github.gesso_studio.Gesso.Error."

static const GDBusErrorEntry entries[] = {
  { GESSO_IPC_ERROR_BUSY, PREFIX "Busy" },
  { GESSO_IPC_ERROR_CANCELLED, PREFIX "Cancelled" },
  { GESSO_IPC_ERROR_NO_MEMORY, PREFIX "NoMemory" },
  { GESSO_IPC_ERROR_IO, PREFIX "Io" },
  { GESSO_IPC_ERROR_FORMAT, PREFIX "Format" },
  { GESSO_IPC_ERROR_NOT_FOUND, PREFIX "NotFound" },
  { GESSO_IPC_ERROR_UNSUPPORTED, PREFIX "Unsupported" },
  { GESSO_IPC_ERROR_ARGUMENT, PREFIX "Argument" },
  { GESSO_IPC_ERROR_INTERNAL, PREFIX "Internal" },
};

static const char *const code_names[] = {
  [GESSO_IPC_ERROR_BUSY] = "busy",
  [GESSO_IPC_ERROR_CANCELLED] = "cancelled",
  [GESSO_IPC_ERROR_NO_MEMORY] = "no-memory",
  [GESSO_IPC_ERROR_IO] = "io",
  [GESSO_IPC_ERROR_FORMAT] = "format",
  [GESSO_IPC_ERROR_NOT_FOUND] = "not-found",
  [GESSO_IPC_ERROR_UNSUPPORTED] = "unsupported",
  [GESSO_IPC_ERROR_ARGUMENT] = "argument",
  [GESSO_IPC_ERROR_INTERNAL] = "internal",
};

G_STATIC_ASSERT (G_N_ELEMENTS (entries) == G_N_ELEMENTS (code_names));

GQuark
gesso_ipc_error_quark (void)
{
  static gsize quark;
  g_dbus_error_register_error_domain ("gesso-ipc-error-quark", &quark, entries,
                                      G_N_ELEMENTS (entries));
  return (GQuark) quark;
}

const char *
gesso_ipc_error_code_name (GessoIpcError code)
{
  g_return_val_if_fail ((gsize) code < G_N_ELEMENTS (code_names), "internal");
  return code_names[code];
}

GessoIpcError
gesso_ipc_error_from_code_name (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (code_names); i++)
    if (g_strcmp0 (code_names[i], name) == 0)
      return (GessoIpcError) i;
  return GESSO_IPC_ERROR_INTERNAL;
}
