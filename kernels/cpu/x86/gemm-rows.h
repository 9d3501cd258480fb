/* SPDX-License-Identifier: MPL-2.0
 * gemm-rows.h - what works on rows rather than tiles: the softmax of attention.
 */
#pragma once

#include "kernels/cpu/x86/gemm-pack.h"

/* 2^x for x <= 0: the integer part goes into the exponent, the rest, in [-1/2, 1/2], through the
 * Taylor polynomial of 2^f.  Degree 6 leaves 1.3e-7 * 2^-3 (f32), degree 4 leaves 4e-5, which bf16
 * does not see (2^-9 = 2e-3). */
INLINE V
v_exp2 (V x, bool coarse)
{
  const V shifter = v_set (12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer */
  x = v_max (x, v_set (-126.0f));
  V t = x + shifter;
  VU exponent = (VU) t << 23; /* the low bits of the sum are the integer */
  V f = x - (t - shifter);
  V p = v_set (9.6181291e-3f);
  if (!coarse)
    p = v_fma (v_fma (v_set (1.5403530e-4f), f, v_set (1.3333558e-3f)), f, p);
  p = v_fma (p, f, v_set (5.5504109e-2f));
  p = v_fma (p, f, v_set (2.4022651e-1f));
  p = v_fma (p, f, v_set (6.9314718e-1f));
  p = v_fma (p, f, v_set (1.0f));
  return (V) ((VU) p + exponent);
}

INLINE float
row_max (const float *row, int n)
{
  V m0 = v_set (-3.4e38f), m1 = m0;
  int i = 0;
  for (; i + 2 * VW <= n; i += 2 * VW)
    {
      m0 = v_max (m0, v_load (row + i));
      m1 = v_max (m1, v_load (row + i + VW));
    }
  float highest = v_highest (v_max (m0, m1));
  for (; i < n; i++)
    highest = row[i] > highest ? row[i] : highest;
  return highest;
}

INLINE float
softmax_any (float *row, int n, int n_padded, float c, float *max, float *sum, bool rounded)
{
  float highest = row_max (row, n) * c;
  highest = highest > *max ? highest : *max;
  V vc = v_set (c), vm = v_set (highest), total = { 0 };
  /* Behind the row there is room up to a whole vector: let it give zeros. */
  for (int i = n; i % (2 * VW) != 0; i++)
    row[i] = -3.4e38f;
  bool masked = n % (2 * VW) != 0;
  for (int i = 0; i < n; i += 2 * VW)
    {
      V x0 = v_fma (v_load (row + i), vc, -vm), x1 = v_fma (v_load (row + i + VW), vc, -vm);
      V p0 = v_exp2 (x0, PAIRS || rounded), p1 = v_exp2 (x1, PAIRS || rounded);
      if (masked && i + 2 * VW > n)
        {
          p0 = v_select ((VI) (v_load (row + i) > v_set (-3.3e38f)), p0, (V){ 0 });
          p1 = v_select ((VI) (v_load (row + i + VW) > v_set (-3.3e38f)), p1, (V){ 0 });
        }
      total += p0 + p1;
#if PAIRS
      v_store ((char *) row + i * 2, (V) (__m512i) _mm512_cvtne2ps_pbh ((__m512) p1, (__m512) p0));
#else
      v_store (row + i, maybe_round (p0, rounded));
      v_store (row + i + VW, maybe_round (p1, rounded));
#endif
    }
  int element = PAIRS ? 2 : 4, done = (n + 2 * VW - 1) / (2 * VW) * (2 * VW);
  if (n_padded > done)
    memset ((char *) row + done * element, 0, (size_t) (n_padded - done) * (size_t) element);
  V shrink = v_exp2 (v_set (*max - highest), false);
  float factor = *max < -3.3e38f ? 0.0f : shrink[0];
  *sum = *sum * factor + v_sum (total);
  *max = highest;
  return factor;
}

INLINE void
scale_any (float *dst, const float *src, int64_t n, float factor)
{
  int64_t i = 0;
  for (; i + VW <= n; i += VW)
    v_store (dst + i, v_load (src + i) * v_set (factor));
  for (; i < n; i++)
    dst[i] = src[i] * factor;
}
