/* SPDX-License-Identifier: MPL-2.0
 * device.h - what the worker computes on, in words.
 */
#pragma once

#include <glib.h>

#include "backend/backend.h"

/* Returns: (transfer full): "Intel Xeon Platinum 8481C, 2 threads, AMX" */
char *device_describe (const Backend *backend, int n_threads);

/* What can compute, one line each with tabs between them: the name of a backend, its title for the
 * user and the bytes of a card's memory, cards first.  What cannot be used has no name, and its
 * title says why.  Returns: (transfer full) */
char *device_dup_list (void);
