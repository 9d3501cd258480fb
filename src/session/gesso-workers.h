/* SPDX-License-Identifier: MPL-2.0
 * gesso-workers.h - the workers of a session: one process a device, each with its own supervisor.
 *
 * Each has a number, which it keeps: of its files, and for who gives it batches.  Which devices
 * there are, and what they may take, may change while they work: a worker that is to go, or to
 * start anew, takes no more batches, and ends when note_idle() says that it has nothing to do.
 * Main thread only.
 */
#pragma once

#include "session/gesso-supervisor.h"

G_BEGIN_DECLS

enum
{
  GESSO_MAX_WORKERS = 16
};

typedef struct
{
  void (*changed) (gpointer data); /* a worker's state, or which workers there are */
  void (*died) (gpointer data, int number, const char *sentence);
} GessoWorkersEvents;

#define GESSO_TYPE_WORKERS (gesso_workers_get_type ())
G_DECLARE_FINAL_TYPE (GessoWorkers, gesso_workers, GESSO, WORKERS, GObject)

GessoWorkers *gesso_workers_new (const char *program,
                                 const char *data_dir,
                                 int restart_delay_ms,
                                 const GessoWorkersEvents *events,
                                 gpointer data,
                                 const GessoWorkerEvents *worker_events,
                                 gpointer worker_data);

/* gesso_workers_set_backends:
 * @backends: names with commas between them, one worker each: "cuda:0,cuda:1"; NULL for all cards
 *   that can be used, or the CPU where there is none
 *
 * Workers that are there already stay; the others start, or go once they are idle.
 */
void gesso_workers_set_backends (GessoWorkers *self, const char *backends);
/* What each card's worker may take of its memory; 0: all but a reserve.  It starts anew for that,
 * once it is idle. */
void gesso_workers_set_vram_limit (GessoWorkers *self, int limit_mib);
/* Those that have stopped start again. */
void gesso_workers_restart (GessoWorkers *self);

/* Is any of them for a card? */
gboolean gesso_workers_have_card (GessoWorkers *self);
/* Returns: how many there are that stay; @alive: not those that have stopped */
int gesso_workers_count (GessoWorkers *self, gboolean alive);
/* Returns: NULL unless worker @number is ready; also while it is about to go */
GessoWorkerClient *gesso_workers_get_client (GessoWorkers *self, int number);
/* Returns: NULL unless one is ready */
GessoWorkerClient *gesso_workers_get_any_client (GessoWorkers *self);
/* FALSE for a number that no worker has, and for a worker that is about to go or to start anew. */
gboolean gesso_workers_takes_batches (GessoWorkers *self, int number);
/* FALSE for a number that no worker has, and for a worker that is about to go. */
gboolean gesso_workers_stays (GessoWorkers *self, int number);
/* It stays and has not stopped. */
gboolean gesso_workers_is_alive (GessoWorkers *self, int number);
/* A step was finished: deaths before it do not count any more. */
void gesso_workers_note_step (GessoWorkers *self, int number);
/* The worker has no batch. */
void gesso_workers_note_idle (GessoWorkers *self, int number);

/* READY when any is, else the best of the others'. */
GessoWorkerState gesso_workers_get_state (GessoWorkers *self);
/* STOPPED when any is, else the worst of the others'. */
GessoWorkerState gesso_workers_get_worst_state (GessoWorkers *self);
/* Returns: what computes, for the user, one line each; free with g_free */
char *gesso_workers_dup_devices (GessoWorkers *self);

/* Blocking: all park and end; see gesso_supervisor_close(). */
void gesso_workers_close (GessoWorkers *self);

G_END_DECLS
