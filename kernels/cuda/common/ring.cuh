// SPDX-License-Identifier: MPL-2.0
// ring.cuh - tiles that one thread has TMA bring and warpgroups multiply by wgmma, and their turns.
//
// Each of N_STAGES slots has two mbarriers: full, on which the copies' bytes arrive, and empty, on
// which the readers do.  Step s is in slot s % N_STAGES; a slot's phase changes each time that it
// comes around.  Who waits does so in the kernel, where a reader looks for it.
#pragma once

#include "gk.cuh"

enum
{
  RING_LINE_BYTES = 128, // what a swizzle goes over: 64 values of 16 bits, or 128 of 8
  RING_GROUP_BYTES = 8 * RING_LINE_BYTES,
  RING_MARK_BYTES = 8 // of an mbarrier
};

#if GK_HAS_WGMMA
template <int N_STAGES, int STAGE_BYTES> struct Ring
{
  static constexpr int stages = N_STAGES, stage_bytes = STAGE_BYTES;
  static constexpr int tile_bytes = N_STAGES * STAGE_BYTES;
  static constexpr int mark_bytes = 2 * N_STAGES * RING_MARK_BYTES;

  uint32_t tiles, marks;

  // One thread, before anybody waits; then gk_barrier_fence_init and a barrier.
  GK_DEV_MEMBER void
  init (int n_readers) const
  {
    for (int i = 0; i < N_STAGES; i++)
      {
        gk_barrier_init (full (i), 1);
        gk_barrier_init (empty (i), n_readers);
      }
  }
  GK_DEV_MEMBER uint32_t
  tile (int step) const
  {
    return tiles + (uint32_t) (step % N_STAGES * STAGE_BYTES);
  }
  GK_DEV_MEMBER uint32_t
  full (int step) const
  {
    return marks + (uint32_t) (step % N_STAGES * RING_MARK_BYTES);
  }
  GK_DEV_MEMBER uint32_t
  empty (int step) const
  {
    return full (step) + N_STAGES * RING_MARK_BYTES;
  }
  GK_DEV_MEMBER int
  phase (int step) const
  {
    return step / N_STAGES & 1;
  }
};

// Lines of 128 bytes swizzled as TMA does, eight to a group: PTX ISA, matrix descriptor.
// @next_bytes: to the next 64 values of a line, for tiles that are contiguous along N.
GK_DEV uint64_t
tile_descriptor (uint32_t shared, uint32_t next_bytes)
{
  return (uint64_t) (shared >> 4 & 0x3fff) | (uint64_t) (next_bytes >> 4) << 16 |
         (uint64_t) (RING_GROUP_BYTES >> 4) << 32 | 1ull << 62;
}

// Contiguous along K, of which a line holds all that is read.
GK_DEV uint64_t
tile_descriptor (uint32_t shared)
{
  return tile_descriptor (shared, 16);
}
#endif
