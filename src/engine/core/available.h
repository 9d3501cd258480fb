/* SPDX-License-Identifier: MPL-2.0
 * available.h - how much memory there is left to take.
 */
#pragma once

#include <stddef.h>

/* available_bytes:
 *
 * What programs may still take without swapping: of the machine (MemAvailable), and of the control
 * groups that this one is in (cgroup v2: containers, units of systemd), whose page cache that is
 * not in use counts as free.
 *
 * Returns: 0 where the system does not tell; 1 where nothing is left
 */
size_t available_bytes (void);

/* For tests: the same from the files of a folder that stands for "/". */
size_t available_bytes_in (const char *root);
