/* SPDX-License-Identifier: MPL-2.0
 * gesso-dispatcher.h - which batch runs, and what becomes of it.
 *
 * One rule decides: the worker runs the first live job of the list, batch after batch.  Putting a
 * job first, reordering, pausing and cancelling only change the list; the dispatcher then parks or
 * cancels what runs and begins what is first.  At most one batch is with the worker, and none is
 * begun while a picture is still being written, so that no picture is asked for twice.
 *
 * The database says which batch is next (gesso_store_begin_batch), never this object's memory: so a
 * batch is the same after a death of the worker, of the window, or of both.
 */
#pragma once

#include "session/gesso-eta.h"
#include "session/gesso-queue.h"
#include "session/gesso-result.h"
#include "session/gesso-supervisor.h"

G_BEGIN_DECLS

#define GESSO_TYPE_DISPATCHER (gesso_dispatcher_get_type ())
G_DECLARE_FINAL_TYPE (GessoDispatcher, gesso_dispatcher, GESSO, DISPATCHER, GObject)

/* gesso_dispatcher_new:
 * @name: of this database, in the names of batches: a database made anew counts from 1 again
 * @writer, @eta: borrowed; outlive the dispatcher's last event
 */
GessoDispatcher *gesso_dispatcher_new (GessoQueue *queue,
                                       GessoDatabase *database,
                                       GessoResultWriter *writer,
                                       GessoEta *eta,
                                       const char *journals_dir,
                                       const char *name);
/* Events of the worker, with the dispatcher as data. */
const GessoWorkerEvents *gesso_dispatcher_get_events (void);
void gesso_dispatcher_set_supervisor (GessoDispatcher *self, GessoSupervisor *supervisor);
/* The worker is ready, or is not any more. */
void gesso_dispatcher_worker_changed (GessoDispatcher *self);
/* @sentence: why, for a job that cannot go on */
void gesso_dispatcher_worker_died (GessoDispatcher *self, const char *sentence);
/* Nothing begins from now on. */
void gesso_dispatcher_close (GessoDispatcher *self);

G_END_DECLS
