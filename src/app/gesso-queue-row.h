/* SPDX-License-Identifier: MPL-2.0
 * gesso-queue-row.h - one job in the queue pane.
 */
#pragma once

#include <adwaita.h>

#include "library/gesso-library.h"
#include "session/gesso-queue.h"

G_BEGIN_DECLS

#define GESSO_TYPE_QUEUE_ROW (gesso_queue_row_get_type ())
G_DECLARE_FINAL_TYPE (GessoQueueRow, gesso_queue_row, GESSO, QUEUE_ROW, AdwBin)

/* Signals: "menu" (double x, double y): the context menu was asked for;
 * "moved" (GessoJob dropped, boolean after): another job was dropped on this one. */
GtkWidget *gesso_queue_row_new (GessoLibrary *library);
void gesso_queue_row_set_job (GessoQueueRow *self, GessoJob *job); /* NULL: unbound */
GessoJob *gesso_queue_row_get_job (GessoQueueRow *self);
/* @section: the heading above this row, NULL for none */
void gesso_queue_row_set_section (GessoQueueRow *self, const char *section);

G_END_DECLS
