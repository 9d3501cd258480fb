/* SPDX-License-Identifier: MPL-2.0
 * dtype.h - element types and storage formats of tensors in memory and in files, and scalar
 * conversions between them.
 *
 * A format keeps elements in blocks of a fixed number of bytes; for a plain type a block is one
 * element.  One table in dtype.c says how large blocks are; blocks.c decodes them.
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
  DTYPE_F8_E4M3, /* e4m3fn: no infinities, NaN is 0x7f and 0xff */
  DTYPE_F8_E5M2, /* the upper half of an IEEE f16 */
  /* Blocks that carry their own scales, as GGML defines them. */
  DTYPE_Q8_0,
  DTYPE_Q6_K,
  DTYPE_Q5_K,
  DTYPE_Q5_1,
  DTYPE_Q5_0,
  DTYPE_Q4_K,
  DTYPE_Q4_1,
  DTYPE_Q4_0,
  DTYPE_Q3_K,
  DTYPE_Q2_K,
  /* Two 4-bit codes a byte, the first in the upper half (bitsandbytes).  What a code stands for and
   * its scale lie elsewhere: ParamQuant in kernels/args.h. */
  DTYPE_NF4,
  DTYPE_FP4,
  DTYPE_COUNT
} DType;

enum
{
  DTYPE_MAX_BLOCK = 256 /* elements */
};

size_t dtype_size (DType dtype);      /* bytes of one element; 0 where blocks hold several */
const char *dtype_name (DType dtype); /* "f32", "bf16", "q4_k", ... */
int dtype_block_elements (DType dtype);
int dtype_block_bytes (DType dtype);
int64_t dtype_bytes (DType dtype, int64_t n); /* of @n elements; the last block counts as whole */

/* True for the plain types that operators compute with: f32, f16, bf16. */
static inline bool
dtype_is_real (DType dtype)
{
  return dtype <= DTYPE_BF16;
}

/* True for the types that parameters may have: the real ones and every quantised format. */
static inline bool
dtype_is_weight (DType dtype)
{
  return dtype <= DTYPE_BF16 || (dtype >= DTYPE_F8_E4M3 && dtype < DTYPE_COUNT);
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

/* Element @i of an array of a plain type, as f32.  The array need not be aligned. */
float dtype_load (const void *data, DType dtype, int64_t i);

/* Converts @n elements of any plain type to f32 (bool and integers by value).  Unaligned input is
 * fine.  For the other formats see core/blocks.h. */
void dtype_to_f32 (float *out, const void *in, DType dtype, int64_t n);
