/* SPDX-License-Identifier: MPL-2.0
 * gesso-ending.c - that the program ends, whatever its threads wait for.
 */
#include "app/gesso-ending.h"

#include <unistd.h>

static GMutex mutex;
static GCond changed;
static gboolean is_done;
static GThread *thread; /* NULL while nothing ends */

static gpointer
end_in_time (gpointer patience_ms)
{
  gint64 deadline =
      g_get_monotonic_time () + GPOINTER_TO_INT (patience_ms) * G_TIME_SPAN_MILLISECOND;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&mutex);
  while (!is_done)
    if (!g_cond_wait_until (&changed, &mutex, deadline))
      {
        g_message ("A disk does not answer: what waits for it is left.");
        _exit (0);
      }
  return NULL;
}

void
gesso_ending_begin (int patience_ms)
{
  g_return_if_fail (!thread && patience_ms >= 0);
  is_done = FALSE;
  thread = g_thread_new ("ending", end_in_time, GINT_TO_POINTER (patience_ms));
}

void
gesso_ending_done (void)
{
  g_return_if_fail (thread);
  g_mutex_lock (&mutex);
  is_done = TRUE;
  g_cond_signal (&changed);
  g_mutex_unlock (&mutex);
  g_thread_join (g_steal_pointer (&thread));
}
