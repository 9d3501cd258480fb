/* SPDX-License-Identifier: MPL-2.0
 * gesso-watchdog.c - how long the main loop was away.
 *
 * The poll function of the default context is wrapped: everything between two polls is somebody's
 * callback.  Main thread only.
 */
#include "app/gesso-watchdog.h"

#include <string.h>
#include <time.h>

typedef struct
{
  gint64 wall_us, cpu_us;
} Moment;

static GArray *wall_gaps, *cpu_gaps; /* of gint64, microseconds */
static GPollFunc real_poll;
static Moment poll_ended;

static Moment
now (void)
{
  struct timespec cpu;
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &cpu);
  return (Moment){ g_get_monotonic_time (),
                   (gint64) cpu.tv_sec * G_USEC_PER_SEC + cpu.tv_nsec / 1000 };
}

static int
measuring_poll (GPollFD *fds, guint n_fds, int timeout)
{
  Moment begins = now ();
  if (wall_gaps && poll_ended.wall_us > 0)
    {
      gint64 wall = begins.wall_us - poll_ended.wall_us, cpu = begins.cpu_us - poll_ended.cpu_us;
      g_array_append_val (wall_gaps, wall);
      g_array_append_val (cpu_gaps, cpu);
    }
  int n = real_poll (fds, n_fds, timeout);
  poll_ended = now ();
  return n;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const gint64 x = *(const gint64 *) a, y = *(const gint64 *) b;
  return (x > y) - (x < y);
}

static double
quantile_ms (GArray *gaps, double q)
{
  guint i = (guint) (q * (gaps->len - 1) + 0.5);
  return (double) g_array_index (gaps, gint64, i) / 1000;
}

static GessoWatchdogTimes
times_of (GArray *gaps)
{
  if (!gaps->len)
    return (GessoWatchdogTimes){ 0 };
  g_array_sort (gaps, compare);
  return (GessoWatchdogTimes){ quantile_ms (gaps, 0.5), quantile_ms (gaps, 0.99),
                               quantile_ms (gaps, 1) };
}

void
gesso_watchdog_start (void)
{
  if (!wall_gaps)
    {
      wall_gaps = g_array_new (FALSE, FALSE, sizeof (gint64));
      cpu_gaps = g_array_new (FALSE, FALSE, sizeof (gint64));
    }
  g_array_set_size (wall_gaps, 0);
  g_array_set_size (cpu_gaps, 0);
  poll_ended.wall_us = 0;
  if (real_poll)
    return;
  real_poll = g_main_context_get_poll_func (NULL);
  g_main_context_set_poll_func (NULL, measuring_poll);
}

GessoWatchdogReport
gesso_watchdog_stop (void)
{
  GessoWatchdogReport report = { 0 };
  if (!wall_gaps)
    return report;
  g_main_context_set_poll_func (NULL, real_poll);
  real_poll = NULL;
  report.n = wall_gaps->len;
  report.wall = times_of (wall_gaps);
  report.cpu = times_of (cpu_gaps);
  g_clear_pointer (&wall_gaps, g_array_unref);
  g_clear_pointer (&cpu_gaps, g_array_unref);
  return report;
}

gboolean
gesso_watchdog_wanted (void)
{
  const char *debug = g_getenv ("GESSO_DEBUG");
  return debug && strstr (debug, "mainloop") != NULL;
}

char *
gesso_watchdog_describe (const GessoWatchdogReport *r)
{
  return g_strdup_printf ("main loop: %u dispatches; wall p50 %.2f, p99 %.2f, max %.2f ms; "
                          "processor p50 %.2f, p99 %.2f, max %.2f ms",
                          r->n, r->wall.p50_ms, r->wall.p99_ms, r->wall.max_ms, r->cpu.p50_ms,
                          r->cpu.p99_ms, r->cpu.max_ms);
}
