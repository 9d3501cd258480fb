/* SPDX-License-Identifier: MPL-2.0 */
#include "core/dtype.h"

#include <assert.h>
#include <math.h>

typedef struct
{
  const char *name;
  int block_elements, block_bytes;
} Format;

static const Format formats[DTYPE_COUNT] = {
  [DTYPE_F32] = { "f32", 1, 4 },         [DTYPE_F16] = { "f16", 1, 2 },
  [DTYPE_BF16] = { "bf16", 1, 2 },       [DTYPE_F64] = { "f64", 1, 8 },
  [DTYPE_I64] = { "i64", 1, 8 },         [DTYPE_I32] = { "i32", 1, 4 },
  [DTYPE_I16] = { "i16", 1, 2 },         [DTYPE_I8] = { "i8", 1, 1 },
  [DTYPE_U8] = { "u8", 1, 1 },           [DTYPE_BOOL] = { "bool", 1, 1 },
  [DTYPE_F8_E4M3] = { "f8_e4m3", 1, 1 }, [DTYPE_F8_E5M2] = { "f8_e5m2", 1, 1 },
  [DTYPE_Q8_0] = { "q8_0", 32, 34 },     [DTYPE_Q6_K] = { "q6_k", 256, 210 },
  [DTYPE_Q5_K] = { "q5_k", 256, 176 },   [DTYPE_Q5_1] = { "q5_1", 32, 24 },
  [DTYPE_Q5_0] = { "q5_0", 32, 22 },     [DTYPE_Q4_K] = { "q4_k", 256, 144 },
  [DTYPE_Q4_1] = { "q4_1", 32, 20 },     [DTYPE_Q4_0] = { "q4_0", 32, 18 },
  [DTYPE_Q3_K] = { "q3_k", 256, 110 },   [DTYPE_Q2_K] = { "q2_k", 256, 84 },
  [DTYPE_NF4] = { "nf4", 2, 1 },         [DTYPE_FP4] = { "fp4", 2, 1 },
};

size_t
dtype_size (DType dtype)
{
  const Format *f = &formats[dtype];
  return f->block_elements == 1 ? (size_t) f->block_bytes : 0;
}

const char *
dtype_name (DType dtype)
{
  return formats[dtype].name;
}

int
dtype_block_elements (DType dtype)
{
  return formats[dtype].block_elements;
}

int
dtype_block_bytes (DType dtype)
{
  return formats[dtype].block_bytes;
}

int64_t
dtype_bytes (DType dtype, int64_t n)
{
  const Format *f = &formats[dtype];
  return (n + f->block_elements - 1) / f->block_elements * f->block_bytes;
}

float
f16_to_f32 (uint16_t h)
{
  uint32_t sign = (uint32_t) (h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3ff;
  if (exponent == 0)
    return (sign ? -1.0f : 1.0f) * (float) mantissa * 0x1p-24f;
  uint32_t u = sign | (exponent == 31 ? 0xffu : exponent + 112) << 23 | mantissa << 13;
  float f;
  memcpy (&f, &u, sizeof f);
  return f;
}

uint16_t
f32_to_f16 (float f)
{
  uint32_t u;
  memcpy (&u, &f, sizeof u);
  uint16_t sign = (uint16_t) (u >> 16 & 0x8000);
  uint32_t magnitude = u & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return sign | 0x7e00;
  if (magnitude >= 0x477ff000) /* 65520: rounds to infinity */
    return sign | 0x7c00;
  if (magnitude < 0x38800000) /* subnormal: scale so that the FPU rounds for us */
    {
      float a;
      memcpy (&a, &magnitude, sizeof a);
      return sign | (uint16_t) lrintf (ldexpf (a, 24));
    }
  uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return sign | (uint16_t) ((rounded - 0x38000000) >> 13);
}

float
dtype_load (const void *data, DType dtype, int64_t i)
{
  float f;
  dtype_to_f32 (&f, (const char *) data + i * formats[dtype].block_bytes, dtype, 1);
  return f;
}

/* e4m3 has f16's layout with a bit less of exponent, whose bias is 8 less; its single NaN would be
 * 480. */
static float
e4m3_to_f32 (uint8_t b)
{
  int magnitude = b & 0x7f;
  if (magnitude == 0x7f)
    return NAN;
  return 256 * f16_to_f32 ((uint16_t) ((b & 0x80) << 8 | magnitude << 7));
}

#define LOAD(type, expression)                                                                     \
  do                                                                                               \
    {                                                                                              \
      for (int64_t i = 0; i < n; i++)                                                              \
        {                                                                                          \
          type v;                                                                                  \
          memcpy (&v, (const char *) in + i * (int64_t) sizeof v, sizeof v);                       \
          out[i] = expression;                                                                     \
        }                                                                                          \
      return;                                                                                      \
    }                                                                                              \
  while (0)

void
dtype_to_f32 (float *out, const void *in, DType dtype, int64_t n)
{
  switch (dtype)
    {
    case DTYPE_F32:
      memcpy (out, in, (size_t) n * sizeof *out);
      return;
    case DTYPE_F16:
      LOAD (uint16_t, f16_to_f32 (v));
    case DTYPE_BF16:
      LOAD (uint16_t, bf16_to_f32 (v));
    case DTYPE_F64:
      LOAD (double, (float) v);
    case DTYPE_I64:
      LOAD (int64_t, (float) v);
    case DTYPE_I32:
      LOAD (int32_t, (float) v);
    case DTYPE_I16:
      LOAD (int16_t, v);
    case DTYPE_I8:
      LOAD (int8_t, v);
    case DTYPE_U8:
    case DTYPE_BOOL:
      LOAD (uint8_t, v);
    case DTYPE_F8_E4M3:
      LOAD (uint8_t, e4m3_to_f32 (v));
    case DTYPE_F8_E5M2:
      LOAD (uint8_t, f16_to_f32 ((uint16_t) (v << 8)));
    case DTYPE_Q8_0:
    case DTYPE_Q6_K:
    case DTYPE_Q5_K:
    case DTYPE_Q5_1:
    case DTYPE_Q5_0:
    case DTYPE_Q4_K:
    case DTYPE_Q4_1:
    case DTYPE_Q4_0:
    case DTYPE_Q3_K:
    case DTYPE_Q2_K:
    case DTYPE_NF4:
    case DTYPE_FP4:
    case DTYPE_COUNT:
      break;
    }
  assert (!"a plain type");
}
