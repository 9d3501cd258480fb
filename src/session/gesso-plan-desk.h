/* SPDX-License-Identifier: MPL-2.0
 * gesso-plan-desk.h - what a recipe needs, asked of a worker; only the newest question counts.
 */
#pragma once

#include "session/gesso-eta.h"
#include "session/gesso-session.h"
#include "session/gesso-workers.h"

G_BEGIN_DECLS

/* One for each session.  Zero-initialise, then set @workers and @eta. */
typedef struct
{
  GessoWorkers *workers;
  GessoEta *eta;
  GTask *waiting; /* for a worker to be ready */
  GTask *asked;   /* a worker is making it */
} GessoPlanDesk;

/* A question that waits or is being answered ends with G_IO_ERROR_CANCELLED. */
void gesso_plan_desk_ask (GessoPlanDesk *self,
                          gpointer source,
                          const char *recipe,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data);
/* A worker has become ready, or none will. */
void gesso_plan_desk_worker_changed (GessoPlanDesk *self);
void gesso_plan_desk_close (GessoPlanDesk *self);

G_END_DECLS
