/* SPDX-License-Identifier: MPL-2.0
 * gesso-batch-clock.h - how far a batch is and how long its parts took, from the worker's reports.
 *
 * Times are handed in, in microseconds of any steady clock.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Zero-initialise. */
typedef struct
{
  gint64 begin_us; /* when the model was loaded */
  gint64 first_us, last_us, end_us;
  int first_step, last_step, n_steps;
  double fraction;
} GessoBatchClock;

void gesso_batch_clock_start (GessoBatchClock *clock, gint64 now_us);
void gesso_batch_clock_progress (
    GessoBatchClock *clock, const char *phase, int done, int total, gint64 now_us);
void gesso_batch_clock_stop (GessoBatchClock *clock, gint64 now_us);
/* 0 .. 1, never less than before. */
double gesso_batch_clock_get_fraction (const GessoBatchClock *clock);
/* Returns: FALSE unless the whole batch was seen from its first step to its end */
gboolean gesso_batch_clock_get (const GessoBatchClock *clock,
                                double *step_seconds,
                                double *rest_seconds,
                                int *n_steps);

G_END_DECLS
