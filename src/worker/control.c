/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/control.h"

#include <time.h>

enum
{
  SLICE_MS = 5
};

/* Both sides first say what they have and then look at the other's, so that one of them sees. */
static void
settle (BatchControl *control)
{
  int wish = atomic_load (&control->wish);
  if (wish >= WISH_STOP || (wish == WISH_PARK && !atomic_load (&control->in_steps)))
    atomic_store (&control->cancel, true);
}

void
control_wish (BatchControl *control, Wish wish)
{
  int before = atomic_load (&control->wish);
  while (before < (int) wish && !atomic_compare_exchange_weak (&control->wish, &before, wish))
    ;
  settle (control);
}

Wish
control_get (const BatchControl *control)
{
  return (Wish) atomic_load (&control->wish);
}

void
control_set_in_steps (BatchControl *control, bool in_steps)
{
  atomic_store (&control->in_steps, in_steps);
  settle (control);
}

void
control_sleep (const BatchControl *control, int milliseconds)
{
  const struct timespec slice = { .tv_nsec = SLICE_MS * 1000000L };
  for (int left = milliseconds; left > 0 && control_get (control) == WISH_NONE; left -= SLICE_MS)
    nanosleep (&slice, NULL);
}
