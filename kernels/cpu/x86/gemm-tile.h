/* SPDX-License-Identifier: MPL-2.0
 * gemm-tile.h - register tiles for instructions that multiply lane by lane: MR rows of broadcast
 * units against one or two vectors of B, or BROAD_MR rows against three.  The including source
 * defines MR, BROAD_MR (0: no such tiles) and multiply_add.
 */
#if BROAD_MR
#  include "kernels/cpu/x86/gemm-broad.h"
#endif

#define NR (2 * VW)

enum
{
  STEPS = 4, /* of the k loop, unrolled */
  MOST_VECTORS = 3,
  LEAST_BROAD_LOOP_ROWS = 8 /* fewer leave registers enough for the compiler */
};
_Static_assert(STEPS *GEMM_FETCH_BYTES == 64, "one cache line for as many steps");
_Static_assert(STEPS *GEMM_BROAD_FETCH_BYTES == 128, "two cache lines for as many steps");

/* @rows, @vectors: constants wherever this is inlined, so that sums live in registers. */
INLINE void
tile_step (const int rows,
           const int vectors,
           V acc[MR][MOST_VECTORS],
           const uint32_t *a,
           const uint32_t *b)
{
  enum
  {
    LDA = GEMM_A_STRIDE / 4
  };
  V column[MOST_VECTORS];
#pragma GCC unroll 3
  for (int j = 0; j < vectors; j++)
    column[j] = v_load (b + j * VW);
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++)
    {
      V q = v_broadcast (a + r * LDA);
#pragma GCC unroll 3
      for (int j = 0; j < vectors; j++)
        acc[r][j] = multiply_add (acc[r][j], q, column[j]);
    }
}

/* Keeps loads of one step from moving into another: gcc 12 otherwise gathers the broadcasts of
 * several steps, runs out of registers and spills sums. */
#define STEP_BARRIER() __asm__ volatile("" ::: "memory")

/* STEPS steps and the lines of `next` that belong to them. */
INLINE void
tile_steps (const int rows,
            const int vectors,
            V acc[MR][MOST_VECTORS],
            const uint32_t *a,
            const uint32_t *b,
            const char *next)
{
  __builtin_prefetch (next, 0, 2);
  if (vectors == MOST_VECTORS)
    __builtin_prefetch (next + 64, 0, 2);
#pragma GCC unroll 4
  for (int i = 0; i < STEPS; i++)
    {
      tile_step (rows, vectors, acc, a + i, b + i * vectors * VW);
      STEP_BARRIER ();
    }
}

/* C is needed only at the end, but comes from far away: it is fetched while the sums are made. */
INLINE void
tile_body (const int rows,
           const int vectors,
           int units,
           const uint32_t *restrict a,
           const uint32_t *restrict b,
           float *c,
           int64_t ldc,
           const float *init,
           const float *bias,
           const char *next)
{
  V acc[MR][MOST_VECTORS];
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
    for (int j = 0; j < vectors; j++)
      acc[r][j] = (V){ 0 };
  for (int r = 0; r < rows; r++)
    {
      __builtin_prefetch (c + r * ldc, 1);
      __builtin_prefetch (c + r * ldc + vectors * VW - 1, 1);
      if (vectors == MOST_VECTORS)
        __builtin_prefetch (c + r * ldc + VW, 1);
    }
  const int b_step = STEPS * vectors * VW, next_step = vectors == MOST_VECTORS ? 128 : 64;
  int left = units;
#if BROAD_MR
  if (vectors == MOST_VECTORS && rows >= LEAST_BROAD_LOOP_ROWS && left >= STEPS)
    {
      BroadLoop loop = { a, b, next, units / STEPS };
      broad_loop (rows, acc, &loop);
      a += loop.n * STEPS;
      b += loop.n * b_step;
      left -= (int) loop.n * STEPS;
    }
#endif
#pragma GCC unroll 1
  for (; left >= STEPS; left -= STEPS, a += STEPS, b += b_step, next += next_step)
    tile_steps (rows, vectors, acc, a, b, next);
#pragma GCC unroll 1
  for (; left > 0; left--, a++, b += vectors * VW)
    tile_step (rows, vectors, acc, a, b);
  V biases[MOST_VECTORS];
#pragma GCC unroll 3
  for (int j = 0; j < vectors; j++)
    biases[j] = bias ? v_load (bias + j * VW) : (V){ 0 };
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
    for (int j = 0; j < vectors; j++)
      {
        V x = acc[r][j] + biases[j];
        if (init)
          x += v_load (init + r * ldc + j * VW);
        v_store (c + r * ldc + j * VW, x);
      }
}

#define DEFINE(rows)                                                                               \
  static void tile_##rows##_wide (int units, const void *a, const void *b, float *c, int64_t ldc,  \
                                  const float *init, const float *bias, const void *next)          \
  {                                                                                                \
    tile_body (rows, 2, units, a, b, c, ldc, init, bias, next);                                    \
  }                                                                                                \
  static void tile_##rows##_narrow (int units, const void *a, const void *b, float *c,             \
                                    int64_t ldc, const float *init, const float *bias,             \
                                    const void *next)                                              \
  {                                                                                                \
    tile_body (rows, 1, units, a, b, c, ldc, init, bias, next);                                    \
  }
#define ENTRY(rows) { tile_##rows##_narrow, tile_##rows##_wide },

#define EACH_4(X) X (1) X (2) X (3) X (4)
#define EACH_6(X) EACH_4 (X) X (5) X (6)
#define EACH_9(X) EACH_6 (X) X (7) X (8) X (9)
#define EACH_12(X) EACH_9 (X) X (10) X (11) X (12)
#define EACH_NAMED(n) EACH_##n
#define EACH(n) EACH_NAMED (n)

EACH (MR)
(DEFINE)

    typedef void (*TileFunc) (int,
                              const void *,
                              const void *,
                              float *,
                              int64_t,
                              const float *,
                              const float *,
                              const void *);
static const TileFunc tiles[MR][2] = { EACH (MR) (ENTRY) };

static void
tile (int rows,
      bool wide,
      int units,
      const void *a,
      const void *b,
      float *c,
      int64_t ldc,
      const float *init,
      const float *bias,
      const void *next)
{
  tiles[rows - 1][wide](units, a, b, c, ldc, init, bias, next);
}

#if BROAD_MR
#  define DEFINE_BROAD(rows)                                                                       \
    static void tile_##rows##_broad (int units, const void *a, const void *b, float *c,            \
                                     int64_t ldc, const float *init, const float *bias,            \
                                     const void *next)                                             \
    {                                                                                              \
      tile_body (rows, 3, units, a, b, c, ldc, init, bias, next);                                  \
    }
#  define ENTRY_BROAD(rows) tile_##rows##_broad,

EACH (BROAD_MR)
(DEFINE_BROAD)

    static const TileFunc broad_tiles[BROAD_MR] = { EACH (BROAD_MR) (ENTRY_BROAD) };

static void
tile_broad (int rows,
            int units,
            const void *a,
            const void *b,
            float *c,
            int64_t ldc,
            const float *init,
            const float *bias,
            const void *next)
{
  broad_tiles[rows - 1](units, a, b, c, ldc, init, bias, next);
}
#  define TILE_BROAD tile_broad
#else
#  define TILE_BROAD NULL
#endif

#define TILE tile
#define UNIT_ALIGN 1
#define BEGIN NULL
#define END NULL
