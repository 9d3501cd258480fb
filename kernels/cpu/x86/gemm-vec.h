/* SPDX-License-Identifier: MPL-2.0
 * gemm-vec.h - one vector type of the width that the compiler's flags allow, and what the product
 * kernels do with it.
 *
 * Sources that include this are compiled once for each level.  Everything here is static: a
 * function of one level must never be picked by the linker for another.
 */
#pragma once

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__ ((always_inline, unused))

#if defined(__AVX512F__)
enum
{
  VW = 16
};
#elif defined(__AVX2__)
enum
{
  VW = 8
};
#else
enum
{
  VW = 4
};
#endif

/* aligned (4): loads and stores through these never assume more. */
typedef float V __attribute__ ((vector_size (VW * 4), aligned (4), may_alias));
typedef int32_t VI __attribute__ ((vector_size (VW * 4), aligned (4), may_alias));
typedef uint32_t VU __attribute__ ((vector_size (VW * 4), aligned (4), may_alias));

/* Parameters lie in mapped files at any address. */
typedef V VAnywhere __attribute__ ((aligned (1)));

INLINE V
v_load (const void *p)
{
  return *(const VAnywhere *) p;
}

INLINE void
v_store (void *p, V x)
{
  *(V *) p = x;
}

INLINE V
v_set (float x)
{
  return x - (V){ 0 };
}

/* The same 32 bits in every lane. */
INLINE V
v_broadcast (const uint32_t *p)
{
#if defined(__AVX512F__)
  return (V) _mm512_set1_epi32 ((int) *p);
#else
  return (V) (*p + (VU){ 0 });
#endif
}

/* @mask: all ones or all zeros a lane, as comparisons give it. */
INLINE V
v_select (VI mask, V yes, V no)
{
#if defined(__AVX512F__)
  return (V) _mm512_mask_blend_ps (_mm512_movepi32_mask ((__m512i) mask), (__m512) no,
                                   (__m512) yes);
#else
  return (V) ((mask & (VI) yes) | (~mask & (VI) no));
#endif
}

INLINE V
v_max (V a, V b)
{
#if defined(__AVX512F__)
  return (V) _mm512_max_ps ((__m512) a, (__m512) b);
#elif defined(__AVX2__)
  return (V) _mm256_max_ps ((__m256) a, (__m256) b);
#else
  return (V) _mm_max_ps ((__m128) a, (__m128) b);
#endif
}

/* a b + c, rounded once where the level has such an instruction.  Named, as the compiler fuses some
 * copies of an expression and not others, and rows would depend on their number. */
INLINE V
v_fma (V a, V b, V c)
{
#if defined(__AVX512F__)
  return (V) _mm512_fmadd_ps ((__m512) a, (__m512) b, (__m512) c);
#elif defined(__FMA__)
  return (V) _mm256_fmadd_ps ((__m256) a, (__m256) b, (__m256) c);
#else
  return a * b + c;
#endif
}

INLINE float
v_sum (V x)
{
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps ((__m512) x);
#else
  float s = x[0];
  for (int i = 1; i < VW; i++)
    s += x[i];
  return s;
#endif
}

INLINE float
v_highest (V x)
{
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps ((__m512) x);
#else
  float m = x[0];
  for (int i = 1; i < VW; i++)
    m = x[i] > m ? x[i] : m;
  return m;
#endif
}

/* Nearest even; a NaN stays one. */
INLINE V
v_round_bf16 (V x)
{
  VU u = (VU) x;
  VU r = (u + 0x7fff + (u >> 16 & 1)) & 0xffff0000u;
  return v_select ((VI) (x != x), (V) ((u | 0x400000u) & 0xffff0000u), (V) r);
}

INLINE V
v_load_bf16 (const void *p)
{
#if defined(__AVX512F__)
  __m256i h = _mm256_loadu_si256 (p);
  return (V) _mm512_slli_epi32 (_mm512_cvtepu16_epi32 (h), 16);
#elif defined(__AVX2__)
  __m128i h = _mm_loadu_si128 (p);
  return (V) _mm256_slli_epi32 (_mm256_cvtepu16_epi32 (h), 16);
#else
  __m128i h = _mm_loadl_epi64 (p);
  return (V) _mm_unpacklo_epi16 (_mm_setzero_si128 (), h);
#endif
}

INLINE V
v_load_f16 (const void *p)
{
#if defined(__AVX512F__)
  return (V) _mm512_cvtph_ps (_mm256_loadu_si256 (p));
#elif defined(__AVX2__)
  return (V) _mm256_cvtph_ps (_mm_loadu_si128 (p));
#else
  /* Shift exponent and mantissa into place, then let a multiplication correct the bias: it also
   * normalises subnormals.  Infinities and NaNs keep the highest exponent. */
  VU h = (VU) _mm_unpacklo_epi16 (_mm_loadl_epi64 (p), _mm_setzero_si128 ());
  VU sign = (h & 0x8000u) << 16, magnitude = (h & 0x7fffu) << 13;
  V scaled = (V) magnitude * v_set (0x1p112f);
  VU special = (VU) ((VI) magnitude >= 0x0f800000) & 0x7f800000u;
  return (V) ((VU) scaled | special | sign);
#endif
}

/* Transposes a square of 32-bit lanes. */
INLINE void
v_transpose (V r[VW])
{
#if defined(__AVX512F__)
  __m512 t[16], u[16];
#  pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2)
    {
      t[i] = _mm512_unpacklo_ps ((__m512) r[i], (__m512) r[i + 1]);
      t[i + 1] = _mm512_unpackhi_ps ((__m512) r[i], (__m512) r[i + 1]);
    }
#  pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4)
    {
      __m512d a = (__m512d) t[i], b = (__m512d) t[i + 1], c = (__m512d) t[i + 2],
              d = (__m512d) t[i + 3];
      u[i] = (__m512) _mm512_unpacklo_pd (a, c);
      u[i + 1] = (__m512) _mm512_unpackhi_pd (a, c);
      u[i + 2] = (__m512) _mm512_unpacklo_pd (b, d);
      u[i + 3] = (__m512) _mm512_unpackhi_pd (b, d);
    }
#  pragma GCC unroll 4
  for (int i = 0; i < 4; i++)
    {
      t[i] = _mm512_shuffle_f32x4 (u[i], u[i + 4], 0x88);
      t[i + 4] = _mm512_shuffle_f32x4 (u[i], u[i + 4], 0xdd);
      t[i + 8] = _mm512_shuffle_f32x4 (u[i + 8], u[i + 12], 0x88);
      t[i + 12] = _mm512_shuffle_f32x4 (u[i + 8], u[i + 12], 0xdd);
    }
#  pragma GCC unroll 4
  for (int i = 0; i < 4; i++)
    {
      r[i] = (V) _mm512_shuffle_f32x4 (t[i], t[i + 8], 0x88);
      r[i + 8] = (V) _mm512_shuffle_f32x4 (t[i], t[i + 8], 0xdd);
      r[i + 4] = (V) _mm512_shuffle_f32x4 (t[i + 4], t[i + 12], 0x88);
      r[i + 12] = (V) _mm512_shuffle_f32x4 (t[i + 4], t[i + 12], 0xdd);
    }
#elif defined(__AVX2__)
  __m256 t[8], u[8];
#  pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2)
    {
      t[i] = _mm256_unpacklo_ps ((__m256) r[i], (__m256) r[i + 1]);
      t[i + 1] = _mm256_unpackhi_ps ((__m256) r[i], (__m256) r[i + 1]);
    }
#  pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4)
    {
      u[i] = _mm256_shuffle_ps (t[i], t[i + 2], 0x44);
      u[i + 1] = _mm256_shuffle_ps (t[i], t[i + 2], 0xee);
      u[i + 2] = _mm256_shuffle_ps (t[i + 1], t[i + 3], 0x44);
      u[i + 3] = _mm256_shuffle_ps (t[i + 1], t[i + 3], 0xee);
    }
#  pragma GCC unroll 4
  for (int i = 0; i < 4; i++)
    {
      r[i] = (V) _mm256_permute2f128_ps (u[i], u[i + 4], 0x20);
      r[i + 4] = (V) _mm256_permute2f128_ps (u[i], u[i + 4], 0x31);
    }
#else
  __m128 a = (__m128) r[0], b = (__m128) r[1], c = (__m128) r[2], d = (__m128) r[3];
  _MM_TRANSPOSE4_PS (a, b, c, d);
  r[0] = (V) a;
  r[1] = (V) b;
  r[2] = (V) c;
  r[3] = (V) d;
#endif
}
