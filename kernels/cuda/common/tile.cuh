// SPDX-License-Identifier: MPL-2.0
// tile.cuh - a block's product: tiles of A and B in a ring of shared memory, multiplied by warps.
//
// A tile has rows of 64 bytes (32 values of 16 bits, or 64 of 8), whose four pieces of 16 bytes are
// swizzled so that ldmatrix meets no bank twice.  A loader brings the next tile in two parts:
//
//   begin (k, tile)   before the current tiles are multiplied: starts copies, or reads registers
//   finish (tile)     after that: what went through registers is transformed and stored
//
// The slot that a loader fills was read one step ago; the barrier at the top of each step lies
// between.  C = A B^T: both tiles have their rows along M or N and are contiguous along K.
#pragma once

#include "gk.cuh"

enum
{
  TILE_ROW_BYTES = 64,
  TILE_PIECES = TILE_ROW_BYTES / 16
};

GK_DEV uint32_t
tile_at (uint32_t tile, int row, int piece)
{
  return tile + (uint32_t) (row * TILE_ROW_BYTES + ((piece ^ (row >> 1 & 3)) << 4));
}

// M x N of C for a block of WARPS_M x WARPS_N warps.
template <int BLOCK_M, int BLOCK_N, int WARPS_M, int WARPS_N, int N_STAGES> struct Shape
{
  static constexpr int m = BLOCK_M, n = BLOCK_N, stages = N_STAGES;
  static constexpr int warps_m = WARPS_M, warps_n = WARPS_N;
  static constexpr int n_threads = WARPS_M * WARPS_N * GK_WARP;
  static constexpr int warp_m = BLOCK_M / WARPS_M, warp_n = BLOCK_N / WARPS_N;
  static constexpr int fragments_m = warp_m / 16, fragments_n = warp_n / 8;
  static constexpr int stage_bytes = (BLOCK_M + BLOCK_N) * TILE_ROW_BYTES;
  static constexpr int pieces_a = BLOCK_M * TILE_PIECES / n_threads; // for each thread
  static constexpr int pieces_b = BLOCK_N * TILE_PIECES / n_threads;
};

typedef Shape<128, 128, 2, 4, 4> LargeShape; // 64 KB, 256 threads
typedef Shape<64, 64, 2, 2, 4> SmallShape;   // 32 KB, 128 threads

// What a warp has of C: fragments of 16 x 8.
template <class S> struct Sums
{
  float c[S::fragments_m][S::fragments_n][4];

  GK_DEV_MEMBER void
  clear ()
  {
    GK_UNROLL
    for (int i = 0; i < S::fragments_m; i++)
      GK_UNROLL
    for (int j = 0; j < S::fragments_n; j++)
      GK_UNROLL
    for (int e = 0; e < 4; e++)
      c[i][j][e] = 0;
  }
};

// Rows of a matrix in memory, K contiguous; @BYTES: of an element.
template <int N_PIECES, int N_THREADS, int BYTES> struct RowLoader
{
  const unsigned char *row[N_PIECES];
  int64_t k_bytes; // of a row
  bool inside[N_PIECES], wide;

  // @row_of (i) gives the matrix's row for the tile's row i, or -1.
  template <class F>
  GK_DEV_MEMBER void
  init (const void *base, int64_t stride, int64_t n_k, F row_of)
  {
    k_bytes = n_k * BYTES;
    wide = (uintptr_t) base % 16 == 0 && stride * BYTES % 16 == 0;
    GK_UNROLL
    for (int i = 0; i < N_PIECES; i++)
      {
        int64_t r = row_of ((i * N_THREADS + gk_thread ()) / TILE_PIECES);
        inside[i] = r >= 0;
        row[i] = (const unsigned char *) base + (inside[i] ? r * stride * BYTES : 0);
      }
  }

  GK_DEV_MEMBER void
  begin (int step, uint32_t tile)
  {
    GK_UNROLL
    for (int i = 0; i < N_PIECES; i++)
      {
        int at = i * N_THREADS + gk_thread (), piece = at % TILE_PIECES;
        int64_t k = (int64_t) step * TILE_ROW_BYTES + piece * 16;
        int64_t left = inside[i] ? k_bytes - k : 0;
        int n_valid = gk_within (left >= 16) ? 16 : (int) gk_max (left, 0);
        uint32_t to = tile_at (tile, at / TILE_PIECES, piece);
        if (wide)
          gk_copy16 (to, n_valid ? row[i] + k : row[i], n_valid);
        else
          gk_store16 (to, gk_fetch8 ((const uint16_t *) (row[i] + k), n_valid / 2, false));
      }
  }

  GK_DEV_MEMBER void
  finish (uint32_t)
  {
  }
};

// One step of K: C += A B^T on the tiles.
template <class T, class S>
GK_DEV void
multiply_tiles (Sums<S> &sums, uint32_t tile_a, uint32_t tile_b)
{
  int lane = gk_thread () % GK_WARP, warp = gk_thread () / GK_WARP;
  int first_m = warp / S::warps_n * S::warp_m, first_n = warp % S::warps_n * S::warp_n;
  GK_UNROLL
  for (int k = 0; k < TILE_PIECES; k += 2)
    {
      uint32_t a[S::fragments_m][4], b[4];
      GK_UNROLL
      for (int i = 0; i < S::fragments_m; i++)
        gk_ldmatrix (a[i], tile_at (tile_a, first_m + i * 16 + lane % 16, k + lane / 16));
      GK_UNROLL
      for (int j = 0; j < S::fragments_n; j += 2)
        {
          gk_ldmatrix (
              b, tile_at (tile_b, first_n + j * 8 + lane % 8 + lane / 16 * 8, k + lane / 8 % 2));
          GK_UNROLL
          for (int i = 0; i < S::fragments_m; i++)
            {
              T::mma (sums.c[i][j], a[i], b[0], b[1]);
              T::mma (sums.c[i][j + 1], a[i], b[2], b[3]);
            }
        }
    }
}

// All of K in steps of a tile's row.  @shared: S::stages * S::stage_bytes
template <class T, class S, class LoadA, class LoadB>
GK_DEV void
multiply (Sums<S> &sums, LoadA &load_a, LoadB &load_b, int n_steps, uint32_t shared)
{
  auto tile_of = [shared] (int step) {
    return shared + (uint32_t) (step % S::stages * S::stage_bytes);
  };
  constexpr int a_bytes = S::m * TILE_ROW_BYTES;
  sums.clear ();
  for (int step = 0; step < S::stages - 1; step++)
    {
      if (step < n_steps)
        {
          load_a.begin (step, tile_of (step));
          load_b.begin (step, tile_of (step) + a_bytes);
          load_a.finish (tile_of (step));
          load_b.finish (tile_of (step) + a_bytes);
        }
      gk_copy_commit ();
    }
  for (int step = 0; step < n_steps; step++)
    {
      int next = step + S::stages - 1;
      gk_copy_wait<S::stages - 2> ();
      gk_sync ();
      if (next < n_steps)
        {
          load_a.begin (next, tile_of (next));
          load_b.begin (next, tile_of (next) + a_bytes);
        }
      gk_copy_commit ();
      multiply_tiles<T> (sums, tile_of (step), tile_of (step) + a_bytes);
      if (next < n_steps)
        {
          load_a.finish (tile_of (next));
          load_b.finish (tile_of (next) + a_bytes);
        }
    }
  gk_sync (); // the ring may be used for something else now
}

// Which of the two: a large tile reads less, small ones keep more of the card busy.
static inline bool
shape_is_large (int64_t n_rows, int64_t n_columns)
{
  enum
  {
    ENOUGH_BLOCKS = 96
  };
  return gk_ceil_div (n_rows, LargeShape::m) * gk_ceil_div (n_columns, LargeShape::n) >=
         ENOUGH_BLOCKS;
}
