/* SPDX-License-Identifier: MPL-2.0
 * lora.h - a LoRA on every layer that trainers adapt, for benchmarks.
 */
#pragma once

#include "weights/weights.h"

extern const UnetConfig bench_sdxl;

/* A LoRA of @rank on all of @set's layers, f16, a sparse file of zeros; ends the program when it
 * cannot.  Returns: layers in it */
int bench_write_lora (const WeightSet *set, const char *path, int rank);
