/* SPDX-License-Identifier: MPL-2.0
 * gesso-eta.h - how long jobs take on this machine, from what was measured.
 *
 * A key names what the time of a step depends on: model, size, batch size, sampler, device.  For
 * each key exponentially weighted means are kept of a step and of everything else of a batch (text,
 * decode) except loading the model, which depends on what ran before.  Clockless: the caller
 * measures, so that tests can say what the time was.  Main thread only, but for the functions with
 * a sqlite3.
 */
#pragma once

#include "recipe/recipe.h"
#include "session/gesso-sql.h"

G_BEGIN_DECLS

typedef struct _GessoEta GessoEta;
GessoEta *gesso_eta_new (void);
void gesso_eta_free (GessoEta *self);

typedef struct
{
  double step_seconds, rest_seconds; /* step: of the recipe's, which a clip's windows all have */
  int n_steps;                       /* that a recipe with steps = 0, "the model's own", has */
} GessoTimes;

/* What a recipe says about its time. */
typedef struct
{
  const char *key; /* without the device; borrowed */
  int steps;       /* that will be done; 0 = the model's own */
  int batch_count;
} GessoWork;
char *gesso_work_dup_key (const Recipe *recipe);
int gesso_work_steps (const Recipe *recipe);

/* gesso_eta_observe: one batch was measured.  @step_seconds: of each of @n_steps, of all windows
 * @times: receives what is to be stored for the key
 * Returns: FALSE when the numbers are none of a whole batch and nothing changed */
gboolean gesso_eta_observe (GessoEta *self,
                            const char *device,
                            const GessoWork *work,
                            double step_seconds,
                            double rest_seconds,
                            int n_steps,
                            GessoTimes *times);
/* What the worker has estimated for all batches; used until something was measured. */
void gesso_eta_suggest (GessoEta *self, const char *device, const GessoWork *work, double seconds);
/* Returns: seconds for one batch; -1 when not known */
double gesso_eta_batch (GessoEta *self, const char *device, const GessoWork *work);

/* A running batch: what is left of it and of the job.
 * @left: seconds for this batch as the worker says, -1 when it does not
 * @fraction: of this batch that is done
 * @n_batches_after: of the same job */
double gesso_eta_job (double batch, double left, double fraction, int n_batches_after);

gboolean gesso_eta_load (GessoEta *self, sqlite3 *db, GError **error);
gboolean gesso_eta_store (
    sqlite3 *db, const char *device, const char *key, const GessoTimes *times, GError **error);

G_END_DECLS
