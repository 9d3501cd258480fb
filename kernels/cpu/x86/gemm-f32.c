/* SPDX-License-Identifier: MPL-2.0
 * gemm-f32.c - register tiles of f32 multiply-adds; the level's flags choose the vectors.
 *
 * AVX-512: 12 x 32 (24 sums, 14 loads for each 24 multiply-adds); AVX2: 6 x 16; SSE2: 4 x 8.
 * Limit: multiply-adds.
 */
#define PAIRS 0
#include "kernels/cpu/x86/gemm-rows.h"

#if defined(__AVX512F__)
#  define MR 12
#  define LEVEL avx512
#elif defined(__AVX2__)
#  define MR 6
#  define LEVEL avx2
#else
#  define MR 4
#  define LEVEL sse2
#endif
#define NR (2 * VW)

/* @rows, @vectors: constants wherever this is inlined, so that sums live in registers. */
INLINE void
tile_body (const int rows,
           const int vectors,
           int units,
           const float *restrict a,
           const float *restrict b,
           float *c,
           int64_t ldc,
           const float *init,
           const float *bias)
{
  enum
  {
    LDA = GEMM_A_STRIDE / 4
  };
  V acc[MR][2];
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++)
    {
      acc[r][0] = acc[r][1] = (V){ 0 };
      __builtin_prefetch (c + r * ldc, 1);
      if (vectors == 2)
        __builtin_prefetch (c + r * ldc + VW, 1);
    }
  for (int k = 0; k < units; k++, a++, b += vectors * VW)
    {
      V b0 = v_load (b), b1 = vectors == 2 ? v_load (b + VW) : b0;
#pragma GCC unroll 12
      for (int r = 0; r < rows; r++)
        {
          V q = v_set (a[r * LDA]);
          acc[r][0] += q * b0;
          if (vectors == 2)
            acc[r][1] += q * b1;
        }
    }
  V bias0 = bias ? v_load (bias) : (V){ 0 };
  V bias1 = bias && vectors == 2 ? v_load (bias + VW) : (V){ 0 };
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++)
    {
      V x = acc[r][0] + bias0, y = acc[r][1] + bias1;
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
  static void tile_##rows##_wide (int units, const float *a, const float *b, float *c,             \
                                  int64_t ldc, const float *init, const float *bias)               \
  {                                                                                                \
    tile_body (rows, 2, units, a, b, c, ldc, init, bias);                                          \
  }                                                                                                \
  static void tile_##rows##_narrow (int units, const float *a, const float *b, float *c,           \
                                    int64_t ldc, const float *init, const float *bias)             \
  {                                                                                                \
    tile_body (rows, 1, units, a, b, c, ldc, init, bias);                                          \
  }
#define ENTRY(rows) { tile_##rows##_narrow, tile_##rows##_wide },

#if MR == 12
#  define EACH(X) X (1) X (2) X (3) X (4) X (5) X (6) X (7) X (8) X (9) X (10) X (11) X (12)
#elif MR == 6
#  define EACH(X) X (1) X (2) X (3) X (4) X (5) X (6)
#else
#  define EACH(X) X (1) X (2) X (3) X (4)
#endif

EACH (DEFINE)

typedef void (*TileFunc) (
    int, const float *, const float *, float *, int64_t, const float *, const float *);
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

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_ (a, b)
#define TILE tile
#define UNIT_ALIGN 1
#define BEGIN NULL
#define END NULL

#define NAME f32
#define TABLE PASTE (gemm_f32_, LEVEL)
#define FORMAT GEMM_F32
#define ROUNDED false
#include "kernels/cpu/x86/gemm-table.h"

#define NAME rounded
#define TABLE PASTE (gemm_rounded_, LEVEL)
#define FORMAT GEMM_ROUNDED
#define ROUNDED true
#include "kernels/cpu/x86/gemm-table.h"
