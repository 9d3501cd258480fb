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

/* A batch that is with a worker. */
typedef struct
{
  int worker; /* its number */
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

/* What a live job has been through: how far it came when a worker died of it, and the workers whose
 * device was too small. */
typedef struct
{
  gint64 job; /* the table's key */
  int batch, step, n_deaths;
  guint32 too_small; /* a bit for each worker's number */
} Record;

struct _GessoDispatcher
{
  GObject parent_instance;
  GessoQueue *queue;
  GessoDatabase *database;
  GessoResultWriter *writer;
  GessoForecast *forecast;
  GessoWorkers *workers;
  char *journals_dir, *name;
  Active *active[GESSO_MAX_WORKERS]; /* by the worker's number */
  GHashTable *records;               /* of Record */
  GPtrArray *saving; /* of GessoJob, borrowed: one for each picture on its way to the disk */
  gboolean had_work, begun, closed;
};

/* Returns: NULL unless @name is a batch that is with a worker */
Active *gesso_dispatcher_find_batch (GessoDispatcher *self, const char *name);
/* Made when there is none yet. */
Record *gesso_dispatcher_get_record (GessoDispatcher *self, GessoJob *job);
/* The batch is over, and this becomes of its job.  A job that was cancelled stays so, and one whose
 * last picture is on the disk stays done. */
void gesso_dispatcher_settle (GessoDispatcher *self,
                              Active *active,
                              GessoJobState state,
                              const char *code,
                              const char *sentence);
/* The batch is over; the same worker begins the job's next. */
void gesso_dispatcher_begin_next (GessoDispatcher *self, Active *active);
/* Does the job's next batch follow at once, with the same worker? */
gboolean gesso_dispatcher_goes_on (GessoDispatcher *self, const Active *active);
/* Is a picture of @job on its way to the disk? */
gboolean gesso_dispatcher_is_saving (GessoDispatcher *self, GessoJob *job);
/* Is there another worker for the job, whose device may be large enough? */
gboolean gesso_dispatcher_has_other (GessoDispatcher *self, GessoJob *job, int worker);
/* Makes what runs agree with the list. */
void gesso_dispatcher_arrange (GessoDispatcher *self);

G_END_DECLS
