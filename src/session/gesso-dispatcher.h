/* SPDX-License-Identifier: MPL-2.0
 * gesso-dispatcher.h - which batches run, and what becomes of them.
 *
 * One rule decides: n workers run the first n live jobs of the list, batch after batch, and the
 * first that is free takes the next job.  Putting a job first, reordering, pausing and cancelling
 * only change the list; the dispatcher then parks or cancels what runs and begins what is in front.
 * A worker has at most one batch, a job is with at most one worker, and none is begun while a
 * picture of it is still being written, so that no picture is asked for twice.
 *
 * A batch that runs is interrupted only for a job that stands before it: workers that have stopped
 * count as if they worked, so that nothing is parked because another worker died.  Between two
 * batches only those count that live.  A job that needs more memory than one device has goes to
 * another, where there is one.
 *
 * The database says which batch is next (gesso_store_begin_batch), never this object's memory: so a
 * batch is the same after a death of the worker, of the window, or of both.
 */
#pragma once

#include "session/gesso-eta.h"
#include "session/gesso-queue.h"
#include "session/gesso-result.h"
#include "session/gesso-workers.h"

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
/* Events of the workers, with the dispatcher as data. */
const GessoWorkerEvents *gesso_dispatcher_get_events (void);
/* @workers: borrowed until the dispatcher is closed */
void gesso_dispatcher_set_workers (GessoDispatcher *self, GessoWorkers *workers);
/* A worker is ready, or is not any more, or is to go. */
void gesso_dispatcher_workers_changed (GessoDispatcher *self);
/* @number: of the worker; @sentence: why, for a job that cannot go on */
void gesso_dispatcher_worker_died (GessoDispatcher *self, int number, const char *sentence);
/* Nothing has begun until now. */
void gesso_dispatcher_begin (GessoDispatcher *self);
/* Nothing begins from now on. */
void gesso_dispatcher_close (GessoDispatcher *self);

G_END_DECLS
