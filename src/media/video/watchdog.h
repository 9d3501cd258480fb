/* SPDX-License-Identifier: MPL-2.0
 * watchdog.h - when to give up waiting.
 *
 * Time is handed in, so that tests need none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct
{
  int64_t limit_us;  /* without progress */
  uint64_t progress; /* the last seen; any number that changes */
  int64_t since_us;  /* when it changed */
  bool started;
} Watchdog;

/* Returns: whether @progress has been the same for longer than the limit */
static inline bool
watchdog_is_stuck (Watchdog *w, uint64_t progress, int64_t now_us)
{
  if (!w->started || w->progress != progress)
    {
      w->started = true;
      w->progress = progress;
      w->since_us = now_us;
    }
  return now_us - w->since_us > w->limit_us;
}

/* Begins to count anew: for time that was spent elsewhere. */
static inline void
watchdog_rest (Watchdog *w)
{
  w->started = false;
}
