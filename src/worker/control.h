/* SPDX-License-Identifier: MPL-2.0
 * control.h - how other threads make a running batch end.
 *
 * A wish only ever becomes stronger.  Every function may be called from any thread.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

typedef enum
{
  WISH_NONE,
  WISH_PARK,  /* end between two steps, or at once where no step is lost */
  WISH_STOP,  /* end within an operator: the step under way is lost, the journal is kept */
  WISH_CANCEL /* the same, and the journal goes */
} Wish;

/* Zero-initialise. */
typedef struct
{
  atomic_int wish;
  atomic_bool in_steps; /* a step is under way, which WISH_PARK lets finish */
  atomic_bool cancel;   /* the engine's cancel flag */
} BatchControl;

void control_wish (BatchControl *control, Wish wish);
Wish control_get (const BatchControl *control);

/* The batch's own thread says whether parking has to wait for a step's end. */
void control_set_in_steps (BatchControl *control, bool in_steps);

/* Waits, at most @milliseconds, for a wish; in slices, so that it needs nobody to wake it. */
void control_sleep (const BatchControl *control, int milliseconds);
