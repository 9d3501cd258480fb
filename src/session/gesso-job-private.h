/* SPDX-License-Identifier: MPL-2.0
 * gesso-job-private.h - what only the queue and the dispatcher do to a job.  Main thread only.
 */
#pragma once

#include "session/gesso-job.h"

G_BEGIN_DECLS

/* One row of the table jobs, as it travels between the database's thread and the main thread. */
typedef struct
{
  gint64 id;
  double position;
  GessoJobState state;
  char *recipe, *title;
  int n_pictures, batch_size, n_done;
  char *error_code, *error, *note, *last_picture;
  gint64 created, finished; /* Unix time, us */
  char *work;               /* gesso-eta.h's key, and the steps of a batch */
  int steps;
} GessoJobRow;
void gesso_job_row_free (GessoJobRow *row);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoJobRow, gesso_job_row_free)

const char *gesso_job_state_name (GessoJobState state); /* "waiting", as in the database */
GessoJobState gesso_job_state_from_name (const char *name);
gboolean gesso_job_state_is_ended (GessoJobState state);

GessoJob *gesso_job_new (const GessoJobRow *row);
/* Everything again from the row: after an edit. */
void gesso_job_set_row (GessoJob *self, const GessoJobRow *row);

double gesso_job_get_position (GessoJob *self);
void gesso_job_set_position (GessoJob *self, double position);
int gesso_job_get_batch_size (GessoJob *self);
gint64 gesso_job_get_finished (GessoJob *self);
const GessoJobRow *gesso_job_peek_row (GessoJob *self);
double gesso_job_get_batch_fraction (GessoJob *self);

/* Clears progress and preview when the job does not run any more. */
void gesso_job_set_state (GessoJob *self, GessoJobState state, gint64 finished);
void gesso_job_set_failure (GessoJob *self, const char *code, const char *sentence);
void gesso_job_set_note (GessoJob *self, const char *sentence);
/* @batch_fraction: of the running batch, 0 .. 1 */
void gesso_job_set_progress (
    GessoJob *self, const char *phase, int step, int n_steps, double batch_fraction);
void gesso_job_set_eta (GessoJob *self, double eta, double wait_before);
void gesso_job_set_preview (GessoJob *self, const GessoFrame *frame);
void gesso_job_add_picture (GessoJob *self, const char *path, int n_done);

G_END_DECLS
