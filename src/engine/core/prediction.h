/* SPDX-License-Identifier: MPL-2.0
 * prediction.h - what a denoising network's output stands for; checkpoints say it, samplers use it.
 */
#pragma once

typedef enum
{
  PREDICTION_EPSILON, /* the noise n */
  PREDICTION_V,       /* a n - b x0 */
  PREDICTION_FLOW     /* n - x0, of x = (1 - sigma) x0 + sigma n: flow matching */
} Prediction;
