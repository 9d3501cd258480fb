/* SPDX-License-Identifier: MPL-2.0
 * device-cuda.c - the first CUDA device as the machine that cases run on.
 */
#include <cuda.h>
#include <cuda_runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mutate.h"

enum
{
  GUARD_BYTES = 256,
  GUARD_PATTERN = 0xa5,
  MAX_BUFFERS = 64,
  TEXT_SIZE = 400
};

typedef struct
{
  char *memory; /* a guard, the buffer, a guard */
  size_t size_bytes;
  const char *name;
} Buffer;

static Buffer buffers[MAX_BUFFERS];
static char name[TEXT_SIZE], text[TEXT_SIZE];
static int device_capability;

const char *
device_open (void)
{
  int n_devices = 0;
  struct cudaDeviceProp properties;
  cudaError_t error = cudaGetDeviceCount (&n_devices);
  if (!error && n_devices == 0)
    error = cudaErrorNoDevice;
  if (!error)
    error = cudaGetDeviceProperties (&properties, 0);
  if (error)
    {
      snprintf (text, sizeof text, "there is no CUDA device: %s.", cudaGetErrorString (error));
      return text;
    }
  snprintf (name, sizeof name, "%s (sm_%d%d)", properties.name, properties.major, properties.minor);
  device_capability = properties.major * 10 + properties.minor;
  return NULL;
}

const char *
device_name (void)
{
  return name;
}

static Buffer *
find_buffer (const void *p)
{
  for (int i = 0; i < MAX_BUFFERS; i++)
    if (p ? buffers[i].memory && buffers[i].memory + GUARD_BYTES == p : !buffers[i].memory)
      return &buffers[i];
  return NULL;
}

void *
device_alloc (size_t size_bytes, const char *buffer_name, int granule_bytes)
{
  Buffer *b = find_buffer (NULL);
  void *memory = NULL;
  if (!b || cudaMalloc (&memory, size_bytes + 2 * GUARD_BYTES))
    {
      printf ("FAIL: out of device memory\n");
      exit (EXIT_FAILURE);
    }
  *b = (Buffer){ memory, size_bytes, buffer_name };
  cudaMemset (memory, GUARD_PATTERN, size_bytes + 2 * GUARD_BYTES);
  return b->memory + GUARD_BYTES;
}

void
device_free (void *p)
{
  Buffer *b = find_buffer (p);
  cudaFree (b->memory);
  b->memory = NULL;
}

void
device_write (void *p, const void *initial, size_t size_bytes)
{
  if (initial)
    cudaMemcpy (p, initial, size_bytes, cudaMemcpyHostToDevice);
  else
    cudaMemset (p, 0xff, size_bytes);
}

void
device_read (void *host, const void *p, size_t size_bytes)
{
  cudaMemcpy (host, p, size_bytes, cudaMemcpyDeviceToHost);
}

static bool
guards_hold (const Buffer *b)
{
  unsigned char guard[2 * GUARD_BYTES];
  cudaMemcpy (guard, b->memory, GUARD_BYTES, cudaMemcpyDeviceToHost);
  cudaMemcpy (guard + GUARD_BYTES, b->memory + GUARD_BYTES + b->size_bytes, GUARD_BYTES,
              cudaMemcpyDeviceToHost);
  for (int i = 0; i < 2 * GUARD_BYTES; i++)
    if (guard[i] != GUARD_PATTERN)
      return false;
  return true;
}

bool
device_has_capability (int capability)
{
  return device_capability == capability;
}

/* NULL where the driver is too old. */
static void *
entry_point (const char *symbol)
{
  enum cudaDriverEntryPointQueryResult found;
  void *function = NULL;
  return cudaGetDriverEntryPointByVersion (symbol, &function, 12000, cudaEnableDefault, &found)
             ? NULL
             : function;
}

static CUtensorMapDataType
map_type (GkType type)
{
  return type == GK_TYPE_F16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
}

bool
device_tensor_map (void *map,
                   int element_bytes,
                   const void *base,
                   int rank,
                   const int64_t *dims,
                   const int64_t *strides,
                   const int *box)
{
  typedef CUresult (*Encode) (CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *,
                              const cuuint64_t *, const cuuint64_t *, const cuuint32_t *,
                              const cuuint32_t *, CUtensorMapInterleave, CUtensorMapSwizzle,
                              CUtensorMapL2promotion, CUtensorMapFloatOOBfill);
  void *function = entry_point ("cuTensorMapEncodeTiled");
  cuuint64_t sizes[5], stride_bytes[4];
  cuuint32_t boxes[5], ones[5];
  for (int d = 0; d < rank; d++)
    {
      sizes[d] = (cuuint64_t) dims[d];
      boxes[d] = (cuuint32_t) box[d];
      ones[d] = 1;
      if (d > 0)
        stride_bytes[d - 1] = (cuuint64_t) (strides[d - 1] * element_bytes);
    }
  /* Which 16 bits they are matters to filling with NaN only. */
  CUtensorMapDataType kind =
      element_bytes == 1 ? CU_TENSOR_MAP_DATA_TYPE_UINT8 : map_type (GK_TYPE_BF16);
  return function &&
         ((Encode) function) (map, kind, (cuuint32_t) rank, (void *) (uintptr_t) base, sizes,
                              stride_bytes, boxes, ones, CU_TENSOR_MAP_INTERLEAVE_NONE,
                              CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                              CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

bool
device_pixel_map (
    void *map, GkType type, const void *base, const int64_t *dims, const DevicePixels *pixels)
{
  typedef CUresult (*Encode) (CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *,
                              const cuuint64_t *, const cuuint64_t *, const int *, const int *,
                              cuuint32_t, cuuint32_t, const cuuint32_t *, CUtensorMapInterleave,
                              CUtensorMapSwizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill);
  enum
  {
    RANK = 4
  };
  void *function = entry_point ("cuTensorMapEncodeIm2col");
  cuuint64_t sizes[RANK], stride_bytes[RANK - 1], stride = 2;
  const cuuint32_t steps[RANK] = { 1, (cuuint32_t) pixels->step[0], (cuuint32_t) pixels->step[1],
                                   1 };
  for (int d = 0; d < RANK; d++)
    {
      sizes[d] = (cuuint64_t) dims[d];
      stride *= sizes[d];
      if (d + 1 < RANK)
        stride_bytes[d] = stride;
    }
  return function && ((Encode) function) (
                         map, map_type (type), RANK, (void *) (uintptr_t) base, sizes, stride_bytes,
                         pixels->lower, pixels->upper, (cuuint32_t) pixels->n_channels,
                         (cuuint32_t) pixels->n_pixels, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
                         CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                         CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

const char *
device_finish (void)
{
  cudaError_t error = cudaDeviceSynchronize ();
  if (error)
    {
      snprintf (text, sizeof text, "%s", cudaGetErrorString (error));
      return text;
    }
  for (int i = 0; i < MAX_BUFFERS; i++)
    if (buffers[i].memory && !guards_hold (&buffers[i]))
      {
        snprintf (text, sizeof text, "wrote outside of %s", buffers[i].name);
        return text;
      }
  return NULL;
}

int
device_schedule_count (void)
{
  return 1;
}

void
device_schedule (int i, uint32_t seed)
{
}

void
mutate_record (bool on)
{
}

bool
mutate_next (int *i)
{
  return false;
}

void
mutate_was_needed (int i)
{
}

const char *
mutate_site_name (int i)
{
  return "";
}

int
mutate_report (void)
{
  return 0;
}
