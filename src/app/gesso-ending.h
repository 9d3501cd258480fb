/* SPDX-License-Identifier: MPL-2.0
 * gesso-ending.h - that the program ends, whatever its threads wait for.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* gesso_ending_begin:
 * @patience_ms: until the program ends with status 0 though gesso_ending_done() was not called
 *
 * A thread in a call that a disk does not answer cannot be told to end, and a program that waits
 * for it takes every later start for its own.  Nothing is lost: at each moment queue and library
 * are on the disk as they are to be found after a crash.
 */
void gesso_ending_begin (int patience_ms);
/* No thread is waited for any more. */
void gesso_ending_done (void);

G_END_DECLS
