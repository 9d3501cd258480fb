/* SPDX-License-Identifier: MPL-2.0
 * driver.h - the functions of NVIDIA's driver that the module calls, found when
 * it starts.
 *
 * libcuda.so.1 is never linked, or nothing would start without it.  Prototypes
 * are those of the CUDA driver API; a result of 0 is success.
 */
#pragma once

#include <stddef.h>

#include "core/status.h"

enum
{
  DRIVER_OK = 0,
  DRIVER_NO_DEVICE = 100,
  DRIVER_MIN_VERSION = 13000, /* of the toolkit that kernels are compiled with */
  DRIVER_MAJOR = 75,          /* attributes: compute capability */
  DRIVER_MINOR = 76
};

typedef struct
{
  int (*init) (unsigned flags);
  int (*version) (int *version);
  int (*error_string) (int error, const char **text);
  int (*count) (int *n);
  int (*get) (int *device, int i);
  int (*name) (char *name, int size, int device);
  int (*attribute) (int *value, int attribute, int device);
  int (*total_memory) (size_t *size_bytes, int device);
} Driver;

/* driver_start:
 *
 * Loads the driver and starts it, once; a failure is tried again the next time.
 *
 * Returns: NULL, and @status says what to do about it
 */
const Driver *driver_start (Status *status);

/* What the driver calls @error. */
const char *driver_error (const Driver *d, int error);
