/* SPDX-License-Identifier: MPL-2.0
 * far-disk.h - a folder as if it lay on a disk that does not answer.
 *
 * A program that is linked with it has its calls of the C library that take a path go through here,
 * and those of GLib, GTK, SQLite and all other shared libraries.  What they do inside the C library
 * itself (fread of an open file) is not seen, nor is the page fault of a mapped file.
 */
#pragma once

#include <stdbool.h>

/* far_disk_begin:
 * @folder: absolute; copied
 *
 * From now on a call of the main thread with a path in @folder, or with a file of it, is said on
 * stderr and ends the program: a window would have waited for the disk.  Calls of other threads are
 * counted, and wait where far_disk_hold() says so.
 */
void far_disk_begin (const char *folder);
/* Whether the calls of other threads wait: begun ones until they do not any more. */
void far_disk_hold (bool held);
/* Lets go of all that wait; from now on the main thread may. */
void far_disk_end (void);
/* How many calls of other threads there were since the beginning, and how many of them wait. */
int far_disk_n_calls (void);
int far_disk_n_waiting (void);
