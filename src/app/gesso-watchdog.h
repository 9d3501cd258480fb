/* SPDX-License-Identifier: MPL-2.0
 * gesso-watchdog.h - how long the main loop was away: a debugging aid and a test hook.
 *
 * Measures what lies between the end of one poll and the beginning of the next on the default main
 * context: our callbacks, GTK's layout and drawing.  Wall time is what the user waits; processor
 * time leaves out what other programs took on a busy machine.  GESSO_DEBUG=mainloop starts it with
 * the program and prints a line at the end.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  double p50_ms, p99_ms, max_ms;
} GessoWatchdogTimes;

typedef struct
{
  guint n; /* dispatches measured */
  GessoWatchdogTimes wall, cpu;
} GessoWatchdogReport;

void gesso_watchdog_start (void); /* also forgets what was measured */
GessoWatchdogReport gesso_watchdog_stop (void);
gboolean gesso_watchdog_wanted (void);
/* One line for people; the caller's to g_free. */
char *gesso_watchdog_describe (const GessoWatchdogReport *report);

G_END_DECLS
