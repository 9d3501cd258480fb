/* SPDX-License-Identifier: MPL-2.0
 * gemm-winograd.h - the three transforms of Winograd's convolution F (2 x 2, 3 x 3).
 *
 * Source: Lavin, Gray, Fast Algorithms for Convolutional Neural Networks, 2015 (arXiv:1509.09308),
 * section 4.1: Y = A^T ((G g G^T) * (B^T d B)) A with
 *   B^T = | 1  0 -1  0 |   G = |  1    0    0  |   A^T = | 1  1  1  0 |
 *         | 0  1  1  0 |       | 1/2  1/2  1/2 |         | 0  1 -1 -1 |
 *         | 0 -1  1  0 |       | 1/2 -1/2  1/2 |
 *         | 0  1  0 -1 |       |  0    0    1  |
 * Every lane is a channel of its own.  Limit: the second level cache, 16 streams at a time.
 */
#pragma once

#include "kernels/cpu/x86/gemm-vec.h"
#include "kernels/cpu/x86/gemm.h"

/* B^T applied to four values @step apart. */
INLINE void
winograd_input_1d (V *x, int step)
{
  V a = x[0] - x[2 * step], b = x[step] + x[2 * step];
  V c = x[2 * step] - x[step], d = x[step] - x[3 * step];
  x[0] = a;
  x[step] = b;
  x[2 * step] = c;
  x[3 * step] = d;
}

static void
winograd_input (char *dst, int64_t step, const float *const pixels[16], int64_t c0, int n)
{
  for (int c = 0; c < n; c += VW, dst += VW * 4)
    {
      V x[16];
#pragma GCC unroll 16
      for (int i = 0; i < 16; i++)
        x[i] = pixels[i] ? v_load (pixels[i] + c0 + c) : (V){ 0 };
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++)
        winograd_input_1d (x + i, 4);
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++)
        winograd_input_1d (x + 4 * i, 1);
#pragma GCC unroll 16
      for (int i = 0; i < 16; i++)
        v_store (dst + i * step, x[i]);
    }
}

/* G applied to three values. */
INLINE void
winograd_filter_1d (V y[4], V a, V b, V c)
{
  V half = (a + c) * v_set (0.5f), middle = b * v_set (0.5f);
  y[0] = a;
  y[1] = half + middle;
  y[2] = half - middle;
  y[3] = c;
}

static void
winograd_filter (char *dst, int64_t step, const float *taps, int64_t n)
{
  for (int64_t j = 0; j < n; j += VW, dst += VW * 4)
    {
      V columns[3][4];
#pragma GCC unroll 3
      for (int x = 0; x < 3; x++)
        winograd_filter_1d (columns[x], v_load (taps + x * n + j), v_load (taps + (3 + x) * n + j),
                            v_load (taps + (6 + x) * n + j));
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++)
        {
          V y[4];
          winograd_filter_1d (y, columns[0][i], columns[1][i], columns[2][i]);
#pragma GCC unroll 4
          for (int k = 0; k < 4; k++)
            v_store (dst + (4 * i + k) * step, y[k]);
        }
    }
}

INLINE void
winograd_store (float *y, V x, int64_t c, const float *add)
{
  if (!y)
    return;
  if (add)
    x += v_load (add + c);
  v_store (y + c, x);
}

static void
winograd_output (float *const y[4],
                 const float *sums,
                 int64_t step,
                 int64_t n,
                 const float *bias,
                 const float *const add[4])
{
  for (int64_t c = 0; c < n; c += VW)
    {
      V rows[2][4];
#pragma GCC unroll 4
      for (int k = 0; k < 4; k++)
        {
          V s0 = v_load (sums + k * step + c), s1 = v_load (sums + (4 + k) * step + c);
          V s2 = v_load (sums + (8 + k) * step + c), s3 = v_load (sums + (12 + k) * step + c);
          rows[0][k] = s0 + s1 + s2;
          rows[1][k] = s1 - s2 - s3;
        }
      V b = bias ? v_load (bias + c) : (V){ 0 };
#pragma GCC unroll 2
      for (int i = 0; i < 2; i++)
        {
          winograd_store (y[2 * i], rows[i][0] + rows[i][1] + rows[i][2] + b, c,
                          add ? add[2 * i] : NULL);
          winograd_store (y[2 * i + 1], rows[i][1] - rows[i][2] - rows[i][3] + b, c,
                          add ? add[2 * i + 1] : NULL);
        }
    }
}

static const WinogradKernels winograd_kernels = { .input = winograd_input,
                                                  .filter = winograd_filter,
                                                  .output = winograd_output };
