/* SPDX-License-Identifier: MPL-2.0
 * vec.h - vectors as wide as the instruction set that a file is compiled for, and their
 * mathematics.
 *
 * GNU vector extensions, so that one source serves every ISA.  The functions handle infinities and
 * NaN like the scalar ones; their error is given in units of the last place (ulp) of f32.
 */
#pragma once

#include <stdint.h>
#include <string.h>
#if defined(__F16C__) || defined(__FMA__)
#  include <immintrin.h>
#endif

#include "core/blocks.h"
#include "kernels/args.h"

#if defined(__AVX512F__)
#  define VEC_BYTES 64
#elif defined(__AVX2__)
#  define VEC_BYTES 32
#else
#  define VEC_BYTES 16
#endif

enum
{
  VEC_WIDTH = VEC_BYTES / 4
};

typedef float Vec __attribute__ ((vector_size (VEC_BYTES)));
typedef int32_t VecInt __attribute__ ((vector_size (VEC_BYTES)));

static inline Vec
vec_load (const float *p)
{
  Vec v;
  memcpy (&v, p, sizeof v);
  return v;
}

static inline void
vec_store (float *p, Vec v)
{
  memcpy (p, &v, sizeof v);
}

/* The first @n elements; zero behind them. */
static inline Vec
vec_load_n (const float *p, int64_t n)
{
  Vec v = { 0 };
  memcpy (&v, p, (size_t) n * sizeof *p);
  return v;
}

static inline void
vec_store_n (float *p, Vec v, int64_t n)
{
  memcpy (p, &v, (size_t) n * sizeof *p);
}

static inline Vec
vec_set (float f)
{
  return f - (Vec){ 0 };
}

/* a b + c, rounded once where the ISA has such an instruction.  Named, as the compiler fuses some
 * copies of an expression and not others, and values would depend on their place. */
static inline Vec
vec_fma (Vec a, Vec b, Vec c)
{
#if defined(__AVX512F__)
  return (Vec) _mm512_fmadd_ps ((__m512) a, (__m512) b, (__m512) c);
#elif defined(__FMA__)
  return (Vec) _mm256_fmadd_ps ((__m256) a, (__m256) b, (__m256) c);
#else
  return a * b + c;
#endif
}

/* The same of one element: tails have to round as whole vectors do. */
static inline float
float_fma (float a, float b, float c)
{
#if defined(__FMA__)
  return __builtin_fmaf (a, b, c);
#else
  return a * b + c;
#endif
}

/* p x + c: a step of Horner's scheme */
static inline Vec
vec_horner (Vec p, Vec x, float c)
{
  return vec_fma (p, x, vec_set (c));
}

static inline float
vec_sum (Vec v)
{
  float lanes[VEC_WIDTH];
  memcpy (lanes, &v, sizeof v);
  for (int n = VEC_WIDTH / 2; n > 0; n /= 2)
    for (int i = 0; i < n; i++)
      lanes[i] += lanes[i + n];
  return lanes[0];
}

/* @yes where @mask is all ones, @no where it is zero. */
static inline Vec
vec_select (VecInt mask, Vec yes, Vec no)
{
  return (Vec) (((VecInt) yes & mask) | ((VecInt) no & ~mask));
}

static inline Vec
vec_abs (Vec x)
{
  return (Vec) ((VecInt) x & 0x7fffffff);
}

/* 2^@n for @n in -126 .. 127 */
static inline Vec
vec_power_of_2 (VecInt n)
{
  return (Vec) ((n + 127) << 23);
}

/* e^x, 1 ulp.  x = n ln 2 + r with |r| <= ln 2 / 2; e^r = 1 + r + r^2 p (r), p fitted for the least
 * relative error (3e-9).  2^n comes in two factors, so that results may be infinite or denormal. */
static inline Vec
vec_exp (Vec x)
{
  const float LOG2_E = 1.44269504f, LN2_HIGH = 0.693359375f, LN2_LOW = -2.12194440e-4f;
  const float ROUND = 0x1.8p23f; /* adding it leaves the integer nearest in the low bits */
  x = vec_select (x > 89, vec_set (89), x);
  x = vec_select (x < -104, vec_set (-104), x);
  Vec shifted = vec_fma (x, vec_set (LOG2_E), vec_set (ROUND));
  VecInt n = (VecInt) shifted - (VecInt) vec_set (ROUND);
  Vec whole = shifted - ROUND;
  Vec r = vec_fma (whole, vec_set (-LN2_HIGH), x);
  r = vec_fma (whole, vec_set (-LN2_LOW), r);
  Vec p = vec_set (0.00138146011f);
  p = vec_horner (p, r, 0.00836871564f);
  p = vec_horner (p, r, 0.041668389f);
  p = vec_horner (p, r, 0.166665211f);
  p = vec_horner (p, r, 0.49999994f);
  Vec e = vec_fma (p, r * r, r) + 1;
  VecInt half = n >> 1;
  return e * vec_power_of_2 (half) * vec_power_of_2 (n - half);
}

/* x sigmoid (slope x), 3 ulp */
static inline Vec
vec_swish (Vec x, float slope)
{
  return x / (1 + vec_exp (x * -slope));
}

/* x Phi (x) = max (x, 0) - |x| Phi (-|x|), which cancels nowhere.  Phi (-z) = e^(-z^2 / 2) t p (t)
 * with t = 1 / (1 + 0.35 z), p fitted on 0 <= z <= 14.5 for the least relative error (3e-8).
 * Error: 4 ulp, and for x < 0 what rounding z^2 adds: z^2 / 2 ulp of a result that small. */
static inline Vec
vec_gelu (Vec x)
{
  Vec z = vec_abs (x);
  z = vec_select (z > 14.5f, vec_set (14.5f), z);
  Vec t = 1 / vec_fma (vec_set (0.35f), z, vec_set (1));
  Vec p = vec_set (-0.0291580297f);
  p = vec_horner (p, t, 0.144031614f);
  p = vec_horner (p, t, -0.255840391f);
  p = vec_horner (p, t, 0.159321249f);
  p = vec_horner (p, t, -0.023213394f);
  p = vec_horner (p, t, 0.105552927f);
  p = vec_horner (p, t, 0.119821183f);
  p = vec_horner (p, t, 0.139863536f);
  p = vec_horner (p, t, 0.139621302f);
  Vec tail = p * t * vec_exp (z * z * -0.5f);
  return vec_fma (-z, tail, vec_select (x < 0, vec_set (0), x));
}

/* x / 2 (1 + tanh (sqrt (2 / pi) (x + 0.044715 x^3))) = x sigmoid (2 sqrt (2 / pi) (...)) */
static inline Vec
vec_gelu_tanh (Vec x)
{
  const float SLOPE = 1.59576912f; /* 2 sqrt (2 / pi) */
  Vec odd = vec_horner (x * x, vec_set (0.044715f), 1);
  return x / (1 + vec_exp (x * -SLOPE * odd));
}

/* 2 ulp: an odd polynomial near zero, where the other formula cancels. */
static inline Vec
vec_tanh (Vec x)
{
  const float SMALL = 0.65f;
  Vec z = vec_abs (x), u = z * z;
  Vec p = vec_set (-0.00552862883f);
  p = vec_horner (p, u, 0.0204833113f);
  p = vec_horner (p, u, -0.0536929667f);
  p = vec_horner (p, u, 0.133308992f);
  p = vec_horner (p, u, -0.333332628f);
  Vec near = vec_fma (p * u, z, z);
  Vec far = 1 - 2 / (vec_exp (z + z) + 1);
  Vec y = vec_select (z < SMALL, near, far);
  return (Vec) ((VecInt) y | ((VecInt) x & ~0x7fffffff));
}

/* Elements @first .. @first + @n - 1 of a parameter as f32; @otherwise where there is none. */
static inline void
vec_param (float *out, const Param *p, int64_t first, int64_t n, float otherwise)
{
  int64_t i = 0;
  if (!p->data)
    {
      for (; i < n; i++)
        out[i] = otherwise;
      return;
    }
#if defined(__F16C__)
  const char *halves = (const char *) p->data + first * (int64_t) sizeof (uint16_t);
  for (; p->dtype == DTYPE_F16 && i + 8 <= n; i += 8)
    _mm256_storeu_ps (out + i, _mm256_cvtph_ps (_mm_loadu_si128 (
                                   (const __m128i_u *) (halves + i * sizeof (uint16_t)))));
#endif
  param_to_f32 (out + i, p, first + i, n - i);
}
