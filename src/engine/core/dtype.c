/* SPDX-License-Identifier: MPL-2.0 */
#include "core/dtype.h"

#include <math.h>

static const struct
{
  const char *name;
  size_t size;
} dtypes[DTYPE_COUNT] = {
  [DTYPE_F32] = { "f32", 4 },         [DTYPE_F16] = { "f16", 2 },
  [DTYPE_BF16] = { "bf16", 2 },       [DTYPE_F64] = { "f64", 8 },
  [DTYPE_I64] = { "i64", 8 },         [DTYPE_I32] = { "i32", 4 },
  [DTYPE_I16] = { "i16", 2 },         [DTYPE_I8] = { "i8", 1 },
  [DTYPE_U8] = { "u8", 1 },           [DTYPE_BOOL] = { "bool", 1 },
  [DTYPE_F8_E4M3] = { "f8_e4m3", 1 }, [DTYPE_F8_E5M2] = { "f8_e5m2", 1 },
};

size_t
dtype_size (DType dtype)
{
  return dtypes[dtype].size;
}

const char *
dtype_name (DType dtype)
{
  return dtypes[dtype].name;
}

float
f16_to_f32 (uint16_t h)
{
  uint32_t sign = (uint32_t) (h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3ff;
  if (exponent == 0)
    return (sign ? -1.0f : 1.0f) * ldexpf ((float) mantissa, -24);
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
  dtype_to_f32 (&f, (const char *) data + i * (int64_t) dtypes[dtype].size, dtype, 1);
  return f;
}

static float
f8_to_f32 (uint8_t b, int mantissa_bits, int bias)
{
  int exponent = (b & 0x7f) >> mantissa_bits, mantissa = b & ((1 << mantissa_bits) - 1);
  float sign = b & 0x80 ? -1.0f : 1.0f;
  if (mantissa_bits == 3 ? (b & 0x7f) == 0x7f : exponent == 31)
    return mantissa_bits == 2 && mantissa == 0 ? sign * INFINITY : NAN;
  if (exponent == 0)
    return sign * ldexpf ((float) mantissa, 1 - bias - mantissa_bits);
  return sign * ldexpf ((float) (mantissa | 1 << mantissa_bits), exponent - bias - mantissa_bits);
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
      LOAD (uint8_t, f8_to_f32 (v, 3, 7));
    case DTYPE_F8_E5M2:
      LOAD (uint8_t, f8_to_f32 (v, 2, 15));
    case DTYPE_COUNT:
      break;
    }
}
