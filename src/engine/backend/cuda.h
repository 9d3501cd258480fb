/* SPDX-License-Identifier: MPL-2.0
 * cuda.h - finds the CUDA module and its devices.
 */
#pragma once

#include "backend/cuda-module.h"

/* cuda_module_load:
 *
 * Looks for the module where GESSO_CUDA_MODULE says, beside an installed
 * program, and in the build folder.  It is loaded once and stays.
 *
 * Returns: NULL, and @status says in one sentence what is missing
 * Fails: UNSUPPORTED when there is no module, or one of another version
 */
const CudaModule *cuda_module_load (Status *status);
