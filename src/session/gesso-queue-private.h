/* SPDX-License-Identifier: MPL-2.0
 * gesso-queue-private.h - what the session and the dispatcher do to the queue.  Main thread only.
 */
#pragma once

#include "library/gesso-database.h"
#include "session/gesso-job-private.h"
#include "session/gesso-queue.h"

G_BEGIN_DECLS

/* @rows: of gesso_store_load(); borrowed */
GessoQueue *gesso_queue_new (GessoDatabase *database, const GPtrArray *rows, gboolean paused);
/* The dispatcher: called after every change that may matter to what runs. */
void gesso_queue_set_watcher (GessoQueue *self, void (*changed) (gpointer data), gpointer data);

/* Returns: the first job of the list, whether it runs or not; NULL for none */
GessoJob *gesso_queue_peek_first (GessoQueue *self);
/* The live jobs, in order. */
const GPtrArray *gesso_queue_peek_live (GessoQueue *self);
/* A worker has the job, from the first of its batches that follow each other to the last. */
void gesso_queue_set_running (GessoQueue *self, GessoJob *job);
void gesso_queue_unset_running (GessoQueue *self, GessoJob *job);
gboolean gesso_queue_is_running (GessoQueue *self, GessoJob *job);
void gesso_queue_set_eta (GessoQueue *self, double eta);
void gesso_queue_notify_fraction (GessoQueue *self);

/* What a transaction did to a job: the list follows; "job-ended" when it ended by that. */
void gesso_queue_apply_row (GessoQueue *self, const GessoJobRow *row);
/* The job's picture is on the disk. */
void
gesso_queue_add_picture (GessoQueue *self, GessoJob *job, int index, const char *path, int n_done);
/* Something that stops every job, in one sentence: pauses and emits "failed". */
void gesso_queue_stop (GessoQueue *self, const char *sentence);
void gesso_queue_emit_drained (GessoQueue *self);

/* For gesso-queue-actions.c. */
GessoDatabase *gesso_queue_get_database (GessoQueue *self);
void gesso_queue_insert_rows (GessoQueue *self, const GPtrArray *rows);
/* @moved: the job whose place changed; other jobs may have new numbers, but in the same order */
void gesso_queue_apply_positions (GessoQueue *self, const GArray *positions, gint64 moved);
void gesso_queue_drop_job (GessoQueue *self, gint64 id);
void gesso_queue_drop_ended (GessoQueue *self);
void gesso_queue_cancel_live (GessoQueue *self, gint64 finished);
void gesso_queue_emit_failed (GessoQueue *self, const char *sentence);

G_END_DECLS
