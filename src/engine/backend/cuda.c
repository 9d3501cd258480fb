/* SPDX-License-Identifier: MPL-2.0
 * cuda.c - loads libgesso-cuda.so.
 */
#include "backend/cuda.h"

#include "backend/backend.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From the program's folder: installed, and as built. */
static const char *const places[] = { GESSO_MODULE_DIR, "../backend-cuda" };

/* @path: receives the module's place beside the program.  False when it is not
 * there. */
static bool
find_beside (char path[PATH_MAX], const char *place)
{
  char program[PATH_MAX];
  ssize_t n = readlink ("/proc/self/exe", program, sizeof program - 1);
  if (n <= 0)
    return false;
  program[n] = '\0';
  *strrchr (program, '/') = '\0';
  n = snprintf (path, PATH_MAX, "%s/%s/" CUDA_MODULE_FILE, program, place);
  return n < PATH_MAX && access (path, R_OK) == 0;
}

static bool
find_module (char path[PATH_MAX], Status *status)
{
  const char *override = getenv ("GESSO_CUDA_MODULE");
  if (override && *override)
    return snprintf (path, PATH_MAX, "%s", override) < PATH_MAX;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    if (find_beside (path, places[i]))
      return true;
  return status_fail (status, STATUS_UNSUPPORTED,
                      "This build of Gesso has no CUDA module (%s): \"./run cuda\" in its source "
                      "folder builds it for the NVIDIA card that is here.",
                      CUDA_MODULE_FILE);
}

static const CudaModule *
open_module (const char *path, Status *status)
{
  void *library = dlopen (path, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    {
      status_fail (status, STATUS_UNSUPPORTED, "The CUDA module could not be loaded: %s.",
                   dlerror ());
      return NULL;
    }
  CudaModuleEntry entry = (CudaModuleEntry) dlsym (library, CUDA_MODULE_ENTRY);
  const CudaModule *module = entry ? entry () : NULL;
  if (module && module->abi == CUDA_MODULE_ABI)
    {
      module->set_translate (status_text);
      return module;
    }
  status_fail (status, STATUS_UNSUPPORTED,
               "The CUDA module %s belongs to another version of Gesso: install "
               "both from one "
               "build.",
               path);
  dlclose (library);
  return NULL;
}

const CudaModule *
cuda_module_load (Status *status)
{
  static const CudaModule *module;
  char path[PATH_MAX];
  if (!module && find_module (path, status))
    module = open_module (path, status);
  return module;
}

Backend *
backend_cuda_new (int device, int64_t memory_limit_bytes, Status *status)
{
  const CudaModule *module = cuda_module_load (status);
  CudaOptions options = { memory_limit_bytes };
  return module ? module->new_backend (device, &options, status) : NULL;
}
