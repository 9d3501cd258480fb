/* SPDX-License-Identifier: MPL-2.0
 * guard.h - files mapped into memory that vanish under the program.
 *
 * When a mapped file is shortened by another program, or its disk fails, the next touch of a page
 * that is gone raises SIGBUS.  A program that calls guard_install goes on instead: the handler lays
 * zeros over what is gone and notes the mapping, and guard_check, which a Ctx asks between
 * operators, turns that into STATUS_IO.  Results made meanwhile are wrong and must be thrown away,
 * which the failed status sees to.
 *
 * The handler uses atomics, mmap and sigaction only.  mmap is not on POSIX's list of
 * async-signal-safe functions; on Linux it is a system call without locks or memory of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

/* For main(), before other threads.  A SIGBUS elsewhere than in a guarded mapping still kills. */
void guard_install (void);

/* guard_add:
 * @data: the beginning of a mapping
 * @name: copied, shortened where need be: the file's name, for the sentence
 *
 * Any thread.  Returns: a slot for guard_remove; -1 when all are taken: the mapping is then usable
 * but not guarded
 */
int guard_add (const void *data, size_t size_bytes, const char *name);
void guard_remove (int slot); /* -1 does nothing; before the mapping goes */

/* False and STATUS_IO, naming the file, once a part of any guarded mapping is gone, until that
 * mapping is removed.  Cheap: one atomic load. */
bool guard_check (Status *status);
