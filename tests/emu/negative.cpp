// SPDX-License-Identifier: MPL-2.0
// negative.cpp - the emulator's own tests: each kernel has one fault, which has to be named; the
// controls have none, and nothing may be said.
//
// Usage: emu-negative.  Prints TAP.
#include <stdio.h>

#include "emu.h"
#include "wrappers.h"

enum
{
  N_VALUES = 256
};

// --- order in shared memory ---

GK_KERNEL (64, 1)
read_without_barrier (float *p)
{
  GK_SHARED (float, cell, 64);
  cell[gk_thread ()] = 1;
  p[gk_thread ()] = cell[gk_thread () ^ 32];
}

GK_KERNEL (32, 1)
read_within_warp (float *p)
{
  GK_SHARED (float, cell, 32);
  cell[gk_thread ()] = 1;
  p[gk_thread ()] = cell[gk_thread () ^ 1];
}

GK_KERNEL (32, 1)
shuffle_orders_nothing (float *p)
{
  GK_SHARED (float, cell, 32);
  cell[gk_thread ()] = 1;
  p[gk_thread ()] = gk_shuffle_xor (1, 1) + cell[gk_thread () ^ 1];
}

GK_KERNEL (64, 1)
overwrite_too_early (float *p)
{
  GK_SHARED (float, cell, 64);
  cell[gk_thread ()] = 1;
  gk_sync ();
  p[gk_thread ()] = cell[gk_thread () ^ 1];
  cell[gk_thread ()] = 2;
}

GK_KERNEL (64, 1)
write_twice (float *p)
{
  GK_SHARED (float, cell, 1);
  cell[0] = (float) gk_thread ();
  gk_sync ();
  p[gk_thread ()] = cell[0];
}

GK_KERNEL (64, 1)
barrier_skipped_by_a_warp (float *p)
{
  GK_SHARED (float, cell, 64);
  cell[gk_thread ()] = 1;
  if (gk_thread () >= 32)
    return;
  gk_sync ();
  cell[gk_thread ()] = 2;
  p[gk_thread ()] = cell[gk_thread () + 32];
}

GK_KERNEL (64, 1)
ordered_well (float *p)
{
  GK_SHARED (float, cell, 64);
  cell[gk_thread ()] = 1;
  gk_sync ();
  float v = cell[gk_thread () ^ 33];
  gk_sync ();
  cell[gk_thread ()] = v;
  gk_sync_warp ();
  p[gk_thread ()] = cell[gk_thread () ^ 1];
}

// --- memory ---

GK_KERNEL (64, 1)
read_unwritten_shared (float *p)
{
  GK_SHARED (float, cell, 64);
  if (gk_thread () < 63)
    cell[gk_thread ()] = 1;
  gk_sync ();
  p[gk_thread ()] = cell[gk_thread () ^ 1];
}

GK_KERNEL (64, 1)
past_a_shared_array (float *p)
{
  GK_SHARED (float, cell, 64);
  cell[gk_thread () + 1] = 1;
  p[gk_thread ()] = 0;
}

GK_KERNEL (64, 1)
past_a_buffer (float *p)
{
  p[N_VALUES - 63 + gk_thread ()] = 0;
}

GK_KERNEL (32, 1)
misaligned_pair (float *p)
{
  *(volatile uint64_t *) ((char *) p + 4 + 8 * gk_thread ()) = 0;
}

GK_KERNEL (32, 1)
blocks_write_the_same (float *p)
{
  p[gk_thread ()] = (float) gk_block_x ();
}

GK_KERNEL (32, 1)
in_place_across_blocks (float *p)
{
  int i = gk_block_x () * 32 + gk_thread ();
  float v = p[(i + 1) % 64];
  p[i] = v;
}

GK_KERNEL (32, 1)
in_place_well (float *p)
{
  int i = gk_block_x () * 32 + gk_thread ();
  p[i] = p[i] + 1;
}

// --- collectives ---

GK_KERNEL (64, 1)
barriers_of_two_names (float *p)
{
  gk_sync_named (gk_thread () < 32 ? 1 : 2, 64);
  p[gk_thread ()] = 0;
}

GK_KERNEL (64, 1)
handed_over_by_name (float *p)
{
  GK_SHARED (float, cell, 32);
  if (gk_thread () < 32)
    {
      cell[gk_thread ()] = 1;
      gk_arrive_named (1, 64);
      return;
    }
  gk_sync_named (1, 64);
  p[gk_thread ()] = cell[gk_thread () - 32];
}

GK_KERNEL (64, 1)
all_arrive_and_none_waits (float *p)
{
  gk_arrive_named (1, 64);
  p[gk_thread ()] = 0;
}

GK_KERNEL (64, 1)
some_arrive_and_none_waits (float *p)
{
  if (gk_thread () < 32)
    gk_arrive_named (1, 64);
  p[gk_thread ()] = 0;
}

GK_KERNEL (64, 1)
lanes_part (float *p)
{
  if (gk_thread () & 1)
    p[gk_thread ()] = gk_shuffle_xor (1, 1);
  else
    gk_sync_warp ();
}

GK_KERNEL (32, 1)
half_a_warp_multiplies (float *p)
{
  float c[4] = {};
  uint32_t a[4] = {};
  if (gk_thread () < 16)
    gk_mma_bf16 (c, a, 0, 0);
  p[gk_thread ()] = c[0];
}

GK_KERNEL (32, 1)
misaligned_ldmatrix (float *p)
{
  GK_DYNAMIC_SHARED (memory);
  uint32_t shared = gk_shared_address (memory), r[4];
  for (uint32_t i = 0; i < 8; i++)
    gk_store4 (shared + (i * 32 + (uint32_t) gk_thread ()) * 4, 0);
  gk_sync ();
  gk_ldmatrix (r, shared + (uint32_t) gk_thread () * 24);
  p[gk_thread ()] = (float) r[0];
}

// --- copies in flight ---

GK_KERNEL (32, 1)
copy_not_waited_for (float *p)
{
  GK_DYNAMIC_SHARED (memory);
  uint32_t mine = gk_shared_address (memory) + (uint32_t) gk_thread () * 16;
  gk_copy16 (mine, p + gk_thread () * 4, 16);
  gk_copy_commit ();
  p[128 + gk_thread ()] = gk_bits_float (gk_load16 (mine).x);
  gk_copy_wait<0> ();
}

GK_KERNEL (32, 1)
copy_waited_one_short (float *p)
{
  GK_DYNAMIC_SHARED (memory);
  uint32_t mine = gk_shared_address (memory) + (uint32_t) gk_thread () * 16;
  gk_copy16 (mine, p + gk_thread () * 4, 16);
  gk_copy_commit ();
  gk_copy_wait<1> ();
  p[128 + gk_thread ()] = gk_bits_float (gk_load16 (mine).x);
  gk_copy_wait<0> ();
}

GK_KERNEL (32, 1)
copy_of_another_thread (float *p)
{
  GK_DYNAMIC_SHARED (memory);
  uint32_t shared = gk_shared_address (memory), mine = (uint32_t) gk_thread () * 16;
  gk_copy16 (shared + mine, p + gk_thread () * 4, 16);
  gk_copy_commit ();
  gk_copy_wait<0> ();
  p[128 + gk_thread ()] = gk_bits_float (gk_load16 (shared + (mine ^ 16)).x);
}

GK_KERNEL (32, 1)
copy_left_behind (float *p)
{
  GK_DYNAMIC_SHARED (memory);
  gk_copy16 (gk_shared_address (memory) + (uint32_t) gk_thread () * 16, p, 16);
  gk_copy_commit ();
}

GK_KERNEL (32, 1)
copy_waited_for (float *p)
{
  GK_DYNAMIC_SHARED (memory);
  uint32_t shared = gk_shared_address (memory), mine = (uint32_t) gk_thread () * 16;
  gk_copy16 (shared + mine, p + gk_thread () * 4, 16);
  gk_copy_commit ();
  gk_copy_wait<0> ();
  gk_sync ();
  p[128 + gk_thread ()] = gk_bits_float (gk_load16 (shared + (mine ^ 16)).x);
}

// --- mbarriers and products: one warpgroup, A and B (64 x 64 bf16, zeros) in shared memory ---

enum
{
  TILE_BYTES = 64 * 64 * 2
};

GK_DEV uint64_t
descriptor (uint32_t shared)
{
  return (uint64_t) (shared >> 4 & 0x3fff) | 1ull << 16 | 64ull << 32 | 1ull << 62;
}

GK_DEV void
fill (uint32_t shared, uint32_t n_bytes)
{
  for (uint32_t i = (uint32_t) gk_thread () * 16; i < n_bytes; i += 128 * 16)
    gk_store16 (shared + i, uint4{});
}

GK_KERNEL (128, 1)
product_without_fence (float *p)
{
  GK_DYNAMIC_SHARED (memory);
  uint32_t shared = gk_shared_address (memory);
  float d[32] = {};
  fill (shared, 2 * TILE_BYTES);
  gk_sync ();
  gk_wgmma<64, false> (d, descriptor (shared), descriptor (shared + TILE_BYTES), false);
  gk_wgmma_commit ();
  gk_wgmma_wait<0> ();
  p[gk_thread ()] = d[0];
}

GK_KERNEL (128, 1)
operand_overwritten (float *p)
{
  GK_DYNAMIC_SHARED (memory);
  uint32_t shared = gk_shared_address (memory);
  float d[32] = {};
  fill (shared, 2 * TILE_BYTES);
  gk_fence_async ();
  gk_sync ();
  gk_wgmma<64, false> (d, descriptor (shared), descriptor (shared + TILE_BYTES), false);
  gk_wgmma_commit ();
  gk_sync ();
  fill (shared, TILE_BYTES);
  gk_wgmma_wait<0> ();
  p[gk_thread ()] = d[0];
}

GK_KERNEL (128, 1)
product_well (float *p)
{
  GK_DYNAMIC_SHARED (memory);
  uint32_t shared = gk_shared_address (memory);
  float d[32] = {};
  fill (shared, 2 * TILE_BYTES);
  gk_fence_async ();
  gk_sync ();
  gk_wgmma<64, false> (d, descriptor (shared), descriptor (shared + TILE_BYTES), false);
  gk_wgmma_commit ();
  gk_wgmma_wait<0> ();
  gk_sync ();
  fill (shared, TILE_BYTES);
  p[gk_thread ()] = d[0];
}

// Behind the fence the operands are there; A from registers that change too early, sums likewise.
template <bool OF_A, bool OF_SUMS>
GK_DEV void
change_registers (float *p)
{
  GK_DYNAMIC_SHARED (memory);
  uint32_t shared = gk_shared_address (memory), a[4] = {};
  float d[32] = {};
  fill (shared, TILE_BYTES);
  gk_fence_async ();
  gk_sync ();
  gk_wgmma_transposed<64, false> (d, a, descriptor (shared), true);
  gk_wgmma_transposed<64, false> (d, a, descriptor (shared), true);
  gk_wgmma_commit ();
  a[2] += OF_A;
  d[5] += OF_SUMS;
  gk_wgmma_wait<0> ();
  a[0] = 1;
  p[gk_thread ()] = d[0] + (float) a[0];
}

GK_KERNEL (128, 1)
factor_changes_in_flight (float *p)
{
  change_registers<true, false> (p);
}

GK_KERNEL (128, 1)
sums_change_in_flight (float *p)
{
  change_registers<false, true> (p);
}

GK_KERNEL (128, 1)
registers_kept (float *p)
{
  change_registers<false, false> (p);
}

GK_KERNEL (32, 1)
barrier_never_initialised (float *p)
{
  GK_DYNAMIC_SHARED (memory);
  gk_barrier_wait (gk_shared_address (memory), 0);
  p[gk_thread ()] = 0;
}

GK_KERNEL (64, 1)
too_many_arrive (float *p)
{
  GK_DYNAMIC_SHARED (memory);
  uint32_t barrier = gk_shared_address (memory);
  if (gk_thread () == 0)
    gk_barrier_init (barrier, 63);
  gk_sync ();
  if (gk_thread () == 0)
    gk_barrier_expect (barrier, 16); // these bytes never come
  gk_sync ();
  gk_barrier_arrive (barrier);
  gk_barrier_wait (barrier, 0);
  p[gk_thread ()] = 0;
}

GK_KERNEL (64, 1)
handed_over_by_barrier (float *p)
{
  GK_DYNAMIC_SHARED (memory);
  uint32_t barrier = gk_shared_address (memory), cell = barrier + 128;
  if (gk_thread () == 0)
    gk_barrier_init (barrier, 32);
  gk_sync ();
  if (gk_thread () < 32)
    {
      gk_store16 (cell + (uint32_t) gk_thread () * 16, uint4{ 1, 2, 3, 4 });
      gk_barrier_arrive (barrier);
      return;
    }
  gk_barrier_wait (barrier, 0);
  p[gk_thread ()] = (float) gk_load16 (cell + (uint32_t) (gk_thread () - 32) * 16).x;
}

struct Case
{
  const char *name;
  void (*run) (float *p);
  unsigned expected;
  bool initialised;
};

#define CASE(kernel, n_blocks, n_threads, expected)                                                  \
  {                                                                                                  \
#    kernel,                                                                                         \
        [](float *                                                                                   \
               p) { GK_LAUNCH (kernel, dim3 (n_blocks), dim3 (n_threads), 40 << 10, 0, p); },        \
                                                                                           expected, \
                                                                                           true      \
  }

GK_KERNEL (32, 1)
sums (float *p)
{
  p[128 + gk_thread ()] = p[gk_thread ()];
}

static const Case cases[] = {
  CASE (read_without_barrier, 1, 64, EMU_RACE),
  CASE (read_within_warp, 1, 32, EMU_RACE),
  CASE (shuffle_orders_nothing, 1, 32, EMU_RACE),
  CASE (overwrite_too_early, 1, 64, EMU_RACE),
  CASE (write_twice, 1, 64, EMU_RACE),
  CASE (barrier_skipped_by_a_warp, 1, 64, EMU_RACE),
  CASE (ordered_well, 1, 64, 0),
  CASE (read_unwritten_shared, 1, 64, EMU_UNINIT),
  CASE (past_a_shared_array, 1, 64, EMU_BOUNDS),
  CASE (past_a_buffer, 1, 64, EMU_BOUNDS),
  CASE (misaligned_pair, 1, 32, EMU_ALIGN),
  CASE (blocks_write_the_same, 2, 32, EMU_BLOCKS),
  CASE (in_place_across_blocks, 2, 32, EMU_BLOCKS),
  CASE (in_place_well, 2, 32, 0),
  CASE (barriers_of_two_names, 1, 64, EMU_STUCK),
  CASE (handed_over_by_name, 1, 64, 0),
  CASE (all_arrive_and_none_waits, 1, 64, EMU_STUCK),
  CASE (some_arrive_and_none_waits, 1, 64, EMU_LEAK),
  CASE (lanes_part, 1, 64, EMU_STUCK),
  CASE (half_a_warp_multiplies, 1, 32, EMU_STUCK),
  CASE (misaligned_ldmatrix, 1, 32, EMU_ALIGN),
  CASE (copy_not_waited_for, 1, 32, EMU_ASYNC),
  CASE (copy_waited_one_short, 1, 32, EMU_ASYNC),
  CASE (copy_of_another_thread, 1, 32, EMU_RACE),
  CASE (copy_left_behind, 1, 32, EMU_LEAK),
  CASE (copy_waited_for, 1, 32, 0),
  CASE (product_without_fence, 1, 128, EMU_ASYNC),
  CASE (operand_overwritten, 1, 128, EMU_ASYNC),
  CASE (product_well, 1, 128, 0),
  CASE (factor_changes_in_flight, 1, 128, EMU_ASYNC),
  CASE (sums_change_in_flight, 1, 128, EMU_ASYNC),
  CASE (registers_kept, 1, 128, 0),
  CASE (barrier_never_initialised, 1, 32, EMU_UNINIT),
  CASE (too_many_arrive, 1, 64, EMU_STUCK),
  CASE (handed_over_by_barrier, 1, 64, 0),
  { "reads_what_nothing_wrote", [] (float *p) { GK_LAUNCH (sums, dim3 (1), dim3 (32), 0, 0, p); },
    EMU_UNINIT, false },
  { "more_shared_memory_than_there_is",
    [] (float *p) { GK_LAUNCH (sums, dim3 (1), dim3 (32), 100 << 10, 0, p); }, EMU_LIMIT, true },
};

static bool
is_reported (const Case *c, uint32_t seed, EmuCopies copies)
{
  emu_options = EmuOptions{ true, seed, copies, true };
  float *p = (float *) emu_alloc (N_VALUES * sizeof *p, "p", 2, c->initialised);
  for (int i = 0; i < N_VALUES && c->initialised; i++)
    p[i] = 0;
  c->run (p);
  emu_free (p);
  unsigned reported = emu_take_reports ();
  return c->expected ? reported & c->expected : !reported;
}

int
main (void)
{
  enum
  {
    N_SEEDS = 8
  };
  int n = (int) (sizeof cases / sizeof *cases), n_failed = 0;
  printf ("1..%d\n", n);
  for (int i = 0; i < n; i++)
    {
      bool right = true;
      for (uint32_t seed = 0; seed < N_SEEDS; seed++)
        right &= is_reported (&cases[i], seed, (EmuCopies) (seed % 3));
      const char *report = emu_first_report ();
      printf ("%s %d - %s\n", right ? "ok" : "not ok", i + 1, cases[i].name);
      if (*report)
        printf ("# %s\n", report);
      n_failed += !right;
    }
  return n_failed > 0;
}
