/* SPDX-License-Identifier: MPL-2.0
 * gemm-bf16.c - register tiles of VDPBF16PS: two products and two sums for each 32-bit lane.
 *
 * 12 x 32 as in gemm-f32.c; K counts in pairs.  The instruction rounds sums to nearest even and
 * takes subnormals for zero.  Limit: that instruction.
 */
#define PAIRS 1
#include "kernels/cpu/x86/gemm-rows.h"

enum
{
  MR = 12,
  NR = 2 * VW
};

INLINE void
tile_body (const int rows,
           const int vectors,
           int units,
           const uint32_t *restrict a,
           const uint32_t *restrict b,
           float *c,
           int64_t ldc,
           const float *init,
           const float *bias)
{
  enum
  {
    LDA = GEMM_A_STRIDE / 4
  };
  __m512 acc[MR][2];
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++)
    {
      acc[r][0] = acc[r][1] = _mm512_setzero_ps ();
      __builtin_prefetch (c + r * ldc, 1);
      if (vectors == 2)
        __builtin_prefetch (c + r * ldc + VW, 1);
    }
  for (int k = 0; k < units; k++, a++, b += vectors * VW)
    {
      __m512bh b0 = (__m512bh) _mm512_loadu_si512 (b);
      __m512bh b1 = vectors == 2 ? (__m512bh) _mm512_loadu_si512 (b + VW) : b0;
#pragma GCC unroll 12
      for (int r = 0; r < rows; r++)
        {
          __m512bh q = (__m512bh) _mm512_set1_epi32 ((int) a[r * LDA]);
          acc[r][0] = _mm512_dpbf16_ps (acc[r][0], q, b0);
          if (vectors == 2)
            acc[r][1] = _mm512_dpbf16_ps (acc[r][1], q, b1);
        }
    }
  V bias0 = bias ? v_load (bias) : (V){ 0 };
  V bias1 = bias && vectors == 2 ? v_load (bias + VW) : (V){ 0 };
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++)
    {
      V x = (V) acc[r][0] + bias0, y = (V) acc[r][1] + bias1;
      if (init)
        {
          x += v_load (init + r * ldc);
          if (vectors == 2)
            y += v_load (init + r * ldc + VW);
        }
      v_store (c + r * ldc, x);
      if (vectors == 2)
        v_store (c + r * ldc + VW, y);
    }
}

#define DEFINE(rows)                                                                               \
  static void tile_##rows##_wide (int units, const void *a, const void *b, float *c, int64_t ldc,  \
                                  const float *init, const float *bias)                            \
  {                                                                                                \
    tile_body (rows, 2, units, a, b, c, ldc, init, bias);                                          \
  }                                                                                                \
  static void tile_##rows##_narrow (int units, const void *a, const void *b, float *c,             \
                                    int64_t ldc, const float *init, const float *bias)             \
  {                                                                                                \
    tile_body (rows, 1, units, a, b, c, ldc, init, bias);                                          \
  }
#define ENTRY(rows) { tile_##rows##_narrow, tile_##rows##_wide },
#define EACH(X) X (1) X (2) X (3) X (4) X (5) X (6) X (7) X (8) X (9) X (10) X (11) X (12)

EACH (DEFINE)

typedef void (*TileFunc) (
    int, const void *, const void *, float *, int64_t, const float *, const float *);
static const TileFunc tiles[MR][2] = { EACH (ENTRY) };

static void
tile (int rows,
      bool wide,
      int units,
      const void *a,
      const void *b,
      float *c,
      int64_t ldc,
      const float *init,
      const float *bias)
{
  tiles[rows - 1][wide](units, a, b, c, ldc, init, bias);
}

#define TILE tile
#define UNIT_ALIGN 1
#define BEGIN NULL
#define END NULL
#define NAME pairs
#define TABLE gemm_pairs_avx512bf16
#define FORMAT GEMM_PAIRS
#define ROUNDED false
#include "kernels/cpu/x86/gemm-table.h"
