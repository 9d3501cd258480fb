/* SPDX-License-Identifier: MPL-2.0
 * gesso-worker-client.h - our end of the socket to one worker process.
 *
 * Exports Client1 and calls Worker1 (src/ipc/gesso-worker.xml).  Main thread only; nothing blocks.
 */
#pragma once

#include "session/gesso-job.h"

G_BEGIN_DECLS

/* What the worker tells.  @batch is as it was given to Run. */
typedef struct
{
  void (*progress) (
      gpointer data, const char *batch, const char *phase, int done, int total, double eta);
  void (*preview) (gpointer data, const char *batch, int step, const GessoFrame *frame);
  /* Answer with gesso_worker_client_answer(); @answer is the receiver's. */
  void (*picture) (gpointer data,
                   const char *batch,
                   int index,
                   const GessoFrame *frame,
                   const char *recipe,
                   GDBusMethodInvocation *answer);
  /* The same of a clip: @path is a file that the receiver moves away before it answers. */
  void (*clip) (gpointer data,
                const char *batch,
                int index,
                const GessoFrame *frame,
                const char *recipe,
                const char *path,
                GDBusMethodInvocation *answer);
  void (*note) (gpointer data, const char *batch, const char *sentence);
  void (*finished) (gpointer data, const char *batch);
  void (*parked) (gpointer data, const char *batch, int step);
  void (*failed) (gpointer data, const char *batch, const char *code, const char *sentence);
} GessoWorkerEvents;

#define GESSO_TYPE_WORKER_CLIENT (gesso_worker_client_get_type ())
G_DECLARE_FINAL_TYPE (GessoWorkerClient, gesso_worker_client, GESSO, WORKER_CLIENT, GObject)

/* gesso_worker_client_new:
 * @fd: our end of the socketpair; taken
 *
 * The worker is greeted when the main loop runs: gesso_worker_client_connect_finish() in @callback.
 */
GessoWorkerClient *gesso_worker_client_new (int fd,
                                            const GessoWorkerEvents *events,
                                            gpointer data,
                                            GAsyncReadyCallback callback,
                                            gpointer user_data);
gboolean
gesso_worker_client_connect_finish (GessoWorkerClient *self, GAsyncResult *result, GError **error);
/* The signal "closed" tells that the worker has hung up, by whatever way it went; not that
 * gesso_worker_client_close() did. */
/* No event arrives from now on; the connection is closed, which ends the worker. */
void gesso_worker_client_close (GessoWorkerClient *self);

const char *gesso_worker_client_get_device (GessoWorkerClient *self); /* "" while not connected */
const char *gesso_worker_client_get_backend (GessoWorkerClient *self);

/* @skip: of guint32.  @callback gets an error when the worker refused; then no event follows. */
void gesso_worker_client_run (GessoWorkerClient *self,
                              const char *batch,
                              const char *recipe,
                              const char *journal,
                              const GArray *skip,
                              GAsyncReadyCallback callback,
                              gpointer user_data);
gboolean
gesso_worker_client_run_finish (GessoWorkerClient *self, GAsyncResult *result, GError **error);
void gesso_worker_client_park (GessoWorkerClient *self, const char *batch);
void gesso_worker_client_cancel (GessoWorkerClient *self, const char *batch);
/* @error: NULL when the picture is safe on the disk; else the sentence for the user */
void gesso_worker_client_answer (GDBusMethodInvocation *answer, const GError *error);

void gesso_worker_client_plan (GessoWorkerClient *self,
                               const char *recipe,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
/* Returns: a{sv} as in the interface */
GVariant *
gesso_worker_client_plan_finish (GessoWorkerClient *self, GAsyncResult *result, GError **error);

/* Before gesso_worker_client_quit(), where several workers end at once. */
void gesso_worker_client_ask_to_quit (GessoWorkerClient *self);
/* Blocking, for the program's end: the worker parks and ends, at most @timeout_ms from now. */
gboolean gesso_worker_client_quit (GessoWorkerClient *self, int timeout_ms, GError **error);

G_END_DECLS
