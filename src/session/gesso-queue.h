/* SPDX-License-Identifier: MPL-2.0
 * gesso-queue.h - the jobs, in the order in which they will be done; a GListModel of GessoJob.
 *
 * Lives in session.db: a job is on the disk before add_finish returns.  Several jobs run at once
 * where there are several devices.  The list holds the running and waiting jobs first, in order,
 * then the ended ones, newest first.  Every change is written on the database's thread; the list
 * changes when the write is done.  Main thread only.
 *
 * Signals: "picture" (GessoJob, int index, string path: saved and on the disk), "job-ended"
 * (GessoJob), "drained" (nothing left to do), "failed" (string: the queue itself could not be
 * written, in one sentence).
 */
#pragma once

#include "session/gesso-job.h"

G_BEGIN_DECLS

#define GESSO_TYPE_QUEUE (gesso_queue_get_type ())
G_DECLARE_FINAL_TYPE (GessoQueue, gesso_queue, GESSO, QUEUE, GObject)

typedef enum
{
  GESSO_QUEUE_LAST,
  GESSO_QUEUE_NEXT, /* after those that run */
  GESSO_QUEUE_NOW   /* unless a device is free, the last of the running batches parks at its next
                       step and goes on afterwards */
} GessoQueuePlace;

/* @recipes: NULL-terminated JSON texts, one job each (a grid or a file of prompts makes several).
 */
void gesso_queue_add_async (GessoQueue *self,
                            const char *const *recipes,
                            GessoQueuePlace place,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data);
/* Returns: the new jobs' ids (gint64), or NULL with @error. */
GArray *gesso_queue_add_finish (GessoQueue *self, GAsyncResult *result, GError **error);

/* The rest do what they say or emit "failed". */
void gesso_queue_edit (GessoQueue *self, GessoJob *job, const char *recipe); /* waiting jobs only */
void gesso_queue_duplicate (GessoQueue *self, GessoJob *job);
/* Before @before, or last when NULL.  Only jobs that have not begun or are parked.  The first jobs
 * of the list are those that run: before a running one means GESSO_QUEUE_NOW. */
void gesso_queue_move (GessoQueue *self, GessoJob *job, GessoJob *before);
void gesso_queue_put_first (GessoQueue *self, GessoJob *job); /* as GESSO_QUEUE_NOW */
void gesso_queue_cancel (GessoQueue *self, GessoJob *job);
void gesso_queue_cancel_all (GessoQueue *self);
void gesso_queue_retry (GessoQueue *self,
                        GessoJob *job); /* failed or cancelled: goes on from its journal */
void gesso_queue_remove (GessoQueue *self,
                         GessoJob *job); /* of an ended job: from the list, not its pictures */
void gesso_queue_remove_ended (GessoQueue *self);

/* Property "paused": what runs parks and nothing begins.  Kept over restarts. */
void gesso_queue_set_paused (GessoQueue *self, gboolean paused);
gboolean gesso_queue_get_paused (GessoQueue *self);
/* Properties "n-waiting" (int: running, parked and waiting jobs), "eta" (double: seconds for all of
 * them, -1 when not known), "fraction" (double: of the pictures asked for since it was last empty),
 * "running" (GessoJob or NULL: the one to look at, of those that run the one that began last, or
 * the one that gesso_queue_watch() chose). */
int gesso_queue_get_n_waiting (GessoQueue *self);
double gesso_queue_get_eta (GessoQueue *self);
double gesso_queue_get_fraction (GessoQueue *self);
GessoJob *gesso_queue_get_running (GessoQueue *self);
int gesso_queue_get_n_running (GessoQueue *self); /* "running" is notified when it changes */
void gesso_queue_watch (GessoQueue *self, GessoJob *job); /* as long as it runs */
GessoJob *gesso_queue_find (GessoQueue *self, gint64 id);

G_END_DECLS
