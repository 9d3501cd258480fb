/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/edge.h"

static GessoIpcError
error_code (StatusCode code)
{
  switch (code)
    {
    case STATUS_NO_MEMORY:
      return GESSO_IPC_ERROR_NO_MEMORY;
    case STATUS_IO:
      return GESSO_IPC_ERROR_IO;
    case STATUS_FORMAT:
      return GESSO_IPC_ERROR_FORMAT;
    case STATUS_UNSUPPORTED:
      return GESSO_IPC_ERROR_UNSUPPORTED;
    case STATUS_NOT_FOUND:
      return GESSO_IPC_ERROR_NOT_FOUND;
    case STATUS_ARGUMENT:
      return GESSO_IPC_ERROR_ARGUMENT;
    case STATUS_CANCELLED:
      return GESSO_IPC_ERROR_CANCELLED;
    case STATUS_OK:
    case STATUS_SHAPE:
    case STATUS_PLAN:
      break;
    }
  return GESSO_IPC_ERROR_INTERNAL;
}

char *
edge_sentence (const char *text)
{
  char *valid = g_utf8_make_valid (text, -1);
  for (char *p = valid; *p; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
  return valid;
}

GError *
edge_error (const Status *status)
{
  g_return_val_if_fail (!status_ok (status), NULL);
  g_autofree char *sentence = edge_sentence (status->message);
  return g_error_new_literal (GESSO_IPC_ERROR, (gint) error_code (status->code), sentence);
}
