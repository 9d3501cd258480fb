/* SPDX-License-Identifier: MPL-2.0
 * estimate.h - how long a planned job will take on this device.
 */
#pragma once

#include "pipelines/pipeline.h"

typedef struct
{
  double seconds[PHASE_COUNT];
  double total_seconds;
  double gflops; /* what the device did just now on a layer of typical size */
} Estimate;

/* estimate_job:
 *
 * Times one 3x3 convolution and one linear layer of U-Net size on the device (some tens of
 * milliseconds, no file is touched) and divides the plan's work by the rate.  Fails: NO_MEMORY
 */
bool estimate_job (
    Backend *backend, Compute compute, const PipelinePlan *plan, Estimate *e, Status *status);

/* The two halves of it, so that a device is timed once.  @rate: receives FLOP/s */
bool estimate_rate (Backend *backend, Compute compute, double *rate, Status *status);
Estimate estimate_from_rate (const PipelinePlan *plan, double rate);
