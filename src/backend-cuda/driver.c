/* SPDX-License-Identifier: MPL-2.0
 * driver.c - finds libcuda.so.1 and starts it.
 */
#include "driver.h"

#include <dlfcn.h>
#include <string.h>

static const struct
{
  const char *name;
  size_t offset; /* in Driver */
} functions[] = {
  { "cuInit", offsetof (Driver, init) },
  { "cuDriverGetVersion", offsetof (Driver, version) },
  { "cuGetErrorString", offsetof (Driver, error_string) },
  { "cuDeviceGetCount", offsetof (Driver, count) },
  { "cuDeviceGet", offsetof (Driver, get) },
  { "cuDeviceGetName", offsetof (Driver, name) },
  { "cuDeviceGetAttribute", offsetof (Driver, attribute) },
  { "cuDeviceTotalMem_v2", offsetof (Driver, total_memory) },
  { "cuDevicePrimaryCtxRetain", offsetof (Driver, context_retain) },
  { "cuDevicePrimaryCtxRelease_v2", offsetof (Driver, context_release) },
  { "cuCtxSetCurrent", offsetof (Driver, context_use) },
  { "cuMemGetInfo_v2", offsetof (Driver, memory_info) },
  { "cuStreamCreate", offsetof (Driver, stream_new) },
  { "cuStreamDestroy_v2", offsetof (Driver, stream_free) },
  { "cuStreamSynchronize", offsetof (Driver, stream_wait) },
  { "cuStreamWaitEvent", offsetof (Driver, stream_wait_event) },
  { "cuStreamBeginCapture_v2", offsetof (Driver, capture_begin) },
  { "cuStreamEndCapture", offsetof (Driver, capture_end) },
  { "cuGraphDestroy", offsetof (Driver, graph_free) },
  { "cuGraphInstantiateWithFlags", offsetof (Driver, graph_instantiate) },
  { "cuGraphExecDestroy", offsetof (Driver, graph_exec_free) },
  { "cuGraphLaunch", offsetof (Driver, graph_launch) },
  { "cuEventCreate", offsetof (Driver, event_new) },
  { "cuEventDestroy_v2", offsetof (Driver, event_free) },
  { "cuEventRecord", offsetof (Driver, event_record) },
  { "cuEventSynchronize", offsetof (Driver, event_wait) },
  { "cuEventElapsedTime", offsetof (Driver, event_elapsed) },
  { "cuMemGetAllocationGranularity", offsetof (Driver, page_size) },
  { "cuMemCreate", offsetof (Driver, page_new) },
  { "cuMemRelease", offsetof (Driver, page_free) },
  { "cuMemAddressReserve", offsetof (Driver, reserve) },
  { "cuMemAddressFree", offsetof (Driver, unreserve) },
  { "cuMemMap", offsetof (Driver, map) },
  { "cuMemUnmap", offsetof (Driver, unmap) },
  { "cuMemSetAccess", offsetof (Driver, set_access) },
  { "cuTensorMapEncodeTiled", offsetof (Driver, tensor_map) },
  { "cuTensorMapEncodeIm2col", offsetof (Driver, pixel_map) },
  { "cuMemHostAlloc", offsetof (Driver, host_new) },
  { "cuMemFreeHost", offsetof (Driver, host_free) },
  { "cuMemcpyHtoDAsync_v2", offsetof (Driver, to_device) },
  { "cuMemsetD8Async", offsetof (Driver, fill) },
  { "cuMemcpyDtoHAsync_v2", offsetof (Driver, to_host) },
};

static bool
find_functions (Driver *d, void *library, Status *status)
{
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    {
      void *function = dlsym (library, functions[i].name);
      if (!function)
        return status_fail (status, STATUS_UNSUPPORTED,
                            "The NVIDIA driver is too old (it has no %s): install driver 580 or "
                            "later.",
                            functions[i].name);
      memcpy ((char *) d + functions[i].offset, &function, sizeof function);
    }
  return true;
}

static bool
check_version (const Driver *d, Status *status)
{
  int version = 0;
  if (d->version (&version) == DRIVER_OK && version >= DRIVER_MIN_VERSION)
    return true;
  return status_fail (status, STATUS_UNSUPPORTED,
                      "The NVIDIA driver is too old: it supports CUDA %d.%d, and Gesso needs "
                      "%d.%d; install driver 580 or later.",
                      version / 1000, version % 1000 / 10, DRIVER_MIN_VERSION / 1000,
                      DRIVER_MIN_VERSION % 1000 / 10);
}

const char *
driver_error (const Driver *d, int error)
{
  const char *text = NULL;
  return d->error_string (error, &text) == DRIVER_OK && text ? text : "unknown error";
}

static bool
start (const Driver *d, Status *status)
{
  int error = d->init (0);
  if (error == DRIVER_NO_DEVICE)
    return status_fail (status, STATUS_NOT_FOUND,
                        "The NVIDIA driver finds no card: is one installed, and is it switched "
                        "on?");
  if (error)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "The NVIDIA driver does not start (%s, error %d): "
                        "restarting the machine "
                        "often helps, else reinstall the driver.",
                        driver_error (d, error), error);
  return true;
}

const Driver *
driver_start (Status *status)
{
  static Driver driver;
  static bool started;
  if (started)
    return &driver;
  void *library = dlopen ("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    {
      status_fail (status, STATUS_NOT_FOUND,
                   "There is no NVIDIA driver on this machine (libcuda.so.1): "
                   "install it to use "
                   "an NVIDIA card.");
      return NULL;
    }
  started = find_functions (&driver, library, status) && check_version (&driver, status) &&
            start (&driver, status);
  if (!started)
    dlclose (library);
  return started ? &driver : NULL;
}
