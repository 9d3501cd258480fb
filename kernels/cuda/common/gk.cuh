// SPDX-License-Identifier: MPL-2.0
// gk.cuh - what every kernel starts from: the device's or the emulator's wrappers, formats of
// values, rows in pieces of eight, activations, sums over a warp.
#pragma once

#include <math.h>
#include <stdint.h>

#if defined(__CUDACC__)
#  include "device.cuh"
#else
#  include "wrappers.h" // tests/emu
#endif

#include "kernels/cuda/launch.h"

enum
{
  GK_WARP = 32,
  GK_OK = 0,
  GK_INVALID = 1 // cudaErrorInvalidValue
};

// A 16-bit format: values in pairs, the first in the low half.
struct Bf16
{
  typedef uint16_t Element;
  static constexpr bool is_f16 = false, is_f32 = false;
  GK_DEV float
  value (uint16_t bits)
  {
    return low (bits);
  }
  GK_DEV float
  low (uint32_t pair)
  {
    return gk_bits_float (pair << 16);
  }
  GK_DEV float
  high (uint32_t pair)
  {
    return gk_bits_float (pair & 0xffff0000u);
  }
  GK_DEV uint32_t
  pack (float low, float high)
  {
    return gk_pack_bf16 (low, high);
  }
  GK_DEV void
  mma (float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
  {
    gk_mma_bf16 (c, a, b0, b1);
  }
};

struct F16
{
  typedef uint16_t Element;
  static constexpr bool is_f16 = true, is_f32 = false;
  GK_DEV float
  value (uint16_t bits)
  {
    return low (bits);
  }
  GK_DEV float
  low (uint32_t pair)
  {
    return gk_unpack_f16 (pair & 0xffff);
  }
  GK_DEV float
  high (uint32_t pair)
  {
    return gk_unpack_f16 (pair >> 16);
  }
  GK_DEV uint32_t
  pack (float low, float high)
  {
    return gk_pack_f16 (low, high);
  }
  GK_DEV void
  mma (float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
  {
    gk_mma_f16 (c, a, b0, b1);
  }
};

// For comparing with other programs: kernels that only move and add take it, too.
struct F32
{
  typedef float Element;
  static constexpr bool is_f16 = false, is_f32 = true;
  GK_DEV float
  value (float v)
  {
    return v;
  }
};

// The instance of a kernel for @type.
#define GK_INSTANCE(type, kernel)                                                                  \
  ((type) == GK_TYPE_BF16 ? kernel<Bf16> : (type) == GK_TYPE_F16 ? kernel<F16> : kernel<F32>)

template <class T>
GK_DEV const typename T::Element *
gk_input (const void *p)
{
  return (const typename T::Element *) p;
}

template <class T>
GK_DEV typename T::Element *
gk_output (void *p)
{
  return (typename T::Element *) p;
}

// --- rows in pieces of eight values: 16 bytes, or 32 of f32 ---

GK_DEV uint32_t &
gk_word (uint4 &v, int i)
{
  return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

template <class T>
GK_DEV void
gk_unpack8 (float (&v)[8], uint4 w)
{
  GK_UNROLL
  for (int i = 0; i < 4; i++)
    {
      v[2 * i] = T::low (gk_word (w, i));
      v[2 * i + 1] = T::high (gk_word (w, i));
    }
}

template <class T>
GK_DEV uint4
gk_pack8 (const float (&v)[8])
{
  uint4 w;
  GK_UNROLL
  for (int i = 0; i < 4; i++)
    gk_word (w, i) = T::pack (v[2 * i], v[2 * i + 1]);
  return w;
}

// Eight elements at @p, zeros past @n_valid.  @wide: p is a multiple of 16 bytes.
GK_DEV uint4
gk_fetch8 (const uint16_t *p, int64_t n_valid, bool wide)
{
  uint4 w = {};
  if (wide && gk_within (n_valid >= 8))
    return *(const uint4 *) p;
  GK_UNROLL
  for (int i = 0; i < 8; i++)
    if (gk_within (i < n_valid))
      gk_word (w, i / 2) |= (uint32_t) p[i] << 16 * (i % 2);
  return w;
}

GK_DEV void
gk_put8 (uint16_t *p, uint4 w, int64_t n_valid, bool wide)
{
  if (wide && gk_within (n_valid >= 8))
    {
      *(uint4 *) p = w;
      return;
    }
  GK_UNROLL
  for (int i = 0; i < 8; i++)
    if (gk_within (i < n_valid))
      p[i] = (uint16_t) (gk_word (w, i / 2) >> 16 * (i % 2));
}

template <class T>
GK_DEV void
gk_read8 (float (&v)[8], const typename T::Element *p, int64_t n_valid, bool wide)
{
  if constexpr (!T::is_f32)
    gk_unpack8<T> (v, gk_fetch8 (p, n_valid, wide));
  else
    for (int i = 0; i < 8; i++)
      v[i] = gk_within (i < n_valid) ? p[i] : 0;
}

template <class T>
GK_DEV void
gk_write8 (typename T::Element *p, const float (&v)[8], int64_t n_valid, bool wide)
{
  if constexpr (!T::is_f32)
    gk_put8 (p, gk_pack8<T> (v), n_valid, wide);
  else
    for (int i = 0; i < 8; i++)
      if (gk_within (i < n_valid))
        p[i] = v[i];
}

// Two values that lie together.
template <class T>
GK_DEV void
gk_read2 (float &a, float &b, const typename T::Element *p)
{
  if constexpr (T::is_f32)
    {
      a = p[0];
      b = p[1];
    }
  else
    {
      uint32_t pair = *(const uint32_t *) p;
      a = T::low (pair);
      b = T::high (pair);
    }
}

template <class T>
GK_DEV void
gk_write2 (typename T::Element *p, float a, float b)
{
  if constexpr (T::is_f32)
    {
      p[0] = a;
      p[1] = b;
    }
  else
    *(uint32_t *) p = T::pack (a, b);
}

// Element @i of values of a type that is known when running only.
GK_DEV float
gk_load_as (GkType type, const void *x, int64_t i)
{
  if (type == GK_TYPE_F32)
    return ((const float *) x)[i];
  uint16_t bits = ((const uint16_t *) x)[i];
  return type == GK_TYPE_BF16 ? Bf16::value (bits) : F16::value (bits);
}

GK_DEV void
gk_store_as (GkType type, void *y, int64_t i, float v)
{
  if (type == GK_TYPE_F32)
    ((float *) y)[i] = v;
  else
    ((uint16_t *) y)[i] = (uint16_t) (type == GK_TYPE_BF16 ? Bf16::pack (v, 0) : F16::pack (v, 0));
}

// Rows of @stride elements begin at multiples of 16 bytes.
static inline bool
gk_is_wide (const void *p, int64_t stride)
{
  return (uintptr_t) p % 16 == 0 && stride % 8 == 0;
}

// --- activations ---

GK_DEV float
gk_silu (float x)
{
  return x * gk_reciprocal (1 + gk_exp2 (x * -1.44269504f));
}

GK_DEV float
gk_gelu (float x)
{
  return 0.5f * x * (1 + erff (x * 0.70710678f));
}

// Hendrycks and Gimpel, Gaussian Error Linear Units, 2016.
GK_DEV float
gk_gelu_tanh (float x)
{
  return 0.5f * x * (1 + tanhf (0.79788456f * (x + 0.044715f * x * x * x)));
}

GK_DEV float
gk_quick_gelu (float x)
{
  return x * gk_reciprocal (1 + gk_exp2 (x * (-1.702f * 1.44269504f)));
}

// --- sums ---

GK_DEV float
gk_warp_sum (float v)
{
  GK_UNROLL
  for (int mask = GK_WARP / 2; mask; mask /= 2)
    v += gk_shuffle_xor (v, mask);
  return v;
}

GK_DEV float
gk_warp_max (float v)
{
  GK_UNROLL
  for (int mask = GK_WARP / 2; mask; mask /= 2)
    v = fmaxf (v, gk_shuffle_xor (v, mask));
  return v;
}

// Over all N_THREADS threads; @cells holds one value a warp.  A barrier stands before and after,
// so that the cells may be used again.
template <int N_THREADS>
GK_DEV float
gk_block_sum (float v, float *cells)
{
  int warp = gk_thread () / GK_WARP;
  float sum = 0;
  v = gk_warp_sum (v);
  gk_sync ();
  if (gk_thread () % GK_WARP == 0)
    cells[warp] = v;
  gk_sync ();
  GK_UNROLL
  for (int i = 0; i < N_THREADS / GK_WARP; i++)
    sum += cells[i];
  return sum;
}

GK_BOTH int64_t
gk_min (int64_t a, int64_t b)
{
  return a < b ? a : b;
}

GK_BOTH int64_t
gk_max (int64_t a, int64_t b)
{
  return a > b ? a : b;
}

static inline int64_t
gk_ceil_div (int64_t a, int64_t b)
{
  return (a + b - 1) / b;
}
