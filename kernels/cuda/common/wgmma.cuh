// SPDX-License-Identifier: MPL-2.0
// wgmma.cuh - a block's product on sm_90a: one thread has TMA fill a ring of tiles, two warpgroups
// multiply them.  A block makes 128 x 128; a tile has a line of 128 bytes of each row along K.
//
// A loader brings step after step: next (step, tile, full) starts copies of STAGE_BYTES in all, of
// A to tile and of B to tile + A_BYTES, which arrive at the mbarrier full.
#pragma once

#include "epilogue.cuh"
#include "ring.cuh"

// A warp has 16 rows of all columns, as wgmma leaves its sums.
typedef Shape<GK_WGMMA_M, GK_WGMMA_N, 8, 1, 4> WgmmaShape;

enum
{
  N_CONSUMERS = WgmmaShape::n_threads,
  N_THREADS = N_CONSUMERS + 128, // and a warpgroup of which one thread loads
  A_BYTES = GK_WGMMA_M * RING_LINE_BYTES,
  STAGE_BYTES = (GK_WGMMA_M + GK_WGMMA_N) * RING_LINE_BYTES,
  STEP_BYTES = 32, // of a line, for each wgmma
  N_STAGES = WgmmaShape::stages,
  SHARED_BYTES = N_STAGES * (STAGE_BYTES + 2 * RING_MARK_BYTES),
  CONSUMERS_BARRIER = 1
};

// Factors of 16 bits, and of 8: what a line has of them, and how 32 bytes of it are multiplied.
template <class T> struct Wide
{
  static constexpr int line = GK_WGMMA_K;
#if GK_HAS_WGMMA
  GK_DEV_MEMBER static void
  multiply (float (&d)[GK_WGMMA_N / 2], uint64_t a, uint64_t b)
  {
    gk_wgmma<GK_WGMMA_N, T::is_f16> (d, a, b, true);
  }
#endif
};

struct E4m3
{
  static constexpr int line = GK_WGMMA_K8;
#if GK_HAS_WGMMA
  GK_DEV_MEMBER static void
  multiply (float (&d)[GK_WGMMA_N / 2], uint64_t a, uint64_t b)
  {
    gk_wgmma_e4m3<GK_WGMMA_N> (d, a, b, true);
  }
#endif
};

#if GK_HAS_WGMMA
typedef Ring<N_STAGES, STAGE_BYTES> Tiles;

template <class Loader>
GK_DEV void
produce (const Tiles &ring, Loader &loader, int n_steps)
{
  for (int step = 0; step < n_steps; step++)
    {
      if (step >= N_STAGES)
        gk_barrier_wait (ring.empty (step), ring.phase (step) ^ 1);
      gk_barrier_expect (ring.full (step), STAGE_BYTES);
      loader.next (step, ring.tile (step), ring.full (step));
    }
}

template <class F>
GK_DEV void
consume (const Tiles &ring, Sums<WgmmaShape> &sums, int n_steps)
{
  uint32_t my_rows = (uint32_t) (gk_thread () / 128 * 64 * RING_LINE_BYTES);
  float (&d)[GK_WGMMA_N / 2] = (float (&)[GK_WGMMA_N / 2]) sums.c;
  bool arrives = gk_thread () % GK_WARP == 0;
  sums.clear ();
  for (int step = 0; step < n_steps; step++)
    {
      uint32_t tile = ring.tile (step);
      gk_barrier_wait (ring.full (step), ring.phase (step));
      gk_wgmma_fence ();
      GK_UNROLL
      for (int at = 0; at < RING_LINE_BYTES; at += STEP_BYTES)
        F::multiply (d, tile_descriptor (tile + my_rows + at),
                     tile_descriptor (tile + A_BYTES + at));
      gk_wgmma_commit ();
      gk_wgmma_wait<1> (); // the products of the step before are done: its slot is free
      if (step > 0 && arrives)
        gk_barrier_arrive (ring.empty (step - 1));
    }
  gk_wgmma_wait<0> ();
  gk_wgmma_taken (d);
}

// @F: Wide or E4m3; @T: the result's type; @row, @column: of it, where the block's part begins.
template <class T, class F, class Loader>
GK_DEV void
wgmma_block (const Epilogue &epilogue, Loader &loader, int n_steps, int64_t row, int64_t column)
{
  GK_DYNAMIC_SHARED (memory);
  Tiles ring = { gk_shared_address (memory), gk_shared_address (memory) + Tiles::tile_bytes };
  if (gk_thread () == 0)
    {
      ring.init (N_CONSUMERS / GK_WARP);
      gk_barrier_fence_init ();
    }
  gk_sync ();
  if (gk_thread () >= N_CONSUMERS)
    {
      if (gk_thread () == N_CONSUMERS)
        produce (ring, loader, n_steps);
      return;
    }
  Sums<WgmmaShape> sums;
  consume<F> (ring, sums, n_steps);
  gk_sync_named (CONSUMERS_BARRIER, N_CONSUMERS); // the epilogue takes the ring's memory
  epilogue_finish<T> (epilogue, sums, row, column, memory);
}
#endif
