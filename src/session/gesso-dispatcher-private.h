/* SPDX-License-Identifier: MPL-2.0
 * gesso-dispatcher-private.h - what the two halves of the dispatcher share: what runs next
 * (gesso-dispatcher.c) and what the worker tells about it (gesso-dispatcher-events.c).
 */
#pragma once

#include "session/gesso-dispatcher.h"
#include "session/gesso-forecast.h"
#include "session/gesso-queue-private.h"
#include "session/gesso-queue-store.h"

G_BEGIN_DECLS

typedef enum
{
  PHASE_BEGINNING, /* the database says which batch */
  PHASE_RUNNING,   /* the worker has it */
  PHASE_SETTLING   /* over; the job's new state is being written */
} Phase;

/* The batch that is with the worker. */
typedef struct
{
  GessoJob *job;
  Phase phase;
  GessoBatch *batch; /* NULL while beginning */
  char *name, *journal;
  gboolean accepted;            /* the worker has it: its death may be the job's fault */
  gboolean parking, cancelling; /* told the worker so */
  gboolean save_failed;         /* a picture could not be written: not the job's fault */
  int n_saved;                  /* pictures of this batch */
  GessoBatchClock clock;
} Active;

/* How far the job came that the worker died of. */
typedef struct
{
  gint64 job;
  int batch, step, n_deaths;
} Suspect;

struct _GessoDispatcher
{
  GObject parent_instance;
  GessoQueue *queue;
  GessoDatabase *database;
  GessoResultWriter *writer;
  GessoForecast *forecast;
  GessoSupervisor *supervisor;
  char *journals_dir, *name;
  Active *active;
  Suspect suspect;
  int n_saving; /* pictures on their way to the disk */
  gboolean had_work, closed;
};

/* Returns: NULL unless @name is the batch that is with the worker */
Active *gesso_dispatcher_find_batch (GessoDispatcher *self, const char *name);
/* The active batch is over, and this becomes of its job.  A job that was cancelled stays so, and
 * one whose last picture is on the disk stays done. */
void gesso_dispatcher_settle (GessoDispatcher *self,
                              GessoJobState state,
                              const char *code,
                              const char *sentence);
void gesso_dispatcher_clear_active (GessoDispatcher *self);
/* Does the next batch of @job follow at once? */
gboolean gesso_dispatcher_goes_on (GessoDispatcher *self, GessoJob *job);
/* Makes what runs agree with the list. */
void gesso_dispatcher_arrange (GessoDispatcher *self);

G_END_DECLS
