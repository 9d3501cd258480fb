/* SPDX-License-Identifier: MPL-2.0
 * cuda-module.h - what libgesso-cuda.so and the program say to each other.
 *
 * The module exports one function, so that the program starts, and says why
 * there is no device, on machines that have neither driver nor card.
 */
#pragma once

#include <stdint.h>

#include "core/dtype.h"
#include "core/status.h"

enum
{
  CUDA_MODULE_ABI = 11, /* grows when anything here or in backend.h changes */
  CUDA_NAME_SIZE = 128
};

typedef struct
{
  char name[CUDA_NAME_SIZE];
  int capability; /* 89 for 8.9 */
  int64_t memory_bytes;
} CudaDevice;

typedef struct
{
  int64_t memory_limit_bytes; /* 0: what is free, less a reserve */
} CudaOptions;

struct Backend; /* backend/backend.h */

typedef struct
{
  int abi;
  /* The module has a status.c of its own: it is given the program's translation. */
  void (*set_translate) (StatusTranslate translate);
  /* Starts the driver, once.  Returns: how many devices this build has kernels
   * for; 0 and @status says why there is none */
  int (*count_devices) (Status *status);
  /* Device @i of those counted. */
  bool (*describe_device) (int i, CudaDevice *device, Status *status);
  /* A backend on device @i.  Returns: free with backend_free; NULL and @status */
  struct Backend *(*new_backend) (int i, const CudaOptions *options, Status *status);
} CudaModule;

typedef const CudaModule *(*CudaModuleEntry) (void);

#define CUDA_MODULE_FILE "libgesso-cuda.so"
#define CUDA_MODULE_ENTRY "gesso_cuda_module"
