/* SPDX-License-Identifier: MPL-2.0
 * encode.h - numbers into storage formats: what `gesso-cli convert` writes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/dtype.h"

/* The formats that there is an encoder for: f32, f16, bf16, f8_e4m3, q8_0, q4_k. */
bool encode_can (DType dtype);

/* encode:
 * @out: dtype_bytes (@dtype, @n) bytes
 * @n: whole blocks
 *
 * Rounds to the nearest value that the format has; f8_e4m3 ends at +-448.  q4_k fits scale and
 * minimum of each run of 32 to the least squared error.
 */
void encode (void *out, DType dtype, const float *x, int64_t n);
