/* SPDX-License-Identifier: MPL-2.0
 * driver.h - the functions of NVIDIA's driver that the module calls, found when it starts.
 *
 * libcuda.so.1 is never linked, or nothing would start without it.  Prototypes are those of the
 * CUDA driver API (cuda.h of CUDA 13); a result of 0 is success.  In tests another library of that
 * name stands there: tests/device/fake-driver.c.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

enum
{
  DRIVER_OK = 0,
  DRIVER_INVALID_VALUE = 1,
  DRIVER_OUT_OF_MEMORY = 2,
  DRIVER_NO_DEVICE = 100,
  DRIVER_MIN_VERSION = 13000, /* of the toolkit that kernels are compiled with */
  DRIVER_MAJOR = 75,          /* attributes: compute capability */
  DRIVER_MINOR = 76,
  DRIVER_STREAM_NON_BLOCKING = 1,
  DRIVER_EVENT_NO_TIMING = 2,
  DRIVER_ON_DEVICE = 1, /* where memory lies */
  DRIVER_PINNED = 1,    /* kind of memory */
  DRIVER_READ_WRITE = 3
};

typedef uint64_t DriverPointer; /* CUdeviceptr */
typedef uint64_t DriverPage;    /* CUmemGenericAllocationHandle */
typedef void *DriverContext, *DriverStream, *DriverEvent, *DriverGraph, *DriverGraphExec;

typedef struct
{
  int type, id;
} DriverLocation;

/* CUmemAllocationProp */
typedef struct
{
  int type, handle_types;
  DriverLocation location;
  void *win32;
  unsigned char flags[8];
} DriverMemory;

/* CUmemAccessDesc */
typedef struct
{
  DriverLocation location;
  int flags;
} DriverAccess;

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

  int (*context_retain) (DriverContext *context, int device);
  int (*context_release) (int device);
  int (*context_use) (DriverContext context);
  int (*memory_info) (size_t *free_bytes, size_t *total_bytes);

  int (*stream_new) (DriverStream *stream, unsigned flags);
  int (*stream_free) (DriverStream stream);
  int (*stream_wait) (DriverStream stream);
  int (*stream_wait_event) (DriverStream stream, DriverEvent event, unsigned flags);
  int (*capture_begin) (DriverStream stream, int mode);
  int (*capture_end) (DriverStream stream, DriverGraph *graph);
  int (*graph_free) (DriverGraph graph);
  int (*graph_instantiate) (DriverGraphExec *exec, DriverGraph graph, unsigned long long flags);
  int (*graph_exec_free) (DriverGraphExec exec);
  int (*graph_launch) (DriverGraphExec exec, DriverStream stream);
  int (*event_new) (DriverEvent *event, unsigned flags);
  int (*event_free) (DriverEvent event);
  int (*event_record) (DriverEvent event, DriverStream stream);
  int (*event_wait) (DriverEvent event);
  int (*event_elapsed) (float *ms, DriverEvent from, DriverEvent to);

  int (*page_size) (size_t *size_bytes, const DriverMemory *memory, int option);
  int (*page_new) (DriverPage *page,
                   size_t size_bytes,
                   const DriverMemory *memory,
                   unsigned long long flags);
  int (*page_free) (DriverPage page);
  int (*reserve) (DriverPointer *address,
                  size_t size_bytes,
                  size_t alignment,
                  DriverPointer hint,
                  unsigned long long flags);
  int (*unreserve) (DriverPointer address, size_t size_bytes);
  int (*map) (DriverPointer address,
              size_t size_bytes,
              size_t offset,
              DriverPage page,
              unsigned long long flags);
  int (*unmap) (DriverPointer address, size_t size_bytes);
  int (*set_access) (DriverPointer address,
                     size_t size_bytes,
                     const DriverAccess *access,
                     size_t n);

  int (*tensor_map) (void *map,
                     int type,
                     uint32_t rank,
                     void *address,
                     const uint64_t *dims,
                     const uint64_t *stride_bytes,
                     const uint32_t *box,
                     const uint32_t *element_strides,
                     int interleave,
                     int swizzle,
                     int l2_promotion,
                     int fill);

  int (*pixel_map) (void *map,
                    int type,
                    uint32_t rank,
                    void *address,
                    const uint64_t *dims,
                    const uint64_t *stride_bytes,
                    const int *lower,
                    const int *upper,
                    uint32_t n_channels,
                    uint32_t n_pixels,
                    const uint32_t *element_strides,
                    int interleave,
                    int swizzle,
                    int l2_promotion,
                    int fill);

  int (*host_new) (void **memory, size_t size_bytes, unsigned flags);
  int (*host_free) (void *memory);
  int (*to_device) (DriverPointer to, const void *from, size_t size_bytes, DriverStream stream);
  int (*fill) (DriverPointer to, unsigned char value, size_t size_bytes, DriverStream stream);
  int (*to_host) (void *to, DriverPointer from, size_t size_bytes, DriverStream stream);
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
