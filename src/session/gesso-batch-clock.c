/* SPDX-License-Identifier: MPL-2.0
 * gesso-batch-clock.c - how far a batch is and how long its parts took.
 */
#include "session/gesso-batch-clock.h"

#include <string.h>

/* Of the bar: what the steps take.  Decoding takes the rest; texts are short. */
static const double DENOISE_SHARE = 0.92;

void
gesso_batch_clock_start (GessoBatchClock *clock, gint64 now_us)
{
  *clock = (GessoBatchClock){ .begin_us = now_us };
}

void
gesso_batch_clock_progress (
    GessoBatchClock *clock, const char *phase, int done, int total, gint64 now_us)
{
  double part = total > 0 ? CLAMP ((double) done / total, 0, 1) : 0, fraction = 0;
  if (strcmp (phase, "loading") == 0)
    clock->begin_us = now_us;
  else if (strcmp (phase, "denoise") == 0)
    {
      if (clock->first_us == 0)
        {
          clock->first_us = now_us;
          clock->first_step = done;
        }
      clock->last_us = now_us;
      clock->last_step = done;
      clock->n_steps = total;
      fraction = DENOISE_SHARE * part;
    }
  else if (strcmp (phase, "decode") == 0)
    fraction = DENOISE_SHARE + (1 - DENOISE_SHARE) * part;
  clock->fraction = MAX (clock->fraction, fraction);
}

void
gesso_batch_clock_stop (GessoBatchClock *clock, gint64 now_us)
{
  clock->end_us = now_us;
}

double
gesso_batch_clock_get_fraction (const GessoBatchClock *clock)
{
  return clock->fraction;
}

gboolean
gesso_batch_clock_get (const GessoBatchClock *clock,
                       double *step_seconds,
                       double *rest_seconds,
                       int *n_steps)
{
  const int n_seen = clock->last_step - clock->first_step;
  if (clock->end_us == 0 || clock->first_us == 0 || clock->first_step > 1 || n_seen <= 0 ||
      clock->last_step != clock->n_steps)
    return FALSE;
  *step_seconds = (double) (clock->last_us - clock->first_us) / G_USEC_PER_SEC / n_seen;
  /* the first report may come after the first step, which is no part of the rest */
  double before = (double) (clock->first_us - clock->begin_us) / G_USEC_PER_SEC;
  double after = (double) (clock->end_us - clock->last_us) / G_USEC_PER_SEC;
  *rest_seconds = MAX (0, before - clock->first_step * *step_seconds) + after;
  *n_steps = clock->n_steps;
  return TRUE;
}
