/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/eta.h"

#include <string.h>
#include <time.h>

void
eta_add_step (Eta *eta, double seconds)
{
  eta->recent[eta->next] = seconds;
  eta->next = (eta->next + 1) % ETA_RECENT;
  if (eta->n < ETA_RECENT)
    eta->n++;
}

double
eta_step (const Eta *eta)
{
  double sorted[ETA_RECENT];
  memcpy (sorted, eta->recent, sizeof sorted);
  for (int i = 1; i < eta->n; i++)
    for (int k = i; k > 0 && sorted[k] < sorted[k - 1]; k--)
      {
        double swap = sorted[k];
        sorted[k] = sorted[k - 1];
        sorted[k - 1] = swap;
      }
  if (eta->n == 0)
    return 0;
  return (sorted[(eta->n - 1) / 2] + sorted[eta->n / 2]) / 2;
}

double
eta_left (const Eta *eta, int n_steps, double n_pictures)
{
  double step = eta_step (eta);
  double decode = eta->decode > 0 ? eta->decode : eta->decode_effort * step;
  if ((n_steps > 0 && step <= 0) || (n_pictures > 0 && decode <= 0))
    return -1;
  return n_steps * step + n_pictures * decode;
}

double
clock_seconds (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}
