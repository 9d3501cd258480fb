/* SPDX-License-Identifier: MPL-2.0
 * mutate.h - lines that a test takes away.  On a device there are none.
 */
#pragma once

#include <stdbool.h>

/* Note which lines run from now on. */
void mutate_record (bool on);
/* Takes away the first line from @i on that the last recording passed and no case has needed yet;
 * @i becomes its number.  False, and all are back, when there is none. */
bool mutate_next (int *i);
void mutate_was_needed (int i);
const char *mutate_site_name (int i);
/* Prints the lines that no case needed.  Returns: how many */
int mutate_report (void);
