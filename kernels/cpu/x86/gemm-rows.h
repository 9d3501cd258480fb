/* SPDX-License-Identifier: MPL-2.0
 * gemm-rows.h - what works on rows rather than tiles: the softmax of attention, and products with
 * so few rows that the weights are read straight from the file (GEMV).
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
  VI exponent = (VI) t << 23; /* the low bits of the sum are the integer */
  V f = x - (t - shifter);
  V p = v_set (9.6181291e-3f);
  if (!coarse)
    p += (v_set (1.5403530e-4f) * f + v_set (1.3333558e-3f)) * f;
  p = p * f + v_set (5.5504109e-2f);
  p = p * f + v_set (2.4022651e-1f);
  p = p * f + v_set (6.9314718e-1f);
  p = p * f + v_set (1.0f);
  return (V) ((VI) p + exponent);
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
      V x0 = v_load (row + i) * vc - vm, x1 = v_load (row + i + VW) * vc - vm;
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

INLINE void
round_any (float *dst, const float *src, int64_t n)
{
  int64_t i = 0;
  for (; i + VW <= n; i += VW)
    v_store (dst + i, v_round_bf16 (v_load (src + i)));
  for (; i < n; i++)
    {
      V one = v_round_bf16 (v_set (src[i]));
      dst[i] = one[0];
    }
}

enum
{
  GEMV_COLUMNS = VW == 16 ? 4 : 2 /* with GEMV_MAX_ROWS rows, as many sums as registers hold */
};

/* @cols rows of w against @n_rows rows of x: sums (cols, n_rows). */
INLINE void
gemv_sums (float *out,
           const char *w,
           int64_t w_stride_bytes,
           int dtype,
           int cols,
           int64_t k,
           const float *x,
           int64_t x_stride,
           int n_rows,
           bool rounded)
{
  int size = dtype == DTYPE_F32 ? 4 : 2;
  V acc[GEMV_COLUMNS][GEMV_MAX_ROWS] = { 0 };
  int64_t i = 0;
  for (; i + VW <= k; i += VW)
    {
#pragma GCC unroll 4
      for (int j = 0; j < cols; j++)
        {
          V wv = maybe_round (load_any (w + j * w_stride_bytes + i * size, dtype), rounded);
#pragma GCC unroll 4
          for (int r = 0; r < n_rows; r++)
            acc[j][r] += wv * v_load (x + r * x_stride + i);
        }
    }
  if (i < k)
    {
#pragma GCC unroll 4
      for (int j = 0; j < cols; j++)
        {
          const char *p = w + j * w_stride_bytes + i * size;
          V wv = maybe_round (load_any_part (p, dtype, (int) (k - i)), rounded);
#pragma GCC unroll 4
          for (int r = 0; r < n_rows; r++)
            acc[j][r] += wv * load_any_part ((const char *) (x + r * x_stride + i), DTYPE_F32,
                                             (int) (k - i));
        }
    }
#pragma GCC unroll 4
  for (int j = 0; j < cols; j++)
#pragma GCC unroll 4
    for (int r = 0; r < n_rows; r++)
      out[j * GEMV_MAX_ROWS + r] = v_sum (acc[j][r]);
}

INLINE void
gemv_rows (float *out,
           const char *w,
           int64_t stride,
           int dtype,
           int cols,
           int64_t k,
           const float *x,
           int64_t x_stride,
           int n_rows,
           bool rounded)
{
  switch (n_rows)
    {
    case 1:
      gemv_sums (out, w, stride, dtype, cols, k, x, x_stride, 1, rounded);
      break;
    case 2:
      gemv_sums (out, w, stride, dtype, cols, k, x, x_stride, 2, rounded);
      break;
    case 3:
      gemv_sums (out, w, stride, dtype, cols, k, x, x_stride, 3, rounded);
      break;
    default:
      gemv_sums (out, w, stride, dtype, cols, k, x, x_stride, 4, rounded);
      break;
    }
}

INLINE void
gemv_columns (float *out,
              const char *w,
              int64_t stride,
              int dtype,
              int cols,
              int64_t k,
              const float *x,
              int64_t x_stride,
              int n_rows,
              bool rounded)
{
  if (cols == GEMV_COLUMNS)
    gemv_rows (out, w, stride, dtype, GEMV_COLUMNS, k, x, x_stride, n_rows, rounded);
  else
    for (int j = 0; j < cols; j++)
      gemv_rows (out + j * GEMV_MAX_ROWS, w + j * stride, stride, dtype, 1, k, x, x_stride, n_rows,
                 rounded);
}

INLINE void
gemv_any (const GemmWeights *w,
          int64_t n0,
          int64_t n1,
          int64_t k,
          const float *x,
          int64_t x_stride,
          int n_rows,
          float *y,
          int64_t y_stride,
          const float *init,
          const float *bias,
          bool rounded)
{
  int size = w->dtype == DTYPE_F32 ? 4 : 2;
  int64_t stride = w->row_stride * size;
  for (int64_t n = n0; n < n1; n += GEMV_COLUMNS)
    {
      float out[GEMV_COLUMNS * GEMV_MAX_ROWS];
      int cols = n1 - n < GEMV_COLUMNS ? (int) (n1 - n) : GEMV_COLUMNS;
      const char *p = (const char *) w->data + n * stride;
      if (w->dtype == DTYPE_F32)
        gemv_columns (out, p, stride, DTYPE_F32, cols, k, x, x_stride, n_rows, rounded);
      else if (w->dtype == DTYPE_F16)
        gemv_columns (out, p, stride, DTYPE_F16, cols, k, x, x_stride, n_rows, rounded);
      else
        gemv_columns (out, p, stride, DTYPE_BF16, cols, k, x, x_stride, n_rows, false);
      for (int r = 0; r < n_rows; r++)
        for (int j = 0; j < cols; j++)
          y[r * y_stride + n + j] = out[j * GEMV_MAX_ROWS + r] +
                                    (init ? init[r * y_stride + n + j] : 0.0f) +
                                    (bias ? bias[n + j] : 0.0f);
    }
}
