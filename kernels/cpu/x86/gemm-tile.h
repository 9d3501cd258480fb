/* SPDX-License-Identifier: MPL-2.0
 * gemm-tile.h - register tiles for instructions that multiply lane by lane: MR rows of broadcast
 * units against two vectors of B.  The including source defines MR and multiply_add.
 */
#define NR (2 * VW)

enum
{
  STEPS = 64 / GEMM_FETCH_BYTES /* for which one cache line is fetched */
};

/* @rows, @vectors: constants wherever this is inlined, so that sums live in registers. */
INLINE void
tile_step (const int rows, const int vectors, V acc[MR][2], const uint32_t *a, const uint32_t *b)
{
  enum
  {
    LDA = GEMM_A_STRIDE / 4
  };
  V b0 = v_load (b), b1 = vectors == 2 ? v_load (b + VW) : b0;
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++)
    {
      V q = v_broadcast (a + r * LDA);
      acc[r][0] = multiply_add (acc[r][0], q, b0);
      if (vectors == 2)
        acc[r][1] = multiply_add (acc[r][1], q, b1);
    }
}

/* Keeps loads of one step from moving into another: gcc 12 otherwise gathers the broadcasts of
 * several steps, runs out of registers and spills sums. */
#define STEP_BARRIER() __asm__ volatile("" ::: "memory")

/* STEPS steps and one line of `next`. */
INLINE void
tile_steps (const int rows,
            const int vectors,
            V acc[MR][2],
            const uint32_t *a,
            const uint32_t *b,
            const char *next)
{
  __builtin_prefetch (next, 0, 2);
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
  V acc[MR][2];
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++)
    acc[r][0] = acc[r][1] = (V){ 0 };
  for (int r = 0; r < rows; r++)
    {
      __builtin_prefetch (c + r * ldc, 1);
      __builtin_prefetch (c + r * ldc + vectors * VW - 1, 1);
    }
  const int b_step = STEPS * vectors * VW;
  int left = units;
#pragma GCC unroll 1
  for (; left >= STEPS; left -= STEPS, a += STEPS, b += b_step, next += 64)
    tile_steps (rows, vectors, acc, a, b, next);
#pragma GCC unroll 1
  for (; left > 0; left--, a++, b += vectors * VW)
    tile_step (rows, vectors, acc, a, b);
  V bias0 = bias ? v_load (bias) : (V){ 0 };
  V bias1 = bias && vectors == 2 ? v_load (bias + VW) : (V){ 0 };
#pragma GCC unroll 16
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
#define EACH_12(X) EACH_6 (X) X (7) X (8) X (9) X (10) X (11) X (12)
#define EACH_14(X) EACH_12 (X) X (13) X (14)
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

#define TILE tile
#define UNIT_ALIGN 1
#define BEGIN NULL
#define END NULL
