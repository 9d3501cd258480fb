/* SPDX-License-Identifier: MPL-2.0
 * module.c - the one exported function of libgesso-cuda.so, and what it knows
 * of devices.
 */
#include <stdio.h>

#include "backend/cuda-module.h"
#include "cuda.h"

enum
{
  MIN_CAPABILITY = 80 /* cp.async and bf16 products */
};

static bool
describe (const Driver *d, int device, CudaDevice *out, Status *status)
{
  int major = 0, minor = 0;
  size_t memory_bytes = 0;
  int error = d->name (out->name, sizeof out->name, device);
  error = error ? error : d->attribute (&major, DRIVER_MAJOR, device);
  error = error ? error : d->attribute (&minor, DRIVER_MINOR, device);
  error = error ? error : d->total_memory (&memory_bytes, device);
  if (error)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "NVIDIA card %d does not answer (%s, error %d): restarting the machine "
                        "often helps.",
                        device, driver_error (d, error), error);
  out->capability = major * 10 + minor;
  out->memory_bytes = (int64_t) memory_bytes;
  return true;
}

/* Finds the @i-th device that has kernels, or counts them all when @i is
 * negative. */
static int
find_device (const Driver *d, int i, CudaDevice *out, int *number, Status *status)
{
  int n = 0, n_usable = 0, device = 0, error = d->count (&n);
  CudaDevice seen = { 0 };
  if (error || n == 0)
    return status_fail (status, STATUS_NOT_FOUND,
                        "The NVIDIA driver finds no card: is one installed, and is it switched "
                        "on?");
  for (int k = 0; k < n; k++)
    {
      if (d->get (&device, k) || !describe (d, device, &seen, status))
        continue;
      if (seen.capability < MIN_CAPABILITY)
        continue;
      if (n_usable++ == i)
        {
          *out = seen;
          *number = device;
        }
    }
  if (!n_usable && status_ok (status))
    status_fail (status, STATUS_UNSUPPORTED,
                 "The %s is too old (compute capability %d.%d): Gesso needs "
                 "%d.%d or later, as RTX "
                 "30 cards and newer have.",
                 seen.name, seen.capability / 10, seen.capability % 10, MIN_CAPABILITY / 10,
                 MIN_CAPABILITY % 10);
  return n_usable;
}

static int
count_devices (Status *status)
{
  CudaDevice unused;
  Status first = { 0 };
  int number;
  const Driver *d = driver_start (status);
  int n = d ? find_device (d, -1, &unused, &number, &first) : 0;
  if (d && !n)
    status_fail (status, first.code, "%s", first.message);
  return n;
}

static bool
take_device (int i, CudaDevice *device, int *number, Status *status)
{
  Status first = { 0 };
  const Driver *d = driver_start (status);
  if (!d)
    return false;
  int n = find_device (d, i, device, number, &first);
  if (n == 0)
    return status_fail (status, first.code, "%s", first.message);
  return n > i || status_fail (status, STATUS_NOT_FOUND, "There is no NVIDIA card %d.", i);
}

static bool
describe_device (int i, CudaDevice *device, Status *status)
{
  int number;
  return take_device (i, device, &number, status);
}

static Backend *
new_backend (int i, const CudaOptions *options, Status *status)
{
  CudaDevice device;
  int number;
  if (!take_device (i, &device, &number, status))
    return NULL;
  return cuda_backend_new (driver_start (status), number, &device, options, status);
}

const CudaModule *gesso_cuda_module (void);

__attribute__ ((visibility ("default"))) const CudaModule *
gesso_cuda_module (void)
{
  static const CudaModule module = { CUDA_MODULE_ABI, status_set_translate, count_devices,
                                     describe_device, new_backend };
  return &module;
}
