/* SPDX-License-Identifier: MPL-2.0
 * client-link.h - one batch's events as calls to the client, in order; what it has answered.
 *
 * Made and freed anywhere, called from the thread that runs the batch; answers arrive on the main
 * context.
 */
#pragma once

#include "ipc/gesso-ipc.h"
#include "worker/runner.h"

G_BEGIN_DECLS

typedef struct ClientLink ClientLink;

/* @control: of the batch; outlives the link's use by runner_run */
ClientLink *client_link_new (GessoIpcClient1 *client, const char *batch, BatchControl *control);
void client_link_unref (ClientLink *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ClientLink, client_link_unref)

RunnerEvents client_link_events (ClientLink *link);
/* The last word about a batch. */
void client_link_end (ClientLink *link, RunnerEnd end, int step, const Status *status);

G_END_DECLS
