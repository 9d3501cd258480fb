/* SPDX-License-Identifier: MPL-2.0
 * prefetch.h - weights read from disk in the background, before somebody waits for them.
 *
 * Read on demand, a network's first pass goes at a fraction of the disk's pace and computes nothing
 * meanwhile.  All of this is a hint: it may do nothing, and never fails.  What is read stays in the
 * system's cache, so that the next pass of a network that does not fit on a card finds it there.
 */
#pragma once

#include <stddef.h>

#include "weights/weights.h"

typedef struct Prefetch Prefetch;

/* Bytes that may be read ahead without the system having to drop @busy's weights ("transformer."),
 * which are at work: what it and the control groups we are in have available, less them and a
 * reserve. */
size_t prefetch_room (const WeightSet *set, const char *busy);

/* prefetch_start:
 * @prefixes: of the weights ("expert."), NULL-terminated; one after the other, each in about the
 *   order in which a pass needs them
 * @most_bytes: no more than these are read
 *
 * Their places are noted before this returns; the files must stay mapped until prefetch_stop.
 *
 * Returns: NULL when there is nothing to do, or no thread or memory for it
 */
Prefetch *prefetch_start (const WeightSet *set, const char *const *prefixes, size_t most_bytes);

/* Waits until the last byte is there; only tests and measurements have that much time. */
void prefetch_wait (Prefetch *prefetch);

/* Ends the reading, within a few milliseconds.  @prefetch: may be NULL
 * Returns: bytes that were read */
size_t prefetch_stop (Prefetch *prefetch);
