/* SPDX-License-Identifier: MPL-2.0
 * gemm-amx.c - register tiles of TDPBF16PS: C (16 x 16) += A (16 x 32) B (32 x 16) in bf16.
 *
 * A task's tile is 32 x 32: two tile registers of A, two of B, four of C, so that each load serves
 * two products (16 cycles a product, 8 a load from the first level cache).  A's rows and B's panels
 * lie as for VDPBF16PS; blocks of K are padded with zeros to whole tiles.
 * Limit: products where B's block stays in the first level cache; else the second level's
 * bandwidth.
 */
#define PAIRS 1
#include "kernels/cpu/x86/gemm-rows.h"

enum
{
  SIDE = 16, /* rows of a tile register, and its 32-bit columns */
  MR = 2 * SIDE,
  NR = 2 * SIDE
};

/* Intel 64 SDM volume 1, table 18-1. */
typedef struct
{
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} TileConfig;

static void
begin (void)
{
  enum
  {
    N_TILES = 8
  };
  TileConfig config = { .palette = 1 };
  for (int i = 0; i < N_TILES; i++)
    {
      config.row_bytes[i] = SIDE * 4;
      config.rows[i] = SIDE;
    }
  __asm__ volatile("" ::: "memory");
  _tile_loadconfig (&config);
}

static void
end (void)
{
  _tile_release ();
}

/* The intrinsics do not tell the compiler that they touch memory. */
#define MEMORY_BARRIER() __asm__ volatile("" ::: "memory")

/* Registers: 0 1 / 2 3 sums, 4 5 of A, 6 7 of B. */
INLINE void
multiply (const int row_tiles,
          const int col_tiles,
          int units,
          const char *a,
          const char *b,
          const char *next)
{
  for (int u = 0; u < units; u += SIDE, a += SIDE * 4, b += SIDE * SIDE * 4 * col_tiles)
    {
      for (int i = 0; i < SIDE * GEMM_FETCH_BYTES; i += 64, next += 64)
        __builtin_prefetch (next, 0, 2);
      _tile_loadd (6, b, SIDE * 4 * col_tiles);
      _tile_loadd (4, a, GEMM_A_STRIDE);
      _tile_dpbf16ps (0, 4, 6);
      if (col_tiles == 2)
        {
          _tile_loadd (7, b + SIDE * 4, SIDE * 4 * col_tiles);
          _tile_dpbf16ps (1, 4, 7);
        }
      if (row_tiles == 2)
        {
          _tile_loadd (5, a + SIDE * GEMM_A_STRIDE, GEMM_A_STRIDE);
          _tile_dpbf16ps (2, 5, 6);
          if (col_tiles == 2)
            _tile_dpbf16ps (3, 5, 7);
        }
    }
}

/* Where sums start: init + bias, zeros where there is neither or no row. */
INLINE void
start_aside (const int col_tiles,
             float sums[MR * NR],
             int rows,
             int64_t ldc,
             const float *init,
             const float *bias)
{
  for (int r = 0; r < MR; r++)
    for (int j = 0; j < col_tiles * VW; j += VW)
      {
        V x = { 0 };
        if (bias)
          x += v_load (bias + j);
        if (init && r < rows)
          x += v_load (init + r * ldc + j);
        v_store (sums + r * NR + j, x);
      }
}

/* From rows @stride_bytes apart; 0 repeats one row. */
INLINE void
load_sums (const int row_tiles, const int col_tiles, const float *from, int64_t stride_bytes)
{
  const char *p = (const char *) from;
  _tile_loadd (0, p, stride_bytes);
  if (col_tiles == 2)
    _tile_loadd (1, p + SIDE * 4, stride_bytes);
  if (row_tiles == 2)
    {
      _tile_loadd (2, p + SIDE * stride_bytes, stride_bytes);
      if (col_tiles == 2)
        _tile_loadd (3, p + SIDE * stride_bytes + SIDE * 4, stride_bytes);
    }
}

INLINE void
store_sums (const int row_tiles, const int col_tiles, float *to, int64_t stride_bytes)
{
  char *p = (char *) to;
  _tile_stored (0, p, stride_bytes);
  if (col_tiles == 2)
    _tile_stored (1, p + SIDE * 4, stride_bytes);
  if (row_tiles == 2)
    {
      _tile_stored (2, p + SIDE * stride_bytes, stride_bytes);
      if (col_tiles == 2)
        _tile_stored (3, p + SIDE * stride_bytes + SIDE * 4, stride_bytes);
    }
}

static void
clear_sums (void)
{
  _tile_zero (0);
  _tile_zero (1);
  _tile_zero (2);
  _tile_zero (3);
}

INLINE void
tile_body (const int row_tiles,
           const int col_tiles,
           int rows,
           int units,
           const void *a,
           const void *b,
           float *c,
           int64_t ldc,
           const float *init,
           const float *bias,
           const void *next)
{
  /* A cut-off tile starts from the same numbers as a whole one, or rows would differ by where they
   * are. */
  bool aside = rows < row_tiles * SIDE || (init && bias);
  if (!aside)
    {
      MEMORY_BARRIER ();
      if (init || bias)
        load_sums (row_tiles, col_tiles, init ? init : bias, init ? ldc * 4 : 0);
      else
        clear_sums ();
      multiply (row_tiles, col_tiles, units, a, b, next);
      store_sums (row_tiles, col_tiles, c, ldc * 4);
      MEMORY_BARRIER ();
      return;
    }
  _Alignas(64) float sums[MR * NR];
  start_aside (col_tiles, sums, rows, ldc, init, bias);
  MEMORY_BARRIER ();
  load_sums (row_tiles, col_tiles, sums, NR * 4);
  multiply (row_tiles, col_tiles, units, a, b, next);
  store_sums (row_tiles, col_tiles, sums, NR * 4);
  MEMORY_BARRIER ();
  for (int r = 0; r < rows; r++)
    for (int j = 0; j < col_tiles * VW; j += VW)
      v_store (c + r * ldc + j, v_load (sums + r * NR + j));
}

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
  if (rows > SIDE && wide)
    tile_body (2, 2, rows, units, a, b, c, ldc, init, bias, next);
  else if (rows > SIDE)
    tile_body (2, 1, rows, units, a, b, c, ldc, init, bias, next);
  else if (wide)
    tile_body (1, 2, rows, units, a, b, c, ldc, init, bias, next);
  else
    tile_body (1, 1, rows, units, a, b, c, ldc, init, bias, next);
}

#define TILE tile
#define TILE_BROAD NULL
#define BROAD_MR 0
#define UNIT_ALIGN SIDE
#define BEGIN begin
#define END end
#define NAME pairs
#define TABLE gemm_pairs_amx
#define FORMAT GEMM_PAIRS
#define ROUNDED false
#define WINOGRAD NULL
#include "kernels/cpu/x86/gemm-table.h"
