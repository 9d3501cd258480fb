/* SPDX-License-Identifier: MPL-2.0
 * gesso-queue-pane.h - the queue: every job with its progress and everything that can be done to
 * it.
 */
#pragma once

#include <adwaita.h>

#include "library/gesso-library.h"
#include "session/gesso-queue.h"

G_BEGIN_DECLS

#define GESSO_TYPE_QUEUE_PANE (gesso_queue_pane_get_type ())
G_DECLARE_FINAL_TYPE (GessoQueuePane, gesso_queue_pane, GESSO, QUEUE_PANE, AdwBin)

/* Its buttons, menus and keys activate the actions of gesso-job-actions.h under "win". */
GtkWidget *gesso_queue_pane_new (GessoQueue *queue, GessoLibrary *library);
GessoJob *gesso_queue_pane_get_selected (GessoQueuePane *self);
void gesso_queue_pane_select (GessoQueuePane *self, guint position);
/* Entries for what can be done to @job now. */
GMenuModel *gesso_queue_pane_new_menu (GessoJob *job);
/* Rows made and filled: those in view. */
guint gesso_queue_pane_get_n_rows (GessoQueuePane *self);

G_END_DECLS
