/* SPDX-License-Identifier: MPL-2.0
 * gesso-supervisor.h - keeps one worker process alive.
 *
 * A worker that dies is started again, at most once in the restart delay; after three deaths
 * without a finished step between them the supervisor stops and says so.
 *
 * Two workers never run for one data folder, not even when the window was killed and its worker has
 * not noticed yet: the worker inherits the lock of worker.lock as fd 4, and the next one is started
 * when that lock is free.  A worker that keeps it too long is killed.
 */
#pragma once

#include "session/gesso-session.h"
#include "session/gesso-worker-client.h"

G_BEGIN_DECLS

typedef struct
{
  void (*state) (gpointer data, GessoWorkerState state);
  void (*died) (gpointer data, const char *sentence);
} GessoSupervisorEvents;

#define GESSO_TYPE_SUPERVISOR (gesso_supervisor_get_type ())
G_DECLARE_FINAL_TYPE (GessoSupervisor, gesso_supervisor, GESSO, SUPERVISOR, GObject)

/* @backend: NULL for the best.  Nothing is started before gesso_supervisor_start(). */
GessoSupervisor *gesso_supervisor_new (const char *program,
                                       const char *backend,
                                       const char *data_dir,
                                       int restart_delay_ms,
                                       const GessoSupervisorEvents *events,
                                       const GessoWorkerEvents *worker_events,
                                       gpointer data);
void gesso_supervisor_start (GessoSupervisor *self); /* also after it stopped */
GessoWorkerState gesso_supervisor_get_state (GessoSupervisor *self);
/* Returns: NULL unless the state is READY */
GessoWorkerClient *gesso_supervisor_get_client (GessoSupervisor *self);
/* A step was finished: deaths before it do not count any more. */
void gesso_supervisor_note_step (GessoSupervisor *self);
/* Blocking: the worker parks and ends; it is killed when that takes longer than a few seconds. */
void gesso_supervisor_close (GessoSupervisor *self);

G_END_DECLS
