/* SPDX-License-Identifier: MPL-2.0
 * dtype.h - element types of tensors in memory and in files, and scalar conversions between them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum
{
  DTYPE_F32,
  DTYPE_F16,
  DTYPE_BF16,
  DTYPE_F64,
  DTYPE_I64,
  DTYPE_I32,
  DTYPE_I16,
  DTYPE_I8,
  DTYPE_U8,
  DTYPE_BOOL,
  DTYPE_F8_E4M3, /* recognised and named; computing with it comes with the format table */
  DTYPE_F8_E5M2,
  DTYPE_COUNT
} DType;

size_t dtype_size (DType dtype);      /* bytes of one element */
const char *dtype_name (DType dtype); /* "f32", "bf16", ... */

/* True for the types that operators compute with: f32, f16, bf16. */
static inline bool
dtype_is_real (DType dtype)
{
  return dtype <= DTYPE_BF16;
}

static inline float
bf16_to_f32 (uint16_t h)
{
  uint32_t u = (uint32_t) h << 16;
  float f;
  memcpy (&f, &u, sizeof f);
  return f;
}

/* Round to nearest even; NaN stays NaN. */
static inline uint16_t
f32_to_bf16 (float f)
{
  uint32_t u;
  memcpy (&u, &f, sizeof u);
  if ((u & 0x7fffffff) > 0x7f800000)
    return (uint16_t) (u >> 16 | 0x40);
  return (uint16_t) ((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

float f16_to_f32 (uint16_t h);
uint16_t f32_to_f16 (float f); /* round to nearest even, overflow to infinity */

/* Element @i of an array of a real type, as f32.  The array need not be aligned. */
float dtype_load (const void *data, DType dtype, int64_t i);

/* Converts @n elements of any type to f32 (bool and integers by value).  Unaligned input is fine.
 */
void dtype_to_f32 (float *out, const void *in, DType dtype, int64_t n);
