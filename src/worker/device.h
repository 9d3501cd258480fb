/* SPDX-License-Identifier: MPL-2.0
 * device.h - what the worker computes on, in words.
 */
#pragma once

#include <glib.h>

#include "backend/backend.h"

/* Returns: (transfer full): "Intel Xeon Platinum 8481C, 2 threads, AMX" */
char *device_describe (const Backend *backend, int n_threads);
