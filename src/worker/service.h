/* SPDX-License-Identifier: MPL-2.0
 * service.h - Worker1 on one connection: answers on the main thread, runs batches on another.
 *
 * Signal "ended": everything that ran has ended, and the client was told.
 */
#pragma once

#include <gio/gio.h>

#include "backend/backend.h"

G_BEGIN_DECLS

#define GESSO_TYPE_SERVICE (gesso_service_get_type ())
G_DECLARE_FINAL_TYPE (GessoService, gesso_service, GESSO, SERVICE, GObject)

typedef struct
{
  Backend *backend;      /* borrowed; outlives the service */
  Backend *plan_backend; /* taken */
  const char *device;    /* for the user */
  const char *data_dir;  /* path_data_dir */
} GessoServiceOptions;

/* gesso_service_new:
 * @connection: its messages begin to be processed
 */
GessoService *
gesso_service_new (GDBusConnection *connection, const GessoServiceOptions *options, GError **error);

/* gesso_service_quit:
 *
 * Parks a running batch within an operator, then emits "ended".  Also happens by itself when the
 * client asks for it or is gone.  More than once does no harm.
 */
void gesso_service_quit (GessoService *self);

G_END_DECLS
