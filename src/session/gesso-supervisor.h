/* SPDX-License-Identifier: MPL-2.0
 * gesso-supervisor.h - keeps one worker process alive.
 *
 * A worker that dies is started again, at most once in the restart delay; after three deaths
 * without a finished step between them the supervisor stops and says so.  One that ends with a
 * sentence before it was ever ready is not started again: the sentence is what the user is told.
 *
 * The worker inherits the session's lock as fd 4 (gesso-worker-lock.h).  Where an earlier session's
 * workers have it still, they are waited for, and killed when they keep it too long.
 */
#pragma once

#include "session/gesso-session.h"
#include "session/gesso-worker-client.h"
#include "session/gesso-worker-lock.h"

G_BEGIN_DECLS

typedef struct
{
  void (*state) (gpointer data, GessoWorkerState state);
  void (*died) (gpointer data, const char *sentence);
} GessoSupervisorEvents;

#define GESSO_TYPE_SUPERVISOR (gesso_supervisor_get_type ())
G_DECLARE_FINAL_TYPE (GessoSupervisor, gesso_supervisor, GESSO, SUPERVISOR, GObject)

typedef struct
{
  const char *program, *backend, *data_dir;
  int number; /* of the worker, from 0: its files' names */
  int restart_delay_ms;
  int vram_limit_mib;    /* 0 for none */
  GessoWorkerLock *lock; /* borrowed */
  const GessoSupervisorEvents *events;
  gpointer data; /* of @events */
  const GessoWorkerEvents *worker_events;
  gpointer worker_data;
} GessoSupervisorOptions;

/* Nothing is started before gesso_supervisor_start(). */
GessoSupervisor *gesso_supervisor_new (const GessoSupervisorOptions *options);
void gesso_supervisor_start (GessoSupervisor *self); /* also after it stopped */
/* The worker is asked to end, and nobody is told that it died.  STOPPED, once it has ended. */
void gesso_supervisor_end (GessoSupervisor *self);
GessoWorkerState gesso_supervisor_get_state (GessoSupervisor *self);
/* Returns: NULL unless the state is READY */
GessoWorkerClient *gesso_supervisor_get_client (GessoSupervisor *self);
/* A step was finished: deaths before it do not count any more. */
void gesso_supervisor_note_step (GessoSupervisor *self);
/* Blocking: the worker parks and ends; it is killed when that takes longer than a few seconds. */
void gesso_supervisor_close (GessoSupervisor *self);

G_END_DECLS
